//! What a loader is made with.

use super::workers::Team;
use super::{DataLoader, Feed};
use crate::collate::Collate;
use crate::error::{Error, Result};
use crate::iterable::{Plan, Samples};
use crate::sampler::{BatchSampler, IntoSampler, RandomSampler, Sampler, SequentialSampler};
use flambeau_autograd::arguments::{Int, Number};
use flambeau_autograd::warn;
use flambeau_tensor::random::Generator;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Options of [`DataLoader`] under PyTorch's names.
pub struct DataLoaderOptions<D, B, K> {
    batch_size: Option<i64>,
    /// Python's `batch_size=None`.
    unbatched: bool,
    shuffle: bool,
    drop_last: bool,
    sampler: Option<Box<dyn Sampler>>,
    batch_sampler: Option<Box<dyn Sampler<Vec<usize>>>>,
    num_workers: i64,
    prefetch_factor: Option<i64>,
    persistent_workers: bool,
    timeout: f64,
    multiprocessing_context: Option<String>,
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
            unbatched: false,
            shuffle: false,
            drop_last: false,
            sampler: None,
            batch_sampler: None,
            num_workers: 0,
            prefetch_factor: None,
            persistent_workers: false,
            timeout: 0.0,
            multiprocessing_context: None,
            team: Team { prefetch_factor: 2, in_order: true, timeout: None, init: None },
            generator: None,
            plan: D::plan(),
            kind: PhantomData,
        }
    }
}

impl<D: Samples<K>, B, K> DataLoaderOptions<D, B, K> {
    /// Samples per batch. Default: 1.
    #[track_caller]
    #[must_use]
    pub fn batch_size(mut self, batch_size: impl Int) -> Self {
        self.batch_size = Some(batch_size.to_i64());
        self
    }

