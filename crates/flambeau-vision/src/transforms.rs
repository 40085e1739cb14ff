//! What is done to an image before it is a sample: `torchvision.transforms`.

use crate::error::{Error, Result};
use flambeau_autograd::{Tensor, from_vec, ops};
use flambeau_tensor::DType;

/// A grey image of bytes, as its file holds it: what torchvision's data sets pass to their transforms as a `PIL.Image` of
/// mode `L`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Grey values row by row, 0 to 255.
    pub pixels: Vec<u8>,
}

/// What each grey value becomes, where a chain of transforms treats all pixels alike.
pub type GreyTable = [f32; 256];

/// A step from an image to a sample. A tuple of transforms is one, each step taking what the last one gave.
pub trait Transform<Input>: Send + Sync {
    /// What the step makes.
    type Output;

    /// Transforms one sample.
    ///
    /// # Errors
    /// When the input does not have the shape or dtype that the step needs.
    fn apply(&self, input: Input) -> Result<Self::Output>;

    /// For steps that change each value of a one-channel image by itself: what becomes of each grey value, given what the
    /// steps before made of it (`None` at the start of the chain). `None` for any other step. A set may then make whole
    /// batches by looking values up.
    fn grey_table(&self, _before: Option<GreyTable>) -> Option<GreyTable> {
        None
    }
}

/// Bytes `[h, w]` to a float32 tensor `[1, h, w]` of values between 0 and 1: `torchvision.transforms.ToTensor`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToTensor;

impl Transform<Image> for ToTensor {
    type Output = Tensor;
    fn apply(&self, image: Image) -> Result<Tensor> {
        let values: Vec<f32> = image.pixels.iter().map(|&v| f32::from(v) / 255.0).collect();
        Ok(from_vec(values, [1, image.height, image.width]))
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        before.is_none().then(|| std::array::from_fn(|v| v as f32 / 255.0))
    }
}

/// (x − mean) / std for each channel of a tensor `[…, c, h, w]`: `torchvision.transforms.Normalize`.
#[derive(Clone, Debug)]
pub struct Normalize {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Normalize {
    /// One mean and one standard deviation per channel, or one for all: `Normalize::new([0.1307], [0.3081])`.
    ///
    /// # Panics
    /// When a standard deviation is 0 or there are none.
    #[track_caller]
    pub fn new(mean: impl IntoIterator<Item = f64>, std: impl IntoIterator<Item = f64>) -> Self {
        let floats = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x as f32).collect::<Vec<_>>();
        let normalize = Normalize { mean: floats(&mut mean.into_iter()), std: floats(&mut std.into_iter()) };
        assert!(!normalize.mean.is_empty() && !normalize.std.is_empty(), "Normalize needs a mean and a std");
        assert!(
            !normalize.std.contains(&0.0),
            "std evaluated to zero after conversion to torch.float32, leading to division by zero."
        );
        normalize
    }
}

impl Transform<Tensor> for Normalize {
    type Output = Tensor;
    fn apply(&self, x: Tensor) -> Result<Tensor> {
        if !x.is_floating_point() {
            return Err(Error::Value(format!("Input tensor should be a float tensor. Got {}.", x.dtype())));
        }
        if x.dim() < 3 {
            let what = "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = ";
            return Err(Error::Value(format!("{what}{}", x.size())));
        }
        let column = |values: &[f32]| -> Result<Tensor> {
            Ok(ops::to_dtype(&from_vec(values.to_vec(), [values.len(), 1, 1]), x.dtype())?)
        };
        Ok(ops::div(&ops::sub(&x, &column(&self.mean)?, 1)?, &column(&self.std)?)?)
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        match (&self.mean[..], &self.std[..]) {
            ([mean], [std]) => before.map(|values| values.map(|x| (x - mean) / std)),
            _ => None,
        }
    }
}

/// A tensor in another dtype: `torchvision.transforms.ConvertImageDtype` between floats.
impl Transform<Tensor> for DType {
    type Output = Tensor;
    fn apply(&self, x: Tensor) -> Result<Tensor> {
        Ok(ops::to_dtype(&x, *self)?)
    }
}

/// A function as a step: `torchvision.transforms.Lambda`.
#[derive(Clone, Copy, Debug)]
pub struct Lambda<F>(
    /// The function.
    pub F,
);

impl<Input, Output, F: Fn(Input) -> Output + Send + Sync> Transform<Input> for Lambda<F> {
    type Output = Output;
    fn apply(&self, input: Input) -> Result<Output> {
        Ok((self.0)(input))
    }
}

/// Steps one after the other: `torchvision.transforms.Compose`.
///
/// ```
/// use flambeau_vision::transforms::{Compose, Normalize, ToTensor};
///
/// let transform = Compose((ToTensor, Normalize::new([0.1307], [0.3081])));
/// # let _ = transform;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Compose<Steps>(
    /// A tuple of transforms.
    pub Steps,
);

impl<Input, Steps: Transform<Input>> Transform<Input> for Compose<Steps> {
    type Output = Steps::Output;
    fn apply(&self, input: Input) -> Result<Steps::Output> {
        self.0.apply(input)
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        self.0.grey_table(before)
    }
}

impl<Input, A: Transform<Input>> Transform<Input> for (A,) {
    type Output = A::Output;
    fn apply(&self, input: Input) -> Result<A::Output> {
        self.0.apply(input)
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        self.0.grey_table(before)
    }
}

impl<Input, A: Transform<Input>, B: Transform<A::Output>> Transform<Input> for (A, B) {
    type Output = B::Output;
    fn apply(&self, input: Input) -> Result<B::Output> {
        self.1.apply(self.0.apply(input)?)
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        self.0.grey_table(before).and_then(|table| self.1.grey_table(Some(table)))
    }
}

impl<Input, A: Transform<Input>, B: Transform<A::Output>, C: Transform<B::Output>> Transform<Input> for (A, B, C) {
    type Output = C::Output;
    fn apply(&self, input: Input) -> Result<C::Output> {
        self.2.apply(self.1.apply(self.0.apply(input)?)?)
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        let table = self.0.grey_table(before).and_then(|table| self.1.grey_table(Some(table)));
        table.and_then(|table| self.2.grey_table(Some(table)))
    }
}
