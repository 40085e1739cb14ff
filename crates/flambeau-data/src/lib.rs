//! Datasets, samplers, loaders and transforms: torch.utils.data and torchvision's parts for flambeau.

mod error;
#[cfg(feature = "vision")]
pub mod vision;

pub use error::{Error, Result};
