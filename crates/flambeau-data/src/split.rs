//! Sets split at random: `torch.utils.data.random_split`.

use crate::dataset::{Dataset, Subset};
use crate::error::{Error, Result};
use crate::generator::permutation;
use flambeau_autograd::{OrPanic, warn};
use flambeau_tensor::random::Generator;
use std::sync::Arc;

/// The length of a part of a split: a number of samples, or a share of them.
#[diagnostic::on_unimplemented(message = "`{Self}` is neither a number of samples nor a share of them")]
pub trait PartLength: Copy {
    /// As a Python number: the value, and whether it is an integer.
    #[track_caller]
    fn to_number(self) -> (f64, bool);
}

macro_rules! part_lengths {
    ($is_int:literal: $($t:ty),+) => {$(
        impl PartLength for $t {
            fn to_number(self) -> (f64, bool) {
                (self as f64, $is_int)
            }
        }
    )+};
}
part_lengths!(true: u8, i8, i16, u16, i32, u32, i64, u64, usize, isize);
part_lengths!(false: f64);

impl PartLength for f32 {
    /// The decimal number that was written, so that 0.8 and 0.2 sum up to 1.
    fn to_number(self) -> (f64, bool) {
        (self.to_string().parse().unwrap_or_else(|_| self.into()), false)
    }
}

/// The lengths of a split's parts. An array gives an array of parts, a `Vec` or a slice a `Vec`.
pub trait PartLengths {
    /// As many parts as there are lengths.
    type Parts<S>;

    /// The lengths as Python numbers.
    #[track_caller]
    fn to_numbers(&self) -> Vec<(f64, bool)>;

    /// Parts, of which there are as many as lengths.
    fn collect<S>(parts: Vec<S>) -> Self::Parts<S>;
}

impl<L: PartLength, const N: usize> PartLengths for [L; N] {
    type Parts<S> = [S; N];
    fn to_numbers(&self) -> Vec<(f64, bool)> {
        self.iter().map(|length| length.to_number()).collect()
    }
    fn collect<S>(parts: Vec<S>) -> [S; N] {
        parts.try_into().unwrap_or_else(|_| unreachable!("a part for each length"))
    }
}

impl<L: PartLength> PartLengths for Vec<L> {
    type Parts<S> = Vec<S>;
    fn to_numbers(&self) -> Vec<(f64, bool)> {
        self.iter().map(|length| length.to_number()).collect()
    }
    fn collect<S>(parts: Vec<S>) -> Vec<S> {
        parts
    }
}

impl<L: PartLength> PartLengths for &[L] {
    type Parts<S> = Vec<S>;
    fn to_numbers(&self) -> Vec<(f64, bool)> {
        self.iter().map(|length| length.to_number()).collect()
    }
    fn collect<S>(parts: Vec<S>) -> Vec<S> {
        parts
    }
}

impl<P: PartLengths> PartLengths for &P {
    type Parts<S> = P::Parts<S>;
    fn to_numbers(&self) -> Vec<(f64, bool)> {
        (**self).to_numbers()
    }
    fn collect<S>(parts: Vec<S>) -> P::Parts<S> {
        P::collect(parts)
    }
}

/// Splits a set at random into parts of the given lengths, in the order that the default generator's permutation gives:
/// `torch.utils.data.random_split(dataset, lengths)`. Lengths may be shares that sum up to 1: lengths rounded down, and what is
/// left over goes to the first parts, one sample each. The parts share the set.
///
/// ```
/// use flambeau_data::{Dataset, TensorDataset, random_split};
///
/// let dataset = TensorDataset::new([flambeau_autograd::rand([80, 3]), flambeau_autograd::arange(80)]);
/// let [train, test] = random_split(dataset.clone(), [64, 16]);
/// assert_eq!((train.len(), test.len()), (64, 16));
/// let [train, test] = random_split(dataset, [0.75, 0.25]);
/// assert_eq!((train.len(), test.len()), (60, 20));
/// ```
///
/// # Panics
/// When the lengths do not sum up to the set's, or a share is not between 0 and 1.
#[track_caller]
pub fn random_split<D: Dataset, L: PartLengths>(dataset: D, lengths: L) -> L::Parts<Subset<D>> {
    L::collect(split(dataset, lengths.to_numbers(), None).or_panic())
}

