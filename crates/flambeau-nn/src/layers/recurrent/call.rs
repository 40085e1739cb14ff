//! Calls of recurrent layers: with and without a batch, with and without a state, of padded and packed sequences.

use super::{LSTM, RNNBase, RecurrentKind};
use crate::utils::rnn::PackedSequence;
use crate::{Arg, Forward, Input, Output, Value};
use flambeau_autograd::mode::is_any_autocast_enabled;
use flambeau_autograd::ops::{self, RnnCall, RnnMode};
use flambeau_autograd::{Error, OrPanic, Result, Tensor};

/// What a recurrent layer goes through: a tensor or a [`PackedSequence`].
pub trait Sequence: Input + Output + sealed::Sealed {
    #[doc(hidden)]
    fn parts<'a>(input: &'a Self::Ref<'_>) -> Parts<'a>;
    #[doc(hidden)]
    fn output(input: Self::Ref<'_>, output: Tensor) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for flambeau_autograd::Tensor {}
    impl Sealed for crate::utils::rnn::PackedSequence {}
}

/// A sequence as the layers see it.
#[doc(hidden)]
pub struct Parts<'a> {
    data: &'a Tensor,
    packed: Option<&'a PackedSequence>,
}

impl Sequence for Tensor {
    fn parts<'a>(data: &'a &Tensor) -> Parts<'a> {
        Parts { data, packed: None }
    }
    fn output(_: &Tensor, output: Tensor) -> Tensor {
        output
    }
}

impl Sequence for PackedSequence {
    fn parts<'a>(packed: &'a &PackedSequence) -> Parts<'a> {
        Parts { data: &packed.data, packed: Some(packed) }
    }
    fn output(packed: &PackedSequence, data: Tensor) -> PackedSequence {
        PackedSequence { data, ..packed.shallow_clone() }
    }
}

/// A state as a list of tensors: h and, of an LSTM, c.
type States = Vec<Tensor>;

/// A state in its own type.
pub(super) fn state<S: Output>(mut states: States) -> S {
    let value = match states.len() {
        1 => states.remove(0).to_value(),
        _ => Value::Tuple(states.iter().map(Output::to_value).collect()),
    };
    S::from_value(value).expect("as many states as the layer has")
}

impl<K: RecurrentKind> RNNBase<K> {
    /// Runs the layers over a sequence `x`, with `(x, state)` from a given state: Python's `rnn(x)` and `rnn(x, hx)`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's words.
    #[track_caller]
    pub fn call<In: Input, Out: Output>(&self, input: impl Arg<In>) -> Out
    where
        Self: Forward<In, Out>,
    {
        self.call_ref(input.arg())
    }

    /// The length of a state h.
    fn width(&self) -> usize {
        if self.proj_size > 0 { self.proj_size } else { self.hidden_size }
    }

    /// The shapes of the states for so many sequences, each with its name in messages.
    fn state_shapes(&self, batch: usize) -> Vec<(&'static str, [usize; 3])> {
        let count = self.num_layers * self.directions();
        match self.mode {
            RnnMode::Lstm => {
                vec![("hidden[0]", [count, batch, self.width()]), ("hidden[1]", [count, batch, self.hidden_size])]
            }
            _ => vec![("hidden", [count, batch, self.width()])],
        }
    }

    #[track_caller]
    fn run(&self, parts: &Parts<'_>, states: Option<&[&Tensor]>) -> Result<(Tensor, States)> {
        match parts.packed {
            Some(packed) => self.run_packed(packed, states),
            None => self.run_padded(parts.data, states),
        }
    }

    #[track_caller]
    fn run_packed(&self, packed: &PackedSequence, states: Option<&[&Tensor]>) -> Result<(Tensor, States)> {
        let sizes: Vec<usize> = packed.batch_sizes.to_vec::<i64>().into_iter().map(|n| n as usize).collect();
        let in_order = |state: &Tensor, order: &Option<Tensor>| match order {
            Some(order) => ops::index_select(state, 1, order),
            None => Ok(state.shallow_clone()),
        };
        let states: Option<States> =
            states.map(|s| s.iter().map(|s| in_order(s, &packed.sorted_indices)).collect()).transpose()?;
        let batch = sizes.first().copied().unwrap_or(0);
        let states = self.checked(&packed.data, 2, batch, states)?;
        let (out, last) = self.layers(&packed.data, Some(&sizes), &states)?;
        Ok((out, last.iter().map(|s| in_order(s, &packed.unsorted_indices)).collect::<Result<_>>()?))
    }

    #[track_caller]
    fn run_padded(&self, x: &Tensor, states: Option<&[&Tensor]>) -> Result<(Tensor, States)> {
        let n = x.dim();
        if n != 2 && n != 3 {
            // PyTorch's RNN says it in a word more.
            let what = if matches!(self.mode, RnnMode::Tanh | RnnMode::Relu) { "D tensor" } else { "D" };
            return Err(Error::value(format!("{}: Expected input to be 2D or 3D, got {n}{what} instead", K::NAME)));
        }
        let (is_batched, batch_dim) = (n == 3, usize::from(!self.batch_first));
        let wide = if is_batched { x.shallow_clone() } else { ops::unsqueeze(x, batch_dim as i64)? };
        let states = states.map(|states| self.batched(states, is_batched)).transpose()?;
        let states = self.checked(&wide, 3, wide.size()[batch_dim], states)?;
        let (out, last) = self.layers(&wide, None, &states)?;
        if is_batched {
            return Ok((out, last));
        }
        let out = ops::squeeze(&out, Some(&[batch_dim as i64]))?;
        Ok((out, last.iter().map(|s| ops::squeeze(s, Some(&[1]))).collect::<Result<_>>()?))
    }

