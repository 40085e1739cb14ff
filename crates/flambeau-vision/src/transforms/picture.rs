//! What transforms take: images, tensors, and what may be either, owned or borrowed.

use crate::error::{Error, Result};
use crate::image::Image;
use flambeau_autograd::Tensor;

/// An image or a tensor: what a list of steps passes on, whose types are not known before it runs.
#[derive(Debug)]
pub enum Sample {
    /// An image of bytes.
    Image(Image),
    /// A tensor `[…, c, h, w]`.
    Tensor(Tensor),
}

impl Sample {
    /// The tensor.
    ///
    /// # Errors
    /// When it is still an image.
    pub fn into_tensor(self) -> Result<Tensor> {
        self.try_into()
    }

    /// The image.
    ///
    /// # Errors
    /// When it is a tensor.
    pub fn into_image(self) -> Result<Image> {
        self.try_into()
    }
}

impl From<Image> for Sample {
    fn from(image: Image) -> Self {
        Sample::Image(image)
    }
}

impl From<Tensor> for Sample {
    fn from(tensor: Tensor) -> Self {
        Sample::Tensor(tensor)
    }
}

impl TryFrom<Sample> for Tensor {
    type Error = Error;
    fn try_from(sample: Sample) -> Result<Tensor> {
        match sample {
            Sample::Tensor(tensor) => Ok(tensor),
            Sample::Image(image) => Err(Error::Value(format!(
                "a tensor is expected, found {image:?}: put ToTensor or PILToTensor among the steps"
            ))),
        }
    }
}

impl TryFrom<Sample> for Image {
    type Error = Error;
    fn try_from(sample: Sample) -> Result<Image> {
        match sample {
            Sample::Image(image) => Ok(image),
            Sample::Tensor(_) => Err(Error::Value("pic should be PIL Image. Got <class 'torch.Tensor'>".into())),
        }
    }
}

/// An image or a tensor, borrowed.
#[derive(Clone, Copy)]
pub enum View<'a> {
    /// An image of bytes.
    Image(&'a Image),
    /// A tensor `[…, c, h, w]`.
    Tensor(&'a Tensor),
}

impl View<'_> {
    /// Channels, height and width: `functional.get_dimensions`.
    ///
    /// # Errors
    /// For tensors with fewer than two dimensions.
    pub fn dimensions(self) -> Result<[usize; 3]> {
        match self {
            View::Image(image) => Ok([image.bands(), image.height(), image.width()]),
            View::Tensor(x) => super::tensor::dimensions(x),
        }
    }
}

/// What every transform takes: an [`Image`], a [`Tensor`], a [`Sample`] (either), or a reference to one of them.
pub trait Picture: Sized {
    /// The same without the reference: what a step gives that keeps the kind.
    type Owned: Picture<Owned = Self::Owned, AsTensor = Self::AsTensor, AsImage = Self::AsImage> + 'static;
    /// What it is once it is a tensor.
    type AsTensor: Picture<Owned = Self::AsTensor> + 'static;
    /// What it is once it is an image.
    type AsImage: Picture<Owned = Self::AsImage> + 'static;

    /// A look at it.
    fn view(&self) -> View<'_>;

    /// Itself; a copy of an image and a second handle of a tensor where it is borrowed.
    fn keep(self) -> Self::Owned;

    /// As a sample, which may be either.
    fn into_sample(self) -> Sample;

    /// What one of the functions makes of it, which keep the kind.
    ///
    /// # Errors
    /// Those of the function.
    fn map(
        &self,
        image: impl FnOnce(&Image) -> Result<Image>,
        tensor: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Self::Owned>;

    /// A tensor, put where a tensor of it belongs.
    fn wrap_tensor(tensor: Tensor) -> Self::AsTensor;

    /// An image, put where an image of it belongs.
    fn wrap_image(image: Image) -> Self::AsImage;
}

impl Picture for Image {
    type Owned = Image;
    type AsTensor = Tensor;
    type AsImage = Image;
    fn view(&self) -> View<'_> {
        View::Image(self)
    }
    fn keep(self) -> Image {
        self
    }
    fn into_sample(self) -> Sample {
        Sample::Image(self)
    }
    fn map(
        &self,
        image: impl FnOnce(&Image) -> Result<Image>,
        _tensor: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Image> {
        image(self)
    }
    fn wrap_tensor(tensor: Tensor) -> Tensor {
        tensor
    }
    fn wrap_image(image: Image) -> Image {
        image
    }
}

impl Picture for Tensor {
    type Owned = Tensor;
    type AsTensor = Tensor;
    type AsImage = Image;
    fn view(&self) -> View<'_> {
        View::Tensor(self)
    }
    fn keep(self) -> Tensor {
        self
    }
    fn into_sample(self) -> Sample {
        Sample::Tensor(self)
    }
    fn map(
        &self,
        _image: impl FnOnce(&Image) -> Result<Image>,
        tensor: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        tensor(self)
    }
    fn wrap_tensor(tensor: Tensor) -> Tensor {
        tensor
    }
    fn wrap_image(image: Image) -> Image {
        image
    }
}

impl Picture for Sample {
    type Owned = Sample;
    type AsTensor = Sample;
    type AsImage = Sample;
    fn view(&self) -> View<'_> {
        match self {
            Sample::Image(image) => View::Image(image),
            Sample::Tensor(tensor) => View::Tensor(tensor),
        }
    }
    fn keep(self) -> Sample {
        self
    }
    fn into_sample(self) -> Sample {
        self
    }
    fn map(
        &self,
        image: impl FnOnce(&Image) -> Result<Image>,
        tensor: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Sample> {
        match self {
            Sample::Image(x) => Ok(Sample::Image(image(x)?)),
            Sample::Tensor(x) => Ok(Sample::Tensor(tensor(x)?)),
        }
    }
    fn wrap_tensor(tensor: Tensor) -> Sample {
        Sample::Tensor(tensor)
    }
    fn wrap_image(image: Image) -> Sample {
        Sample::Image(image)
    }
}

impl<P: Picture> Picture for &P {
    type Owned = P::Owned;
    type AsTensor = P::AsTensor;
    type AsImage = P::AsImage;
    fn view(&self) -> View<'_> {
        P::view(self)
    }
    fn keep(self) -> P::Owned {
        let kept = self.map(|image| Ok(image.clone()), |x| Ok(x.shallow_clone()));
        kept.expect("nothing that can fail was done")
    }
    fn into_sample(self) -> Sample {
        match self.view() {
            View::Image(image) => Sample::Image(image.clone()),
            View::Tensor(x) => Sample::Tensor(x.shallow_clone()),
        }
    }
    fn map(
        &self,
        image: impl FnOnce(&Image) -> Result<Image>,
        tensor: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<P::Owned> {
        P::map(self, image, tensor)
    }
    fn wrap_tensor(tensor: Tensor) -> P::AsTensor {
        P::wrap_tensor(tensor)
    }
    fn wrap_image(image: Image) -> P::AsImage {
        P::wrap_image(image)
    }
}