/// Options of [`random_split_with`].
#[derive(Clone, Debug, Default)]
pub struct RandomSplitOptions {
    generator: Option<Generator>,
}

impl RandomSplitOptions {
    /// The stream to draw from, in place of the default generator.
    #[must_use]
    pub fn generator(mut self, generator: &Generator) -> Self {
        self.generator = Some(generator.clone());
        self
    }
}

/// [`random_split`] with options: `random_split(dataset, lengths, generator=generator)`.
///
/// ```
/// use flambeau_data::{TensorDataset, random_split_with};
/// use flambeau_tensor::random::Generator;
///
/// let dataset = TensorDataset::new([flambeau_autograd::arange(10)]);
/// let generator = Generator::new().manual_seed(42);
/// let [first, ..] = random_split_with(dataset, [0.3, 0.3, 0.4], |o| o.generator(&generator));
/// assert_eq!(first.indices(), [2, 6, 1]);
/// ```
///
/// # Panics
/// As [`random_split`].
#[track_caller]
pub fn random_split_with<D: Dataset, L: PartLengths>(
    dataset: D,
    lengths: L,
    options: impl FnOnce(RandomSplitOptions) -> RandomSplitOptions,
) -> L::Parts<Subset<D>> {
    let options = options(RandomSplitOptions::default());
    L::collect(split(dataset, lengths.to_numbers(), options.generator.as_ref()).or_panic())
}

const WRONG_SUM: &str = "Sum of input lengths does not equal the length of the input dataset!";

/// Numbers of samples of numbers or shares.
#[track_caller]
fn sizes(lengths: &[(f64, bool)], total: usize) -> Result<Vec<usize>> {
    let sum: f64 = lengths.iter().map(|(length, _)| length).sum();
    // Python's math.isclose, and not above 1.
    if sum <= 1.0 && 1.0 - sum <= 1e-9 {
        if let Some(i) = lengths.iter().position(|(share, _)| !(0.0..=1.0).contains(share)) {
            return Err(Error::Value(format!("Fraction at index {i} is not between 0 and 1")));
        }
        let mut sizes: Vec<usize> = lengths.iter().map(|(share, _)| (total as f64 * share).floor() as usize).collect();
        let (left, parts) = (total - sizes.iter().sum::<usize>(), sizes.len());
        (0..left).for_each(|i| sizes[i % parts] += 1);
        for i in (0..parts).filter(|&i| sizes[i] == 0) {
            warn(&format!("Length of split at index {i} is 0. This might result in an empty dataset."));
        }
        return Ok(sizes);
    }
    if sum != total as f64 {
        return Err(Error::Value(WRONG_SUM.into()));
    }
    let size = |&(length, is_int): &(f64, bool)| match is_int && length >= 0.0 {
        true => Ok(length as usize),
        false if is_int => Err(Error::Value(format!("the length of a part is {length}"))),
        false => Err(Error::Value("slice indices must be integers or None or have an __index__ method".into())),
    };
    lengths.iter().map(size).collect()
}

#[track_caller]
fn split<D: Dataset>(dataset: D, lengths: Vec<(f64, bool)>, generator: Option<&Generator>) -> Result<Vec<Subset<D>>> {
    let dataset = Arc::new(dataset);
    let sizes = sizes(&lengths, dataset.len())?;
    let order = permutation(dataset.len(), generator)?;
    let mut rest = order.as_slice();
    let part = |n: usize| {
        let (head, tail) = rest.split_at(n);
        rest = tail;
        Subset::of(dataset.clone(), head.to_vec())
    };
    Ok(sizes.into_iter().map(part).collect())
}
