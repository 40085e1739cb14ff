//! What every data set can be told: how images and labels are transformed, and where files come from.

use crate::datasets::download;
use crate::error::Result;
use crate::image::Image;
use crate::transforms::{GreyTable, Sample, ToTensor, Transform};
use flambeau_autograd::Tensor;

/// From an image to a sample's tensor.
pub(super) type Step = Box<dyn Transform<Image, Output = Tensor>>;
/// From a label to a sample's label.
pub(super) type Relabel = Option<Box<dyn Fn(i64) -> i64 + Send + Sync>>;

/// What a transform may give that becomes a sample of a data set: a tensor, or what a list of steps gives if it is one.
pub trait IntoTensor {
    /// The tensor.
    ///
    /// # Errors
    /// When it is still an image.
    fn into_tensor(self) -> Result<Tensor>;
}

impl IntoTensor for Tensor {
    fn into_tensor(self) -> Result<Tensor> {
        Ok(self)
    }
}

impl IntoTensor for Sample {
    fn into_tensor(self) -> Result<Tensor> {
        Sample::into_tensor(self)
    }
}

/// A transform whose result is taken as a tensor.
pub(super) struct ToTensors<T>(pub(super) T);

impl<T: Transform<Image>> Transform<Image> for ToTensors<T>
where
    T::Output: IntoTensor,
{
    type Output = Tensor;
    fn apply(&self, image: Image) -> Result<Tensor> {
        self.0.apply(image)?.into_tensor()
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        self.0.grey_table(before)
    }
}

/// What makes samples of a data set's images and labels.
pub(super) struct Transforms {
    pub(super) image: Step,
    pub(super) target: Relabel,
}

impl Transforms {
    pub(super) fn label(&self, label: i64) -> i64 {
        self.target.as_ref().map_or(label, |relabel| relabel(label))
    }

    pub(super) fn sample(&self, image: Image, label: i64) -> Result<(Tensor, i64)> {
        Ok((self.image.apply(image)?, self.label(label)))
    }
}

/// How a data set transforms its images, and what is its own: where its files come from, or how many images are drawn.
pub struct DatasetOptions<Own = Files> {
    pub(super) transforms: Transforms,
    pub(super) own: Own,
}

/// Whether a data set fetches its files.
pub struct Files {
    pub(super) download: bool,
    progress: bool,
}

impl Default for Files {
    fn default() -> Self {
        Files { download: false, progress: true }
    }
}

impl Files {
    pub(super) fn fetch(&self) -> download::Options {
        download::Options { progress: self.progress, ..Default::default() }
    }
}

impl AsMut<Files> for Files {
    fn as_mut(&mut self) -> &mut Files {
        self
    }
}

impl<Own: Default> Default for DatasetOptions<Own> {
    fn default() -> Self {
        Self::of(Own::default())
    }
}

impl<Own> DatasetOptions<Own> {
    pub(super) fn of(own: Own) -> Self {
        DatasetOptions { transforms: Transforms { image: Box::new(ToTensor), target: None }, own }
    }

    /// What makes a tensor of an image: a tuple or list of transforms, a transform. Default: [`ToTensor`].
    #[must_use]
    pub fn transform<T: Transform<Image> + 'static>(mut self, transform: T) -> Self
    where
        T::Output: IntoTensor,
    {
        self.transforms.image = Box::new(ToTensors(transform));
        self
    }

    /// What makes a sample's label of the set's. Default: nothing.
    #[must_use]
    pub fn target_transform(mut self, target_transform: impl Fn(i64) -> i64 + Send + Sync + 'static) -> Self {
        self.transforms.target = Some(Box::new(target_transform));
        self
    }
}

impl<Own: AsMut<Files>> DatasetOptions<Own> {
    /// Whether to fetch the files when the folder does not have them. Default: false.
    #[must_use]
    pub fn download(mut self, download: bool) -> Self {
        self.own.as_mut().download = download;
        self
    }

    /// Whether a download shows its progress on standard error. Default: true.
    #[must_use]
    pub fn progress(mut self, progress: bool) -> Self {
        self.own.as_mut().progress = progress;
        self
    }
}
