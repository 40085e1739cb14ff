//! Images of noise, for trying a program out.

use super::options::{DatasetOptions, Transforms};
use crate::error::{Error, Result};
use crate::options::Integers;
use crate::transforms::{ToPILImage, Transform};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{Tensor, ops};
use flambeau_data::Dataset;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device};

/// How many images [`FakeData`] has, and of which kind.
pub struct Fake {
    size: usize,
    image_size: Vec<i64>,
    num_classes: i64,
    random_offset: usize,
}

/// The options of [`FakeData`].
pub type FakeOptions = DatasetOptions<Fake>;

impl FakeOptions {
    /// How many images. Default: 1000.
    #[must_use]
    pub fn size(mut self, size: impl Int) -> Self {
        self.own.size = size.to_usize();
        self
    }

    /// Channels, height and width. Default: (3, 224, 224).
    #[must_use]
    pub fn image_size(mut self, image_size: impl Integers) -> Self {
        self.own.image_size = image_size.integers();
        self
    }

    /// How many classes. Default: 10.
    #[must_use]
    pub fn num_classes(mut self, num_classes: impl Int) -> Self {
        self.own.num_classes = num_classes.to_i64();
        self
    }

    /// What is added to an image's number to be its seed. Default: 0.
    #[must_use]
    pub fn random_offset(mut self, random_offset: impl Int) -> Self {
        self.own.random_offset = random_offset.to_usize();
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
    fake: Fake,
    image_size: [usize; 3],
    transforms: Transforms,
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
        let default = Fake { size: 1000, image_size: vec![3, 224, 224], num_classes: 10, random_offset: 0 };
        let DatasetOptions { transforms, own: fake } = options(DatasetOptions::of(default));
        let numbers: Option<Vec<usize>> = fake.image_size.iter().map(|&n| usize::try_from(n).ok()).collect();
        let image_size = numbers.and_then(|numbers| numbers.try_into().ok());
        let image_size = image_size.unwrap_or_else(|| panic!("image_size is (channels, height, width)"));
        FakeData { fake, image_size, transforms }
    }

    fn read(&self, index: usize) -> Result<(Tensor, i64)> {
        if index >= self.fake.size {
            return Err(Error::Value("FakeData index out of range".into()));
        }
        let generator = Generator::new().manual_seed(index.wrapping_add(self.fake.random_offset) as u64);
        let noise = ops::randn(&self.image_size, DType::F32, Device::Cpu, Some(&generator))?;
        let label = ops::randint(0, self.fake.num_classes, &[1], DType::I64, Device::Cpu, Some(&generator))?;
        self.transforms.sample(ToPILImage::new().apply(noise)?, label.item() as i64)
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
