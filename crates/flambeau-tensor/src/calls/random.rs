//! Random fills.

use super::check::dense;
use super::{Arrays, Checked, PrimitiveCall};
use crate::backend::Distribution;
use crate::random::Generator;
use crate::{Array, Result};

/// Fills a dense array with random numbers.
#[derive(Clone, Copy)]
pub struct Random<'a> {
    /// What is drawn.
    pub distribution: Distribution,
    /// Where the numbers come from.
    pub generator: &'a Generator,
    /// What is filled; dense.
    pub out: &'a Array,
}

impl PrimitiveCall for Random<'_> {
    type Output = ();

    fn first(&self) -> &Array {
        self.out
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.out])
    }

    fn check(&self) -> Result<()> {
        dense("random", "the result", self.out)
    }

    // Never trivial: the distribution's parameters are checked for no elements too.
    fn launch(call: &Checked<Self>) -> Result<()> {
        call.out.backend().random(call)
    }
}
