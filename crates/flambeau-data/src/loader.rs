//! Batches of a dataset: `torch.utils.data.DataLoader`.

mod options;
mod workers;

pub use options::DataLoaderOptions;

use crate::collate::{BatchOf, Collate};
use crate::dataset::short_name;
use crate::error::Result;
use crate::generator::draw_seed;
use crate::iterable::{Batches, Fetch, Samples, Stream};
use crate::sampler::{Indices, Sampler};
use flambeau_autograd::OrPanic;
use flambeau_autograd::arguments::Int;
use flambeau_tensor::random::Generator;
use std::sync::Arc;
use workers::{Team, Workers};

/// Where a loader's batches come from.
pub(crate) enum Feed<D, B> {
    /// Samples by number.
    Map { batches: Box<dyn Sampler<Vec<usize>>>, fetch: Fetch<D, B> },
    /// A stream of samples, so many to a batch.
    Iterable { batch_size: usize, drop_last: bool, stream: Stream<D, B> },
}

/// Yields a dataset's batches, shuffled or not, made in this thread or in workers.
///
/// After `manual_seed` the order is PyTorch's: a pass draws its base seed, then the sampler draws. With `num_workers` of
/// 0 a random transform draws from the default generator, as in PyTorch. With workers, which are threads, each sample has a
/// generator of its own ([`crate::sample_generator`]), so that batches do not depend on the number of workers.
///
/// `DataLoader<D>` is the type of a loader whose batches are the set's samples collated: a function takes
/// `&DataLoader<TensorDataset>`, or `&DataLoader<MyDataset>`. `B` is what a `collate_fn` makes.
pub struct DataLoader<D, B = BatchOf<D>> {
    dataset: Arc<D>,
    feed: Feed<D, B>,
    generator: Option<Generator>,
    num_workers: usize,
    team: Team,
    /// How many samples the dataset has, where it knows.
    count: fn(&D) -> Option<usize>,
}

type DefaultBatch<D, K> = <<D as Samples<K>>::Sample as Collate>::Batch;

impl<D: Send + Sync + 'static, B: Send + 'static> DataLoader<D, B> {
    /// Batches of `batch_size` in order: `DataLoader(dataset, batch_size)`.
    ///
    /// # Panics
    /// When `batch_size` is not positive.
    #[track_caller]
    pub fn new<K>(dataset: D, batch_size: impl Int) -> Self
    where
        D: Samples<K>,
        <D as Samples<K>>::Sample: Collate<Batch = B> + 'static,
    {
        Self::with(dataset, |o| o.batch_size(batch_size))
    }

    /// Batches as the options say: `DataLoader::with(dataset, |o| o.batch_size(64).shuffle(true))`.
    ///
    /// # Panics
    /// With PyTorch's words, when options exclude each other or are 0.
    #[track_caller]
    pub fn with<K>(
        dataset: D,
        options: impl FnOnce(DataLoaderOptions<D, DefaultBatch<D, K>, K>) -> DataLoaderOptions<D, B, K>,
    ) -> Self
    where
        D: Samples<K>,
        <D as Samples<K>>::Sample: Collate + 'static,
        DefaultBatch<D, K>: 'static,
    {
        options(DataLoaderOptions::new()).build(Arc::new(dataset)).or_panic()
    }

    /// The dataset.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// How many threads make batches: `loader.num_workers`.
    pub fn num_workers(&self) -> usize {
        self.num_workers
    }

    /// How many batches a pass yields: `len(loader)`.
    ///
    /// # Panics
    /// Over an [`IterableDataset`](crate::IterableDataset) that does not know its length.
    #[track_caller]
    #[allow(clippy::len_without_is_empty, reason = "it has")]
    pub fn len(&self) -> usize {
        match &self.feed {
            Feed::Map { batches, .. } => batches.len(),
            Feed::Iterable { batch_size, drop_last, .. } => {
                let Some(samples) = (self.count)(&self.dataset) else {
                    panic!("object of type '{}' has no len()", short_name::<D>())
                };
                if *drop_last { samples / batch_size } else { samples.div_ceil(*batch_size) }
            }
        }
    }

