//! Continuous distributions near discrete ones, whose samples have gradients.

use super::Categorical;
use crate::IntoValue;
use crate::chances::{Chances, ProbsOptions, accessors};
use crate::composed::TransformedDistribution;
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, check_arguments};
use crate::transforms::{ExpTransform, SigmoidTransform};
use crate::value::{Shared, broadcast_pair, clamp_probs, expanded, uniform};
use flambeau_autograd::{AsTensor, OrPanic, Size, Tensor, at_caller, ops};
use std::any::Any;
use std::sync::Arc;

/// The log-odds of a [`RelaxedBernoulli`] number: `torch.distributions.relaxed_bernoulli.LogitRelaxedBernoulli`.
///
/// ```
/// use torch::distributions::LogitRelaxedBernoulli;
/// let d = LogitRelaxedBernoulli::new(torch::tensor(1.0), 0.5);
/// assert_eq!(d.log_prob(torch::tensor(0.0)).exp().item(), 0.25);
/// ```
#[derive(Clone)]
pub struct LogitRelaxedBernoulli {
    frame: Frame,
    temperature: Shared,
    chances: Chances,
}

/// Numbers of (0, 1) that gather near 0 and 1 as the temperature falls: `torch.distributions.RelaxedBernoulli(temperature, probs)`,
/// or by `logits`.
///
/// ```
/// use torch::distributions::RelaxedBernoulli;
/// let x = RelaxedBernoulli::new(torch::tensor(0.1), torch::tensor([0.5; 100])).sample();
/// assert!(x.min().item() >= 0.0 && x.max().item() <= 1.0);
/// ```
#[derive(Clone)]
pub struct RelaxedBernoulli {
    whole: TransformedDistribution,
}

/// The logarithm of a [`RelaxedOneHotCategorical`] vector: `torch.distributions.relaxed_categorical.ExpRelaxedCategorical`.
///
/// ```
/// use torch::distributions::ExpRelaxedCategorical;
/// let x = ExpRelaxedCategorical::new(torch::tensor(1.0), torch::ones(3)).sample();
/// assert!((x.exp().sum().item() - 1.0).abs() < 1e-5);
/// ```
#[derive(Clone)]
pub struct ExpRelaxedCategorical {
    frame: Frame,
    temperature: Shared,
    categorical: Categorical,
}

/// Vectors that sum to 1 and gather near the corners as the temperature falls (Gumbel-softmax):
/// `torch.distributions.RelaxedOneHotCategorical(temperature, probs)`, or by `logits`.
///
/// ```
/// use torch::distributions::RelaxedOneHotCategorical;
/// let x = RelaxedOneHotCategorical::new(torch::tensor(0.5), torch::ones(3)).sample();
/// assert!((x.sum().item() - 1.0).abs() < 1e-5);
/// ```
#[derive(Clone)]
pub struct RelaxedOneHotCategorical {
    whole: TransformedDistribution,
}

impl LogitRelaxedBernoulli {
    fn of(temperature: Tensor, options: ProbsOptions) -> Self {
        let validate = options.validate;
        let chances = Chances::binary(options);
        let frame = Frame::new(&chances.param().size()[..], [], validate);
        LogitRelaxedBernoulli { frame, temperature: temperature.into(), chances }
    }

    /// How far the numbers are from 0 and 1.
    pub fn temperature(&self) -> &Tensor {
        &self.temperature
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        LogitRelaxedBernoulli {
            frame: self.frame.with_batch(batch),
            temperature: self.temperature.clone(),
            chances: self.chances.expand(batch),
        }
    }
}

accessors!(LogitRelaxedBernoulli);

impl RelaxedBernoulli {
    fn of(temperature: Tensor, options: ProbsOptions) -> Self {
        let validate = options.validate;
        let base = LogitRelaxedBernoulli::of(temperature, ProbsOptions { validate: None, ..options });
        check_arguments(&base);
        let whole = TransformedDistribution::of(Arc::new(base), vec![SigmoidTransform::new()], validate);
        RelaxedBernoulli { whole }
    }

    fn base(&self) -> &LogitRelaxedBernoulli {
        let any: &dyn Any = self.whole.base_dist();
        any.downcast_ref().expect("it was made of one of that kind")
    }

    /// How far the numbers are from 0 and 1.
    pub fn temperature(&self) -> &Tensor {
        self.base().temperature()
    }

    /// The probabilities.
    pub fn probs(&self) -> &Tensor {
        self.base().probs()
    }

    /// Their log-odds.
    pub fn logits(&self) -> &Tensor {
        self.base().logits()
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        RelaxedBernoulli { whole: self.whole.expand_to(batch) }
    }
}

impl ExpRelaxedCategorical {
    fn of(temperature: Tensor, options: ProbsOptions) -> Self {
        let validate = options.validate;
        let categorical = Categorical::of(&ProbsOptions { validate: None, ..options });
        let frame = Frame::new(categorical.frame().batch(), [categorical.num_events()], validate);
        ExpRelaxedCategorical { frame, temperature: temperature.into(), categorical }
    }

