//! The negative log-likelihood of classes, and cross-entropy.

use crate::error::{Error, Result};
use crate::graph::{Context, Save, record};
use crate::mode::{Held, among_options};
use crate::ops::nn::activation::softmax::softmax_gradient;
use crate::ops::nn::loss::rules;
use crate::ops::reduce::extrema::put_along;
use crate::ops::{Reduction, log_softmax, map, reshape, sum_map, to_i64};
use crate::{Tensor, ops, options};
use flambeau_macros::op;
use flambeau_tensor::backend::{ClassTargets, LossReduction};
use flambeau_tensor::ops::{ClassWeights, nll as nll_of, nll_backward};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Dims, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

options! {
    /// Options of `F::cross_entropy` and `nn::CrossEntropyLoss`.
    #[derive(Clone, Debug)]
    CrossEntropyLossOptions {
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// The target that counts for nothing (−100).
        ignore_index: i64 = -100,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// The part of a target's probability that all classes share, in [0, 1] (arXiv 1512.00567) (0).
        label_smoothing: f64 = 0.0,
    }
}

options! {
    /// Options of `F::nll_loss` and `nn::NLLLoss`.
    #[derive(Clone, Debug)]
    NLLLossOptions {
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// The target that counts for nothing (−100).
        ignore_index: i64 = -100,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The targets of a loss and what it makes of them.
struct Targets {
    /// The class of each line, `[n, 1, …]`.
    classes: Array,
    /// A weight for each class.
    weight: Option<Array>,
    ignore_index: i64,
    reduction: LossReduction,
    dim: usize,
    /// Of the log-probabilities.
    shape: Dims,
    /// Of the targets.
    target_shape: Dims,
}

impl Targets {
    fn new(
        x: &Tensor,
        target: &Tensor,
        weight: Option<&Tensor>,
        ignore_index: i64,
        reduction: Reduction,
    ) -> Result<Self> {
        reduction.check()?;
        check_shapes(x, target)?;
        rules::without_gradient("nll_loss_forward", "weight", weight)?;
        if !matches!(target.dtype(), DType::I64 | DType::U8) {
            return Err(Error::runtime(format!(
                "expected target dtype to be Long or Byte, but got {}",
                target.dtype().scalar_type_name()
            )));
        }
        let (shape, target_shape): (Dims, Dims) = (x.array().shape().into(), target.array().shape().into());
        let dim = usize::from(shape.len() > 1);
        let classes = shape[dim];
        if let Some(w) = weight {
            match shape.len() {
                1 | 2 => check_weight("", w, classes)?,
                _ => check_spatial_weight(w, classes)?,
            }
        }
        let kernel = if shape.len() < 3 { "nll_loss_out_frame" } else { "nll_loss2d_forward_out_frame" };
        rules::floats(kernel, &[x])?;
        if let Some(w) = weight {
            rules::same_scalar_type(x, w)?;
        }
        let target = target.array().to_dtype(DType::I64)?;
        let classes = if dim == 0 { target.reshape(&[1])? } else { target.unsqueeze(1)? };
        let weight = weight.map(|w| w.array().clone());
        let reduction = match reduction {
            Reduction::None => LossReduction::None,
            Reduction::Mean => LossReduction::Mean,
            _ => LossReduction::Sum,
        };
        Ok(Targets { classes, weight, ignore_index, reduction, dim, shape, target_shape })
    }

    fn borrowed(&self) -> ClassTargets<'_> {
        let Targets { classes, weight, ignore_index, reduction, .. } = self;
        ClassTargets { classes, weight: weight.as_ref(), ignore_index: *ignore_index, reduction: *reduction }
    }

    fn weights(&self, dtype: DType) -> Result<ClassWeights> {
        Ok(ClassWeights::new(&self.borrowed(), self.shape[self.dim], dtype)?)
    }

    /// The loss of log-probabilities, and what a mean was divided by if it is not the number of lines.
    fn loss(&self, log_probabilities: &Array) -> Result<(Array, Option<Array>)> {
        let (loss, total) = nll_of(log_probabilities, self.dim, &self.borrowed())?;
        match self.reduction {
            LossReduction::None => Ok((loss.view(&to_i64(&self.target_shape))?, total)),
            _ => Ok((loss, total)),
        }
    }

    /// The loss's gradient, in a shape that broadcasts to the classes'.
    fn per_line(&self, grad: &Tensor) -> Result<Tensor> {
        match self.reduction {
            LossReduction::None => reshape(grad, &to_i64(self.classes.shape())),
            _ => Ok(grad.shallow_clone()),
        }
    }

    /// The gradient of [`Targets::loss`] in one primitive; for the logits where log-probabilities are given.
    fn gradient(&self, grad: &Tensor, log_probabilities: Option<&Array>, total: Option<&Array>) -> Result<Tensor> {
        let grad = self.per_line(grad)?;
        Ok(nll_backward(&grad.array(), &self.shape, log_probabilities, self.dim, &self.borrowed(), total)?.into())
    }

    /// The gradient of [`Targets::loss`] as a function of `grad` that has a gradient: seeds at the classes, zeros elsewhere.
    fn differentiable_gradient(&self, grad: &Tensor, total: Option<&Array>) -> Result<Tensor> {
        let weights = self.weights(grad.dtype())?;
        let (program, rest, scalars) = weights.seeds(self.reduction, total);
        let inputs: Vec<Tensor> =
            std::iter::once(self.per_line(grad)?).chain(rest.into_iter().map(Tensor::from)).collect();
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        let seeds = map("NllLossBackwardBackward0", program, &inputs, &scalars)?;
        let index = Tensor::from(weights.index);
        put_along(&ops::expand(&seeds, &to_i64(&index.size()))?, &index, self.dim, &self.shape)
    }

    /// PyTorch's name of the loss's backward.
    fn name(&self) -> &'static str {
        match self.shape.len() {
            1 | 2 => "NllLossBackward0",
            4 => "NllLoss2DBackward0",
            _ if self.reduction == LossReduction::None => "ViewBackward0",
            _ => "NllLoss2DBackward0",
        }
    }
}

