//! Activations.

pub(crate) mod gumbel;
pub(crate) mod hard;
pub(crate) mod rectified;
pub(crate) mod smooth;
pub(crate) mod softmax;

pub use gumbel::*;
pub use hard::*;
pub use rectified::*;
pub use smooth::*;
pub use softmax::*;
