//! GoogLeNet (Szegedy and others, 2014): blocks of branches with kernels of several sizes.

use super::init::draw;
use super::options::{Weights, constructors, model_options, same_keys};
use super::outputs::logits_of;
use flambeau_autograd::Tensor;
use flambeau_nn::functional as F;
use flambeau_nn::{self as nn, Forward, Lengths, Module, forward, init};

model_options! {
    /// Options of [`GoogLeNet`].
    GoogLeNetOptions {
        /// Whether both auxiliary classifiers are there (true; false with a file of weights).
        aux_logits: Option<bool> = None,
        /// Whether inputs that were normalised as ImageNet's are normalised as this network's (false; true with a file of weights).
        transform_input: Option<bool> = None,
        /// Whether torchvision's first numbers are drawn, in place of each layer's own (true).
        init_weights: bool = true,
        /// The share of zeroed features before the linear layer (0.2).
        dropout: f64 = 0.2,
        /// The share of zeroed features in the auxiliary classifiers (0.7).
        dropout_aux: f64 = 0.7,
    }
}

struct Config;

constructors! {
    GoogLeNet, GoogLeNetOptions;
    /// GoogLeNet: `torchvision.models.googlenet()`.
    googlenet, googlenet_with = Config;
}

/// What [`GoogLeNet`] returns: in training with auxiliary classifiers three logits, else one. It lends the main ones, so that it
/// is used as the tensor that Python's model returns then.
pub struct GoogLeNetOutputs {
    /// Of the main classifier.
    pub logits: Tensor,
    /// Of the later auxiliary classifier.
    pub aux_logits2: Option<Tensor>,
    /// Of the earlier auxiliary classifier.
    pub aux_logits1: Option<Tensor>,
}

logits_of!(GoogLeNetOutputs { aux_logits2, aux_logits1 });

/// Nine [`Inception`] blocks and a linear layer, with two auxiliary classifiers in training.
#[derive(Module)]
pub struct GoogLeNet {
    transform_input: bool,
    /// The first convolution.
    pub conv1: BasicConv2d,
    /// To a quarter of the size.
    pub maxpool1: nn::MaxPool2d,
    /// A 1×1 convolution.
    pub conv2: BasicConv2d,
    /// A 3×3 convolution.
    pub conv3: BasicConv2d,
    /// To an eighth.
    pub maxpool2: nn::MaxPool2d,
    /// The first block.
    pub inception3a: Inception,
    /// The second block.
    pub inception3b: Inception,
    /// To a sixteenth.
    pub maxpool3: nn::MaxPool2d,
    /// The third block.
    pub inception4a: Inception,
    /// The fourth block.
    pub inception4b: Inception,
    /// The fifth block.
    pub inception4c: Inception,
    /// The sixth block.
    pub inception4d: Inception,
    /// The seventh block.
    pub inception4e: Inception,
    /// To a thirty-second.
    pub maxpool4: nn::MaxPool2d,
    /// The eighth block.
    pub inception5a: Inception,
    /// The last block.
    pub inception5b: Inception,
    /// The classifier behind the third block.
    pub aux1: Option<InceptionAux>,
    /// The classifier behind the sixth block.
    pub aux2: Option<InceptionAux>,
    /// The mean of each plane.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// Before the linear layer.
    pub dropout: nn::Dropout,
    /// From features to classes.
    pub fc: nn::Linear,
    state: nn::ModuleState,
}

#[forward]
impl GoogLeNet {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> GoogLeNetOutputs {
        let training = self.state.training();
        let aux = |layer: &Option<InceptionAux>, x: &Tensor| layer.as_ref().filter(|_| training).map(|aux| aux.call(x));
        let x = if self.transform_input { renormalized(x) } else { x.shallow_clone() };
        let x = self.conv2.call(self.maxpool1.call(self.conv1.call(x)));
        let x = self.maxpool2.call(self.conv3.call(x));
        let x = self.inception3b.call(self.inception3a.call(x));
        let x = self.inception4a.call(self.maxpool3.call(x));
        let aux_logits1 = aux(&self.aux1, &x);
        let x = self.inception4d.call(self.inception4c.call(self.inception4b.call(x)));
        let aux_logits2 = aux(&self.aux2, &x);
        let x = self.maxpool4.call(self.inception4e.call(x));
        let x = self.avgpool.call(self.inception5b.call(self.inception5a.call(x)));
        let logits = self.fc.call(self.dropout.call(x.flatten(1)));
        GoogLeNetOutputs { logits, aux_logits2, aux_logits1 }
    }
}

impl Forward for GoogLeNet {
    /// The main classifier's logits.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Forward::<Tensor, GoogLeNetOutputs>::forward(self, x).logits
    }
}

/// Inputs that were normalised by ImageNet's means and deviations, normalised by 0.5 and 0.5.
#[track_caller]
pub(crate) fn renormalized(x: &Tensor) -> Tensor {
    let channel = |i: i64, mean: f64, std: f64| x.narrow(1, i, 1).mul(std / 0.5).add((mean - 0.5) / 0.5);
    super::cat([channel(0, 0.485, 0.229), channel(1, 0.456, 0.224), channel(2, 0.406, 0.225)])
}

/// A convolution without a bias, a normalisation and a ReLU.
#[derive(Module)]
pub struct BasicConv2d {
    /// The convolution.
    pub conv: nn::Conv2d,
    /// Its normalisation.
    pub bn: nn::BatchNorm2d,
    state: nn::ModuleState,
}

