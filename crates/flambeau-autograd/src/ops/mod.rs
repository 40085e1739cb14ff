//! Every operation, one documented function each, forward and backward together.
//!
//! These return `Result`; the methods of [`Tensor`] panic at the caller's line with the same message.

mod activation;
mod activation_hard;
mod activation_smooth;
mod attention;
mod batch_norm;
mod bce;
mod binary;
mod blend;
mod clamp;
mod closeness;
mod conv;
mod copy;
mod device_samples;
mod distance;
mod dropout;
mod einsum;
mod extrema;
mod gather;
mod im2col;
mod index;
mod index_write;
pub mod indexing;
mod interpolate;
mod join;
mod layer_norm;
mod linear;
mod lines;
mod loss;
mod loss_rules;
mod map;
mod margin;
mod masked;
mod matmul;
mod nll;
mod norm;
mod pad;
mod pool;
mod power;
mod product;
mod random;
mod range;
mod reduce;
mod reorder;
mod rounding;
mod scan;
mod scatter;
mod scatter_reduce;
mod select;
mod selection;
mod softmax;
mod sort;
mod special;
mod split;
mod statistics;
mod triangle;
mod unary;
mod variance;
mod vector_norm;
mod view;
mod window;

pub use activation::*;
pub use activation_hard::*;
pub use activation_smooth::*;
pub use attention::*;
pub use batch_norm::*;
pub use bce::*;
pub use binary::*;
pub use blend::*;
pub use clamp::*;
pub use closeness::*;
pub use conv::*;
pub use copy::*;
pub use distance::*;
pub use dropout::*;
pub use einsum::*;
pub use extrema::*;
pub use gather::*;
pub use im2col::*;
pub use index::*;
pub use index_write::*;
pub use interpolate::*;
pub use join::*;
pub use layer_norm::*;
pub use linear::*;
pub use loss::*;
pub use margin::*;
pub use masked::*;
pub use matmul::*;
pub use nll::*;
pub use pad::*;
pub use pool::*;
pub use power::*;
pub use product::*;
pub(crate) use random::random_in_place;
pub use range::*;
pub use reduce::*;
pub(crate) use reorder::alias;
pub use reorder::*;
pub use rounding::*;
pub use scan::*;
pub use scatter::*;
pub use scatter_reduce::*;
pub use select::*;
pub use softmax::*;
pub use sort::*;
pub use special::*;
pub use split::*;
pub use statistics::*;
pub use triangle::*;
pub use unary::*;
pub use variance::*;
pub use vector_norm::*;
pub use view::*;
pub use window::{IntoOutputSize, IntoPadding, Padding, Sizes};

pub(crate) use map::{map, map_, map_repeats_, sum_map, to_i64};

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
