//! How many independent events happen.

use crate::constraints::{self, Constraint};
use crate::declare::distribution;
use crate::value::{broadcast_pair, expanded};
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops};

distribution! {
    /// The Poisson distribution of a rate: `torch.distributions.Poisson(rate)`. Samples are drawn on the host.
    ///
    /// ```
    /// use torch::distributions::Poisson;
    /// assert_eq!(Poisson::new(4.0).variance().item(), 4.0);
    /// ```
    Poisson {
        /// The mean.
        rate: |d| constraints::nonnegative();
    }
    family true;

    fn support(&self) -> Constraint {
        constraints::nonnegative_integer()
    }
    fn mean(&self) -> Tensor {
        self.rate.shallow_clone()
    }
    fn mode(&self) -> Tensor {
        self.rate.floor()
    }
    fn variance(&self) -> Tensor {
        self.rate.shallow_clone()
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        ops::poisson(&expanded(&self.rate, &self.frame.extended(shape)), None).or_panic()
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (rate, value) = broadcast_pair(&self.rate, value);
        value.xlogy(&rate) - &rate - (value + 1.0).lgamma()
    }
    fn entropy(&self) -> Tensor {
        // PyTorch's, which has no carrier measure for it.
        crate::fail::other("NotImplementedError: Poisson has no entropy")
    }
}
