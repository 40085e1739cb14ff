//! What a transform is, and chains of them.

use super::picture::{Picture, Sample};
use crate::error::Result;
use crate::image::Image;
use flambeau_autograd::{OrPanic, Tensor};
use flambeau_tensor::DType;

/// What each grey value becomes, where a chain of transforms treats all pixels alike.
pub type GreyTable = [f32; 256];

/// A step from an image to a sample. A tuple of transforms is one, each step taking what the last one gave.
///
/// Most transforms of this crate are a step for every [`Picture`]: an image, a tensor, a [`Sample`], owned or borrowed. One's
/// own is one for the types that it takes.
pub trait Transform<Input>: Send + Sync {
    /// What the step makes.
    type Output;

    /// Transforms one sample.
    ///
    /// # Errors
    /// When the input does not have the shape or dtype that the step needs.
    fn apply(&self, input: Input) -> Result<Self::Output>;

    /// [`apply`](Self::apply), Python's `transform(img)`; an error panics at the caller's line.
    #[track_caller]
    fn call(&self, input: Input) -> Self::Output {
        self.apply(input).or_panic()
    }

    /// For steps that change each value of a one-channel image by itself: what becomes of each grey value, given what the
    /// steps before made of it (`None` at the start of the chain). `None` for any other step. A set may then make whole
    /// batches by looking values up.
    fn grey_table(&self, _before: Option<GreyTable>) -> Option<GreyTable> {
        None
    }
}

/// A step of a list, which takes images and tensors, and gives one of them.
pub type Step = dyn Transform<Sample, Output = Sample>;

/// A list of steps, `Vec<Box<Step>>`, of the transforms between the brackets: what [`Compose::new`],
/// [`RandomApply`](super::RandomApply), [`RandomChoice`](super::RandomChoice) and [`RandomOrder`](super::RandomOrder) take.
///
/// ```
/// use flambeau_vision::transforms::{self, CenterCrop, Compose, ToTensor};
///
/// let list = transforms::steps![CenterCrop::new(4), ToTensor];
/// assert_eq!(Compose::new(list).len(), 2);
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __transform_steps {
    ($($step:expr),* $(,)?) => {{
        let steps: ::std::vec::Vec<::std::boxed::Box<$crate::transforms::Step>> =
            ::std::vec![$(::std::boxed::Box::new($step)),*];
        steps
    }};
}
#[doc(inline)]
pub use crate::__transform_steps as steps;

/// Steps one after the other: `torchvision.transforms.Compose`, of a tuple or of a list.
///
/// A tuple knows its types, so that steps may give anything; a list, which can be made while the program runs, passes
/// [`Sample`]s on. `OnTensor` and `OnImage` put a step into a list that takes only the one.
///
/// ```
/// use flambeau_vision::transforms::{Compose, Normalize, Resize, ToTensor, Transform};
/// use flambeau_vision::{Image, Mode};
///
/// let image = Image::filled(Mode::L, (4, 4), &[255]);
/// let tuple = Compose((ToTensor, Normalize::new([0.5], [0.5])));
/// assert_eq!(tuple.call(&image).mean().item(), 1.0);
/// let list = Compose::new(vec![Box::new(Resize::new(2)), Box::new(ToTensor), Box::new(Normalize::new([0.5], [0.5]))]);
/// assert_eq!(list.call(&image).into_tensor().unwrap().size(), [1, 2, 2]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Compose<Steps>(
    /// A tuple or list of transforms.
    pub Steps,
);

impl Compose<Vec<Box<Step>>> {
    /// The steps of a list, in their order.
    pub fn new(steps: Vec<Box<Step>>) -> Self {
        Compose(steps)
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<Input, Steps: Transform<Input>> Transform<Input> for Compose<Steps> {
    type Output = Steps::Output;
    fn apply(&self, input: Input) -> Result<Steps::Output> {
        self.0.apply(input)
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        self.0.grey_table(before)
    }
}

/// What a list makes of anything that becomes a sample.
pub(crate) fn each_in_turn(steps: &[Box<Step>], sample: Sample) -> Result<Sample> {
    steps.iter().try_fold(sample, |sample, step| step.apply(sample))
}

impl<P: Picture> Transform<P> for Vec<Box<Step>> {
    type Output = Sample;
    fn apply(&self, input: P) -> Result<Sample> {
        each_in_turn(self, input.into_sample())
    }
    fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
        let mut table = before;
        for step in self {
            table = Some(step.grey_table(table)?);
        }
        table
    }
}

/// Tuples of one to ten steps.
macro_rules! tuples {
    ($first:ident $last:ident: $($step:ident $before:ident),*) => {
        impl<Input, $first: Transform<Input>, $($step: Transform<$before::Output>),*> Transform<Input>
            for ($first, $($step),*)
        {
            type Output = $last::Output;
            #[allow(non_snake_case)]
            fn apply(&self, input: Input) -> Result<Self::Output> {
                let ($first, $($step),*) = self;
                let x = $first.apply(input)?;
                $( let x = $step.apply(x)?; )*
                Ok(x)
            }
            #[allow(non_snake_case)]
            fn grey_table(&self, before: Option<GreyTable>) -> Option<GreyTable> {
                let ($first, $($step),*) = self;
                let table = $first.grey_table(before);
                $( let table = table.and_then(|table| $step.grey_table(Some(table))); )*
                table
            }
        }
    };
}
tuples!(A A:);
tuples!(A B: B A);
tuples!(A C: B A, C B);
tuples!(A D: B A, C B, D C);
tuples!(A E: B A, C B, D C, E D);
tuples!(A F: B A, C B, D C, E D, F E);
tuples!(A G: B A, C B, D C, E D, F E, G F);
tuples!(A H: B A, C B, D C, E D, F E, G F, H G);
tuples!(A I: B A, C B, D C, E D, F E, G F, H G, I H);
tuples!(A J: B A, C B, D C, E D, F E, G F, H G, I H, J I);

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

/// A tensor in another dtype, its values as they are. See [`ConvertImageDtype`](super::ConvertImageDtype) for one that keeps
/// white white.
impl Transform<Tensor> for DType {
    type Output = Tensor;
    fn apply(&self, x: Tensor) -> Result<Tensor> {
        Ok(flambeau_autograd::ops::to_dtype(&x, *self)?)
    }
}

/// A step for tensors, as a step of a list: `OnTensor(Lambda(|x: Tensor| x * 2.0))`. An image is an error.
#[derive(Clone, Copy, Debug)]
pub struct OnTensor<T>(
    /// The step.
    pub T,
);

impl<T: Transform<Tensor>> Transform<Sample> for OnTensor<T>
where
    Sample: From<T::Output>,
{
    type Output = Sample;
    fn apply(&self, input: Sample) -> Result<Sample> {
        Ok(self.0.apply(input.into_tensor()?)?.into())
    }
}

/// A step for images, as a step of a list. A tensor is an error.
#[derive(Clone, Copy, Debug)]
pub struct OnImage<T>(
    /// The step.
    pub T,
);

impl<T: Transform<Image>> Transform<Sample> for OnImage<T>
where
    Sample: From<T::Output>,
{
    type Output = Sample;
    fn apply(&self, input: Sample) -> Result<Sample> {
        Ok(self.0.apply(input.into_image()?)?.into())
    }
}
