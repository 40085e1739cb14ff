//! Recurrent layers: a whole sequence through one layer, in one or both directions, as one operation.
//!
//! What the input adds to the gates is one product over all steps. A step then is one product and one program (of a GRU two
//! products), and backward it is the same; the weights' gradients are one product each over all steps. What is kept for backward
//! are the activated gates and the states. Where a gradient is to be differentiated, the layer is taken as PyTorch's operations in
//! turn.

mod backward;
mod cell;
mod composed;
mod forward;
mod pack;
mod programs;
mod sequence;
mod steps;

pub use cell::rnn_cell;
pub use pack::{pack_padded, pad_packed, pad_sequences, unpad_sequences};
pub use sequence::{RnnCall, RnnOutput, rnn};

use crate::error::Result;
use crate::graph::{Context, Grads, Save, record_many};
use crate::{Tensor, is_grad_enabled};
use backward::{Incoming, Swept, sweep};
use flambeau_tensor::Array;
use forward::{ONE, Trace, Weights, fresh, last_states, outputs, run, state_rows};
use smallvec::SmallVec;
use steps::Steps;

use crate::ops::linalg::matmul::{product_array, product_into};

/// What a recurrent layer computes at each step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RnnMode {
    /// tanh of what input and state add.
    Tanh,
    /// relu of what input and state add.
    Relu,
    /// Long short-term memory: input, forget, cell and output gates, and a cell state.
    Lstm,
    /// Gated recurrent units: reset, update and new gates.
    Gru,
}

impl RnnMode {
    /// How many times the hidden size the weights have as rows.
    pub fn gates(self) -> usize {
        match self {
            RnnMode::Tanh | RnnMode::Relu => 1,
            RnnMode::Lstm => 4,
            RnnMode::Gru => 3,
        }
    }

    /// As [`RnnMode::gates`], with a column of its own for what the state of a GRU adds to n.
    fn columns(self) -> usize {
        if self == RnnMode::Gru { 4 } else { self.gates() }
    }
}

/// How the sequence lies in the input, and what the results are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// `[steps, batch, features]`.
    Sequence,
    /// `[batch, steps, features]`.
    BatchFirst,
    /// `[rows, features]`, of a packed sequence.
    Packed,
    /// `[batch, features]`, one step, whose only results are the new states.
    Cell,
}

/// The form of a layer's input, and that of its output: between layers the steps come first.
#[derive(Clone, Copy, Debug)]
struct Forms {
    x: Form,
    out: Form,
}

impl Forms {
    fn is_cell(self) -> bool {
        self.x == Form::Cell
    }
}

/// What the inputs of a layer's node are, in order: x, h0, c0, then of each direction the weights, the biases and the projection.
#[derive(Clone, Copy, Debug)]
struct Parts {
    directions: usize,
    cells: bool,
    bias: bool,
    projection: bool,
}

impl Parts {
    fn first_weight(self) -> usize {
        2 + usize::from(self.cells)
    }

    fn of_direction(self) -> usize {
        2 + 2 * usize::from(self.bias) + usize::from(self.projection)
    }

    fn inputs(self) -> usize {
        self.first_weight() + self.directions * self.of_direction()
    }

    /// The weights of a direction among all inputs, as arrays.
    fn weights(self, d: usize, input: impl Fn(usize) -> Result<Tensor>) -> Result<Weights> {
        let first = self.first_weight() + d * self.of_direction();
        let array = |i: usize| Ok::<_, crate::Error>(input(first + i)?.array().clone());
        let bias = if self.bias { Some([array(2)?, array(3)?]) } else { None };
        let hr = self.projection.then(|| array(self.of_direction() - 1)).transpose()?;
        Ok(Weights { ih: array(0)?, hh: array(1)?, bias, hr })
    }
}

/// A layer's input as rows, `[rows, features]`.
fn rows(x: &Array, form: Form) -> Result<Array> {
    let x = match form {
        Form::Packed | Form::Cell => return Ok(x.clone()),
        Form::Sequence => x.clone(),
        Form::BatchFirst => x.transpose(0, 1)?,
    };
    let [steps, batch, features] = [0, 1, 2].map(|d| x.shape()[d] as i64);
    Ok(x.reshape(&[steps * batch, features])?)
}

/// Rows in the form of a layer's input or output.
fn unrowed(rows: Array, form: Form, steps: &Steps) -> Result<Array> {
    let wide = |rows: &Array| rows.view(&[steps.len as i64, steps.batch as i64, rows.shape()[1] as i64]);
    Ok(match form {
        Form::Packed | Form::Cell => rows,
        Form::Sequence => wide(&rows)?,
        Form::BatchFirst => wide(&rows)?.transpose(0, 1)?,
    })
}

/// A direction's part of a state, `[batch, width]`.
fn of_direction(state: &Array, forms: Forms, d: usize) -> Result<Array> {
    if forms.is_cell() { Ok(state.clone()) } else { Ok(state.select(0, d as i64)?) }
}

