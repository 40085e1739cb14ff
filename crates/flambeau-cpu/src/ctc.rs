//! Connectionist temporal classification. The recursions over time run in PyTorch's order, sample by sample.

use crate::pointwise::tile::RawArray;
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::calls::{Ctc, CtcBackward, CtcSample, CtcTargets};
use flambeau_tensor::{Array, DType, Finding, IndexRule, Result};
use std::ops::{Add, Mul, Sub};

/// A number that alignments are summed in.
trait Real: Copy + PartialOrd + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Send + Sync {
    const ZERO: Self;
    /// The logarithm of zero.
    const NONE: Self;
    const INFINITY: Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
}

macro_rules! reals {
    ($($t:ident)*) => {$(
        impl Real for $t {
            const ZERO: Self = 0.0;
            const NONE: Self = $t::NEG_INFINITY;
            const INFINITY: Self = $t::INFINITY;
            fn exp(self) -> Self {
                $t::exp(self)
            }
            fn ln(self) -> Self {
                $t::ln(self)
            }
        }
    )*};
}
reals!(f32 f64);

/// ln(eᵃ + eᵇ + eᶜ), where NaN stays and nothing is −∞.
fn log_sum<R: Real>(a: R, b: R, c: R) -> R {
    let largest = |m: R, x: R| if x > m { x } else { m };
    let m = largest(largest(a, b), c);
    let m = if m == R::NONE { R::ZERO } else { m };
    ((a - m).exp() + (b - m).exp() + (c - m).exp()).ln() + m
}

/// The labels, each of which is a class, of the samples that the call has.
fn labels(targets: &CtcTargets<'_>, classes: usize) -> Result<Vec<usize>> {
    let rule = IndexRule::strict(classes, Finding::Target, 0);
    let all = targets.labels.reshape(&[-1])?.to_vec::<i64>()?;
    let used = |i: usize| targets.samples.iter().any(|s| (s.start..s.start + s.labels).contains(&i));
    let class = |(i, &label): (usize, &i64)| match rule.place(label) {
        // What lies behind a sample's labels is never read.
        Err(_) if !used(i) => Ok(targets.blank),
        class => class,
    };
    all.iter().enumerate().map(class).collect()
}

/// A sample with its states' classes: blanks at even places, labels between them.
#[derive(Clone, Copy)]
struct Alignment<'a> {
    labels: &'a [usize],
    blank: usize,
    steps: usize,
}

impl<'a> Alignment<'a> {
    fn new(sample: &CtcSample, labels: &'a [usize], blank: usize) -> Self {
        Alignment { labels: &labels[sample.start..][..sample.labels], blank, steps: sample.steps }
    }

    fn states(&self) -> usize {
        2 * self.labels.len() + 1
    }

    fn class(&self, state: usize) -> usize {
        if state.is_multiple_of(2) { self.blank } else { self.labels[state / 2] }
    }

    /// Whether an alignment may go from a state to the one after the next: from a label to another one, not over a blank between
    /// two that are the same.
    fn skips(&self, state: usize) -> bool {
        self.class(state) != self.class(state + 2)
    }
}

/// Where the numbers of one call lie: log-probabilities (or their gradient) `[time, batch, classes]`.
#[derive(Clone, Copy)]
struct Layout {
    steps: usize,
    batch: usize,
    classes: usize,
    states: usize,
}

impl Layout {
    fn new(log_probs: &Array, targets: &CtcTargets<'_>) -> Self {
        let (steps, batch, classes) = (log_probs.shape()[0], log_probs.shape()[1], log_probs.shape()[2]);
        Layout { steps, batch, classes, states: targets.states() }
    }

    /// Where the classes of a step and sample begin.
    fn row(&self, step: usize, sample: usize) -> usize {
        (step * self.batch + sample) * self.classes
    }
}

/// [`flambeau_tensor::Backend::ctc`] on this device.
pub fn ctc(call: &Ctc<'_>) -> Result<(Array, Array)> {
    match call.log_probs.dtype() {
        DType::F64 => likelihood::<f64>(call),
        _ => likelihood::<f32>(call),
    }
}

fn likelihood<R: Real>(call: &Ctc<'_>) -> Result<(Array, Array)> {
    let Ctc { log_probs, targets } = call;
    let layout = Layout::new(log_probs, targets);
    let labels = labels(targets, layout.classes)?;
    let array = |shape: &[usize]| Array::empty(log_probs.backend(), log_probs.device(), shape, log_probs.dtype());
    let (losses, alpha) = (array(&[layout.batch])?, array(&[layout.batch, layout.steps, layout.states])?);
    let access = Access::acquire(&[log_probs], &[&losses, &alpha])?;
    let [x, to_loss, to_alpha] = [*log_probs, &losses, &alpha].map(RawArray::of);
    parallel_for(layout.batch, 1, &|samples| {
        for b in samples {
            let path = Alignment::new(&targets.samples[b], &labels, targets.blank);
            let table = layout.steps * layout.states;
            // SAFETY: the access is held, the arrays are dense and have these shapes and the type R; a sample's part of alpha and
            // its loss belong to one thread.
            unsafe {
                let x = std::slice::from_raw_parts(x.at(0).cast::<R>(), layout.row(layout.steps, 0));
                let alpha = std::slice::from_raw_parts_mut(to_alpha.at(b * table).cast::<R>(), table);
                *to_loss.at(b).cast::<R>() = forward(path, layout, b, x, alpha);
            }
        }
    });
    drop(access);
    Ok((losses, alpha))
}

