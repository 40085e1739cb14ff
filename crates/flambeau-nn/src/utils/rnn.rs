//! `torch.nn.utils.rnn`: sequences of several lengths, padded to one or packed step by step.

mod packed;

pub use packed::{PackedSequence, PackedSequenceOptions};

use flambeau_autograd::arguments::{Int, TensorList};
use flambeau_autograd::{AsTensor, Error, OrPanic, Result, Tensor, from_vec, ops, options};
use flambeau_tensor::{Device, Scalar};

options! {
    /// Options of [`pack_padded_sequence_with`] and [`pack_sequence_with`].
    #[derive(Clone)]
    PackOptions {
        /// Whether the padded input is `[batch, steps, …]` instead of `[steps, batch, …]` (false); of no meaning for sequences in a list.
        batch_first: bool = false,
        /// Whether lengths that grow are an error (true); otherwise the sequences are sorted.
        enforce_sorted: bool = true,
    }
}

options! {
    /// Options of [`pad_packed_sequence_with`].
    #[derive(Clone)]
    PadPackedOptions {
        /// Whether the result is `[batch, steps, …]` instead of `[steps, batch, …]` (false).
        batch_first: bool = false,
        /// What stands behind shorter sequences (0).
        padding_value: Scalar = Scalar::Float(0.0),
        /// How many steps the result has (those of the longest sequence).
        total_length: Option<i64> = None,
    }
}

options! {
    /// Options of [`pad_sequence_with`].
    #[derive(Clone)]
    PadSequenceOptions {
        /// Whether the result is `[batch, steps, …]` instead of `[steps, batch, …]` (false).
        batch_first: bool = false,
        /// What stands beside shorter sequences (0).
        padding_value: Scalar = Scalar::Float(0.0),
        /// On which side of a sequence the padding stands: `"right"` or `"left"` (right).
        padding_side: String = "right".to_owned(),
    }
}

options! {
    /// Options of [`unpad_sequence_with`].
    #[derive(Clone)]
    UnpadOptions {
        /// Whether the input is `[batch, steps, …]` instead of `[steps, batch, …]` (false).
        batch_first: bool = false,
    }
}

/// The lengths of sequences: integers in an array, slice or vector, or a tensor.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of lengths",
    label = "expected integers or a tensor of them"
)]
pub trait SequenceLengths {
    /// The lengths.
    ///
    /// # Errors
    /// When a tensor is no vector in host memory.
    fn lengths(&self) -> Result<Vec<i64>>;
}

macro_rules! lists {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> SequenceLengths for $t {
            fn lengths(&self) -> Result<Vec<i64>> {
                Ok(self.iter().map(|n| n.to_i64()).collect())
            }
        }
    )*};
}
lists!([N: Int, const L: usize] [N; L], [N: Int, const L: usize] &[N; L], [N: Int] &[N], [N: Int] Vec<N>, [N: Int] &Vec<N>);

impl SequenceLengths for Tensor {
    fn lengths(&self) -> Result<Vec<i64>> {
        let whole = ops::to_dtype(self, flambeau_tensor::DType::I64)?;
        if whole.dim() != 1 || !whole.device().is_cpu() {
            let (dim, device) = (whole.dim(), whole.device());
            return Err(Error::runtime(format!(
                "'lengths' argument should be a 1D CPU int64 tensor, but got {dim}D {device} Long tensor"
            )));
        }
        Ok(whole.to_vec::<i64>())
    }
}

impl SequenceLengths for &Tensor {
    fn lengths(&self) -> Result<Vec<i64>> {
        (**self).lengths()
    }
}

/// Packs a padded batch `[steps, batch, …]` for a recurrent layer, which then skips the padding: `pack_padded_sequence`. The lengths
/// must not grow; [`pack_padded_sequence_with`] sorts.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::pack_padded_sequence;
/// let packed = pack_padded_sequence(tensor([[1, 4], [2, 5], [3, 0]]), [3, 2]);
/// assert_eq!(packed.data.to_vec::<i64>(), [1, 4, 2, 5, 3]);
/// assert_eq!(packed.batch_sizes.to_vec::<i64>(), [2, 2, 1]);
/// ```
///
/// # Panics
/// When nothing is to be packed, or the lengths grow, are not positive, or are not as many as the sequences.
#[track_caller]
pub fn pack_padded_sequence(input: impl AsTensor, lengths: impl SequenceLengths) -> PackedSequence {
    pack_padded_sequence_with(input, lengths, |o| o)
}

