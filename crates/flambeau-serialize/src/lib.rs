//! Reads and writes PyTorch's files for flambeau.
//!
//! [`save`] and [`load`] are `torch.save` and `torch.load`; what a file holds is a [`Value`] with tensors as leaves.
//! [`pth`] is the format below them, with bytes, shapes and dtypes: there a tensor indexes a list of storages.

mod error;
mod pickle;
pub mod pth;
mod state_dict;
mod tensors;

pub use error::{Error, Result};
pub use pickle::{Dict, DictKind, RawTensor, Value};
pub use tensors::{LoadOptions, Save, load, load_with, save};
