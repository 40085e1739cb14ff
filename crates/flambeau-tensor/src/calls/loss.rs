//! The negative log-likelihood of classes.

use super::check::{dim, dtype, expect, float, shape};
use super::lines::with_length;
use super::{Arrays, Checked, PrimitiveCall};
use crate::backend::ClassTargets;
use crate::{Array, DType, Result};

/// Negative log-likelihood of log-probabilities along `dim`; any strides. What [`crate::ops::nll`] asks of a backend.
#[derive(Clone, Copy)]
pub struct Nll<'a> {
    /// The log-probabilities.
    pub x: &'a Array,
    /// The dimension of the classes.
    pub dim: usize,
    /// Which class counts in each line.
    pub targets: &'a ClassTargets<'a>,
}

/// Whether targets fit log-probabilities of a shape and dtype.
fn check_targets(targets: &ClassTargets<'_>, of: &[usize], at: usize, wanted: DType) -> Result<()> {
    expect(!of.is_empty(), || "nll(): the input has no dimensions".to_owned())?;
    dim(at, of.len())?;
    dtype("nll", "the targets", targets.classes, DType::I64)?;
    shape("nll", "the targets", targets.classes, &with_length(of, at, 1))?;
    if let Some(weight) = targets.weight {
        shape("nll", "the weight", weight, &of[at..=at])?;
        dtype("nll", "the weight", weight, wanted)?;
    }
    Ok(())
}

impl PrimitiveCall for Nll<'_> {
    type Output = (Array, Option<Array>);

    fn first(&self) -> &Array {
        self.x
    }

    fn arrays(&self) -> Arrays<'_> {
        [self.x, self.targets.classes].into_iter().chain(self.targets.weight).collect()
    }

    fn check(&self) -> Result<()> {
        float("nll_loss_out_frame", self.x)?;
        check_targets(self.targets, self.x.shape(), self.dim, self.x.dtype())
    }

    fn launch(call: &Checked<Self>) -> Result<Self::Output> {
        call.x.backend().nll(call)
    }
}

/// The gradient of [`Nll`] for its input, or for the logits behind it where the log-probabilities are given; any strides. See
/// [`crate::ops::nll_backward`].
#[derive(Clone, Copy)]
pub struct NllBackward<'a> {
    /// The loss's gradient: one number, or one for each line in the classes' shape.
    pub grad: &'a Array,
    /// The shape of the log-probabilities.
    pub shape: &'a [usize],
    /// The log-probabilities, where the gradient is for the logits that they are the log-softmax of.
    pub log_probabilities: Option<&'a Array>,
    /// The dimension of the classes.
    pub dim: usize,
    /// As in [`Nll`].
    pub targets: &'a ClassTargets<'a>,
    /// What [`Nll`] returned beside the loss.
    pub total: Option<&'a Array>,
}

impl PrimitiveCall for NllBackward<'_> {
    type Output = Array;

    fn first(&self) -> &Array {
        self.grad
    }

    fn arrays(&self) -> Arrays<'_> {
        let optional = [self.targets.weight, self.log_probabilities, self.total];
        [self.grad, self.targets.classes].into_iter().chain(optional.into_iter().flatten()).collect()
    }

    fn check(&self) -> Result<()> {
        let grad = self.grad;
        float("nll_loss_backward_out_frame", grad)?;
        check_targets(self.targets, self.shape, self.dim, grad.dtype())?;
        let classes = self.targets.classes.shape();
        expect(grad.shape() == classes || grad.numel() == 1 && grad.ndim() <= classes.len(), || {
            format!("nll_backward(): a gradient of shape {:?} for losses of shape {classes:?}", grad.shape())
        })?;
        if let Some(x) = self.log_probabilities {
            shape("nll_backward", "the log-probabilities", x, self.shape)?;
            dtype("nll_backward", "the log-probabilities", x, grad.dtype())?;
        }
        if let Some(total) = self.total {
            shape("nll_backward", "the total", total, &[])?;
            dtype("nll_backward", "the total", total, grad.dtype())?;
        }
        Ok(())
    }

    fn launch(call: &Checked<Self>) -> Result<Array> {
        call.grad.backend().nll_backward(call)
    }
}
