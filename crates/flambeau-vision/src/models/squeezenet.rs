//! SqueezeNet (Iandola and others, 2016): few parameters by squeezing channels before each 3×3 convolution.

use super::init::zero;
use super::options::{Weights, constructors, model_options, same_keys};
use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Module, forward, init};

model_options! {
    /// Options of [`SqueezeNet`].
    SqueezeNetOptions {
        /// The share of zeroed features before the last convolution (0.5).
        dropout: f64 = 0.5,
    }
}

/// The first convolution's channels and side, and the squeezed and expanded channels of each [`Fire`]; `None` is a pooling.
struct Config {
    first: (usize, usize),
    fires: [Option<(usize, usize)>; 10],
}

const VERSION_1_0: Config = Config {
    first: (96, 7),
    fires: [
        Some((16, 64)),
        Some((16, 64)),
        Some((32, 128)),
        None,
        Some((32, 128)),
        Some((48, 192)),
        Some((48, 192)),
        Some((64, 256)),
        None,
        Some((64, 256)),
    ],
};

const VERSION_1_1: Config = Config {
    first: (64, 3),
    fires: [
        Some((16, 64)),
        Some((16, 64)),
        None,
        Some((32, 128)),
        Some((32, 128)),
        None,
        Some((48, 192)),
        Some((48, 192)),
        Some((64, 256)),
        Some((64, 256)),
    ],
};

constructors! {
    SqueezeNet, SqueezeNetOptions;
    /// SqueezeNet 1.0: `torchvision.models.squeezenet1_0()`.
    squeezenet1_0, squeezenet1_0_with = VERSION_1_0;
    /// SqueezeNet 1.1, with less than half the work: `torchvision.models.squeezenet1_1()`.
    squeezenet1_1, squeezenet1_1_with = VERSION_1_1;
}

/// [`Fire`]s, and a convolution in place of a linear layer.
#[derive(Module)]
pub struct SqueezeNet {
    /// The convolutions.
    pub features: nn::Sequential,
    /// A 1×1 convolution to the classes and the mean of each plane.
    pub classifier: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl SqueezeNet {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.classifier.call(self.features.call(x)).flatten(1)
    }
}

/// A 1×1 convolution to few channels, and from there a 1×1 and a 3×3 one side by side.
#[derive(Module)]
pub struct Fire {
    /// To few channels.
    pub squeeze: nn::Conv2d,
    /// Its activation.
    pub squeeze_activation: nn::ReLU,
    /// The 1×1 convolution.
    pub expand1x1: nn::Conv2d,
    /// Its activation.
    pub expand1x1_activation: nn::ReLU,
    /// The 3×3 convolution.
    pub expand3x3: nn::Conv2d,
    /// Its activation.
    pub expand3x3_activation: nn::ReLU,
    state: nn::ModuleState,
}

impl Fire {
    #[track_caller]
    fn new(from: usize, squeezed: usize, expanded: usize) -> Self {
        let relu = || nn::ReLU::with(|o| o.inplace(true));
        Fire {
            squeeze: nn::Conv2d::new(from, squeezed, 1),
            squeeze_activation: relu(),
            expand1x1: nn::Conv2d::new(squeezed, expanded, 1),
            expand1x1_activation: relu(),
            expand3x3: nn::Conv2d::with(squeezed, expanded, 3, |o| o.padding(1)),
            expand3x3_activation: relu(),
            state: nn::ModuleState::new(),
        }
    }
}

#[forward]
impl Fire {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.squeeze_activation.call(self.squeeze.call(x));
        let one = self.expand1x1_activation.call(self.expand1x1.call(&x));
        let three = self.expand3x3_activation.call(self.expand3x3.call(&x));
        super::cat([one, three])
    }
}

impl Config {
    fn options(&self) -> SqueezeNetOptions {
        SqueezeNetOptions::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: SqueezeNetOptions<W>) -> W::Made<SqueezeNet> {
        let pool = || nn::MaxPool2d::with(3, |o| o.stride(2).ceil_mode(true));
        let (channels, side) = self.first;
        let mut features = nn::sequential![
            nn::Conv2d::with(3, channels, side, |o| o.stride(2)),
            nn::ReLU::with(|o| o.inplace(true)),
            pool(),
        ];
        let mut from = channels;
        for fire in self.fires {
            match fire {
                None => features.push(pool()),
                Some((squeezed, expanded)) => {
                    let fire = Fire::new(from, squeezed, expanded);
                    from = 2 * expanded;
                    features.push(fire)
                }
            };
        }
        let model = SqueezeNet {
            features,
            classifier: nn::sequential![
                nn::Dropout::new(o.dropout),
                nn::Conv2d::new(512, o.num_classes, 1),
                nn::ReLU::with(|o| o.inplace(true)),
                nn::AdaptiveAvgPool2d::new((1, 1)),
            ],
            state: nn::ModuleState::new(),
        };
        draw(&model);
        o.weights.give(model, same_keys, |_| {})
    }
}

/// Draws the first numbers: the last convolution's are small.
#[track_caller]
fn draw(model: &SqueezeNet) {
    super::init::draw(
        &model.features,
        |conv| {
            init::kaiming_uniform_(&conv.weight);
            zero(&conv.bias);
        },
        super::init::keep,
    );
    super::init::draw(
        &model.classifier,
        |conv| {
            init::normal_(&conv.weight, 0.0, 0.01);
            zero(&conv.bias);
        },
        super::init::keep,
    );
}
