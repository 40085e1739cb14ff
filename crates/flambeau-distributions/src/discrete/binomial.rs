//! How many of several tries succeed, and how many successes come before so many failures.

use super::listed;
use crate::IntoValue;
use crate::chances::{Chances, ProbsOptions, accessors};
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, check_arguments};
use crate::fail;
use crate::univariate::Gamma;
use crate::value::{Shared, Value, expanded, replaced};
use flambeau_autograd::{OrPanic, Tensor, at_caller, no_grad, ops};
use flambeau_tensor::Scalar;
use std::sync::Arc;

/// Options of [`Binomial`].
#[derive(Clone, Default)]
pub struct BinomialOptions {
    total_count: Option<Value>,
    chances: ProbsOptions,
}

impl BinomialOptions {
    /// How many tries there are (1).
    #[must_use]
    pub fn total_count(mut self, total_count: impl IntoValue) -> Self {
        self.total_count = Some(total_count.into_value());
        self
    }

    /// The probability of success.
    #[must_use]
    pub fn probs(mut self, probs: impl IntoValue) -> Self {
        self.chances = self.chances.probs(probs);
        self
    }

    /// Its log-odds.
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

/// How many of `total_count` tries succeed: `torch.distributions.Binomial(total_count, probs)`, or by `logits`. Samples are drawn
/// on the host.
///
/// ```
/// use torch::distributions::Binomial;
/// assert_eq!(Binomial::new(10, 0.5).mean().item(), 5.0);
/// ```
#[derive(Clone)]
pub struct Binomial {
    frame: Frame,
    total_count: Shared,
    chances: Chances,
}

impl Binomial {
    /// The distribution of a number of tries and a probability, tensors or numbers.
    ///
    /// # Panics
    /// When one is out of range.
    #[track_caller]
    pub fn new(total_count: impl IntoValue, probs: impl IntoValue) -> Self {
        Self::with(|o| o.total_count(total_count).probs(probs))
    }

    /// The distribution of options: `total_count`, either `probs` or `logits`, and `validate_args`.
    ///
    /// # Panics
    /// When both or neither are given, or one is out of range.
    #[track_caller]
    pub fn with(options: impl FnOnce(BinomialOptions) -> BinomialOptions) -> Self {
        let options = options(BinomialOptions::default());
        at_caller(|| {
            let count = options.total_count.unwrap_or(Value::Number(Scalar::Int(1)));
            let (total_count, chances) = Chances::counted(&count, &options.chances);
            let frame = Frame::new(&chances.param().size()[..], [], options.chances.validate);
            let made = Binomial { frame, total_count: total_count.into(), chances };
            check_arguments(&made);
            made
        })
    }

    /// How many tries there are.
    pub fn total_count(&self) -> &Tensor {
        &self.total_count
    }

    pub(crate) fn expand_to(&self, batch: &[usize]) -> Self {
        Binomial {
            frame: self.frame.with_batch(batch),
            total_count: expanded(&self.total_count, batch).into(),
            chances: self.chances.expand(batch),
        }
    }

    /// The number of tries, where it is one for all.
    fn one_count(&self, what: &str) -> usize {
        let most = self.total_count.max().item();
        if self.total_count.min().item() != most.trunc() {
            fail::other(format!("Inhomogeneous total count not supported by `{what}`."));
        }
        most as usize
    }
}

accessors!(Binomial, NegativeBinomial);
expands!(Binomial, NegativeBinomial);
is_distribution!(Binomial, NegativeBinomial);

/// max(x, 0), with half the gradient at 0.
fn clamp_by_zero(x: &Tensor) -> Tensor {
    (x.clamp(0, None) + x - x.clamp(None, 0)) / 2.0
}

impl Distribution for Binomial {
    fn class(&self) -> &'static str {
        "Binomial"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        let mut all = vec![Argument::own("total_count", constraints::nonnegative_integer(), &self.total_count)];
        all.extend(self.chances.arguments(constraints::unit_interval(), constraints::real()));
        all
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::integer_interval(0, &self.total_count)
    }
    fn has_enumerate_support(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        &*self.total_count * self.probs()
    }
    fn mode(&self) -> Tensor {
        ((&*self.total_count + 1.0) * self.probs()).floor().minimum(&self.total_count)
    }
    fn variance(&self) -> Tensor {
        &*self.total_count * self.probs() * (1.0 - self.probs())
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        let shape = self.frame.extended(shape);
        ops::binomial(&expanded(&self.total_count, &shape), &expanded(self.probs(), &shape), None).or_panic()
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (n, logits) = (&*self.total_count, self.logits());
        let normalize = n * clamp_by_zero(logits) + n * (-logits.abs()).exp().log1p() - (n + 1.0).lgamma();
        value * logits - (value + 1.0).lgamma() - (n - value + 1.0).lgamma() - normalize
    }
    fn entropy(&self) -> Tensor {
        self.one_count("entropy");
        let log = self.log_prob_of(&self.enumerate(false));
        -(log.exp() * &log).sum_dim(0, false)
    }
    fn enumerate(&self, expand: bool) -> Tensor {
        let n = self.one_count("enumerate_support");
        let param = self.chances.param();
        listed(n + 1, self.frame.batch(), expand, param.dtype(), param.device())
    }
}

