//! Streams of samples, and what a loader reads.

use crate::collate::{BatchOf, Collate};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use std::sync::Arc;

/// A set whose samples come one after the other and have no numbers: `torch.utils.data.IterableDataset`.
///
/// A loader with several workers reads the whole stream in each of them, as in PyTorch: every sample then comes once from each worker,
/// unless the set takes its own part by [`get_worker_info`](crate::get_worker_info).
///
/// ```
/// use flambeau_data::{DataLoader, IterableDataset, Result, get_worker_info};
///
/// struct Count(i64);
///
/// impl IterableDataset for Count {
///     type Item = i64;
///     fn iter(&self) -> impl Iterator<Item = Result<i64>> + Send {
///         let (first, step) = get_worker_info().map_or((0, 1), |info| (info.id, info.num_workers));
///         (first as i64..self.0).step_by(step).map(Ok)
///     }
/// }
///
/// let loader = DataLoader::new(Count(5), 2);
/// assert_eq!(loader.iter().map(|batch| batch.to_vec::<i64>()).collect::<Vec<_>>(), [vec![0, 1], vec![2, 3], vec![4]]);
/// let loader = DataLoader::with(Count(5), |o| o.batch_size(2).num_workers(2));
/// assert_eq!(loader.iter().map(|batch| batch.to_vec::<i64>()).collect::<Vec<_>>(), [vec![0, 2], vec![1, 3], vec![4]]);
/// ```
#[allow(clippy::len_without_is_empty, reason = "whether a stream is empty is known when it is read")]
pub trait IterableDataset: Send + Sync {
    /// One sample: a tensor, a number, or a tuple of them.
    type Item;

    /// One pass over the samples: `__iter__`.
    fn iter(&self) -> impl Iterator<Item = Result<Self::Item>> + Send;

    /// How many samples a pass has, where the set knows it: `__len__`. A loader's `len` asks it.
    fn len(&self) -> Option<usize> {
        None
    }
}

impl<D: IterableDataset + ?Sized> IterableDataset for Arc<D> {
    type Item = D::Item;
    fn iter(&self) -> impl Iterator<Item = Result<D::Item>> + Send {
        (**self).iter()
    }
    fn len(&self) -> Option<usize> {
        (**self).len()
    }
}

/// Streams one after the other: `torch.utils.data.ChainDataset`.
///
/// ```
/// use flambeau_data::{ChainDataset, DataLoader, IterableDataset, Result};
///
/// struct Count(i64);
///
/// impl IterableDataset for Count {
///     type Item = i64;
///     fn iter(&self) -> impl Iterator<Item = Result<i64>> + Send {
///         (0..self.0).map(Ok)
///     }
/// }
///
/// let loader = DataLoader::new(ChainDataset::new([Count(2), Count(3)]), 4);
/// assert_eq!(loader.iter().map(|batch| batch.to_vec::<i64>()).collect::<Vec<_>>(), [vec![0, 1, 0, 1], vec![2]]);
/// ```
#[derive(Clone, Debug)]
pub struct ChainDataset<D>(Vec<D>);

impl<D: IterableDataset> ChainDataset<D> {
    /// These streams, in order.
    pub fn new(datasets: impl IntoIterator<Item = D>) -> Self {
        ChainDataset(datasets.into_iter().collect())
    }
}

impl<D: IterableDataset> IterableDataset for ChainDataset<D> {
    type Item = D::Item;
    fn iter(&self) -> impl Iterator<Item = Result<D::Item>> + Send {
        self.0.iter().flat_map(IterableDataset::iter)
    }
    fn len(&self) -> Option<usize> {
        self.0.iter().map(IterableDataset::len).sum()
    }
}

/// How a batch is made of its samples' numbers; called before each sample with its number.
pub type Fetch<D, B> = Arc<dyn Fn(&D, &[usize], &dyn Fn(usize) -> Result<()>) -> Result<B> + Send + Sync>;
/// One pass of batches: of so many samples, the last smaller one left out or not.
pub type Stream<D, B> = Arc<dyn for<'a> Fn(&'a D, usize, bool) -> Batches<'a, B> + Send + Sync>;
/// Batches of a stream.
pub type Batches<'a, B> = Box<dyn Iterator<Item = Result<B>> + Send + 'a>;
/// How samples become a batch.
pub type CollateFn<T, B> = Arc<dyn Fn(Vec<T>) -> Result<B> + Send + Sync>;

