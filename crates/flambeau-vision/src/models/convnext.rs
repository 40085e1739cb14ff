//! ConvNeXt (Liu and others, 2022): a convolutional network with the habits of transformers.

use super::init::{draw, zero};
use super::options::{Weights, constructors, model_options, same_keys};
use crate::ops::{Conv2dNormActivation, Permute, StochasticDepth};
use flambeau_autograd::{Tensor, ones};
use flambeau_nn::functional as F;
use flambeau_nn::{self as nn, Module, Parameter, forward, init};

model_options! {
    /// Options of [`ConvNeXt`].
    ConvNeXtOptions {
        /// The probability that the last block is skipped while training; that of others grows up to it (each network has its own).
        stochastic_depth_prob: f64 = 0.1,
        /// The first factor of each block's output (1e-6).
        layer_scale: f64 = 1e-6,
    }
}

/// The channels and numbers of blocks of the stages, and the probability that the last block is skipped.
struct Config([usize; 4], [usize; 4], f64);

constructors! {
    ConvNeXt, ConvNeXtOptions;
    /// The tiny ConvNeXt: `torchvision.models.convnext_tiny()`.
    convnext_tiny, convnext_tiny_with = Config([96, 192, 384, 768], [3, 3, 9, 3], 0.1);
    /// The small ConvNeXt: `torchvision.models.convnext_small()`.
    convnext_small, convnext_small_with = Config([96, 192, 384, 768], [3, 3, 27, 3], 0.4);
    /// The base ConvNeXt: `torchvision.models.convnext_base()`.
    convnext_base, convnext_base_with = Config([128, 256, 512, 1024], [3, 3, 27, 3], 0.5);
    /// The large ConvNeXt: `torchvision.models.convnext_large()`.
    convnext_large, convnext_large_with = Config([192, 384, 768, 1536], [3, 3, 27, 3], 0.5);
}

/// Four stages of blocks with normalised 2×2 convolutions between them, and a linear layer.
#[derive(Module)]
pub struct ConvNeXt {
    /// The convolutions.
    pub features: nn::Sequential,
    /// The mean of each plane.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// A normalisation and the linear layer.
    pub classifier: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl ConvNeXt {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.classifier.call(self.avgpool.call(self.features.call(x)))
    }
}

/// Layer normalisation over the channels of `[n, channels, height, width]`: torchvision's `LayerNorm2d`.
#[derive(Module)]
#[module(extra_repr)]
pub struct LayerNorm2d {
    /// The scale, `[channels]`.
    pub weight: Parameter,
    /// The shift, `[channels]`.
    pub bias: Parameter,
    eps: f64,
    state: nn::ModuleState,
}

impl LayerNorm2d {
    /// Of so many channels.
    #[track_caller]
    pub fn new(channels: usize, eps: f64) -> Self {
        LayerNorm2d {
            weight: Parameter::new(ones(channels)),
            bias: Parameter::new(flambeau_autograd::zeros(channels)),
            eps,
            state: nn::ModuleState::new(),
        }
    }

    fn extra_repr(&self) -> String {
        let eps = flambeau_tensor::print::py_float(self.eps);
        format!("({},), eps={eps}, elementwise_affine=True, bias=True", self.weight.len())
    }
}

#[forward]
impl LayerNorm2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let channels_last = x.permute([0, 2, 3, 1]);
        let y = F::layer_norm_with(channels_last, self.weight.len(), |o| {
            o.weight(&self.weight).bias(&self.bias).eps(self.eps)
        });
        y.permute([0, 3, 1, 2])
    }
}

/// A 7×7 convolution of each channel and two linear layers over all of them, scaled and added to the input.
#[derive(Module)]
pub struct CNBlock {
    /// The factor of each channel, `[channels, 1, 1]`.
    pub layer_scale: Parameter,
    /// The layers.
    pub block: nn::Sequential,
    /// What skips samples.
    pub stochastic_depth: StochasticDepth,
    state: nn::ModuleState,
}

impl CNBlock {
    #[track_caller]
    fn new(dim: usize, layer_scale: f64, skip: f64) -> Self {
        let block = nn::sequential![
            nn::Conv2d::with(dim, dim, 7, |o| o.padding(3).groups(dim)),
            Permute::new([0, 2, 3, 1]),
            nn::LayerNorm::with(dim, |o| o.eps(1e-6)),
            nn::Linear::new(dim, 4 * dim),
            nn::GELU::new(),
            nn::Linear::new(4 * dim, dim),
            Permute::new([0, 3, 1, 2]),
        ];
        CNBlock {
            layer_scale: Parameter::new(ones((dim, 1, 1)).mul(layer_scale)),
            block,
            stochastic_depth: StochasticDepth::new(skip, "row"),
            state: nn::ModuleState::new(),
        }
    }
}

#[forward]
impl CNBlock {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.layer_scale.mul(self.block.call(x));
        self.stochastic_depth.call(y).add_(x)
    }
}

impl Config {
    fn options(&self) -> ConvNeXtOptions {
        ConvNeXtOptions { stochastic_depth_prob: self.2, ..ConvNeXtOptions::default() }
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: ConvNeXtOptions<W>) -> W::Made<ConvNeXt> {
        let norm = |n| LayerNorm2d::new(n, 1e-6);
        let Config(channels, depths, _) = *self;
        let mut features = nn::sequential![Conv2dNormActivation::with(3, channels[0], |c| {
            c.kernel_size(4).stride(4).padding(0).norm_layer(norm).without_activation().bias(true)
        })];
        let total: usize = depths.iter().sum();
        let mut done = 0;
        for (i, (&dim, &depth)) in channels.iter().zip(&depths).enumerate() {
            let mut stage = nn::Sequential::default();
            for _ in 0..depth {
                let skip = o.stochastic_depth_prob * done as f64 / (total as f64 - 1.0);
                stage.push(CNBlock::new(dim, o.layer_scale, skip));
                done += 1;
            }
            features.push(stage);
            if let Some(&next) = channels.get(i + 1) {
                features.push(nn::sequential![norm(dim), nn::Conv2d::with(dim, next, 2, |o| o.stride(2))]);
            }
        }
        let model = ConvNeXt {
            features,
            avgpool: nn::AdaptiveAvgPool2d::new(1),
            classifier: nn::sequential![
                norm(channels[3]),
                nn::Flatten::new(),
                nn::Linear::new(channels[3], o.num_classes),
            ],
            state: nn::ModuleState::new(),
        };
        draw(
            &model,
            |conv| {
                init::trunc_normal_with_(&conv.weight, |o| o.std(0.02));
                zero(&conv.bias);
            },
            super::init::truncated,
        );
        o.weights.give(model, same_keys, |_| {})
    }
}
