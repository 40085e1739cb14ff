//! Every operation, one documented function each, forward and backward together.
//!
//! These return `Result`; the methods of [`Tensor`] panic at the caller's line with the same message.

mod activation;
mod conv;
mod pad;
mod pool;
mod window;
mod activation_hard;
mod activation_smooth;
mod attention;
mod dropout;
mod im2col;
mod interpolate;
mod binary;
mod copy;
mod blend;
mod clamp;
mod closeness;
mod extrema;
mod power;
mod product;
mod rounding;
mod special;
mod statistics;
mod variance;
mod vector_norm;
mod gather;
mod index;
pub mod indexing;
mod join;
mod lines;
mod masked;
mod reorder;
mod scan;
mod scatter;
mod scatter_reduce;
mod select;
mod sort;
mod split;
mod triangle;
mod map;
mod random;
mod range;
mod reduce;
mod bce;
mod linear;
mod loss;
mod matmul;
mod softmax;
mod nll;
mod norm;
mod distance;
mod margin;
mod batch_norm;
mod layer_norm;
mod einsum;
mod unary;
mod view;

pub use activation::*;
pub use conv::*;
pub use pad::*;
pub use pool::*;
pub use window::{IntoOutputSize, IntoPadding, Padding, Sizes};
pub use activation_hard::*;
pub use activation_smooth::*;
pub use attention::*;
pub use dropout::*;
pub use im2col::*;
pub use interpolate::*;
pub use binary::*;
pub use copy::*;
pub use blend::*;
pub use clamp::*;
pub use closeness::*;
pub use extrema::*;
pub use power::*;
pub use product::*;
pub use rounding::*;
pub use special::*;
pub use statistics::*;
pub use variance::*;
pub use vector_norm::*;
pub use gather::*;
pub use index::*;
pub use join::*;
pub use masked::*;
pub use reorder::*;
pub use scan::*;
pub use scatter::*;
pub use scatter_reduce::*;
pub use select::*;
pub use sort::*;
pub use split::*;
pub use triangle::*;
pub(crate) use reorder::alias;
pub use range::*;
pub(crate) use random::random_in_place;
pub use reduce::*;
pub use bce::*;
pub use linear::*;
pub use loss::*;
pub use matmul::*;
pub use softmax::*;
pub use nll::*;
pub use distance::*;
pub use margin::*;
pub use batch_norm::*;
pub use layer_norm::*;
pub use einsum::*;
pub use unary::*;
pub use view::*;

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
