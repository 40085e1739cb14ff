//! Distributions over an interval.

use crate::chances::{Chances, ProbsOptions, accessors};
use crate::constraints::{self, Constraint};
use crate::declare::{distribution, expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, check_arguments};
use crate::value::{broadcast_pair, clamp_probs, uniform};
use crate::{IntoValue, fail};
use flambeau_autograd::{OrPanic, Tensor, at_caller, no_grad, ops};
use std::sync::Arc;

distribution! {
    /// The uniform distribution over [low, high): `torch.distributions.Uniform(low, high)`.
    ///
    /// ```
    /// use torch::distributions::Uniform;
    /// let d = Uniform::new(0.0, 4.0);
    /// assert_eq!((d.mean().item(), d.cdf(torch::tensor(1.0)).item()), (2.0, 0.25));
    /// ```
    Uniform {
        /// The lower end.
        low: |d| constraints::less_than(&d.high);
        /// The upper end.
        high: |d| constraints::greater_than(&d.low);
    }
    family false;

    fn support(&self) -> Constraint {
        constraints::interval(&self.low, &self.high)
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        (&*self.high + &self.low) / 2.0
    }
    fn mode(&self) -> Tensor {
        f64::NAN * &*self.high
    }
    fn stddev(&self) -> Tensor {
        (&*self.high - &self.low) / 12f64.sqrt()
    }
    fn variance(&self) -> Tensor {
        (&*self.high - &self.low).pow(2) / 12.0
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let u = uniform(&self.frame.extended(shape), &self.low);
        &*self.low + u * (&*self.high - &self.low)
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let above = self.low.le(value).type_as(&self.low);
        let below = self.high.gt(value).type_as(&self.low);
        above.mul(below).log() - (&*self.high - &self.low).log()
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        ((value - &self.low) / (&*self.high - &self.low)).clamp(0, 1)
    }
    fn quantile(&self, probability: &Tensor) -> Tensor {
        probability * (&*self.high - &self.low) + &self.low
    }
    fn entropy(&self) -> Tensor {
        (&*self.high - &self.low).log()
    }
}

/// The continuous Bernoulli distribution over [0, 1], of density C(λ) λˣ (1 − λ)¹⁻ˣ, by its parameter λ as `probs` or as `logits`:
/// `torch.distributions.ContinuousBernoulli`.
///
/// ```
/// use torch::distributions::ContinuousBernoulli;
/// let d = ContinuousBernoulli::new(0.5);
/// assert!((d.mean().item() - 0.5).abs() < 1e-6);
/// ```
#[derive(Clone)]
pub struct ContinuousBernoulli {
    frame: Frame,
    chances: Chances,
    lims: (f64, f64),
}

/// Options of [`ContinuousBernoulli`].
#[derive(Clone, Default)]
pub struct ContinuousBernoulliOptions {
    chances: ProbsOptions,
    lims: Option<(f64, f64)>,
}

impl ContinuousBernoulliOptions {
    /// The parameter.
    #[must_use]
    pub fn probs(mut self, probs: impl IntoValue) -> Self {
        self.chances = self.chances.probs(probs);
        self
    }

    /// The parameter's log-odds.
    #[must_use]
    pub fn logits(mut self, logits: impl IntoValue) -> Self {
        self.chances = self.chances.logits(logits);
        self
    }

    /// The interval around ½ in which series take the place of formulas that are 0/0 there (0.499, 0.501).
    #[must_use]
    pub fn lims(mut self, lims: (f64, f64)) -> Self {
        self.lims = Some(lims);
        self
    }

    /// Whether arguments and values are checked.
    #[must_use]
    pub fn validate_args(mut self, validate_args: impl Into<Option<bool>>) -> Self {
        self.chances = self.chances.validate_args(validate_args);
        self
    }
}

impl ContinuousBernoulli {
    /// The distribution of a parameter `probs`, a tensor or a number.
    #[track_caller]
    pub fn new(probs: impl IntoValue) -> Self {
        Self::with(|o| o.probs(probs))
    }