/// Fills a sample's alpha, `[time, states]`; its loss.
fn forward<R: Real>(path: Alignment<'_>, layout: Layout, b: usize, x: &[R], alpha: &mut [R]) -> R {
    let (n, states) = (layout.states, path.states());
    alpha[..n].fill(R::NONE);
    if path.steps == 0 {
        return R::ZERO - if states == 1 { R::ZERO } else { R::NONE };
    }
    for s in 0..states.min(2) {
        alpha[s] = x[layout.row(0, b) + path.class(s)];
    }
    for t in 1..path.steps {
        let (before, now) = alpha[(t - 1) * n..].split_at_mut(n);
        let x = &x[layout.row(t, b)..][..layout.classes];
        for s in 0..states {
            let one = if s > 0 { before[s - 1] } else { R::NONE };
            let two = if s > 1 && path.skips(s - 2) { before[s - 2] } else { R::NONE };
            now[s] = log_sum(before[s], one, two) + x[path.class(s)];
        }
    }
    let last = &alpha[(path.steps - 1) * n..];
    let likelihood = match states {
        1 => last[0],
        _ => log_sum(last[states - 1], last[states - 2], R::NONE),
    };
    R::ZERO - likelihood
}

/// [`flambeau_tensor::Backend::ctc_backward`] on this device.
pub fn ctc_backward(call: &CtcBackward<'_>) -> Result<Array> {
    match call.log_probs.dtype() {
        DType::F64 => gradient::<f64>(call),
        _ => gradient::<f32>(call),
    }
}

fn gradient<R: Real>(call: &CtcBackward<'_>) -> Result<Array> {
    let CtcBackward { grad, log_probs, targets, losses, alpha, zero_infinity } = call;
    let layout = Layout::new(log_probs, targets);
    let labels = labels(targets, layout.classes)?;
    let out = Array::empty(log_probs.backend(), log_probs.device(), log_probs.shape(), log_probs.dtype())?;
    let access = Access::acquire(&[grad, log_probs, losses, alpha], &[&out])?;
    let [grads, x, losses, alpha, to] = [*grad, *log_probs, *losses, *alpha, &out].map(RawArray::of);
    parallel_for(layout.batch, 1, &|samples| {
        for b in samples {
            let path = Alignment::new(&targets.samples[b], &labels, targets.blank);
            let table = layout.steps * layout.states;
            // SAFETY: as in `likelihood`; of the result a sample's rows, one for each step, belong to one thread.
            unsafe {
                let (g, loss) = (*grads.at(b).cast::<R>(), *losses.at(b).cast::<R>());
                let x = std::slice::from_raw_parts(x.at(0).cast::<R>(), layout.row(layout.steps, 0));
                let alpha = std::slice::from_raw_parts(alpha.at(b * table).cast::<R>(), table);
                let row = |t| std::slice::from_raw_parts_mut(to.at(layout.row(t, b)).cast::<R>(), layout.classes);
                let live = if *zero_infinity && loss == R::INFINITY { 0 } else { path.steps };
                for t in live..layout.steps {
                    row(t).fill(R::ZERO);
                }
                if live > 0 {
                    backward(path, layout, b, Sample { x, alpha, g, loss }, row);
                }
            }
        }
    });
    drop(access);
    Ok(out)
}

/// What the gradient of one sample is made of.
struct Sample<'a, R> {
    x: &'a [R],
    alpha: &'a [R],
    g: R,
    loss: R,
}

/// Fills the gradient's rows of a sample's steps: eˣ minus the share of the alignments that pass there.
fn backward<'r, R: Real + 'r>(
    path: Alignment<'_>,
    layout: Layout,
    b: usize,
    sample: Sample<'_, R>,
    row: impl Fn(usize) -> &'r mut [R],
) {
    let (n, states) = (layout.states, path.states());
    // What stands behind each state: of this step, and of the one after it.
    let (mut beta, mut after) = (vec![R::NONE; n], vec![R::NONE; n]);
    for t in (0..path.steps).rev() {
        let (x, alpha) = (&sample.x[layout.row(t, b)..][..layout.classes], &sample.alpha[t * n..][..n]);
        let out = row(t);
        out.fill(R::NONE);
        if t + 1 == path.steps {
            // An alignment ends with the last label or the blank behind it.
            for s in (states.saturating_sub(2)..states).rev() {
                beta[s] = x[path.class(s)];
                out[path.class(s)] = alpha[s] + beta[s];
            }
        } else {
            std::mem::swap(&mut beta, &mut after);
            for s in (0..states).rev() {
                let class = path.class(s);
                let one = if s + 1 < states { after[s + 1] } else { R::NONE };
                let two = if s + 2 < states && path.skips(s) { after[s + 2] } else { R::NONE };
                beta[s] = log_sum(after[s], one, two) + x[class];
                let both = alpha[s] + beta[s];
                out[class] = if out[class] == R::NONE { both } else { log_sum(out[class], both, R::NONE) };
            }
        }
        for (out, &x) in out.iter_mut().zip(x) {
            *out = (x.exp() - (*out + sample.loss - x).exp()) * sample.g;
        }
    }
}
