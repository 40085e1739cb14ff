//! Reads and writes PyTorch's files for flambeau.
//!
//! [`save`] and [`load`] are `torch.save` and `torch.load`; what a file holds is a [`Value`] with tensors as leaves.
//! [`pth`] is the format below them, with bytes, shapes and dtypes: there a tensor indexes a list of storages. [`safetensors`] and
//! [`numpy`] are the modules for those files, under the names that Python's packages have.

mod blocks;
mod change;
mod dict;
mod display;
mod error;
mod extract;
mod formats;
pub mod numpy;
mod optimizer;
mod pairs;
mod pickle;
pub mod pth;
pub mod safetensors;
mod save;
mod state_dict;
mod tensors;
mod value;

pub use error::{Error, Result};
pub use extract::FromValue;
pub use save::Save;
pub use tensors::{LoadOptions, load, load_with, save};
pub use value::{Dict, DictKind, Key, RawTensor, Value};

/// The dictionary of [`dict!`], whose tensors are of one type even where it has no entries.
#[doc(hidden)]
pub fn dict_of<const N: usize>(
    items: [(Value<flambeau_autograd::Tensor>, Value<flambeau_autograd::Tensor>); N],
) -> Value<flambeau_autograd::Tensor> {
    Value::from_items(items)
}