    /// Whether a pass yields none.
    ///
    /// # Panics
    /// Where [`DataLoader::len`] does.
    #[track_caller]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One pass, which panics with the message of a dataset's error; `for batch in &loader` calls it.
    ///
    /// # Panics
    /// With a `timeout` and no worker, in PyTorch's words; when this build has no CPU device.
    #[track_caller]
    pub fn iter(&self) -> Iter<'_, D, B> {
        Iter(self.try_iter())
    }

    /// One pass that yields each batch or the error that its making met. The pass ends with the first error.
    ///
    /// # Panics
    /// As [`DataLoader::iter`].
    #[track_caller]
    pub fn try_iter(&self) -> TryIter<'_, D, B> {
        let waits = self.num_workers == 0 && self.team.timeout.is_some();
        assert!(!waits, "_SingleProcessDataLoaderIter requires timeout == 0");
        let base_seed = draw_seed(self.generator.as_ref()).or_panic();
        let (batches, left): (Indices<'_, Vec<usize>>, _) = match &self.feed {
            Feed::Map { batches, .. } => (batches.iter(), Some(batches.len())),
            // A worker is asked again and again, until all have ended.
            Feed::Iterable { .. } => (Box::new(std::iter::repeat_with(Vec::new)), None),
        };
        let source = match (&self.feed, self.num_workers) {
            (Feed::Map { .. }, 0) => Source::Here,
            (Feed::Iterable { batch_size, drop_last, stream }, 0) => {
                Source::Stream(stream(&self.dataset, *batch_size, *drop_last))
            }
            (feed, n) => Source::Workers(Workers::start(n, &self.team, base_seed, &self.dataset, feed)),
        };
        TryIter { loader: self, batches, source, left }
    }
}

impl<'a, D: Send + Sync + 'static, B: Send + 'static> IntoIterator for &'a DataLoader<D, B> {
    type Item = B;
    type IntoIter = Iter<'a, D, B>;
    #[track_caller]
    fn into_iter(self) -> Iter<'a, D, B> {
        self.iter()
    }
}

enum Source<'a, B> {
    Here,
    Stream(Batches<'a, B>),
    Workers(Workers<B>),
    Ended,
}

/// One pass of a [`DataLoader`]. Dropping it stops its workers.
pub struct TryIter<'a, D, B> {
    loader: &'a DataLoader<D, B>,
    batches: Indices<'a, Vec<usize>>,
    source: Source<'a, B>,
    left: Option<usize>,
}

impl<D, B> Iterator for TryIter<'_, D, B> {
    type Item = Result<B>;

    fn next(&mut self) -> Option<Result<B>> {
        let batch = match (&mut self.source, &self.loader.feed) {
            (Source::Here, Feed::Map { fetch, .. }) => {
                let indices = self.batches.next()?;
                Some(fetch(&self.loader.dataset, &indices, &|_| Ok(())))
            }
            (Source::Stream(batches), _) => batches.next(),
            (Source::Workers(workers), _) => workers.next(&mut self.batches),
            (Source::Here | Source::Ended, _) => None,
        };
        self.left = self.left.map(|left| left.saturating_sub(1));
        if matches!(batch, None | Some(Err(_))) {
            self.batches = Box::new(std::iter::empty());
            self.source = Source::Ended;
            self.left = Some(0);
        }
        batch
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.left)
    }
}

/// One pass of a [`DataLoader`] that panics on an error. Dropping it stops its workers.
pub struct Iter<'a, D, B>(TryIter<'a, D, B>);

impl<D, B> Iterator for Iter<'_, D, B> {
    type Item = B;

    #[track_caller]
    fn next(&mut self) -> Option<B> {
        // In a closure it would lose the caller's line.
        let batch = self.0.next()?;
        Some(batch.or_panic())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