    /// The given states with a dimension for the batch.
    fn batched(&self, states: &[&Tensor], is_batched: bool) -> Result<States> {
        let expected = if is_batched { 3 } else { 2 };
        if states.iter().any(|s| s.dim() != expected) {
            let input = if is_batched { "batched 3-D" } else { "unbatched 2-D" };
            return Err(Error::runtime(match states {
                [h] => format!("For {input} input, hx should also be {expected}-D but got {}-D tensor", h.dim()),
                all => {
                    let dims: Vec<String> = all.iter().map(|s| format!("{}-D", s.dim())).collect();
                    let dims = dims.join(", ");
                    format!("For {input} input, hx and cx should also be {expected}-D but got ({dims}) tensors")
                }
            }));
        }
        let wide = |s: &&Tensor| if is_batched { Ok(s.shallow_clone()) } else { ops::unsqueeze(s, 1) };
        states.iter().map(wide).collect()
    }

    /// Checks input and states; states that were not given are zeros.
    fn checked(&self, x: &Tensor, dims: usize, batch: usize, states: Option<States>) -> Result<States> {
        let (dtype, weights) = (x.dtype(), self.weights[0].dtype());
        if dtype != weights && !is_any_autocast_enabled() {
            return Err(Error::value(format!(
                "RNN input dtype ({dtype}) does not match weight dtype ({weights}). Convert input: input.to({weights}), or convert \
                 model: model.to({dtype})"
            )));
        }
        if x.dim() != dims {
            return Err(Error::runtime(format!("input must have {dims} dimensions, got {}", x.dim())));
        }
        let (expected, have) = (self.input_size, x.size()[dims - 1]);
        if have != expected {
            return Err(Error::runtime(format!(
                "input.size(-1) must be equal to input_size. Expected {expected}, got {have}"
            )));
        }
        let shapes = self.state_shapes(batch);
        let Some(states) = states else {
            return shapes.iter().map(|(_, shape)| ops::zeros(shape, dtype, x.device())).collect();
        };
        for ((name, [a, b, c]), state) in shapes.iter().zip(&states) {
            let size = state.size();
            if *size != [*a, *b, *c] {
                return Err(Error::runtime(format!("Expected {name} size ({a}, {b}, {c}), got {:?}", &*size)));
            }
        }
        Ok(states)
    }

    #[track_caller]
    fn layers(&self, x: &Tensor, batch_sizes: Option<&[usize]>, states: &[Tensor]) -> Result<(Tensor, States)> {
        let params: Vec<&Tensor> = self.weights.iter().map(|w| w.tensor()).collect();
        let out = ops::rnn(&RnnCall {
            mode: self.mode,
            input: x,
            batch_sizes,
            h0: &states[0],
            c0: states.get(1),
            params: &params,
            has_biases: self.bias,
            num_layers: self.num_layers,
            dropout: self.dropout,
            train: self.state.training(),
            bidirectional: self.bidirectional,
            batch_first: self.batch_first,
        })?;
        Ok((out.output, [Some(out.h), out.c].into_iter().flatten().collect()))
    }

    /// The layer's results, with the state in its own type.
    #[track_caller]
    fn results<S: Sequence>(&self, x: S::Ref<'_>, states: Option<&[&Tensor]>) -> (S, K::State) {
        let (out, states) = self.run(&S::parts(&x), states).or_panic();
        (S::output(x, out), state(states))
    }
}

impl<K: RecurrentKind, S: Sequence> Forward<S, (S, K::State)> for RNNBase<K> {
    #[track_caller]
    fn forward(&self, x: S::Ref<'_>) -> (S, K::State) {
        self.results(x, None)
    }
}

impl<K: RecurrentKind<State = Tensor>, S: Sequence> Forward<(S, Tensor), (S, Tensor)> for RNNBase<K> {
    #[track_caller]
    fn forward(&self, (x, h): (S::Ref<'_>, &Tensor)) -> (S, Tensor) {
        self.results(x, Some(&[h]))
    }
}

impl<K: RecurrentKind<State = Tensor>, S: Sequence> Forward<(S, Option<Tensor>), (S, Tensor)> for RNNBase<K> {
    #[track_caller]
    fn forward(&self, (x, h): (S::Ref<'_>, Option<&Tensor>)) -> (S, Tensor) {
        self.results(x, h.as_ref().map(std::slice::from_ref))
    }
}

impl<S: Sequence> Forward<(S, (Tensor, Tensor)), (S, (Tensor, Tensor))> for LSTM {
    #[track_caller]
    fn forward(&self, (x, (h, c)): (S::Ref<'_>, (&Tensor, &Tensor))) -> (S, (Tensor, Tensor)) {
        self.results(x, Some(&[h, c]))
    }
}

impl<S: Sequence> Forward<(S, Option<(Tensor, Tensor)>), (S, (Tensor, Tensor))> for LSTM {
    #[track_caller]
    fn forward(&self, (x, states): (S::Ref<'_>, Option<(&Tensor, &Tensor)>)) -> (S, (Tensor, Tensor)) {
        let states = states.map(|(h, c)| [h, c]);
        self.results(x, states.as_ref().map(|s| &s[..]))
    }
}
