//! What a loader is made with.

use super::workers::Team;
use super::{DataLoader, Feed};
use crate::collate::Collate;
use crate::error::{Error, Result};
use crate::iterable::{Plan, Samples};
use crate::sampler::{BatchSampler, RandomSampler, Sampler, SequentialSampler};
use flambeau_autograd::arguments::Number;
use flambeau_tensor::random::Generator;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Options of [`DataLoader`] under PyTorch's names.
pub struct DataLoaderOptions<D, B, K> {
    batch_size: Option<usize>,
    shuffle: bool,
    drop_last: bool,
    sampler: Option<Box<dyn Sampler>>,
    batch_sampler: Option<Box<dyn Sampler<Vec<usize>>>>,
    num_workers: usize,
    prefetch_factor: Option<usize>,
    persistent_workers: bool,
    timeout: f64,
    team: Team,
    generator: Option<Generator>,
    plan: Plan<D, B>,
    kind: PhantomData<K>,
}

impl<D: Samples<K>, K> DataLoaderOptions<D, <D::Sample as Collate>::Batch, K>
where
    D::Sample: Collate + 'static,
    <D::Sample as Collate>::Batch: 'static,
{
    pub(super) fn new() -> Self {
        DataLoaderOptions {
            batch_size: None,
            shuffle: false,
            drop_last: false,
            sampler: None,
            batch_sampler: None,
            num_workers: 0,
            prefetch_factor: None,
            persistent_workers: false,
            timeout: 0.0,
            team: Team { prefetch_factor: 2, in_order: true, timeout: None, init: None },
            generator: None,
            plan: D::plan(),
            kind: PhantomData,
        }
    }
}

