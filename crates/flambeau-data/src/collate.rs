//! Samples become batches: `torch.utils.data.default_collate`.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use flambeau_autograd::{OrPanic, Tensor, from_vec, ops};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::Hash;

/// A sample type that knows how a list of samples becomes a batch.
///
/// Tensors are stacked; numbers become a tensor of their own type (`usize` int64); tuples, arrays, lists and maps are
/// collated place by place; strings stay a list.
pub trait Collate: Sized {
    /// What a batch is.
    type Batch;

    /// The batch of these samples, of which there is at least one.
    ///
    /// # Errors
    /// When the samples differ in shape, length or keys.
    fn collate(samples: Vec<Self>) -> Result<Self::Batch>;
}

/// The batch of a list of samples: `torch.utils.data.default_collate(batch)`. What a sample may be: [`Collate`].
///
/// ```
/// use flambeau_autograd::ones;
/// use flambeau_data::default_collate;
/// let (x, labels) = default_collate(vec![(ones([2]), 3_i64), (ones([2]), 4)]);
/// assert_eq!(x.size(), [2, 2]);
/// assert_eq!(labels.to_vec::<i64>(), [3, 4]);
/// ```
///
/// # Panics
/// When there is no sample, or the samples differ in shape, length or keys, in PyTorch's words.
#[track_caller]
pub fn default_collate<T: Collate>(batch: Vec<T>) -> T::Batch {
    assert!(!batch.is_empty(), "list index out of range");
    T::collate(batch).or_panic()
}

/// A sample as it is: `torch.utils.data.default_convert(data)`, which turns NumPy's arrays into tensors and leaves tensors, numbers
/// and texts alone. There are no other arrays here. A loader without batches calls it: [`crate::DataLoaderOptions::unbatched`].
///
/// ```
/// assert_eq!(flambeau_data::default_convert((1, "one")), (1, "one"));
/// ```
pub fn default_convert<T>(data: T) -> T {
    data
}

/// What a set's samples are collated to.
pub type BatchOf<D> = <<D as Dataset>::Item as Collate>::Batch;

impl Collate for Tensor {
    type Batch = Tensor;
    fn collate(samples: Vec<Self>) -> Result<Tensor> {
        let samples: Vec<&Tensor> = samples.iter().collect();
        ops::stack(&samples, 0).map_err(|source| {
            let other = samples.iter().position(|sample| sample.size() != samples[0].size());
            other.map_or(source.clone().into(), |entry| Error::Entry { entry, source: Box::new(source.into()) })
        })
    }
}

fn numbers<T, E: flambeau_tensor::Element>(samples: Vec<T>, convert: impl Fn(T) -> E) -> Result<Tensor> {
    let values: Vec<E> = samples.into_iter().map(convert).collect();
    let n = values.len();
    Ok(from_vec(values, [n]))
}

macro_rules! collate_numbers {
    ($($t:ty => $element:ty),+) => {$(
        impl Collate for $t {
            type Batch = Tensor;
            fn collate(samples: Vec<Self>) -> Result<Tensor> {
                numbers(samples, |x| x as $element)
            }
        }
    )+};
}
collate_numbers!(bool => bool, u8 => u8, i8 => i8, i16 => i16, i32 => i32, i64 => i64, usize => i64, f32 => f32, f64 => f64);

macro_rules! collate_texts {
    ($($t:ty),+) => {$(
        impl Collate for $t {
            type Batch = Vec<$t>;
            fn collate(samples: Vec<Self>) -> Result<Vec<$t>> {
                Ok(samples)
            }
        }
    )+};
}
collate_texts!(String, &'static str);

macro_rules! collate_tuples {
    ($(($($t:ident $column:ident),+);)+) => {$(
        impl<$($t: Collate),+> Collate for ($($t,)+) {
            type Batch = ($($t::Batch,)+);
            fn collate(samples: Vec<Self>) -> Result<Self::Batch> {
                let n = samples.len();
                $(let mut $column = Vec::with_capacity(n);)+
                for sample in samples {
                    #[allow(non_snake_case, reason = "the type's name serves for its value")]
                    let ($($t,)+) = sample;
                    $($column.push($t);)+
                }
                Ok(($($t::collate($column)?,)+))
            }
        }
    )+};
}
collate_tuples! {
    (A a);
    (A a, B b);
    (A a, B b, C c);
    (A a, B b, C c, D d);
    (A a, B b, C c, D d, E e);
}

/// Collates lists of one length place by place.
fn columns<T: Collate>(samples: Vec<Vec<T>>) -> Result<Vec<T::Batch>> {
    let length = samples.first().map_or(0, Vec::len);
    if samples.iter().any(|s| s.len() != length) {
        return Err(Error::Value("each element in list of batch should be of equal size".into()));
    }
    let mut columns: Vec<Vec<T>> = (0..length).map(|_| Vec::with_capacity(samples.len())).collect();
    for sample in samples {
        columns.iter_mut().zip(sample).for_each(|(column, x)| column.push(x));
    }
    columns.into_iter().map(T::collate).collect()
}

impl<T: Collate> Collate for Vec<T> {
    type Batch = Vec<T::Batch>;
    fn collate(samples: Vec<Self>) -> Result<Self::Batch> {
        columns(samples)
    }
}

impl<T: Collate, const N: usize> Collate for [T; N] {
    type Batch = Vec<T::Batch>;
    fn collate(samples: Vec<Self>) -> Result<Self::Batch> {
        columns(samples.into_iter().map(Vec::from).collect())
    }
}

/// The samples' values under one key each.
fn by_key<K: Clone + Debug, M: IntoIterator<Item = (K, T)>, T: Collate>(
    keys: Vec<K>,
    samples: Vec<M>,
    mut remove: impl FnMut(&mut M, &K) -> Option<T>,
) -> Result<Vec<(K, T::Batch)>> {
    let mut samples = samples;
    let column = |key: K| {
        let values: Option<Vec<T>> = samples.iter_mut().map(|sample| remove(sample, &key)).collect();
        let values =
            values.ok_or_else(|| Error::Value(format!("KeyError: {}", format!("{key:?}").replace('"', "'"))))?;
        Ok((key, T::collate(values)?))
    };
    keys.into_iter().map(column).collect()
}

impl<K: Clone + Debug + Ord, T: Collate> Collate for BTreeMap<K, T> {
    type Batch = BTreeMap<K, T::Batch>;
    fn collate(samples: Vec<Self>) -> Result<Self::Batch> {
        let keys = samples.first().map_or(Vec::new(), |first| first.keys().cloned().collect());
        Ok(by_key(keys, samples, |sample, key| sample.remove(key))?.into_iter().collect())
    }
}

impl<K: Clone + Debug + Eq + Hash, T: Collate> Collate for HashMap<K, T> {
    type Batch = HashMap<K, T::Batch>;
    fn collate(samples: Vec<Self>) -> Result<Self::Batch> {
        let keys = samples.first().map_or(Vec::new(), |first| first.keys().cloned().collect());
        Ok(by_key(keys, samples, |sample, key| sample.remove(key))?.into_iter().collect())
    }
}
