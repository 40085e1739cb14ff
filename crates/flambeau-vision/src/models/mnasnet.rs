//! MNASNet (Tan and others, 2018): inverted residuals, found by search for phones.

use super::init::{draw, fan_out, make_divisible, zero};
use super::options::{Weights, constructors, model_options, same_keys};
use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Module, forward, init};

model_options! {
    /// Options of [`MNASNet`].
    MNASNetOptions {
        /// The share of zeroed features before the linear layer (0.2).
        dropout: f64 = 0.2,
    }
}

/// The factor of all numbers of channels.
struct Config(f64);

constructors! {
    MNASNet, MNASNetOptions;
    /// MNASNet of half the width: `torchvision.models.mnasnet0_5()`.
    mnasnet0_5, mnasnet0_5_with = Config(0.5);
    /// MNASNet of three quarters of the width: `torchvision.models.mnasnet0_75()`.
    mnasnet0_75, mnasnet0_75_with = Config(0.75);
    /// MNASNet: `torchvision.models.mnasnet1_0()`.
    mnasnet1_0, mnasnet1_0_with = Config(1.0);
    /// MNASNet of 1.3 times the width: `torchvision.models.mnasnet1_3()`.
    mnasnet1_3, mnasnet1_3_with = Config(1.3);
}

/// The kernel, first stride, expansion and number of blocks of each stage.
const STAGES: [[usize; 4]; 6] = [[3, 2, 3, 3], [5, 2, 3, 3], [5, 2, 6, 3], [3, 1, 6, 2], [5, 2, 6, 4], [3, 1, 6, 1]];
/// The channels of the first two convolutions and of the stages.
const CHANNELS: [usize; 8] = [32, 16, 24, 40, 80, 96, 192, 320];

/// Stages of inverted residuals and a linear layer. State dicts of torchvision's first version, whose stem had other widths, are not
/// read.
#[derive(Module)]
#[module(versions)]
pub struct MNASNet {
    /// The convolutions.
    pub layers: nn::Sequential,
    /// A dropout and the linear layer.
    pub classifier: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl MNASNet {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.classifier.call(self.layers.call(x).mean_dim([2, 3], false))
    }
}

impl MNASNet {
    fn version(&self) -> i64 {
        2
    }

    fn added_since(&self, _version: Option<i64>) -> &'static [&'static str] {
        &[]
    }
}

/// A block that widens, filters each channel and narrows; the input is added where it has the output's shape.
#[derive(Module)]
#[module(type_name)]
pub struct InvertedResidual {
    add_input: bool,
    /// The convolutions.
    pub layers: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl InvertedResidual {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.layers.call(x);
        if self.add_input { y.add(x) } else { y }
    }
}

/// A convolution and its normalisation, with a ReLU where told.
#[track_caller]
fn conv(layers: &mut nn::Sequential, [from, to, kernel, stride, groups]: [usize; 5], relu: bool) {
    layers
        .push(nn::Conv2d::with(from, to, kernel, |o| o.stride(stride).padding(kernel / 2).groups(groups).bias(false)));
    layers.push(nn::BatchNorm2d::with(to, |o| o.momentum(1.0 - 0.9997)));
    if relu {
        layers.push(nn::ReLU::with(|o| o.inplace(true)));
    }
}

impl InvertedResidual {
    #[track_caller]
    fn new(from: usize, to: usize, [kernel, stride, expansion]: [usize; 3]) -> Self {
        let (mut layers, hidden) = (nn::Sequential::default(), from * expansion);
        conv(&mut layers, [from, hidden, 1, 1, 1], true);
        conv(&mut layers, [hidden, hidden, kernel, stride, hidden], true);
        conv(&mut layers, [hidden, to, 1, 1, 1], false);
        InvertedResidual { add_input: from == to && stride == 1, layers, state: nn::ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        "_InvertedResidual"
    }
}

impl Config {
    fn options(&self) -> MNASNetOptions {
        MNASNetOptions::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: MNASNetOptions<W>) -> W::Made<MNASNet> {
        let channels = CHANNELS.map(|c| make_divisible(c as f64 * self.0, 8));
        let mut layers = nn::Sequential::default();
        conv(&mut layers, [3, channels[0], 3, 2, 1], true);
        conv(&mut layers, [channels[0], channels[0], 3, 1, channels[0]], true);
        conv(&mut layers, [channels[0], channels[1], 1, 1, 1], false);
        for ([kernel, stride, expansion, blocks], pair) in STAGES.into_iter().zip(channels[1..].windows(2)) {
            layers.push(nn::Sequential::new((0..blocks).map(|i| {
                let (from, stride) = if i == 0 { (pair[0], stride) } else { (pair[1], 1) };
                InvertedResidual::new(from, pair[1], [kernel, stride, expansion])
            })));
        }
        conv(&mut layers, [channels[7], 1280, 1, 1, 1], true);
        let model = MNASNet {
            layers,
            classifier: nn::sequential![
                nn::Dropout::with(o.dropout, |d| d.inplace(true)),
                nn::Linear::new(1280, o.num_classes),
            ],
            state: nn::ModuleState::new(),
        };
        draw(&model, fan_out, |linear| {
            init::kaiming_uniform_with_(&linear.weight, |o| o.mode("fan_out").nonlinearity("sigmoid"));
            zero(&linear.bias);
        });
        o.weights.give(model, same_keys, |_| {})
    }
}
