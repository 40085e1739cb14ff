//! Connectionist temporal classification.

use crate::{Arg, Forward, Input, Module, ModuleState, Output, Value};
pub use flambeau_autograd::ops::{CTCLossOptions, SequenceLengths};
use flambeau_autograd::{OrPanic, Result, Tensor, ops};

/// The lengths of a batch's sequences as an input of a module: what a [`SequenceLengths`] is once it is kept.
pub enum KeptLengths {
    /// An integer tensor.
    Tensor(Tensor),
    /// A list.
    List(Vec<i64>),
}

impl SequenceLengths for KeptLengths {
    fn lengths(&self, name: &str) -> Result<Vec<i64>> {
        match self {
            KeptLengths::Tensor(tensor) => tensor.lengths(name),
            KeptLengths::List(list) => Ok(list.clone()),
        }
    }
    fn tensor(&self) -> Option<&Tensor> {
        match self {
            KeptLengths::Tensor(tensor) => Some(tensor),
            KeptLengths::List(_) => None,
        }
    }
}

impl Output for KeptLengths {
    fn to_value(&self) -> Value {
        match self {
            KeptLengths::Tensor(tensor) => tensor.to_value(),
            KeptLengths::List(list) => list.to_value(),
        }
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Tensor(tensor) => Some(KeptLengths::Tensor(tensor)),
            value => Vec::from_value(value).map(KeptLengths::List),
        }
    }
}

impl Input for KeptLengths {
    type Ref<'a> = &'a dyn SequenceLengths;
    fn borrow(&self) -> &dyn SequenceLengths {
        self
    }
    fn keep(input: &dyn SequenceLengths) -> Self {
        match input.tensor() {
            Some(tensor) => KeptLengths::Tensor(tensor.shallow_clone()),
            // Only a tensor may be of something else than integers.
            None => KeptLengths::List(input.lengths("lengths").unwrap_or_default()),
        }
    }
}

/// The negative log-likelihood of label sequences, whatever their alignment to time steps:
/// `nn.CTCLoss(blank, reduction, zero_infinity)`.
///
/// ```
/// use flambeau_autograd::{randn, tensor};
/// use flambeau_nn as nn;
/// let ctc = nn::CTCLoss::new();
/// // Fifty steps, two samples, four classes of which the first one is the blank.
/// let log_probs = randn([50, 2, 4]).log_softmax(2).requires_grad_(true);
/// let targets = tensor([[1, 2, 3], [3, 3, 0]]);
/// let loss = ctc.call(&log_probs, &targets, [50, 40], tensor([3, 2]));
/// loss.backward();
/// ```
#[derive(Module)]
pub struct CTCLoss {
    options: CTCLossOptions,
    state: ModuleState,
}

impl Default for CTCLoss {
    fn default() -> Self {
        Self::new()
    }
}

impl CTCLoss {
    /// With PyTorch's defaults.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `blank`, `reduction`, `zero_infinity`.
    #[track_caller]
    pub fn with(options: impl FnOnce(CTCLossOptions) -> CTCLossOptions) -> Self {
        CTCLoss { options: options(CTCLossOptions::default()), state: ModuleState::new() }
    }

    /// Python's `module(log_probs, targets, input_lengths, target_lengths)`: the loss between the module's hooks. Lengths are
    /// integer tensors, arrays, vectors or tuples.
    ///
    /// # Panics
    /// When shapes, dtypes or lengths do not fit, with PyTorch's message.
    #[track_caller]
    pub fn call(
        &self,
        log_probs: impl Arg<Tensor>,
        targets: impl Arg<Tensor>,
        input_lengths: impl SequenceLengths,
        target_lengths: impl SequenceLengths,
    ) -> Tensor {
        // Not `Arg`s: with a second kind of argument that a tensor may be, modules of two signatures need annotations.
        let lengths: [&dyn SequenceLengths; 2] = [&input_lengths, &target_lengths];
        let input = (log_probs.arg(), targets.arg(), lengths[0], lengths[1]);
        Forward::<(Tensor, Tensor, KeptLengths, KeptLengths)>::call_ref(self, input)
    }
}

impl Forward<(Tensor, Tensor, KeptLengths, KeptLengths)> for CTCLoss {
    #[track_caller]
    fn forward(
        &self,
        (log_probs, targets, input_lengths, target_lengths): (
            &Tensor,
            &Tensor,
            &dyn SequenceLengths,
            &dyn SequenceLengths,
        ),
    ) -> Tensor {
        ops::ctc_loss(log_probs, targets, input_lengths, target_lengths, &self.options).or_panic()
    }
}
