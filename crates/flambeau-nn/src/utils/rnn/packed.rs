//! Packed sequences.

use crate::{Arg, Input, Output, Value};
use flambeau_autograd::ops::{self, ToTarget};
use flambeau_autograd::{AsTensor, OrPanic, Result, Tensor, options};
use flambeau_tensor::{DType, Device};
use std::fmt;

options! {
    /// What a [`PackedSequence`] knows of the order of its sequences.
    #[derive(Clone, Debug)]
    PackedSequenceOptions {
        /// How the packed order follows from that of the sequences (they were sorted already).
        sorted_indices: Option<Tensor> = None,
        /// How that of the sequences follows from the packed order (the inverse of `sorted_indices`).
        unsorted_indices: Option<Tensor> = None,
    }
}

/// A batch of sequences of several lengths, step by step without padding: `nn.utils.rnn.PackedSequence`. Recurrent layers take one
/// in the place of a tensor, and give one. [`pack_padded_sequence`](super::pack_padded_sequence) and
/// [`pack_sequence`](super::pack_sequence) make them.
///
/// ```
/// use flambeau_autograd::{ones, tensor};
/// use flambeau_nn::{self as nn, utils::rnn::pack_sequence};
/// let packed = pack_sequence((ones([3, 5]), ones([1, 5])));
/// assert_eq!(packed.batch_sizes.to_vec::<i64>(), [2, 1, 1]);
/// let (out, h) = nn::GRU::new(5, 8).call(&packed);
/// assert_eq!((out.data.size().to_vec(), h.size().to_vec()), (vec![4, 8], vec![1, 2, 8]));
/// ```
#[derive(Debug)]
pub struct PackedSequence {
    /// The rows of all steps, `[rows, …]`.
    pub data: Tensor,
    /// How many sequences each step has; in host memory.
    pub batch_sizes: Tensor,
    /// Which sequence the i-th packed one was, if they were sorted.
    pub sorted_indices: Option<Tensor>,
    /// As which one the i-th sequence was packed.
    pub unsorted_indices: Option<Tensor>,
}

/// The inverse of a permutation.
pub(super) fn inverse(permutation: &Tensor) -> Result<Tensor> {
    let order = ops::arange(0.into(), permutation.numel().into(), 1.into(), Some(DType::I64), permutation.device())?;
    let out = ops::zeros_like(permutation, None, None)?;
    ops::scatter(&out, 0, permutation, &order)
}

impl PackedSequence {
    /// Of rows and the numbers of sequences of each step, which were sorted already.
    ///
    /// # Panics
    /// When the sizes are not in host memory.
    #[track_caller]
    pub fn new(data: impl AsTensor, batch_sizes: impl AsTensor) -> Self {
        Self::with(data, batch_sizes, |o| o)
    }

    /// With options: `sorted_indices`, `unsorted_indices`.
    ///
    /// # Panics
    /// As [`PackedSequence::new`].
    #[track_caller]
    pub fn with(
        data: impl AsTensor,
        batch_sizes: impl AsTensor,
        options: impl FnOnce(PackedSequenceOptions) -> PackedSequenceOptions,
    ) -> Self {
        let PackedSequenceOptions { sorted_indices, unsorted_indices } = options(PackedSequenceOptions::default());
        let batch_sizes = batch_sizes.as_tensor().shallow_clone();
        assert!(
            batch_sizes.device().is_cpu(),
            "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. They should be \
             instantiated by functions like pack_sequence and pack_padded_sequences in nn.utils.rnn. \
             https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
        );
        let unsorted_indices = match (unsorted_indices, &sorted_indices) {
            (None, Some(sorted)) => Some(inverse(sorted).or_panic()),
            (given, _) => given,
        };
        PackedSequence { data: data.as_tensor().shallow_clone(), batch_sizes, sorted_indices, unsorted_indices }
    }

