//! One direction of a recurrent layer, forward.

use super::RnnMode;
use super::programs::{GRU, LSTM, SIMPLE};
use super::steps::Steps;
use crate::error::Result;
use crate::ops::linalg::matmul::product_into;
use flambeau_tensor::ops::{copy_into, pointwise, pointwise_into};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, Scalar};
use std::sync::LazyLock;

pub(super) const ZERO: Scalar = Scalar::Int(0);
pub(super) const ONE: Scalar = Scalar::Int(1);

static ADD: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.input(1)));

/// The weights of one direction as arrays.
pub(super) struct Weights {
    pub ih: Array,
    pub hh: Array,
    /// What is added to the input's and to the state's product.
    pub bias: Option<[Array; 2]>,
    /// The projection of h.
    pub hr: Option<Array>,
}

/// What a direction leaves behind.
pub(super) struct Trace {
    /// The activated gates, `[rows, gates · hidden]`, of an LSTM i, f, g, o, of a GRU r, z, n and what the state added to n; nothing
    /// of a simple layer.
    pub gates: Option<Array>,
    /// All hidden states, `[steps + 1, batch, hidden]`.
    pub h: Array,
    /// All cell states of an LSTM.
    pub c: Option<Array>,
}

/// Fresh memory beside `like`.
pub(super) fn fresh(like: &Array, shape: &[usize]) -> Result<Array> {
    Ok(Array::empty(like.backend(), like.device(), shape, like.dtype())?)
}

/// The columns of one gate among those that lie side by side.
pub(super) fn gate(a: &Array, i: usize, hidden: usize) -> Result<Array> {
    Ok(a.narrow(1, (i * hidden) as i64, hidden as i64)?)
}

/// Runs the steps of one direction over the rows `x`, `[rows, features]`.
pub(super) fn run(
    mode: RnnMode,
    x: &Array,
    weights: &Weights,
    steps: &Steps,
    reverse: bool,
    h0: &Array,
    c0: Option<&Array>,
) -> Result<Trace> {
    let hidden = weights.hh.shape()[0] / mode.gates();
    let width = mode.columns() * hidden;
    // What the input adds to the gates, of all steps in one product.
    let gates = fresh(x, &[steps.total(), width])?;
    let of_input = gates.narrow(1, 0, (mode.gates() * hidden) as i64)?;
    let (bias, bias_n) = biases(mode, weights, hidden)?;
    product_into(x, false, &weights.ih, true, ZERO, bias.as_ref(), &of_input)?;
    // Each step multiplies by this: rows that lie side by side need not be packed.
    let w = weights.hh.transpose(0, 1)?.contiguous()?;
    let states = |like: &Array| fresh(x, &[steps.len + 1, steps.batch, like.shape()[1]]);
    let h = states(h0)?;
    let c = c0.map(states).transpose()?;
    let unprojected = weights.hr.as_ref().map(|_| fresh(x, &[steps.batch, hidden])).transpose()?;
    let mut live = 0;
    for t in steps.order(reverse) {
        let rows = steps.rows(t);
        let [h_before, h_after] = [false, true].map(|after| steps.state(&h, t, reverse, after));
        let (h_before, h_after) = (h_before?, h_after?);
        let of_c = |after| c.as_ref().map(|c| steps.state(c, t, reverse, after)).transpose();
        let (c_before, c_after) = (of_c(false)?, of_c(true)?);
        if rows > live {
            // Sequences that begin here: all at the first step, in reverse the shorter ones later.
            let begin = |first: &Array, state: &Array| -> Result<()> {
                let part = |a: &Array| a.narrow(0, live as i64, (rows - live) as i64);
                Ok(copy_into(&part(first)?, &part(state)?)?)
            };
            begin(h0, &h_before)?;
            if let (Some(c0), Some(c)) = (c0, &c_before) {
                begin(c0, c)?;
            }
        }
        live = rows;
        let g = steps.of_rows(&gates, t)?;
        let gate = |i: usize| gate(&g, i, hidden);
        match mode {
            RnnMode::Tanh | RnnMode::Relu => {
                product_into(&h_before, false, &w, false, ONE, None, &g)?;
                pointwise_into(&SIMPLE[usize::from(mode == RnnMode::Relu)], &[&g], &[], &[&h_after])?;
            }
            RnnMode::Lstm => {
                product_into(&h_before, false, &w, false, ONE, None, &g)?;
                let [i, f, g, o] = [gate(0)?, gate(1)?, gate(2)?, gate(3)?];
                let (c, after) = (c_before.expect("an LSTM has cells"), c_after.expect("an LSTM has cells"));
                let r = unprojected.as_ref().map(|r| steps.first(r, rows)).transpose()?;
                let out = r.as_ref().unwrap_or(&h_after);
                pointwise_into(&LSTM, &[&i, &f, &g, &o, &c], &[], &[&i, &f, &g, &o, &after, out])?;
                if let (Some(r), Some(hr)) = (&r, &weights.hr) {
                    product_into(r, false, hr, true, ZERO, None, &h_after)?;
                }
            }
            RnnMode::Gru => {
                let part = |start: usize, n: usize| w.narrow(1, (start * hidden) as i64, (n * hidden) as i64);
                let [r, z, n, of_state] = [gate(0)?, gate(1)?, gate(2)?, gate(3)?];
                let both = g.narrow(1, 0, 2 * hidden as i64)?;
                product_into(&h_before, false, &part(0, 2)?, false, ONE, None, &both)?;
                product_into(&h_before, false, &part(2, 1)?, false, ZERO, bias_n.as_ref(), &of_state)?;
                pointwise_into(&GRU, &[&r, &z, &n, &of_state, &h_before], &[], &[&r, &z, &n, &h_after])?;
            }
        }
    }
    let simple = matches!(mode, RnnMode::Tanh | RnnMode::Relu);
    Ok(Trace { gates: (!simple).then_some(gates), h, c })
}

