//! Arrays, dtypes, views, pointwise programs, random numbers and printing: the ground floor of flambeau.
//!
//! Nothing here knows gradients or a particular device: a backend implements [`Backend`], an [`Array`] is a strided view of
//! its memory, and [`ops`] is the common layer that every operation goes through.

pub mod access;
mod array;
pub mod backend;
pub mod calls;
mod device;
pub mod dims;
mod dtype;
mod error;
pub mod file;
mod finding;
pub mod ops;
pub mod plan;
pub mod pointwise;
pub mod print;
pub mod promotion;
pub mod random;
mod scalar;
pub mod sequence;
pub mod special;
mod storage;
pub mod view;
pub mod watch;

pub use array::{Array, scalar_from_bytes};
pub use backend::Backend;
pub use device::{Device, PYTORCH_DEVICES};
pub use dims::Dims;
pub use dtype::{DType, Element};
pub use error::{Error, Result};
pub use finding::{Finding, IndexRule};
pub use promotion::{default_dtype, set_default_dtype};
pub use scalar::Scalar;
pub use storage::{HostBlock, INLINE_BYTES, Storage};
