//! Image data sets, as `torchvision.datasets` has them: where their files come from and what the files hold.
//!
//! | Module | What it does |
//! |---|---|
//! | [`idx`] | reads the IDX format of MNIST's files, plain or gzip |
//! | [`download`] | fetches one file over several mirrors, with checksum, resume and progress bar |
//! | [`mnist_files`] | knows the files of MNIST and FashionMNIST: finds, downloads and loads them |
//! | [`synthetic_digits`] | draws MNIST-like digits from strokes: a data set that needs no file and no network |
//!
//! [`MNIST`], [`FashionMNIST`] and [`SyntheticDigits`] are the data sets that users name.

mod digits;
pub mod download;
pub mod idx;
pub mod mnist_files;
pub mod synthetic_digits;

pub use digits::{FashionMNIST, MNIST, MnistOptions, SyntheticDigits, SyntheticDigitsOptions};
