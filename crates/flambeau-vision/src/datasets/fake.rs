//! Images of noise, for trying a program out.

use super::options::{DatasetOptions, IntoTensor};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::options::options;
use crate::transforms::{Transform, functional};
use flambeau_autograd::{Tensor, ops};
use flambeau_data::Dataset;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device};

options! {
    /// Options of [`FakeData`] but for its transforms.
    FakeOptions {
        /// How many images (1000).
        size: usize = 1000,
        /// Channels, height and width (3, 224, 224).
        image_size: Vec<f64> = vec![3.0, 224.0, 224.0],
        /// How many classes (10).
        num_classes: i64 = 10,
        /// What is added to an image's number to be its seed (0).
        random_offset: usize = 0,
    }
}

/// Images of noise with random labels: `torchvision.datasets.FakeData`. Image i is always the same.
pub struct FakeData {
    fake: FakeOptions,
    image_size: [usize; 3],
    set: DatasetOptions,
}

impl FakeData {
    /// 1000 images `[3, 224, 224]` of 10 classes, as tensors between 0 and 1.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `size`, `image_size`, `num_classes`, `random_offset`.
    ///
    /// # Panics
    /// When the size of an image is not three numbers.
    #[track_caller]
    pub fn with(options: impl FnOnce(FakeOptions) -> FakeOptions) -> Self {
        let fake = options(FakeOptions::default());
        let [c, h, w] = fake.image_size[..] else { panic!("image_size is (channels, height, width)") };
        FakeData { fake, image_size: [c, h, w].map(|n| n as usize), set: DatasetOptions::default() }
    }

    /// With another transform than `ToTensor`.
    #[must_use]
    pub fn transform<T: Transform<Image> + 'static>(mut self, transform: T) -> Self
    where
        T::Output: IntoTensor,
    {
        self.set = self.set.transform(transform);
        self
    }

    /// With a function of the labels.
    #[must_use]
    pub fn target_transform(mut self, target_transform: impl Fn(i64) -> i64 + Send + Sync + 'static) -> Self {
        self.set = self.set.target_transform(target_transform);
        self
    }

    fn read(&self, index: usize) -> Result<(Tensor, i64)> {
        if index >= self.fake.size {
            return Err(Error::Value("FakeData index out of range".into()));
        }
        let generator = Generator::new().manual_seed((index + self.fake.random_offset) as u64);
        let noise = ops::randn(&self.image_size, DType::F32, Device::Cpu, Some(&generator))?;
        let label = ops::randint(0, self.fake.num_classes, &[1], DType::I64, Device::Cpu, Some(&generator))?;
        let label = label.item() as i64;
        let label = self.set.target_transform.as_ref().map_or(label, |relabel| relabel(label));
        Ok((self.set.transform.apply(functional::to_pil_image(noise))?, label))
    }
}

impl Dataset for FakeData {
    type Item = (Tensor, i64);
    fn len(&self) -> usize {
        self.fake.size
    }
    fn get(&self, index: usize) -> flambeau_data::Result<(Tensor, i64)> {
        Ok(self.read(index)?)
    }
}