    /// Each sample as it is, in place of batches: PyTorch's `batch_size=None`.
    ///
    /// ```
    /// use flambeau_data::DataLoader;
    /// let loader = DataLoader::with(vec!["a", "b"], |o| o.unbatched());
    /// assert_eq!(loader.iter().collect::<Vec<_>>(), ["a", "b"]);
    /// ```
    #[must_use]
    pub fn unbatched(self) -> DataLoaderOptions<D, D::Sample, K>
    where
        D::Sample: 'static,
    {
        let sample =
            |samples: Vec<D::Sample>| samples.into_iter().next().ok_or_else(|| Error::Value("no sample".into()));
        DataLoaderOptions { batch_size: None, unbatched: true, ..self.planned(D::collated(Arc::new(sample))) }
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
    #[track_caller]
    #[must_use]
    pub fn sampler(mut self, sampler: impl IntoSampler) -> Self {
        self.sampler = Some(sampler.into_sampler());
        self
    }

    /// The batches, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
    #[track_caller]
    #[must_use]
    pub fn batch_sampler(mut self, sampler: impl IntoSampler<Vec<usize>>) -> Self {
        self.batch_sampler = Some(sampler.into_sampler());
        self
    }

    /// How many threads make batches ahead; 0 makes each when it is asked for. Default: 0.
    #[track_caller]
    #[must_use]
    pub fn num_workers(mut self, num_workers: impl Int) -> Self {
        self.num_workers = num_workers.to_i64();
        self
    }

    /// How many batches each worker makes ahead. Default: 2.
    #[track_caller]
    #[must_use]
    pub fn prefetch_factor(mut self, prefetch_factor: impl Int) -> Self {
        self.prefetch_factor = Some(prefetch_factor.to_i64());
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

    /// Accepted as PyTorch's; there is no pinned memory here. Default: the empty name.
    #[must_use]
    pub fn pin_memory_device(self, _pin_memory_device: &str) -> Self {
        self
    }

    /// Accepted as PyTorch's, `"fork"`, `"spawn"` or `"forkserver"`; workers are threads here. Default: none.
    #[must_use]
    pub fn multiprocessing_context(mut self, method: &str) -> Self {
        self.multiprocessing_context = Some(method.to_owned());
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
        self.planned(D::collated(Arc::new(move |samples| Ok(collate(samples)))))
    }

    /// The same options with another way to make batches.
    fn planned<C>(self, plan: Plan<D, C>) -> DataLoaderOptions<D, C, K> {
        DataLoaderOptions {
            batch_size: self.batch_size,
            unbatched: self.unbatched,
            shuffle: self.shuffle,
            drop_last: self.drop_last,
            sampler: self.sampler,
            batch_sampler: self.batch_sampler,
            num_workers: self.num_workers,
            prefetch_factor: self.prefetch_factor,
            persistent_workers: self.persistent_workers,
            timeout: self.timeout,
            multiprocessing_context: self.multiprocessing_context,
            team: self.team,
            generator: self.generator,
            plan,
            kind: PhantomData,
        }
    }

    /// PyTorch's words for options that exclude each other, in the order of its checks.
    fn fault(&self) -> Option<String> {
        let iterable = matches!(self.plan, Plan::Iterable(_));
        let text = match () {
            () if self.num_workers < 0 => {
                "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
            }
            () if self.timeout < 0.0 => "timeout option should be non-negative",
            () if self.num_workers == 0 && self.prefetch_factor.is_some() => {
                "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable \
                 multiprocessing, otherwise set prefetch_factor to None."
            }
            () if self.prefetch_factor.is_some_and(|n| n < 0) => "prefetch_factor option should be non-negative",
            () if self.persistent_workers && self.num_workers == 0 => "persistent_workers option needs num_workers > 0",
            () if self.multiprocessing_context.is_some() && self.num_workers == 0 => {
                "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got num_workers=0"
            }
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
            () if self.batch_sampler.is_some() => {
                let size = self.unbatched || self.batch_size.is_some_and(|n| n != 1);
                if !(size || self.shuffle || self.sampler.is_some() || self.drop_last) {
                    return None;
                }
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
            }
            () if self.unbatched && self.drop_last => {
                "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
            }
            () => return None,
        };
        Some(text.to_owned())
    }

    /// PyTorch's words for a way of starting processes that there is not.
    fn unknown_context(&self) -> Option<String> {
        let context = self.multiprocessing_context.as_deref()?;
        let known = ["fork", "spawn", "forkserver"];
        (!known.contains(&context)).then(|| {
            format!(
                "multiprocessing_context option should specify a valid start method in ['fork', 'spawn', 'forkserver'], but got \
                 multiprocessing_context='{context}'"
            )
        })
    }

    #[track_caller]
    pub(super) fn build(self, dataset: Arc<D>) -> Result<DataLoader<D, B>> {
        if let Some(fault) = self.fault().or_else(|| self.unknown_context()) {
            return Err(Error::Value(fault));
        }
        let batch_size = self.batch_size.unwrap_or(1);
        let count = dataset.count();
        let feed = match self.plan {
            Plan::Iterable(stream) => {
                // PyTorch's batches of a stream go through a BatchSampler, which checks the size.
                let sampler = BatchSampler::boxed(Box::new(SequentialSampler::of(0)), batch_size, self.drop_last);
                sampler?;
                Feed::Iterable { batch_size: batch_size as usize, drop_last: self.drop_last, stream }
            }
            Plan::Map(fetch) => {
                let count = count.unwrap_or(0);
                let sampler: Box<dyn Sampler> = match (self.sampler, self.shuffle) {
                    (Some(sampler), _) => sampler,
                    (None, false) => Box::new(SequentialSampler::of(count)),
                    (None, true) if count == 0 => {
                        let text = "num_samples should be a positive integer value, but got num_samples=0";
                        return Err(Error::Value(text.to_owned()));
                    }
                    (None, true) => Box::new(RandomSampler::of(count, self.generator.as_ref())),
                };
                let batches = match self.batch_sampler {
                    Some(batches) => batches,
                    None => Box::new(BatchSampler::boxed(sampler, batch_size, self.drop_last)?),
                };
                Feed::Map { batches, fetch }
            }
        };
        warn_of_many(self.num_workers);
        let timeout = (self.timeout > 0.0).then(|| Duration::from_secs_f64(self.timeout));
        let ahead = self.prefetch_factor.unwrap_or(2) as usize;
        let team = Team { prefetch_factor: ahead, timeout, ..self.team };
        let num_workers = self.num_workers as usize;
        Ok(DataLoader { dataset, feed, generator: self.generator, num_workers, team, count: D::count })
    }
}

/// PyTorch's warning of more workers than the machine has cores.
#[track_caller]
fn warn_of_many(workers: i64) {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    if workers > cores as i64 {
        warn(&format!(
            "This DataLoader will create {workers} worker processes in total. Our suggested max number of worker in current system \
             is {cores}, which is smaller than what this DataLoader is going to create. Please be aware that excessive worker \
             creation might get DataLoader running slow or even freeze, lower the worker number to avoid potential slowness/freeze \
             if necessary."
        ));
    }
}
