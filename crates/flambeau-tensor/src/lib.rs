//! Arrays, dtypes, views, pointwise programs, random numbers and printing: the ground floor of flambeau.

mod dtype;
mod scalar;

pub use dtype::{DType, Element};
pub use scalar::Scalar;
