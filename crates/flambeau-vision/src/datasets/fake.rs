//! Images of noise, for trying a program out.

use super::options::{DatasetOptions, IntoTensor};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::options::Integers;
use crate::transforms::{ToPILImage, Transform};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{Tensor, ops};
use flambeau_data::Dataset;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device};

/// How many images [`FakeData`] has, of which kind, and what makes samples of them.
pub struct FakeOptions {
    size: usize,
    image_size: Vec<i64>,
    num_classes: i64,
    random_offset: usize,
    set: DatasetOptions,
}

impl FakeOptions {
    /// How many images. Default: 1000.
    #[must_use]
    pub fn size(mut self, size: impl Int) -> Self {
        self.size = size.to_usize();
        self
    }

    /// Channels, height and width. Default: (3, 224, 224).
    #[must_use]
    pub fn image_size(mut self, image_size: impl Integers) -> Self {
        self.image_size = image_size.integers();
        self
    }

    /// How many classes. Default: 10.
    #[must_use]
    pub fn num_classes(mut self, num_classes: impl Int) -> Self {
        self.num_classes = num_classes.to_i64();
        self
    }

    /// What is added to an image's number to be its seed. Default: 0.
    #[must_use]
    pub fn random_offset(mut self, random_offset: impl Int) -> Self {
        self.random_offset = random_offset.to_usize();
        self
    }

    /// What makes a tensor of an image. Default: [`ToTensor`](crate::transforms::ToTensor).
    #[must_use]
    pub fn transform<T: Transform<Image> + 'static>(mut self, transform: T) -> Self
    where
        T::Output: IntoTensor,
    {
        self.set = self.set.transform(transform);
        self
    }

    /// What makes a sample's label of the one that is drawn. Default: nothing.
    #[must_use]
    pub fn target_transform(mut self, target_transform: impl Fn(i64) -> i64 + Send + Sync + 'static) -> Self {
        self.set = self.set.target_transform(target_transform);
        self
    }
}

/// Images of noise with random labels: `torchvision.datasets.FakeData`. Image i is always the same.
///
/// ```
/// use flambeau_data::Dataset;
/// use flambeau_vision::datasets::FakeData;
///
/// let set = FakeData::with(|o| o.size(8).image_size((3, 32, 24)).num_classes(2));
/// let (image, label) = set.get(7).unwrap();
/// assert_eq!((set.len(), image.size().to_vec()), (8, vec![3, 32, 24]));
/// assert!(label < 2);
/// ```
pub struct FakeData {
    fake: FakeOptions,
    image_size: [usize; 3],
}

impl FakeData {
    /// 1000 images `[3, 224, 224]` of 10 classes, as tensors between 0 and 1.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `size`, `image_size`, `num_classes`, `random_offset`, `transform`, `target_transform`.
    ///
    /// # Panics
    /// When the size of an image is not three numbers from 0.
    #[track_caller]
    pub fn with(options: impl FnOnce(FakeOptions) -> FakeOptions) -> Self {
        let fake = options(FakeOptions {
            size: 1000,
            image_size: vec![3, 224, 224],
            num_classes: 10,
            random_offset: 0,
            set: DatasetOptions::default(),
        });
        let numbers: Option<Vec<usize>> = fake.image_size.iter().map(|&n| usize::try_from(n).ok()).collect();
        let image_size = numbers.and_then(|numbers| numbers.try_into().ok());
        let image_size = image_size.unwrap_or_else(|| panic!("image_size is (channels, height, width)"));
        FakeData { fake, image_size }
    }

    fn read(&self, index: usize) -> Result<(Tensor, i64)> {
        if index >= self.fake.size {
            return Err(Error::Value("FakeData index out of range".into()));
        }
        let generator = Generator::new().manual_seed(index.wrapping_add(self.fake.random_offset) as u64);
        let noise = ops::randn(&self.image_size, DType::F32, Device::Cpu, Some(&generator))?;
        let label = ops::randint(0, self.fake.num_classes, &[1], DType::I64, Device::Cpu, Some(&generator))?;
        let label = label.item() as i64;
        let label = self.fake.set.target_transform.as_ref().map_or(label, |relabel| relabel(label));
        Ok((self.fake.set.transform.apply(ToPILImage::new().apply(noise)?)?, label))
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
