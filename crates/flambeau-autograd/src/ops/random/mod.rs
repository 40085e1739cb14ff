//! Random numbers, from PyTorch's streams.

pub(crate) mod device_samples;
pub(crate) mod dropout;
pub(crate) mod in_place;

pub use dropout::*;

flambeau_macros::operations! { dropout { multinomial } }
