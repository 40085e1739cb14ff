//! The order in which samples are taken, with PyTorch's random streams.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::generator::{draw_seed, or_default, permutation};
use flambeau_autograd::arguments::{Int, Number};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, from_vec, ops, options};
use flambeau_tensor::random::{Generator, random_from_to_};
use std::iter::once_with;
use std::ops::Range;
use std::sync::Arc;

/// Numbers in the order in which they are drawn. Random numbers are drawn when the iterator is first asked, as by
/// PyTorch's samplers.
pub type Indices<'a, T = usize> = Box<dyn Iterator<Item = T> + Send + 'a>;

/// Says which samples to take, in which order: `torch.utils.data.Sampler`. With `T = Vec<usize>` it is a batch sampler.
pub trait Sampler<T = usize>: Send + Sync {
    /// One pass.
    fn iter(&self) -> Indices<'_, T>;

    /// How many a pass yields.
    fn len(&self) -> usize;

    /// Whether a pass yields none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Pointers to samplers.
macro_rules! pointers {
    ($($pointer:ident),+) => {$(
        impl<T, S: Sampler<T> + ?Sized> Sampler<T> for $pointer<S> {
            fn iter(&self) -> Indices<'_, T> {
                (**self).iter()
            }
            fn len(&self) -> usize {
                (**self).len()
            }
        }
    )+};
}
pointers!(Box, Arc);

/// What stands for a sampler: a [`Sampler`], or the numbers themselves, as a range, a `Vec` or an array; of a batch sampler the
/// batches, as a `Vec` of `Vec`s.
///
/// ```
/// use flambeau_data::{BatchSampler, Sampler};
/// let batches: Vec<Vec<usize>> = BatchSampler::new(0..5, 2, false).iter().collect();
/// assert_eq!(batches, [vec![0, 1], vec![2, 3], vec![4]]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no sampler",
    label = "a type that implements `Sampler`, a range or a list of numbers is expected here"
)]
pub trait IntoSampler<T = usize> {
    /// The sampler.
    #[track_caller]
    fn into_sampler(self) -> Box<dyn Sampler<T>>;
}

impl<T, S: Sampler<T> + 'static> IntoSampler<T> for S {
    fn into_sampler(self) -> Box<dyn Sampler<T>> {
        Box::new(self)
    }
}

/// Numbers, or batches, in the order of a list.
struct Listed<T>(Vec<T>);

impl<T: Clone + Send + Sync> Sampler<T> for Listed<T> {
    fn iter(&self) -> Indices<'_, T> {
        Box::new(self.0.iter().cloned())
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

#[track_caller]
fn listed<N: Int>(numbers: impl IntoIterator<Item = N>) -> Vec<usize> {
    let mut out = Vec::new();
    for number in numbers {
        out.push(number.to_usize());
    }
    out
}

/// Lists of numbers, by their type.
macro_rules! lists {
    ($([$($generics:tt)*] $list:ty;)+) => {$(
        impl<$($generics)*> IntoSampler for $list {
            fn into_sampler(self) -> Box<dyn Sampler> {
                Box::new(Listed(listed(self)))
            }
        }
    )+};
}
lists! {
    [N: Int] Vec<N>;
    [N: Int, const L: usize] [N; L];
    [] Range<usize>;
    [] Range<i64>;
    [] Range<i32>;
}

impl<N: Int> IntoSampler<Vec<usize>> for Vec<Vec<N>> {
    fn into_sampler(self) -> Box<dyn Sampler<Vec<usize>>> {
        let mut batches = Vec::new();
        for batch in self {
            batches.push(listed(batch));
        }
        Box::new(Listed(batches))
    }
}

/// 0, 1, 2, …: `torch.utils.data.SequentialSampler`.
#[derive(Clone, Copy, Debug)]
pub struct SequentialSampler(usize);

impl SequentialSampler {
    /// All samples of `dataset` in order.
    pub fn new(dataset: &impl Dataset) -> Self {
        Self::of(dataset.len())
    }

