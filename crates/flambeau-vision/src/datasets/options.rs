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
struct ToTensors<T>(T);

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

/// How a data set finds and transforms its images.
pub struct DatasetOptions {
    pub(super) download: bool,
    pub(super) transform: Step,
    pub(super) target_transform: Relabel,
    pub(super) progress: bool,
}

impl Default for DatasetOptions {
    fn default() -> Self {
        DatasetOptions { download: false, transform: Box::new(ToTensor), target_transform: None, progress: true }
    }
}

impl DatasetOptions {
    /// Whether to fetch the files when the folder does not have them. Default: false.
    #[must_use]
    pub fn download(mut self, download: bool) -> Self {
        self.download = download;
        self
    }

    /// What makes a tensor of an image: a tuple or list of transforms, a transform. Default: [`ToTensor`].
    #[must_use]
    pub fn transform<T: Transform<Image> + 'static>(mut self, transform: T) -> Self
    where
        T::Output: IntoTensor,
    {
        self.transform = Box::new(ToTensors(transform));
        self
    }

    /// What makes a sample's label of a file's. Default: nothing.
    #[must_use]
    pub fn target_transform(mut self, target_transform: impl Fn(i64) -> i64 + Send + Sync + 'static) -> Self {
        self.target_transform = Some(Box::new(target_transform));
        self
    }

    /// Whether a download shows its progress on standard error. Default: true.
    #[must_use]
    pub fn progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    pub(super) fn fetch(&self) -> download::Options {
        download::Options { progress: self.progress, ..Default::default() }
    }
}
