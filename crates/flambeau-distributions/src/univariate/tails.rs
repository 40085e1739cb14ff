//! Distributions with heavy tails.

use super::gamma::Chi2;
use crate::constraints::{self, Constraint};
use crate::declare::distribution;
use crate::value::{filled, replaced, standard_normal};
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_tensor::special::lgamma;
use std::f64::consts::PI;

distribution! {
    /// The Cauchy (Lorentz) distribution: `torch.distributions.Cauchy(loc, scale)`. Samples are drawn on the host.
    ///
    /// ```
    /// use torch::distributions::Cauchy;
    /// assert_eq!(Cauchy::new(1.0, 2.0).cdf(torch::tensor(1.0)).item(), 0.5);
    /// ```
    Cauchy {
        /// The median.
        loc: |d| constraints::real();
        /// Half the width at half the height.
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
        filled(&self.frame.extended(&[]), f64::NAN, &self.loc)
    }
    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn variance(&self) -> Tensor {
        filled(&self.frame.extended(&[]), f64::INFINITY, &self.loc)
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let fresh = ops::empty(&self.frame.extended(shape), self.loc.dtype(), self.loc.device()).or_panic();
        &*self.loc + ops::cauchy_(&fresh, 0.0, 1.0, None).or_panic() * &self.scale
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        -PI.ln() - self.scale.log() - ((value - &self.loc) / &self.scale).pow(2).log1p()
    }
    fn cumulative(&self, value: &Tensor) -> Tensor {
        ((value - &self.loc) / &self.scale).atan() / PI + 0.5
    }
    fn quantile(&self, probability: &Tensor) -> Tensor {
        (PI * (probability - 0.5)).tan() * &self.scale + &self.loc
    }
    fn entropy(&self) -> Tensor {
        (4.0 * PI).ln() + self.scale.log()
    }
}

distribution! {
    /// Student's t distribution: `torch.distributions.StudentT(df, loc, scale)`; PyTorch's defaults are loc 0 and scale 1.
    ///
    /// ```
    /// use torch::distributions::StudentT;
    /// assert_eq!(StudentT::new(4.0, 0.0, 1.0).variance().item(), 2.0);
    /// ```
    StudentT {
        /// The degrees of freedom.
        df: |d| constraints::positive();
        /// The location.
        loc: |d| constraints::real();
        /// The scale.
        scale: |d| constraints::positive();
    }
    // PyTorch makes this one first, which then finds what is wrong with df, whatever `validate_args` is.
    family false, first |d| drop(Chi2::new(&*d.df));

    fn support(&self) -> Constraint {
        constraints::real()
    }
    fn has_rsample(&self) -> bool {
        true
    }
    fn mean(&self) -> Tensor {
        replaced(&self.loc, &self.df.le(1), f64::NAN)
    }
    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn variance(&self) -> Tensor {
        // Where there is none, another number stands in for df, so that its gradient has no NaN.
        let none = self.df.le(2);
        let df = replaced(&self.df, &none, 3.0);
        let infinite = replaced(&(self.scale.pow(2) * &df / (&df - 2.0)), &none, f64::INFINITY);
        replaced(&infinite, &self.df.le(1), f64::NAN)
    }
    fn draw_reparameterized(&self, shape: &[usize]) -> Tensor {
        let x = standard_normal(&self.frame.extended(shape), &self.df);
        let z = Chi2::with(&*self.df, |o| o.validate_args(false)).draw_reparameterized(shape);
        &*self.loc + &*self.scale * (x * (z / &self.df).rsqrt())
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let y = (value - &self.loc) / &self.scale;
        let z = self.scale.log() + 0.5 * self.df.log() + 0.5 * PI.ln() + (0.5 * &*self.df).lgamma()
            - (0.5 * (&*self.df + 1.0)).lgamma();
        -0.5 * (&*self.df + 1.0) * (y.pow(2) / &self.df).log1p() - z
    }
    fn entropy(&self) -> Tensor {
        let (half, more) = (0.5 * &*self.df, 0.5 * (&*self.df + 1.0));
        let lbeta = half.lgamma() + lgamma(0.5) - more.lgamma();
        self.scale.log() + &more * (more.digamma() - half.digamma()) + 0.5 * self.df.log() + lbeta
    }
}
