//! Binary cross-entropy.

use crate::error::{Error, Result};
use crate::mode::among_options;
use crate::ops::Reduction;
use crate::ops::nn::loss::elementwise::{any_element, reduced};
use crate::ops::nn::loss::rules;
use crate::{Tensor, ops, options};
use flambeau_macros::op;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::ops::refuse_where;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{DType, Finding};
use std::sync::LazyLock;

/// Logarithms are kept above this, so that the loss stays finite.
const MIN_LOG: f64 = -100.0;
/// The gradient's denominator is kept above this, which PyTorch's kernel holds in float32 for every dtype.
const EPS: f64 = 1e-12f32 as f64;

fn at_least(x: Expr<'_>, bound: f64) -> Expr<'_> {
    x.lt(bound).select(bound, x)
}

/// (t − 1) · max(ln(1 − x), −100) − t · max(ln x, −100), times a weight if there is one
static BCE: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [false, true].map(|weighted| {
        Pointwise::new(move |b| {
            let (x, t) = (b.input(0), b.input(1));
            let loss = (t - 1.0) * at_least((-x).log1p(), MIN_LOG) - t * at_least(x.log(), MIN_LOG);
            if weighted { loss * b.input(2) } else { loss }
        })
        .with_arguments(&["self", "target", "weight"])
        .with_gradient(move |b, g, v, _| {
            let (x, t) = (v[0], v[1]);
            let weigh = |e| if weighted { e * v[2] } else { e };
            let dx = g * (x - t) / at_least((1.0 - x) * x, EPS);
            let dt = -(x.log() - (-x).log1p()) * g;
            // A weight has no gradient.
            [weigh(dx), weigh(dt)].into_iter().chain(weighted.then(|| b.constant(0.0))).collect()
        })
    })
});

/// Whether x lies outside [0, 1], or is NaN.
pub(crate) static NO_PROBABILITY: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).ge(0.0).and(b.input(0).le(1.0)).logical_not()));

options! {
    /// Options of `F::binary_cross_entropy` and `nn::BCELoss`.
    #[derive(Clone)]
    BCELossOptions {
        /// A weight for each element, broadcast (1).
        weight: Option<Tensor> = None,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// −w · (t · ln x + (1 − t) · ln(1 − x)) of probabilities, logarithms kept above −100: `F.binary_cross_entropy`. Options:
/// `weight`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target) = (torch::tensor([0.5, 1.0]), torch::tensor([1.0, 1.0]));
/// let losses = F::binary_cross_entropy_with(&x, &target, |o| o.reduction("none"));
/// assert!(losses.allclose(&torch::tensor([0.6931472, 0.0])));
/// ```
///
/// # Errors
/// When sizes or dtypes differ, the weight requires a gradient, or an element of `x` or of the target is no probability (that of
/// the target is checked on the CPU only); a device may tell it at its next readback.
#[op(functional, cast_cpu = Float32, cast_gpu = Banned)]
pub fn binary_cross_entropy(x: &Tensor, target: &Tensor, options: &BCELossOptions) -> Result<Tensor> {
    let weight = among_options(options.weight.as_ref())?;
    let (weight, reduction) = (weight.as_deref(), options.reduction);
    reduction.check()?;
    let (size, target_size) = (x.size(), target.size());
    if size != *target_size {
        return Err(Error::value(format!(
            "Using a target size ({target_size}) that is different to the input size ({size}) is deprecated. Please ensure \
             they have the same size."
        )));
    }
    if let Some(w) = weight {
        check_weight(w, &size)?;
    }
    rules::without_gradient("binary_cross_entropy", "weight", weight)?;
    check_dtype(x.dtype(), target.dtype())?;
    rules::floats("binary_cross_entropy", &[x])?;
    refuse_where(&NO_PROBABILITY, &x.array(), &[], Finding::NoProbability)?;
    if target.device().is_cpu() && any_element(&NO_PROBABILITY, target)? {
        return Err(Error::runtime("all elements of target should be between 0 and 1"));
    }
    let names = ["BinaryCrossEntropyBackward0"; 3];
    match weight {
        None => reduced(names, &BCE[0], &[x, target], &[], reduction),
        // The loss is multiplied in place: it keeps its dtype.
        Some(w) => {
            rules::in_place(&size, w)?;
            reduced(names, &BCE[1], &[x, target, &ops::to_dtype(w, x.dtype())?], &[], reduction)
        }
    }
}

fn check_weight(weight: &Tensor, size: &crate::Size) -> Result<()> {
    if broadcast_shapes(&weight.size(), size).is_ok() {
        return Ok(());
    }
    let w = weight.size();
    let axis =
        (1..=w.len()).find(|&d| d > size.len() || (w[w.len() - d] != 1 && w[w.len() - d] != size[size.len() - d]));
    let d = axis.unwrap_or(1);
    Err(Error::runtime(format!(
        "Attempting to broadcast a dimension of length {} at -{d}! Mismatching argument at index 1 had {w}; but expected \
         shape should be broadcastable to {:?}",
        w[w.len() - d],
        &**size
    )))
}

fn check_dtype(expected: DType, found: DType) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    let (found, expected) = (found.scalar_type_name(), expected.scalar_type_name());
    Err(Error::runtime(format!("Found dtype {found} but expected {expected}")))
}

/// ln(1 + e⁻ˣ), which does not overflow
pub(super) fn softplus_of_negative(x: Expr<'_>) -> Expr<'_> {
    (-x.abs()).exp().log1p() - x.minimum(0.0)
}

/// (1 − t) · x + (1 + (p − 1) · t) · ln(1 + e⁻ˣ); inputs x, t, then the positives' weight p and the weight where there are.
static WITH_LOGITS: LazyLock<[Pointwise; 4]> = LazyLock::new(|| {
    [(false, false), (false, true), (true, false), (true, true)].map(|(positive, weighted)| {
        let weight_at = 2 + usize::from(positive);
        Pointwise::new(move |b| {
            let loss = logits_loss(b.input(0), b.input(1), positive.then(|| b.input(2)));
            if weighted { loss * b.input(weight_at) } else { loss }
        })
        .with_arguments(if positive {
            &["self", "target", "pos_weight", "weight"]
        } else {
            &["self", "target", "weight"]
        })
        .with_gradient(move |b, g, v, _| {
            let (x, t) = (v[0], v[1]);
            let weigh = |e| if weighted { e * v[weight_at] } else { e };
            let grads = match positive {
                false => vec![weigh((x.sigmoid() - t) * g), weigh(-x * g)],
                true => {
                    let p = v[2];
                    let dx = (p * t + 1.0 - t) * x.sigmoid() - p * t;
                    let dt = p * softplus_of_negative(x) - softplus_of_negative(-x);
                    vec![weigh(dx * g), weigh(dt * g)]
                }
            };
            // The weights have no gradient.
            let weights = usize::from(positive) + usize::from(weighted);
            grads.into_iter().chain(std::iter::repeat_n(b.constant(0.0), weights)).collect()
        })
    })
});

fn logits_loss<'b>(x: Expr<'b>, t: Expr<'b>, p: Option<Expr<'b>>) -> Expr<'b> {
    let linear = (1.0 - t) * x;
    match p {
        None => linear + softplus_of_negative(x),
        Some(p) => linear + ((p - 1.0) * t + 1.0) * softplus_of_negative(x),
    }
}

