//! What a loader is made with.

use super::{DataLoader, Fetch};
use crate::collate::{BatchOf, Collate};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::sampler::{BatchSampler, RandomSampler, Sampler, SequentialSampler};
use flambeau_tensor::random::Generator;
use std::sync::Arc;

/// Options of [`DataLoader`] under PyTorch's names.
pub struct DataLoaderOptions<D, B> {
    batch_size: Option<usize>,
    shuffle: bool,
    drop_last: bool,
    sampler: Option<Box<dyn Sampler>>,
    batch_sampler: Option<Box<dyn Sampler<Vec<usize>>>>,
    num_workers: usize,
    prefetch_factor: Option<usize>,
    generator: Option<Generator>,
    fetch: Fetch<D, B>,
}

impl<D: Dataset + 'static> DataLoaderOptions<D, BatchOf<D>>
where
    D::Item: Collate,
{
    pub(super) fn new() -> Self {
        let fetch: Fetch<D, BatchOf<D>> = Arc::new(|dataset, indices, begin| match dataset.get_batch(indices) {
            Some(batch) => batch,
            None => D::Item::collate(samples(dataset, indices, begin)?).map_err(|e| e.of_batch::<D>(indices)),
        });
        DataLoaderOptions {
            batch_size: None,
            shuffle: false,
            drop_last: false,
            sampler: None,
            batch_sampler: None,
            num_workers: 0,
            prefetch_factor: None,
            generator: None,
            fetch,
        }
    }
}

fn samples<D: Dataset>(dataset: &D, indices: &[usize], begin: &dyn Fn(usize) -> Result<()>) -> Result<Vec<D::Item>> {
    let sample = |&index: &usize| {
        begin(index)?;
        dataset.get(index)
    };
    indices.iter().map(sample).collect()
}

impl<D: Dataset + 'static, B> DataLoaderOptions<D, B> {
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

    /// The stream that shuffles, in place of the default generator.
    #[must_use]
    pub fn generator(mut self, generator: &Generator) -> Self {
        self.generator = Some(generator.clone());
        self
    }

    /// How samples become a batch, in place of [`Collate`].
    #[must_use]
    pub fn collate_fn<C>(self, collate: impl Fn(Vec<D::Item>) -> C + Send + Sync + 'static) -> DataLoaderOptions<D, C> {
        let fetch: Fetch<D, C> =
            Arc::new(move |dataset, indices, begin| Ok(collate(samples(dataset, indices, begin)?)));
        DataLoaderOptions {
            batch_size: self.batch_size,
            shuffle: self.shuffle,
            drop_last: self.drop_last,
            sampler: self.sampler,
            batch_sampler: self.batch_sampler,
            num_workers: self.num_workers,
            prefetch_factor: self.prefetch_factor,
            generator: self.generator,
            fetch,
        }
    }

    pub(super) fn build(self, dataset: Arc<D>) -> Result<DataLoader<D, B>> {
        let refuse = |what: &str| Err(Error::Value(what.to_owned()));
        if self.num_workers == 0 && self.prefetch_factor.is_some() {
            return refuse(
                "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable \
                 multiprocessing, otherwise set prefetch_factor to None.",
            );
        }
        if self.sampler.is_some() && self.shuffle {
            return refuse("sampler option is mutually exclusive with shuffle");
        }
        let batches = match self.batch_sampler {
            Some(_)
                if self.batch_size.is_some_and(|n| n != 1)
                    || self.shuffle
                    || self.sampler.is_some()
                    || self.drop_last =>
            {
                return refuse(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last",
                );
            }
            Some(batches) => batches,
            None => {
                let batch_size = self.batch_size.unwrap_or(1);
                if batch_size == 0 {
                    return refuse("batch_size should be a positive integer value, but got batch_size=0");
                }
                let sampler: Box<dyn Sampler> = match (self.sampler, self.shuffle, &self.generator) {
                    (Some(sampler), _, _) => sampler,
                    (None, false, _) => Box::new(SequentialSampler::new(&dataset)),
                    (None, true, _) if dataset.is_empty() => {
                        return refuse("num_samples should be a positive integer value, but got num_samples=0");
                    }
                    (None, true, Some(g)) => Box::new(RandomSampler::with(&dataset, |o| o.generator(g))),
                    (None, true, None) => Box::new(RandomSampler::new(&dataset)),
                };
                Box::new(BatchSampler::boxed(sampler, batch_size, self.drop_last))
            }
        };
        Ok(DataLoader {
            dataset,
            batches,
            fetch: self.fetch,
            generator: self.generator,
            num_workers: self.num_workers,
            prefetch_factor: self.prefetch_factor.unwrap_or(2),
        })
    }
}