    /// The same sequences with rows in another dtype or on another device: `packed.to(…)`.
    ///
    /// ```
    /// use flambeau_autograd::ones;
    /// let packed = flambeau_nn::utils::rnn::pack_sequence([ones([2])]).to("cpu").double();
    /// assert_eq!(packed.data.dtype().to_string(), "torch.float64");
    /// ```
    ///
    /// # Panics
    /// When the device is missing.
    #[track_caller]
    #[must_use]
    pub fn to(&self, target: impl ToTarget) -> Self {
        let data = target.convert(&self.data).or_panic();
        let moved = |t: &Option<Tensor>| t.as_ref().map(|t| ops::to_device(t, data.device())).transpose();
        let sorted_indices = moved(&self.sorted_indices).or_panic();
        let unsorted_indices = moved(&self.unsorted_indices).or_panic();
        PackedSequence { data, batch_sizes: self.batch_sizes.shallow_clone(), sorted_indices, unsorted_indices }
    }

    /// With rows in host memory.
    #[track_caller]
    #[must_use]
    pub fn cpu(&self) -> Self {
        self.to(Device::Cpu)
    }

    /// With rows on the first GPU, whatever its make.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    #[must_use]
    pub fn cuda(&self) -> Self {
        self.to(Device::Wgpu(0))
    }

    /// Whether the rows lie on a GPU.
    pub fn is_cuda(&self) -> bool {
        !self.data.device().is_cpu()
    }

    /// With rows in float64.
    #[track_caller]
    #[must_use]
    pub fn double(&self) -> Self {
        self.to(DType::F64)
    }

    /// With rows in float32.
    #[track_caller]
    #[must_use]
    pub fn float(&self) -> Self {
        self.to(DType::F32)
    }

    /// With rows in float16.
    #[track_caller]
    #[must_use]
    pub fn half(&self) -> Self {
        self.to(DType::F16)
    }

    /// With rows in int64.
    #[track_caller]
    #[must_use]
    pub fn long(&self) -> Self {
        self.to(DType::I64)
    }

    /// A second handle of the same tensors.
    #[must_use]
    pub fn shallow_clone(&self) -> Self {
        let handle = |t: &Option<Tensor>| t.as_ref().map(Tensor::shallow_clone);
        PackedSequence {
            data: self.data.shallow_clone(),
            batch_sizes: self.batch_sizes.shallow_clone(),
            sorted_indices: handle(&self.sorted_indices),
            unsorted_indices: handle(&self.unsorted_indices),
        }
    }
}

impl fmt::Display for PackedSequence {
    /// Python's `print(packed)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let optional = |t: &Option<Tensor>| t.as_ref().map_or("None".to_owned(), Tensor::to_string);
        let PackedSequence { data, batch_sizes, sorted_indices, unsorted_indices } = self;
        let (sorted, unsorted) = (optional(sorted_indices), optional(unsorted_indices));
        write!(
            f,
            "PackedSequence(data={data}, batch_sizes={batch_sizes}, sorted_indices={sorted}, unsorted_indices={unsorted})"
        )
    }
}

impl Output for PackedSequence {
    fn to_value(&self) -> Value {
        let optional = |t: &Option<Tensor>| t.as_ref().map_or(Value::None, Output::to_value);
        let indices = [optional(&self.sorted_indices), optional(&self.unsorted_indices)];
        Value::Tuple([self.data.to_value(), self.batch_sizes.to_value()].into_iter().chain(indices).collect())
    }

    fn from_value(value: Value) -> Option<Self> {
        let (data, batch_sizes, sorted_indices, unsorted_indices) = Output::from_value(value)?;
        Some(PackedSequence { data, batch_sizes, sorted_indices, unsorted_indices })
    }
}

impl Input for PackedSequence {
    type Ref<'a> = &'a PackedSequence;
    fn borrow(&self) -> &PackedSequence {
        self
    }
    fn keep(input: &PackedSequence) -> Self {
        input.shallow_clone()
    }
}

impl Arg<PackedSequence> for PackedSequence {
    fn arg(&self) -> &PackedSequence {
        self
    }
}

impl Arg<PackedSequence> for &PackedSequence {
    fn arg(&self) -> &PackedSequence {
        self
    }
}