/// What is added to the input's product, and to what the state of a GRU adds to n: where both products are summed, so are the
/// biases.
fn biases(mode: RnnMode, weights: &Weights, hidden: usize) -> Result<(Option<Array>, Option<Array>)> {
    let Some([ih, hh]) = &weights.bias else { return Ok((None, None)) };
    if mode != RnnMode::Gru {
        return Ok((Some(pointwise(&ADD, &[ih, hh], &[])?), None));
    }
    let sum = ih.copy()?;
    let part = |a: &Array| a.narrow(0, 0, 2 * hidden as i64);
    pointwise_into(&ADD, &[&part(&sum)?, &part(hh)?], &[], &[&part(&sum)?])?;
    Ok((Some(sum), Some(hh.narrow(0, 2 * hidden as i64, hidden as i64)?)))
}

/// Copies the output of all steps to `[rows, hidden]`, which may have gaps.
pub(super) fn outputs(h: &Array, steps: &Steps, reverse: bool, out: &Array) -> Result<()> {
    if steps.is_uniform() {
        return Ok(copy_into(&state_rows(h, steps, reverse, true)?, out)?);
    }
    (0..steps.len).try_for_each(|t| Ok(copy_into(&steps.state(h, t, reverse, true)?, &steps.of_rows(out, t)?)?))
}

/// The states before each step (after it, with `after`) as rows, in the order of time: a view where each step has as many.
pub(super) fn state_rows(states: &Array, steps: &Steps, reverse: bool, after: bool) -> Result<Array> {
    let width = states.shape()[2];
    if steps.is_uniform() {
        let all = states.narrow(0, i64::from(reverse != after), steps.len as i64)?;
        return Ok(all.view(&[steps.total() as i64, width as i64])?);
    }
    let out = fresh(states, &[steps.total(), width])?;
    for t in 0..steps.len {
        copy_into(&steps.state(states, t, reverse, after)?, &steps.of_rows(&out, t)?)?;
    }
    Ok(out)
}

/// Copies the last state of each sequence to `[batch, hidden]`.
pub(super) fn last_states(states: &Array, steps: &Steps, reverse: bool, out: &Array) -> Result<()> {
    if reverse {
        return Ok(copy_into(&steps.state(states, 0, true, true)?, out)?);
    }
    for t in 0..steps.len {
        let (rows, after) = (steps.rows(t) as i64, steps.rows_after(t) as i64);
        if rows > after {
            let part = |a: &Array| a.narrow(0, after, rows - after);
            copy_into(&part(&steps.state(states, t, false, true)?)?, &part(out)?)?;
        }
    }
    Ok(())
}
