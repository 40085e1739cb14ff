//! The negative log-likelihood of classes: the calls, and the formulas that backends and gradients' gradients share.

use super::{ReduceArgs, index_select, pointwise, reduce};
use crate::backend::{ClassTargets, LossReduction, ReduceOp};
use crate::calls::{Nll, NllBackward, PrimitiveCall};
use crate::pointwise::Pointwise;
use crate::{Array, DType, Error, Result, Scalar};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// The loss −Σ wₜ · x\[t\] / Σ wₜ of log-probabilities `x` whose classes lie along `dim` (not divided, or not summed, as
/// [`LossReduction`] says), and Σ wₜ where the loss is divided by it and it is not the number of lines. A loss that is not
/// summed has the shape of the classes.
///
/// # Errors
/// When a class is not below x's length along `dim`; a device may report that later.
pub fn nll(x: &Array, dim: usize, targets: &ClassTargets<'_>) -> Result<(Array, Option<Array>)> {
    Nll { x, dim, targets }.run()
}

/// The gradient of [`nll`] for log-probabilities of `shape`: −w/Σw times the loss's gradient `grad` at each line's class, zeros
/// elsewhere. Where the log-probabilities are given, the gradient for the logits that they are the log-softmax of.
pub fn nll_backward(
    grad: &Array,
    shape: &[usize],
    log_probabilities: Option<&Array>,
    dim: usize,
    targets: &ClassTargets<'_>,
    total: Option<&Array>,
) -> Result<Array> {
    NllBackward { grad, shape, log_probabilities, dim, targets, total }.run()
}

static SAFE_INDEX: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).eq(b.scalar(0)).select(0, b.input(0))));
static IS: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).eq(b.scalar(0))));
static IS_NOT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).ne(b.scalar(0))));
/// x, and zero where the mask is set
static MASKED: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(1).select(0.0, b.input(0))));
static NEGATE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| -b.input(0)));
static NEGATE_DIVIDE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| -(b.input(0) / b.scalar(0))));
/// −x·c, and in the second, whose last input says which lines are ignored, zero there, whatever x and c.
static WEIGH: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [
        Pointwise::new(|b| -(b.input(0) * b.input(1))),
        Pointwise::new(|b| b.mask(2).select(0.0, -(b.input(0) * b.input(1)))),
    ]
});
/// −x·c/s, likewise.
static WEIGH_DIVIDE: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [
        Pointwise::new(|b| -(b.input(0) * b.input(1) / b.input(2))),
        Pointwise::new(|b| b.mask(3).select(0.0, -(b.input(0) * b.input(1) / b.input(2)))),
    ]
});

/// A program and what it runs on after its first input.
pub type Formula = (&'static Pointwise, SmallVec<[Array; 3]>, SmallVec<[Scalar; 1]>);

/// Which element of each line counts, and how much.
pub struct ClassWeights {
    /// The class of each line; 0 where it is ignored.
    pub index: Array,
    /// Which lines are ignored, if any may be.
    pub ignored: Option<Array>,
    /// How much each line counts, zero where it is ignored; all the same without.
    pub coefficient: Option<Array>,
}

impl ClassWeights {
    /// Of targets among `classes` classes, with coefficients in `dtype`.
    ///
    /// # Errors
    /// When a class on the host is not below `classes`.
    pub fn new(targets: &ClassTargets<'_>, classes: usize, dtype: DType) -> Result<Self> {
        let target = targets.classes;
        // On the host the targets are read at once; a device would have to be waited for.
        let may_ignore = if target.device().is_cpu() { scan(target, targets.ignore_index, classes)? } else { true };
        let scalars = [Scalar::Int(targets.ignore_index)];
        let (index, ignored) = match may_ignore {
            true => (pointwise(&SAFE_INDEX, &[target], &scalars)?, Some(pointwise(&IS, &[target], &scalars)?)),
            false => (target.clone(), None),
        };
        let of_class = match targets.weight {
            None => None,
            Some(w) => {
                let shape: SmallVec<[i64; 6]> = index.shape().iter().map(|&n| n as i64).collect();
                Some(index_select(w, 0, &index.reshape(&[-1])?)?.view(&shape)?)
            }
        };
        let coefficient = match (of_class, &ignored) {
            (None, None) => None,
            (None, Some(_)) => Some(pointwise(&IS_NOT, &[target], &scalars)?.to_dtype(dtype)?),
            (Some(w), None) => Some(w),
            (Some(w), Some(ignored)) => Some(pointwise(&MASKED, &[&w, ignored], &[])?),
        };
        Ok(ClassWeights { index, ignored, coefficient })
    }

    /// Σ coefficient, which a mean divides by; without coefficients it is the number of lines.
    pub fn total(&self, reduction: LossReduction) -> Result<Option<Array>> {
        let coefficient = self.coefficient.as_ref().filter(|_| reduction == LossReduction::Mean);
        coefficient.map(|c| reduce(ReduceArgs::new(ReduceOp::Sum, &[], false), &[c], &[])).transpose()
    }

    /// The loss of each line, of the log-probability of its class.
    pub fn losses(&self) -> Formula {
        match &self.coefficient {
            None => (&NEGATE, SmallVec::new(), SmallVec::new()),
            Some(c) => self.ignoring(&WEIGH, smallvec![c.clone()]),
        }
    }

    /// What each line's class gets of the loss's gradient, which broadcasts to the index's shape.
    pub fn seeds(&self, reduction: LossReduction, total: Option<&Array>) -> Formula {
        match (&self.coefficient, total) {
            (None, _) if reduction == LossReduction::Mean => {
                (&NEGATE_DIVIDE, SmallVec::new(), smallvec![self.index.numel().into()])
            }
            (Some(c), Some(total)) => self.ignoring(&WEIGH_DIVIDE, smallvec![c.clone(), total.clone()]),
            _ => self.losses(),
        }
    }

    /// The second program with the ignored lines as one more input, if there are any, else the first.
    fn ignoring(&self, programs: &'static [Pointwise; 2], mut inputs: SmallVec<[Array; 3]>) -> Formula {
        inputs.extend(self.ignored.clone());
        (&programs[usize::from(self.ignored.is_some())], inputs, SmallVec::new())
    }
}

/// Checks the targets' range; whether any is ignored.
fn scan(target: &Array, ignore_index: i64, classes: usize) -> Result<bool> {
    let mut ignored = false;
    for t in target.to_vec::<i64>()? {
        if t == ignore_index {
            ignored = true;
        } else if t < 0 || t as usize >= classes {
            return Err(Error::Index(format!("Target {t} is out of bounds.")));
        }
    }
    Ok(ignored)
}
