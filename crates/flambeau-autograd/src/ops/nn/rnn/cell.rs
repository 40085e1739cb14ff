//! One step of a recurrence: `torch.rnn_tanh_cell`, `rnn_relu_cell`, `lstm_cell`, `gru_cell`.

use super::sequence::{LOW, watched};
use super::{Form, Forms, Parts, RnnMode, Steps, composed, layer};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::mode::Casting;
use crate::mode::autocast::Kind;

/// The new state after one step: of x `[batch, features]` and the states `[batch, hidden]` (h and, of an LSTM, c), with weights
/// `[gates · hidden, features]` and `[gates · hidden, hidden]` and biases `[gates · hidden]`.
///
/// # Errors
/// When shapes or dtypes do not fit.
#[track_caller]
pub fn rnn_cell(
    mode: RnnMode,
    x: &Tensor,
    states: &[&Tensor],
    weight_ih: &Tensor,
    weight_hh: &Tensor,
    bias: Option<[&Tensor; 2]>,
) -> Result<Vec<Tensor>> {
    let (name, shown) = match mode {
        RnnMode::Tanh => ("TanhBackward0", "rnn_tanh_cell"),
        RnnMode::Relu => ("ReluBackward0", "rnn_relu_cell"),
        RnnMode::Lstm => ("MulBackward0", "lstm_cell"),
        RnnMode::Gru => ("AddBackward0", "gru_cell"),
    };
    let parts = Parts { directions: 1, cells: mode == RnnMode::Lstm, bias: bias.is_some(), projection: false };
    let hidden = weight_hh.size()[1];
    check_input(x, weight_ih.size()[1])?;
    for (i, state) in states.iter().enumerate() {
        check_state(x, state, hidden, i)?;
    }
    let mut inputs = vec![x];
    inputs.extend(states);
    inputs.extend([weight_ih, weight_hh]);
    inputs.extend(bias.into_iter().flatten());
    let (forms, steps) = (Forms { x: Form::Cell, out: Form::Cell }, Steps::uniform(1, x.size()[0]));
    watched(shown, &inputs, |region| match region {
        None => {
            same_dtype(&inputs, weight_ih)?;
            layer(name, mode, &inputs, parts, forms, steps, false)
        }
        Some(Kind::Cpu) => {
            let inputs: Vec<Tensor> = inputs.iter().map(|x| x.shallow_clone()).collect();
            composed::layer(mode, &inputs, parts, forms, &steps)
        }
        Some(Kind::Gpu) => {
            let casting = Casting::begin(LOW, &[&x])?;
            let cast = casting.list(&inputs)?;
            let inputs: Vec<&Tensor> = cast.iter().map(|held| &**held).collect();
            layer(name, mode, &inputs, parts, forms, steps, false)
        }
    })
}

fn check_input(x: &Tensor, features: usize) -> Result<()> {
    match x.size()[1] {
        n if n == features => Ok(()),
        n => Err(Error::runtime(format!("input has inconsistent input_size: got {n} expected {features}"))),
    }
}

fn check_state(x: &Tensor, state: &Tensor, hidden: usize, i: usize) -> Result<()> {
    if state.dim() != 2 {
        let n = state.dim();
        return Err(Error::runtime(format!("Expected 2D hidden{i} (batch x hidden_size), but got {n}D tensor")));
    }
    let (batch, size) = (x.size()[0], state.size());
    if size[0] != batch {
        let other = size[0];
        return Err(Error::runtime(format!("Input batch size {batch} doesn't match hidden{i} batch size {other}")));
    }
    if size[1] != hidden {
        return Err(Error::runtime(format!(
            "hidden{i} has inconsistent hidden_size: got {}, expected {hidden}",
            size[1]
        )));
    }
    Ok(())
}

/// Refuses inputs of two dtypes, in mm's words.
pub(super) fn same_dtype(inputs: &[&Tensor], weight: &Tensor) -> Result<()> {
    match inputs.iter().find(|x| x.dtype() != weight.dtype()) {
        None => Ok(()),
        Some(x) => Err(Error::runtime(format!(
            "mat1 and mat2 must have the same dtype, but got {} and {}",
            x.dtype().scalar_type_name(),
            weight.dtype().scalar_type_name()
        ))),
    }
}
