//! A weight divided by its largest singular value.

use super::super::ModuleRef;
use super::super::parametrize::register_parametrization;
use super::{as_matrix, output_dim, tensor_of};
use crate::{Buffer, Forward, Module, ModuleState};
use flambeau_autograd::{OrPanic, Result, Tensor, no_grad, ops, options};

options! {
    /// Options of [`spectral_norm_with`], also of the older [`spectral_norm_with`](crate::utils::spectral_norm_with).
    #[derive(Clone)]
    SpectralNormOptions {
        /// The tensor's name (`"weight"`).
        name: String = "weight".to_owned(),
        /// How many steps of the power method each use takes in training (1).
        n_power_iterations: i64 = 1,
        /// What a norm is at least (1e-12).
        eps: f64 = 1e-12,
        /// The dimension that counts outputs (1 for transposed convolutions, else 0).
        dim: Option<i64> = None,
    }
}

/// The numbers of `x` on the unit sphere.
pub(crate) fn unit(x: &Tensor, eps: f64) -> Result<Tensor> {
    ops::normalize(x, 2.0, &[0], eps)
}

/// A vector of normal numbers on the unit sphere, of the weight's dtype and device.
#[track_caller]
pub(crate) fn random_direction(weight: &Tensor, length: usize) -> Tensor {
    weight.detach().new_empty([length]).normal_(0.0, 1.0)
}

#[derive(Module)]
#[module(type_name, right_inverse)]
struct SpectralNorm {
    dim: i64,
    eps: f64,
    n_power_iterations: i64,
    _u: Option<Buffer>,
    _v: Option<Buffer>,
    state: ModuleState,
}

impl SpectralNorm {
    #[track_caller]
    fn new(weight: &Tensor, o: &SpectralNormOptions, dim: i64) -> Self {
        let ndim = weight.dim() as i64;
        assert!(
            (-ndim..ndim).contains(&dim),
            "Dimension out of range (expected to be in range of [-{ndim}, {}] but got {dim})",
            ndim - 1
        );
        let n = o.n_power_iterations;
        assert!(n > 0, "Expected n_power_iterations to be positive, but got n_power_iterations={n}");
        let dim = if dim < 0 { dim + ndim } else { dim };
        let (mut u, mut v) = (None, None);
        if ndim > 1 {
            let _guard = no_grad();
            let matrix = as_matrix(weight, dim).or_panic();
            let size = matrix.size();
            let drawn = [random_direction(&matrix, size[0]), random_direction(&matrix, size[1])];
            let [first, second] = drawn.map(|x| Some(Buffer::new(unit(&x, o.eps).or_panic())));
            (u, v) = (first, second);
        }
        let norm = SpectralNorm { dim, eps: o.eps, n_power_iterations: n, _u: u, _v: v, state: ModuleState::new() };
        if ndim > 1 {
            norm.power_method(&as_matrix(weight, dim).or_panic(), 15).or_panic();
        }
        norm
    }

    fn type_name(&self) -> &'static str {
        "_SpectralNorm"
    }

    fn right_inverse(&self, value: &Tensor) -> Tensor {
        value.shallow_clone()
    }

    fn vectors(&self) -> (&Tensor, &Tensor) {
        (self._u.as_deref().expect("a matrix has both"), self._v.as_deref().expect("a matrix has both"))
    }

    /// Brings the buffers nearer to the singular vectors of the largest singular value.
    fn power_method(&self, matrix: &Tensor, steps: i64) -> Result<()> {
        let _guard = no_grad();
        let (u, v) = self.vectors();
        for _ in 0..steps {
            ops::copy_(u, &unit(&ops::mv(matrix, v)?, self.eps)?)?;
            ops::copy_(v, &unit(&ops::mv(&ops::t(matrix)?, u)?, self.eps)?)?;
        }
        Ok(())
    }

    fn divided(&self, weight: &Tensor) -> Result<Tensor> {
        if weight.dim() == 1 {
            return unit(weight, self.eps);
        }
        let matrix = as_matrix(weight, self.dim)?;
        if self.training() {
            self.power_method(&matrix, self.n_power_iterations)?;
        }
        // Copies: a second forward before backward must not change what the first one saved.
        let (u, v) = self.vectors();
        let (u, v) = (ops::clone(u)?, ops::clone(v)?);
        ops::div(weight, &ops::dot(&u, &ops::mv(&matrix, &v)?)?)
    }
}

impl Forward for SpectralNorm {
    #[track_caller]
    fn forward(&self, weight: &Tensor) -> Tensor {
        self.divided(weight).or_panic()
    }
}

/// A weight divided by its largest singular value, which the power method estimates: `parametrizations.spectral_norm(module)`. Each read
/// of the weight in training takes a step of it. Returns the module.
///
/// ```
/// use flambeau_nn::utils::parametrizations::spectral_norm;
/// use flambeau_nn::{self as nn, Module};
/// let layer = spectral_norm(nn::Linear::new(4, 3));
/// let names: Vec<String> = layer.named_buffers().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["parametrizations.weight.0._u", "parametrizations.weight.0._v"]);
/// ```
///
/// # Panics
/// When the module has no parameter `weight`.
#[track_caller]
pub fn spectral_norm<K, M: ModuleRef<K>>(module: M) -> M {
    spectral_norm_with(module, |o| o)
}

/// [`spectral_norm`] with options: `name`, `n_power_iterations`, `eps`, `dim`.
///
/// # Panics
/// When the module has no such tensor, or it no such dimension, or no step is asked for.
#[track_caller]
pub fn spectral_norm_with<K, M: ModuleRef<K>>(
    module: M,
    options: impl FnOnce(SpectralNormOptions) -> SpectralNormOptions,
) -> M {
    let o = options(SpectralNormOptions::default());
    let weight = tensor_of(module.as_dyn(), &o.name);
    let dim = o.dim.unwrap_or_else(|| output_dim(module.as_dyn()));
    let norm = SpectralNorm::new(weight, &o, dim);
    register_parametrization(module, &o.name, norm)
}
