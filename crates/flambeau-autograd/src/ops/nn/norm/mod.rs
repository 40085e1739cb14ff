//! Normalisation.

pub(crate) mod batch;
pub(crate) mod layer;
pub(crate) mod statistics;

pub use batch::*;
pub use layer::*;
