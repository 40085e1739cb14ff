//! The negative log-likelihood of classes, and cross-entropy.

use super::extrema::put_along;
use super::map::divided_sum_map;
use super::softmax::log_softmax_backward;
use super::{Reduction, log_softmax, map, reshape, sum_map, to_i64};
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::{Tensor, ops};
use flambeau_tensor::backend::{ReduceOp, ScatterOp};
use flambeau_tensor::ops::{ReduceArgs, gather, index_select, pointwise, pointwise_into, reduce, scatter};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Dims, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

/// What [`cross_entropy_with`] takes besides its tensors.
#[derive(Clone, Debug)]
pub struct CrossEntropyOptions {
    weight: Option<Tensor>,
    ignore_index: i64,
    reduction: Reduction,
    label_smoothing: f64,
}

impl Default for CrossEntropyOptions {
    fn default() -> Self {
        CrossEntropyOptions { weight: None, ignore_index: -100, reduction: Reduction::Mean, label_smoothing: 0.0 }
    }
}

impl CrossEntropyOptions {
    /// A weight for each class, `[C]`. Default: none.
    #[must_use]
    pub fn weight(mut self, weight: &Tensor) -> Self {
        self.weight = Some(weight.clone());
        self
    }

    /// The target that counts for nothing. Default: −100.
    #[must_use]
    pub fn ignore_index(mut self, index: i64) -> Self {
        self.ignore_index = index;
        self
    }

    /// What becomes of the losses of single elements. Default: their mean, weighted by class.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// The part of a target's probability that all classes share, in [0, 1] (arXiv 1512.00567). Default: 0.
    #[must_use]
    pub fn label_smoothing(mut self, amount: f64) -> Self {
        self.label_smoothing = amount;
        self
    }
}

/// Which element of each line counts, and how much.
struct Targets {
    /// The class of each line, `[n, 1, …]`; 0 where the target is ignored.
    index: Array,
    /// Which lines are ignored, if any may be.
    ignored: Option<Array>,
    /// How much each line counts, zero where it is ignored; all the same without.
    coefficient: Option<Array>,
    /// Σ coefficient: what a mean divides by; else the number of lines.
    total: Option<Array>,
    lines: usize,
    reduction: Reduction,
    dim: usize,
    /// Of the log-probabilities.
    shape: Dims,
    /// Of the targets.
    target_shape: Dims,
}

static SAFE_INDEX: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).eq(b.scalar(0)).select(0, b.input(0))));
static IS: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).eq(b.scalar(0))));
static IS_NOT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).ne(b.scalar(0))));
static MASKED: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(1).select(0.0, b.input(0))));

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
            check_weight("", w, classes)?;
            if w.dtype() != x.dtype() {
                return Err(Error::runtime(format!(
                    "expected scalar type {} but found {}",
                    x.dtype().scalar_type_name(),
                    w.dtype().scalar_type_name()
                )));
            }
        }
        let target = target.array().to_dtype(DType::I64)?;
        let target = if dim == 0 { target.reshape(&[1])? } else { target.unsqueeze(1)? };
        // On the host the targets are read at once; a device would have to be waited for.
        let may_ignore = if target.device().is_cpu() { scan(&target, ignore_index, classes)? } else { true };
        let weight = weight.map(|w| w.array().clone());
        let scalars = [Scalar::Int(ignore_index)];
        let (index, ignored) = match may_ignore {
            true => (pointwise(&SAFE_INDEX, &[&target], &scalars)?, Some(pointwise(&IS, &[&target], &scalars)?)),
            false => (target.clone(), None),
        };
        let of_class = weight.map(|w| index_select(&w, 0, &index.reshape(&[-1])?)?.view(&to_i64(index.shape())));
        let coefficient = match (of_class.transpose()?, &ignored) {
            (None, None) => None,
            (None, Some(_)) => Some(pointwise(&IS_NOT, &[&target], &scalars)?.to_dtype(x.dtype())?),
            (Some(w), None) => Some(w),
            (Some(w), Some(ignored)) => Some(pointwise(&MASKED, &[&w, ignored], &[])?),
        };
        let total = coefficient.as_ref().filter(|_| reduction == Reduction::Mean).map(total).transpose()?;
        Ok(Targets { lines: index.numel(), index, ignored, coefficient, total, reduction, dim, shape, target_shape })
    }

    /// The loss of log-probabilities: linear in them.
    fn loss(&self, log_probabilities: &Array) -> Result<Array> {
        let picked = gather(log_probabilities, self.dim, &self.index)?;
        let (program, inputs): (&Pointwise, &[&Array]) = match &self.coefficient {
            None => (&NEGATE, &[&picked]),
            Some(c) => (&WEIGH, &[&picked, c]),
        };
        if self.reduction == Reduction::None {
            return Ok(pointwise(program, inputs, &[])?.view(&to_i64(&self.target_shape))?);
        }
        let args = ReduceArgs { op: ReduceOp::Sum, map: Some(program), dims: &[], keepdim: false, dtype: None };
        let sum = reduce(args, inputs, &[])?;
        match (self.reduction, &self.total) {
            (Reduction::Mean, None) => pointwise_into(&DIVIDE, &[&sum], &[self.lines.into()], &[&sum])?,
            (Reduction::Mean, Some(total)) => pointwise_into(&DIVIDE_BY, &[&sum, total], &[], &[&sum])?,
            _ => {}
        }
        Ok(sum)
    }

    /// What each line's class gets of the loss's gradient: in a shape that broadcasts to the index's.
    fn seeds(&self, grad: &Tensor) -> Result<Tensor> {
        let name = "NllLossBackwardBackward0";
        let grad = &match self.reduction {
            Reduction::None => reshape(grad, &to_i64(self.index.shape()))?,
            _ => grad.clone(),
        };
        let tensor = |a: &Array| Tensor::from(a.clone());
        match (&self.coefficient, &self.total) {
            (None, _) if self.reduction == Reduction::Mean => map(name, &NEGATE_DIVIDE, &[grad], &[self.lines.into()]),
            (None, _) => map(name, &NEGATE, &[grad], &[]),
            (Some(c), None) => map(name, &WEIGH, &[grad, &tensor(c)], &[]),
            (Some(c), Some(total)) => map(name, &WEIGH_DIVIDE, &[grad, &tensor(c), &tensor(total)], &[]),
        }
    }

    /// The gradient of [`Targets::loss`]: seeds at the classes, zeros elsewhere.
    fn scattered(&self, seeds: &Tensor, index: &Tensor) -> Result<Tensor> {
        put_along(&ops::expand(seeds, &to_i64(self.index.shape()))?, index, self.dim, &self.shape)
    }

    /// PyTorch's name of the loss's backward.
    fn name(&self) -> &'static str {
        match self.shape.len() {
            1 | 2 => "NllLossBackward0",
            4 => "NllLoss2DBackward0",
            _ if self.reduction == Reduction::None => "ViewBackward0",
            _ => "NllLoss2DBackward0",
        }
    }
}

