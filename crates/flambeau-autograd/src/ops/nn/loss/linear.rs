//! Cross-entropy of a linear map's outputs, in parts of the batch: the logits of all samples need not be there at once.

use super::parts::{LinearCrossEntropyOptions, Plan};
use crate::error::{Error, Result};
use crate::graph::{Grads, Save, record};
use crate::ops::{CrossEntropyLossOptions, Reduction, cross_entropy, linear, reshape, sum_map, to_i64};
use crate::{Tensor, no_grad, ops, options, warn};
use flambeau_macros::op;
use flambeau_tensor::DType;
use flambeau_tensor::backend::{Epilogue, ScatterOp};
use flambeau_tensor::ops::{matmul, pointwise_into, scatter};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::print::py_float;
use std::sync::{LazyLock, Mutex, PoisonError};

options! {
    /// The keywords of `F::linear_cross_entropy`.
    #[derive(Clone, Debug)]
    LinearCrossEntropyFunctionOptions {
        /// Added to the logits, `[classes, …]` (none).
        linear_bias: Option<Tensor> = None,
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// The class that counts for nothing; not for targets of probabilities (−100).
        ignore_index: Option<i64> = None,
        /// The part of a target's probability that all classes share, in [0, 1] (0).
        label_smoothing: f64 = 0.0,
        /// How to go through the batch in parts; without, the logits of all samples are computed at once (none).
        options: Option<LinearCrossEntropyOptions> = None,
    }
}

