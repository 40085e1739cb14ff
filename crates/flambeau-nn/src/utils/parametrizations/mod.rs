//! `torch.nn.utils.parametrizations`: ready-made parametrizations of weights.

mod matrices;
mod orthogonal;
mod spectral_norm;
mod weight_norm;

pub use orthogonal::{OrthogonalOptions, orthogonal, orthogonal_with};
pub use spectral_norm::{SpectralNormOptions, spectral_norm, spectral_norm_with};
pub(super) use spectral_norm::{random_direction, unit};
pub use weight_norm::{WeightNormOptions, weight_norm, weight_norm_with};
pub(super) use weight_norm::{norm_except_dim, normed};

use crate::module::derived;
use crate::{ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, Module};
use flambeau_autograd::{Result, Tensor, ops};

/// The module's tensor of this name, or PyTorch's error.
#[track_caller]
fn tensor_of<'a>(module: &'a dyn Module, name: &str) -> &'a Tensor {
    match derived::own(module, name) {
        Some(slotted) => slotted.value(),
        None => panic!("Module '{module}' has no parameter or buffer with name '{name}'"),
    }
}

/// The dimension of a weight that counts outputs.
pub(super) fn output_dim(module: &dyn Module) -> i64 {
    let transposed = module.is::<ConvTranspose1d>() || module.is::<ConvTranspose2d>() || module.is::<ConvTranspose3d>();
    i64::from(transposed)
}

/// A weight as a matrix whose rows are the entries of dimension `dim`.
pub(super) fn as_matrix(weight: &Tensor, dim: i64) -> Result<Tensor> {
    let weight = match dim {
        0 => weight.shallow_clone(),
        dim => {
            let rest = (0..weight.dim() as i64).filter(|&d| d != dim);
            ops::permute(weight, &std::iter::once(dim).chain(rest).collect::<Vec<_>>())?
        }
    };
    let rows = weight.size().first().copied().unwrap_or(1) as i64;
    ops::reshape(&weight, &[rows, -1])
}
