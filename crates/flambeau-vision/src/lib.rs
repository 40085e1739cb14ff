//! torchvision's everyday parts: image datasets and transforms.
//!
//! | Module | What it has |
//! |---|---|
//! | [`datasets`] | MNIST, FashionMNIST, digits that need no download |
//! | [`transforms`] | what turns images into tensors, and tensors into others |

pub mod datasets;
mod error;
pub mod transforms;

pub use error::{Error, Result};
