//! Products of matrices, and parts of matrices.

pub(crate) mod einsum;
pub(crate) mod matmul;
pub(crate) mod triangle;

pub use einsum::*;
pub use matmul::*;
pub use triangle::*;

flambeau_macros::operations! {}
