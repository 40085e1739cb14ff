//! Where an operation's result goes.

use super::map::{map, map_, map_repeats_};
use crate::Tensor;
use crate::error::Result;
use crate::graph::{Context, Grads, recording};
use crate::views::{check_in_place, record_view, reshape_in_place};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, Scalar};

/// Where the result of an operation goes that exists in two forms, `x.relu()` and `x.relu_()`: its function is written once
/// over the place, as PyTorch's structured kernels are written over their output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into a new tensor.
    New,
    /// Into the first input.
    First,
}

impl Place {
    /// Whether the first input is written to.
    pub fn is_first(self) -> bool {
        self == Place::First
    }

    /// Runs a pointwise program of one output; `name` is the backward's name in PyTorch.
    #[inline]
    #[track_caller]
    pub fn map(
        self,
        name: &'static str,
        program: &'static Pointwise,
        inputs: &[&Tensor],
        scalars: &[Scalar],
    ) -> Result<Tensor> {
        match self {
            Place::New => map(name, program, inputs, scalars),
            Place::First => map_(name, program, inputs, scalars),
        }
    }

    /// [`Place::map`] of a program that writes one value wherever it writes: an input that shows an element several times may be
    /// written to.
    #[inline]
    #[track_caller]
    pub fn map_repeats(
        self,
        name: &'static str,
        program: &'static Pointwise,
        inputs: &[&Tensor],
        scalars: &[Scalar],
    ) -> Result<Tensor> {
        match self {
            Place::New => map(name, program, inputs, scalars),
            Place::First => map_repeats_(name, program, inputs, scalars),
        }
    }

    /// Refuses what must not be written to, before an operation looks at its other arguments.
    #[inline]
    pub fn check(self, x: &Tensor) -> Result<()> {
        if self.is_first() && recording(&[x]) { check_in_place(x) } else { Ok(()) }
    }

    /// The tensor in another shape over the same memory: as a view, or `x` itself takes the shape. The backward's names in PyTorch
    /// are those of the two forms.
    #[inline]
    #[track_caller]
    pub fn view(
        self,
        names: [&'static str; 2],
        x: &Tensor,
        view: Array,
        backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
    ) -> Result<Tensor> {
        match self {
            Place::New => Ok(record_view(names[0], x, view, backward)),
            Place::First => reshape_in_place(names[1], x, view, backward),
        }
    }
}