    pub(crate) fn of(samples: usize) -> Self {
        SequentialSampler(samples)
    }
}

impl Sampler for SequentialSampler {
    fn iter(&self) -> Indices<'_> {
        Box::new(0..self.0)
    }
    fn len(&self) -> usize {
        self.0
    }
}

/// A random order: `torch.utils.data.RandomSampler`. Without a generator each pass seeds one from the default generator.
#[derive(Clone, Debug)]
pub struct RandomSampler {
    samples: usize,
    options: RandomSamplerOptions,
}

/// Options of [`RandomSampler`].
#[derive(Clone, Debug, Default)]
pub struct RandomSamplerOptions {
    replacement: bool,
    num_samples: Option<i64>,
    generator: Option<Generator>,
}

impl RandomSamplerOptions {
    /// Whether a sample may come again. Default: false.
    #[must_use]
    pub fn replacement(mut self, replacement: bool) -> Self {
        self.replacement = replacement;
        self
    }

    /// How many samples a pass draws. Default: all.
    #[track_caller]
    #[must_use]
    pub fn num_samples(mut self, num_samples: impl Int) -> Self {
        self.num_samples = Some(num_samples.to_i64());
        self
    }

    /// The stream to draw from.
    #[must_use]
    pub fn generator(mut self, generator: &Generator) -> Self {
        self.generator = Some(generator.clone());
        self
    }
}

impl RandomSampler {
    /// All samples of `dataset` in a random order.
    ///
    /// # Panics
    /// When there is no sample.
    #[track_caller]
    pub fn new(dataset: &impl Dataset) -> Self {
        Self::with(dataset, |o| o)
    }

    /// Samples of `dataset` as the options say.
    ///
    /// # Panics
    /// When no sample is to be drawn.
    #[track_caller]
    pub fn with(dataset: &impl Dataset, options: impl FnOnce(RandomSamplerOptions) -> RandomSamplerOptions) -> Self {
        let sampler = RandomSampler { samples: dataset.len(), options: options(RandomSamplerOptions::default()) };
        let n = sampler.options.num_samples.unwrap_or(sampler.samples as i64);
        assert!(n > 0, "num_samples should be a positive integer value, but got num_samples={n}");
        sampler
    }

    /// All of so many samples, of which there is one at least.
    pub(crate) fn of(samples: usize, generator: Option<&Generator>) -> Self {
        RandomSampler {
            samples,
            options: RandomSamplerOptions { generator: generator.cloned(), ..RandomSamplerOptions::default() },
        }
    }

    /// The stream of one pass.
    fn stream(&self) -> Generator {
        match &self.options.generator {
            Some(g) => g.clone(),
            None => Generator::new().manual_seed(draw_seed(None).or_panic()),
        }
    }
}

/// How many numbers PyTorch draws at once with replacement.
const BLOCK: usize = 32;

impl Sampler for RandomSampler {
    fn iter(&self) -> Indices<'_> {
        let (n, wanted) = (self.samples, self.len());
        let block = if self.options.replacement { BLOCK } else { n };
        let blocks = move |generator: Generator| {
            // The last block is drawn even when nothing of it is used.
            (0..=wanted / block).flat_map(move |i| {
                let used = block.min(wanted - i * block);
                if self.options.replacement {
                    let mut drawn = vec![0_i64; used];
                    random_from_to_(&generator, &mut drawn, 0, Some(n as i64)).or_panic();
                    drawn.into_iter().map(|i| i as usize).collect::<Vec<_>>()
                } else {
                    let mut order = permutation(n, Some(&generator)).or_panic();
                    order.truncate(used);
                    order
                }
            })
        };
        Box::new(once_with(|| self.stream()).flat_map(blocks))
    }

    fn len(&self) -> usize {
        self.options.num_samples.map_or(self.samples, |n| n as usize)
    }
}

