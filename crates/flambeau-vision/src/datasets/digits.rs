//! Sets of 28×28 grey images with labels from 0 to 9: MNIST, FashionMNIST, and digits that need no file.

use super::download;
use super::mnist_files::{self, FASHION_MNIST, LabelledImages, MnistFiles, SIDE};
use super::synthetic_digits::generate_many;
use crate::image::{Image, Mode};
use crate::transforms::{GreyTable, ToTensor, Transform};
use flambeau_data::Dataset;
use crate::error::{Error, Result};
use flambeau_autograd::{Tensor, empty, from_slice};
use std::path::Path;

const PIXELS: usize = SIDE * SIDE;

type Step = Box<dyn Transform<Image, Output = Tensor>>;

/// Images and labels as bytes, and what makes samples of them.
struct Digits {
    images: LabelledImages,
    transform: Step,
    /// The transform as a table, where it treats all pixels alike; batches are then made without a tensor per image.
    table: Option<Box<GreyTable>>,
}

impl Digits {
    fn new(images: LabelledImages, transform: Step) -> Self {
        let table = transform.grey_table(None).map(Box::new);
        Digits { images, transform, table }
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
        Ok((self.transform.apply(image)?, i64::from(self.images.labels[index])))
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
        let labels: Vec<i64> = indices.iter().map(|&i| i64::from(self.images.labels[i])).collect();
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
digit_sets!(MNIST, FashionMNIST, SyntheticDigits);

/// How [`MNIST`] and [`FashionMNIST`] find and transform their images.
pub struct MnistOptions {
    download: bool,
    transform: Step,
    progress: bool,
}

impl MnistOptions {
    fn new() -> Self {
        MnistOptions { download: false, transform: Box::new(ToTensor), progress: true }
    }

    /// Whether to fetch the files when the folder does not have them. Default: false.
    #[must_use]
    pub fn download(mut self, download: bool) -> Self {
        self.download = download;
        self
    }

    /// What makes a tensor of an image. Default: [`ToTensor`].
    #[must_use]
    pub fn transform(mut self, transform: impl Transform<Image, Output = Tensor> + 'static) -> Self {
        self.transform = Box::new(transform);
        self
    }

    /// Whether a download shows its progress on standard error. Default: true.
    #[must_use]
    pub fn progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    fn load(self, files: &MnistFiles, root: &Path, train: bool) -> Result<Digits> {
        let paths = if self.download {
            let options = download::Options { progress: self.progress, ..Default::default() };
            files.find_or_download(root, train, &options)?
        } else {
            files.find(root, train)?
        };
        Ok(Digits::new(paths.load()?, self.transform))
    }
}

/// Handwritten digits: `torchvision.datasets.MNIST`. Samples are `(image [1, 28, 28] float32, label)`.
pub struct MNIST(Digits);

impl MNIST {
    /// The 60,000 training or 10,000 test images in the folder `root` (torchvision's layout, or the files themselves,
    /// gzip or not), as tensors between 0 and 1.
    ///
    /// # Errors
    /// When the folder does not have the files, or they are damaged.
    pub fn new(root: impl AsRef<Path>, train: bool) -> Result<Self> {
        Self::with(root, train, |o| o)
    }

    /// [`MNIST::new`] with options: `MNIST::with("data", true, |o| o.download(true))`.
    ///
    /// # Errors
    /// As [`MNIST::new`], and when a download fails.
    pub fn with(
        root: impl AsRef<Path>,
        train: bool,
        options: impl FnOnce(MnistOptions) -> MnistOptions,
    ) -> Result<Self> {
        options(MnistOptions::new()).load(&mnist_files::MNIST, root.as_ref(), train).map(MNIST)
    }
}

/// Pictures of clothes in MNIST's format: `torchvision.datasets.FashionMNIST`. Samples are `(image [1, 28, 28] float32,
/// label)`.
pub struct FashionMNIST(Digits);

impl FashionMNIST {
    /// The 60,000 training or 10,000 test images in the folder `root`, as [`MNIST::new`] finds them.
    ///
    /// # Errors
    /// As [`MNIST::new`].
    pub fn new(root: impl AsRef<Path>, train: bool) -> Result<Self> {
        Self::with(root, train, |o| o)
    }

    /// [`FashionMNIST::new`] with options.
    ///
    /// # Errors
    /// As [`MNIST::with`].
    pub fn with(
        root: impl AsRef<Path>,
        train: bool,
        options: impl FnOnce(MnistOptions) -> MnistOptions,
    ) -> Result<Self> {
        options(MnistOptions::new()).load(&FASHION_MNIST, root.as_ref(), train).map(FashionMNIST)
    }
}

/// Digits drawn by the library itself, which need no file and no network. Samples are `(image [1, 28, 28] float32,
/// label)`; image i of a seed is always the same.
pub struct SyntheticDigits(Digits);

/// How many images [`SyntheticDigits`] draws, from which seed, and what makes tensors of them.
pub struct SyntheticDigitsOptions {
    seed: u64,
    length: usize,
    transform: Step,
}

impl SyntheticDigitsOptions {
    /// The seed of the drawings. Default: 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many images. Default: MNIST's 60,000 for training and 10,000 to test.
    #[must_use]
    pub fn length(mut self, length: usize) -> Self {
        self.length = length;
        self
    }

    /// What makes a tensor of an image. Default: [`ToTensor`].
    #[must_use]
    pub fn transform(mut self, transform: impl Transform<Image, Output = Tensor> + 'static) -> Self {
        self.transform = Box::new(transform);
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
        let options = options(SyntheticDigitsOptions { seed: 0, length, transform: Box::new(ToTensor) });
        let (pixels, labels) = generate_many(options.seed, train, 0..options.length as u64);
        SyntheticDigits(Digits::new(LabelledImages { pixels, labels }, options.transform))
    }
}