    /// The distribution of options: either `probs` or `logits`, and `lims`, `validate_args`.
    ///
    /// # Panics
    /// When both or neither are given, or one is out of range.
    #[track_caller]
    pub fn with(options: impl FnOnce(ContinuousBernoulliOptions) -> ContinuousBernoulliOptions) -> Self {
        let options = options(ContinuousBernoulliOptions::default());
        at_caller(|| {
            let validate = options.chances.validate;
            let mut chances = Chances::binary(options.chances);
            chances.clamps = true;
            if let Some(probs) = chances.given_probs() {
                let valid = || constraints::unit_interval().check(probs).all().item_as::<bool>();
                if validate.is_some() && !valid() {
                    fail::value("The parameter probs has invalid values");
                }
                chances = chances.with_probs(clamp_probs(probs));
            }
            let frame = Frame::new(&chances.param().size()[..], [], validate);
            let made = ContinuousBernoulli { frame, chances, lims: options.lims.unwrap_or((0.499, 0.501)) };
            check_arguments(&made);
            made
        })
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        ContinuousBernoulli {
            frame: self.frame.with_batch(batch),
            chances: self.chances.expand(batch),
            lims: self.lims,
        }
    }

    fn outside(&self) -> Tensor {
        self.probs().le(self.lims.0) | self.probs().gt(self.lims.1)
    }

    /// The parameter, with the interval's lower end for what lies in it.
    fn cut(&self) -> Tensor {
        ops::where_(&self.outside(), self.probs(), &(self.lims.0 * self.probs().ones_like())).or_panic()
    }

    fn choose(&self, formula: &Tensor, series: &Tensor) -> Tensor {
        ops::where_(&self.outside(), formula, series).or_panic()
    }

    /// log C(λ).
    pub(crate) fn log_norm(&self) -> Tensor {
        let cut = self.cut();
        let low = cut.le(0.5);
        let below = ops::where_(&low, &cut, cut.zeros_like()).or_panic();
        let above = ops::where_(&cut.ge(0.5), &cut, cut.ones_like()).or_panic();
        let size = ops::where_(&low, (-2.0 * below).log1p(), (2.0 * above - 1.0).log()).or_panic();
        let formula = ((-&cut).log1p() - cut.log()).abs().log() - size;
        let x = (self.probs() - 0.5).pow(2);
        let series = 2f64.ln() + (4.0 / 3.0 + 104.0 / 45.0 * &x) * &x;
        self.choose(&formula, &series)
    }
}

accessors!(ContinuousBernoulli);
expands!(ContinuousBernoulli);
is_distribution!(ContinuousBernoulli);

impl Distribution for ContinuousBernoulli {
    fn class(&self) -> &'static str {
        "ContinuousBernoulli"
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
        constraints::unit_interval()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        let cut = self.cut();
        let formula = &cut / (2.0 * &cut - 1.0) + 1.0 / ((-&cut).log1p() - cut.log());
        let x = self.probs() - 0.5;
        let series = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * &x;
        self.choose(&formula, &series)
    }
    fn variance(&self) -> Tensor {
        let cut = self.cut();
        let formula = &cut * (&cut - 1.0) / (1.0 - 2.0 * &cut).pow(2) + 1.0 / ((-&cut).log1p() - cut.log()).pow(2);
        let x = (self.probs() - 0.5).pow(2);
        let series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * &x) * &x;
        self.choose(&formula, &series)
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        self.draw_reparameterized(shape)
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        self.quantile(&uniform(&self.frame.extended(shape), self.probs()))
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (logits, value) = broadcast_pair(self.logits(), value);
        crate::chances::log_of_bernoulli(&logits, &value) + self.log_norm()
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        let cut = self.cut();
        let powers = cut.pow(value) * (1.0 - &cut).pow(1.0 - value);
        let formula = (powers + &cut - 1.0) / (2.0 * &cut - 1.0);
        let inside = self.choose(&formula, value);
        let upper = ops::where_(&value.ge(1.0), value.ones_like(), &inside).or_panic();
        ops::where_(&value.le(0.0), value.zeros_like(), &upper).or_panic()
    }
    fn quantile(&self, probability: &Tensor) -> Tensor {
        let cut = self.cut();
        let formula =
            ((-&cut + probability * (2.0 * &cut - 1.0)).log1p() - (-&cut).log1p()) / (cut.log() - (-&cut).log1p());
        self.choose(&formula, probability)
    }
    fn entropy(&self) -> Tensor {
        let (log0, log1) = ((-self.probs()).log1p(), self.probs().log());
        self.mean() * (&log0 - log1) - self.log_norm() - log0
    }
}
