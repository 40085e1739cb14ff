//! Connectionist temporal classification (Graves et al. 2006): the likelihood of label sequences, whatever their alignment.

use super::check::{dense, dtype, expect, shape};
use super::{Arrays, Checked, PrimitiveCall};
use crate::{Array, DType, Error, Result};

/// One sample of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CtcSample {
    /// How many of the time steps are the sample's.
    pub steps: usize,
    /// Where its labels begin among all labels.
    pub start: usize,
    /// How many labels it has.
    pub labels: usize,
}

impl CtcSample {
    /// How many states an alignment may be in: each label, with a blank before, between and behind them.
    pub fn states(&self) -> usize {
        2 * self.labels + 1
    }
}

/// The label sequences of a batch.
#[derive(Clone, Copy, Debug)]
pub struct CtcTargets<'a> {
    /// The labels of all samples, int64; dense.
    pub labels: &'a Array,
    /// Which of them are whose.
    pub samples: &'a [CtcSample],
    /// The class that stands for no label.
    pub blank: usize,
}

impl CtcTargets<'_> {
    /// The most states that a sample has.
    pub fn states(&self) -> usize {
        self.samples.iter().map(CtcSample::states).max().unwrap_or(1)
    }

    /// Whether the sequences fit log-probabilities `[time, batch, classes]`.
    fn check(&self, op: &'static str, log_probs: &Array) -> Result<()> {
        if !matches!(log_probs.dtype(), DType::F32 | DType::F64) {
            return Err(Error::NotImplementedFor { op: "ctc_loss_cpu", dtype: log_probs.dtype() });
        }
        dense(op, "the log-probabilities", log_probs)?;
        dtype(op, "the labels", self.labels, DType::I64)?;
        dense(op, "the labels", self.labels)?;
        let &[steps, batch, classes] = log_probs.shape() else {
            return Err(Error::Runtime(format!("{op}(): expected 3 dimensions, but got {:?}", log_probs.shape())));
        };
        expect(log_probs.numel() > 0 && batch == self.samples.len() && self.blank < classes, || {
            format!("{op}(): {} samples and blank {} for {:?}", self.samples.len(), self.blank, log_probs.shape())
        })?;
        let labels = self.labels.numel();
        let fits = |s: &CtcSample| {
            s.steps <= steps && s.labels < usize::MAX / 2 && s.start.checked_add(s.labels).is_some_and(|n| n <= labels)
        };
        expect(self.samples.iter().all(fits), || {
            format!("{op}(): a sample reaches beyond {labels} labels or {steps} steps")
        })
    }
}

/// The negative log-likelihood of each sample's labels, and the log-probabilities alpha of what stands before each state.
#[derive(Clone, Copy, Debug)]
pub struct Ctc<'a> {
    /// Log-probabilities `[time, batch, classes]`, not empty; dense.
    pub log_probs: &'a Array,
    /// The labels.
    pub targets: CtcTargets<'a>,
}

impl PrimitiveCall for Ctc<'_> {
    /// The losses `[batch]`, infinite where no alignment is possible, and alpha `[batch, time, states]`.
    type Output = (Array, Array);

    fn first(&self) -> &Array {
        self.log_probs
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.log_probs, self.targets.labels])
    }

    fn check(&self) -> Result<()> {
        self.targets.check("ctc_loss", self.log_probs)
    }

    fn launch(call: &Checked<Self>) -> Result<Self::Output> {
        call.log_probs.backend().ctc(call)
    }
}

/// The gradient of [`Ctc`] for its log-probabilities.
#[derive(Clone, Copy, Debug)]
pub struct CtcBackward<'a> {
    /// The losses' gradient, `[batch]`; dense.
    pub grad: &'a Array,
    /// As in [`Ctc`].
    pub log_probs: &'a Array,
    /// As in [`Ctc`].
    pub targets: CtcTargets<'a>,
    /// What [`Ctc`] returned first; dense.
    pub losses: &'a Array,
    /// What [`Ctc`] returned second; dense.
    pub alpha: &'a Array,
    /// Whether a sample without an alignment has the gradient 0; else it has NaN.
    pub zero_infinity: bool,
}

impl PrimitiveCall for CtcBackward<'_> {
    /// In the shape of the log-probabilities.
    type Output = Array;

    fn first(&self) -> &Array {
        self.log_probs
    }

    fn arrays(&self) -> Arrays<'_> {
        Arrays::from_slice(&[self.grad, self.log_probs, self.targets.labels, self.losses, self.alpha])
    }

    fn check(&self) -> Result<()> {
        const OP: &str = "ctc_loss_backward";
        self.targets.check(OP, self.log_probs)?;
        let of = self.log_probs.shape();
        for (name, array) in [("the gradient", self.grad), ("the losses", self.losses)] {
            shape(OP, name, array, &of[1..2])?;
        }
        shape(OP, "alpha", self.alpha, &[of[1], of[0], self.targets.states()])?;
        for (name, array) in [("the gradient", self.grad), ("the losses", self.losses), ("alpha", self.alpha)] {
            dtype(OP, name, array, self.log_probs.dtype())?;
            dense(OP, name, array)?;
        }
        Ok(())
    }

    fn launch(call: &Checked<Self>) -> Result<Array> {
        call.log_probs.backend().ctc_backward(call)
    }
}
