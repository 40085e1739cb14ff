//! torchvision's everyday parts: image datasets, transforms, models, operations on boxes, image files, pictures of results.
//!
//! | Module | What it has |
//! |---|---|
//! | [`datasets`] | MNIST and its kin, CIFAR, STL10, folders of images, digits that need no download |
//! | [`transforms`] | what is done to images and tensors before they are samples |
//! | [`models`] | AlexNet to Swin, with torchvision's names, initial numbers and state dicts |
//! | [`ops`] | boxes, regions, and the blocks of models |
//! | [`io`] | PNG and JPEG files to tensors and back |
//! | [`utils`] | grids of images, boxes, masks and points drawn on them |

// The derive finds the facade among the dependencies of this crate's tests, and names layers as `torch::nn`.
extern crate self as torch;
use flambeau_nn as nn;

pub mod datasets;
mod error;
mod image;
pub mod io;
pub mod models;
pub mod ops;
mod options;
mod sequential;
pub mod transforms;
pub mod utils;

pub use error::{Error, Result};
pub use image::{Image, Mode};
/// What arguments and setters take.
pub use options::{Integers, Numbers, Setting};
