//! The layers of `torch.nn`.

mod activation;
mod activations;
mod adaptive;
mod attention;
mod batch_norm;
mod blocks;
mod containers;
mod conv;
mod conv_transpose;
mod distance;
mod dropout;
mod embedding;
mod embedding_bag;
pub(crate) mod fast_path;
mod fractional_pool;
mod lazy;
mod lengths;
mod linear;
mod lists;
mod norm;
pub(crate) mod normalisations;
mod padding;
mod parallel;
mod parameters;
mod pool;
mod power_pool;
mod prelu;
mod recurrent;
mod response;
mod rrelu;
mod shape;
mod sync_batch_norm;
mod transformer;
mod transformer_layers;
mod transformer_options;
mod transformer_stacks;
mod unpool;
mod upsample;

pub use activation::{Activation, ActivationFunction, WithoutArguments};
pub use activations::*;
pub use adaptive::*;
pub use attention::*;
pub use batch_norm::*;
pub use blocks::*;
pub use containers::*;
pub use conv::*;
pub use conv_transpose::*;
pub use distance::*;
pub use dropout::*;
pub use embedding::*;
pub use embedding_bag::*;
pub use fractional_pool::*;
pub use lazy::{Lazy, LazyLayer};
pub use lengths::{Lengths, Padding, PaddingMode};
pub use linear::*;
pub use lists::*;
pub use norm::*;
pub use padding::*;
pub use parallel::*;
pub use parameters::*;
pub use pool::*;
pub use power_pool::*;
pub use prelu::*;
pub use recurrent::*;
pub use response::*;
pub use rrelu::*;
pub use shape::*;
pub use sync_batch_norm::*;
pub use transformer::*;
pub use transformer_layers::*;
pub use transformer_options::*;
pub use transformer_stacks::*;
pub use unpool::*;
pub use upsample::*;

use crate::{Buffer, Parameter, UninitializedBuffer, UninitializedParameter, init};
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_device::default_device;
use flambeau_tensor::print::py_float;
use flambeau_tensor::{DType, Device, Scalar, default_dtype};

/// Where a layer's parameters are made.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    dtype: DType,
    device: Device,
}

impl Place {
    pub(crate) fn new(dtype: Option<DType>, device: Option<Device>) -> Self {
        Place { dtype: dtype.unwrap_or_else(default_dtype), device: device.unwrap_or_else(default_device) }
    }

    #[track_caller]
    pub(crate) fn zeros(self, shape: &[usize]) -> Tensor {
        ops::zeros(shape, self.dtype, self.device).or_panic()
    }

    #[track_caller]
    pub(crate) fn ones(self, shape: &[usize]) -> Tensor {
        ops::ones(shape, self.dtype, self.device).or_panic()
    }

    #[track_caller]
    fn parameter_to_come(self) -> Parameter {
        UninitializedParameter::with(|o| o.dtype(self.dtype).device(self.device))
    }

    #[track_caller]
    fn buffer_to_come(self) -> Buffer {
        UninitializedBuffer::with(|o| o.dtype(self.dtype).device(self.device))
    }

    #[track_caller]
    pub(crate) fn counter(self) -> Tensor {
        ops::zeros(&[], DType::I64, self.device).or_panic()
    }
}

/// A weight and maybe a bias of linear maps and convolutions with PyTorch's initial numbers: the weight uniform over
/// ±1/√fan_in (as `kaiming_uniform_` with a = √5), then the bias over the same bounds.
#[track_caller]
pub(crate) fn weight_and_bias(shape: &[usize], bias: Option<usize>, place: Place) -> (Parameter, Option<Parameter>) {
    let weight = Parameter::new(place.zeros(shape));
    let bias = bias.map(|n| Parameter::new(place.zeros(&[n])));
    reset_weight_and_bias(&weight, bias.as_ref());
    (weight, bias)
}

/// Draws the first numbers of a weight and maybe a bias.
#[track_caller]
pub(crate) fn reset_weight_and_bias(weight: &Parameter, bias: Option<&Parameter>) {
    init::kaiming_uniform_with_(weight, |o| o.a(5f64.sqrt()));
    if let Some(bias) = bias {
        let (fan_in, _) = init::fans(weight);
        if fan_in > 0 {
            let bound = 1.0 / (fan_in as f64).sqrt();
            init::uniform_(bias, -bound, bound);
        }
    }
}

/// A weight and maybe a bias without shapes.
#[track_caller]
fn weight_and_bias_to_come(bias: bool, place: Place) -> (Parameter, Option<Parameter>) {
    (place.parameter_to_come(), bias.then(|| place.parameter_to_come()))
}

/// Gives a weight and maybe a bias the shapes that the first input told, and draws their numbers.
#[track_caller]
fn materialize(weight: &Parameter, shape: &[usize], bias: Option<(&Parameter, usize)>) {
    weight.materialize(shape.to_vec());
    if let Some((bias, n)) = bias {
        bias.materialize([n]);
    }
    if !shape.contains(&0) {
        reset_weight_and_bias(weight, bias.map(|(bias, _)| bias));
    }
}

/// Python's `True` and `False`.
pub(crate) fn py_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// A number as Python prints it: `2`, `2.0`.
pub(crate) fn py_number(number: Scalar) -> String {
    // A bool among the numbers is one of PyTorch's floats.
    if number.is_int() { number.to_string() } else { py_float(number.to_f64()) }
}

/// Python's `(3, 4)` and `(3,)`.
pub(crate) fn py_tuple<T: std::fmt::Display>(values: &[T]) -> String {
    match values {
        [one] => format!("({one},)"),
        _ => format!("({})", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// A shape as PyTorch's messages have it: `torch.Size([3, 4])`.
pub(crate) fn py_size(shape: &[usize]) -> String {
    flambeau_tensor::print::format_size(shape)
}
