//! The gamma distribution and its relatives.

use crate::IntoValue;
use crate::constraints::{self, Constraint};
use crate::declare::{distribution, expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, ValidateOptions, check_arguments};
use crate::value::{Value, expanded, replaced, tiny};
use flambeau_autograd::{OrPanic, Tensor, at_caller, ops};
use std::sync::Arc;

distribution! {
    /// The exponential distribution, of density rate · e^(−rate x): `torch.distributions.Exponential(rate)`.
    ///
    /// ```
    /// use torch::distributions::Exponential;
    /// assert_eq!(Exponential::new(2.0).mean().item(), 0.5);
    /// ```
    Exponential {
        /// The rate, 1 / scale.
        rate: |d| constraints::positive();
    }
    family true;

    fn support(&self) -> Constraint {
        constraints::nonnegative()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        self.rate.reciprocal()
    }
    fn mode(&self) -> Tensor {
        self.rate.zeros_like()
    }
    fn stddev(&self) -> Tensor {
        self.rate.reciprocal()
    }
    fn variance(&self) -> Tensor {
        self.rate.pow(-2)
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let fresh = ops::empty(&self.frame.extended(shape), self.rate.dtype(), self.rate.device()).or_panic();
        ops::exponential_(&fresh, 1.0, None).or_panic() / &self.rate
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        self.rate.log() - &*self.rate * value
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        1.0 - (-&*self.rate * value).exp()
    }
    fn quantile(&self, probability: &Tensor) -> Tensor {
        -(-probability).log1p() / &self.rate
    }
    fn entropy(&self) -> Tensor {
        1.0 - self.rate.log()
    }
}

distribution! {
    /// The gamma distribution by its shape and rate: `torch.distributions.Gamma(concentration, rate)`. Samples have gradients by
    /// both; they are drawn on the host.
    ///
    /// ```
    /// use torch::distributions::Gamma;
    /// assert_eq!(Gamma::new(3.0, 2.0).mean().item(), 1.5);
    /// ```
    Gamma {
        /// The shape, often called alpha.
        concentration: |d| constraints::positive();
        /// The rate, 1 / scale, often called beta.
        rate: |d| constraints::positive();
    }
    family true;

    fn support(&self) -> Constraint {
        constraints::nonnegative()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        &*self.concentration / &self.rate
    }
    fn mode(&self) -> Tensor {
        ((&*self.concentration - 1.0) / &self.rate).clamp(0, None)
    }
    fn variance(&self) -> Tensor {
        &*self.concentration / self.rate.pow(2)
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let shape = self.frame.extended(shape);
        let drawn = ops::_standard_gamma(&expanded(&self.concentration, &shape), None).or_panic();
        let value = drawn / expanded(&self.rate, &shape);
        // Moves what is drawn, not its gradient.
        value.detach().clamp_(tiny(value.dtype()), None);
        value
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let value = value.to(&*self.rate);
        self.concentration.xlogy(&self.rate) + (&*self.concentration - 1.0).xlogy(&value) - &*self.rate * &value
            - self.concentration.lgamma()
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        ops::gammainc(&self.concentration, &(&*self.rate * value)).or_panic()
    }
    fn entropy(&self) -> Tensor {
        &*self.concentration - self.rate.log() + self.concentration.lgamma()
            + (1.0 - &*self.concentration) * self.concentration.digamma()
    }
}

/// The χ² distribution: `torch.distributions.Chi2(df)`, [`Gamma`] of df/2 and ½.
///
/// ```
/// use torch::distributions::Chi2;
/// assert_eq!(Chi2::new(3.0).mean().item(), 3.0);
/// ```
#[derive(Clone)]
pub struct Chi2 {
    gamma: Gamma,
}

impl Chi2 {
    /// The distribution of so many degrees of freedom, a tensor or a number.
    ///
    /// # Panics
    /// When they are not positive.
    #[track_caller]
    pub fn new(df: impl IntoValue) -> Self {
        Self::with(df, |o| o)
    }

