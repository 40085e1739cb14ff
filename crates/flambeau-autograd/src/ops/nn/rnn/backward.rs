//! One direction of a recurrent layer, backward: a sweep over the steps for the gates' gradients, then one product over the whole
//! sequence for each weight.

use super::RnnMode;
use super::forward::{ONE, Trace, Weights, ZERO, fresh, gate, state_rows};
use super::programs::{GRU_BACKWARD, LSTM_BACKWARD, SIMPLE_BACKWARD, UNPROJECTED};
use super::steps::Steps;
use crate::error::Result;
use crate::ops::linalg::matmul::{product_array, product_into};
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::ops::{ReduceArgs, copy_into, fill, pointwise, pointwise_into, reduce};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, Scalar};
use std::sync::LazyLock;

static ADD: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.input(1)));

/// The gradients that arrive at a direction; `None` for zeros.
pub(super) struct Incoming<'a> {
    /// Of the output of a step, `[rows, hidden]`.
    pub out: &'a dyn Fn(usize) -> Result<Option<Array>>,
    /// Of the last hidden state.
    pub h: Option<Array>,
    /// Of the last cell state.
    pub c: Option<Array>,
}

/// What a sweep over the steps finds.
pub(super) struct Swept {
    /// The gradients of the gates before their activation, `[rows, columns · hidden]`.
    pub gates: Array,
    /// That of the first hidden state, where it was wanted.
    pub h0: Array,
    /// That of the first cell state.
    pub c0: Option<Array>,
    /// Those of the projected states, `[rows, projection]`.
    pub projected: Option<Array>,
}

/// Goes through the steps from the last that ran to the first.
pub(super) fn sweep(
    mode: RnnMode,
    trace: &Trace,
    weights: &Weights,
    steps: &Steps,
    reverse: bool,
    incoming: &Incoming<'_>,
    wants_h0: bool,
) -> Result<Swept> {
    let like = &weights.hh;
    let (hidden, width) = (like.shape()[0] / mode.gates(), trace.h.shape()[2]);
    let gates = fresh(like, &[steps.total(), mode.columns() * hidden])?;
    // What the next step hands back. Sequences that end early begin with the gradient of their last state, which lies here until their
    // last step.
    let carry = |given: &Option<Array>, width: usize| -> Result<Array> {
        let carry = fresh(like, &[steps.batch, width])?;
        match given {
            Some(given) => copy_into(given, &carry)?,
            None => fill(&carry, ZERO)?,
        }
        Ok(carry)
    };
    let dh = carry(&incoming.h, width)?;
    let dc = trace.c.as_ref().map(|_| carry(&incoming.c, hidden)).transpose()?;
    let zero = Array::full(like.backend(), like.device(), &[1, 1], like.dtype(), Scalar::Float(0.0))?;
    let projected = weights.hr.as_ref().map(|_| fresh(like, &[steps.total(), width])).transpose()?;
    let unprojected = weights.hr.as_ref().map(|_| fresh(like, &[steps.batch, hidden])).transpose()?;
    let mut left = steps.len;
    for t in steps.order(reverse).rev() {
        let rows = steps.rows(t);
        left -= 1;
        let wants_h = left > 0 || wants_h0;
        let from_next = steps.first(&dh, rows)?;
        let outside = (incoming.out)(t)?.unwrap_or_else(|| zero.clone());
        let dg = steps.of_rows(&gates, t)?;
        let of = |a: &Array, i: usize| gate(a, i, hidden);
        match mode {
            RnnMode::Tanh | RnnMode::Relu => {
                let program = &SIMPLE_BACKWARD[usize::from(mode == RnnMode::Relu)];
                let h = steps.state(&trace.h, t, reverse, true)?;
                pointwise_into(program, &[&h, &from_next, &outside], &[], &[&dg])?;
                if wants_h {
                    product_into(&dg, false, &weights.hh, false, ZERO, None, &from_next)?;
                }
            }
            RnnMode::Lstm => {
                let (Some(gates), Some(c), Some(dc)) = (&trace.gates, &trace.c, &dc) else {
                    unreachable!("an LSTM has gates and cells")
                };
                let (g, dc) = (steps.of_rows(gates, t)?, steps.first(dc, rows)?);
                let (before, after) = (steps.state(c, t, reverse, false)?, steps.state(c, t, reverse, true)?);
                let [i, f, c, o] = [of(&g, 0)?, of(&g, 1)?, of(&g, 2)?, of(&g, 3)?];
                let [di, df, dcell, d_o] = [of(&dg, 0)?, of(&dg, 1)?, of(&dg, 2)?, of(&dg, 3)?];
                let mut of_h = (from_next.clone(), outside);
                if let (Some(all), Some(unprojected), Some(hr)) = (&projected, &unprojected, &weights.hr) {
                    let (of_projected, of_unprojected) = (steps.of_rows(all, t)?, steps.first(unprojected, rows)?);
                    pointwise_into(&ADD, &[&of_h.0, &of_h.1], &[], &[&of_projected])?;
                    product_into(&of_projected, false, hr, false, ZERO, None, &of_unprojected)?;
                    of_h = (of_unprojected, zero.clone());
                }
                let inputs = [&i, &f, &c, &o, &before, &after, &of_h.0, &of_h.1, &dc];
                pointwise_into(&LSTM_BACKWARD, &inputs, &[], &[&di, &df, &dcell, &d_o, &dc])?;
                if wants_h {
                    product_into(&dg, false, &weights.hh, false, ZERO, None, &from_next)?;
                }
            }
            RnnMode::Gru => {
                let g = steps.of_rows(trace.gates.as_ref().expect("a GRU has gates"), t)?;
                let h = steps.state(&trace.h, t, reverse, false)?;
                let [r, z, n, of_state] = [of(&g, 0)?, of(&g, 1)?, of(&g, 2)?, of(&g, 3)?];
                let [dr, dz, dn, d_state] = [of(&dg, 0)?, of(&dg, 1)?, of(&dg, 2)?, of(&dg, 3)?];
                let inputs = [&r, &z, &n, &of_state, &h, &from_next, &outside];
                pointwise_into(&GRU_BACKWARD, &inputs, &[], &[&dr, &dz, &dn, &d_state, &from_next])?;
                if wants_h {
                    let both = dg.narrow(1, 0, 2 * hidden as i64)?;
                    let [of_both, of_n] = gru_rows(&weights.hh, hidden)?;
                    product_into(&both, false, &of_both, false, ONE, None, &from_next)?;
                    product_into(&d_state, false, &of_n, false, ONE, None, &from_next)?;
                }
            }
        }
    }
    Ok(Swept { gates, h0: dh, c0: dc, projected })
}

