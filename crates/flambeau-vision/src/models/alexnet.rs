//! AlexNet (Krizhevsky, Sutskever and Hinton, 2012), in the form of "One weird trick" (2014).

use super::options::{Weights, constructors, model_options, same_keys};
use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Module, forward};

model_options! {
    /// Options of [`AlexNet`].
    AlexNetOptions {
        /// The share of zeroed features before both hidden layers (0.5).
        dropout: f64 = 0.5,
    }
}

struct Config;

constructors! {
    AlexNet, AlexNetOptions;
    /// AlexNet: `torchvision.models.alexnet()`.
    ///
    /// ```no_run
    /// use torch::vision::models;
    /// let model = models::alexnet();
    /// assert_eq!(model.call(torch::ones((1, 3, 224, 224))).size(), [1, 1000]);
    /// ```
    alexnet, alexnet_with = Config;
}

/// Five convolutions and three linear layers.
#[derive(Module)]
pub struct AlexNet {
    /// The convolutions.
    pub features: nn::Sequential,
    /// To 6×6.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// The linear layers.
    pub classifier: nn::Sequential,
    state: nn::ModuleState,
}

#[forward]
impl AlexNet {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.avgpool.call(self.features.call(x));
        self.classifier.call(x.flatten(1))
    }
}

/// Channels in and out, side, stride and padding of each convolution, and whether a pooling follows.
const CONVOLUTIONS: [([usize; 5], bool); 5] = [
    ([3, 64, 11, 4, 2], true),
    ([64, 192, 5, 1, 2], true),
    ([192, 384, 3, 1, 1], false),
    ([384, 256, 3, 1, 1], false),
    ([256, 256, 3, 1, 1], true),
];

impl Config {
    fn options(&self) -> AlexNetOptions {
        AlexNetOptions::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: AlexNetOptions<W>) -> W::Made<AlexNet> {
        let relu = || nn::ReLU::with(|o| o.inplace(true));
        let mut features = nn::Sequential::default();
        for ([from, to, side, stride, padding], pooled) in CONVOLUTIONS {
            features.push(nn::Conv2d::with(from, to, side, |o| o.stride(stride).padding(padding))).push(relu());
            if pooled {
                features.push(nn::MaxPool2d::with(3, |o| o.stride(2)));
            }
        }
        let model = AlexNet {
            features,
            avgpool: nn::AdaptiveAvgPool2d::new((6, 6)),
            classifier: nn::sequential![
                nn::Dropout::new(o.dropout),
                nn::Linear::new(256 * 6 * 6, 4096),
                relu(),
                nn::Dropout::new(o.dropout),
                nn::Linear::new(4096, 4096),
                relu(),
                nn::Linear::new(4096, o.num_classes),
            ],
            state: nn::ModuleState::new(),
        };
        o.weights.give(model, same_keys, |_| {})
    }
}
