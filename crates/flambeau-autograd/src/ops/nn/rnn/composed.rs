//! A recurrent layer as PyTorch's operations in turn: what is differentiated where a gradient is itself to be differentiated, and what
//! the tests hold the programs against.

use super::steps::Steps;
use super::{Form, Forms, Parts, RnnMode};
use crate::error::Result;
use crate::graph::{Context, Grads};
use crate::{Tensor, engine, ops};
use smallvec::SmallVec;

/// One step: the new h and, of an LSTM, the new c. `of_input` is what the input adds to the gates.
fn cell(
    mode: RnnMode,
    of_input: &Tensor,
    w: &[Tensor],
    parts: Parts,
    h: &Tensor,
    c: Option<&Tensor>,
) -> Result<[Tensor; 2]> {
    let of_state = ops::linear(h, &w[1], parts.bias.then(|| &w[3]))?;
    let hidden = (w[1].size()[0] / mode.gates()) as i64;
    let column = |x: &Tensor, i: i64| ops::narrow(x, 1, i * hidden, hidden);
    match mode {
        RnnMode::Tanh => {
            let h = ops::tanh(&ops::add(of_input, &of_state, 1)?)?;
            Ok([h.shallow_clone(), h])
        }
        RnnMode::Relu => {
            let h = ops::relu(&ops::add(of_input, &of_state, 1)?)?;
            Ok([h.shallow_clone(), h])
        }
        RnnMode::Lstm => {
            let gates = ops::add(of_input, &of_state, 1)?;
            let [i, f, o] = [0, 1, 3].map(|k| ops::sigmoid(&column(&gates, k)?));
            let g = ops::tanh(&column(&gates, 2)?)?;
            let c = c.expect("an LSTM has cells");
            let c = ops::add(&ops::mul(&f?, c)?, &ops::mul(&i?, &g)?, 1)?;
            let h = ops::mul(&o?, &ops::tanh(&c)?)?;
            let h = if parts.projection { ops::linear(&h, &w[parts.of_direction() - 1], None)? } else { h };
            Ok([h, c])
        }
        RnnMode::Gru => {
            let both = |k: i64| ops::sigmoid(&ops::add(&column(of_input, k)?, &column(&of_state, k)?, 1)?);
            let (r, z) = (both(0)?, both(1)?);
            let n = ops::tanh(&ops::add(&column(of_input, 2)?, &ops::mul(&r, &column(&of_state, 2)?)?, 1)?)?;
            let h = ops::add(&ops::mul(&ops::sub(h, &n, 1)?, &z)?, &n, 1)?;
            Ok([h.shallow_clone(), h])
        }
    }
}

