//! The normal and the Laplace distribution.

use crate::constraints::{self, Constraint};
use crate::declare::distribution;
use crate::value::{eps, expanded, standard_normal};
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops};
use std::f64::consts::{PI, SQRT_2};

distribution! {
    /// The normal (Gaussian) distribution: `torch.distributions.Normal(loc, scale)`.
    ///
    /// ```
    /// use torch::distributions::Normal;
    /// torch::manual_seed(0);
    /// let d = Normal::new(0.0, 1.0);
    /// assert!((d.sample().item() - 1.5409961).abs() < 1e-6);
    /// assert_eq!(d.to_string(), "Normal(loc: 0.0, scale: 1.0)");
    /// ```
    Normal {
        /// The mean.
        loc: |d| constraints::real();
        /// The standard deviation.
        scale: |d| constraints::positive();
    }
    family true;

    fn support(&self) -> Constraint {
        constraints::real()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn stddev(&self) -> Tensor {
        self.scale.shallow_clone()
    }
    fn variance(&self) -> Tensor {
        self.scale.pow(2)
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        let shape = self.frame.extended(shape);
        ops::normal(expanded(&self.loc, &shape), expanded(&self.scale, &shape), None).or_panic()
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let noise = standard_normal(&self.frame.extended(shape), &self.loc);
        &*self.loc + noise * &self.scale
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let variance = self.scale.pow(2);
        -(value - &self.loc).pow(2) / (2.0 * variance) - self.scale.log() - (2.0 * PI).sqrt().ln()
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        0.5 * (1.0 + ((value - &self.loc) * self.scale.reciprocal() / SQRT_2).erf())
    }
    fn quantile(&self, probability: &Tensor) -> Tensor {
        &*self.loc + &*self.scale * (2.0 * probability - 1.0).erfinv() * SQRT_2
    }
    fn entropy(&self) -> Tensor {
        (0.5 + 0.5 * (2.0 * PI).ln()) + self.scale.log()
    }
}

distribution! {
    /// The Laplace distribution, of density e^(−|x − loc| / scale) / (2 scale): `torch.distributions.Laplace(loc, scale)`.
    ///
    /// ```
    /// use torch::distributions::Laplace;
    /// assert_eq!(Laplace::new(0.0, 1.0).variance().item(), 2.0);
    /// ```
    Laplace {
        /// The mean.
        loc: |d| constraints::real();
        /// The scale.
        scale: |d| constraints::positive();
    }
    family false;

    fn support(&self) -> Constraint {
        constraints::real()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn variance(&self) -> Tensor {
        2.0 * self.scale.pow(2)
    }
    fn stddev(&self) -> Tensor {
        SQRT_2 * &*self.scale
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let fresh = ops::empty(&self.frame.extended(shape), self.loc.dtype(), self.loc.device()).or_panic();
        let u = ops::uniform_(&fresh, eps(self.loc.dtype()) - 1.0, 1.0, None).or_panic();
        &*self.loc - &*self.scale * u.sign() * (-u.abs()).log1p()
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        -(2.0 * &*self.scale).log() - (value - &self.loc).abs() / &self.scale
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        let moved = value - &self.loc;
        0.5 - 0.5 * moved.sign() * (-moved.abs() / &self.scale).expm1()
    }
    fn quantile(&self, probability: &Tensor) -> Tensor {
        let term = probability - 0.5;
        &*self.loc - &*self.scale * term.sign() * (-2.0 * term.abs()).log1p()
    }
    fn entropy(&self) -> Tensor {
        1.0 + (2.0 * &*self.scale).log()
    }
}