/// Given samples in a random order: `torch.utils.data.SubsetRandomSampler`.
#[derive(Clone, Debug)]
pub struct SubsetRandomSampler {
    indices: Vec<usize>,
    generator: Option<Generator>,
}

impl SubsetRandomSampler {
    /// These samples: `SubsetRandomSampler(indices)`.
    ///
    /// # Panics
    /// When an index is negative.
    #[track_caller]
    pub fn new<N: Int>(indices: impl IntoIterator<Item = N>) -> Self {
        Self::with(indices, |o| o)
    }

    /// With options: `generator`.
    ///
    /// # Panics
    /// When an index is negative.
    #[track_caller]
    pub fn with<N: Int>(
        indices: impl IntoIterator<Item = N>,
        options: impl FnOnce(SubsetRandomSamplerOptions) -> SubsetRandomSamplerOptions,
    ) -> Self {
        let SubsetRandomSamplerOptions { generator } = options(SubsetRandomSamplerOptions::default());
        SubsetRandomSampler { indices: listed(indices), generator }
    }
}

options! {
    /// Options of [`SubsetRandomSampler`].
    #[derive(Clone, Debug)]
    SubsetRandomSamplerOptions {
        /// The stream to draw from (the default generator).
        generator: Option<Generator> = None,
    }
}

impl Sampler for SubsetRandomSampler {
    fn iter(&self) -> Indices<'_> {
        let order = || permutation(self.indices.len(), self.generator.as_ref()).or_panic();
        Box::new(once_with(order).flatten().map(|i| self.indices[i]))
    }
    fn len(&self) -> usize {
        self.indices.len()
    }
}

/// Samples drawn in proportion to weights: `torch.utils.data.WeightedRandomSampler`.
#[derive(Clone, Debug)]
pub struct WeightedRandomSampler {
    weights: Vec<f64>,
    num_samples: usize,
    replacement: bool,
    generator: Option<Generator>,
}

options! {
    /// Options of [`WeightedRandomSampler`].
    #[derive(Clone, Debug)]
    WeightedRandomSamplerOptions {
        /// Whether a sample may come again (true).
        replacement: bool = true,
        /// The stream to draw from (the default generator).
        generator: Option<Generator> = None,
    }
}

/// Weights of samples: a list of numbers, or a tensor.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of weights",
    label = "a `Vec`, an array, a slice or a tensor of numbers is expected here"
)]
pub trait Weights {
    /// The numbers.
    ///
    /// # Panics
    /// When a tensor has not one dimension.
    #[track_caller]
    fn into_weights(self) -> Vec<f64>;
}

