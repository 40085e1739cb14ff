//! Reads and writes PyTorch's files for flambeau.
//!
//! [`pth`] is the format of `torch.save`; what a file holds is a [`Value`] whose tensors index a list of storages. This
//! floor knows bytes, shapes and dtypes.

mod atomic;
mod error;
mod pickle;
pub mod pth;

pub use error::{Error, Result};
pub use pickle::{Dict, DictKind, RawTensor, Value};
