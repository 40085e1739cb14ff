//! MobileNet v2 (Sandler and others, 2018): blocks that widen, filter each channel by itself, and narrow again.

use super::init::{draw, fan_out, make_divisible, normal};
use super::options::{Weights, constructors, model_options, same_keys};
use crate::ops::{ActivationLayer, Conv2dNormActivation, NormLayer, activation_layer, batch_norm};
use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Module, forward};

model_options! {
    /// Options of [`MobileNetV2`].
    MobileNetV2Options {
        /// The factor of all numbers of channels (1.0).
        width_mult: f64 = 1.0,
        /// What numbers of channels are multiples of (8).
        round_nearest: usize = 8,
        /// The share of zeroed features before the linear layer (0.2).
        dropout: f64 = 0.2,
    }
    norm norm_layer = batch_norm()
}

struct Config;

constructors! {
    MobileNetV2, MobileNetV2Options;
    /// MobileNet v2: `torchvision.models.mobilenet_v2()`.
    mobilenet_v2, mobilenet_v2_with = Config;
}

/// The expansion, channels, number and first stride of the blocks of each stage.
const STAGES: [[usize; 4]; 7] =
    [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]];

/// Inverted residual blocks and a linear layer.
#[derive(Module)]
pub struct MobileNetV2 {
    /// The convolutions.
    pub features: nn::Sequential,
    /// A dropout and the linear layer.
    pub classifier: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl MobileNetV2 {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.classifier.call(super::mean_of_planes(&self.features.call(x)))
    }
}

/// A block that widens, filters each channel and narrows; the input is added where it has the output's shape.
#[derive(Module)]
pub struct InvertedResidual {
    add_input: bool,
    /// The convolutions.
    pub conv: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl InvertedResidual {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.conv.call(x);
        if self.add_input { x.add(y) } else { y }
    }
}

fn relu6() -> ActivationLayer {
    activation_layer(|inplace| nn::ReLU6::with(|o| o.inplace(inplace)))
}

impl InvertedResidual {
    #[track_caller]
    fn new(from: usize, to: usize, stride: usize, expansion: usize, norm: &NormLayer) -> Self {
        let hidden = from * expansion;
        let block = |from, kernel: usize, stride: usize, groups: usize| {
            Conv2dNormActivation::with(from, hidden, |o| {
                o.kernel_size(kernel).stride(stride).groups(groups).norm(Some(norm.clone())).activation(Some(relu6()))
            })
        };
        let mut conv = nn::Sequential::default();
        if expansion != 1 {
            conv.push(block(from, 1, 1, 1));
        }
        conv.push(block(hidden, 3, stride, hidden));
        conv.push(nn::Conv2d::with(hidden, to, 1, |o| o.bias(false)));
        conv.push(norm(to));
        InvertedResidual { add_input: stride == 1 && from == to, conv, state: nn::ModuleState::new() }
    }
}

impl Config {
    fn options(&self) -> MobileNetV2Options {
        MobileNetV2Options::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: MobileNetV2Options<W>) -> W::Made<MobileNetV2> {
        let norm = &o.norm_layer;
        let width = |channels: usize| make_divisible(channels as f64 * o.width_mult, o.round_nearest);
        let end = |from, to, kernel: usize, stride: usize| {
            Conv2dNormActivation::with(from, to, |c| {
                c.kernel_size(kernel).stride(stride).norm(Some(norm.clone())).activation(Some(relu6()))
            })
        };
        let mut from = width(32);
        let last = make_divisible(1280.0 * o.width_mult.max(1.0), o.round_nearest);
        let mut features = nn::sequential![end(3, from, 3, 2)];
        for [expansion, channels, count, stride] in STAGES {
            let to = width(channels);
            for i in 0..count {
                features.push(InvertedResidual::new(from, to, if i == 0 { stride } else { 1 }, expansion, norm));
                from = to;
            }
        }
        features.push(end(from, last, 1, 1));
        let model = MobileNetV2 {
            features,
            classifier: nn::sequential![nn::Dropout::new(o.dropout), nn::Linear::new(last, o.num_classes)],
            state: nn::ModuleState::new(),
        };
        draw(&model, fan_out, normal(0.01));
        o.weights.give(model, same_keys, |_| {})
    }
}
