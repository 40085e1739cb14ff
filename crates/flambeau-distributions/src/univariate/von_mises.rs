//! The von Mises distribution of angles.

use crate::constraints::{self, Constraint};
use crate::declare::distribution;
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops};
use flambeau_tensor::{DType, Device};
use std::f64::consts::PI;

/// Of I₀ and I₁: a polynomial in (x / 3.75)² below 3.75, one in 3.75 / x above.
const SMALL: [[f64; 7]; 2] = [
    [1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813],
    [0.5, 0.87890594, 0.51498869, 0.15084934, 0.02658733, 0.00301532, 0.00032411],
];
const LARGE: [[f64; 9]; 2] = [
    [0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281, -0.02057706, 0.02635537, -0.01647633, 0.00392377],
    [0.39894228, -0.03988024, -0.00362018, 0.00163801, -0.01031555, 0.02282967, -0.02895312, 0.01787654, -0.00420059],
];

fn polynomial(y: &Tensor, coefficients: &[f64]) -> Tensor {
    let (last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
    let first = y * 0.0 + *last;
    rest.iter().rev().fold(first, |sum, c| *c + y * sum)
}

/// log I₀(x) or log I₁(x), as PyTorch approximates them.
fn log_bessel(x: &Tensor, order: usize) -> Tensor {
    let y = (x / 3.75).pow(2);
    let mut small = polynomial(&y, &SMALL[order]);
    if order == 1 {
        small = x.abs() * small;
    }
    let large = x - 0.5 * x.log() + polynomial(&(3.75 / x), &LARGE[order]).log();
    ops::where_(&x.lt(3.75), small.log(), &large).or_panic()
}

distribution! {
    /// The von Mises distribution, a normal distribution around the circle: `torch.distributions.VonMises(loc, concentration)`.
    /// Samples are drawn in double precision on the host.
    ///
    /// ```
    /// use torch::distributions::VonMises;
    /// torch::manual_seed(0);
    /// let angle = VonMises::new(0.0, 50.0).sample();
    /// assert!(angle.item().abs() < 1.0);
    /// ```
    VonMises {
        /// The mean angle.
        loc: |d| constraints::real();
        /// How closely the angles gather around it.
        concentration: |d| constraints::positive();
    }
    family false;

    fn support(&self) -> Constraint {
        constraints::real()
    }
    fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }
    fn variance(&self) -> Tensor {
        1.0 - (log_bessel(&self.concentration, 1) - log_bessel(&self.concentration, 0)).exp()
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        let _guard = no_grad();
        let shape = self.frame.extended(shape);
        let host = |x: &Tensor| x.cpu().to(DType::F64);
        let (loc, kappa) = (host(&self.loc), host(&self.concentration));
        let tau = 1.0 + (1.0 + 4.0 * kappa.pow(2)).sqrt();
        let rho = (&tau - (2.0 * &tau).sqrt()) / (2.0 * &kappa);
        let exact = (1.0 + rho.pow(2)) / (2.0 * &rho);
        let r = ops::where_(&kappa.lt(1e-5), &(1.0 / &kappa + &kappa), &exact).or_panic();
        // Best and Fisher's rejection, for all elements at once until each was accepted.
        let mut x = ops::zeros(&shape, DType::F64, Device::Cpu).or_panic();
        let mut done = ops::zeros(&shape, DType::Bool, Device::Cpu).or_panic();
        while !done.all().item_as::<bool>() {
            let u = ops::rand(&[&[3], &shape[..]].concat(), DType::F64, Device::Cpu, None).or_panic();
            let (u1, u2, u3) = (u.select(0, 0), u.select(0, 1), u.select(0, 2));
            let z = (PI * u1).cos();
            let f = (1.0 + &r * &z) / (&r + &z);
            let c = &kappa * (&r - &f);
            let accept = (&c * (2.0 - &c) - &u2).gt(0) | ((&c / &u2).log() + 1.0 - &c).ge(0);
            x = ops::where_(&accept, &((u3 - 0.5).sign() * f.acos()), &x).or_panic();
            done = done.logical_or(accept);
        }
        ((x + PI + loc) % (2.0 * PI) - PI).to(&*self.loc)
    }
    fn draw_reparameterized(&self, _shape: &[usize]) -> Tensor {
        crate::fail::other("NotImplementedError: VonMises has no rsample")
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        &*self.concentration * (value - &self.loc).cos() - (2.0 * PI).ln() - log_bessel(&self.concentration, 0)
    }
}