impl<D: Samples<K>, B, K> DataLoaderOptions<D, B, K> {
    /// Samples per batch. Default: 1.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = Some(batch_size);
        self
    }

    /// Whether each pass has a new random order. Default: false.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Whether to leave a last, smaller batch out. Default: false.
    #[must_use]
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// The order of the samples, in place of `shuffle`.
    #[must_use]
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Some(Box::new(sampler));
        self
    }

    /// The batches, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
    #[must_use]
    pub fn batch_sampler(mut self, sampler: impl Sampler<Vec<usize>> + 'static) -> Self {
        self.batch_sampler = Some(Box::new(sampler));
        self
    }

    /// How many threads make batches ahead; 0 makes each when it is asked for. Default: 0.
    #[must_use]
    pub fn num_workers(mut self, num_workers: usize) -> Self {
        self.num_workers = num_workers;
        self
    }

    /// How many batches each worker makes ahead. Default: 2.
    #[must_use]
    pub fn prefetch_factor(mut self, prefetch_factor: usize) -> Self {
        self.prefetch_factor = Some(prefetch_factor);
        self
    }

    /// Called in each worker with its number before it makes the first batch of a pass; a panic is the first batch's error.
    #[must_use]
    pub fn worker_init_fn(mut self, init: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.team.init = Some(Arc::new(init));
        self
    }

    /// Accepted as PyTorch's, which keeps its worker processes between passes. Workers are threads here and start in
    /// microseconds: each pass has its own. Default: false.
    #[must_use]
    pub fn persistent_workers(mut self, persistent_workers: bool) -> Self {
        self.persistent_workers = persistent_workers;
        self
    }

    /// How many seconds a batch of the workers is waited for; 0 is forever. Default: 0.
    #[must_use]
    pub fn timeout(mut self, seconds: impl Number) -> Self {
        self.timeout = seconds.to_f64();
        self
    }

    /// Whether batches of several workers come in the order in which they were asked for, or as they are ready. Default: true.
    #[must_use]
    pub fn in_order(mut self, in_order: bool) -> Self {
        self.team.in_order = in_order;
        self
    }

    /// Accepted as PyTorch's; host memory has no other kind here. Default: false.
    #[must_use]
    pub fn pin_memory(self, _pin_memory: bool) -> Self {
        self
    }

    /// The stream that shuffles, in place of the default generator.
    #[must_use]
    pub fn generator(mut self, generator: &Generator) -> Self {
        self.generator = Some(generator.clone());
        self
    }

    /// How samples become a batch, in place of [`Collate`].
    #[must_use]
    pub fn collate_fn<C: 'static>(
        self,
        collate: impl Fn(Vec<D::Sample>) -> C + Send + Sync + 'static,
    ) -> DataLoaderOptions<D, C, K> {
        DataLoaderOptions {
            batch_size: self.batch_size,
            shuffle: self.shuffle,
            drop_last: self.drop_last,
            sampler: self.sampler,
            batch_sampler: self.batch_sampler,
            num_workers: self.num_workers,
            prefetch_factor: self.prefetch_factor,
            persistent_workers: self.persistent_workers,
            timeout: self.timeout,
            team: self.team,
            generator: self.generator,
            plan: D::collated(Arc::new(move |samples| Ok(collate(samples)))),
            kind: PhantomData,
        }
    }

    /// PyTorch's words for options that exclude each other.
    fn fault(&self) -> Option<String> {
        let iterable = matches!(self.plan, Plan::Iterable(_));
        let text = match () {
            () if self.num_workers == 0 && self.prefetch_factor.is_some() => {
                "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable \
                 multiprocessing, otherwise set prefetch_factor to None."
            }
            () if self.timeout < 0.0 => "timeout option should be non-negative",
            () if self.persistent_workers && self.num_workers == 0 => "persistent_workers option needs num_workers > 0",
            () if iterable && self.shuffle => {
                "DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle=True"
            }
            () if iterable && self.sampler.is_some() => {
                "DataLoader with IterableDataset: expected unspecified sampler option, but got a sampler"
            }
            () if iterable && self.batch_sampler.is_some() => {
                "DataLoader with IterableDataset: expected unspecified batch_sampler option, but got a batch_sampler"
            }
            () if self.sampler.is_some() && self.shuffle => "sampler option is mutually exclusive with shuffle",
            () if self.batch_sampler.is_some()
                && (self.batch_size.is_some_and(|n| n != 1)
                    || self.shuffle
                    || self.sampler.is_some()
                    || self.drop_last) =>
            {
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
            }
            () if self.batch_sampler.is_none() && self.batch_size == Some(0) => {
                "batch_size should be a positive integer value, but got batch_size=0"
            }
            () => return None,
        };
        Some(text.to_owned())
    }

    pub(super) fn build(self, dataset: Arc<D>) -> Result<DataLoader<D, B>> {
        if let Some(fault) = self.fault() {
            return Err(Error::Value(fault));
        }
        let batch_size = self.batch_size.unwrap_or(1);
        let feed = match self.plan {
            Plan::Iterable(stream) => Feed::Iterable { batch_size, drop_last: self.drop_last, stream },
            Plan::Map(fetch) => {
                let count = dataset.count().unwrap_or(0);
                let sampler = |sampler: Option<Box<dyn Sampler>>| -> Result<Box<dyn Sampler>> {
                    Ok(match (sampler, self.shuffle, &self.generator) {
                        (Some(sampler), _, _) => sampler,
                        (None, false, _) => Box::new(SequentialSampler::of(count)),
                        (None, true, _) if count == 0 => {
                            let text = "num_samples should be a positive integer value, but got num_samples=0";
                            return Err(Error::Value(text.to_owned()));
                        }
                        (None, true, generator) => Box::new(RandomSampler::of(count, generator.as_ref())),
                    })
                };
                let batches = match self.batch_sampler {
                    Some(batches) => batches,
                    None => Box::new(BatchSampler::boxed(sampler(self.sampler)?, batch_size, self.drop_last)),
                };
                Feed::Map { batches, fetch }
            }
        };
        let timeout = (self.timeout > 0.0).then(|| Duration::from_secs_f64(self.timeout));
        let team = Team { prefetch_factor: self.prefetch_factor.unwrap_or(2), timeout, ..self.team };
        Ok(DataLoader { dataset, feed, generator: self.generator, num_workers: self.num_workers, team })
    }
}
