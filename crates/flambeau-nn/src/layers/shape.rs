//! Layers that only change the shape.

use super::{Activation, ActivationFunction, WithoutArguments, py_tuple};
use crate::{Module, ModuleState, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::ops::{self, IntoDims};
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Tensor};

options! {
    /// The function of [`Identity`].
    #[derive(Clone)]
    IdentityOptions {}
}

/// x itself: `nn.Identity`.
pub type Identity = Activation<IdentityOptions>;

impl ActivationFunction for IdentityOptions {
    const NAME: &'static str = "Identity";
    fn apply(&self, x: &Tensor) -> Tensor {
        x.shallow_clone()
    }
}

impl WithoutArguments for IdentityOptions {}

options! {
    /// Options of [`Flatten`].
    #[derive(Clone)]
    FlattenOptions {
        /// The first dimension to be joined (1).
        start_dim: i64 = 1,
        /// The last dimension to be joined (−1).
        end_dim: i64 = -1,
    }
}

/// A range of dimensions joined to one; by default all but the batch's: `nn.Flatten(start_dim, end_dim)`.
pub type Flatten = Activation<FlattenOptions>;

impl ActivationFunction for FlattenOptions {
    const NAME: &'static str = "Flatten";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        x.flatten_dims(self.start_dim, self.end_dim)
    }
    fn extra_repr(&self) -> String {
        format!("start_dim={}, end_dim={}", self.start_dim, self.end_dim)
    }
}

impl WithoutArguments for FlattenOptions {}

/// One dimension split into several: `nn.Unflatten(dim, unflattened_size)`.
#[derive(Module)]
#[module(extra_repr)]
pub struct Unflatten {
    /// The dimension that is split.
    pub dim: i64,
    /// Its parts' lengths, of which one may be −1.
    pub unflattened_size: Vec<i64>,
    state: ModuleState,
}

impl Unflatten {
    /// Splits `dim` into parts of these lengths; one −1 stands for what is left.
    pub fn new(dim: impl Int, unflattened_size: impl IntoDims) -> Self {
        let dim = dim.to_i64();
        Unflatten { dim, unflattened_size: unflattened_size.into_dims().to_vec(), state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        format!("dim={}, unflattened_size={}", self.dim, py_tuple(&self.unflattened_size))
    }
}

#[forward]
impl Unflatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::unflatten(x, self.dim, &self.unflattened_size).or_panic()
    }
}
