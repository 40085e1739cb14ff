//! The order in which samples are taken, with PyTorch's random streams.

use crate::dataset::Dataset;
use crate::generator::{draw_seed, or_default, permutation};
use flambeau_autograd::OrPanic;
use flambeau_tensor::random::{Generator, exponential_, multinomial, random_from_to_};
use std::iter::once_with;

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
    num_samples: Option<usize>,
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
    #[must_use]
    pub fn num_samples(mut self, num_samples: usize) -> Self {
        self.num_samples = Some(num_samples);
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
        let n = sampler.len();
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
        self.options.num_samples.unwrap_or(self.samples)
    }
}

/// Given samples in a random order: `torch.utils.data.SubsetRandomSampler`.
#[derive(Clone, Debug)]
pub struct SubsetRandomSampler {
    indices: Vec<usize>,
    generator: Option<Generator>,
}

impl SubsetRandomSampler {
    /// These samples, in an order of the given generator or the default one.
    pub fn new(indices: impl IntoIterator<Item = usize>, generator: Option<&Generator>) -> Self {
        SubsetRandomSampler { indices: indices.into_iter().collect(), generator: generator.cloned() }
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

impl WeightedRandomSampler {
    /// `num_samples` draws of 0..`weights.len()`; `replacement` (PyTorch's default: true) says whether a sample may come
    /// again.
    ///
    /// # Panics
    /// When no sample is to be drawn, or more than there are without replacement. A pass panics with PyTorch's words when
    /// a weight is negative or no number, or all are zero.
    #[track_caller]
    pub fn new(
        weights: impl IntoIterator<Item = f64>,
        num_samples: usize,
        replacement: bool,
        generator: Option<&Generator>,
    ) -> Self {
        let weights: Vec<f64> = weights.into_iter().collect();
        assert!(num_samples > 0, "num_samples should be a positive integer value, but got num_samples={num_samples}");
        assert!(
            replacement || num_samples <= weights.len(),
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        );
        WeightedRandomSampler { weights, num_samples, replacement, generator: generator.cloned() }
    }

    fn draw(&self) -> Vec<usize> {
        let generator = or_default(self.generator.as_ref()).or_panic();
        let weights = &self.weights;
        if self.replacement && self.num_samples > 1 {
            let mut out = vec![0_i64; self.num_samples];
            multinomial(&generator, weights, weights.len(), &mut out).or_panic();
            return out.into_iter().map(|i| i as usize).collect();
        }
        let valid = weights.iter().all(|w| w.is_finite() && *w >= 0.0);
        assert!(valid, "probability tensor contains either `inf`, `nan` or element < 0");
        assert!(weights.iter().sum::<f64>() > 0.0, "invalid multinomial distribution (sum of probabilities <= 0)");
        // PyTorch's way without replacement: the largest of weight / Exp(1).
        let mut race = vec![0.0_f64; weights.len()];
        exponential_(&generator, &mut race, 1.0).or_panic();
        race.iter_mut().zip(weights).for_each(|(q, w)| *q = w / *q);
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|&a, &b| race[b].total_cmp(&race[a]));
        order.truncate(self.num_samples);
        order
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
    /// Batches of `batch_size`; the last, smaller one is left out with `drop_last`.
    ///
    /// # Panics
    /// When `batch_size` is 0.
    #[track_caller]
    pub fn new(sampler: impl Sampler + 'static, batch_size: usize, drop_last: bool) -> Self {
        Self::boxed(Box::new(sampler), batch_size, drop_last)
    }

    #[track_caller]
    pub(crate) fn boxed(sampler: Box<dyn Sampler>, batch_size: usize, drop_last: bool) -> Self {
        assert!(batch_size > 0, "batch_size should be a positive integer value, but got batch_size={batch_size}");
        BatchSampler { sampler, batch_size, drop_last }
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
