//! torchvision's everyday parts: image datasets, transforms, models, operations on boxes.
//!
//! | Module | What it has |
//! |---|---|
//! | [`datasets`] | MNIST, FashionMNIST, digits that need no download |
//! | [`models`] | AlexNet to Swin, with torchvision's names, initial numbers and state dicts |
//! | [`ops`] | boxes, regions, and the blocks of models |
//! | [`transforms`] | what turns images into tensors, and tensors into others |

// The derive finds the facade among the dependencies of this crate's tests, and names layers as `torch::nn`.
extern crate self as torch;
use flambeau_nn as nn;

pub mod datasets;
mod error;
pub mod models;
pub mod ops;
mod sequential;
pub mod transforms;

pub use error::{Error, Result};