fn check_weight(op: &str, weight: &Tensor, classes: usize) -> Result<()> {
    if weight.dim() == 1 && weight.numel() == classes {
        return Ok(());
    }
    Err(Error::runtime(format!(
        "{op}weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of shape: \
         {:?}",
        &*weight.size()
    )))
}

/// As [`check_weight`], in the words of targets with more than a batch dimension.
fn check_spatial_weight(weight: &Tensor, classes: usize) -> Result<()> {
    match weight.numel() == classes {
        true => Ok(()),
        false => Err(Error::runtime("weight tensor should be defined either for all or no classes")),
    }
}

fn check_shapes(x: &Tensor, target: &Tensor) -> Result<()> {
    let (xa, ta) = (x.array(), target.array());
    let (size, target_size) = (xa.shape(), ta.shape());
    let multi = || Error::runtime("0D or 1D target tensor expected, multi-target not supported");
    match (size, target_size) {
        ([], _) => Err(Error::value("Expected 1 or more dimensions (got 0)")),
        ([_], [_, _, ..]) => Err(multi()),
        ([_], [n]) if *n != 1 => {
            Err(Error::value(format!("For 1D input, 1D target must have size 1, but got target size: {n}")))
        }
        ([_], _) => Ok(()),
        // PyTorch takes the length of a dimension that there is not.
        ([n, ..], []) => Err(Error::value(format!("Expected input batch_size ({n}) to match target batch_size (0)."))),
        ([n, ..], [m, ..]) if n != m => {
            Err(Error::value(format!("Expected input batch_size ({n}) to match target batch_size ({m}).")))
        }
        ([_, _], [_]) => Ok(()),
        ([_, _], _) => Err(multi()),
        ([_, _, _, _], t) if t.len() != 3 => Err(Error::runtime(format!(
            "only batches of spatial targets supported (3D tensors) but got targets of dimension: {}",
            t.len()
        ))),
        // Without classes there is nothing to say how long the spatial dimensions are.
        ([n, 0, spatial @ ..], [_, rest @ ..]) if spatial.len() != 2 && spatial == rest && target.numel() > 0 => {
            Err(Error::runtime(format!(
                "size mismatch (got input: [{n}, 0, 0, 0] , target: [{n}, 1, {}]",
                rest.iter().product::<usize>()
            )))
        }
        ([_, _, spatial @ ..], [_, rest @ ..]) if spatial == rest => Ok(()),
        ([_, _, _, _], _) => {
            Err(Error::runtime(format!("size mismatch (got input: {size:?} , target: {target_size:?}")))
        }
        ([n, _, spatial @ ..], _) => {
            let expected: Vec<usize> = std::iter::once(n).chain(spatial).copied().collect();
            Err(Error::runtime(format!("Expected target size {expected:?}, got {target_size:?}")))
        }
    }
}

