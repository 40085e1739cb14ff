//! Images: resampling, and windows as columns.

pub(crate) mod affine;
pub(crate) mod grid;
pub(crate) mod im2col;
pub(crate) mod interpolate;
pub(crate) mod shuffle;
mod weighted;

pub use affine::*;
pub use grid::*;
pub use im2col::*;
pub use interpolate::*;
pub use shuffle::*;