/// Runs one layer. `inputs` are as [`Parts`] says; the results are the output (not of a cell), the last hidden states and, of an
/// LSTM, the last cell states. A layer that is `inner` gives its output to the next one only, which does not write to it.
fn layer(
    name: &'static str,
    mode: RnnMode,
    inputs: &[&Tensor],
    parts: Parts,
    forms: Forms,
    steps: Steps,
    inner: bool,
) -> Result<Vec<Tensor>> {
    let x = rows(&inputs[0].array(), forms.x)?;
    let h0 = inputs[1].array();
    let c0 = parts.cells.then(|| inputs[2].array());
    let width = h0.shape()[h0.ndim() - 1];
    let mut traces: SmallVec<[Trace; 2]> = SmallVec::new();
    for d in 0..parts.directions {
        let weights = parts.weights(d, |i| Ok(inputs[i].shallow_clone()))?;
        let h0 = of_direction(&h0, forms, d)?;
        let c0 = c0.as_ref().map(|c0| of_direction(c0, forms, d)).transpose()?;
        traces.push(run(mode, &x, &weights, &steps, d == 1, &h0, c0.as_ref())?);
    }
    let mut results = Vec::with_capacity(3);
    if !forms.is_cell() {
        let out = match &traces[..] {
            [trace] if inner && steps.is_uniform() => state_rows(&trace.h, &steps, false, true)?,
            all => {
                let out = fresh(&x, &[steps.total(), parts.directions * width])?;
                for (d, trace) in all.iter().enumerate() {
                    outputs(&trace.h, &steps, d == 1, &out.narrow(1, (d * width) as i64, width as i64)?)?;
                }
                out
            }
        };
        results.push(unrowed(out, forms.out, &steps)?);
    }
    let last = |first: &Array, of: fn(&Trace) -> &Array| -> Result<Array> {
        let out = fresh(&x, first.shape())?;
        for (d, trace) in traces.iter().enumerate() {
            last_states(of(trace), &steps, d == 1, &of_direction(&out, forms, d)?)?;
        }
        Ok(out)
    };
    results.push(last(&h0, |trace| &trace.h)?);
    if let Some(c0) = &c0 {
        results.push(last(c0, |trace| trace.c.as_ref().expect("an LSTM has cells"))?);
    }
    let mut saves: SmallVec<[Save<'_>; 16]> = inputs.iter().map(|x| Save::Tensor("input", x)).collect();
    for trace in traces {
        saves.push(Save::Array("hidden_states", trace.h));
        saves.extend(trace.gates.map(|gates| Save::Array("gates", gates)));
        saves.extend(trace.c.map(|c| Save::Array("cell_states", c)));
    }
    let backward = move |c: &Context<'_>| match is_grad_enabled() {
        true => composed::gradients(c, mode, parts, forms, &steps),
        false => gradients(c, mode, parts, forms, &steps),
    };
    Ok(record_many(name, inputs, &saves, results, backward))
}

/// What a direction left behind, as it was saved.
fn saved_trace(c: &Context<'_>, mode: RnnMode, parts: Parts, d: usize) -> Result<Trace> {
    let has_gates = matches!(mode, RnnMode::Lstm | RnnMode::Gru);
    let of_direction = 1 + usize::from(has_gates) + usize::from(parts.cells);
    let first = parts.inputs() + d * of_direction;
    let array = |i: usize| Ok::<_, crate::Error>(c.saved(first + i)?.array().clone());
    Ok(Trace {
        h: array(0)?,
        gates: has_gates.then(|| array(1)).transpose()?,
        c: parts.cells.then(|| array(2)).transpose()?,
    })
}

