//! A weight as a length times a direction.

use super::super::ModuleRef;
use super::super::parametrize::{RegisterOptions, RightInverse, register_parametrization_with};
use crate::{Module, ModuleState, forward};
use flambeau_autograd::{OrPanic, Result, Tensor, ops, options};

options! {
    /// Options of [`weight_norm_with`], also of the older [`weight_norm_with`](crate::utils::weight_norm_with).
    #[derive(Clone)]
    WeightNormOptions {
        /// The tensor's name (`"weight"`).
        name: String = "weight".to_owned(),
        /// The dimension whose entries have a norm each; `None` is one norm for all (0).
        dim: Option<i64> = Some(0),
    }
}

/// The 2-norms over all dimensions but one: `torch.norm_except_dim(v, 2, dim)`; −1 takes all dimensions.
pub(crate) fn norm_except_dim(v: &Tensor, dim: i64) -> Result<Tensor> {
    let (last, size) = (v.dim() as i64 - 1, v.size());
    let along = |kept: usize, rows: bool| {
        let shape: Vec<i64> = (0..v.dim()).map(|d| if d == kept { size[d] as i64 } else { 1 }).collect();
        let matrix = if rows { [size[kept] as i64, -1] } else { [-1, size[kept] as i64] };
        let matrix = ops::view(&ops::contiguous(v)?, &matrix)?;
        ops::view(&ops::norm(&matrix, 2.0, &[i64::from(rows)], false)?, &shape)
    };
    match dim {
        -1 => ops::norm(v, 2.0, &[], false),
        0 => along(0, true),
        dim if dim == last => along(last as usize, false),
        dim => ops::transpose(&norm_except_dim(&ops::transpose(v, 0, dim)?, 0)?, 0, dim),
    }
}

/// v · (g / ‖v‖): `torch._weight_norm(v, g, dim)`.
pub(crate) fn normed(v: &Tensor, g: &Tensor, dim: i64) -> Result<Tensor> {
    ops::mul(v, &ops::div(g, &norm_except_dim(v, dim)?)?)
}

#[derive(Module)]
#[module(type_name, right_inverse)]
struct WeightNorm {
    dim: i64,
    state: ModuleState,
}

impl WeightNorm {
    fn type_name(&self) -> &'static str {
        "_WeightNorm"
    }

    fn right_inverse(&self, weight: &Tensor) -> RightInverse {
        (norm_except_dim(weight, self.dim).or_panic(), weight.shallow_clone()).into()
    }
}

#[forward]
impl WeightNorm {
    #[track_caller]
    fn forward(&self, weight_g: &Tensor, weight_v: &Tensor) -> Tensor {
        normed(weight_v, weight_g, self.dim).or_panic()
    }
}

/// A weight as a length for each output times a direction, w = g · v/‖v‖: `parametrizations.weight_norm(module)`. Both are learned, as
/// `parametrizations.weight.original0` and `original1`. State dicts of the older `weight_g` and `weight_v` load too. Returns the
/// module.
///
/// ```
/// use flambeau_nn::utils::parametrizations::weight_norm;
/// use flambeau_nn::{self as nn, Module};
/// let layer = weight_norm(nn::Linear::new(4, 3));
/// let sizes: Vec<_> = layer.parameters().iter().map(|p| p.size().to_vec()).collect();
/// assert_eq!(sizes, [vec![3], vec![3, 1], vec![3, 4]]);
/// ```
///
/// # Panics
/// When the module has no parameter `weight`.
#[track_caller]
pub fn weight_norm<K, M: ModuleRef<K>>(module: M) -> M {
    weight_norm_with(module, |o| o)
}

/// [`weight_norm`] with options: `name`, `dim`.
///
/// # Panics
/// When the module has no such tensor.
#[track_caller]
pub fn weight_norm_with<K, M: ModuleRef<K>>(
    module: M,
    options: impl FnOnce(WeightNormOptions) -> WeightNormOptions,
) -> M {
    let o = options(WeightNormOptions::default());
    let norm = WeightNorm { dim: o.dim.unwrap_or(-1), state: ModuleState::new() };
    register_parametrization_with(module, &o.name, norm, |o: RegisterOptions| o.r#unsafe(true))
}
