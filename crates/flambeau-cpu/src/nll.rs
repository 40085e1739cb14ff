//! The loss of classes, composed of other primitives.

use flambeau_tensor::backend::{LossReduction, ReduceOp, ScatterOp};
use flambeau_tensor::calls::{Nll, NllBackward};
use flambeau_tensor::ops::{ClassWeights, ReduceArgs, gather, pointwise, pointwise_into, reduce, scatter};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, Result, Scalar};
use smallvec::SmallVec;
use std::sync::LazyLock;

static DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.scalar(0)));
static DIVIDE_BY: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.input(1)));

/// [`flambeau_tensor::Backend::nll`] on this device.
pub fn nll(call: &Nll<'_>) -> Result<(Array, Option<Array>)> {
    let Nll { x, dim, targets } = *call;
    let weights = ClassWeights::new(targets, x.shape()[dim], x.dtype())?;
    let total = weights.total(targets.reduction)?;
    let picked = gather(x, dim, &weights.index)?;
    let (program, rest, _) = weights.losses();
    let inputs: SmallVec<[&Array; 2]> = std::iter::once(&picked).chain(&rest).collect();
    if targets.reduction == LossReduction::None {
        return Ok((pointwise(program, &inputs, &[])?, None));
    }
    let args = ReduceArgs { op: ReduceOp::Sum, map: Some(program), dims: &[], keepdim: false, dtype: None };
    let sum = reduce(args, &inputs, &[])?;
    match (targets.reduction, &total) {
        (LossReduction::Mean, None) => {
            pointwise_into(&DIVIDE, &[&sum], &[weights.index.numel().into()], &[&sum])?;
        }
        (LossReduction::Mean, Some(total)) => pointwise_into(&DIVIDE_BY, &[&sum, total], &[], &[&sum])?,
        _ => {}
    }
    Ok((sum, total))
}

/// 0 − e^x · s: a difference, so that lines that count for nothing get 0 and not −0.
static SHARED: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| 0.0 - b.input(0).exp() * b.input(1)));
/// g − e^x · s
static OF_LOGITS: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) - b.input(1).exp() * b.input(2)));

/// [`flambeau_tensor::Backend::nll_backward`] on this device. For logits it is −p·s with s more at the target: log-softmax's backward and
/// the loss's at once.
pub fn nll_backward(call: &NllBackward<'_>) -> Result<Array> {
    let NllBackward { grad, shape, log_probabilities, dim, targets, total } = *call;
    let weights = ClassWeights::new(targets, shape[dim], grad.dtype())?;
    let (program, rest, scalars) = weights.seeds(targets.reduction, total);
    let inputs: SmallVec<[&Array; 4]> = std::iter::once(grad).chain(&rest).collect();
    let seeds = pointwise(program, &inputs, &scalars)?;
    let put = seeds.broadcast_to(weights.index.shape())?;
    if let Some(x) = log_probabilities.filter(|_| targets.weight.is_none()) {
        let out = pointwise(&SHARED, &[x, &seeds], &[])?;
        scatter(ScatterOp::Add, dim, &weights.index, &put, &out)?;
        return Ok(out);
    }
    // A weight may be zero and its seed −0, which a sum with 0 would lose.
    let out = Array::full(grad.backend(), grad.device(), shape, seeds.dtype(), Scalar::Int(0))?;
    scatter(ScatterOp::Set, dim, &weights.index, &put, &out)?;
    match log_probabilities {
        None => Ok(out),
        Some(x) => pointwise(&OF_LOGITS, &[&out, x, &seeds], &[]),
    }
}
