//! Sets of samples, and sets made of others. An `Arc` of a set is a set, for sets that are used in several places.

use crate::collate::{BatchOf, Collate};
use crate::error::{Error, Result};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{Tensor, ops};
use std::fmt;
use std::sync::Arc;

/// A set of samples that are found by their number: `torch.utils.data.Dataset`.
///
/// ```
/// use flambeau_data::{DataLoader, Dataset, Result};
///
/// struct Squares;
///
/// impl Dataset for Squares {
///     type Item = (f32, i64);
///     fn len(&self) -> usize {
///         10
///     }
///     fn get(&self, index: usize) -> Result<(f32, i64)> {
///         Ok(((index * index) as f32, index as i64))
///     }
/// }
///
/// for (squares, numbers) in &DataLoader::new(Squares, 4) {
///     assert_eq!(squares.size(), numbers.size());
/// }
/// ```
pub trait Dataset: Send + Sync {
    /// One sample: a tensor, a number, or a tuple of them.
    type Item;

    /// How many samples there are.
    fn len(&self) -> usize;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sample `index`, which is less than [`Dataset::len`].
    ///
    /// # Errors
    /// When the sample cannot be read or made; [`Error::other`] takes any error.
    fn get(&self, index: usize) -> Result<Self::Item>;

    /// The collated batch of these samples, where the set can make it faster than sample by sample; `None` where it
    /// cannot. It must equal [`Collate::collate`] of the samples. Python's `__getitems__`.
    fn get_batch(&self, _indices: &[usize]) -> Option<Result<BatchOf<Self>>>
    where
        Self::Item: Collate,
    {
        None
    }
}

impl<D: Dataset + ?Sized> Dataset for Arc<D> {
    type Item = D::Item;
    fn len(&self) -> usize {
        (**self).len()
    }
    fn get(&self, index: usize) -> Result<D::Item> {
        (**self).get(index)
    }
    fn get_batch(&self, indices: &[usize]) -> Option<Result<BatchOf<Self>>>
    where
        D::Item: Collate,
    {
        (**self).get_batch(indices)
    }
}

/// A type's name without paths: `Subset<Arc<Digits>>`.
pub(crate) fn short_name<D: ?Sized>() -> String {
    let full = std::any::type_name::<D>();
    let parts = full.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    parts.map(|part| part.rsplit("::").next().unwrap_or(part)).collect()
}

fn out_of_range(index: usize, len: usize) -> Error {
    Error::Value(format!("index {index} is out of range for a dataset of {len} samples"))
}

/// Tensors whose lines along the first dimension belong together: `torch.utils.data.TensorDataset`. The sample `i` is
/// `(x[i], y[i])`, with one tensor `(x[i],)`.
///
/// `TensorDataset` alone is the type of two tensors, `TensorDataset<1>` of one. A clone is a second handle of the same tensors,
/// as a second name is in Python: one set serves several loaders, and nothing is copied.
///
/// ```
/// use flambeau_data::{DataLoader, TensorDataset};
///
/// fn evaluate(loader: &DataLoader<TensorDataset>) -> f64 {
///     loader.into_iter().map(|(x, y)| (x - y).abs().sum().item()).sum()
/// }
///
/// let x = flambeau_autograd::ones([4]);
/// let dataset = TensorDataset::new([x.shallow_clone(), x]);
/// let train = DataLoader::with(dataset.clone(), |o| o.batch_size(2).shuffle(true));
/// assert_eq!((train.len(), evaluate(&DataLoader::new(dataset, 3))), (2, 0.0));
/// ```
pub struct TensorDataset<const N: usize = 2>([Tensor; N]);

impl<const N: usize> Clone for TensorDataset<N> {
    /// A second handle of the same tensors.
    fn clone(&self) -> Self {
        TensorDataset(self.0.each_ref().map(Tensor::shallow_clone))
    }
}

impl<const N: usize> fmt::Debug for TensorDataset<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|t| format_args!("Tensor of {}", t.size()).to_string())).finish()
    }
}

impl<const N: usize> TensorDataset<N> {
    /// Samples of these tensors, as an array or a tuple: `TensorDataset::new((x, y))`. A borrowed tensor is a second handle.
    ///
    /// # Panics
    /// When the tensors' first dimensions differ, or there is no tensor or no dimension.
    #[track_caller]
    pub fn new(tensors: impl IntoTensors<N>) -> Self {
        let tensors = tensors.into_tensors();
        assert!(N > 0, "a TensorDataset needs a tensor");
        assert!(tensors.iter().all(|t| t.size_dim(0) == tensors[0].size_dim(0)), "Size mismatch between tensors");
        TensorDataset(tensors)
    }

    /// The tensors.
    pub fn tensors(&self) -> &[Tensor; N] {
        &self.0
    }

    fn rows(&self) -> usize {
        self.0[0].size_dim(0)
    }

    fn sample(&self, index: usize) -> Result<[Tensor; N]> {
        if index >= self.rows() {
            return Err(out_of_range(index, self.rows()));
        }
        try_map(&self.0, |t| Ok(ops::select(t, 0, index as i64)?))
    }

    fn batch(&self, indices: &[usize]) -> Result<[Tensor; N]> {
        let index: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
        let index = flambeau_autograd::from_vec(index, [indices.len()]);
        try_map(&self.0, |t| Ok(ops::index_select(t, 0, &index.to(t.device()))?))
    }
}

