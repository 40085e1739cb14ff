//! One fused program per parameter and step.

use crate::error::Result;
use flambeau_autograd::Tensor;
use flambeau_tensor::Scalar;
use flambeau_tensor::ops::pointwise_into;
use flambeau_tensor::pointwise::{Builder, Expr, Pointwise};
use std::panic::Location;
use std::sync::OnceLock;

/// An optimizer's program for every combination of its switches (one bit each), built when it is first used.
pub(crate) struct Programs<const N: usize> {
    slots: [OnceLock<Pointwise>; N],
    build: fn(usize) -> Pointwise,
}

impl<const N: usize> Programs<N> {
    pub const fn new(build: fn(usize) -> Pointwise) -> Self {
        Programs { slots: [const { OnceLock::new() }; N], build }
    }

    /// The program for these switches.
    pub fn get(&self, switches: usize) -> &Pointwise {
        self.slots[switches].get_or_init(|| (self.build)(switches))
    }
}

/// The switches whose condition holds.
pub(crate) fn switches(conditions: &[(usize, bool)]) -> usize {
    conditions.iter().filter(|(_, on)| *on).map(|(bit, _)| bit).sum()
}

/// Runs a program over tensors, writes its results to `outputs` and counts a write on each of them. Nothing is recorded.
/// Of `scalars` the program takes as many as it names.
pub(crate) fn run(
    program: &Pointwise,
    inputs: &[&Tensor],
    scalars: &[f64],
    outputs: &[&Tensor],
    caller: &'static Location<'static>,
) -> Result<()> {
    let inputs: Vec<_> = inputs.iter().map(|t| t.array()).collect();
    let outputs: Vec<_> = outputs.iter().map(|t| t.array()).collect();
    let scalars: Vec<Scalar> = scalars[..program.num_scalars()].iter().map(|&x| x.into()).collect();
    let input_refs: Vec<_> = inputs.iter().map(|a| &**a).collect();
    let output_refs: Vec<_> = outputs.iter().map(|a| &**a).collect();
    pointwise_into(program, &input_refs, &scalars, &output_refs)?;
    outputs.iter().for_each(|a| a.storage().bump_version(caller));
    Ok(())
}

/// The gradient that a step uses, input 1: turned round where the objective is to be maximised, and with
/// `decay · param` (input 0, scalar `decay`) added where weights decay.
pub(crate) fn gradient(b: &Builder, maximize: bool, decay: Option<usize>) -> Expr<'_> {
    let grad = b.input(1);
    let grad = if maximize { -grad } else { grad };
    match decay {
        Some(scalar) => grad + b.input(0) * b.scalar(scalar),
        None => grad,
    }
}

/// start + weight · (end − start), from the nearer end as `torch.lerp` computes it.
pub(crate) fn lerp<'b>(start: Expr<'b>, end: Expr<'b>, weight: Expr<'b>, near_end: bool) -> Expr<'b> {
    match near_end {
        false => start + weight * (end - start),
        true => end - (end - start) * (1.0 - weight),
    }
}