/// Python's tuple of a shape.
fn tuple(shape: &[usize]) -> String {
    match shape {
        [n] => format!("({n},)"),
        _ => format!("({})", shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Refuses shapes that do not fit; those of the logits.
fn check(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Vec<usize>> {
    let (size, of) = (x.size(), weight.size());
    if !(1..=2).contains(&size.len()) {
        return Err(Error::runtime(format!("expected input with dimensionality 1 or 2, got {}", size.len())));
    }
    if of.len() < 2 {
        return Err(Error::runtime(format!("expected linear_weight with dimensionality at least 2, got {}", of.len())));
    }
    let (features, classes) = (of[of.len() - 1], &of[..of.len() - 1]);
    let last = size[size.len() - 1];
    if last != features {
        return Err(Error::runtime(format!(
            "expected equal input and linear_weight last dimensions (in_features), got {last} and {features}, respectively"
        )));
    }
    if let Some(bias) = bias.filter(|bias| *bias.size() != *classes) {
        return Err(Error::runtime(format!(
            "expected linear_bias shape {}, got {}",
            tuple(classes),
            tuple(&bias.size())
        )));
    }
    if classes.len() > 1 && size.len() < 2 {
        return Err(Error::runtime(format!(
            "K-dimensional loss defined by linear_weight shape {} requires batched input, (N, {last}), got unbatched input with \
             shape {}",
            tuple(&of),
            tuple(&size)
        )));
    }
    Ok(size[..size.len() - 1].iter().chain(classes).copied().collect())
}

/// Whether the loss can be computed in parts; warns where it cannot.
#[track_caller]
fn in_parts(
    x: &Tensor,
    weight: &Tensor,
    target: &Tensor,
    logits: &[usize],
    o: &LinearCrossEntropyFunctionOptions,
) -> bool {
    if o.options.is_none() {
        return false;
    }
    let of = weight.size();
    let outer = &of[1..of.len() - 1];
    let needs = target.requires_grad() && crate::is_grad_enabled();
    let probabilities = *target.size() == *logits && target.dtype() == x.dtype() && !needs;
    if o.label_smoothing == 0.0 && (target.dtype() == DType::I64 || probabilities) && outer.is_empty() {
        return true;
    }
    let bias = o.linear_bias.as_ref().map_or_else(|| "None".to_owned(), |bias| tuple(&bias.size()));
    warn(&format!(
        "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in {{'mean','sum','none'}}, label_smoothing == 0, \
         target.dtype == int64 (or a probability target with dtype matching input and requires_grad == False), out_features == \
         (). Got reduction='{}', label_smoothing={}, target.dtype=torch.{}, out_features={}, tracing=False, \
         target.requires_grad={}, linear_bias.shape={bias}.",
        o.reduction,
        py_float(o.label_smoothing),
        target.dtype().name(),
        tuple(outer),
        if target.requires_grad() { "True" } else { "False" }
    ));
    false
}

/// [`cross_entropy`] of the logits `linear(x, linear_weight, linear_bias)`: `F.linear_cross_entropy`.
///
/// `x` is `[n, features]` (or `[features]`), `linear_weight` `[classes, features]`, or `[classes, …, features]` for a loss of several
/// dimensions. Keywords: `linear_bias`, `weight`, `reduction`, `ignore_index`, `label_smoothing` as of cross-entropy, and
/// `options`, with which the samples are computed a few at a time: for many classes that needs a small part of the memory.
///
/// ```
/// use torch::nn::{self, functional as F};
/// let (x, weight) = (torch::randn((64, 8)), torch::randn((1000, 8)).requires_grad_(true));
/// let target = torch::arange(64);
/// let whole = F::linear_cross_entropy(&x, &weight, &target);
/// let parts = F::linear_cross_entropy_with(&x, &weight, &target, |o| o.options(nn::LinearCrossEntropyOptions::new()));
/// assert!(parts.allclose(&whole));
/// parts.backward();
/// ```
///
/// # Errors
/// When shapes, dtypes or options do not fit, or a target is no class.
#[op(functional)]
#[track_caller]
pub fn linear_cross_entropy(
    x: &Tensor,
    linear_weight: &Tensor,
    target: &Tensor,
    options: &LinearCrossEntropyFunctionOptions,
) -> Result<Tensor> {
    let o = options;
    let bias = o.linear_bias.as_ref();
    let shape = check(x, linear_weight, bias)?;
    if *target.size() == *shape && o.ignore_index.is_some() {
        return Err(Error::runtime("ignore_index cannot be specified when target contains probabilities"));
    }
    if let Some(options) = &o.options {
        options.check()?;
    }
    o.reduction.check()?;
    let ignore_index = o.ignore_index.unwrap_or(-100);
    if in_parts(x, linear_weight, target, &shape, o) {
        return by_parts(x, linear_weight, target, o, ignore_index);
    }
    let flat = [-1, x.size()[x.dim() - 1] as i64];
    let bias = bias.map(|bias| reshape(bias, &[-1])).transpose()?;
    let logits = match shape.len() > x.dim() {
        true => linear(x, &reshape(linear_weight, &flat)?, bias.as_ref())?,
        false => linear(x, linear_weight, bias.as_ref())?,
    };
    let options = CrossEntropyLossOptions {
        weight: o.weight.as_ref().map(Tensor::shallow_clone),
        ignore_index,
        reduction: o.reduction,
        label_smoothing: o.label_smoothing,
    };
    cross_entropy(&reshape(&logits, &to_i64(&shape))?, target, &options)
}

/// What the loss is computed of, nothing of which records.
struct Parts {
    plan: Plan,
    x: Tensor,
    linear_weight: Tensor,
    bias: Option<Tensor>,
    target: Target,
    reduction: Reduction,
}

/// Which classes count how much.
enum Target {
    /// One class for each sample, `[n, 1]`, and what its loss counts, likewise.
    Classes { class: Tensor, share: Tensor },
    /// Probabilities, `[n, classes]`, a weight for each class, and what they are multiplied by.
    Probabilities { of: Tensor, weight: Option<Tensor>, scale: f64 },
}

static EXP_OF_DIFFERENCE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0) - b.input(1)).exp()));
static DIFFERENCE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) - b.input(1)));
/// (ln d − x) · s, of the sum d of eˣ, the target's x and what it counts
static OF_CLASS: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0).log() - b.input(1)) * b.input(2)));
/// s · ln d − x, of d, the mean x, and the sum s of what the classes count
static OF_PROBABILITIES: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).log() * b.input(2) - b.input(1)));
/// e / d · s
static SHARED: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * (b.input(2) / b.input(1))));
static PRODUCT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1)));
static NEGATE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| -b.input(0)));