    /// How far the vectors are from the corners.
    pub fn temperature(&self) -> &Tensor {
        &self.temperature
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
        ExpRelaxedCategorical {
            frame: self.frame.with_batch(batch),
            temperature: self.temperature.clone(),
            categorical: self.categorical.expand_to(batch),
        }
    }
}

impl RelaxedOneHotCategorical {
    fn of(temperature: Tensor, options: ProbsOptions) -> Self {
        let validate = options.validate;
        let base = ExpRelaxedCategorical::of(temperature, options);
        check_arguments(&base);
        let whole = TransformedDistribution::of(Arc::new(base), vec![ExpTransform::new()], validate);
        RelaxedOneHotCategorical { whole }
    }

    fn base(&self) -> &ExpRelaxedCategorical {
        let any: &dyn Any = self.whole.base_dist();
        any.downcast_ref().expect("it was made of one of that kind")
    }

    /// How far the vectors are from the corners.
    pub fn temperature(&self) -> &Tensor {
        self.base().temperature()
    }

    /// The probabilities.
    pub fn probs(&self) -> &Tensor {
        self.base().probs()
    }

    /// Their logarithms.
    pub fn logits(&self) -> &Tensor {
        self.base().logits()
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        RelaxedOneHotCategorical { whole: self.whole.expand_to(batch) }
    }
}

/// Makes the constructors of a distribution of a temperature and probabilities.
macro_rules! of_temperature {
    ($($name:ident)+) => {$(
        impl $name {
            /// The distribution of a temperature and probabilities.
            ///
            /// # Panics
            /// When one is out of range.
            #[track_caller]
            pub fn new(temperature: impl AsTensor, probs: impl IntoValue) -> Self {
                Self::with(temperature, |o| o.probs(probs))
            }

            /// The distribution of options: either `probs` or `logits`, and `validate_args`.
            ///
            /// # Panics
            /// When both or neither are given, or one is out of range.
            #[track_caller]
            pub fn with(temperature: impl AsTensor, options: impl FnOnce(ProbsOptions) -> ProbsOptions) -> Self {
                let options = options(ProbsOptions::default());
                at_caller(|| {
                    let made = Self::of(temperature.as_tensor().shallow_clone(), options);
                    check_arguments(&made);
                    made
                })
            }
        }
    )+};
}

of_temperature!(LogitRelaxedBernoulli RelaxedBernoulli ExpRelaxedCategorical RelaxedOneHotCategorical);
expands!(LogitRelaxedBernoulli, RelaxedBernoulli, ExpRelaxedCategorical, RelaxedOneHotCategorical);
is_distribution!(LogitRelaxedBernoulli, RelaxedBernoulli, ExpRelaxedCategorical, RelaxedOneHotCategorical);

impl Distribution for LogitRelaxedBernoulli {
    fn class(&self) -> &'static str {
        "LogitRelaxedBernoulli"
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
        constraints::real()
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let shape = self.frame.extended(shape);
        let probs = clamp_probs(&expanded(self.probs(), &shape));
        let u = clamp_probs(&uniform(&shape, &probs));
        (u.log() - (-&u).log1p() + probs.log() - (-&probs).log1p()) / &self.temperature
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (logits, value) = broadcast_pair(self.logits(), value);
        let diff = logits - value.mul(&self.temperature);
        self.temperature.log() + &diff - 2.0 * diff.exp().log1p()
    }
}

impl Distribution for RelaxedBernoulli {
    fn class(&self) -> &'static str {
        "RelaxedBernoulli"
    }
    fn arguments(&self) -> Vec<Argument> {
        self.base().chances.computed_arguments(constraints::unit_interval(), constraints::real())
    }
    fn parent(&self) -> Option<&dyn Distribution> {
        Some(&self.whole)
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn support(&self) -> Constraint {
        constraints::unit_interval()
    }
}

impl Distribution for ExpRelaxedCategorical {
    fn class(&self) -> &'static str {
        "ExpRelaxedCategorical"
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
        constraints::real_vector()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let u = clamp_probs(&uniform(&self.frame.extended(shape), self.logits()));
        let scores = (self.logits() - (-u.log()).log()) / &self.temperature;
        &scores - ops::logsumexp(&scores, &[-1], true).or_panic()
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let k = self.categorical.num_events() as f64;
        let (logits, value) = broadcast_pair(self.logits(), value);
        let scale = self.temperature.full_like(k).lgamma() + self.temperature.log() * (k - 1.0);
        let score = logits - value.mul(&self.temperature);
        let score = (&score - ops::logsumexp(&score, &[-1], true).or_panic()).sum_dim(-1, false);
        score + scale
    }
}

impl Distribution for RelaxedOneHotCategorical {
    fn class(&self) -> &'static str {
        "RelaxedOneHotCategorical"
    }
    fn arguments(&self) -> Vec<Argument> {
        self.base().arguments()
    }
    fn parent(&self) -> Option<&dyn Distribution> {
        Some(&self.whole)
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn support(&self) -> Constraint {
        constraints::simplex()
    }
}
