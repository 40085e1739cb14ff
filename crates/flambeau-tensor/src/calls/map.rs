//! Copies, pointwise programs and reductions: calls that write through any view.

use super::check::{dim, disjoint, expect, shape, written};
use super::{Arrays, Checked, PrimitiveCall, check_writable};
use crate::backend::{PointwiseList, ReduceOp};
use crate::dims::Dims;
use crate::pointwise::Pointwise;
use crate::{Array, DType, Result, Scalar};

/// out = src, between any strides, converting the dtype as `Tensor.to` does.
#[derive(Clone, Copy, Debug)]
pub struct CopyTo<'a> {
    /// What is read.
    pub src: &'a Array,
    /// What is written, in the same shape; shares no memory with `src`.
    pub out: &'a Array,
}

impl PrimitiveCall for CopyTo<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.src, self.out])
    }

    fn check(&self) -> Result<()> {
        shape("copy", "the result", self.out, self.src.shape())?;
        written("copy", self.out, [self.src])
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().copy(call)
    }
}

/// One run of a pointwise program.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    /// The program.
    pub program: &'a Pointwise,
    /// The dtype that inputs are converted to and that the program computes in.
    pub compute: DType,
    /// The inputs, all in the outputs' shape (strides 0 where broadcast).
    pub inputs: &'a [&'a Array],
    /// The runtime scalars; a program may use the first few of them only.
    pub scalars: &'a [Scalar],
    /// One array for each output of the program. An input may be the very same view as one of them; else they share no
    /// memory with an input or with each other.
    pub outs: &'a [&'a Array],
}

/// Whether a program can be called with so many inputs and scalars.
#[inline]
pub(crate) fn check_program(program: &Pointwise, inputs: usize, scalars: usize) -> Result<()> {
    program.check()?;
    expect(inputs >= program.num_inputs() && inputs <= Pointwise::MAX_INPUTS, || {
        format!("a pointwise program of {} inputs got {inputs} arrays", program.num_inputs())
    })?;
    expect(scalars >= program.num_scalars(), || {
        format!("a pointwise program of {} scalars got {scalars} numbers", program.num_scalars())
    })
}

/// Whether a program's results can be written to `outs` from `inputs`.
fn check_arrays<'a>(
    program: &Pointwise,
    inputs: impl Iterator<Item = &'a Array> + Clone,
    outs: impl Iterator<Item = &'a Array> + Clone,
) -> Result<()> {
    let count = outs.clone().count();
    expect(count > 0 && count == program.outputs().len(), || {
        format!("a pointwise program of {} results got {count} arrays for them", program.outputs().len())
    })?;
    for (k, out) in outs.clone().enumerate() {
        for input in inputs.clone() {
            shape("pointwise", "each input", input, out.shape())?;
            expect(input.same_view(out) || !out.may_overlap(input), || {
                "pointwise(): a result overlaps an input that is not the same view".to_owned()
            })?;
        }
        for other in outs.clone().skip(k + 1) {
            shape("pointwise", "each result", other, out.shape())?;
            disjoint("pointwise", out, [other])?;
        }
        check_writable(out)?;
    }
    Ok(())
}

impl PrimitiveCall for Map<'_> {
    type Output = ();

    #[inline]
    fn first(&self) -> &Array {
        self.outs[0]
    }

    fn arrays(&self) -> Arrays<'_> {
        self.inputs.iter().chain(self.outs).copied().collect()
    }

    fn check(&self) -> Result<()> {
        check_program(self.program, self.inputs.len(), self.scalars.len())?;
        check_arrays(self.program, self.inputs.iter().copied(), self.outs.iter().copied())
    }

    #[inline]
    fn trivial(&self) -> Option<()> {
        (self.outs[0].numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.outs[0].backend().pointwise(call)
    }
}

/// One program over many lists of arrays, each as a [`Map`]. No list's result shares memory with another list's arrays.
#[derive(Clone, Copy, Debug)]
pub struct MapLists<'a> {
    /// The program.
    pub program: &'a Pointwise,
    /// As in [`Map`].
    pub compute: DType,
    /// The lists, at least one.
    pub lists: &'a [PointwiseList],
    /// The runtime scalars, the same for all lists.
    pub scalars: &'a [Scalar],
}

impl PrimitiveCall for MapLists<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        &self.lists[0].outs[0]
    }

    fn arrays(&self) -> Arrays<'_> {
        self.lists.iter().flat_map(|list| list.inputs.iter().chain(&list.outs)).collect()
    }

    fn check(&self) -> Result<()> {
        expect(!self.lists.is_empty(), || "pointwise_lists(): there are no lists".to_owned())?;
        for (k, list) in self.lists.iter().enumerate() {
            check_program(self.program, list.inputs.len(), self.scalars.len())?;
            check_arrays(self.program, list.inputs.iter(), list.outs.iter())?;
            for (j, other) in self.lists.iter().enumerate() {
                if j != k {
                    let arrays = || other.inputs.iter().chain(&other.outs);
                    list.outs.iter().try_for_each(|out| disjoint("pointwise_lists", out, arrays()))?;
                }
            }
        }
        Ok(())
    }

    fn trivial(&self) -> Option<()> {
        self.lists.iter().all(|list| list.outs[0].numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.first().backend().pointwise_lists(call)
    }
}

/// A reduction of a program of one output over dimensions. Values are computed in `compute` and accumulated in `out`'s dtype
/// (f32 for f16 and bf16).
#[derive(Clone, Copy, Debug)]
pub struct Reduce<'a> {
    /// How values combine.
    pub op: ReduceOp,
    /// The map stage.
    pub program: &'a Pointwise,
    /// The dtype that inputs are converted to and that the program computes in.
    pub compute: DType,
    /// The inputs, all of one shape; at least one.
    pub inputs: &'a [&'a Array],
    /// The runtime scalars; a program may use the first few of them only.
    pub scalars: &'a [Scalar],
    /// The dimensions that are reduced.
    pub dims: &'a [usize],
    /// The results, in the inputs' shape with lengths 1 at `dims`; shares no memory with an input.
    pub out: &'a Array,
}

impl PrimitiveCall for Reduce<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        self.inputs.iter().copied().chain([self.out]).collect()
    }

    fn check(&self) -> Result<()> {
        check_program(self.program, self.inputs.len(), self.scalars.len())?;
        expect(self.program.outputs().len() == 1, || "reduce(): the program must have one result".to_owned())?;
        let Some(first) = self.inputs.first() else {
            return expect(false, || "reduce(): there are no inputs".to_owned());
        };
        self.inputs.iter().try_for_each(|a| shape("reduce", "each input", a, first.shape()))?;
        for (k, &d) in self.dims.iter().enumerate() {
            dim(d, first.ndim())?;
            expect(!self.dims[..k].contains(&d), || format!("dim {d} appears multiple times in the list of dims"))?;
        }
        let kept = |(d, &n): (usize, &usize)| if self.dims.contains(&d) { 1 } else { n };
        let wanted: Dims = first.shape().iter().enumerate().map(kept).collect();
        shape("reduce", "the result", self.out, &wanted)?;
        let needs_a_value = matches!(self.op, ReduceOp::Max | ReduceOp::Min);
        expect(!needs_a_value || first.numel() > 0 || self.out.numel() == 0, || {
            "reduce(): a largest or smallest value of none".to_owned()
        })?;
        written("reduce", self.out, self.inputs.iter().copied())
    }

    fn trivial(&self) -> Option<()> {
        (self.out.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().reduce(call)
    }
}
