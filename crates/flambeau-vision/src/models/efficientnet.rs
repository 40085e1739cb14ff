//! EfficientNet (Tan and Le, 2019) and its second version (2021): blocks scaled in width, depth and resolution together.

use super::init::{draw, fan_out, make_divisible, zero};
use super::options::{Weights, constructors, model_options, same_keys};
use crate::ops::{
    ActivationLayer, Conv2dNormActivation, NormLayer, SqueezeExcitation, StochasticDepth, activation_layer, batch_norm,
    norm_layer,
};
use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Module, forward, init};

model_options! {
    /// Options of [`EfficientNet`].
    EfficientNetOptions {
        /// The share of zeroed features before the linear layer (each network has its own).
        dropout: f64 = 0.2,
        /// The probability that the last block is skipped while training; that of others grows up to it (0.2).
        stochastic_depth_prob: f64 = 0.2,
    }
    norm norm_layer = batch_norm()
}

/// A stage: whether its blocks are fused, their expansion, kernel, first stride, channels before and after, and their number.
type Stage = (bool, usize, usize, usize, usize, usize, usize);

/// What networks of this family differ in.
struct Config {
    stages: &'static [Stage],
    width: f64,
    depth: f64,
    dropout: f64,
    last: Option<usize>,
    /// Eps and momentum of normalisations.
    norm: (f64, f64),
}

const B: &[Stage] = &[
    (false, 1, 3, 1, 32, 16, 1),
    (false, 6, 3, 2, 16, 24, 2),
    (false, 6, 5, 2, 24, 40, 2),
    (false, 6, 3, 2, 40, 80, 3),
    (false, 6, 5, 1, 80, 112, 3),
    (false, 6, 5, 2, 112, 192, 4),
    (false, 6, 3, 1, 192, 320, 1),
];

const V2_S: &[Stage] = &[
    (true, 1, 3, 1, 24, 24, 2),
    (true, 4, 3, 2, 24, 48, 4),
    (true, 4, 3, 2, 48, 64, 4),
    (false, 4, 3, 2, 64, 128, 6),
    (false, 6, 3, 1, 128, 160, 9),
    (false, 6, 3, 2, 160, 256, 15),
];

const V2_M: &[Stage] = &[
    (true, 1, 3, 1, 24, 24, 3),
    (true, 4, 3, 2, 24, 48, 5),
    (true, 4, 3, 2, 48, 80, 5),
    (false, 4, 3, 2, 80, 160, 7),
    (false, 6, 3, 1, 160, 176, 14),
    (false, 6, 3, 2, 176, 304, 18),
    (false, 6, 3, 1, 304, 512, 5),
];

const V2_L: &[Stage] = &[
    (true, 1, 3, 1, 32, 32, 4),
    (true, 4, 3, 2, 32, 64, 7),
    (true, 4, 3, 2, 64, 96, 7),
    (false, 4, 3, 2, 96, 192, 10),
    (false, 6, 3, 1, 192, 224, 19),
    (false, 6, 3, 2, 224, 384, 25),
    (false, 6, 3, 1, 384, 640, 7),
];

const fn first(width: f64, depth: f64, dropout: f64) -> Config {
    Config { stages: B, width, depth, dropout, last: None, norm: (1e-5, 0.1) }
}

/// The larger ones of the first version have other normalisations.
const fn large(width: f64, depth: f64, dropout: f64) -> Config {
    Config { norm: (1e-3, 0.01), ..first(width, depth, dropout) }
}

const fn second(stages: &'static [Stage], dropout: f64) -> Config {
    Config { stages, width: 1.0, depth: 1.0, dropout, last: Some(1280), norm: (1e-3, 0.1) }
}

constructors! {
    EfficientNet, EfficientNetOptions;
    /// EfficientNet B0: `torchvision.models.efficientnet_b0()`.
    efficientnet_b0, efficientnet_b0_with = first(1.0, 1.0, 0.2);
    /// EfficientNet B1: `torchvision.models.efficientnet_b1()`.
    efficientnet_b1, efficientnet_b1_with = first(1.0, 1.1, 0.2);
    /// EfficientNet B2: `torchvision.models.efficientnet_b2()`.
    efficientnet_b2, efficientnet_b2_with = first(1.1, 1.2, 0.3);
    /// EfficientNet B3: `torchvision.models.efficientnet_b3()`.
    efficientnet_b3, efficientnet_b3_with = first(1.2, 1.4, 0.3);
    /// EfficientNet B4: `torchvision.models.efficientnet_b4()`.
    efficientnet_b4, efficientnet_b4_with = first(1.4, 1.8, 0.4);
    /// EfficientNet B5: `torchvision.models.efficientnet_b5()`.
    efficientnet_b5, efficientnet_b5_with = large(1.6, 2.2, 0.4);
    /// EfficientNet B6: `torchvision.models.efficientnet_b6()`.
    efficientnet_b6, efficientnet_b6_with = large(1.8, 2.6, 0.5);
    /// EfficientNet B7: `torchvision.models.efficientnet_b7()`.
    efficientnet_b7, efficientnet_b7_with = large(2.0, 3.1, 0.5);
    /// The small EfficientNet v2: `torchvision.models.efficientnet_v2_s()`.
    efficientnet_v2_s, efficientnet_v2_s_with = second(V2_S, 0.2);
    /// The medium EfficientNet v2: `torchvision.models.efficientnet_v2_m()`.
    efficientnet_v2_m, efficientnet_v2_m_with = second(V2_M, 0.3);
    /// The large EfficientNet v2: `torchvision.models.efficientnet_v2_l()`.
    efficientnet_v2_l, efficientnet_v2_l_with = second(V2_L, 0.4);
}