/// The results of a layer: outputs, last hidden states and, of an LSTM, last cell states.
pub(super) fn layer(
    mode: RnnMode,
    inputs: &[Tensor],
    parts: Parts,
    forms: Forms,
    steps: &Steps,
) -> Result<Vec<Tensor>> {
    let x = if forms.x == Form::BatchFirst { ops::transpose(&inputs[0], 0, 1)? } else { inputs[0].shallow_clone() };
    let features = x.size()[x.dim() - 1] as i64;
    let x = ops::reshape(&x, &[steps.total() as i64, features])?;
    let state = |k: usize, d: usize| match forms.is_cell() {
        true => Ok(inputs[k].shallow_clone()),
        false => ops::select(&inputs[k], 0, d as i64),
    };
    let (mut outs, mut last, mut last_c) = (Vec::new(), Vec::new(), Vec::new());
    for d in 0..parts.directions {
        let reverse = d == 1;
        let w = &inputs[parts.first_weight() + d * parts.of_direction()..][..parts.of_direction()];
        let of_input = ops::linear(&x, &w[0], parts.bias.then(|| &w[2]))?;
        let (h0, c0) = (state(1, d)?, if parts.cells { Some(state(2, d)?) } else { None });
        let (mut h, mut c) = (h0.shallow_clone(), c0.as_ref().map(Tensor::shallow_clone));
        let mut by_step: Vec<Tensor> = Vec::with_capacity(steps.len);
        // The states of sequences that ended, the longest last.
        let (mut ended, mut ended_c) = (Vec::new(), Vec::new());
        let mut live = steps.batch as i64;
        for t in steps.order(reverse) {
            let rows = steps.rows(t) as i64;
            let part = |x: &Tensor, start: i64, end: i64| ops::narrow(x, 0, start, end - start);
            let fit = |now: &Tensor, first: &Tensor, ended: &mut Vec<Tensor>| match reverse {
                // Longer sequences were there first; the shorter ones begin here.
                true if by_step.is_empty() => part(first, 0, rows),
                true => ops::cat(&[now, &part(first, live, rows)?], 0),
                false => {
                    ended.push(part(now, rows, live)?);
                    part(now, 0, rows)
                }
            };
            if rows != live || reverse && by_step.is_empty() {
                h = fit(&h, &h0, &mut ended)?;
                c = match (&c, &c0) {
                    (Some(c), Some(c0)) => Some(fit(c, c0, &mut ended_c)?),
                    _ => None,
                };
            }
            live = rows;
            let of_step = ops::narrow(&of_input, 0, steps.start(t) as i64, rows)?;
            let [new_h, new_c] = cell(mode, &of_step, w, parts, &h, c.as_ref())?;
            h = new_h;
            c = c.map(|_| new_c);
            by_step.push(h.shallow_clone());
        }
        if reverse {
            by_step.reverse();
        }
        outs.push(ops::cat(&by_step, 0)?);
        let whole = |state: Tensor, mut ended: Vec<Tensor>| {
            ended.push(state);
            ended.reverse();
            ops::cat(&ended, 0)
        };
        last.push(whole(h, ended)?);
        last_c.extend(c.map(|c| whole(c, ended_c)).transpose()?);
    }
    if forms.is_cell() {
        return Ok(last.into_iter().chain(last_c).collect());
    }
    let (h, c) = (ops::stack(&last, 0)?, (!last_c.is_empty()).then(|| ops::stack(&last_c, 0)).transpose()?);
    let out = ops::cat(&outs, 1)?;
    let out = match forms.x {
        Form::Packed => out,
        _ => ops::reshape(&out, &[steps.len as i64, steps.batch as i64, out.size()[1] as i64])?,
    };
    let out = if forms.out == Form::BatchFirst { ops::transpose(&out, 0, 1)? } else { out };
    Ok([out, h].into_iter().chain(c).collect())
}

/// The gradients of a layer as functions that have gradients themselves.
pub(super) fn gradients(c: &Context<'_>, mode: RnnMode, parts: Parts, forms: Forms, steps: &Steps) -> Result<Grads> {
    let count = parts.inputs();
    // Through other handles, so that a gradient stops here and does not go on to what one input has in common with another.
    let inputs: Vec<Tensor> =
        (0..count).map(|i| c.saved(i).and_then(|x| ops::view(&x, &ops::to_i64(&x.size())))).collect::<Result<_>>()?;
    let results = layer(mode, &inputs, parts, forms, steps)?;
    let arrived: Vec<usize> = (0..results.len()).filter(|&k| c.has_grad(k)).collect();
    let grads: Vec<Tensor> = arrived.iter().map(|&k| c.grad(k)).collect::<Result<_>>()?;
    let results: SmallVec<[&Tensor; 3]> = arrived.iter().map(|&k| &results[k]).collect();
    let grads: SmallVec<[Option<&Tensor>; 3]> = grads.iter().map(Some).collect();
    let wanted: Vec<usize> = (0..count).filter(|&i| c.needs(i)).collect();
    let leaves: Vec<&Tensor> = wanted.iter().map(|&i| &inputs[i]).collect();
    let found = engine::grad(&results, &leaves, &grads, true, true, true)?;
    let mut out = Grads::from_elem(None, count);
    wanted.into_iter().zip(found).for_each(|(i, grad)| out[i] = grad);
    Ok(out)
}