static NEGATE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| -b.input(0)));
static DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.scalar(0)));
static DIVIDE_BY: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.input(1)));
static NEGATE_DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| -(b.input(0) / b.scalar(0))));
/// −x·c, and zero where c is, whatever x: an ignored line may hold an infinity.
static WEIGH: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(1).eq(0.0).select(0.0, -(b.input(0) * b.input(1)))));
static WEIGH_DIVIDE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(1).eq(0.0).select(0.0, -(b.input(0) * b.input(1) / b.input(2)))));

fn total(coefficient: &Array) -> Result<Array> {
    Ok(reduce(ReduceArgs::new(ReduceOp::Sum, &[], false), &[coefficient], &[])?)
}

/// Checks the targets' range; whether any is ignored.
fn scan(target: &Array, ignore_index: i64, classes: usize) -> Result<bool> {
    let mut ignored = false;
    for t in target.to_vec::<i64>()? {
        if t == ignore_index {
            ignored = true;
        } else if t < 0 || t as usize >= classes {
            return Err(Error::index(format!("Target {t} is out of bounds.")));
        }
    }
    Ok(ignored)
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
        (_, []) => Err(multi()),
        ([n, ..], [m, ..]) if n != m => {
            Err(Error::value(format!("Expected input batch_size ({n}) to match target batch_size ({m}).")))
        }
        ([_, _], [_]) => Ok(()),
        ([_, _], _) => Err(multi()),
        ([_, _, _, _], t) if t.len() != 3 => Err(Error::runtime(format!(
            "only batches of spatial targets supported (3D tensors) but got targets of dimension: {}",
            t.len()
        ))),
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
/// `F.nll_loss`. A mean divides by the weights of the targets.
///
/// # Errors
/// When shapes or dtypes do not fit, or a target is no class.
pub fn nll_loss(
    x: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    ignore_index: i64,
    reduction: Reduction,
) -> Result<Tensor> {
    let targets = Targets::new(x, target, weight, ignore_index, reduction)?;
    nll(x, targets)
}

fn nll(x: &Tensor, targets: Targets) -> Result<Tensor> {
    let out = targets.loss(&x.array())?;
    let saves = [Save::Array(targets.index.clone())];
    Ok(record(targets.name(), &[x], &saves, out, move |c| {
        Ok(smallvec![Some(targets.scattered(&targets.seeds(&c.grad(0)?)?, &c.saved(0)?)?)])
    }))
}

/// Cross-entropy of logits `[n, C, …]` (or `[C]`) and targets: int64 classes `[n, …]`, or probabilities in the logits' shape:
/// `F.cross_entropy`.
pub fn cross_entropy(x: &Tensor, target: &Tensor) -> Result<Tensor> {
    cross_entropy_with(x, target, |o| o)
}

/// [`cross_entropy`] with options.
///
/// # Errors
/// When shapes, dtypes or options do not fit, or a target is no class.
pub fn cross_entropy_with(
    x: &Tensor,
    target: &Tensor,
    options: impl FnOnce(CrossEntropyOptions) -> CrossEntropyOptions,
) -> Result<Tensor> {
    cross_entropy_options(x, target, &options(CrossEntropyOptions::default()))
}

/// [`cross_entropy_with`], its options at hand.
pub fn cross_entropy_options(x: &Tensor, target: &Tensor, o: &CrossEntropyOptions) -> Result<Tensor> {
    o.reduction.check()?;
    if !(0.0..=1.0).contains(&o.label_smoothing) {
        return Err(Error::runtime(format!("label_smoothing must be between 0.0 and 1.0. Got: {}", o.label_smoothing)));
    }
    let dim = i64::from(x.dim() > 1);
    if x.dim() > 0 && x.size() == *target.size() {
        return of_probabilities(x, target, o, dim);
    }
    check_shapes(x, target)?;
    let log_probabilities = log_softmax(x, dim, None)?;
    let targets = Targets::new(&log_probabilities, target, o.weight.as_ref(), o.ignore_index, o.reduction)?;
    if o.label_smoothing > 0.0 {
        return smoothed(&log_probabilities, targets, o, dim);
    }
    let out = targets.loss(&log_probabilities.array())?;
    let saves = [Save::Tensor(&log_probabilities), Save::Array(targets.index.clone())];
    Ok(record(targets.name(), &[x], &saves, out, move |c| {
        let (log_probabilities, index) = (c.saved(0)?, c.saved(1)?);
        let seeds = targets.seeds(&c.grad(0)?)?;
        if crate::is_grad_enabled() {
            let grad = targets.scattered(&seeds, &index)?;
            return Ok(smallvec![Some(log_softmax_backward(&grad, &log_probabilities, dim)?)]);
        }
        Ok(smallvec![Some(logits_gradient(&log_probabilities.array(), &index.array(), &seeds.array(), dim as usize)?)])
    }))
}

/// −e^x · s
static SHARED: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| -(b.input(0).exp() * b.input(1))));

