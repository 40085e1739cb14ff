//! One fused program for all parameters of a group.

use crate::error::Result;
use flambeau_autograd::Tensor;
use flambeau_tensor::Scalar;
use flambeau_tensor::backend::PointwiseList;
use flambeau_tensor::ops::pointwise_lists;
use flambeau_tensor::pointwise::{Builder, Expr, Pointwise};
use smallvec::SmallVec;
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

/// The updates of one step. Those with the same program and numbers run together.
#[derive(Default)]
pub(crate) struct Updates<'p>(Vec<Update<'p>>);

struct Update<'p> {
    program: &'p Pointwise,
    scalars: SmallVec<[Scalar; 8]>,
    list: PointwiseList,
}

impl<'p> Updates<'p> {
    /// Adds an update: the program's results over `inputs` go to `outputs`. Of `scalars` it takes as many as it names.
    pub fn push(&mut self, program: &'p Pointwise, inputs: &[&Tensor], scalars: &[f64], outputs: &[&Tensor]) {
        let arrays = |tensors: &[&Tensor]| tensors.iter().map(|t| t.array().clone()).collect();
        let scalars = scalars[..program.num_scalars()].iter().map(|&x| x.into()).collect();
        self.0.push(Update { program, scalars, list: PointwiseList { inputs: arrays(inputs), outs: arrays(outputs) } });
    }

    /// Runs all updates and counts a write on each result. Nothing is recorded.
    pub fn run(self, caller: &'static Location<'static>) -> Result<()> {
        let mut rest = &self.0[..];
        while let Some(first) = rest.first() {
            let same = |u: &&Update<'_>| std::ptr::eq(u.program, first.program) && u.scalars == first.scalars;
            let count = rest.iter().take_while(same).count();
            let lists: Vec<PointwiseList> = rest[..count].iter().map(|u| u.list.clone()).collect();
            pointwise_lists(first.program, &lists, &first.scalars)?;
            lists.iter().flat_map(|l| &l.outs).for_each(|a| a.storage().bump_version(caller));
            rest = &rest[count..];
        }
        Ok(())
    }
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
