//! The LKJ distribution of Cholesky factors of correlation matrices.

use super::matrices::diagonal;
use crate::constraints::{self, Constraint};
use crate::declare::{expands, is_distribution};
use crate::distribution::{Argument, Distribution, Frame, ValidateOptions, check_arguments};
use crate::univariate::Beta;
use crate::value::{Shared, broadcast_all, expanded, standard_normal, tiny};
use crate::{IntoValue, fail};
use flambeau_autograd::{Tensor, at_caller, no_grad};
use std::f64::consts::PI;
use std::sync::Arc;

/// The LKJ distribution of the lower triangular factors of correlation matrices: `torch.distributions.LKJCholesky(dim,
/// concentration)`. With concentration 1 all correlation matrices are equally likely.
///
/// ```
/// use torch::distributions::LKJCholesky;
/// let l = LKJCholesky::new(3, 0.5).sample();
/// assert!(l.matmul(l.mT()).diagonal().allclose(&torch::ones(3)));
/// ```
#[derive(Clone)]
pub struct LKJCholesky {
    frame: Frame,
    dim: usize,
    concentration: Shared,
    beta: Beta,
}

impl LKJCholesky {
    /// The distribution of matrices of side `dim` and a concentration; PyTorch's default is 1.
    ///
    /// # Panics
    /// When `dim` is below 2 or the concentration not positive.
    #[track_caller]
    pub fn new(dim: usize, concentration: impl IntoValue) -> Self {
        Self::with(dim, concentration, |o| o)
    }

    /// [`new`](LKJCholesky::new) with options: `validate_args`.
    #[track_caller]
    pub fn with(
        dim: usize,
        concentration: impl IntoValue,
        options: impl FnOnce(ValidateOptions) -> ValidateOptions,
    ) -> Self {
        let options = options(ValidateOptions::default());
        let concentration = concentration.into_value();
        at_caller(|| {
            if dim < 2 {
                fail::value(format!("Expected dim to be an integer greater than or equal to 2. Found dim={dim}."));
            }
            let concentration = broadcast_all([&concentration]).remove(0);
            let marginal = &concentration + 0.5 * (dim as f64 - 2.0);
            let offsets: Vec<f64> = (0..dim).map(|k| k.saturating_sub(1) as f64).collect();
            let offsets = flambeau_autograd::from_vec(offsets, [dim]).to(&concentration);
            let beta = Beta::new(&offsets + 0.5, marginal.unsqueeze(-1) - 0.5 * &offsets);
            let frame = Frame::new(&concentration.size()[..], [dim, dim], options.validate_args);
            let made = LKJCholesky { frame, dim, concentration: concentration.into(), beta };
            check_arguments(&made);
            made
        })
    }

    /// The side of the matrices.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The concentration.
    pub fn concentration(&self) -> &Tensor {
        &self.concentration
    }

    fn expand_to(&self, batch: &[usize]) -> Self {
        LKJCholesky {
            frame: self.frame.with_batch(batch),
            dim: self.dim,
            concentration: expanded(&self.concentration, batch).into(),
            beta: self.beta.expand_to(&[batch, &[self.dim]].concat()),
        }
    }
}

expands!(LKJCholesky);
is_distribution!(LKJCholesky);

impl Distribution for LKJCholesky {
    fn class(&self) -> &'static str {
        "LKJCholesky"
    }
    fn frame(&self) -> &Frame {
        &self.frame
    }
    fn arguments(&self) -> Vec<Argument> {
        vec![Argument::own("concentration", constraints::positive(), &self.concentration)]
    }
    fn expand_batch(&self, batch: &[usize]) -> Arc<dyn Distribution> {
        Arc::new(self.expand_to(batch))
    }
    fn support(&self) -> Constraint {
        constraints::corr_cholesky()
    }
    fn draw(&self, shape: &[usize]) -> Tensor {
        // The onion method: each row is a direction of the sphere, of a length drawn before.
        let _guard = no_grad();
        let y = self.beta.draw(shape).unsqueeze(-1);
        let normal = standard_normal(&self.frame.extended(shape), &y).tril_diagonal(-1);
        let sphere = &normal / normal.square().sum_dim(-1, true).sqrt();
        sphere.select(-2, 0).fill_(0.0);
        let w = y.sqrt() * sphere;
        let rest = (1.0 - w.square().sum_dim(-1, false)).clamp(tiny(w.dtype()), None).sqrt();
        w + rest.diag_embed()
    }
    fn draw_reparameterized(&self, _shape: &[usize]) -> Tensor {
        fail::other("NotImplementedError: LKJCholesky has no rsample")
    }
    fn log_density(&self, value: &Tensor) -> Tensor {
        let (dim, less) = (self.dim as f64, self.dim as f64 - 1.0);
        let diagonal = diagonal(value).narrow(-1, 1, self.dim - 1);
        let orders: Vec<f64> = (2..=self.dim).map(|k| dim - k as f64).collect();
        let orders = flambeau_autograd::from_vec(orders, [self.dim - 1]).to(&*self.concentration);
        let orders = (2.0 * (&*self.concentration - 1.0)).unsqueeze(-1) + orders;
        let unnormalized = (orders * diagonal.log()).sum_dim(-1, false);
        let alpha = &*self.concentration + 0.5 * less;
        let denominator = alpha.lgamma() * less;
        let numerator = (&alpha - 0.5).mvlgamma(self.dim as i64 - 1);
        unnormalized - (0.5 * less * PI.ln() + numerator - denominator)
    }
}
