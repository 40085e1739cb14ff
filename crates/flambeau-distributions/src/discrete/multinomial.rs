//! How often each of several categories comes up.

use super::{Binomial, Categorical};
use crate::IntoValue;
use crate::chances::ProbsOptions;
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, check_arguments};
use crate::value::{broadcast_pair, filled, replaced};
use flambeau_autograd::{OrPanic, Size, Tensor, at_caller, no_grad, ops};
use flambeau_tensor::DType;
use std::sync::Arc;

/// Options of [`Multinomial`].
#[derive(Clone, Default)]
pub struct MultinomialOptions {
    total_count: Option<usize>,
    chances: ProbsOptions,
}

impl MultinomialOptions {
    /// How many draws there are (1).
    #[must_use]
    pub fn total_count(mut self, total_count: usize) -> Self {
        self.total_count = Some(total_count);
        self
    }

    /// The probabilities along the last dimension.
    #[must_use]
    pub fn probs(mut self, probs: impl IntoValue) -> Self {
        self.chances = self.chances.probs(probs);
        self
    }

    /// Their logarithms, up to a constant.
    #[must_use]
    pub fn logits(mut self, logits: impl IntoValue) -> Self {
        self.chances = self.chances.logits(logits);
        self
    }

    /// Whether arguments and values are checked.
    #[must_use]
    pub fn validate_args(mut self, validate_args: impl Into<Option<bool>>) -> Self {
        self.chances = self.chances.validate_args(validate_args);
        self
    }
}

/// How often each category comes up in `total_count` draws: `torch.distributions.Multinomial(total_count, probs)`, or by `logits`.
///
/// ```
/// use torch::distributions::Multinomial;
/// let d = Multinomial::new(4, torch::tensor([1.0, 3.0]));
/// assert_eq!(d.mean().to_vec::<f32>(), [1.0, 3.0]);
/// assert_eq!(d.sample().sum().item(), 4.0);
/// ```
#[derive(Clone)]
pub struct Multinomial {
    frame: Frame,
    total_count: usize,
    categorical: Categorical,
    binomial: Binomial,
}

impl Multinomial {
    /// The distribution of a number of draws and probabilities along the last dimension.
    ///
    /// # Panics
    /// When they are negative.
    #[track_caller]
    pub fn new(total_count: usize, probs: impl IntoValue) -> Self {
        Self::with(|o| o.total_count(total_count).probs(probs))
    }

    /// The distribution of options: `total_count`, either `probs` or `logits`, and `validate_args`.
    ///
    /// # Panics
    /// When both or neither are given, or one is out of range.
    #[track_caller]
    pub fn with(options: impl FnOnce(MultinomialOptions) -> MultinomialOptions) -> Self {
        let options = options(MultinomialOptions::default());
        at_caller(|| {
            let total_count = options.total_count.unwrap_or(1);
            let validate = options.chances.validate;
            let categorical = Categorical::of(&ProbsOptions { validate: None, ..options.chances });
            let binomial = Binomial::new(total_count as i64, categorical.probs());
            let frame = Frame::new(categorical.frame().batch(), [categorical.num_events()], validate);
            let made = Multinomial { frame, total_count, categorical, binomial };
            check_arguments(&made);
            made
        })
    }

    /// How many draws there are.
    pub fn total_count(&self) -> usize {
        self.total_count
    }

    /// The probabilities.
    pub fn probs(&self) -> &Tensor {
        self.categorical.probs()
    }

    /// Their logarithms.
    pub fn logits(&self) -> &Tensor {
        self.categorical.logits()
    }

    /// The shape of whichever was given.
    pub fn param_shape(&self) -> Size {
        self.categorical.param_shape()
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        Multinomial {
            frame: self.frame.with_batch(batch),
            total_count: self.total_count,
            categorical: self.categorical.expand_to(batch),
            binomial: self.binomial.expand_to(&[batch, self.frame.event()].concat()),
        }
    }
}

expands!(Multinomial);
is_distribution!(Multinomial);

impl Distribution for Multinomial {
    fn class(&self) -> &'static str {
        "Multinomial"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        self.categorical.chances().computed_arguments(constraints::simplex(), constraints::real_vector())
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::multinomial(self.total_count as i64)
    }
    fn mean(&self) -> Tensor {
        self.probs() * self.total_count as f64
    }
    fn variance(&self) -> Tensor {
        self.total_count as f64 * self.probs() * (1.0 - self.probs())
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        let drawn = self.categorical.draw(&[&[self.total_count], shape].concat());
        let order: Vec<i64> = (1..drawn.dim() as i64).chain([0]).collect();
        let drawn = drawn.permute(order);
        let counts = ops::zeros(&self.frame.extended(shape), DType::I64, drawn.device()).or_panic();
        ops::scatter_add(&counts, -1, &drawn, &drawn.ones_like()).or_panic().type_as(self.probs())
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (logits, value) = broadcast_pair(self.logits(), value);
        let logits = replaced(&logits, &(value.eq(0) & logits.eq(f64::NEG_INFINITY)), 0.0);
        let powers = (logits * &value).sum_dim(-1, false);
        (value.sum_dim(-1, false) + 1.0).lgamma() - (&value + 1.0).lgamma().sum_dim(-1, false) + powers
    }
    fn entropy(&self) -> Tensor {
        let n = filled(&[], self.total_count as f64, self.probs());
        let first = &n * self.categorical.entropy() - (&n + 1.0).lgamma();
        let all = self.binomial.enumerate(false);
        let support = all.narrow(0, 1, all.size_dim(0) - 1);
        let terms = self.binomial.log_prob_of(&support).exp() * (&support + 1.0).lgamma();
        first + terms.sum_dim([0, -1], false)
    }
}