impl Parts {
    fn new(
        x: &Tensor,
        linear_weight: &Tensor,
        target: &Tensor,
        o: &LinearCrossEntropyFunctionOptions,
        ignore: i64,
    ) -> Result<Self> {
        let classes = linear_weight.size()[0];
        let probabilities = target.is_floating_point();
        let plan = o.options.as_ref().expect("it is asked for").plan(x, classes, probabilities)?;
        let wide = |t: &Tensor| ops::to_dtype(&t.detach(), plan.acc);
        for other in [Some(linear_weight), o.linear_bias.as_ref()].into_iter().flatten() {
            if other.dtype() != x.dtype() {
                return Err(Error::runtime(format!(
                    "expected m1 and m2 to have the same dtype, but got: {} != {}",
                    x.dtype().c_name(),
                    other.dtype().c_name()
                )));
            }
        }
        let weight = o.weight.as_ref().map(&wide).transpose()?;
        let n = x.size()[0];
        let target = match probabilities {
            true => {
                let scale = if o.reduction == Reduction::Mean { 1.0 / n as f64 } else { 1.0 };
                Target::Probabilities { of: wide(target)?, weight, scale }
            }
            false => {
                let target = reshape(&target.detach(), &[-1, 1])?;
                let ignored = ops::eq(&target, ignore)?;
                let class = ops::masked_fill(&target, &ignored, 0)?;
                let share = match &weight {
                    None => ops::to_dtype(&ops::logical_not(&ignored)?, plan.acc)?,
                    Some(w) => {
                        let w = reshape(&ops::index_select(w, 0, &reshape(&class, &[-1])?)?, &[-1, 1])?;
                        ops::masked_fill(&w, &ignored, 0)?
                    }
                };
                let share = match o.reduction {
                    // Of weights that add up to 0 it is NaN.
                    Reduction::Mean => {
                        let total = ops::sum(&share, &[], false, None)?;
                        let none = ops::eq(&total, 0)?;
                        ops::div(&share, &ops::masked_fill(&total, &none, f64::NAN)?)?
                    }
                    _ => share,
                };
                Target::Classes { class, share }
            }
        };
        let bias = o.linear_bias.as_ref().map(&wide).transpose()?;
        Ok(Parts { plan, x: x.detach(), linear_weight: wide(linear_weight)?, bias, target, reduction: o.reduction })
    }

    /// The loss (of each sample, where nothing is summed) and the gradients that are wanted, of input, weight and bias. Gradients of
    /// single losses are for `upstream`, theirs; without it there are none.
    fn run(&self, wants: [bool; 3], upstream: Option<&Tensor>) -> Result<(Tensor, [Option<Tensor>; 3])> {
        let _guard = no_grad();
        let (n, dtype, acc) = (self.x.size()[0], self.x.dtype(), self.plan.acc);
        let zeros = |like: &Tensor| ops::zeros(&like.size(), acc, like.device());
        let [of_x, of_weight, of_bias] = wants;
        let of_x = of_x.then(|| ops::zeros(&self.x.size(), dtype, self.x.device())).transpose()?;
        let of_weight = of_weight.then(|| zeros(&self.linear_weight)).transpose()?;
        let of_bias = self.bias.as_ref().filter(|_| of_bias).map(zeros).transpose()?;
        let summed = self.reduction != Reduction::None;
        let empty = summed && n == 0 && self.reduction == Reduction::Mean;
        let shape: &[usize] = if summed { &[] } else { &[n] };
        let loss = ops::full(shape, if empty { f64::NAN } else { 0.0 }, acc, self.x.device())?;
        for start in (0..n).step_by(self.plan.chunk) {
            let rows = |t: &Tensor| ops::narrow(t, 0, start as i64, self.plan.chunk.min(n - start) as i64);
            let x = ops::to_dtype(&rows(&self.x)?, acc)?;
            let logits = linear(&x, &self.linear_weight, self.bias.as_ref())?;
            let each = self.losses(&logits, &rows, upstream, wants != [false; 3])?;
            match summed {
                true => ops::add_(&loss, &ops::sum(&each, &[], false, None)?, 1)?,
                false => ops::copy_(&rows(&loss)?, &reshape(&each, &[-1])?)?,
            };
            // From here on they are the logits' gradient.
            if let Some(of_bias) = &of_bias {
                ops::add_(of_bias, &ops::sum(&logits, &[0], false, None)?, 1)?;
            }
            if let Some(of_x) = &of_x {
                ops::copy_(&rows(of_x)?, &ops::mm(&logits, &self.linear_weight)?)?;
            }
            if let Some(of_weight) = &of_weight {
                let array = |t: &Tensor| t.array().unsqueeze(0);
                let (of_class, of_feature) = (array(&ops::transpose(&logits, 0, 1)?)?, array(&x)?);
                matmul(&of_class, &of_feature, 1.into(), 1.into(), Epilogue::default(), &array(of_weight)?)?;
            }
        }
        let narrow = |t: Option<Tensor>| t.map(|t| ops::to_dtype(&t, dtype)).transpose();
        Ok((ops::to_dtype(&loss, dtype)?, [of_x, narrow(of_weight)?, narrow(of_bias)?]))
    }

