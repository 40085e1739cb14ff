//! One of several categories.

use super::listed;
use crate::IntoValue;
use crate::chances::{Chances, ProbsOptions, accessors};
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, check_arguments};
use crate::value::filled;
use flambeau_autograd::{OrPanic, Tensor, at_caller, finfo, no_grad, ops};
use flambeau_tensor::DType;
use std::sync::Arc;

/// The number of a category, int64: `torch.distributions.Categorical(probs)`, or by `logits`, along the last dimension. The
/// probabilities are scaled so that they sum to 1.
///
/// ```
/// use torch::distributions::Categorical;
/// torch::manual_seed(0);
/// let policy = Categorical::with(|o| o.logits(torch::tensor([0.0, 1.0, 2.0])));
/// let action = policy.sample();
/// let log_prob = policy.log_prob(&action);
/// assert!(log_prob.item() < 0.0);
/// ```
#[derive(Clone)]
pub struct Categorical {
    frame: Frame,
    chances: Chances,
}

impl Categorical {
    /// The distribution of probabilities along the last dimension.
    ///
    /// # Panics
    /// When they are negative.
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
        at_caller(|| Self::of(&options))
    }

    pub(crate) fn of(options: &ProbsOptions) -> Self {
        let chances = Chances::categorical(options);
        let size = chances.param().size();
        let frame = Frame::new(&size[..size.len() - 1], [], options.validate);
        let made = Categorical { frame, chances };
        check_arguments(&made);
        made
    }

    pub(crate) fn chances(&self) -> &Chances {
        &self.chances
    }

    /// How many categories there are.
    pub(crate) fn num_events(&self) -> usize {
        self.chances.param().size_dim(-1)
    }

    pub(crate) fn expand_to(&self, batch: &[usize]) -> Self {
        let shape = [batch, &[self.num_events()]].concat();
        Categorical { frame: self.frame.with_batch(batch), chances: self.chances.expand(&shape) }
    }
}

accessors!(Categorical);
expands!(Categorical);
is_distribution!(Categorical);

impl Distribution for Categorical {
    fn class(&self) -> &'static str {
        "Categorical"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        self.chances.arguments(constraints::simplex(), constraints::real_vector())
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::integer_interval(0, self.num_events() as i64 - 1)
    }
    fn has_enumerate_support(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        filled(&self.frame.extended(&[]), f64::NAN, self.probs())
    }
    fn mode(&self) -> Tensor {
        self.probs().argmax_dim(-1, false)
    }
    fn variance(&self) -> Tensor {
        self.mean()
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        let rows = self.probs().reshape([-1, self.num_events() as i64]);
        let drawn = ops::multinomial(&rows, shape.iter().product(), true, None).or_panic().T();
        drawn.reshape(self.frame.extended(shape).iter().map(|&n| n as i64).collect::<Vec<_>>())
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let value = value.to(DType::I64).unsqueeze(-1);
        let both = ops::broadcast_tensors(&[&value, self.logits()]).or_panic();
        both[1].gather(-1, both[0].narrow(-1, 0, 1)).squeeze_dim(-1)
    }
    fn entropy(&self) -> Tensor {
        let logits = self.logits();
        -(logits.clamp(finfo(logits.dtype()).min, None) * self.probs()).sum_dim(-1, false)
    }
    fn enumerate(&self, expand: bool) -> Tensor {
        let device = self.chances.param().device();
        listed(self.num_events(), self.frame.batch(), expand, DType::I64, device)
    }
}