/// The gradient of cross-entropy for the logits, −p·s with s more at the target: log-softmax's backward and the loss's at
/// once.
fn logits_gradient(log_probabilities: &Array, index: &Array, seeds: &Array, dim: usize) -> Result<Tensor> {
    let grad = pointwise(&SHARED, &[log_probabilities, seeds], &[])?;
    scatter(ScatterOp::Add, dim, index, &seeds.broadcast_to(index.shape())?, &grad)?;
    Ok(grad.into())
}

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
fn smoothed(log_probabilities: &Tensor, targets: Targets, o: &CrossEntropyOptions, dim: i64) -> Result<Tensor> {
    let classes = log_probabilities.size()[dim as usize] as f64;
    let (ignored, total, lines) = (targets.ignored.clone(), targets.total.clone(), targets.lines);
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
        Some(ignored) => map("MaskedFillBackward0", &MASKED, &[&smooth, &Tensor::from(ignored)], &[])?,
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
    let nll = nll(log_probabilities, targets)?;
    let scalars = [Scalar::Float(1.0 - o.label_smoothing), Scalar::Float(o.label_smoothing / classes)];
    map("AddBackward0", &BLEND, &[&nll, &smooth], &scalars)
}

/// −x · (t · s₀ + s₁), times the class's weight if there is one
static OF_PROBABILITIES: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [false, true].map(|weighted| {
        Pointwise::new(move |b| {
            let loss = -(b.input(0) * (b.input(1) * b.scalar(0) + b.scalar(1)));
            if weighted { loss * b.input(2) } else { loss }
        })
    })
});

fn of_probabilities(x: &Tensor, target: &Tensor, o: &CrossEntropyOptions, dim: i64) -> Result<Tensor> {
    if !target.is_floating_point() {
        return Err(Error::runtime(format!(
            "Expected floating point type for target with class probabilities, got {}",
            target.dtype().scalar_type_name()
        )));
    }
    if o.ignore_index >= 0 {
        return Err(Error::runtime("ignore_index is not supported for floating point target"));
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
    let scalars = [Scalar::Float(1.0 - o.label_smoothing), Scalar::Float(o.label_smoothing / classes as f64)];
    let program = &OF_PROBABILITIES[usize::from(weight.is_some())];
    let inputs: Vec<&Tensor> =
        [Some(&log_probabilities), Some(target), weight.as_ref()].into_iter().flatten().collect();
    let lines = x.numel() / classes.max(1);
    match o.reduction {
        Reduction::None => sum_map("NegBackward0", Some(program), &inputs, &scalars, &[dim], false, None),
        Reduction::Mean => {
            divided_sum_map("DivBackward1", Some(program), &inputs, &scalars, &[], false, None, Some(lines))
        }
        _ => sum_map("NegBackward0", Some(program), &inputs, &scalars, &[], false, None),
    }
}
