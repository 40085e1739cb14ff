//! The first numbers of models' layers.

use flambeau_nn::{self as nn, Module, Parameter, init};

/// Draws the first numbers of all convolutions and linear layers, in the order of `modules()`. Normalisations begin with 1 and 0
/// anyway.
#[track_caller]
pub(crate) fn draw(model: &impl Module, conv: impl Fn(&nn::Conv2d), linear: impl Fn(&nn::Linear)) {
    for module in model.modules() {
        if let Some(layer) = module.downcast_ref::<nn::Conv2d>() {
            conv(layer);
        } else if let Some(layer) = module.downcast_ref::<nn::Linear>() {
            linear(layer);
        }
    }
}

/// Leaves a layer's numbers as they are.
pub(crate) fn keep<L>(_: &L) {}

/// Zeroes a bias, where there is one.
#[track_caller]
pub(crate) fn zero(bias: &Option<Parameter>) {
    if let Some(bias) = bias {
        init::zeros_(bias);
    }
}

/// `kaiming_normal_(mode="fan_out")` for a convolution for ReLUs, and no shift.
#[track_caller]
pub(crate) fn fan_out(conv: &nn::Conv2d) {
    init::kaiming_normal_with_(&conv.weight, |o| o.mode("fan_out").nonlinearity("relu"));
    zero(&conv.bias);
}

/// Normal numbers for a linear layer, and no shift.
pub(crate) fn normal(std: f64) -> impl Fn(&nn::Linear) {
    move |linear| {
        init::normal_(&linear.weight, 0.0, std);
        zero(&linear.bias);
    }
}

/// A number rounded to a multiple, which is at most a tenth smaller: torchvision's `_make_divisible`.
pub(crate) fn make_divisible(v: f64, divisor: usize) -> usize {
    let rounded = ((v + divisor as f64 / 2.0) as usize / divisor * divisor).max(divisor);
    if (rounded as f64) < 0.9 * v { rounded + divisor } else { rounded }
}

/// Normal numbers of a deviation of 0.02 within ±2 for a linear layer, and no shift: what transformers begin with.
#[track_caller]
pub(crate) fn truncated(linear: &nn::Linear) {
    init::trunc_normal_with_(&linear.weight, |o| o.std(0.02));
    zero(&linear.bias);
}

/// Xavier's uniform numbers for the linear layers of a transformer's multi-layer perceptron, and shifts near zero.
#[track_caller]
pub(crate) fn xavier(linear: &nn::Linear) {
    init::xavier_uniform_(&linear.weight);
    if let Some(bias) = &linear.bias {
        init::normal_with_(bias, |o| o.std(1e-6));
    }
}
