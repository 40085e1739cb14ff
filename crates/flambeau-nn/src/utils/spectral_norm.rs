//! The older spectral norm, which sets the weight before each call.

use super::ModuleRef;
use super::parametrizations::{SpectralNormOptions, as_matrix, output_dim, random_direction, unit};
use super::weight_norm::{NameOptions, derived_by, leave, to_derive};
use crate::module::derived::{Rule, When};
use crate::{Buffer, Members, Memo, Parameter};
use flambeau_autograd::{OrPanic, Result, Tensor, no_grad, ops};

struct SpectralNorm {
    orig: Parameter,
    u: Buffer,
    v: Buffer,
    dim: i64,
    n_power_iterations: i64,
    eps: f64,
}

impl SpectralNorm {
    fn divided(&self, power_iteration: bool) -> Result<Tensor> {
        let matrix = as_matrix(&self.orig, self.dim)?;
        let (u, v) = (self.u.tensor(), self.v.tensor());
        if power_iteration {
            let _guard = no_grad();
            for _ in 0..self.n_power_iterations {
                ops::copy_(v, &unit(&ops::mv(&ops::t(&matrix)?, u)?, self.eps)?)?;
                ops::copy_(u, &unit(&ops::mv(&matrix, v)?, self.eps)?)?;
            }
        }
        // Copies: a second forward before backward must not change what the first one saved.
        let (u, v) = (ops::clone(u)?, ops::clone(v)?);
        ops::div(&self.orig, &ops::dot(&u, &ops::mv(&matrix, &v)?)?)
    }
}

impl Rule for SpectralNorm {
    fn value(&self, training: bool) -> Tensor {
        self.divided(training).or_panic()
    }
    fn collect<'a>(&'a self, name: &str, order: u64, members: &mut Members<'a>) {
        members.late_parameters.push((order, format!("{name}_orig").into(), &self.orig));
        members.late_buffers.push((order, format!("{name}_u").into(), &self.u));
        members.late_buffers.push((order, format!("{name}_v").into(), &self.v));
    }
    fn copy(&self, memo: &mut Memo) -> Box<dyn Rule> {
        let (orig, u, v) = (memo.part(&self.orig), memo.part(&self.u), memo.part(&self.v));
        Box::new(SpectralNorm { orig, u, v, ..*self })
    }
}

/// A weight divided by its largest singular value, which the power method estimates before each call in training:
/// `nn.utils.spectral_norm(module)`. The module lists `weight_orig` and the buffers `weight_u` and `weight_v` instead. PyTorch names
/// [`parametrizations::spectral_norm`](super::parametrizations::spectral_norm) as the newer form. Returns the module.
///
/// ```
/// use flambeau_nn::{self as nn, Module, utils};
/// let layer = utils::spectral_norm(nn::Linear::new(4, 3));
/// assert_eq!(layer.state_dict().keys().collect::<Vec<_>>(), ["bias", "weight_orig", "weight_u", "weight_v"]);
/// ```
///
/// # Panics
/// When the module has no parameter `weight`, or it is normed already.
#[track_caller]
pub fn spectral_norm<K, M: ModuleRef<K>>(module: M) -> M {
    spectral_norm_with(module, |o| o)
}

/// [`spectral_norm`] with options: `name`, `n_power_iterations`, `eps`, `dim`.
///
/// # Panics
/// As [`spectral_norm`], and when no step is asked for.
#[track_caller]
pub fn spectral_norm_with<K, M: ModuleRef<K>>(
    module: M,
    options: impl FnOnce(SpectralNormOptions) -> SpectralNormOptions,
) -> M {
    let SpectralNormOptions { name, n_power_iterations, eps, dim } = options(SpectralNormOptions::default());
    let weight = to_derive::<SpectralNorm>(module.as_dyn(), &name, "spectral_norm");
    assert!(
        n_power_iterations > 0,
        "Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
    );
    let dim = dim.unwrap_or_else(|| output_dim(module.as_dyn()));
    let own = weight.own().detach();
    let size = as_matrix(&own, dim).or_panic().size();
    let u = Buffer::new(unit(&random_direction(&own, size[0]), eps).or_panic());
    let v = Buffer::new(unit(&random_direction(&own, size[1]), eps).or_panic());
    let rule = SpectralNorm { orig: weight.original(), u, v, dim, n_power_iterations, eps };
    let derived = weight.slot().derive(Box::new(rule), When::Call);
    // Until the first call the weight is what it was.
    derived.set(own);
    derived.before_calls(module.as_dyn(), &name);
    module
}

/// Takes [`spectral_norm`] away; the weight keeps its value: `nn.utils.remove_spectral_norm(module)`. Returns the module.
///
/// ```
/// use flambeau_nn::{self as nn, Module, utils};
/// let layer = utils::remove_spectral_norm(utils::spectral_norm(nn::Linear::new(4, 3)));
/// assert_eq!(layer.state_dict().keys().collect::<Vec<_>>(), ["bias", "weight"]);
/// ```
///
/// # Panics
/// When the module's weight is not normed.
#[track_caller]
pub fn remove_spectral_norm<K, M: ModuleRef<K>>(module: M) -> M {
    remove_spectral_norm_with(module, |o| o)
}

/// [`remove_spectral_norm`] with `name`.
///
/// # Panics
/// As [`remove_spectral_norm`].
#[track_caller]
pub fn remove_spectral_norm_with<K, M: ModuleRef<K>>(module: M, options: impl FnOnce(NameOptions) -> NameOptions) -> M {
    let name = options(NameOptions::default()).name;
    match derived_by::<SpectralNorm>(module.as_dyn(), &name) {
        Some((slotted, rule)) => {
            let _guard = no_grad();
            leave(slotted, &rule.value(false));
        }
        None => panic!("spectral_norm of '{name}' not found in {}", module.as_dyn()),
    }
    module
}
