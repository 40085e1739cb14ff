//! ShuffleNet v2 (Ma and others, 2018): one half of the channels goes through, the other is filtered, then they are mixed.

use super::options::{Weights, constructors, model_options, same_keys};
use flambeau_autograd::Tensor;
use flambeau_nn::functional as F;
use flambeau_nn::{self as nn, Module, forward};

model_options! {
    /// Options of [`ShuffleNetV2`].
    ShuffleNetV2Options {}
}

/// The channels of the three stages, and behind them.
struct Config([usize; 4]);

constructors! {
    ShuffleNetV2, ShuffleNetV2Options;
    /// ShuffleNet v2 of half the width: `torchvision.models.shufflenet_v2_x0_5()`.
    shufflenet_v2_x0_5, shufflenet_v2_x0_5_with = Config([48, 96, 192, 1024]);
    /// ShuffleNet v2: `torchvision.models.shufflenet_v2_x1_0()`.
    shufflenet_v2_x1_0, shufflenet_v2_x1_0_with = Config([116, 232, 464, 1024]);
    /// ShuffleNet v2 of one and a half times the width: `torchvision.models.shufflenet_v2_x1_5()`.
    shufflenet_v2_x1_5, shufflenet_v2_x1_5_with = Config([176, 352, 704, 1024]);
    /// ShuffleNet v2 of twice the width: `torchvision.models.shufflenet_v2_x2_0()`.
    shufflenet_v2_x2_0, shufflenet_v2_x2_0_with = Config([244, 488, 976, 2048]);
}

/// Three stages of shuffled blocks and a linear layer.
#[derive(Module)]
pub struct ShuffleNetV2 {
    /// The first convolution.
    pub conv1: nn::Sequential,
    /// To a quarter of the size.
    pub maxpool: nn::MaxPool2d,
    /// Blocks on an eighth.
    pub stage2: nn::Sequential,
    /// Blocks on a sixteenth.
    pub stage3: nn::Sequential,
    /// Blocks on a thirty-second.
    pub stage4: nn::Sequential,
    /// The last convolution.
    pub conv5: nn::Sequential,
    /// From features to classes.
    pub fc: nn::Linear,
    state: nn::ModuleState,
}

#[forward]
impl ShuffleNetV2 {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.stage2.call(self.maxpool.call(self.conv1.call(x)));
        let x = self.conv5.call(self.stage4.call(self.stage3.call(x)));
        self.fc.call(x.mean_dim([2, 3], false))
    }
}

/// A block of two branches whose channels are mixed; at stride 1 the first branch is the first half of the input as it is.
#[derive(Module)]
pub struct InvertedResidual {
    stride: usize,
    /// The branch that is empty at stride 1.
    pub branch1: nn::Sequential,
    /// The branch that filters.
    pub branch2: nn::Sequential,
    state: nn::ModuleState,
}

/// A 1×1 convolution, normalised.
#[track_caller]
fn mix(layers: &mut nn::Sequential, from: usize, to: usize) {
    layers.push(nn::Conv2d::with(from, to, 1, |o| o.bias(false)));
    layers.push(nn::BatchNorm2d::new(to)).push(nn::ReLU::with(|o| o.inplace(true)));
}

/// A 3×3 convolution of each channel by itself, normalised.
#[track_caller]
fn filter(layers: &mut nn::Sequential, channels: usize, stride: usize) {
    layers.push(nn::Conv2d::with(channels, channels, 3, |o| o.stride(stride).padding(1).groups(channels).bias(false)));
    layers.push(nn::BatchNorm2d::new(channels));
}

impl InvertedResidual {
    #[track_caller]
    fn new(from: usize, to: usize, stride: usize) -> Self {
        let half = to / 2;
        let (mut branch1, mut branch2) = (nn::Sequential::default(), nn::Sequential::default());
        if stride > 1 {
            filter(&mut branch1, from, stride);
            mix(&mut branch1, from, half);
        }
        mix(&mut branch2, if stride > 1 { from } else { half }, half);
        filter(&mut branch2, half, stride);
        mix(&mut branch2, half, half);
        InvertedResidual { stride, branch1, branch2, state: nn::ModuleState::new() }
    }
}

#[forward]
impl InvertedResidual {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = if self.stride == 1 {
            let half = x.size()[1] / 2;
            let (same, filtered) = (x.narrow(1, 0, half), x.narrow(1, half, half));
            super::cat([same, self.branch2.call(filtered)])
        } else {
            super::cat([self.branch1.call(x), self.branch2.call(x)])
        };
        F::channel_shuffle(x, 2)
    }
}

impl Config {
    fn options(&self) -> ShuffleNetV2Options {
        ShuffleNetV2Options::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: ShuffleNetV2Options<W>) -> W::Made<ShuffleNetV2> {
        let end = |from, to, kernel: usize, stride: usize| {
            nn::sequential![
                nn::Conv2d::with(from, to, kernel, |o| o.stride(stride).padding(kernel / 2).bias(false)),
                nn::BatchNorm2d::new(to),
                nn::ReLU::with(|o| o.inplace(true)),
            ]
        };
        let stage = |from, to, blocks| {
            nn::Sequential::new((0..blocks).map(|i| match i {
                0 => InvertedResidual::new(from, to, 2),
                _ => InvertedResidual::new(to, to, 1),
            }))
        };
        let [c2, c3, c4, last] = self.0;
        let model = ShuffleNetV2 {
            conv1: end(3, 24, 3, 2),
            maxpool: nn::MaxPool2d::with(3, |o| o.stride(2).padding(1)),
            stage2: stage(24, c2, 4),
            stage3: stage(c2, c3, 8),
            stage4: stage(c3, c4, 4),
            conv5: end(c4, last, 1, 1),
            fc: nn::Linear::new(last, o.num_classes),
            state: nn::ModuleState::new(),
        };
        o.weights.give(model, same_keys, |_| {})
    }
}
