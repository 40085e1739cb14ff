//! Calls that look at elements and find nothing, or something wrong: indices outside their dimension, values outside a range.

use super::check::expect;
use super::map::check_program;
use super::{Arrays, Checked, PrimitiveCall};
use crate::pointwise::Pointwise;
use crate::{Array, DType, Error, Finding, IndexRule, Result, Scalar};

/// The places (i64, dense, in its shape) that an index names, by the rule. An index that names none is the rule's error, at once
/// or at the device's next readback; what stands for it until then names no place of any dimension, nor after it is multiplied
/// by a length and another place is added.
#[derive(Clone, Copy, Debug)]
pub struct CheckIndex<'a> {
    /// The index, in any integer dtype.
    pub index: &'a Array,
    /// Which indices are taken, and what others are.
    pub rule: IndexRule,
}

impl PrimitiveCall for CheckIndex<'_> {
    type Output = Array;

    fn first(&self) -> &Array {
        self.index
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.index])
    }

    fn check(&self) -> Result<()> {
        match self.index.dtype() {
            dtype if dtype.is_integer() && dtype != DType::Bool => Ok(()),
            _ => Err(Error::Index("tensors used as indices must be long, int, byte or bool tensors".into())),
        }
    }

    fn launch(call: &Checked<Self>) -> Result<Array> {
        call.index.backend().check_index(call)
    }
}

/// Raises a finding if a program gives anything but zero for an element of `x`, at once or at the device's next readback.
#[derive(Clone, Copy, Debug)]
pub struct RefuseWhere<'a> {
    /// The program, of one input and one output.
    pub program: &'a Pointwise,
    /// What is looked at, in whose dtype the program computes.
    pub x: &'a Array,
    /// The runtime scalars.
    pub scalars: &'a [Scalar],
    /// What is raised.
    pub finding: Finding,
}

impl PrimitiveCall for RefuseWhere<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.x
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.x])
    }

    fn check(&self) -> Result<()> {
        check_program(self.program, 1, self.scalars.len())?;
        expect(self.program.outputs().len() == 1, || "a check is a program of one result".into())
    }

    fn trivial(&self) -> Option<()> {
        (self.x.numel() == 0).then_some(())
    }

    fn launch(call: &Checked<Self>) -> Result<()> {
        call.x.backend().refuse_where(call)
    }
}