/// Stages of inverted bottlenecks and a linear layer.
#[derive(Module)]
pub struct EfficientNet {
    /// The convolutions.
    pub features: nn::Sequential,
    /// The mean of each plane.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// A dropout and the linear layer.
    pub classifier: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl EfficientNet {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.avgpool.call(self.features.call(x));
        self.classifier.call(x.flatten(1))
    }
}

/// An inverted bottleneck, [`SqueezeExcitation`] inside; `FUSED` ones widen and filter in one convolution, without it. Where the
/// input is added, samples skip the block while training.
#[derive(Module)]
#[module(type_name)]
pub struct Bottleneck<const FUSED: bool> {
    add_input: bool,
    /// The convolutions.
    pub block: nn::Sequential,
    /// What skips samples.
    pub stochastic_depth: StochasticDepth,
    state: nn::ModuleState,
}

/// torchvision's `MBConv`.
pub type MBConv = Bottleneck<false>;
/// torchvision's `FusedMBConv`.
pub type FusedMBConv = Bottleneck<true>;

#[forward]
impl<const FUSED: bool> Bottleneck<FUSED> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.block.call(x);
        if self.add_input { self.stochastic_depth.call(y).add_(x) } else { y }
    }
}

fn silu() -> ActivationLayer {
    activation_layer(|inplace| nn::SiLU::with(|o| o.inplace(inplace)))
}

/// What a block is made of: its channels before and after, expansion, kernel and stride.
struct Shape {
    from: usize,
    to: usize,
    expansion: usize,
    kernel: usize,
    stride: usize,
}

impl<const FUSED: bool> Bottleneck<FUSED> {
    #[track_caller]
    fn new(shape: &Shape, skip: f64, norm: &NormLayer) -> Self {
        let &Shape { from, to, expansion, kernel, stride } = shape;
        let hidden = make_divisible((from * expansion) as f64, 8);
        let conv = |from, to, kernel: usize, stride: usize, groups: usize, activation| {
            Conv2dNormActivation::with(from, to, |o| {
                o.kernel_size(kernel).stride(stride).groups(groups).norm(Some(norm.clone())).activation(activation)
            })
        };
        let mut block = nn::Sequential::default();
        match (FUSED, hidden == from) {
            (true, true) => {
                block.push(conv(from, to, kernel, stride, 1, Some(silu())));
            }
            (true, false) => {
                block.push(conv(from, hidden, kernel, stride, 1, Some(silu())));
                block.push(conv(hidden, to, 1, 1, 1, None));
            }
            (false, narrow) => {
                if !narrow {
                    block.push(conv(from, hidden, 1, 1, 1, Some(silu())));
                }
                block.push(conv(hidden, hidden, kernel, stride, hidden, Some(silu())));
                let squeezed = (from / 4).max(1);
                let silu = || nn::SiLU::with(|o| o.inplace(true));
                block.push(SqueezeExcitation::with(hidden, squeezed, |o| o.activation(silu)));
                block.push(conv(hidden, to, 1, 1, 1, None));
            }
        }
        Bottleneck {
            add_input: stride == 1 && from == to,
            block,
            stochastic_depth: StochasticDepth::new(skip, "row"),
            state: nn::ModuleState::new(),
        }
    }

    fn type_name(&self) -> &'static str {
        if FUSED { "FusedMBConv" } else { "MBConv" }
    }
}

impl Config {
    fn options(&self) -> EfficientNetOptions {
        let (eps, momentum) = self.norm;
        let norm_layer = norm_layer(move |n| nn::BatchNorm2d::with(n, |o| o.eps(eps).momentum(momentum)));
        EfficientNetOptions { dropout: self.dropout, norm_layer, ..EfficientNetOptions::default() }
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: EfficientNetOptions<W>) -> W::Made<EfficientNet> {
        let norm = &o.norm_layer;
        let wide = |channels: usize| make_divisible(channels as f64 * self.width, 8);
        let deep = |blocks: usize| (blocks as f64 * self.depth).ceil() as usize;
        let end = |from, to, kernel: usize, stride: usize| {
            Conv2dNormActivation::with(from, to, |c| {
                c.kernel_size(kernel).stride(stride).norm(Some(norm.clone())).activation(Some(silu()))
            })
        };
        let total: usize = self.stages.iter().map(|stage| deep(stage.6)).sum();
        let mut features = nn::sequential![end(3, wide(self.stages[0].4), 3, 2)];
        let (mut done, mut channels) = (0, 0);
        for &(fused, expansion, kernel, stride, from, to, blocks) in self.stages {
            let to = wide(to);
            let mut stage = nn::Sequential::default();
            for i in 0..deep(blocks) {
                let (from, stride) = if i == 0 { (wide(from), stride) } else { (to, 1) };
                let shape = Shape { from, to, expansion, kernel, stride };
                let skip = o.stochastic_depth_prob * done as f64 / total as f64;
                match fused {
                    true => stage.push(FusedMBConv::new(&shape, skip, norm)),
                    false => stage.push(MBConv::new(&shape, skip, norm)),
                };
                done += 1;
            }
            features.push(stage);
            channels = to;
        }
        let last = self.last.unwrap_or(4 * channels);
        features.push(end(channels, last, 1, 1));
        let model = EfficientNet {
            features,
            avgpool: nn::AdaptiveAvgPool2d::new(1),
            classifier: nn::sequential![
                nn::Dropout::with(o.dropout, |d| d.inplace(true)),
                nn::Linear::new(last, o.num_classes),
            ],
            state: nn::ModuleState::new(),
        };
        draw(&model, fan_out, |linear| {
            let range = 1.0 / (linear.weight.size()[0] as f64).sqrt();
            init::uniform_(&linear.weight, -range, range);
            zero(&linear.bias);
        });
        o.weights.give(model, same_keys, |_| {})
    }
}