    /// The losses of some samples, `[b, 1]`; the logits become their gradient, if gradients are wanted.
    fn losses(
        &self,
        logits: &Tensor,
        rows: &impl Fn(&Tensor) -> Result<Tensor>,
        upstream: Option<&Tensor>,
        gradient: bool,
    ) -> Result<Tensor> {
        let array = logits.array();
        let each = |t: &Tensor| reshape(t, &[-1, 1]);
        let upstream = upstream.map(|g| rows(&each(g)?)).transpose()?;
        let scaled = |share: Tensor| match &upstream {
            None => Ok(share),
            Some(g) => ops::mul(&share, g),
        };
        let largest = ops::amax(logits, &[1], true)?;
        match &self.target {
            Target::Classes { class, share } => {
                let (class, share) = (rows(class)?, scaled(rows(share)?)?);
                let of_class = ops::sub(&ops::gather(logits, 1, &class)?, &largest, 1)?;
                pointwise_into(&EXP_OF_DIFFERENCE, &[&array, &largest.array()], &[], &[&array])?;
                let sum = ops::sum(logits, &[1], true, None)?;
                if gradient {
                    pointwise_into(&SHARED, &[&array, &sum.array(), &share.array()], &[], &[&array])?;
                    let less = ops::map("NegBackward0", &NEGATE, &[&share], &[])?;
                    scatter(ScatterOp::Add, 1, &class.array(), &less.array(), &array)?;
                }
                ops::map("MulBackward0", &OF_CLASS, &[&sum, &of_class, &share], &[])
            }
            Target::Probabilities { of, weight, scale } => {
                let of = match weight {
                    None => rows(of)?,
                    Some(w) => ops::mul(&rows(of)?, w)?,
                };
                let of = scaled(if *scale == 1.0 { of } else { ops::mul(&of, *scale)? })?;
                let share = ops::sum(&of, &[1], true, None)?;
                pointwise_into(&DIFFERENCE, &[&array, &largest.array()], &[], &[&array])?;
                let mean = sum_map("SumBackward1", Some(&PRODUCT), &[&of, logits], &[], &[1], true, None)?;
                ops::exp_(logits)?;
                let sum = ops::sum(logits, &[1], true, None)?;
                if gradient {
                    pointwise_into(&SHARED, &[&array, &sum.array(), &share.array()], &[], &[&array])?;
                    ops::sub_(logits, &of, 1)?;
                }
                ops::map("SubBackward0", &OF_PROBABILITIES, &[&sum, &mean, &share], &[])
            }
        }
    }
}

