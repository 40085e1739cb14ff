//! Losses that are one program of input and target, reduced.

use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::map::divided_sum_map;
use crate::ops::nn::loss::rules::{self, warn_of_broadcast};
use crate::ops::{map, mean_map, sum_map};
use crate::{OrPanic, Tensor, ops, options, warn};
use flambeau_macros::op;
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// What becomes of the losses of single elements: the keyword `reduction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// They stay.
    None,
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Their sum over the length of the first dimension; only [`kl_div`] has it.
    BatchMean,
}

impl FromStr for Reduction {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "none" => Ok(Reduction::None),
            "mean" => Ok(Reduction::Mean),
            "sum" => Ok(Reduction::Sum),
            "batchmean" => Ok(Reduction::BatchMean),
            _ => Err(invalid(name)),
        }
    }
}

impl fmt::Display for Reduction {
    /// PyTorch's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reduction::None => "none",
            Reduction::Mean => "mean",
            Reduction::Sum => "sum",
            Reduction::BatchMean => "batchmean",
        })
    }
}

impl From<&str> for Reduction {
    /// By PyTorch's name; an unknown one panics at the caller's line.
    #[track_caller]
    fn from(name: &str) -> Self {
        name.parse().or_panic()
    }
}

fn invalid(name: &str) -> Error {
    Error::value(format!("{name} is not a valid value for reduction"))
}

impl Reduction {
    /// Refuses what only [`kl_div`] has.
    pub(crate) fn check(self) -> Result<()> {
        if self == Reduction::BatchMean { Err(invalid("batchmean")) } else { Ok(()) }
    }
}

/// Runs a loss's program and reduces it, in one kernel (and a division for means). `names` are PyTorch's for the reductions
/// none, mean and sum.
pub(crate) fn reduced(
    names: [&'static str; 3],
    program: &'static Pointwise,
    inputs: &[&Tensor],
    scalars: &[Scalar],
    reduction: Reduction,
) -> Result<Tensor> {
    let [none, mean, sum] = names;
    if reduction == Reduction::Mean && !inputs[0].is_floating_point() {
        rules::check_mean(rules::result_dtype(program, inputs, scalars), None)?;
    }
    match reduction {
        Reduction::None => map(none, program, inputs, scalars),
        Reduction::Mean => mean_map(mean, Some(program), inputs, scalars, &[], false, None),
        Reduction::Sum => sum_map(sum, Some(program), inputs, scalars, &[], false, None),
        // Without a batch there is nothing to divide by.
        Reduction::BatchMean if inputs[0].dim() == 0 => sum_map(sum, Some(program), inputs, scalars, &[], false, None),
        Reduction::BatchMean => {
            let n = inputs[0].size()[0];
            divided_sum_map("DivBackward0", Some(program), inputs, scalars, &[], false, None, Some(n))
        }
    }
}

/// The names of a loss that PyTorch composes of `last`, and a mean or sum.
pub(crate) const fn composed(last: &'static str) -> [&'static str; 3] {
    [last, "MeanBackward0", "SumBackward0"]
}

/// The gradients of input and target: each that of its difference from the other.
fn both_ways<'b>(x: &[Expr<'b>], of: impl Fn(Expr<'b>) -> Expr<'b>) -> Vec<Expr<'b>> {
    vec![of(x[0] - x[1]), of(x[1] - x[0])]
}

/// (x − t)²
static MSE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let d = b.input(0) - b.input(1);
        d * d
    })
    .with_arguments(&["self", "target"])
    .with_gradient(|_, g, x, _| both_ways(x, |d| d * 2.0 * g))
});

