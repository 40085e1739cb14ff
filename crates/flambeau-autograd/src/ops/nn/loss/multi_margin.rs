//! The margin of each sample's class over all others.

use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::mode::among_options;
use crate::ops::map::divided_sum_map;
use crate::ops::nn::loss::rules;
use crate::ops::shape::view::iota;
use crate::ops::{Reduction, map, reshape};
use crate::{Tensor, ops, options};
use flambeau_macros::op;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{DType, Finding, IndexRule, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

/// A multi-margin loss's options as a program sees them: whether terms are squared, and whether they are weighted.
const MULTI_MARGINS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// f(z) times a weight, if there is one, for z = m − x_y + x_i where it is above zero and i is not y, else 0; of x, x_y, the
/// classes, y and the weight.
fn margin_terms(weighted: bool, f: impl for<'b> Fn(Expr<'b>) -> Expr<'b>) -> Pointwise {
    Pointwise::new(|b| {
        let z = b.scalar(0) - b.input(1) + b.input(0);
        let term = if weighted { f(z) * b.input(4) } else { f(z) };
        b.input(2).eq(b.input(3)).select(0.0, z.gt(0.0).select(term, 0.0))
    })
}

/// The terms of the loss.
static MULTI_MARGIN: LazyLock<[Pointwise; 4]> = LazyLock::new(|| {
    MULTI_MARGINS.map(|(squared, weighted)| margin_terms(weighted, move |z| if squared { z * z } else { z }))
});

/// Their slopes.
static MULTI_MARGIN_SLOPE: LazyLock<[Pointwise; 4]> = LazyLock::new(|| {
    MULTI_MARGINS
        .map(|(squared, weighted)| margin_terms(weighted, move |z| if squared { z * 2.0 } else { z.constant(1.0) }))
});

/// (h, or 0 − s where the class is y) · g / d, of the slopes h, their sum s, the classes, y and the incoming gradient.
static MULTI_MARGIN_GRADIENT: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (h, s, class, y, g) = (b.input(0), b.input(1), b.input(2), b.input(3), b.input(4));
        class.eq(y).select(0.0 - s, h) / b.scalar(0) * g
    })
});