/// −x at the target's class, weighted by class, of log-probabilities `[n, C, …]` (or `[C]`) and int64 targets `[n, …]`:
/// `F.nll_loss`. A mean divides by the weights of the targets. Options: `weight`, `ignore_index`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[-1.0, -2.0], [-3.0, -4.0]]);
/// let target = torch::tensor([0, 1]);
/// assert_eq!(F::nll_loss(&x, &target).item(), 2.5);
/// assert_eq!(F::nll_loss_with(&x, &target, |o| o.reduction("none")).to_vec::<f32>(), [1.0, 4.0]);
/// ```
///
/// # Errors
/// When shapes or dtypes do not fit, or a target is no class.
#[op(functional, cast = Float32)]
pub fn nll_loss(x: &Tensor, target: &Tensor, options: &NLLLossOptions) -> Result<Tensor> {
    let weight = among_options(options.weight.as_ref())?;
    let weight = weight.as_deref();
    let targets = Targets::new(x, target, weight, options.ignore_index, options.reduction)?;
    nll(x, target, weight, targets)
}

/// What backward must find as it was, and the sum of the weights that a mean was divided by.
fn saves<'a>(x: &'a Tensor, target: &'a Tensor, weight: Option<&'a Tensor>, total: Option<Array>) -> [Save<'a>; 4] {
    [
        Save::Tensor("self", x),
        Save::Tensor("target", target),
        weight.map_or(Save::Nothing("weight"), |weight| Save::Tensor("weight", weight)),
        total.map_or(Save::Nothing("total_weight"), |total| Save::Array("total_weight", total)),
    ]
}

/// The array that [`saves`] keeps last.
fn total_of(c: &Context<'_>, has_total: bool) -> Result<Option<Array>> {
    has_total.then(|| Ok(c.saved(3)?.array().clone())).transpose()
}

fn nll(x: &Tensor, target: &Tensor, weight: Option<&Tensor>, targets: Targets) -> Result<Tensor> {
    let (out, total) = targets.loss(&x.array())?;
    let has_total = total.is_some();
    Ok(record(targets.name(), &[x], &saves(x, target, weight, total), out, move |c| {
        c.unchanged(0)?;
        let (grad, total) = (c.grad(0)?, total_of(c, has_total)?);
        let total = total.as_ref();
        Ok(smallvec![Some(match crate::is_grad_enabled() {
            true => targets.differentiable_gradient(&grad, total)?,
            false => targets.gradient(&grad, None, total)?,
        })])
    }))
}

/// Refuses a smoothing above 1. A negative one is none, as in PyTorch.
fn check_smoothing(smoothing: f64) -> Result<()> {
    match smoothing > 1.0 {
        true => Err(Error::runtime(format!("label_smoothing must be between 0.0 and 1.0. Got: {smoothing}"))),
        false => Ok(()),
    }
}