/// Lists of numbers, by their type.
macro_rules! weights {
    ($([$($generics:tt)*] $list:ty;)+) => {$(
        impl<$($generics)*> Weights for $list {
            fn into_weights(self) -> Vec<f64> {
                self.into_iter().map(|x| x.to_f64()).collect()
            }
        }
    )+};
}
weights! {
    [N: Number] Vec<N>;
    ['a, N: Number] &'a Vec<N>;
    ['a, N: Number] &'a [N];
    [N: Number, const L: usize] [N; L];
}

impl Weights for &Tensor {
    #[track_caller]
    fn into_weights(self) -> Vec<f64> {
        let shape = self.size();
        assert!(self.dim() == 1, "weights should be a 1d sequence but given weights have shape {}", tuple(&shape));
        self.detach().double().to_vec()
    }
}

impl Weights for Tensor {
    #[track_caller]
    fn into_weights(self) -> Vec<f64> {
        self.as_tensor().into_weights()
    }
}

/// A shape as Python shows a tuple.
fn tuple(shape: &[usize]) -> String {
    let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("({}{})", lengths.join(", "), if shape.len() == 1 { "," } else { "" })
}

impl WeightedRandomSampler {
    /// `num_samples` draws of 0..`weights.len()`, with replacement: `WeightedRandomSampler(weights, num_samples)`.
    ///
    /// # Panics
    /// As [`WeightedRandomSampler::with`].
    ///
    /// ```
    /// use flambeau_data::{Sampler, WeightedRandomSampler};
    /// let sampler = WeightedRandomSampler::new([0.0, 1.0, 0.0], 2);
    /// assert_eq!(sampler.iter().collect::<Vec<_>>(), [1, 1]);
    /// ```
    #[track_caller]
    pub fn new(weights: impl Weights, num_samples: impl Int) -> Self {
        Self::with(weights, num_samples, |o| o)
    }

    /// With options: `replacement`, `generator`.
    ///
    /// # Panics
    /// When no sample is to be drawn. A pass panics with PyTorch's words when a weight is negative or no number, all are zero, or
    /// more samples are drawn without replacement than there are.
    #[track_caller]
    pub fn with(
        weights: impl Weights,
        num_samples: impl Int,
        options: impl FnOnce(WeightedRandomSamplerOptions) -> WeightedRandomSamplerOptions,
    ) -> Self {
        let n = num_samples.to_i64();
        assert!(n > 0, "num_samples should be a positive integer value, but got num_samples={n}");
        let WeightedRandomSamplerOptions { replacement, generator } = options(WeightedRandomSamplerOptions::default());
        WeightedRandomSampler { weights: weights.into_weights(), num_samples: n as usize, replacement, generator }
    }

    #[track_caller]
    fn draw(&self) -> Vec<usize> {
        let weights = from_vec(self.weights.clone(), [self.weights.len()]);
        let generator = or_default(self.generator.as_ref()).or_panic();
        let drawn = ops::multinomial(&weights, self.num_samples, self.replacement, Some(&generator)).or_panic();
        drawn.to_vec::<i64>().into_iter().map(|i| i as usize).collect()
    }
}

impl Sampler for WeightedRandomSampler {
    fn iter(&self) -> Indices<'_> {
        Box::new(once_with(|| self.draw()).flatten())
    }
    fn len(&self) -> usize {
        self.num_samples
    }
}

/// Batches of another sampler's numbers: `torch.utils.data.BatchSampler`.
pub struct BatchSampler {
    sampler: Box<dyn Sampler>,
    batch_size: usize,
    drop_last: bool,
}

impl BatchSampler {
    /// Batches of `batch_size` of a sampler, or of the numbers themselves; the last, smaller one is left out with `drop_last`.
    ///
    /// # Panics
    /// When `batch_size` is not positive.
    #[track_caller]
    pub fn new(sampler: impl IntoSampler, batch_size: impl Int, drop_last: bool) -> Self {
        Self::boxed(sampler.into_sampler(), batch_size.to_i64(), drop_last).or_panic()
    }

    pub(crate) fn boxed(sampler: Box<dyn Sampler>, batch_size: i64, drop_last: bool) -> Result<Self> {
        if batch_size <= 0 {
            let text = format!("batch_size should be a positive integer value, but got batch_size={batch_size}");
            return Err(Error::Value(text));
        }
        Ok(BatchSampler { sampler, batch_size: batch_size as usize, drop_last })
    }
}

impl Sampler<Vec<usize>> for BatchSampler {
    fn iter(&self) -> Indices<'_, Vec<usize>> {
        let mut indices = self.sampler.iter();
        let next = move || {
            let batch: Vec<usize> = indices.by_ref().take(self.batch_size).collect();
            let whole = batch.len() == self.batch_size;
            (whole || !batch.is_empty() && !self.drop_last).then_some(batch)
        };
        Box::new(std::iter::from_fn(next))
    }
    fn len(&self) -> usize {
        match self.drop_last {
            true => self.sampler.len() / self.batch_size,
            false => self.sampler.len().div_ceil(self.batch_size),
        }
    }
}
