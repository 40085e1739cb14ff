//! softmax, its logarithm, and the formulas of their gradients.

use super::index::fresh;
use crate::calls::{PrimitiveCall, Softmax, SoftmaxBackward};
use crate::pointwise::Pointwise;
use crate::{Array, Result};
use std::sync::LazyLock;

/// softmax along `dim`, or its logarithm.
pub fn softmax(src: &Array, dim: usize, log: bool) -> Result<Array> {
    let out = fresh(src, src.shape(), src.dtype())?;
    Softmax { src, dim, log, out: &out }.run()?;
    Ok(out)
}

/// The gradient of [`softmax`] for its input, of the gradient and the value of its result.
pub fn softmax_backward(grad: &Array, y: &Array, dim: usize, log: bool) -> Result<Array> {
    SoftmaxBackward { grad, y, dim, log }.run()
}

/// The gradient of softmax or its logarithm as two steps: a sum along the dimension, and a program of the result's gradient g,
/// the result y and the sum.
pub struct SoftmaxGradient {
    /// What is summed: a program of g and y, or g itself.
    pub summand: Option<Pointwise>,
    /// The gradient.
    pub gradient: Pointwise,
}

impl SoftmaxGradient {
    /// y · (g − Σ g·y), or g − e^y · Σ g for the logarithm.
    pub fn of(log: bool) -> &'static SoftmaxGradient {
        static BOTH: LazyLock<[SoftmaxGradient; 2]> = LazyLock::new(|| {
            let softmax = SoftmaxGradient {
                summand: Some(Pointwise::new(|b| b.input(0) * b.input(1))),
                gradient: Pointwise::new(|b| b.input(1) * (b.input(0) - b.input(2))),
            };
            let logarithm = SoftmaxGradient {
                summand: None,
                gradient: Pointwise::new(|b| b.input(0) - b.input(1).exp() * b.input(2)),
            };
            [softmax, logarithm]
        });
        &BOTH[usize::from(log)]
    }
}