/// −ln softmax(x) at the target's class, of logits `[n, C, …]` (or `[C]`) and targets: int64 classes `[n, …]`, or probabilities
/// in the logits' shape: `F.cross_entropy`. A mean divides by the weights of the targets. Options: `weight`, `ignore_index`,
/// `reduction`, `label_smoothing`.
///
/// ```
/// use torch::nn::functional as F;
/// let logits = torch::tensor([[0.0, 0.0], [0.0, f32::NEG_INFINITY]]);
/// let target = torch::tensor([1, 0]);
/// let losses = F::cross_entropy_with(&logits, &target, |o| o.reduction("none"));
/// assert!(losses.allclose(&torch::tensor([0.6931472, 0.0])));
/// ```
///
/// # Errors
/// When shapes, dtypes or options do not fit, or a target is no class.
#[op(functional, cast = Float32)]
pub fn cross_entropy(x: &Tensor, target: &Tensor, options: &CrossEntropyLossOptions) -> Result<Tensor> {
    let cast;
    let o = match among_options(options.weight.as_ref())? {
        Some(Held::Owned(weight)) => {
            let CrossEntropyLossOptions { ignore_index, reduction, label_smoothing, .. } = *options;
            cast = CrossEntropyLossOptions { weight: Some(weight), ignore_index, reduction, label_smoothing };
            &cast
        }
        _ => options,
    };
    o.reduction.check()?;
    let dim = i64::from(x.dim() != 1);
    if x.size() == *target.size() {
        return of_probabilities(x, target, o, dim);
    }
    check_smoothing(o.label_smoothing)?;
    check_shapes(x, target)?;
    let log_probabilities = log_softmax(x, dim, None)?;
    let targets = Targets::new(&log_probabilities, target, o.weight.as_ref(), o.ignore_index, o.reduction)?;
    if o.label_smoothing > 0.0 {
        return smoothed(&log_probabilities, target, targets, o, dim);
    }
    let (out, total) = targets.loss(&log_probabilities.array())?;
    let has_total = total.is_some();
    let saves = saves(&log_probabilities, target, o.weight.as_ref(), total);
    Ok(record(targets.name(), &[x], &saves, out, move |c| {
        let log_probabilities = c.saved(0)?;
        c.unchanged(1)?;
        let (grad, total) = (c.grad(0)?, total_of(c, has_total)?);
        let total = total.as_ref();
        Ok(smallvec![Some(match crate::is_grad_enabled() {
            true => {
                let grad = targets.differentiable_gradient(&grad, total)?;
                softmax_gradient(&grad, &log_probabilities, dim, true)?
            }
            false => targets.gradient(&grad, Some(&log_probabilities.array()), total)?,
        })])
    }))
}

static DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.scalar(0)));
static DIVIDE_BY: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.input(1)));
static MASKED: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.mask(1).select(0.0, b.input(0))).with_arguments(&["self", "mask"]));

static WEIGHTED: LazyLock<[Pointwise; 2]> =
    LazyLock::new(|| [Pointwise::new(|b| -b.input(0)), Pointwise::new(|b| -(b.input(0) * b.input(1)))]);
static BLEND: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.scalar(0) + b.input(1) * b.scalar(1)));

/// A weight per class in the shape of its dimension: `[C, 1, …]`.
fn class_weight(weight: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1i64; x.dim().saturating_sub(1).max(1)];
    shape[0] = -1;
    ops::view(weight, &shape)
}

