//! torchvision's everyday parts: image datasets, transforms, image files, pictures of results.
//!
//! | Module | What it has |
//! |---|---|
//! | [`datasets`] | MNIST and its kin, CIFAR, STL10, folders of images, digits that need no download |
//! | [`transforms`] | what is done to images and tensors before they are samples |
//! | [`io`] | PNG and JPEG files to tensors and back |
//! | [`utils`] | grids of images, boxes, masks and points drawn on them |

pub mod datasets;
mod error;
mod image;
pub mod io;
mod options;
pub mod transforms;
pub mod utils;

pub use error::{Error, Result};
pub use image::{Image, Mode};
/// What arguments and setters take.
pub use options::{Integers, Numbers, Setting};
