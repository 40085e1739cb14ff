//! What a closure that evaluates a loss may return.

use crate::error::Result;
use flambeau_autograd::Tensor;

/// A loss: what the closure of [`crate::Optimizer::step_closure`] returns, as a tensor or as a number.
#[diagnostic::on_unimplemented(message = "`{Self}` is no loss", label = "the closure must return the loss")]
pub trait Loss {
    /// The loss as a number.
    ///
    /// # Errors
    /// When it is a tensor of several elements.
    fn value(&self) -> Result<f64>;
}

impl Loss for Tensor {
    fn value(&self) -> Result<f64> {
        Ok(self.array().item()?.to_f64())
    }
}

impl Loss for f64 {
    fn value(&self) -> Result<f64> {
        Ok(*self)
    }
}

impl Loss for f32 {
    fn value(&self) -> Result<f64> {
        Ok(f64::from(*self))
    }
}
