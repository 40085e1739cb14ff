//! Image data sets, as `torchvision.datasets` has them: where their files come from and what the files hold.
//!
//! | Module | What it does |
//! |---|---|
//! | [`idx`] | reads the IDX format of MNIST's files, plain or gzip |
//! | [`download`] | fetches one file over several mirrors, with checksum, resume and progress bar |
//! | [`mnist_files`] | knows the files of MNIST and its kin: finds, downloads and loads them |
//! | [`synthetic_digits`] | draws MNIST-like digits from strokes: a data set that needs no file and no network |
//!
//! The sets that users name give `(tensor, label)` samples; `transform` makes the tensor of an
//! [`Image`](crate::Image) ([`ToTensor`](crate::transforms::ToTensor) if nothing is said), `target_transform` changes labels.

mod archive;
mod cifar;
mod coco;
mod digits;
pub mod download;
mod emnist;
mod fake;
mod folder;
pub mod idx;
mod json;
mod labelled;
mod labelled_sets;
mod large_sets;
pub mod mnist_files;
mod options;
mod pickle;
mod pictures;
mod stl10;
pub mod synthetic_digits;

pub use cifar::{CIFAR10, CIFAR100};
pub use coco::{CocoCaptions, CocoDetection, CocoOptions};
pub use digits::{Drawn, FashionMNIST, KMNIST, MNIST, QMNIST, SyntheticDigits, SyntheticDigitsOptions};
pub use emnist::EMNIST;
pub use fake::{Fake, FakeData, FakeOptions};
pub use folder::{DatasetFolder, FolderOptions, IMG_EXTENSIONS, ImageFolder};
pub use labelled::{Archive, Choice, Fetched, LabelledImages, LabelledKind, Listing, Split};
pub use labelled_sets::*;
pub use large_sets::*;
pub use options::{DatasetOptions, Files, IntoTensor};
pub use stl10::{Folds, STL10, STL10Options};
