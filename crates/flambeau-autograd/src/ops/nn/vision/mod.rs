//! Images: resampling, and windows as columns.

mod antialias;
pub(crate) mod im2col;
pub(crate) mod interpolate;

pub use im2col::*;
pub use interpolate::*;