/// How many successes of a probability come before `total_count` failures: `torch.distributions.NegativeBinomial(total_count,
/// probs)`, or by `logits`. Samples are drawn on the host.
///
/// ```
/// use torch::distributions::NegativeBinomial;
/// assert_eq!(NegativeBinomial::new(3, 0.5).mean().item(), 3.0);
/// ```
#[derive(Clone)]
pub struct NegativeBinomial {
    frame: Frame,
    total_count: Shared,
    chances: Chances,
}

impl NegativeBinomial {
    /// The distribution of a number of failures and a probability of success, tensors or numbers.
    ///
    /// # Panics
    /// When one is out of range.
    #[track_caller]
    pub fn new(total_count: impl IntoValue, probs: impl IntoValue) -> Self {
        Self::with(total_count, |o| o.probs(probs))
    }

    /// The distribution of options: either `probs` or `logits`, and `validate_args`.
    ///
    /// # Panics
    /// When both or neither are given, or one is out of range.
    #[track_caller]
    pub fn with(total_count: impl IntoValue, options: impl FnOnce(ProbsOptions) -> ProbsOptions) -> Self {
        let (count, options) = (total_count.into_value(), options(ProbsOptions::default()));
        at_caller(|| {
            let (total_count, chances) = Chances::counted(&count, &options);
            let frame = Frame::new(&chances.param().size()[..], [], options.validate);
            let made = NegativeBinomial { frame, total_count: total_count.into(), chances };
            check_arguments(&made);
            made
        })
    }

    /// How many failures end it.
    pub fn total_count(&self) -> &Tensor {
        &self.total_count
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        NegativeBinomial {
            frame: self.frame.with_batch(batch),
            total_count: expanded(&self.total_count, batch).into(),
            chances: self.chances.expand(batch),
        }
    }
}

fn logsigmoid(x: &Tensor) -> Tensor {
    ops::logsigmoid(x).or_panic()
}

impl Distribution for NegativeBinomial {
    fn class(&self) -> &'static str {
        "NegativeBinomial"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        let mut all = vec![Argument::own("total_count", constraints::greater_than_eq(0), &self.total_count)];
        let below_one = constraints::half_open_interval(0.0, 1.0);
        all.extend(self.chances.arguments(below_one, constraints::real()));
        all
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::nonnegative_integer()
    }
    fn mean(&self) -> Tensor {
        &*self.total_count * self.logits().exp()
    }
    fn mode(&self) -> Tensor {
        ((&*self.total_count - 1.0) * self.logits().exp()).floor().clamp(0, None)
    }
    fn variance(&self) -> Tensor {
        self.mean() / (-self.logits()).sigmoid()
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        let rates = Gamma::with(&*self.total_count, (-self.logits()).exp(), |o| o.validate_args(false));
        ops::poisson(&rates.draw(shape), None).or_panic()
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (n, logits) = (&*self.total_count, self.logits());
        let unnormalized = n * logsigmoid(&-logits) + value * logsigmoid(logits);
        let both = n + value;
        let normalization = -both.lgamma() + (1.0 + value).lgamma() + n.lgamma();
        unnormalized - replaced(&normalization, &both.eq(0.0), 0.0)
    }
}
