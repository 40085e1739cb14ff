//! MobileNet v3 (Howard and others, 2019): blocks of v2 with squeeze-and-excitation, found by search.

use super::init::{draw, fan_out, make_divisible, normal};
use super::options::{Weights, constructors, model_options, same_keys};
use crate::ops::{
    ActivationLayer, Conv2dNormActivation, NormLayer, SqueezeExcitation, activation_layer, norm_layer, relu,
};
use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Module, forward};

model_options! {
    /// Options of [`MobileNetV3`].
    MobileNetV3Options {
        /// The factor of all numbers of channels (1.0).
        width_mult: f64 = 1.0,
        /// Whether the last blocks have half the channels (false).
        reduced_tail: bool = false,
        /// Whether the last blocks dilate in place of striding (false).
        dilated: bool = false,
        /// The share of zeroed features before the last linear layer (0.2).
        dropout: f64 = 0.2,
    }
    norm norm_layer = norm_layer(|n| nn::BatchNorm2d::with(n, |o| o.eps(1e-3).momentum(0.01)))
}

/// A block: the kernel's side, channels inside and after, whether channels are scaled and the activation is hardswish, and
/// the stride.
type Block = (usize, usize, usize, bool, bool, usize);

/// The blocks of a network, at which of them the tail begins, and the hidden features of the classifier.
struct Config {
    blocks: &'static [Block],
    tail: usize,
    hidden: usize,
}

const LARGE: Config = Config {
    blocks: &[
        (3, 16, 16, false, false, 1),
        (3, 64, 24, false, false, 2),
        (3, 72, 24, false, false, 1),
        (5, 72, 40, true, false, 2),
        (5, 120, 40, true, false, 1),
        (5, 120, 40, true, false, 1),
        (3, 240, 80, false, true, 2),
        (3, 200, 80, false, true, 1),
        (3, 184, 80, false, true, 1),
        (3, 184, 80, false, true, 1),
        (3, 480, 112, true, true, 1),
        (3, 672, 112, true, true, 1),
        (5, 672, 160, true, true, 2),
        (5, 960, 160, true, true, 1),
        (5, 960, 160, true, true, 1),
    ],
    tail: 12,
    hidden: 1280,
};

const SMALL: Config = Config {
    blocks: &[
        (3, 16, 16, true, false, 2),
        (3, 72, 24, false, false, 2),
        (3, 88, 24, false, false, 1),
        (5, 96, 40, true, true, 2),
        (5, 240, 40, true, true, 1),
        (5, 240, 40, true, true, 1),
        (5, 120, 48, true, true, 1),
        (5, 144, 48, true, true, 1),
        (5, 288, 96, true, true, 2),
        (5, 576, 96, true, true, 1),
        (5, 576, 96, true, true, 1),
    ],
    tail: 8,
    hidden: 1024,
};

constructors! {
    MobileNetV3, MobileNetV3Options;
    /// The large MobileNet v3: `torchvision.models.mobilenet_v3_large()`.
    mobilenet_v3_large, mobilenet_v3_large_with = LARGE;
    /// The small MobileNet v3: `torchvision.models.mobilenet_v3_small()`.
    mobilenet_v3_small, mobilenet_v3_small_with = SMALL;
}

/// Inverted residual blocks and two linear layers.
#[derive(Module)]
pub struct MobileNetV3 {
    /// The convolutions.
    pub features: nn::Sequential,
    /// The mean of each plane.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// The linear layers.
    pub classifier: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl MobileNetV3 {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.avgpool.call(self.features.call(x));
        self.classifier.call(x.flatten(1))
    }
}

/// A block that widens, filters each channel, scales channels and narrows; the input is added where it has the output's shape.
#[derive(Module)]
pub struct InvertedResidual {
    add_input: bool,
    /// The convolutions.
    pub block: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl InvertedResidual {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.block.call(x);
        if self.add_input { y.add_(x) } else { y }
    }
}

fn hardswish() -> ActivationLayer {
    activation_layer(|inplace| nn::Hardswish::with(|o| o.inplace(inplace)))
}

impl InvertedResidual {
    #[track_caller]
    fn new(from: usize, block: Block, dilation: usize, norm: &NormLayer) -> Self {
        let (kernel, hidden, to, scaled, swish, stride) = block;
        let activation = || if swish { hardswish() } else { relu() };
        let mut layers = nn::Sequential::default();
        if hidden != from {
            layers.push(Conv2dNormActivation::with(from, hidden, |o| {
                o.kernel_size(1).norm(Some(norm.clone())).activation(Some(activation()))
            }));
        }
        let step = if dilation > 1 { 1 } else { stride };
        layers.push(Conv2dNormActivation::with(hidden, hidden, |o| {
            o.kernel_size(kernel)
                .stride(step)
                .dilation(dilation)
                .groups(hidden)
                .norm(Some(norm.clone()))
                .activation(Some(activation()))
        }));
        if scaled {
            let squeezed = make_divisible((hidden / 4) as f64, 8);
            layers.push(SqueezeExcitation::with(hidden, squeezed, |o| o.scale_activation(nn::Hardsigmoid::new)));
        }
        layers.push(Conv2dNormActivation::with(hidden, to, |o| {
            o.kernel_size(1).norm(Some(norm.clone())).without_activation()
        }));
        InvertedResidual { add_input: stride == 1 && from == to, block: layers, state: nn::ModuleState::new() }
    }
}

impl Config {
    fn options(&self) -> MobileNetV3Options {
        MobileNetV3Options::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: MobileNetV3Options<W>) -> W::Made<MobileNetV3> {
        let norm = &o.norm_layer;
        let width = |channels: usize| make_divisible(channels as f64 * o.width_mult, 8);
        let end = |from, to, kernel: usize, stride: usize| {
            Conv2dNormActivation::with(from, to, |c| {
                c.kernel_size(kernel).stride(stride).norm(Some(norm.clone())).activation(Some(hardswish()))
            })
        };
        let (divider, dilation) = (if o.reduced_tail { 2 } else { 1 }, if o.dilated { 2 } else { 1 });
        let mut from = width(16);
        let mut features = nn::sequential![end(3, from, 3, 2)];
        for (i, &(kernel, hidden, to, scaled, swish, stride)) in self.blocks.iter().enumerate() {
            let (tail, inner_tail) = (i >= self.tail, i > self.tail);
            let to = width(to / if tail { divider } else { 1 });
            let hidden = width(hidden / if inner_tail { divider } else { 1 });
            let block = (kernel, hidden, to, scaled, swish, stride);
            features.push(InvertedResidual::new(from, block, if tail { dilation } else { 1 }, norm));
            from = to;
        }
        let (last, hidden) = (6 * from, width(self.hidden / divider));
        features.push(end(from, last, 1, 1));
        let model = MobileNetV3 {
            features,
            avgpool: nn::AdaptiveAvgPool2d::new(1),
            classifier: nn::sequential![
                nn::Linear::new(last, hidden),
                nn::Hardswish::with(|o| o.inplace(true)),
                nn::Dropout::with(o.dropout, |d| d.inplace(true)),
                nn::Linear::new(hidden, o.num_classes),
            ],
            state: nn::ModuleState::new(),
        };
        draw(&model, fan_out, normal(0.01));
        o.weights.give(model, same_keys, |_| {})
    }
}
