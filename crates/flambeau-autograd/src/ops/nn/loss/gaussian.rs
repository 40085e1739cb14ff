//! The likelihood of numbers with a mean and a variance.

use crate::error::{Error, Result};
use crate::ops::nn::loss::elementwise::{any_element, composed, reduced};
use crate::ops::nn::loss::rules;
use crate::ops::pointwise::binary::OperandRef;
use crate::ops::{Operand, Reduction};
use crate::{Tensor, ops, options};
use flambeau_macros::op;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Scalar};
use std::sync::LazyLock;

/// ½ (ln v + (x − t)² / v) with v = max(var, ε), whose gradient passes as if it were not kept from zero; ½ ln 2π more where
/// `full`.
static GAUSSIAN: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [0.0, 0.5 * std::f64::consts::TAU.ln()].map(|constant| {
        Pointwise::new(move |b| {
            let (d, var) = (b.input(0) - b.input(1), b.input(2));
            let var = var.lt(b.scalar(0)).select(b.scalar(0), var);
            let loss = (var.log() + d * d / var) * 0.5;
            if constant == 0.0 { loss } else { loss + constant }
        })
        .with_arguments(&["input", "target", "var"])
        .with_gradient(|b, g, x, _| {
            let (d, var) = (x[0] - x[1], x[2].lt(b.scalar(0)).select(b.scalar(0), x[2]));
            let (slope, half) = (g * d / var, g * 0.5);
            vec![slope, -slope, half / var - half * (d * d / var / var)]
        })
    })
});

options! {
    /// Options of `F::gaussian_nll_loss`.
    #[derive(Clone)]
    GaussianNLLOptions {
        /// Whether the constant ½ ln 2π is added (no).
        full: bool = false,
        /// The least variance (1e-6).
        eps: f64 = 1e-6,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The negative log-likelihood of `target` under normal distributions of means `x` and variances `var`, a tensor or one number,
/// ½ (ln v + (x − t)² / v) with v = max(var, ε): `F.gaussian_nll_loss`. The dtype is that which the three promote to. Options:
/// `full`, `eps`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target, var) = (torch::tensor([1.0, 2.0]), torch::tensor([1.0, 4.0]), torch::tensor([4.0, 4.0]));
/// assert!((F::gaussian_nll_loss(&x, &target, &var).item() - 0.9431).abs() < 1e-4);
/// ```
///
/// # Errors
/// When the sizes do not fit, a variance is negative or an integer, or bools are subtracted.
#[op(functional)]
pub fn gaussian_nll_loss<'a>(
    x: &Tensor,
    target: &Tensor,
    var: impl Into<Operand<'a>>,
    options: &GaussianNLLOptions,
) -> Result<Tensor> {
    let &GaussianNLLOptions { full, eps, reduction } = options;
    if reduction == Reduction::BatchMean {
        return Err(Error::value("batchmean is not valid"));
    }
    let var = var.into();
    let of_number;
    let (var, is_number) = match var.kind() {
        OperandRef::Tensor(var) => (var, false),
        OperandRef::Number(number) => {
            of_number = ops::full(&[], number, x.dtype(), x.device())?;
            (&of_number, true)
        }
    };
    if any_element(&IS_NEGATIVE, var)? {
        return Err(Error::value("var has negative entry/entries"));
    }
    if !var.is_floating_point() {
        // By the name of C++, as the clamping in place of a number has it.
        let name = match var.dtype() {
            DType::I64 => "long int",
            DType::I32 => "int",
            DType::I16 => "short int",
            DType::I8 => "signed char",
            DType::U8 => "unsigned char",
            other => other.name(),
        };
        return Err(Error::runtime(format!("result type Float can't be cast to the desired output type {name}")));
    }
    rules::difference(x.dtype(), target.dtype())?;
    let (size, var_size) = (x.size(), var.size());
    let unsqueezed;
    let mut var = var;
    if size != *var_size && !is_number {
        let differing = || size.iter().zip(var_size.iter()).filter(|(a, b)| a != b).map(|(_, &b)| b).sum::<usize>();
        if size.split_last().is_some_and(|(_, batch)| *batch == *var_size) {
            unsqueezed = ops::unsqueeze(var, -1)?;
            var = &unsqueezed;
        } else if size.len() != var_size.len() || differing() != 1 {
            return Err(Error::value("var is of incorrect size"));
        }
    }
    let names = composed(if full { "AddBackward0" } else { "MulBackward0" });
    reduced(names, &GAUSSIAN[usize::from(full)], &[x, target, var], &[Scalar::Float(eps)], reduction)
}

static IS_NEGATIVE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).lt(0.0)));
