//! What a backend is asked to do, checked before it gets there.
//!
//! Each primitive of [`Backend`](crate::Backend) has a struct of arguments here, and a backend takes it only as a
//! [`Checked`] one: whose shapes, dtypes, devices and overlaps were found to agree, so that a kernel can trust them with its
//! pointers. A `Checked` call comes from [`Checked::new`] alone and shows its arguments without letting them change; an array
//! stays within its storage, which only grows. What the arrays hold is data: kernels check indices themselves.

mod check;
mod ctc;
mod elements;
mod index;
mod layout;
mod lines;
mod loss;
mod map;
mod matmul;
mod normalize;
mod random;
mod windows;

pub use check::check_transfer;
pub use ctc::*;
pub use elements::*;
pub use index::*;
pub(crate) use layout::check_writable;
pub use lines::*;
pub use loss::*;
pub use map::*;
pub use matmul::*;
pub use normalize::*;
pub use random::*;
pub use windows::*;

use crate::{Array, Device, Result};
use smallvec::SmallVec;
use std::ops::Deref;

/// The arrays of a call.
pub type Arrays<'a> = SmallVec<[&'a Array; 8]>;

/// The arguments of a primitive.
pub trait PrimitiveCall: Sized {
    /// What the primitive returns.
    type Output;

    /// One of the arrays, which names the call's device. Those of a checked call have one.
    fn first(&self) -> &Array;

    /// All arrays that the primitive reads or writes.
    fn arrays(&self) -> Arrays<'_>;

    /// Whether the arguments fit each other, apart from their device, which [`Checked::new`] looks at.
    ///
    /// # Errors
    /// When they do not.
    fn check(&self) -> Result<()>;

    /// The result where there is nothing to compute and nothing to write: such a call reaches no kernel.
    #[inline]
    fn trivial(&self) -> Option<Self::Output> {
        None
    }

    /// Asks the arrays' backend.
    ///
    /// # Errors
    /// What the backend refuses, or finds in the data.
    fn launch(call: &Checked<Self>) -> Result<Self::Output>;

    /// Checks the call and asks the arrays' backend, unless there is nothing to ask.
    ///
    /// # Errors
    /// As [`PrimitiveCall::check`] and [`PrimitiveCall::launch`].
    fn run(self) -> Result<Self::Output> {
        let call = Checked::new(self)?;
        call.trivial().map_or_else(|| Self::launch(&call), Ok)
    }
}

/// A call whose arguments fit each other.
#[derive(Clone, Copy, Debug)]
pub struct Checked<C>(C);

impl<C: PrimitiveCall> Checked<C> {
    /// Checks a call.
    ///
    /// # Errors
    /// When shapes, dtypes or devices disagree, an array is not dense that must be, or a result overlaps what it may not.
    pub fn new(call: C) -> Result<Self> {
        call.check()?;
        crate::ops::same_device(&call.arrays())?;
        Ok(Checked(call))
    }

    /// A call that the common layer has built so that it passes [`Checked::new`].
    #[inline]
    pub(crate) fn established(call: C) -> Self {
        #[cfg(debug_assertions)]
        if let Err(error) = call.check().and_then(|()| crate::ops::same_device(&call.arrays())) {
            panic!("the common layer has built a call that does not hold: {error}");
        }
        Checked(call)
    }

    /// The device that all arrays lie on.
    #[inline]
    pub fn device(&self) -> Device {
        self.0.first().device()
    }
}

impl<C> Deref for Checked<C> {
    type Target = C;

    #[inline]
    fn deref(&self) -> &C {
        &self.0
    }
}
