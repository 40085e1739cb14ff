//! Batches of a dataset: `torch.utils.data.DataLoader`.

mod options;
mod workers;

pub use options::DataLoaderOptions;

use crate::collate::{BatchOf, Collate};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::generator::draw_seed;
use crate::sampler::{Indices, Sampler};
use flambeau_autograd::OrPanic;
use flambeau_tensor::random::Generator;
use std::sync::Arc;
use workers::Workers;

/// How a batch is made of its samples' numbers; called before each sample with its number.
pub(crate) type Fetch<D, B> = Arc<dyn Fn(&D, &[usize], &dyn Fn(usize) -> Result<()>) -> Result<B> + Send + Sync>;

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
    batches: Box<dyn Sampler<Vec<usize>>>,
    fetch: Fetch<D, B>,
    generator: Option<Generator>,
    num_workers: usize,
    prefetch_factor: usize,
}

impl<D: Dataset + 'static> DataLoader<D, BatchOf<D>>
where
    D::Item: Collate,
    BatchOf<D>: Send,
{
    /// Batches of `batch_size` in order: `DataLoader(dataset, batch_size)`.
    ///
    /// # Panics
    /// When `batch_size` is 0.
    #[track_caller]
    pub fn new(dataset: D, batch_size: usize) -> Self {
        Self::with(dataset, |o| o.batch_size(batch_size))
    }
}

impl<D: Dataset + 'static, B: Send + 'static> DataLoader<D, B> {
    /// Batches as the options say: `DataLoader::with(dataset, |o| o.batch_size(64).shuffle(true))`.
    ///
    /// # Panics
    /// With PyTorch's words, when options exclude each other or are 0.
    #[track_caller]
    pub fn with(dataset: D, options: impl FnOnce(DataLoaderOptions<D, BatchOf<D>>) -> DataLoaderOptions<D, B>) -> Self
    where
        D::Item: Collate,
    {
        options(DataLoaderOptions::new()).build(Arc::new(dataset)).or_panic()
    }

    /// The dataset.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// How many batches a pass yields: `len(loader)`.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether a pass yields none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One pass, which panics with the message of a dataset's error; `for batch in &loader` calls it.
    ///
    /// # Panics
    /// When this build has no CPU device.
    #[track_caller]
    pub fn iter(&self) -> Iter<'_, D, B> {
        Iter(self.try_iter())
    }

    /// One pass that yields each batch or the error that its making met. The pass ends with the first error.
    ///
    /// # Panics
    /// When this build has no CPU device.
    #[track_caller]
    pub fn try_iter(&self) -> TryIter<'_, D, B> {
        let base_seed = draw_seed(self.generator.as_ref()).or_panic();
        let batches = self.batches.iter();
        let source = match self.num_workers {
            0 => Source::Here,
            n => Source::Workers(Workers::start(n, self.prefetch_factor, base_seed, &self.dataset, &self.fetch)),
        };
        TryIter { loader: self, batches, source, left: self.batches.len() }
    }
}

impl<'a, D: Dataset + 'static, B: Send + 'static> IntoIterator for &'a DataLoader<D, B> {
    type Item = B;
    type IntoIter = Iter<'a, D, B>;
    #[track_caller]
    fn into_iter(self) -> Iter<'a, D, B> {
        self.iter()
    }
}

enum Source<B> {
    Here,
    Workers(Workers<B>),
}

/// One pass of a [`DataLoader`]. Dropping it stops its workers.
pub struct TryIter<'a, D, B> {
    loader: &'a DataLoader<D, B>,
    batches: Indices<'a, Vec<usize>>,
    source: Source<B>,
    left: usize,
}

impl<D, B> Iterator for TryIter<'_, D, B> {
    type Item = Result<B>;

    fn next(&mut self) -> Option<Result<B>> {
        let batch = match &mut self.source {
            Source::Here => {
                let indices = self.batches.next()?;
                Some((self.loader.fetch)(&self.loader.dataset, &indices, &|_| Ok(())))
            }
            Source::Workers(workers) => workers.next(&mut self.batches),
        };
        self.left = self.left.saturating_sub(1);
        if matches!(batch, Some(Err(_))) {
            self.batches = Box::new(std::iter::empty());
            self.source = Source::Here;
            self.left = 0;
        }
        batch
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

/// One pass of a [`DataLoader`] that panics on an error. Dropping it stops its workers.
pub struct Iter<'a, D, B>(TryIter<'a, D, B>);

impl<D, B> Iterator for Iter<'_, D, B> {
    type Item = B;

    #[track_caller]
    fn next(&mut self) -> Option<B> {
        #[allow(clippy::manual_map, reason = "a function that is passed on loses the caller's line")]
        match self.0.next() {
            Some(batch) => Some(batch.or_panic()),
            None => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
