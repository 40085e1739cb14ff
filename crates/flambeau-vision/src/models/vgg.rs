//! Deep stacks of 3×3 convolutions (Simonyan and Zisserman, 2014).

use super::init::{draw, fan_out, normal};
use super::options::{Weights, constructors, model_options, same_keys};
use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Module, forward};

model_options! {
    /// Options of [`VGG`].
    VGGOptions {
        /// Whether torchvision's first numbers are drawn, in place of each layer's own (true).
        init_weights: bool = true,
        /// The share of zeroed features behind both hidden layers (0.5).
        dropout: f64 = 0.5,
    }
}

/// How many convolutions stand before each of the five poolings, and whether they are normalised.
struct Config(&'static [usize; 5], bool);

const A: &[usize; 5] = &[1, 1, 2, 2, 2];
const B: &[usize; 5] = &[2, 2, 2, 2, 2];
const D: &[usize; 5] = &[2, 2, 3, 3, 3];
const E: &[usize; 5] = &[2, 2, 4, 4, 4];
/// The channels between poolings.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

constructors! {
    VGG, VGGOptions;
    /// VGG-11: `torchvision.models.vgg11()`.
    vgg11, vgg11_with = Config(A, false);
    /// VGG-11 with batch normalisation: `torchvision.models.vgg11_bn()`.
    vgg11_bn, vgg11_bn_with = Config(A, true);
    /// VGG-13: `torchvision.models.vgg13()`.
    vgg13, vgg13_with = Config(B, false);
    /// VGG-13 with batch normalisation: `torchvision.models.vgg13_bn()`.
    vgg13_bn, vgg13_bn_with = Config(B, true);
    /// VGG-16: `torchvision.models.vgg16()`.
    ///
    /// ```no_run
    /// use torch::prelude::*;
    /// let mut model = torch::vision::models::vgg16();
    /// model.classifier.set(6, nn::Linear::new(4096, 10)); // model.classifier[6] = nn.Linear(4096, 10)
    /// ```
    vgg16, vgg16_with = Config(D, false);
    /// VGG-16 with batch normalisation: `torchvision.models.vgg16_bn()`.
    vgg16_bn, vgg16_bn_with = Config(D, true);
    /// VGG-19: `torchvision.models.vgg19()`.
    vgg19, vgg19_with = Config(E, false);
    /// VGG-19 with batch normalisation: `torchvision.models.vgg19_bn()`.
    vgg19_bn, vgg19_bn_with = Config(E, true);
}

/// 3×3 convolutions between five poolings, and three linear layers.
#[derive(Module)]
pub struct VGG {
    /// The convolutions.
    pub features: nn::Sequential,
    /// To 7×7.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// The linear layers.
    pub classifier: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl VGG {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.avgpool.call(self.features.call(x));
        self.classifier.call(x.flatten(1))
    }
}

impl Config {
    fn options(&self) -> VGGOptions {
        VGGOptions::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: VGGOptions<W>) -> W::Made<VGG> {
        let relu = || nn::ReLU::with(|o| o.inplace(true));
        let mut features = nn::Sequential::default();
        let mut from = 3;
        for (&count, to) in self.0.iter().zip(CHANNELS) {
            for _ in 0..count {
                features.push(nn::Conv2d::with(from, to, 3, |o| o.padding(1)));
                if self.1 {
                    features.push(nn::BatchNorm2d::new(to));
                }
                features.push(relu());
                from = to;
            }
            features.push(nn::MaxPool2d::with(2, |o| o.stride(2)));
        }
        let dropout = || nn::Dropout::new(o.dropout);
        let model = VGG {
            features,
            avgpool: nn::AdaptiveAvgPool2d::new((7, 7)),
            classifier: nn::sequential![
                nn::Linear::new(512 * 7 * 7, 4096),
                relu(),
                dropout(),
                nn::Linear::new(4096, 4096),
                relu(),
                dropout(),
                nn::Linear::new(4096, o.num_classes),
            ],
            state: nn::ModuleState::new(),
        };
        if o.init_weights && !W::FROM_FILE {
            draw(&model, fan_out, normal(0.01));
        }
        o.weights.give(model, same_keys, |_| {})
    }
}
