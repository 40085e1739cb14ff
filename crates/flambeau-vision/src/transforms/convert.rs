//! Steps between images and tensors, between dtypes, and to normalized values.

use super::attempt;
use super::options::{GrayscaleOptions, ImageOptions};
use super::picture::Picture;
use super::step::{GreyTable, Transform};
use super::tensor;
use crate::error::{Error, Result};
use crate::image::Mode;
use crate::options::Numbers;
use flambeau_autograd::{AsTensor, Tensor, ops};
use flambeau_tensor::DType;

/// An image to a tensor `[c, h, w]` of floats from 0 to 1: `torchvision.transforms.ToTensor`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToTensor;

impl ToTensor {
    /// The step, as Python writes it: `ToTensor()`.
    pub fn new() -> Self {
        ToTensor
    }
}

impl<P: Picture> Transform<P> for ToTensor {
    type Output = P::AsTensor;
    fn apply(&self, pic: P) -> Result<P::AsTensor> {
        Ok(P::wrap_tensor(attempt::to_tensor(pic.view())?))
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        before.is_none().then(|| std::array::from_fn(|v| v as f32 / 255.0))
    }
}

/// An image to a tensor `[c, h, w]` of its bytes: `torchvision.transforms.PILToTensor`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PILToTensor;

impl PILToTensor {
    /// The step, as Python writes it: `PILToTensor()`.
    pub fn new() -> Self {
        PILToTensor
    }
}

impl<P: Picture> Transform<P> for PILToTensor {
    type Output = P::AsTensor;
    fn apply(&self, pic: P) -> Result<P::AsTensor> {
        Ok(P::wrap_tensor(attempt::pil_to_tensor(pic.view())?))
    }
}

/// A tensor `[c, h, w]` of bytes, or of floats from 0 to 1, to an image: `torchvision.transforms.ToPILImage`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToPILImage {
    mode: Option<Mode>,
}

impl ToPILImage {
    /// An image of the mode that the channels say.
    pub fn new() -> Self {
        ToPILImage::default()
    }

    /// With the option `mode`.
    #[track_caller]
    pub fn with(options: impl FnOnce(ImageOptions) -> ImageOptions) -> Self {
        ToPILImage { mode: options(ImageOptions::default()).mode }
    }
}

impl<P: Picture> Transform<P> for ToPILImage {
    type Output = P::AsImage;
    fn apply(&self, pic: P) -> Result<P::AsImage> {
        Ok(P::wrap_image(attempt::to_pil_image(pic.view(), self.mode)?))
    }
}

/// An error for a step that takes tensors only.
fn not_an_image<T>() -> Result<T> {
    Err(Error::Value("img should be Tensor Image. Got <class 'PIL.Image.Image'>".into()))
}

/// A tensor in another dtype, in which white is white: `torchvision.transforms.ConvertImageDtype`.
#[derive(Clone, Copy, Debug)]
pub struct ConvertImageDtype {
    dtype: DType,
}

impl ConvertImageDtype {
    /// The step to `dtype`.
    pub fn new(dtype: DType) -> Self {
        ConvertImageDtype { dtype }
    }
}

impl<P: Picture> Transform<P> for ConvertImageDtype {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        img.map(|_| not_an_image(), |x| tensor::convert_image_dtype(x, self.dtype))
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        before.filter(|_| self.dtype == DType::F32)
    }
}

/// (x − mean) / std for each channel of a float tensor `[…, c, h, w]`: `torchvision.transforms.Normalize`.
#[derive(Clone, Debug)]
pub struct Normalize {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Normalize {
    /// One mean and one standard deviation per channel, or one for all: `Normalize::new([0.1307], [0.3081])`.
    ///
    /// # Panics
    /// When a standard deviation is 0 or there are none.
    #[track_caller]
    pub fn new(mean: impl Numbers, std: impl Numbers) -> Self {
        let normalize = Normalize { mean: mean.numbers(), std: std.numbers() };
        assert!(!normalize.mean.is_empty() && !normalize.std.is_empty(), "Normalize needs a mean and a std");
        assert!(
            normalize.std.iter().all(|&s| s as f32 != 0.0),
            "std evaluated to zero after conversion to torch.float32, leading to division by zero."
        );
        normalize
    }
}

impl<P: Picture> Transform<P> for Normalize {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        img.map(|_| not_an_image(), |x| attempt::normalize(x, &self.mean, &self.std))
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        match (&self.mean[..], &self.std[..]) {
            ([mean], [std]) => before.map(|values| values.map(|x| (x - *mean as f32) / *std as f32)),
            _ => None,
        }
    }
}

/// A tensor less a mean, times a matrix, as whitening needs it: `torchvision.transforms.LinearTransformation`.
#[derive(Debug)]
pub struct LinearTransformation {
    matrix: Tensor,
    mean: Tensor,
}

impl LinearTransformation {
    /// A matrix `[d, d]` and a mean `[d]`, for images of d = c · h · w values.
    ///
    /// # Panics
    /// When the sizes do not fit.
    #[track_caller]
    pub fn new(transformation_matrix: impl AsTensor, mean_vector: impl AsTensor) -> Self {
        let (matrix, mean) =
            (transformation_matrix.as_tensor().shallow_clone(), mean_vector.as_tensor().shallow_clone());
        let [rows, columns]: [usize; 2] = matrix.sizes();
        assert!(rows == columns, "transformation_matrix should be square. Got ({rows}, {columns}) rectangular matrix.");
        let n = mean.len();
        assert!(
            n == rows,
            "mean_vector should have the same length {n} as any one of the dimensions of the transformation_matrix \
             [({rows}, {columns})]"
        );
        LinearTransformation { matrix, mean }
    }
}

impl<P: Picture> Transform<P> for LinearTransformation {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        img.map(
            |_| not_an_image(),
            |x| {
                let [c, h, w] = tensor::dimensions(x)?;
                let (n, rows) = (c * h * w, self.matrix.size_dim(0));
                if n != rows {
                    return Err(Error::Value(format!(
                        "Input tensor and transformation matrix have incompatible shape.[{c} x {h} x {w}] != {rows}"
                    )));
                }
                let flat = x.reshape((-1, n)).sub(&self.mean);
                let matrix = ops::to_dtype(&self.matrix, flat.dtype())?;
                Ok(ops::mm(&flat, &matrix)?.view(&x.size()[..]))
            },
        )
    }
}

/// Black and white in 1 channel or 3: `torchvision.transforms.Grayscale`.
#[derive(Clone, Copy, Debug)]
pub struct Grayscale {
    channels: i64,
}

impl Grayscale {
    /// One channel.
    pub fn new() -> Self {
        Grayscale { channels: 1 }
    }

    /// With the option `num_output_channels`, 1 or 3.
    #[track_caller]
    pub fn with(options: impl FnOnce(GrayscaleOptions) -> GrayscaleOptions) -> Self {
        Grayscale { channels: options(GrayscaleOptions::default()).num_output_channels }
    }
}

impl Default for Grayscale {
    fn default() -> Self {
        Grayscale::new()
    }
}

impl<P: Picture> Transform<P> for Grayscale {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        attempt::rgb_to_grayscale(&img, self.channels)
    }
}