/// The rows of r and z, and those of n, of a GRU's weight.
fn gru_rows(a: &Array, hidden: usize) -> Result<[Array; 2]> {
    let h = hidden as i64;
    Ok([a.narrow(0, 0, 2 * h)?, a.narrow(0, 2 * h, h)?])
}

impl Swept {
    /// The gradients of what the input adds to the gates, `[rows, gates · hidden]`.
    pub(super) fn of_input(&self, mode: RnnMode) -> Result<Array> {
        let width = self.gates.shape()[1] / mode.columns() * mode.gates();
        Ok(self.gates.narrow(1, 0, width as i64)?)
    }

    /// That of the state's weight, one product over all steps (of a GRU two: n has a column of its own).
    pub(super) fn of_hh(&self, mode: RnnMode, trace: &Trace, steps: &Steps, reverse: bool) -> Result<Array> {
        let before = state_rows(&trace.h, steps, reverse, false)?;
        if mode != RnnMode::Gru {
            return product_array(&self.gates, true, &before, false, ONE, None);
        }
        let hidden = self.gates.shape()[1] / mode.columns();
        let out = fresh(&self.gates, &[3 * hidden, before.shape()[1]])?;
        let [of_both, of_n] = gru_rows(&out, hidden)?;
        let both = self.gates.narrow(1, 0, 2 * hidden as i64)?;
        product_into(&both, true, &before, false, ZERO, None, &of_both)?;
        product_into(&gate(&self.gates, 3, hidden)?, true, &before, false, ZERO, None, &of_n)?;
        Ok(out)
    }

    /// Those of both biases.
    pub(super) fn of_biases(&self, mode: RnnMode) -> Result<[Array; 2]> {
        let args = ReduceArgs { op: ReduceOp::Sum, map: None, dims: &[0], keepdim: false, dtype: None };
        let sum = reduce(args, &[&self.gates], &[])?;
        if mode != RnnMode::Gru {
            return Ok([sum.clone(), sum]);
        }
        let hidden = (sum.shape()[0] / mode.columns()) as i64;
        let of_state = fresh(&sum, &[3 * hidden as usize])?;
        copy_into(&sum.narrow(0, 0, 2 * hidden)?, &of_state.narrow(0, 0, 2 * hidden)?)?;
        copy_into(&sum.narrow(0, 3 * hidden, hidden)?, &of_state.narrow(0, 2 * hidden, hidden)?)?;
        Ok([sum.narrow(0, 0, 3 * hidden)?, of_state])
    }

    /// That of the projection.
    pub(super) fn of_hr(&self, trace: &Trace, steps: &Steps, reverse: bool) -> Result<Option<Array>> {
        let (Some(projected), Some(gates), Some(c)) = (&self.projected, &trace.gates, &trace.c) else {
            return Ok(None);
        };
        let hidden = c.shape()[2];
        let h = pointwise(&UNPROJECTED, &[&gate(gates, 3, hidden)?, &state_rows(c, steps, reverse, true)?], &[])?;
        Ok(Some(product_array(projected, true, &h, false, ONE, None)?))
    }
}