/// The gradients of a layer.
fn gradients(c: &Context<'_>, mode: RnnMode, parts: Parts, forms: Forms, steps: &Steps) -> Result<Grads> {
    // The output of a cell is its state.
    let first_state = usize::from(!forms.is_cell());
    let incoming =
        |k: usize| -> Result<Option<Array>> { Ok(if c.has_grad(k) { Some(c.grad(k)?.array().clone()) } else { None }) };
    let out = if first_state == 1 { incoming(0)? } else { None };
    let out = match out {
        Some(out) if forms.out == Form::BatchFirst => Some(out.transpose(0, 1)?),
        out => out,
    };
    let h = incoming(first_state)?;
    let cells = if parts.cells { incoming(first_state + 1)? } else { None };
    let weight = |d: usize, i: usize| parts.first_weight() + d * parts.of_direction() + i;
    let mut grads = Grads::from_elem(None, parts.inputs());
    let mut dx: Option<Array> = None;
    let (mut dh0, mut dc0) = (None, None);
    for d in 0..parts.directions {
        let reverse = d == 1;
        let trace = saved_trace(c, mode, parts, d)?;
        // Biases are only needed to compute anew.
        let weights = Parts { bias: false, ..parts };
        let at = |i: usize| if i < 2 { weight(d, i) } else { weight(d, parts.of_direction() - 1) };
        let weights = weights.weights(0, |i| c.saved(at(i - parts.first_weight())))?;
        let width = trace.h.shape()[2];
        let part = |out: &Array| out.narrow(1, (d * width) as i64, width as i64);
        let of_step = |t: usize| -> Result<Option<Array>> {
            let Some(out) = &out else { return Ok(None) };
            let rows = if forms.x == Form::Packed { steps.of_rows(out, t)? } else { out.select(0, t as i64)? };
            Ok(Some(part(&rows)?))
        };
        let state = |grad: &Option<Array>| grad.as_ref().map(|g| of_direction(g, forms, d)).transpose();
        let incoming = Incoming { out: &of_step, h: state(&h)?, c: state(&cells)? };
        let swept = sweep(mode, &trace, &weights, steps, reverse, &incoming, c.needs(1))?;
        of_weights(c, &mut grads, |i| weight(d, i), (mode, parts, forms, steps), &trace, &swept, reverse)?;
        if c.needs(0) {
            let of_input = swept.of_input(mode)?;
            match &dx {
                None => dx = Some(product_array(&of_input, false, &weights.ih, false, ONE, None)?),
                Some(dx) => product_into(&of_input, false, &weights.ih, false, ONE, None, dx)?,
            }
        }
        keep(c.needs(1), &mut dh0, swept.h0, parts, forms, d)?;
        if let Some(c0) = swept.c0 {
            keep(c.needs(2), &mut dc0, c0, parts, forms, d)?;
        }
    }
    grads[0] = dx.map(|dx| unrowed(dx, forms.x, steps)).transpose()?.map(Tensor::from);
    grads[1] = dh0.map(Tensor::from);
    if parts.cells {
        grads[2] = dc0.map(Tensor::from);
    }
    Ok(grads)
}

/// Puts the gradient of a direction's first state where it belongs.
fn keep(wanted: bool, all: &mut Option<Array>, one: Array, parts: Parts, forms: Forms, d: usize) -> Result<()> {
    if !wanted {
        return Ok(());
    }
    if parts.directions == 1 {
        *all = Some(if forms.is_cell() { one } else { one.unsqueeze(0)? });
        return Ok(());
    }
    let shape = [parts.directions, one.shape()[0], one.shape()[1]];
    if all.is_none() {
        *all = Some(fresh(&one, &shape)?);
    }
    if let Some(all) = all {
        flambeau_tensor::ops::copy_into(&one, &all.select(0, d as i64)?)?;
    }
    Ok(())
}

/// The gradients of a direction's weights, each one product or sum over all steps.
fn of_weights(
    c: &Context<'_>,
    grads: &mut Grads,
    at: impl Fn(usize) -> usize,
    (mode, parts, forms, steps): (RnnMode, Parts, Forms, &Steps),
    trace: &Trace,
    swept: &Swept,
    reverse: bool,
) -> Result<()> {
    if c.needs(at(0)) {
        let x = rows(&c.saved(0)?.array(), forms.x)?;
        grads[at(0)] = Some(product_array(&swept.of_input(mode)?, true, &x, false, ONE, None)?.into());
    }
    if c.needs(at(1)) {
        grads[at(1)] = Some(swept.of_hh(mode, trace, steps, reverse)?.into());
    }
    if parts.bias && (c.needs(at(2)) || c.needs(at(3))) {
        for (i, sum) in swept.of_biases(mode)?.into_iter().enumerate() {
            grads[at(2 + i)] = c.needs(at(2 + i)).then(|| sum.into());
        }
    }
    let last = parts.of_direction() - 1;
    if parts.projection && c.needs(at(last)) {
        grads[at(last)] = swept.of_hr(trace, steps, reverse)?.map(Tensor::from);
    }
    Ok(())
}

/// The last states of several layers, `[directions, batch, width]` each, one behind the other, as PyTorch stacks them.
fn stacked(parts: &[Tensor]) -> Result<Tensor> {
    if let [one] = parts {
        return Ok(one.shallow_clone());
    }
    let (each, first) = (parts[0].size().to_vec(), parts[0].array());
    let out = fresh(&first, &[parts.len() * each[0], each[1], each[2]])?;
    let place = |i: usize| (i * each[0]) as i64;
    for (i, part) in parts.iter().enumerate() {
        flambeau_tensor::ops::copy_into(&part.array(), &out.narrow(0, place(i), each[0] as i64)?)?;
    }
    let inputs: SmallVec<[&Tensor; 4]> = parts.iter().collect();
    let (count, step) = (parts.len(), each[0] as i64);
    Ok(crate::graph::record("StackBackward0", &inputs, &[], out, move |c| {
        let grad = c.grad(0)?;
        let part = |i: usize| c.needs(i).then(|| crate::ops::narrow(&grad, 0, i as i64 * step, step)).transpose();
        (0..count).map(part).collect()
    }))
}
