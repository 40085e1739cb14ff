//! Densely connected networks (Huang and others, 2016): each layer sees the outputs of all before it in its block.

use super::init::{draw, zero};
use super::options::{Weights, constructors, model_options};
use crate::sequential::{SequentialKind, SequentialOf};
use flambeau_autograd::Tensor;
use flambeau_nn::functional as F;
use flambeau_nn::{self as nn, Module, forward, init};

model_options! {
    /// Options of [`DenseNet`].
    DenseNetOptions {
        /// The factor of the growth rate that gives the channels between a layer's convolutions (4).
        bn_size: usize = 4,
        /// The share of zeroed features behind each layer (0).
        drop_rate: f64 = 0.0,
        /// Accepted: PyTorch computes the first half of each layer again in backward, to the same numbers (false).
        memory_efficient: bool = false,
    }
}

struct Config {
    growth: usize,
    blocks: [usize; 4],
    first: usize,
}

constructors! {
    DenseNet, DenseNetOptions;
    /// DenseNet-121: `torchvision.models.densenet121()`.
    densenet121, densenet121_with = Config { growth: 32, blocks: [6, 12, 24, 16], first: 64 };
    /// DenseNet-161: `torchvision.models.densenet161()`.
    densenet161, densenet161_with = Config { growth: 48, blocks: [6, 12, 36, 24], first: 96 };
    /// DenseNet-169: `torchvision.models.densenet169()`.
    densenet169, densenet169_with = Config { growth: 32, blocks: [6, 12, 32, 32], first: 64 };
    /// DenseNet-201: `torchvision.models.densenet201()`.
    densenet201, densenet201_with = Config { growth: 32, blocks: [6, 12, 48, 32], first: 64 };
}

/// Four dense blocks with transitions between them, and a linear layer.
#[derive(Module)]
pub struct DenseNet {
    /// The convolutions.
    pub features: nn::Sequential,
    /// From features to classes.
    pub classifier: nn::Linear,
    state: nn::ModuleState,
}

#[forward]
impl DenseNet {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.classifier.call(super::mean_of_planes(&self.features.call(x).relu_()))
    }
}

/// Two normalised convolutions; the output are the new features only.
#[derive(Module)]
#[module(type_name)]
pub struct DenseLayer {
    /// The first normalisation.
    pub norm1: nn::BatchNorm2d,
    /// The first activation.
    pub relu1: nn::ReLU,
    /// A 1×1 convolution.
    pub conv1: nn::Conv2d,
    /// The second normalisation.
    pub norm2: nn::BatchNorm2d,
    /// The second activation.
    pub relu2: nn::ReLU,
    /// A 3×3 convolution.
    pub conv2: nn::Conv2d,
    drop_rate: f64,
    state: nn::ModuleState,
}

impl DenseLayer {
    #[track_caller]
    fn new(from: usize, growth: usize, bn_size: usize, drop_rate: f64) -> Self {
        let (hidden, relu) = (bn_size * growth, || nn::ReLU::with(|o| o.inplace(true)));
        DenseLayer {
            norm1: nn::BatchNorm2d::new(from),
            relu1: relu(),
            conv1: nn::Conv2d::with(from, hidden, 1, |o| o.bias(false)),
            norm2: nn::BatchNorm2d::new(hidden),
            relu2: relu(),
            conv2: nn::Conv2d::with(hidden, growth, 3, |o| o.padding(1).bias(false)),
            drop_rate,
            state: nn::ModuleState::new(),
        }
    }

    fn type_name(&self) -> &'static str {
        "_DenseLayer"
    }
}

#[forward]
impl DenseLayer {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.conv1.call(self.relu1.call(self.norm1.call(x)));
        let x = self.conv2.call(self.relu2.call(self.norm2.call(x)));
        if self.drop_rate > 0.0 { F::dropout(x, self.drop_rate, self.state.training()) } else { x }
    }
}

/// The kind of a [`DenseBlock`].
pub struct DenseBlockKind;
impl SequentialKind for DenseBlockKind {
    const NAME: &'static str = "_DenseBlock";
    const VERSION: i64 = 2;

    /// Each layer's new features are joined to what it was given.
    #[track_caller]
    fn forward(layers: &nn::Sequential, x: &Tensor) -> Tensor {
        let mut features = x.shallow_clone();
        for layer in layers.iter() {
            let new = layer.call_ref(&features);
            features = super::cat([features, new]);
        }
        features
    }
}

/// Dense layers, each of which is given the outputs of all before it.
pub type DenseBlock = SequentialOf<DenseBlockKind>;

/// The kind of a [`Transition`].
pub struct TransitionKind;
impl SequentialKind for TransitionKind {
    const NAME: &'static str = "_Transition";
}

/// A normalisation, a 1×1 convolution to fewer channels and a pooling to half the size.
pub type Transition = SequentialOf<TransitionKind>;

#[track_caller]
fn transition(from: usize, to: usize) -> Transition {
    Transition::of(nn::sequential![
        "norm" => nn::BatchNorm2d::new(from),
        "relu" => nn::ReLU::with(|o| o.inplace(true)),
        "conv" => nn::Conv2d::with(from, to, 1, |o| o.bias(false)),
        "pool" => nn::AvgPool2d::with(2, |o| o.stride(2)),
    ])
}

impl Config {
    fn options(&self) -> DenseNetOptions {
        DenseNetOptions::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: DenseNetOptions<W>) -> W::Made<DenseNet> {
        let mut features = nn::sequential![
            "conv0" => nn::Conv2d::with(3, self.first, 7, |o| o.stride(2).padding(3).bias(false)),
            "norm0" => nn::BatchNorm2d::new(self.first),
            "relu0" => nn::ReLU::with(|o| o.inplace(true)),
            "pool0" => nn::MaxPool2d::with(3, |o| o.stride(2).padding(1)),
        ];
        let mut channels = self.first;
        for (i, layers) in self.blocks.into_iter().enumerate() {
            let mut block = nn::Sequential::default();
            for k in 0..layers {
                let from = channels + k * self.growth;
                let layer = DenseLayer::new(from, self.growth, o.bn_size, o.drop_rate);
                block.add_module(format!("denselayer{}", k + 1), layer);
            }
            features.add_module(format!("denseblock{}", i + 1), DenseBlock::of(block));
            channels += layers * self.growth;
            if i + 1 < self.blocks.len() {
                features.add_module(format!("transition{}", i + 1), transition(channels, channels / 2));
                channels /= 2;
            }
        }
        features.add_module("norm5", nn::BatchNorm2d::new(channels));
        let classifier = nn::Linear::new(channels, o.num_classes);
        let model = DenseNet { features, classifier, state: nn::ModuleState::new() };
        draw(
            &model,
            |conv| {
                init::kaiming_normal_(&conv.weight);
            },
            |linear| zero(&linear.bias),
        );
        o.weights.give(model, without_dots, |_| {})
    }
}

/// Older files have `denselayer1.norm.1.weight` for `denselayer1.norm1.weight`, since modules once could have dots in their names.
fn without_dots(key: &str) -> Option<String> {
    let at = key.find(".denselayer")? + ".denselayer".len();
    let (layer, rest) = key[at..].split_once('.')?;
    let (kind, rest) = rest.split_once('.')?;
    let (number, tensor) = rest.split_once('.')?;
    let known = matches!(kind, "norm" | "relu" | "conv") && matches!(number, "1" | "2");
    known.then(|| format!("{}{layer}.{kind}{number}.{tensor}", &key[..at]))
}
