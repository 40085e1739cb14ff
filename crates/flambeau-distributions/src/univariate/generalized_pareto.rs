//! The generalized Pareto distribution.

use crate::constraints::{self, Constraint};
use crate::declare::distribution;
use crate::value::{filled, uniform};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, at_caller, ops};

distribution! {
    /// The generalized Pareto distribution: `torch.distributions.GeneralizedPareto(loc, scale, concentration)`.
    ///
    /// ```
    /// use torch::distributions::GeneralizedPareto;
    /// assert_eq!(GeneralizedPareto::new(0.0, 1.0, 0.5).mean().item(), 2.0);
    /// ```
    GeneralizedPareto {
        /// Where it begins.
        loc: |d| constraints::real();
        /// The scale.
        scale: |d| constraints::positive();
        /// The shape: 0 is the exponential distribution.
        concentration: |d| constraints::real();
    }
    family false;

    fn support(&self) -> Constraint {
        let end = &*self.loc - &*self.scale / &self.concentration;
        let upper = ops::where_(&self.concentration.lt(0), &end, f64::INFINITY).or_panic();
        constraints::interval(&self.loc, upper)
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        let valid = self.concentration.lt(1);
        let safe = ops::where_(&valid, &*self.concentration, 0.5).or_panic();
        ops::where_(&valid, &(&*self.loc + &*self.scale / (1.0 - safe)), f64::NAN).or_panic()
    }
    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn variance(&self) -> Tensor {
        let valid = self.concentration.lt(0.5);
        let safe = ops::where_(&valid, &*self.concentration, 0.25).or_panic();
        let result = self.scale.pow(2) / ((1.0 - &safe).pow(2) * (1.0 - 2.0 * &safe));
        ops::where_(&valid, &result, f64::NAN).or_panic()
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        self.quantile(&uniform(&self.frame.extended(shape), &self.loc))
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let z = self.z(value);
        let (zero, safe) = self.safe();
        let y = 1.0 / &safe + z.ones_like();
        let general = ops::where_(&y.eq(0), &y, &(&y * (&safe * &z).log1p())).or_panic();
        -self.scale.log() - ops::where_(&zero, &z, &general).or_panic()
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        self.log_cdf_of(value).exp()
    }
    fn quantile(&self, probability: &Tensor) -> Tensor {
        let (zero, safe) = self.safe();
        let log = (-probability).log1p();
        let general = &*self.loc + &*self.scale / &safe * (-&safe * &log).expm1();
        let exponential = &*self.loc - &*self.scale * &log;
        ops::where_(&zero, &exponential, &general).or_panic()
    }
    fn entropy(&self) -> Tensor {
        self.scale.log() + &self.concentration + 1.0
    }
}

impl GeneralizedPareto {
    fn z(&self, x: &Tensor) -> Tensor {
        (x - &self.loc) / &self.scale
    }

    /// Where the shape is 0, and the shapes with 1 in its place.
    fn safe(&self) -> (Tensor, Tensor) {
        let zero = self.concentration.isclose(filled(&[], 0.0, &self.concentration));
        let safe = ops::where_(&zero, self.concentration.ones_like(), &*self.concentration).or_panic();
        (zero, safe)
    }

    fn log_survival_of(&self, value: &Tensor) -> Tensor {
        let z = self.z(value);
        let (zero, safe) = self.safe();
        let general = -(&safe * &z).log1p() / &safe;
        ops::where_(&zero, &-&z, &general).or_panic()
    }

    fn log_cdf_of(&self, value: &Tensor) -> Tensor {
        (-self.log_survival_of(value).exp()).log1p()
    }

    /// The logarithm of the probability of values above this one.
    #[track_caller]
    pub fn log_survival_function(&self, value: impl AsTensor) -> Tensor {
        at_caller(|| {
            if self.frame.validates() {
                self.validate_sample(value.as_tensor());
            }
            self.log_survival_of(value.as_tensor())
        })
    }

    /// The logarithm of `cdf`.
    #[track_caller]
    pub fn log_cdf(&self, value: impl AsTensor) -> Tensor {
        (-self.log_survival_function(value).exp()).log1p()
    }
}