options! {
    /// Options of `F::multi_margin_loss` and `nn::MultiMarginLoss`.
    #[derive(Clone, Debug)]
    MultiMarginOptions {
        /// The exponent, 1 or 2 (1).
        p: i64 = 1,
        /// By how much the target's class must lead (1).
        margin: f64 = 1.0,
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// Σ over classes i ≠ y of max(margin − x_y + x_i, 0)ᵖ / C, times the weight of y; of `[n, C]` (or `[C]`) and int64 targets
/// `[n]`: `F.multi_margin_loss`. p is 1 or 2. Options: `p`, `margin`, `weight`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let loss = F::multi_margin_loss(&torch::tensor([[3.0, 2.5]]), &torch::tensor([0]));
/// assert_eq!(loss.item(), 0.25);
/// ```
///
/// # Errors
/// When shapes, dtypes or options do not fit, or a target is no class.
#[op(functional, cast = Float32)]
pub fn multi_margin_loss(x: &Tensor, target: &Tensor, options: &MultiMarginOptions) -> Result<Tensor> {
    let weight = among_options(options.weight.as_ref())?;
    let (p, margin, weight, reduction) = (options.p, options.margin, weight.as_deref(), options.reduction);
    reduction.check()?;
    if p != 1 && p != 2 {
        return Err(Error::value("only p == 1 and p == 2 supported"));
    }
    if weight.is_some_and(|w| w.dim() != 1) {
        return Err(Error::value("weight must be one-dimensional"));
    }
    rules::without_gradient("multi_margin_loss", "weight", weight)?;
    let (size, target_size) = (x.size(), target.size());
    let (n, classes) = rules::samples_and_classes(x)?;
    if target_size.len() > 1 || target.numel() != n {
        return Err(Error::runtime(format!(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch size). \
             Expected target size [{n}], but got {:?}. Input has shape {:?}.",
            &*target_size, &*size
        )));
    }
    if let Some(w) = weight.filter(|w| w.numel() != classes) {
        return Err(Error::runtime(format!("inconsistent weight size, expected {classes} but got {:?}", &*w.size())));
    }
    if target.dtype() != DType::I64 {
        return Err(Error::runtime(format!(
            "expected scalar type Long but found {}",
            target.dtype().scalar_type_name()
        )));
    }
    if x.device().is_cpu() && !matches!(x.dtype(), DType::F32 | DType::F64) {
        let (op, dtype) = ("multi_margin_loss_cpu_kernel", x.dtype());
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype }.into());
    }
    if let Some(w) = weight {
        rules::same_scalar_type(x, w)?;
    }
    let rows = reshape(x, &[n as i64, classes as i64])?;
    let y = reshape(target, &[n as i64, 1])?;
    let y = ops::index::lines::places(&y, &IndexRule::strict(classes, Finding::MarginTarget, 0))?;
    let all = iota(classes, x)?;
    let of_class = weight.map(|w| reshape(&ops::index_select(w, 0, &reshape(&y, &[-1])?)?, &[-1, 1])).transpose()?;
    let which = usize::from(p == 2) * 2 + usize::from(of_class.is_some());
    let (dims, divisor): (&[i64], usize) = match reduction {
        Reduction::None => (&[1], classes),
        Reduction::Sum => (&[], classes),
        _ => (&[], n * classes),
    };
    let name = "MultiMarginLossBackward0";
    let scalars = [Scalar::Float(margin)];
    let out = {
        let (rows, program) = (rows.detach(), &MULTI_MARGIN[which]);
        let of_target = ops::gather(&rows, 1, &y)?;
        let mut inputs = vec![&rows, &of_target, &all, &y];
        inputs.extend(&of_class);
        divided_sum_map(name, Some(program), &inputs, &scalars, dims, false, None, Some(divisor))?
    };
    // A single sample has no dimension of losses.
    let out = if reduction == Reduction::None && size.len() < 2 { reshape(&out, &[])? } else { out };
    let mut saves = vec![Save::Tensor("self", x), Save::Array("labels", y.array().clone())];
    saves.extend(of_class.as_ref().map(|w| Save::Array("label_weights", w.array().clone())));
    // Of these only a copy is used.
    let (weighted, used) = (of_class.is_some(), saves.len());
    saves.push(Save::Tensor("target", target));
    saves.push(weight.map_or(Save::Nothing("weight"), |weight| Save::Tensor("weight", weight)));
    let per_row = if reduction == Reduction::None { [-1, 1] } else { [1, 1] };
    Ok(record(name, &[x], &saves, out.array().clone(), move |c| {
        c.unchanged(used)?;
        let (x, y, all) = (c.saved(0)?, c.saved(1)?, iota(classes, &c.saved(0)?)?);
        let of_class = weighted.then(|| c.saved(2)).transpose()?;
        let rows = reshape(&x, &[n as i64, classes as i64])?;
        let of_target = ops::gather(&rows, 1, &y)?;
        let mut inputs = vec![&rows, &of_target, &all, &y];
        inputs.extend(&of_class);
        let slopes = map(name, &MULTI_MARGIN_SLOPE[which], &inputs, &scalars)?;
        let sum = ops::sum(&slopes, &[1], true, None)?;
        let g = reshape(&c.grad(0)?, &per_row)?;
        let inputs = [&slopes, &sum, &all, &y, &g];
        let grad = map(name, &MULTI_MARGIN_GRADIENT, &inputs, &[Scalar::Int(divisor as i64)])?;
        Ok(smallvec![Some(reshape(&grad, &ops::to_i64(&x.size()))?)])
    }))
}