    /// [`new`](Chi2::new) with options: `validate_args`.
    #[track_caller]
    pub fn with(df: impl IntoValue, options: impl FnOnce(ValidateOptions) -> ValidateOptions) -> Self {
        let options = options(ValidateOptions::default());
        let half = match df.into_value() {
            Value::Number(n) => Value::Number((0.5 * n.to_f64()).into()),
            Value::Tensor(t) => Value::Tensor(0.5 * t),
        };
        at_caller(|| {
            let unchecked = Gamma::with(half, 0.5, |o| o.validate_args(false));
            let frame = Frame::new(unchecked.frame().batch(), [], options.validate_args);
            let made = Chi2 { gamma: unchecked.with_frame(frame) };
            check_arguments(&made);
            made
        })
    }

    /// The degrees of freedom.
    pub fn df(&self) -> Tensor {
        self.gamma.concentration() * 2
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        Chi2 { gamma: self.gamma.expand_to(batch) }
    }
}

impl Gamma {
    fn with_frame(self, frame: Frame) -> Self {
        Gamma { frame, ..self }
    }
}

expands!(Chi2);
is_distribution!(Chi2);

impl Distribution for Chi2 {
    fn class(&self) -> &'static str {
        "Chi2"
    }
    fn arguments(&self) -> Vec<Argument> {
        vec![Argument::computed("df", constraints::positive(), self.df())]
    }
    fn parent(&self) -> Option<&dyn Distribution> {
        Some(&self.gamma)
    }
    fn mode(&self) -> Tensor {
        self.gamma.mode()
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
}

distribution! {
    /// Fisher and Snedecor's F distribution: `torch.distributions.FisherSnedecor(df1, df2)`.
    ///
    /// ```
    /// use torch::distributions::FisherSnedecor;
    /// assert_eq!(FisherSnedecor::new(1.0, 4.0).mean().item(), 2.0);
    /// ```
    FisherSnedecor {
        /// The numerator's degrees of freedom.
        df1: |d| constraints::positive();
        /// The denominator's degrees of freedom.
        df2: |d| constraints::positive();
    }
    // PyTorch makes these first, which then find what is wrong, whatever `validate_args` is.
    family false, first |d| drop((Gamma::new(&*d.df1 * 0.5, &*d.df1), Gamma::new(&*d.df2 * 0.5, &*d.df2)));

    fn support(&self) -> Constraint {
        constraints::positive()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        let df2 = replaced(&self.df2, &self.df2.le(2), f64::NAN);
        &df2 / (&df2 - 2.0)
    }
    fn mode(&self) -> Tensor {
        let mode = (&*self.df1 - 2.0) / &self.df1 * &self.df2 / (&*self.df2 + 2.0);
        replaced(&mode, &self.df1.le(2), f64::NAN)
    }
    fn variance(&self) -> Tensor {
        let df2 = replaced(&self.df2, &self.df2.le(4), f64::NAN);
        2.0 * df2.pow(2) * (&*self.df1 + &df2 - 2.0) / (&*self.df1 * (&df2 - 2.0).pow(2) * (&df2 - 4.0))
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let gamma = |df: &Tensor| Gamma::with(df * 0.5, df, |o| o.validate_args(false)).draw_reparameterized(shape);
        let (x1, x2) = (gamma(&self.df1), gamma(&self.df2));
        let least = tiny(x2.dtype());
        (x1 / x2.clamp(least, None)).clamp(least, None)
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (ct1, ct2, ct3) = (&*self.df1 * 0.5, &*self.df2 * 0.5, &*self.df1 / &self.df2);
        let t1 = (&ct1 + &ct2).lgamma() - ct1.lgamma() - ct2.lgamma();
        let t2 = &ct1 * ct3.log() + (&ct1 - 1.0) * value.log();
        let t3 = (&ct1 + &ct2) * (&ct3 * value).log1p();
        t1 + t2 - t3
    }
}