/// [`pack_padded_sequence`] with options: `batch_first`, `enforce_sorted`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::{pack_padded_sequence_with, pad_packed_sequence_with};
/// let padded = tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]]);
/// let packed = pack_padded_sequence_with(&padded, [2, 1, 3], |o| o.batch_first(true).enforce_sorted(false));
/// assert_eq!(packed.data.to_vec::<i64>(), [4, 1, 3, 5, 2, 6]);
/// let (again, lengths) = pad_packed_sequence_with(&packed, |o| o.batch_first(true));
/// assert_eq!((again.to_vec::<i64>(), lengths.to_vec::<i64>()), (padded.to_vec::<i64>(), vec![2, 1, 3]));
/// ```
///
/// # Panics
/// As [`pack_padded_sequence`]; lengths may grow where `enforce_sorted` is false.
#[track_caller]
pub fn pack_padded_sequence_with(
    input: impl AsTensor,
    lengths: impl SequenceLengths,
    options: impl FnOnce(PackOptions) -> PackOptions,
) -> PackedSequence {
    let o = options(PackOptions::default());
    let lengths = lengths.lengths().or_panic();
    pack(input.as_tensor(), lengths, o.batch_first, o.enforce_sorted).or_panic()
}

fn pack(input: &Tensor, lengths: Vec<i64>, batch_first: bool, enforce_sorted: bool) -> Result<PackedSequence> {
    let mut order: Vec<i64> = (0..lengths.len() as i64).collect();
    let (lengths, order) = if enforce_sorted {
        (lengths, None)
    } else {
        order.sort_by_key(|&i| std::cmp::Reverse(lengths[i as usize]));
        (order.iter().map(|&i| lengths[i as usize]).collect(), Some(order))
    };
    let (data, batch_sizes) = ops::pack_padded(input, &lengths, order.as_deref(), batch_first)?;
    let sorted_indices = order.map(|order| on(&order, data.device())).transpose()?;
    Ok(PackedSequence::with(data, on(&batch_sizes, Device::Cpu)?, |o| o.sorted_indices(&sorted_indices)))
}

/// Integers on a device.
fn on(numbers: &[i64], device: Device) -> Result<Tensor> {
    ops::to_device(&from_vec(numbers.to_vec(), [numbers.len()]), device)
}

/// The padded batch `[steps, batch, …]` of a packed one, in the order that the sequences had before, and their lengths:
/// `pad_packed_sequence`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::{pack_sequence, pad_packed_sequence};
/// let (padded, lengths) = pad_packed_sequence(&pack_sequence((tensor([1, 2]), tensor([3]))));
/// assert_eq!(padded.to_vec::<i64>(), [1, 3, 2, 0]);
/// assert_eq!(lengths.to_vec::<i64>(), [2, 1]);
/// ```
#[track_caller]
pub fn pad_packed_sequence(sequence: &PackedSequence) -> (Tensor, Tensor) {
    pad_packed_sequence_with(sequence, |o| o)
}

/// [`pad_packed_sequence`] with options: `batch_first`, `padding_value`, `total_length`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::{pack_sequence, pad_packed_sequence_with};
/// let packed = pack_sequence((tensor([1, 2]), tensor([3])));
/// let (padded, _) = pad_packed_sequence_with(&packed, |o| o.batch_first(true).padding_value(-1).total_length(3));
/// assert_eq!(padded.to_vec::<i64>(), [1, 2, -1, 3, -1, -1]);
/// ```
///
/// # Panics
/// When `total_length` is less than the longest sequence.
#[track_caller]
pub fn pad_packed_sequence_with(
    sequence: &PackedSequence,
    options: impl FnOnce(PadPackedOptions) -> PadPackedOptions,
) -> (Tensor, Tensor) {
    let o = options(PadPackedOptions::default());
    let sizes = sequence.batch_sizes.to_vec::<i64>();
    let longest = sizes.len();
    let steps = match o.total_length {
        None => longest,
        Some(n) if n >= longest as i64 => n as usize,
        Some(n) => panic!(
            "Expected total_length to be at least the length of the longest sequence in input, but got total_length={n} and max \
             sequence length being {longest}"
        ),
    };
    let order = sequence.unsorted_indices.as_ref().map(|order| order.cpu().to_vec::<i64>());
    let padded = ops::pad_packed(&sequence.data, &sizes, order.as_deref(), o.batch_first, o.padding_value, steps);
    let (padded, lengths) = padded.or_panic();
    let count = lengths.len();
    (padded, from_vec(lengths, [count]))
}

/// Sequences `[length, …]` as one tensor `[steps, batch, …]`, with zeros behind the shorter ones: `pad_sequence`.
///
/// ```
/// use flambeau_autograd::ones;
/// use flambeau_nn::utils::rnn::pad_sequence;
/// let padded = pad_sequence([ones([25, 300]), ones([22, 300]), ones([15, 300])]);
/// assert_eq!(padded.size(), [25, 3, 300]);
/// ```
///
/// # Panics
/// Without sequences, and where another dimension than the first differs.
#[track_caller]
pub fn pad_sequence(sequences: impl TensorList) -> Tensor {
    pad_sequence_with(sequences, |o| o)
}

