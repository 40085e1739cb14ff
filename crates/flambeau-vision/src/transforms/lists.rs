//! Steps made of lists of steps.

use super::draw;
use super::options::{ApplyOptions, ChoiceOptions};
use super::picture::{Picture, Sample};
use super::step::{Step, Transform, each_in_turn};
use crate::error::Result;

/// All steps of a list, or none of them: `torchvision.transforms.RandomApply`.
///
/// ```
/// use flambeau_vision::transforms::{self, RandomApply, ColorJitter, Transform};
/// use flambeau_autograd::rand;
///
/// let sometimes = RandomApply::with(transforms::steps![ColorJitter::with(|o| o.brightness(0.4).hue(0.1))], |o| o.p(0.8));
/// assert_eq!(sometimes.call(rand([3, 4, 4])).into_tensor().unwrap().size(), [3, 4, 4]);
/// ```
pub struct RandomApply {
    steps: Vec<Box<Step>>,
    p: f64,
}

impl RandomApply {
    /// With probability ½.
    pub fn new(transforms: Vec<Box<Step>>) -> Self {
        Self::with(transforms, |o| o)
    }

    /// With the option `p`.
    #[track_caller]
    pub fn with(transforms: Vec<Box<Step>>, options: impl FnOnce(ApplyOptions) -> ApplyOptions) -> Self {
        RandomApply { steps: transforms, p: options(ApplyOptions::default()).p }
    }
}

impl<P: Picture> Transform<P> for RandomApply {
    type Output = Sample;
    fn apply(&self, img: P) -> Result<Sample> {
        let sample = img.into_sample();
        if draw::no_chance(self.p)? { Ok(sample) } else { each_in_turn(&self.steps, sample) }
    }
}

/// All steps of a list in random order: `torchvision.transforms.RandomOrder`. torchvision shuffles by Python's `random`; here
/// it is a `torch.randperm` of the default generator.
pub struct RandomOrder {
    steps: Vec<Box<Step>>,
}

impl RandomOrder {
    /// The steps.
    pub fn new(transforms: Vec<Box<Step>>) -> Self {
        RandomOrder { steps: transforms }
    }
}

impl<P: Picture> Transform<P> for RandomOrder {
    type Output = Sample;
    fn apply(&self, img: P) -> Result<Sample> {
        let order = draw::randperm(self.steps.len())?;
        order.into_iter().try_fold(img.into_sample(), |sample, i| self.steps[i as usize].apply(sample))
    }
}

/// One step of a list: `torchvision.transforms.RandomChoice`. torchvision chooses by Python's `random`; here it is a
/// `torch.rand` of the default generator.
pub struct RandomChoice {
    steps: Vec<Box<Step>>,
    weights: Vec<f64>,
}

impl RandomChoice {
    /// Each step equally likely.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    pub fn new(transforms: Vec<Box<Step>>) -> Self {
        Self::with(transforms, |o| o)
    }

    /// With the option `p`, a weight for each step.
    ///
    /// # Panics
    /// When there are not as many weights as steps, or all are 0.
    #[track_caller]
    pub fn with(transforms: Vec<Box<Step>>, options: impl FnOnce(ChoiceOptions) -> ChoiceOptions) -> Self {
        let weights = options(ChoiceOptions::default()).p.unwrap_or_else(|| vec![1.0; transforms.len()]);
        assert!(weights.len() == transforms.len(), "The number of weights does not match the population");
        assert!(weights.iter().sum::<f64>() > 0.0, "Total of weights must be greater than zero");
        RandomChoice { steps: transforms, weights }
    }
}

impl<P: Picture> Transform<P> for RandomChoice {
    type Output = Sample;
    fn apply(&self, img: P) -> Result<Sample> {
        let mut left = draw::uniform([0.0, 1.0])? * self.weights.iter().sum::<f64>();
        let chosen = self.weights.iter().position(|w| {
            left -= w;
            left < 0.0
        });
        // A rounding error may leave a little beyond the last weight.
        let last = self.weights.iter().rposition(|&w| w > 0.0).unwrap_or(0);
        self.steps[chosen.unwrap_or(last)].apply(img.into_sample())
    }
}