options! {
    /// Options of `F::mse_loss` and `nn::MSELoss`.
    #[derive(Clone)]
    MSELossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The mean (or what `reduction` says) of (x − t)², in the dtype that the two promote to: `F.mse_loss`. Option: `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target) = (torch::tensor([1.0, 4.0]), torch::tensor([2.0, 1.0]));
/// assert_eq!(F::mse_loss(&x, &target).item(), 5.0);
/// assert_eq!(F::mse_loss_with(&x, &target, |o| o.reduction("sum")).item(), 10.0);
/// ```
///
/// # Errors
/// When the sizes do not broadcast or both are integers.
#[op(functional, cast = Float32)]
#[track_caller]
pub fn mse_loss(x: &Tensor, target: &Tensor, options: &MSELossOptions) -> Result<Tensor> {
    let reduction = options.reduction;
    reduction.check()?;
    warn_of_broadcast(x, target);
    rules::floats("mse_cpu", &[x, target])?;
    reduced(["MseLossBackward0"; 3], &MSE, &[x, target], &[], reduction)
}

/// |x − t|
static L1: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0) - b.input(1)).abs()).with_arguments(&["self", "target"]));

options! {
    /// Options of `F::l1_loss` and `nn::L1Loss`.
    #[derive(Clone)]
    L1LossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The mean (or what `reduction` says) of |x − t|, in the dtype that the two promote to: `F.l1_loss`. Option: `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target) = (torch::tensor([1.0, 4.0]), torch::tensor([2.0, 1.0]));
/// assert_eq!(F::l1_loss(&x, &target).item(), 2.0);
/// assert_eq!(F::l1_loss_with(&x, &target, |o| o.reduction("none")).to_vec::<f32>(), [1.0, 3.0]);
/// ```
///
/// # Errors
/// When the sizes do not broadcast, one is of bools, or the mean is one of integers.
#[op(functional, cast = Float32)]
#[track_caller]
pub fn l1_loss(x: &Tensor, target: &Tensor, options: &L1LossOptions) -> Result<Tensor> {
    l1(x, target, options.reduction)
}

#[track_caller]
fn l1(x: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    reduction.check()?;
    warn_of_broadcast(x, target);
    rules::difference(x.dtype(), target.dtype())?;
    reduced(composed("AbsBackward0"), &L1, &[x, target], &[], reduction)
}

/// d²/2β where |d| < β, else |d| − β/2, with d = x − t
static SMOOTH_L1: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (d, beta) = ((b.input(0) - b.input(1)).abs(), b.scalar(0));
        d.lt(beta).select(d * d * 0.5 / beta, d - beta * 0.5)
    })
    .with_arguments(&["self", "target"])
    .with_gradient(|b, g, x, _| {
        let beta = b.scalar(0);
        both_ways(x, |d| d.le(-beta).select(-g, d.ge(beta).select(g, d * g / beta)))
    })
});

options! {
    /// Options of `F::smooth_l1_loss` and `nn::SmoothL1Loss`.
    #[derive(Clone)]
    SmoothL1LossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// Where the square ends (1).
        beta: f64 = 1.0,
    }
}

/// d²/2β where |d| < β, else |d| − β/2, with d = x − t (arXiv 1504.08083), in the dtype that the two promote to:
/// `F.smooth_l1_loss`. Options: `beta`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target) = (torch::tensor([1.0, 4.0]), torch::tensor([2.0, 1.0]));
/// let losses = F::smooth_l1_loss_with(&x, &target, |o| o.beta(2.0).reduction("none"));
/// assert_eq!(losses.to_vec::<f32>(), [0.25, 2.0]);
/// ```
///
/// # Errors
/// When the sizes do not broadcast, both are integers, or β is negative.
#[op(functional, cast = Float32)]
#[track_caller]
pub fn smooth_l1_loss(x: &Tensor, target: &Tensor, options: &SmoothL1LossOptions) -> Result<Tensor> {
    let (beta, reduction) = (options.beta, options.reduction);
    reduction.check()?;
    rules::broadcast(x, target)?;
    if beta < 0.0 {
        return Err(Error::runtime("smooth_l1_loss does not support negative values for beta."));
    }
    if beta == 0.0 {
        return l1(x, target, reduction);
    }
    warn_of_broadcast(x, target);
    rules::floats("smooth_l1_cpu", &[x, target])?;
    reduced(["SmoothL1LossBackward0"; 3], &SMOOTH_L1, &[x, target], &[Scalar::Float(beta)], reduction)
}