/// [`pad_sequence`] with options: `batch_first`, `padding_value`, `padding_side`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::pad_sequence_with;
/// let padded = pad_sequence_with((tensor([1, 2]), tensor([3])), |o| o.batch_first(true).padding_side("left"));
/// assert_eq!(padded.to_vec::<i64>(), [1, 2, 0, 3]);
/// ```
///
/// # Panics
/// As [`pad_sequence`], and for a side that is neither left nor right.
#[track_caller]
pub fn pad_sequence_with(
    sequences: impl TensorList,
    options: impl FnOnce(PadSequenceOptions) -> PadSequenceOptions,
) -> Tensor {
    let o = options(PadSequenceOptions::default());
    let sequences = sequences.to_list();
    let side = o.padding_side.as_str();
    assert!(
        sequences.is_empty() || matches!(side, "left" | "right"),
        "Expected padding_side to be one of left or right, but got {side}."
    );
    ops::pad_sequences(&sequences, o.batch_first, o.padding_value, side == "left").or_panic()
}

/// The sequences of a padded batch `[steps, batch, …]`, each cut to its length: `unpad_sequence`. The batch stays as it is, where
/// PyTorch's turns its first two dimensions in place.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::{pad_sequence, unpad_sequence};
/// let parts = unpad_sequence(pad_sequence((tensor([1, 2]), tensor([3]))), [2, 1]);
/// assert_eq!((parts[0].to_vec::<i64>(), parts[1].to_vec::<i64>()), (vec![1, 2], vec![3]));
/// ```
///
/// # Panics
/// When there are not as many lengths as sequences.
#[track_caller]
pub fn unpad_sequence(padded_sequences: impl AsTensor, lengths: impl SequenceLengths) -> Vec<Tensor> {
    unpad_sequence_with(padded_sequences, lengths, |o| o)
}

/// [`unpad_sequence`] with options: `batch_first`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::unpad_sequence_with;
/// let parts = unpad_sequence_with(tensor([[1, 2], [3, 0]]), [2, 1], |o| o.batch_first(true));
/// assert_eq!(parts[1].to_vec::<i64>(), [3]);
/// ```
///
/// # Panics
/// As [`unpad_sequence`].
#[track_caller]
pub fn unpad_sequence_with(
    padded_sequences: impl AsTensor,
    lengths: impl SequenceLengths,
    options: impl FnOnce(UnpadOptions) -> UnpadOptions,
) -> Vec<Tensor> {
    let o = options(UnpadOptions::default());
    let lengths = lengths.lengths().or_panic();
    ops::unpad_sequences(padded_sequences.as_tensor(), &lengths, o.batch_first).or_panic()
}

/// Packs sequences `[length, …]`, the longest first: `pack_sequence`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::pack_sequence;
/// let packed = pack_sequence((tensor([1, 2, 3]), tensor([4, 5]), tensor([6])));
/// assert_eq!(packed.data.to_vec::<i64>(), [1, 4, 6, 2, 5, 3]);
/// ```
///
/// # Panics
/// As [`pad_sequence`] and [`pack_padded_sequence`].
#[track_caller]
pub fn pack_sequence(sequences: impl TensorList) -> PackedSequence {
    pack_sequence_with(sequences, |o| o)
}

/// [`pack_sequence`] with options: `enforce_sorted`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::{pack_sequence_with, unpack_sequence};
/// let packed = pack_sequence_with((tensor([6]), tensor([1, 2, 3])), |o| o.enforce_sorted(false));
/// assert_eq!(packed.data.to_vec::<i64>(), [1, 6, 2, 3]);
/// assert_eq!(unpack_sequence(&packed)[0].to_vec::<i64>(), [6]);
/// ```
///
/// # Panics
/// As [`pack_sequence`]; lengths may grow where `enforce_sorted` is false.
#[track_caller]
pub fn pack_sequence_with(
    sequences: impl TensorList,
    options: impl FnOnce(PackOptions) -> PackOptions,
) -> PackedSequence {
    let o = options(PackOptions::default());
    let sequences = sequences.to_list();
    let padded = ops::pad_sequences(&sequences, false, Scalar::Float(0.0), false).or_panic();
    let lengths = sequences.iter().map(|s| s.size()[0] as i64).collect();
    pack(&padded, lengths, false, o.enforce_sorted).or_panic()
}

/// The sequences of a packed one, in the order that they had before: `unpack_sequence`.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::utils::rnn::{pack_sequence, unpack_sequence};
/// let parts = unpack_sequence(&pack_sequence((tensor([1, 2]), tensor([3]))));
/// assert_eq!(parts[0].to_vec::<i64>(), [1, 2]);
/// ```
#[track_caller]
pub fn unpack_sequence(packed_sequences: &PackedSequence) -> Vec<Tensor> {
    let (padded, lengths) = pad_packed_sequence_with(packed_sequences, |o| o.batch_first(true));
    unpad_sequence_with(padded, lengths, |o| o.batch_first(true))
}

/// The inverse of a permutation: `invert_permutation`.
///
/// ```
/// use flambeau_autograd::tensor;
/// let inverse = flambeau_nn::utils::rnn::invert_permutation(tensor([2, 0, 1]));
/// assert_eq!(inverse.to_vec::<i64>(), [1, 2, 0]);
/// ```
///
/// # Panics
/// When an index has no place.
#[track_caller]
pub fn invert_permutation(permutation: impl AsTensor) -> Tensor {
    packed::inverse(permutation.as_tensor()).or_panic()
}
