//! Losses of samples with several classes.

use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::map::divided_sum_map;
use crate::ops::nn::loss::bce::softplus_of_negative;
use crate::ops::nn::loss::rules;
use crate::ops::{Reduction, map, reshape, to_i64};
use crate::{Tensor, ops, options};
use flambeau_macros::op;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::ops::refuse_where;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{DType, Error as ArrayError, Finding, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

/// Whether a label is neither a class nor −1.
static IS_NO_LABEL: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).lt(-1).or(b.input(0).ge(b.scalar(0)))));

/// How far class i is from standing 1 below a label's class, where that is above zero; of x_i, the label's x, whether there is a
/// label, and whether i is one of the sample's labels.
fn excess(of: impl for<'b> Fn(Expr<'b>) -> Expr<'b>) -> Pointwise {
    Pointwise::new(|b| {
        let z = 1.0 - b.input(1) + b.input(0);
        let counts = b.mask(2).and(b.mask(3).logical_not());
        counts.select(z.gt(0.0).select(of(z), 0.0), 0.0)
    })
}
static EXCESS: LazyLock<Pointwise> = LazyLock::new(|| excess(|z| z));
/// Its slope.
static EXCEEDS: LazyLock<Pointwise> = LazyLock::new(|| excess(|z| z.constant(1.0)));
/// (a − b) / s · g
static SLOPE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0) - b.input(1)) / b.scalar(0) * b.input(2)));

options! {
    /// Options of `F::multilabel_margin_loss` and `nn::MultiLabelMarginLoss`.
    #[derive(Clone, Debug)]
    MultiLabelMarginLossOptions {
        /// What becomes of the samples' losses: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The labels of a batch, `[n, C]` each.
struct Labels {
    /// Whether there is one in this place: none before it is negative.
    valid: Tensor,
    /// The class; 0 where there is none.
    class: Tensor,
    /// Whether the class of this number is among the sample's labels.
    chosen: Tensor,
}

impl Labels {
    fn new(target: &Tensor) -> Result<Self> {
        let ended = ops::cumsum(&ops::lt(target, 0)?, 1, Some(DType::I64))?;
        let valid = ops::eq(&ended, 0)?;
        let class = ops::mul(target, &valid)?;
        let counts = ops::zeros(&target.size(), DType::F32, target.device())?;
        let counts = ops::scatter_add_(&counts, 1, &class, &ops::to_dtype(&valid, DType::F32)?)?;
        Ok(Labels { valid, class, chosen: ops::gt(&counts, 0)? })
    }

    /// A program of each label and each class, `[n, label, class]`, summed along some dimensions; of that nothing is kept.
    fn sum(
        &self,
        name: &'static str,
        program: &'static Pointwise,
        x: &Tensor,
        dims: &[i64],
        divisor: Option<usize>,
    ) -> Result<Tensor> {
        let of_label = ops::gather(x, 1, &self.class)?;
        let (labels, classes) = (|t: &Tensor| ops::unsqueeze(t, 2), |t: &Tensor| ops::unsqueeze(t, 1));
        let inputs = [classes(x)?, labels(&of_label)?, labels(&self.valid)?, classes(&self.chosen)?];
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        divided_sum_map(name, Some(program), &inputs, &[], dims, false, Some(x.dtype()), divisor)
    }
}

/// Refuses shapes and dtypes that do not fit; the numbers of samples and of classes.
fn check(x: &Tensor, target: &Tensor) -> Result<(usize, usize)> {
    let (size, target_size) = (x.size(), target.size());
    let (n, classes) = rules::samples_and_classes(x)?;
    let fits = match size.len() {
        2 => target_size == size,
        _ => target_size.len() <= 1 && target.numel() == classes,
    };
    if !fits {
        return Err(Error::runtime(format!(
            "inconsistent target size: {:?} for input of size: {:?}",
            &*target_size, &*size
        )));
    }
    if x.numel() > 0 && target.dtype() != DType::I64 {
        return Err(Error::runtime(format!(
            "expected scalar type Long but found {}",
            target.dtype().scalar_type_name()
        )));
    }
    if !matches!(x.dtype(), DType::F32 | DType::F64) {
        let op = "multilabel_margin_loss_forward_out_frame";
        return Err(ArrayError::NotImplementedFor { op, dtype: x.dtype() }.into());
    }
    Ok((n, classes))
}

/// Σ over labels y and other classes i of max(1 − x_y + x_i, 0) / C, of `[n, C]` (or `[C]`) and int64 targets of that shape, whose
/// rows hold a sample's labels up to the first −1: `F.multilabel_margin_loss`. Option: `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[0.1, 0.2, 0.4, 0.8]]);
/// let target = torch::tensor([[3, 0, -1, 1]]);
/// assert!((F::multilabel_margin_loss(&x, &target).item() - 0.85).abs() < 1e-6);
/// ```
///
/// # Errors
/// When shapes or dtypes do not fit, or a label is no class; a device may tell that at its next readback.
#[op(functional, cast = Float32)]
pub fn multilabel_margin_loss(x: &Tensor, target: &Tensor, options: &MultiLabelMarginLossOptions) -> Result<Tensor> {
    let reduction = options.reduction;
    reduction.check()?;
    let (n, classes) = check(x, target)?;
    refuse_where(&IS_NO_LABEL, &target.array(), &[Scalar::Int(classes as i64)], Finding::Label)?;
    let (shape, name) = ([n as i64, classes as i64], "MultilabelMarginLossBackward0");
    let (dims, divisor): (&[i64], usize) = match reduction {
        Reduction::None => (&[1, 2], classes),
        Reduction::Sum => (&[], classes),
        // Of no samples the mean is 0.
        _ => (&[], n.max(1) * classes),
    };
    let out = {
        let labels = Labels::new(&reshape(&target.detach(), &shape)?)?;
        labels.sum(name, &EXCESS, &reshape(&x.detach(), &shape)?, dims, Some(divisor))?
    };
    // A single sample has no dimension of losses.
    let out = if reduction == Reduction::None && x.dim() < 2 { reshape(&out, &[])? } else { out };
    let saves = [Save::Tensor("self", x), Save::Tensor("target", target)];
    let per_sample = if reduction == Reduction::None { [-1, 1] } else { [1, 1] };
    Ok(record(name, &[x], &saves, out.array().clone(), move |c| {
        let (x, target) = (c.saved(0)?, c.saved(1)?);
        let (rows, labels) = (reshape(&x.detach(), &shape)?, Labels::new(&reshape(&target, &shape)?)?);
        let of_classes = labels.sum(name, &EXCEEDS, &rows, &[1], None)?;
        let of_labels = labels.sum(name, &EXCEEDS, &rows, &[2], None)?;
        let zeros = ops::zeros(&rows.size(), rows.dtype(), rows.device())?;
        let of_labels = ops::scatter_add_(&zeros, 1, &labels.class, &of_labels)?;
        let g = reshape(&c.grad(0)?, &per_sample)?;
        let grad = map(name, &SLOPE, &[&of_classes, &of_labels, &g], &[Scalar::Int(divisor as i64)])?;
        Ok(smallvec![Some(reshape(&grad, &to_i64(&x.size()))?)])
    }))
}

fn soft<'b>(t: Expr<'b>, x: Expr<'b>) -> Expr<'b> {
    t * softplus_of_negative(x) + (1.0 - t) * softplus_of_negative(-x)
}

/// −t · ln σ(x) − (1 − t) · ln σ(−x), times a weight if there is one; of t, x and the weight.
static SOFT: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [false, true].map(|weighted| {
        Pointwise::new(move |b| {
            let loss = soft(b.input(0), b.input(1));
            if weighted { loss * b.input(2) } else { loss }
        })
        .with_arguments(&["target", "input", "weight"])
        .with_gradient(move |_, g, v, _| {
            let (t, x) = (v[0], v[1]);
            let of = if weighted { g * v[2] } else { g };
            let dt = of * softplus_of_negative(x) - of * softplus_of_negative(-x);
            let dx = of * (1.0 - t) * x.sigmoid() - of * t * (-x).sigmoid();
            [dt, dx].into_iter().chain(weighted.then(|| soft(t, x) * g)).collect()
        })
    })
});