/// The loss, some samples at a time.
fn by_parts(
    x: &Tensor,
    linear_weight: &Tensor,
    target: &Tensor,
    o: &LinearCrossEntropyFunctionOptions,
    ignore_index: i64,
) -> Result<Tensor> {
    let batched = x.dim() == 2;
    let (x, target) = match batched {
        true => (x.shallow_clone(), target.shallow_clone()),
        false => (ops::unsqueeze(x, 0)?, ops::unsqueeze(target, 0)?),
    };
    let inputs: Vec<&Tensor> = [Some(&x), Some(linear_weight), o.linear_bias.as_ref()].into_iter().flatten().collect();
    let wants = [0, 1, 2].map(|i| crate::is_grad_enabled() && inputs.get(i).is_some_and(|t| t.requires_grad()));
    let parts = Parts::new(&x, linear_weight, &target, o, ignore_index)?;
    let out = match o.reduction {
        Reduction::None => {
            let (loss, _) = parts.run([false; 3], None)?;
            drop(parts);
            each_sample(&inputs, &target, o, ignore_index, loss)?
        }
        _ => {
            let (loss, grads) = parts.run(wants, None)?;
            drop(parts);
            let retain = o.options.as_ref().is_some_and(|options| options.allow_retain_graph);
            summed(&inputs, loss, grads.into_iter().take(inputs.len()).collect(), retain)
        }
    };
    if batched || out.dim() == 0 && o.reduction == Reduction::None {
        return Ok(out);
    }
    ops::squeeze(&out, Some(&[0]))
}

/// A loss whose gradients are there already. They are captured, and not saved: the first backward uses them up.
fn summed(inputs: &[&Tensor], loss: Tensor, grads: Grads, retain: bool) -> Tensor {
    let kept = Mutex::new(grads);
    let name = "GeneratedBackwardFor_torch_nn__linear_cross_entropy_batch_chunked_defaultBackward";
    record(name, inputs, &[], loss.array().clone(), move |c| {
        let _guard = no_grad();
        let g = c.grad(0)?;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut grads = Grads::new();
        for (i, kept) in kept.iter_mut().enumerate() {
            grads.push(match (c.needs(i), retain) {
                (false, _) => None,
                (true, true) => kept.as_ref().map(|grad| ops::mul(grad, &g)).transpose()?,
                (true, false) => {
                    let grad = kept.take().ok_or_else(|| {
                        Error::runtime(
                            "linear_cross_entropy chunked backward called twice; retain_graph=True / double backward are not \
                             supported.",
                        )
                    })?;
                    Some(ops::mul_(&grad, &g)?)
                }
            });
        }
        Ok(grads)
    })
}

/// Losses of single samples: backward computes the logits once more.
fn each_sample(
    inputs: &[&Tensor],
    target: &Tensor,
    o: &LinearCrossEntropyFunctionOptions,
    ignore_index: i64,
    loss: Tensor,
) -> Result<Tensor> {
    let bias = inputs.get(2).copied();
    let saves = [
        Save::Tensor("input", inputs[0]),
        Save::Tensor("linear_weight", inputs[1]),
        Save::Tensor("target", target),
        bias.map_or(Save::Nothing("linear_bias"), |bias| Save::Tensor("linear_bias", bias)),
        o.weight.as_ref().map_or(Save::Nothing("weight"), |weight| Save::Tensor("weight", weight)),
    ];
    let (has_bias, has_weight) = (bias.is_some(), o.weight.is_some());
    let (reduction, options) = (o.reduction, o.options.clone());
    let name = "GeneratedBackwardFor_torch_nn__linear_cross_entropy_batch_chunked_no_reduction_defaultBackward";
    Ok(record(name, inputs, &saves, loss.array().clone(), move |c| {
        let o = LinearCrossEntropyFunctionOptions {
            linear_bias: has_bias.then(|| c.saved(3)).transpose()?,
            weight: has_weight.then(|| c.saved(4)).transpose()?,
            reduction,
            options: options.clone(),
            ..Default::default()
        };
        let parts = Parts::new(&c.saved(0)?, &c.saved(1)?, &c.saved(2)?, &o, ignore_index)?;
        let wants = [c.needs(0), c.needs(1), has_bias && c.needs(2)];
        let g = ops::to_dtype(&c.grad(0)?.detach(), parts.plan.acc)?;
        let (_, grads) = parts.run(wants, Some(&g))?;
        Ok(grads.into_iter().take(2 + usize::from(has_bias)).collect())
    }))
}