fn try_map<const N: usize>(tensors: &[Tensor; N], f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<[Tensor; N]> {
    let mapped: Vec<Tensor> = tensors.iter().map(f).collect::<Result<_>>()?;
    Ok(mapped.try_into().unwrap_or_else(|_| unreachable!("as many as there were")))
}

/// The tensors of a [`TensorDataset`]: an array or a tuple of tensors, owned or borrowed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of {N} tensors",
    label = "an array or a tuple of tensors is expected here: `(x, y)`"
)]
pub trait IntoTensors<const N: usize> {
    /// The tensors.
    fn into_tensors(self) -> [Tensor; N];
}

impl<T: Into<Tensor>, const N: usize> IntoTensors<N> for [T; N] {
    fn into_tensors(self) -> [Tensor; N] {
        self.map(Into::into)
    }
}

/// Tuples of the lengths that [`TensorDataset`]s have.
macro_rules! tensor_datasets {
    ($($n:literal: ($($item:ident: $t:ident),+) -> $tuple:ty;)+) => {$(
        impl<$($t: Into<Tensor>),+> IntoTensors<$n> for ($($t,)+) {
            fn into_tensors(self) -> [Tensor; $n] {
                let ($($item,)+) = self;
                [$($item.into()),+]
            }
        }

        impl Dataset for TensorDataset<$n> {
            type Item = $tuple;
            fn len(&self) -> usize {
                self.rows()
            }
            fn get(&self, index: usize) -> Result<Self::Item> {
                let [$($item),+] = self.sample(index)?;
                Ok(($($item,)+))
            }
            fn get_batch(&self, indices: &[usize]) -> Option<Result<BatchOf<Self>>> {
                Some(self.batch(indices).map(|[$($item),+]| ($($item,)+)))
            }
        }
    )+};
}
tensor_datasets! {
    1: (a: A) -> (Tensor,);
    2: (a: A, b: B) -> (Tensor, Tensor);
    3: (a: A, b: B, c: C) -> (Tensor, Tensor, Tensor);
    4: (a: A, b: B, c: C, d: D) -> (Tensor, Tensor, Tensor, Tensor);
}

/// Some of another set's samples: `torch.utils.data.Subset`. Clones and the parts of a split share the set.
///
/// ```
/// use flambeau_data::{DataLoader, Subset, TensorDataset};
///
/// fn count(loader: &DataLoader<Subset<TensorDataset>>) -> usize {
///     loader.into_iter().map(|(x, _)| x.len()).sum()
/// }
///
/// let dataset = TensorDataset::new((flambeau_autograd::ones([5, 2]), flambeau_autograd::arange(5)));
/// assert_eq!(count(&DataLoader::new(Subset::new(dataset, 0..3), 2)), 3);
/// ```
pub struct Subset<D> {
    dataset: Arc<D>,
    indices: Vec<usize>,
}

impl<D> Clone for Subset<D> {
    /// The same samples of the same set.
    fn clone(&self) -> Self {
        Subset { dataset: self.dataset.clone(), indices: self.indices.clone() }
    }
}

impl<D> fmt::Debug for Subset<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subset({} samples of {}: {:?})", self.indices.len(), short_name::<D>(), self.indices)
    }
}

impl<D: Dataset> Subset<D> {
    /// The samples `indices` of `dataset`, in that order.
    ///
    /// # Panics
    /// When an index is negative.
    #[track_caller]
    pub fn new<N: Int>(dataset: D, indices: impl IntoIterator<Item = N>) -> Self {
        let indices: Vec<N> = indices.into_iter().collect();
        Subset { dataset: Arc::new(dataset), indices: indices.into_iter().map(Int::to_usize).collect() }
    }

    /// Samples of a set that others share.
    pub(crate) fn of(dataset: Arc<D>, indices: Vec<usize>) -> Self {
        Subset { dataset, indices }
    }

    /// The whole set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// Which samples of it.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Item = D::Item;
    fn len(&self) -> usize {
        self.indices.len()
    }
    fn get(&self, index: usize) -> Result<D::Item> {
        let inner = self.indices.get(index).ok_or_else(|| out_of_range(index, self.indices.len()))?;
        self.dataset.get(*inner)
    }
    fn get_batch(&self, indices: &[usize]) -> Option<Result<BatchOf<Self>>>
    where
        D::Item: Collate,
    {
        let inner: Option<Vec<usize>> = indices.iter().map(|&i| self.indices.get(i).copied()).collect();
        self.dataset.get_batch(&inner?)
    }
}

/// Several sets, one after the other: `torch.utils.data.ConcatDataset`.
#[derive(Clone)]
pub struct ConcatDataset<D> {
    datasets: Vec<D>,
    /// Where each set ends in the whole.
    ends: Vec<usize>,
}

impl<D: Dataset> ConcatDataset<D> {
    /// The samples of `datasets`, in order.
    ///
    /// # Panics
    /// When there is no set.
    #[track_caller]
    pub fn new(datasets: impl IntoIterator<Item = D>) -> Self {
        let datasets: Vec<D> = datasets.into_iter().collect();
        assert!(!datasets.is_empty(), "datasets should not be an empty iterable");
        let running = |end: &mut usize, d: &D| {
            *end += d.len();
            Some(*end)
        };
        let ends = datasets.iter().scan(0, running).collect();
        ConcatDataset { datasets, ends }
    }
}

impl<D: Dataset> Dataset for ConcatDataset<D> {
    type Item = D::Item;
    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
    fn get(&self, index: usize) -> Result<D::Item> {
        let at = self.ends.partition_point(|&end| end <= index);
        let dataset = self.datasets.get(at).ok_or_else(|| out_of_range(index, self.len()))?;
        dataset.get(index - at.checked_sub(1).map_or(0, |before| self.ends[before]))
    }
}
