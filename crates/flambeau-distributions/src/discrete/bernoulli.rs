//! One try, and how many tries a first success takes.

use super::listed;
use crate::IntoValue;
use crate::chances::{Chances, ProbsOptions, accessors, cross_entropy, log_of_bernoulli};
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, check_arguments, tuple};
use crate::fail;
use crate::value::{broadcast_pair, expanded, replaced, text, tiny};
use flambeau_autograd::{OrPanic, Tensor, at_caller, no_grad, ops};
use std::sync::Arc;

/// 1 with a probability, else 0: `torch.distributions.Bernoulli(probs)`, or by `logits`, the log-odds.
///
/// ```
/// use torch::distributions::Bernoulli;
/// let d = Bernoulli::new(torch::tensor([0.25]));
/// assert_eq!(d.mean().to_vec::<f32>(), [0.25]);
/// assert_eq!(Bernoulli::with(|o| o.logits(0.0)).probs().item(), 0.5);
/// ```
#[derive(Clone)]
pub struct Bernoulli {
    frame: Frame,
    chances: Chances,
}

/// How many tries fail before the first success: `torch.distributions.Geometric(probs)`, or by `logits`.
///
/// ```
/// use torch::distributions::Geometric;
/// assert_eq!(Geometric::new(0.25).mean().item(), 3.0);
/// ```
#[derive(Clone)]
pub struct Geometric {
    frame: Frame,
    chances: Chances,
}

/// Makes the constructors and `expand` of a distribution of one probability.
macro_rules! of_one {
    ($($name:ident)+) => {$(
        impl $name {
            /// The distribution of a probability, a tensor or a number.
            ///
            /// # Panics
            /// When it is outside of [0, 1].
            #[track_caller]
            pub fn new(probs: impl IntoValue) -> Self {
                Self::with(|o| o.probs(probs))
            }

            /// The distribution of options: either `probs` or `logits`, and `validate_args`.
            ///
            /// # Panics
            /// When both or neither are given, or one is out of range.
            #[track_caller]
            pub fn with(options: impl FnOnce(ProbsOptions) -> ProbsOptions) -> Self {
                let options = options(ProbsOptions::default());
                at_caller(|| {
                    let validate = options.validate;
                    let chances = Chances::binary(options);
                    let frame = Frame::new(&chances.param().size()[..], [], validate);
                    let made = $name { frame, chances };
                    check_arguments(&made);
                    made.further_checks();
                    made
                })
            }

            fn expand_to(&self, batch: &[usize]) -> Self {
                $name { frame: self.frame.with_batch(batch), chances: self.chances.expand(batch) }
            }
        }
    )+};
}

of_one!(Bernoulli Geometric);
accessors!(Bernoulli, Geometric);
expands!(Bernoulli, Geometric);
is_distribution!(Bernoulli, Geometric);

impl Bernoulli {
    fn further_checks(&self) {}
}

impl Distribution for Bernoulli {
    fn class(&self) -> &'static str {
        "Bernoulli"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        self.chances.arguments(constraints::unit_interval(), constraints::real())
    }
    fn is_exponential_family(&self) -> bool {
        true
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::boolean()
    }
    fn has_enumerate_support(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        self.probs().shallow_clone()
    }
    fn mode(&self) -> Tensor {
        let mode = self.probs().ge(0.5).to(self.probs());
        replaced(&mode, &self.probs().eq(0.5), f64::NAN)
    }
    fn variance(&self) -> Tensor {
        self.probs() * (1.0 - self.probs())
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        ops::bernoulli(&expanded(self.probs(), &self.frame.extended(shape)), None).or_panic()
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (logits, value) = broadcast_pair(self.logits(), value);
        log_of_bernoulli(&logits, &value)
    }
    fn entropy(&self) -> Tensor {
        cross_entropy(self.logits(), self.probs())
    }
    fn enumerate(&self, expand: bool) -> Tensor {
        let param = self.chances.param();
        listed(2, self.frame.batch(), expand, param.dtype(), param.device())
    }
}

impl Geometric {
    /// A probability of 0 is in the unit interval, but no success would ever come.
    fn further_checks(&self) {
        let Some(probs) = self.chances.given_probs().filter(|_| self.frame.validates()) else { return };
        let valid = probs.gt(0);
        if !valid.all().item_as::<bool>() {
            let invalid = probs.detach().masked_select(valid.logical_not());
            let tuple = tuple(&probs.size());
            fail::value(format!(
                "Expected parameter probs (Tensor of shape {tuple}) of distribution {} to be positive but found invalid \
                 values:\n{}",
                self.repr(),
                text(&invalid)
            ));
        }
    }
}

impl Distribution for Geometric {
    fn class(&self) -> &'static str {
        "Geometric"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        self.chances.arguments(constraints::unit_interval(), constraints::real())
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::nonnegative_integer()
    }
    fn mean(&self) -> Tensor {
        1.0 / self.probs() - 1.0
    }
    fn mode(&self) -> Tensor {
        self.probs().zeros_like()
    }
    fn variance(&self) -> Tensor {
        (1.0 / self.probs() - 1.0) / self.probs()
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        let p = self.probs();
        let fresh = ops::empty(&self.frame.extended(shape), p.dtype(), p.device()).or_panic();
        let u = ops::uniform_(&fresh, tiny(p.dtype()), 1.0, None).or_panic();
        (u.log() / (-p).log1p()).floor()
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (value, probs) = broadcast_pair(value, self.probs());
        let probs = replaced(&probs, &(probs.eq(1) & value.eq(0)), 0.0);
        value * (-probs).log1p() + self.probs().log()
    }
    fn entropy(&self) -> Tensor {
        cross_entropy(self.logits(), self.probs()) / self.probs()
    }
}