options! {
    /// Options of `F::binary_cross_entropy_with_logits` and `nn::BCEWithLogitsLoss`.
    #[derive(Clone)]
    BCEWithLogitsLossOptions {
        /// A weight for each element, broadcast (1).
        weight: Option<Tensor> = None,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// A weight for positive examples, broadcast (1).
        pos_weight: Option<Tensor> = None,
    }
}

/// [`binary_cross_entropy`] of σ(x), which does not overflow; positive examples count `pos_weight` times:
/// `F.binary_cross_entropy_with_logits`. Options: `weight`, `reduction`, `pos_weight`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target) = (torch::tensor([0.0, 1000.0]), torch::tensor([1.0, 0.0]));
/// let losses = F::binary_cross_entropy_with_logits_with(&x, &target, |o| o.reduction("none"));
/// assert!(losses.allclose(&torch::tensor([0.6931472, 1000.0])));
/// ```
///
/// # Errors
/// When sizes or dtypes do not fit, or a weight requires a gradient.
#[op(torch, functional, cast = Float32)]
pub fn binary_cross_entropy_with_logits(
    x: &Tensor,
    target: &Tensor,
    options: &BCEWithLogitsLossOptions,
) -> Result<Tensor> {
    let (weight, pos_weight) = (among_options(options.weight.as_ref())?, among_options(options.pos_weight.as_ref())?);
    let (weight, pos_weight, reduction) = (weight.as_deref(), pos_weight.as_deref(), options.reduction);
    reduction.check()?;
    let (size, target_size) = (x.size(), target.size());
    if size != *target_size {
        return Err(Error::value(format!("Target size ({target_size}) must be the same as input size ({size})")));
    }
    let name = "binary_cross_entropy_with_logits";
    rules::without_gradient(name, "weight", weight)?;
    rules::without_gradient(name, "pos_weight", pos_weight)?;
    rules::floats("log_sigmoid_cpu", &[x])?;
    if let Some(p) = pos_weight.filter(|p| p.dtype() == DType::Bool) {
        rules::difference(p.dtype(), x.dtype())?;
    }
    // (1 − t) is what the rest is multiplied by and added to in place: the loss has its dtype.
    let dtype = target.dtype();
    if dtype == DType::Bool {
        rules::difference(dtype, dtype)?;
    }
    rules::written(x.dtype(), dtype)?;
    let (of_x, of_weight, of_positive);
    let (mut x, mut weight, mut pos_weight) = (x, weight, pos_weight);
    if x.dtype() != dtype {
        of_x = ops::to_dtype(x, dtype)?;
        x = &of_x;
    }
    if let Some(w) = weight.filter(|w| w.dtype() != dtype) {
        of_weight = ops::to_dtype(w, dtype)?;
        weight = Some(&of_weight);
    }
    if let Some(p) = pos_weight.filter(|p| p.dtype() != dtype) {
        of_positive = ops::to_dtype(p, dtype)?;
        pos_weight = Some(&of_positive);
    }
    if let Some(p) = pos_weight {
        rules::broadcast(p, target)?;
    }
    for factor in [pos_weight, weight].into_iter().flatten() {
        rules::in_place(&size, factor)?;
    }
    let program = &WITH_LOGITS[usize::from(pos_weight.is_some()) * 2 + usize::from(weight.is_some())];
    let inputs: Vec<&Tensor> = [Some(x), Some(target), pos_weight, weight].into_iter().flatten().collect();
    reduced(["BinaryCrossEntropyWithLogitsBackward0"; 3], program, &inputs, &[], reduction)
}