/// d²/2 where |d| ≤ δ, else δ · (|d| − δ/2), with d = x − t
static HUBER: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (d, delta) = ((b.input(0) - b.input(1)).abs(), b.scalar(0));
        d.le(delta).select(d * d * 0.5, (d - delta * 0.5) * delta)
    })
    .with_arguments(&["self", "target"])
    .with_gradient(|b, g, x, _| {
        let delta = b.scalar(0);
        both_ways(x, |d| d.le(-delta).select(-(g * delta), d.ge(delta).select(g * delta, d * g)))
    })
});

options! {
    /// Options of `F::huber_loss` and `nn::HuberLoss`.
    #[derive(Clone)]
    HuberLossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// Where the square ends (1).
        delta: f64 = 1.0,
    }
}

/// d²/2 where |d| ≤ δ, else δ · (|d| − δ/2), with d = x − t, in the dtype of x: `F.huber_loss`. Of two dtypes there is no
/// gradient. Options: `delta`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target) = (torch::tensor([1.0, 4.0]), torch::tensor([2.0, 1.0]));
/// let losses = F::huber_loss_with(&x, &target, |o| o.delta(2.0).reduction("none"));
/// assert_eq!(losses.to_vec::<f32>(), [0.5, 4.0]);
/// ```
///
/// # Errors
/// When the sizes do not broadcast, x cannot hold the loss, or δ is not positive.
#[op(functional, cast = Float32)]
#[track_caller]
pub fn huber_loss(x: &Tensor, target: &Tensor, options: &HuberLossOptions) -> Result<Tensor> {
    let (delta, reduction) = (options.delta, options.reduction);
    reduction.check()?;
    rules::broadcast(x, target)?;
    if delta <= 0.0 {
        return Err(Error::runtime("huber_loss does not support non-positive values for delta."));
    }
    warn_of_broadcast(x, target);
    let (names, scalars) = (["HuberLossBackward0"; 3], [Scalar::Float(delta)]);
    let (dtype, other) = (x.dtype(), target.dtype());
    if dtype == other {
        rules::floats("huber_cpu", &[x])?;
        return reduced(names, &HUBER, &[x, target], &scalars, reduction);
    }
    rules::written(rules::common_dtype(&[x, target]), dtype)?;
    rules::floats("huber_cpu", &[x, target])?;
    let each = map(names[0], &HUBER, &[&x.detach(), &target.detach()], &scalars)?;
    let each = ops::to_dtype(&each, dtype)?;
    let out = match reduction {
        Reduction::None => each,
        Reduction::Mean => ops::mean(&each, &[], false, None)?,
        _ => ops::sum(&each, &[], false, None)?,
    };
    let words = format!("Found dtype {} but expected {}", other.scalar_type_name(), dtype.scalar_type_name());
    Ok(record(names[0], &[x, target], &[], out.array().clone(), move |_| Err(Error::runtime(words.clone()))))
}

/// t · ln t − t · x, zero where t is; the gradient of t · ln t is the sum of those of its factors, NaN where t is zero.
static KL_DIV: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, t) = (b.input(0), b.input(1));
        t.eq(0.0).select(0.0, t * t.log()) - t * x
    })
    .with_arguments(&["self", "target"])
    .with_gradient(|_, g, v, _| {
        let (x, t) = (v[0], v[1]);
        let of_factor = t.eq(0.0).select(0.0, g * t.log());
        vec![-g * t, of_factor + through_itself(g, t) + -g * x]
    })
});

/// g · t / t, whose product PyTorch rounds. It is NaN where t is 0 or infinite, which is said in full: an NVIDIA driver takes the
/// quotient for g.
pub(super) fn through_itself<'b>(g: Expr<'b>, t: Expr<'b>) -> Expr<'b> {
    let quotient = t.abs().eq(f64::INFINITY).select(f64::NAN, (g * t).rounded() / t);
    t.eq(0.0).select(f64::NAN, quotient)
}

/// eᵗ · (t − x)
static KL_DIV_LOG: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(1).exp() * (b.input(1) - b.input(0))).with_arguments(&["self", "target"]).with_gradient(
        |_, g, v, _| {
            let (d, e) = (v[1] - v[0], v[1].exp());
            vec![-(g * e), g * d * e + g * e]
        },
    )
});