options! {
    /// Options of `F::multilabel_soft_margin_loss` and `nn::MultiLabelSoftMarginLoss`.
    #[derive(Clone, Debug)]
    MultiLabelSoftMarginLossOptions {
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// What becomes of the samples' losses: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The mean over the classes, the last dimension, of −t · ln σ(x) − (1 − t) · ln σ(−x), whose targets t say which classes a sample
/// has: `F.multilabel_soft_margin_loss`. Options: `weight`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target) = (torch::tensor([[0.0, 0.0]]), torch::tensor([[1.0, 0.0]]));
/// assert!(F::multilabel_soft_margin_loss(&x, &target).allclose(&torch::tensor(0.6931472)));
/// ```
///
/// # Errors
/// When the sizes do not broadcast, `x` is of integers or has no dimension, or the targets are of bools.
#[op(functional, cast_gpu = Float32Result)]
pub fn multilabel_soft_margin_loss(
    x: &Tensor,
    target: &Tensor,
    options: &MultiLabelSoftMarginLossOptions,
) -> Result<Tensor> {
    let (weight, reduction) = (options.weight.as_ref(), options.reduction);
    rules::floats("log_sigmoid_cpu", &[x])?;
    if target.dtype() == DType::Bool {
        rules::difference(DType::Bool, DType::F32)?;
    }
    let mut shape = broadcast_shapes(&target.size(), &x.size())?;
    if let Some(w) = weight {
        shape = broadcast_shapes(&shape, &w.size())?;
    }
    let &[.., classes] = &x.size()[..] else {
        return Err(ArrayError::Index("Dimension specified as -1 but tensor has no dimensions".to_owned()).into());
    };
    if reduction == Reduction::BatchMean {
        return Err(Error::value("batchmean is not valid"));
    }
    let program = &SOFT[usize::from(weight.is_some())];
    let inputs: Vec<&Tensor> = [Some(target), Some(x), weight].into_iter().flatten().collect();
    let at = shape.len() - 1;
    let lines = || shape[..at].iter().product::<usize>();
    let (name, dims, divisor): (_, &[i64], _) = match reduction {
        Reduction::None => ("DivBackward0", &[-1], classes),
        Reduction::Mean => ("MeanBackward0", &[], classes * lines()),
        _ => ("SumBackward0", &[], classes),
    };
    divided_sum_map(name, Some(program), &inputs, &[], dims, false, None, Some(divisor))
}