impl BasicConv2d {
    #[track_caller]
    pub(crate) fn new(
        from: usize,
        to: usize,
        kernel: impl Into<Lengths<2>>,
        stride: usize,
        padding: [usize; 2],
    ) -> Self {
        BasicConv2d {
            conv: nn::Conv2d::with(from, to, kernel, |o| o.stride(stride).padding(padding).bias(false)),
            bn: nn::BatchNorm2d::with(to, |o| o.eps(1e-3)),
            state: nn::ModuleState::new(),
        }
    }
}

#[forward]
impl BasicConv2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.bn.call(self.conv.call(x)).relu_()
    }
}

/// Four branches side by side: 1×1, 3×3, twice 3×3's place in the paper's 5×5, and a pooling.
#[derive(Module)]
pub struct Inception {
    /// A 1×1 convolution.
    pub branch1: BasicConv2d,
    /// A 1×1 and a 3×3 convolution.
    pub branch2: nn::Sequential,
    /// A 1×1 and a 3×3 convolution, where the paper has 5×5.
    pub branch3: nn::Sequential,
    /// A pooling and a 1×1 convolution.
    pub branch4: nn::Sequential,
    state: nn::ModuleState,
}

impl Inception {
    /// Of so many channels; `to` has those of the first branch, the second's inner and outer, the third's and the fourth's.
    #[track_caller]
    fn new(from: usize, to: [usize; 6]) -> Self {
        let conv = |from, to, kernel: usize| BasicConv2d::new(from, to, kernel, 1, [kernel / 2; 2]);
        Inception {
            branch1: conv(from, to[0], 1),
            branch2: nn::sequential![conv(from, to[1], 1), conv(to[1], to[2], 3)],
            branch3: nn::sequential![conv(from, to[3], 1), conv(to[3], to[4], 3)],
            branch4: nn::sequential![
                nn::MaxPool2d::with(3, |o| o.stride(1).padding(1).ceil_mode(true)),
                conv(from, to[5], 1),
            ],
            state: nn::ModuleState::new(),
        }
    }
}

#[forward]
impl Inception {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        super::cat([self.branch1.call(x), self.branch2.call(x), self.branch3.call(x), self.branch4.call(x)])
    }
}

/// A classifier of what a block in the middle gives.
#[derive(Module)]
pub struct InceptionAux {
    /// A 1×1 convolution.
    pub conv: BasicConv2d,
    /// The hidden layer.
    pub fc1: nn::Linear,
    /// From hidden features to classes.
    pub fc2: nn::Linear,
    /// Between both.
    pub dropout: nn::Dropout,
    state: nn::ModuleState,
}

impl InceptionAux {
    #[track_caller]
    fn new(from: usize, num_classes: usize, dropout: f64) -> Self {
        InceptionAux {
            conv: BasicConv2d::new(from, 128, 1, 1, [0; 2]),
            fc1: nn::Linear::new(2048, 1024),
            fc2: nn::Linear::new(1024, num_classes),
            dropout: nn::Dropout::new(dropout),
            state: nn::ModuleState::new(),
        }
    }
}

#[forward]
impl InceptionAux {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.conv.call(F::adaptive_avg_pool2d(x, (4, 4)));
        let x = self.fc1.call(x.flatten(1)).relu_();
        self.fc2.call(self.dropout.call(x))
    }
}

impl Config {
    fn options(&self) -> GoogLeNetOptions {
        GoogLeNetOptions::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: GoogLeNetOptions<W>) -> W::Made<GoogLeNet> {
        let wanted = o.aux_logits.unwrap_or(!W::FROM_FILE);
        // A file has the auxiliary classifiers in any case.
        let aux = |from| (wanted || W::FROM_FILE).then(|| InceptionAux::new(from, o.num_classes, o.dropout_aux));
        let pool = |side: usize| nn::MaxPool2d::with(side, |o| o.stride(2).ceil_mode(true));
        let model = GoogLeNet {
            transform_input: o.transform_input.unwrap_or(W::FROM_FILE),
            conv1: BasicConv2d::new(3, 64, 7, 2, [3; 2]),
            maxpool1: pool(3),
            conv2: BasicConv2d::new(64, 64, 1, 1, [0; 2]),
            conv3: BasicConv2d::new(64, 192, 3, 1, [1; 2]),
            maxpool2: pool(3),
            inception3a: Inception::new(192, [64, 96, 128, 16, 32, 32]),
            inception3b: Inception::new(256, [128, 128, 192, 32, 96, 64]),
            maxpool3: pool(3),
            inception4a: Inception::new(480, [192, 96, 208, 16, 48, 64]),
            inception4b: Inception::new(512, [160, 112, 224, 24, 64, 64]),
            inception4c: Inception::new(512, [128, 128, 256, 24, 64, 64]),
            inception4d: Inception::new(512, [112, 144, 288, 32, 64, 64]),
            inception4e: Inception::new(528, [256, 160, 320, 32, 128, 128]),
            maxpool4: pool(2),
            inception5a: Inception::new(832, [256, 160, 320, 32, 128, 128]),
            inception5b: Inception::new(832, [384, 192, 384, 48, 128, 128]),
            aux1: aux(512),
            aux2: aux(528),
            avgpool: nn::AdaptiveAvgPool2d::new((1, 1)),
            dropout: nn::Dropout::new(o.dropout),
            fc: nn::Linear::new(1024, o.num_classes),
            state: nn::ModuleState::new(),
        };
        if o.init_weights && !W::FROM_FILE {
            // Shifts keep the numbers that the layers drew.
            let draw_weight = |weight: &nn::Parameter| {
                init::trunc_normal_with_(weight, |o| o.std(0.01));
            };
            draw(&model, |conv| draw_weight(&conv.weight), |linear| draw_weight(&linear.weight));
        }
        o.weights.give(model, same_keys, |model| {
            if !wanted {
                (model.aux1, model.aux2) = (None, None);
            }
        })
    }
}