/// (1 − ε) · nll + ε/C · Σ over the classes.
fn smoothed(
    log_probabilities: &Tensor,
    target: &Tensor,
    targets: Targets,
    o: &CrossEntropyLossOptions,
    dim: i64,
) -> Result<Tensor> {
    let classes = log_probabilities.size()[dim as usize] as f64;
    let weights = targets.weights(log_probabilities.dtype())?;
    let ClassWeights { ignored, .. } = &weights;
    let (total, lines) = (weights.total(targets.reduction)?, weights.index.numel());
    let target_shape = to_i64(&targets.target_shape);
    let smooth = match &o.weight {
        None => sum_map("NegBackward0", Some(&WEIGHTED[0]), &[log_probabilities], &[], &[dim], true, None)?,
        Some(w) => {
            let w = class_weight(w, log_probabilities)?;
            sum_map("NegBackward0", Some(&WEIGHTED[1]), &[log_probabilities, &w], &[], &[dim], true, None)?
        }
    };
    let smooth = match ignored {
        None => smooth,
        Some(ignored) => map("MaskedFillBackward0", &MASKED, &[&smooth, &Tensor::from(ignored.clone())], &[])?,
    };
    let smooth = match (o.reduction, total) {
        (Reduction::None, _) => reshape(&smooth, &target_shape)?,
        (Reduction::Mean, Some(total)) => {
            map("DivBackward0", &DIVIDE_BY, &[&ops::sum(&smooth, &[], false, None)?, &Tensor::from(total)], &[])?
        }
        (Reduction::Mean, None) => {
            map("DivBackward0", &DIVIDE, &[&ops::sum(&smooth, &[], false, None)?], &[lines.into()])?
        }
        _ => ops::sum(&smooth, &[], false, None)?,
    };
    let nll = nll(log_probabilities, target, o.weight.as_ref(), targets)?;
    let scalars = [Scalar::Float(1.0 - o.label_smoothing), Scalar::Float(o.label_smoothing / classes)];
    map("AddBackward0", &BLEND, &[&nll, &smooth], &scalars)
}

static NEGATE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| -b.input(0)));
static NEGATE_DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| -b.input(0) / b.scalar(0)));

/// x · (t · s₀ + s₁), times the class's weight if there is one; the loss is the negative of its sum
static OF_PROBABILITIES: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [false, true].map(|weighted| {
        Pointwise::new(move |b| {
            let loss = b.input(0) * (b.input(1) * b.scalar(0) + b.scalar(1));
            if weighted { loss * b.input(2) } else { loss }
        })
    })
});

fn of_probabilities(x: &Tensor, target: &Tensor, o: &CrossEntropyLossOptions, dim: i64) -> Result<Tensor> {
    if !target.is_floating_point() {
        return Err(Error::runtime(format!(
            "Expected floating point type for target with class probabilities, got {}",
            target.dtype().scalar_type_name()
        )));
    }
    if o.ignore_index >= 0 {
        return Err(Error::runtime("ignore_index is not supported for floating point target"));
    }
    if x.dim() == 0 {
        let words = "Dimension specified as 1 but tensor has no dimensions";
        return Err(flambeau_tensor::Error::Index(words.to_owned()).into());
    }
    let classes = x.size()[dim as usize];
    let log_probabilities = log_softmax(x, dim, None)?;
    let weight = match &o.weight {
        None => None,
        Some(w) => {
            check_weight("cross_entropy: ", w, classes)?;
            Some(class_weight(w, x)?)
        }
    };
    check_smoothing(o.label_smoothing)?;
    let smoothing = if o.label_smoothing > 0.0 { o.label_smoothing } else { 0.0 };
    let scalars = [Scalar::Float(1.0 - smoothing), Scalar::Float(smoothing / classes as f64)];
    let program = &OF_PROBABILITIES[usize::from(weight.is_some())];
    let inputs: Vec<&Tensor> =
        [Some(&log_probabilities), Some(target), weight.as_ref()].into_iter().flatten().collect();
    let lines = x.numel() / classes.max(1);
    let dims: &[i64] = if o.reduction == Reduction::None { &[dim] } else { &[] };
    let sum = sum_map("SumBackward1", Some(program), &inputs, &scalars, dims, false, None)?;
    match o.reduction {
        // Of nothing PyTorch fills in a NaN, which it negates last.
        Reduction::Mean if lines == 0 => map("NegBackward0", &NEGATE_DIVIDE, &[&sum], &[lines.into()]),
        Reduction::Mean => map("DivBackward1", &NEGATE_DIVIDE, &[&sum], &[lines.into()]),
        _ => map("NegBackward0", &NEGATE, &[&sum], &[]),
    }
}
