//! Every operation, one documented function each, forward and backward together.
//!
//! These return `Result`; the methods of [`Tensor`] panic at the caller's line with the same message.

mod compare;
mod create;
mod index;
mod linalg;
mod map;
mod nn;
mod place;
mod pointwise;
mod random;
mod reduce;
mod shape;

pub use compare::*;
pub use create::*;
pub use index::*;
pub use linalg::*;
pub use nn::*;
pub use pointwise::*;
pub use random::*;
pub use reduce::*;
pub use shape::*;

pub use index::indexing;
pub(crate) use pointwise::custom;

flambeau_macros::families! { compare create index linalg nn pointwise random reduce shape }

pub(crate) use random::in_place::random_in_place;

pub(crate) use place::Place;

pub use map::recorded_program;
pub(crate) use map::{map, map_, sum_map, to_i64};

use crate::Tensor;
use crate::tensor::ArrayRef;
use flambeau_tensor::Array;
use smallvec::SmallVec;

/// The arrays of some tensors, as the array floor takes them.
pub(crate) struct Arrays<'a>(SmallVec<[ArrayRef<'a>; 4]>);

impl<'a> Arrays<'a> {
    pub(crate) fn of(tensors: &[&'a Tensor]) -> Self {
        Arrays(tensors.iter().map(|t| t.array()).collect())
    }

    pub(crate) fn refs(&self) -> SmallVec<[&Array; 4]> {
        self.0.iter().map(|a| &**a).collect()
    }
}
