//! Sets whose samples belong together.

use crate::dataset::Dataset;
use crate::error::Result;
use std::collections::BTreeMap;

/// Sets of one length side by side: `torch.utils.data.StackDataset`. The sample `i` is the tuple of the sets' samples `i`, or, where
/// the sets have names, a map of them.
///
/// ```
/// use flambeau_data::{DataLoader, StackDataset, TensorDataset};
///
/// let (images, labels) = (flambeau_autograd::ones([4, 2]), flambeau_autograd::arange(4));
/// let pairs = StackDataset::new((TensorDataset::new([&images]), TensorDataset::new([&labels])));
/// for ((image,), (label,)) in &DataLoader::new(pairs, 2) {
///     assert_eq!(image.size(), [2, 2]);
///     assert_eq!(label.size(), [2]);
/// }
/// let named = StackDataset::named([("image", TensorDataset::new([images])), ("label", TensorDataset::new([labels]))]);
/// let batch = DataLoader::new(named, 4).iter().next().unwrap();
/// assert_eq!(batch["label"].0.to_vec::<i64>(), [0, 1, 2, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct StackDataset<S> {
    datasets: S,
    length: usize,
}

/// The sets of a [`StackDataset`]: a tuple of them, or a list with names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tuple of datasets",
    label = "`(images, labels)` is expected here"
)]
pub trait StackedSets: Send + Sync {
    /// One sample.
    type Item;
    /// The sets' lengths.
    fn lengths(&self) -> Vec<usize>;
    /// The samples of a number.
    ///
    /// # Errors
    /// The first set's error.
    fn sample(&self, index: usize) -> Result<Self::Item>;
}

/// Tuples of these lengths.
macro_rules! tuples {
    ($(($($t:ident $at:tt),+);)+) => {$(
        impl<$($t: Dataset),+> StackedSets for ($($t,)+) {
            type Item = ($($t::Item,)+);
            fn lengths(&self) -> Vec<usize> {
                vec![$(self.$at.len()),+]
            }
            fn sample(&self, index: usize) -> Result<Self::Item> {
                Ok(($(self.$at.get(index)?,)+))
            }
        }
    )+};
}
tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
}

impl<D: Dataset> StackedSets for Vec<(String, D)> {
    type Item = BTreeMap<String, D::Item>;
    fn lengths(&self) -> Vec<usize> {
        self.iter().map(|(_, dataset)| dataset.len()).collect()
    }
    fn sample(&self, index: usize) -> Result<Self::Item> {
        self.iter().map(|(name, dataset)| Ok((name.clone(), dataset.get(index)?))).collect()
    }
}

impl<S: StackedSets> StackDataset<S> {
    /// A tuple of sets: `StackDataset(images, labels)`.
    ///
    /// # Panics
    /// When their lengths differ.
    #[track_caller]
    pub fn new(datasets: S) -> Self {
        let lengths = datasets.lengths();
        assert!(!lengths.is_empty(), "At least one dataset should be passed");
        assert!(lengths.iter().all(|&n| n == lengths[0]), "Size mismatch between datasets");
        StackDataset { datasets, length: lengths[0] }
    }

    /// The sets.
    pub fn datasets(&self) -> &S {
        &self.datasets
    }
}

impl<D: Dataset> StackDataset<Vec<(String, D)>> {
    /// Sets of one type with names: `StackDataset(image=images, label=labels)`.
    ///
    /// # Panics
    /// When their lengths differ, or there is none.
    #[track_caller]
    pub fn named<N: Into<String>>(datasets: impl IntoIterator<Item = (N, D)>) -> Self {
        Self::new(datasets.into_iter().map(|(name, dataset)| (name.into(), dataset)).collect())
    }
}

impl<S: StackedSets> Dataset for StackDataset<S> {
    type Item = S::Item;
    fn len(&self) -> usize {
        self.length
    }
    fn get(&self, index: usize) -> Result<S::Item> {
        self.datasets.sample(index)
    }
}