/// How a loader makes batches of a set.
pub enum Plan<D, B> {
    /// By the numbers of its samples.
    Map(Fetch<D, B>),
    /// By reading it.
    Iterable(Stream<D, B>),
}

/// The kind of a [`Dataset`].
pub struct MapStyle;
/// The kind of an [`IterableDataset`].
pub struct IterableStyle;

/// What a loader reads: a [`Dataset`], an [`IterableDataset`] or a `Vec` of samples; the compiler finds the kind `K`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no dataset",
    label = "a type that implements `Dataset` or `IterableDataset` is expected here"
)]
pub trait Samples<K>: Send + Sync + Sized + 'static {
    /// One sample.
    type Sample;

    /// Batches that a function makes.
    fn collated<B: 'static>(collate: CollateFn<Self::Sample, B>) -> Plan<Self, B>;

    /// Batches as [`Collate`] makes them.
    fn plan() -> Plan<Self, <Self::Sample as Collate>::Batch>
    where
        Self::Sample: Collate + 'static,
        <Self::Sample as Collate>::Batch: 'static,
    {
        Self::collated(Arc::new(Collate::collate))
    }

    /// How many samples there are, if that is known.
    fn count(&self) -> Option<usize>;
}

fn samples<D: Dataset>(dataset: &D, indices: &[usize], begin: &dyn Fn(usize) -> Result<()>) -> Result<Vec<D::Item>> {
    let sample = |&index: &usize| {
        begin(index)?;
        dataset.get(index)
    };
    indices.iter().map(sample).collect()
}

impl<D: Dataset + 'static> Samples<MapStyle> for D
where
    D::Item: 'static,
{
    type Sample = D::Item;

    fn collated<B: 'static>(collate: CollateFn<D::Item, B>) -> Plan<D, B> {
        Plan::Map(Arc::new(move |dataset, indices, begin| collate(samples(dataset, indices, begin)?)))
    }

    fn plan() -> Plan<D, BatchOf<D>>
    where
        D::Item: Collate,
        BatchOf<D>: 'static,
    {
        Plan::Map(Arc::new(|dataset, indices, begin| match dataset.get_batch(indices) {
            Some(batch) => batch,
            None => D::Item::collate(samples(dataset, indices, begin)?).map_err(|e| e.of_batch::<D>(indices)),
        }))
    }

    fn count(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<D: IterableDataset + 'static> Samples<IterableStyle> for D
where
    D::Item: 'static,
{
    type Sample = D::Item;

    fn collated<B: 'static>(collate: CollateFn<D::Item, B>) -> Plan<D, B> {
        fn batches<'a, D: IterableDataset, B: 'static>(
            dataset: &'a D,
            size: usize,
            drop_last: bool,
            collate: CollateFn<D::Item, B>,
        ) -> Batches<'a, B>
        where
            D::Item: 'static,
        {
            let mut samples = dataset.iter();
            Box::new(std::iter::from_fn(move || {
                let batch: Result<Vec<D::Item>> = samples.by_ref().take(size).collect();
                match batch {
                    Ok(batch) if batch.is_empty() || drop_last && batch.len() < size => None,
                    Ok(batch) => Some(collate(batch)),
                    Err(error) => Some(Err(error)),
                }
            }))
        }
        Plan::Iterable(Arc::new(move |dataset, size, drop_last| batches(dataset, size, drop_last, collate.clone())))
    }

    fn count(&self) -> Option<usize> {
        self.len()
    }
}

/// The kind of a list of samples.
pub struct ListStyle;

/// A `Vec` of samples, as a Python list is a dataset too.
impl<T: Clone + Send + Sync + 'static> Samples<ListStyle> for Vec<T> {
    type Sample = T;

    fn collated<B: 'static>(collate: CollateFn<T, B>) -> Plan<Self, B> {
        Plan::Map(Arc::new(move |list: &Vec<T>, indices, begin| {
            let sample = |&index: &usize| {
                begin(index)?;
                list.get(index).cloned().ok_or_else(|| Error::Value("list index out of range".into()))
            };
            collate(indices.iter().map(sample).collect::<Result<_>>()?)
        }))
    }

    fn count(&self) -> Option<usize> {
        Some(self.len())
    }
}
