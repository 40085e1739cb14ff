//! Sets of 28×28 grey images with labels from 0 to 9: MNIST, FashionMNIST, and digits that need no file.

use super::emnist::EMNIST;
use super::mnist_files::{self, LabelledImages, MnistFiles, SIDE, SplitPaths};
use super::options::{DatasetOptions, Transforms};
use super::synthetic_digits::generate_many;
use crate::error::{Error, Result};
use crate::image::{Image, Mode};
use crate::transforms::GreyTable;
use flambeau_autograd::{Tensor, empty, from_slice};
use flambeau_data::Dataset;
use std::path::Path;

const PIXELS: usize = SIDE * SIDE;

/// Images and labels as bytes, and what makes samples of them.
pub(super) struct Digits {
    images: LabelledImages,
    transforms: Transforms,
    /// The transform as a table, where it treats all pixels alike; batches are then made without a tensor per image.
    table: Option<Box<GreyTable>>,
}

impl Digits {
    pub(super) fn new(images: LabelledImages, transforms: Transforms) -> Self {
        let table = transforms.image.grey_table(None).map(Box::new);
        Digits { images, transforms, table }
    }

    fn label(&self, index: usize) -> i64 {
        self.transforms.label(i64::from(self.images.labels[index]))
    }

    fn len(&self) -> usize {
        self.images.labels.len()
    }

    fn pixels(&self, index: usize) -> Result<&[u8]> {
        let range = index * PIXELS..(index + 1) * PIXELS;
        let found = (index < self.len()).then(|| &self.images.pixels[range]);
        found.ok_or_else(|| {
            Error::Value(format!("index {index} is out of range for a dataset of {} samples", self.len()))
        })
    }

    fn get(&self, index: usize) -> Result<(Tensor, i64)> {
        let image = Image::new(Mode::L, (SIDE, SIDE), self.pixels(index)?.to_vec());
        self.transforms.sample(image, i64::from(self.images.labels[index]))
    }

    fn get_batch(&self, indices: &[usize]) -> Option<Result<(Tensor, Tensor)>> {
        self.table.as_ref().map(|table| self.look_up(table, indices))
    }

    fn look_up(&self, table: &GreyTable, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        let images = empty([indices.len(), 1, SIDE, SIDE]);
        let images = if images.dtype() == flambeau_tensor::DType::F32 { images } else { images.float() };
        {
            let mut values = images.as_slice_mut::<f32>();
            for (image, &index) in values.as_chunks_mut::<PIXELS>().0.iter_mut().zip(indices) {
                image.iter_mut().zip(self.pixels(index)?).for_each(|(x, &v)| *x = table[usize::from(v)]);
            }
        }
        let labels: Vec<i64> = indices.iter().map(|&i| self.label(i)).collect();
        Ok((images, from_slice(&labels, [indices.len()])))
    }

    fn data(&self) -> Tensor {
        from_slice(&self.images.pixels, [self.len(), SIDE, SIDE])
    }

    fn targets(&self) -> Tensor {
        let labels: Vec<i64> = self.images.labels.iter().map(|&l| i64::from(l)).collect();
        from_slice(&labels, [self.len()])
    }
}

/// What the sets below have in common: `(image [1, 28, 28] float32, label)` samples, and the raw bytes.
macro_rules! digit_sets {
    ($($set:ident),+) => {$(
        impl $set {
            /// All images as bytes `[n, 28, 28]` (uint8): `dataset.data`.
            pub fn data(&self) -> Tensor {
                self.0.data()
            }

            /// All labels `[n]` (int64): `dataset.targets`.
            pub fn targets(&self) -> Tensor {
                self.0.targets()
            }
        }

        impl Dataset for $set {
            type Item = (Tensor, i64);
            fn len(&self) -> usize {
                self.0.len()
            }
            fn get(&self, index: usize) -> flambeau_data::Result<(Tensor, i64)> {
                Ok(self.0.get(index)?)
            }
            fn get_batch(&self, indices: &[usize]) -> Option<flambeau_data::Result<(Tensor, Tensor)>> {
                Some(self.0.get_batch(indices)?.map_err(Into::into))
            }
        }
    )+};
}
digit_sets!(MNIST, FashionMNIST, KMNIST, EMNIST, QMNIST, SyntheticDigits);

impl DatasetOptions {
    fn load_digits(self, files: &MnistFiles, root: &Path, train: bool) -> Result<Digits> {
        let paths = self.find_digits(files, root, train)?;
        Ok(Digits::new(paths.load()?, self.transforms))
    }

    fn find_digits(&self, files: &MnistFiles, root: &Path, train: bool) -> Result<SplitPaths> {
        if self.own.download { files.find_or_download(root, train, &self.own.fetch()) } else { files.find(root, train) }
    }
}