options! {
    /// Options of `F::kl_div` and `nn::KLDivLoss`.
    #[derive(Clone)]
    KLDivLossOptions {
        /// As of the other losses, and `"batchmean"`, the sum over the batch size (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// Whether the targets are log-probabilities too (false).
        log_target: bool = false,
    }
}

/// The Kullback–Leibler divergence t · (ln t − x) of log-probabilities `x` from the probabilities `target`, which are
/// log-probabilities too where `log_target`: `F.kl_div`. Options: `log_target`, `reduction`, here also `"batchmean"`.
///
/// ```
/// use torch::nn::functional as F;
/// let (p, q) = (torch::tensor([[0.5, 0.5]]), torch::tensor([[0.25, 0.75]]));
/// let divergence = F::kl_div_with(&p.log(), &q, |o| o.reduction("batchmean")).item();
/// assert!((divergence - 0.1308).abs() < 1e-4);
/// ```
///
/// # Errors
/// When the sizes do not broadcast or one is of integers.
#[op(torch, functional, cast = Float32)]
#[track_caller]
pub fn kl_div(x: &Tensor, target: &Tensor, options: &KLDivLossOptions) -> Result<Tensor> {
    let (log_target, reduction) = (options.log_target, options.reduction);
    if reduction == Reduction::Mean {
        warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by the \
             batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as 'batchmean' in \
             the next major release.",
        );
    }
    if !x.is_floating_point() || !target.is_floating_point() {
        return Err(Error::runtime("kl_div: Integral inputs not supported."));
    }
    match log_target {
        true => reduced(composed("MulBackward0"), &KL_DIV_LOG, &[x, target], &[], reduction),
        false => reduced(composed("SubBackward0"), &KL_DIV, &[x, target], &[], reduction),
    }
}

/// ln(1 + e^(−t·x))
static SOFT_MARGIN: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| (-b.input(1) * b.input(0)).exp().log1p()).with_arguments(&["self", "target"]).with_gradient(
        |_, g, x, _| {
            // Not a sigmoid: where e^(−t·x) overflows the gradient is ∞/∞, NaN, as PyTorch's.
            let z = (-x[1] * x[0]).exp();
            let slope = z * g / (z + 1.0);
            vec![-x[1] * slope, -x[0] * slope]
        },
    )
});

options! {
    /// Options of `F::soft_margin_loss` and `nn::SoftMarginLoss`.
    #[derive(Clone)]
    SoftMarginLossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// ln(1 + e^(−t·x)) with targets of 1 and −1, in the dtype of x: `F.soft_margin_loss`. Option: `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let loss = F::soft_margin_loss(&torch::tensor([0.0, 0.0]), &torch::tensor([1.0, -1.0]));
/// assert!(loss.allclose(&torch::tensor(0.6931472)));
/// ```
///
/// # Errors
/// When the sizes do not broadcast, x cannot hold the loss, or the target requires a gradient.
#[op(functional, cast = Float32)]
pub fn soft_margin_loss(x: &Tensor, target: &Tensor, options: &SoftMarginLossOptions) -> Result<Tensor> {
    let reduction = options.reduction;
    reduction.check()?;
    rules::without_gradient("soft_margin_loss", "target", Some(target))?;
    if x.size() != target.size() {
        rules::in_place(&x.size(), target)?;
    }
    rules::negative(x)?;
    let dtype = x.dtype();
    rules::written(rules::common_dtype(&[x, target]), dtype)?;
    rules::written(flambeau_tensor::default_dtype(), dtype)?;
    let target = &if target.dtype() == dtype { target.shallow_clone() } else { ops::to_dtype(target, dtype)? };
    reduced(["SoftMarginLossBackward0"; 3], &SOFT_MARGIN, &[x, target], &[], reduction)
}

/// Whether a program is true of any element.
pub(in crate::ops) fn any_element(program: &'static Pointwise, x: &Tensor) -> Result<bool> {
    use flambeau_tensor::backend::ReduceOp;
    use flambeau_tensor::ops::{ReduceArgs, reduce};
    let args = ReduceArgs { op: ReduceOp::Any, map: Some(program), dims: &[], keepdim: false, dtype: None };
    Ok(reduce(args, &[&x.array()], &[])?.item()?.to_bool())
}