/// The sets that only their files tell apart.
macro_rules! mnist_sets {
    ($($(#[$doc:meta])* $set:ident: $files:expr;)+) => {$(
        $(#[$doc])*
        pub struct $set(Digits);

        impl $set {
            /// The 60,000 training or 10,000 test images in the folder `root` (torchvision's layout, or the files
            /// themselves, gzip or not), as tensors between 0 and 1.
            ///
            /// # Errors
            /// When the folder does not have the files, or they are damaged.
            pub fn new(root: impl AsRef<Path>, train: bool) -> Result<Self> {
                Self::with(root, train, |o| o)
            }

            /// [`Self::new`] with options: `|o| o.download(true)`.
            ///
            /// # Errors
            /// As [`Self::new`], and when a download fails.
            pub fn with(
                root: impl AsRef<Path>,
                train: bool,
                options: impl FnOnce(DatasetOptions) -> DatasetOptions,
            ) -> Result<Self> {
                options(DatasetOptions::default()).load_digits(&$files, root.as_ref(), train).map($set)
            }
        }
    )+};
}
mnist_sets! {
    /// Handwritten digits: `torchvision.datasets.MNIST`. Samples are `(image [1, 28, 28] float32, label)`.
    MNIST: mnist_files::MNIST;
    /// Pictures of clothes in MNIST's format: `torchvision.datasets.FashionMNIST`. Samples are
    /// `(image [1, 28, 28] float32, label)`.
    FashionMNIST: mnist_files::FASHION_MNIST;
    /// Characters of old Japanese in MNIST's format: `torchvision.datasets.KMNIST`. Samples are
    /// `(image [1, 28, 28] float32, label)`.
    KMNIST: mnist_files::KMNIST;
}

/// MNIST made anew with all 60,000 test images: `torchvision.datasets.QMNIST`. Samples are `(image [1, 28, 28] float32,
/// label)`.
pub struct QMNIST(Digits);

impl QMNIST {
    /// The images `"train"`, `"test"`, `"test10k"` (the first 10,000 of the test images) or `"test50k"` (the others) in
    /// the folder `root`, as [`MNIST::new`] finds them.
    ///
    /// # Errors
    /// As [`MNIST::new`], and for another word.
    pub fn new(root: impl AsRef<Path>, what: &str) -> Result<Self> {
        Self::with(root, what, |o| o)
    }

    /// [`QMNIST::new`] with options.
    ///
    /// # Errors
    /// As [`MNIST::with`], and for another word.
    pub fn with(
        root: impl AsRef<Path>,
        what: &str,
        options: impl FnOnce(DatasetOptions) -> DatasetOptions,
    ) -> Result<Self> {
        const FIRST: usize = 10_000;
        let (train, part) = match what {
            "train" => (true, 0..usize::MAX),
            "test" => (false, 0..usize::MAX),
            "test10k" => (false, 0..FIRST),
            "test50k" => (false, FIRST..usize::MAX),
            _ => {
                let words = "('train', 'test', 'test10k', 'test50k')";
                return Err(Error::Value(format!(
                    "Unknown value '{what}' for argument what. Valid values are {words}."
                )));
            }
        };
        let options = options(DatasetOptions::default());
        let paths = options.find_digits(&mnist_files::QMNIST, root.as_ref(), train)?;
        let LabelledImages { pixels, labels } = paths.load_census()?;
        let part = part.start.min(labels.len())..part.end.min(labels.len());
        let pixels = pixels[part.start * PIXELS..part.end * PIXELS].to_vec();
        Ok(QMNIST(Digits::new(LabelledImages { pixels, labels: labels[part].to_vec() }, options.transforms)))
    }
}

/// Digits drawn by the library itself, which need no file and no network. Samples are `(image [1, 28, 28] float32,
/// label)`; image i of a seed is always the same.
pub struct SyntheticDigits(Digits);

/// How many images [`SyntheticDigits`] draws, and from which seed.
pub struct Drawn {
    seed: u64,
    length: usize,
}

/// The options of [`SyntheticDigits`].
pub type SyntheticDigitsOptions = DatasetOptions<Drawn>;

impl SyntheticDigitsOptions {
    /// The seed of the drawings. Default: 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.own.seed = seed;
        self
    }

    /// How many images. Default: MNIST's 60,000 for training and 10,000 to test.
    #[must_use]
    pub fn length(mut self, length: usize) -> Self {
        self.own.length = length;
        self
    }
}

impl SyntheticDigits {
    /// As many training or test digits as MNIST has, as tensors between 0 and 1.
    pub fn new(train: bool) -> Self {
        Self::with(train, |o| o)
    }

    /// Digits as the options say: `SyntheticDigits::with(true, |o| o.seed(7).length(1000))`.
    pub fn with(train: bool, options: impl FnOnce(SyntheticDigitsOptions) -> SyntheticDigitsOptions) -> Self {
        let length = if train { 60_000 } else { 10_000 };
        let DatasetOptions { transforms, own } = options(DatasetOptions::of(Drawn { seed: 0, length }));
        let (pixels, labels) = generate_many(own.seed, train, 0..own.length as u64);
        SyntheticDigits(Digits::new(LabelledImages { pixels, labels }, transforms))
    }
}
