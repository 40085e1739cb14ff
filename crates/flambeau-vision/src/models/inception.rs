//! Inception v3 (Szegedy and others, 2015).

use super::googlenet::{BasicConv2d, renormalized};
use super::init::draw;
use super::options::{Weights, constructors, model_options, same_keys};
use super::outputs::logits_of;
use crate::sequential::{SequentialKind, SequentialOf};
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_nn::functional as F;
use flambeau_nn::{self as nn, Forward, Module, forward, init};

model_options! {
    /// Options of [`Inception3`].
    Inception3Options {
        /// Whether the auxiliary classifier is there (true).
        aux_logits: bool = true,
        /// Whether inputs that were normalised as ImageNet's are normalised as this network's (false; true with a file of weights).
        transform_input: Option<bool> = None,
        /// Whether torchvision's first numbers are drawn, in place of each layer's own (true).
        init_weights: bool = true,
        /// The share of zeroed features before the linear layer (0.5).
        dropout: f64 = 0.5,
    }
}

struct Config;

constructors! {
    Inception3, Inception3Options;
    /// Inception v3: `torchvision.models.inception_v3()`. In training with the auxiliary classifier images are 299×299 at least.
    inception_v3, inception_v3_with = Config;
}

/// What [`Inception3`] returns: in training with the auxiliary classifier two logits, else one. It lends the main ones, so that it
/// is used as the tensor that Python's model returns then.
pub struct InceptionOutputs {
    /// Of the main classifier.
    pub logits: Tensor,
    /// Of the auxiliary classifier.
    pub aux_logits: Option<Tensor>,
}

logits_of!(InceptionOutputs { aux_logits });

/// Eleven blocks of branches and a linear layer, with an auxiliary classifier in training.
#[derive(Module)]
#[allow(non_snake_case)]
pub struct Inception3 {
    transform_input: bool,
    /// The first convolution.
    pub Conv2d_1a_3x3: BasicConv2d,
    /// The second convolution.
    pub Conv2d_2a_3x3: BasicConv2d,
    /// The third convolution.
    pub Conv2d_2b_3x3: BasicConv2d,
    /// The first pooling.
    pub maxpool1: nn::MaxPool2d,
    /// The fourth convolution.
    pub Conv2d_3b_1x1: BasicConv2d,
    /// The fifth convolution.
    pub Conv2d_4a_3x3: BasicConv2d,
    /// The second pooling.
    pub maxpool2: nn::MaxPool2d,
    /// A block of kind A.
    pub Mixed_5b: Block<'A'>,
    /// A block of kind A.
    pub Mixed_5c: Block<'A'>,
    /// A block of kind A.
    pub Mixed_5d: Block<'A'>,
    /// A block of kind B.
    pub Mixed_6a: Block<'B'>,
    /// A block of kind C.
    pub Mixed_6b: Block<'C'>,
    /// A block of kind C.
    pub Mixed_6c: Block<'C'>,
    /// A block of kind C.
    pub Mixed_6d: Block<'C'>,
    /// A block of kind C.
    pub Mixed_6e: Block<'C'>,
    /// The classifier in the middle.
    pub AuxLogits: Option<InceptionAux>,
    /// A block of kind D.
    pub Mixed_7a: Block<'D'>,
    /// A block of kind E.
    pub Mixed_7b: Block<'E'>,
    /// A block of kind E.
    pub Mixed_7c: Block<'E'>,
    /// The mean of each plane.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// Before the linear layer.
    pub dropout: nn::Dropout,
    /// From features to classes.
    pub fc: nn::Linear,
    state: nn::ModuleState,
}

#[forward]
impl Inception3 {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> InceptionOutputs {
        let x = if self.transform_input { renormalized(x) } else { x.shallow_clone() };
        let x = self.Conv2d_2b_3x3.call(self.Conv2d_2a_3x3.call(self.Conv2d_1a_3x3.call(x)));
        let x = self.Conv2d_4a_3x3.call(self.Conv2d_3b_1x1.call(self.maxpool1.call(x)));
        let x = self.Mixed_5c.call(self.Mixed_5b.call(self.maxpool2.call(x)));
        let x = self.Mixed_6a.call(self.Mixed_5d.call(x));
        let x = self.Mixed_6e.call(self.Mixed_6d.call(self.Mixed_6c.call(self.Mixed_6b.call(x))));
        let aux = self.AuxLogits.as_ref().filter(|_| self.state.training());
        let aux_logits = aux.map(|aux| aux.call(&x));
        let x = self.Mixed_7c.call(self.Mixed_7b.call(self.Mixed_7a.call(x)));
        let x = self.dropout.call(self.avgpool.call(x));
        InceptionOutputs { logits: self.fc.call(x.flatten(1)), aux_logits }
    }
}

impl Forward for Inception3 {
    /// The main classifier's logits.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        Forward::<Tensor, InceptionOutputs>::forward(self, x).logits
    }
}

/// A block: branches side by side, of which there are five kinds, `'A'` to `'E'`, as the paper's figures have them.
pub type Block<const LETTER: char> = SequentialOf<Kind<LETTER>>;

/// The kind of a [`Block`].
pub struct Kind<const LETTER: char>;

/// A step of a branch: the module's name, its channels and its kernel.
type Step = (&'static str, usize, (usize, usize));

const ONE: (usize, usize) = (1, 1);
const THREE: (usize, usize) = (3, 3);
const ROW: (usize, usize) = (1, 7);
const COLUMN: (usize, usize) = (7, 1);

impl<const LETTER: char> Kind<LETTER> {
    /// The branches. `channels` are those behind the pooling of kind A, and those within of kind C. Steps whose names end in `a` and
    /// `b` fork a branch.
    fn branches(channels: usize) -> Vec<Vec<Step>> {
        let c = channels;
        match LETTER {
            'A' => vec![
                vec![("branch1x1", 64, ONE)],
                vec![("branch5x5_1", 48, ONE), ("branch5x5_2", 64, (5, 5))],
                vec![("branch3x3dbl_1", 64, ONE), ("branch3x3dbl_2", 96, THREE), ("branch3x3dbl_3", 96, THREE)],
                vec![("branch_pool", c, ONE)],
            ],
            'B' => vec![
                vec![("branch3x3", 384, THREE)],
                vec![("branch3x3dbl_1", 64, ONE), ("branch3x3dbl_2", 96, THREE), ("branch3x3dbl_3", 96, THREE)],
            ],
            'C' => vec![
                vec![("branch1x1", 192, ONE)],
                vec![("branch7x7_1", c, ONE), ("branch7x7_2", c, ROW), ("branch7x7_3", 192, COLUMN)],
                vec![
                    ("branch7x7dbl_1", c, ONE),
                    ("branch7x7dbl_2", c, COLUMN),
                    ("branch7x7dbl_3", c, ROW),
                    ("branch7x7dbl_4", c, COLUMN),
                    ("branch7x7dbl_5", 192, ROW),
                ],
                vec![("branch_pool", 192, ONE)],
            ],
            'D' => vec![
                vec![("branch3x3_1", 192, ONE), ("branch3x3_2", 320, THREE)],
                vec![
                    ("branch7x7x3_1", 192, ONE),
                    ("branch7x7x3_2", 192, ROW),
                    ("branch7x7x3_3", 192, COLUMN),
                    ("branch7x7x3_4", 192, THREE),
                ],
            ],
            _ => vec![
                vec![("branch1x1", 320, ONE)],
                vec![("branch3x3_1", 384, ONE), ("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1))],
                vec![
                    ("branch3x3dbl_1", 448, ONE),
                    ("branch3x3dbl_2", 384, THREE),
                    ("branch3x3dbl_3a", 384, (1, 3)),
                    ("branch3x3dbl_3b", 384, (3, 1)),
                ],
                vec![("branch_pool", 192, ONE)],
            ],
        }
    }

    /// Whether the block halves the size: the last step of each branch strides then, and so does a pooling.
    const STRIDES: bool = matches!(LETTER, 'B' | 'D');
}

impl<const LETTER: char> SequentialKind for Kind<LETTER> {
    const NAME: &'static str = match LETTER {
        'A' => "InceptionA",
        'B' => "InceptionB",
        'C' => "InceptionC",
        'D' => "InceptionD",
        _ => "InceptionE",
    };

    #[track_caller]
    fn forward(layers: &nn::Sequential, x: &Tensor) -> Tensor {
        let mut layers = layers.iter();
        let mut outputs = Vec::new();
        for branch in Self::branches(0) {
            let mut y = match branch[0].0 {
                "branch_pool" => F::avg_pool2d_with(x, (3, 3), |o| o.stride(1).padding(1)),
                _ => x.shallow_clone(),
            };
            for ((name, ..), layer) in branch.into_iter().zip(&mut layers) {
                let new = layer.call_ref(&y);
                match name.ends_with('a') {
                    true => outputs.push(new),
                    false => y = new,
                }
            }
            outputs.push(y);
        }
        if Self::STRIDES {
            outputs.push(F::max_pool2d_with(x, (3, 3), |o| o.stride(2)));
        }
        ops::cat(&outputs, 1).or_panic()
    }
}

/// A block of so many channels; see [`Kind::branches`].
#[track_caller]
fn block<const LETTER: char>(from: usize, channels: usize) -> Block<LETTER> {
    let mut layers = nn::Sequential::default();
    for branch in Kind::<LETTER>::branches(channels) {
        let (mut inner, steps) = (from, branch.len());
        for (i, (name, to, kernel)) in branch.into_iter().enumerate() {
            let strides = Kind::<LETTER>::STRIDES && i + 1 == steps;
            let (stride, padding) = if strides { (2, [0; 2]) } else { (1, [kernel.0 / 2, kernel.1 / 2]) };
            layers.add_module(name, BasicConv2d::new(inner, to, kernel, stride, padding));
            inner = to;
        }
    }
    Block::of(layers)
}

/// A classifier of what the blocks in the middle give.
#[derive(Module)]
pub struct InceptionAux {
    /// A 1×1 convolution.
    pub conv0: BasicConv2d,
    /// A 5×5 convolution.
    pub conv1: BasicConv2d,
    /// From features to classes.
    pub fc: nn::Linear,
    state: nn::ModuleState,
}

#[forward]
impl InceptionAux {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.conv0.call(F::avg_pool2d_with(x, (5, 5), |o| o.stride(3)));
        self.fc.call(super::mean_of_planes(&self.conv1.call(x)))
    }
}

impl Config {
    fn options(&self) -> Inception3Options {
        Inception3Options::default()
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: Inception3Options<W>) -> W::Made<Inception3> {
        let conv = |from, to, kernel: usize, stride: usize, padding: usize| {
            BasicConv2d::new(from, to, kernel, stride, [padding; 2])
        };
        let pool = || nn::MaxPool2d::with(3, |o| o.stride(2));
        let model = Inception3 {
            transform_input: o.transform_input.unwrap_or(W::FROM_FILE),
            Conv2d_1a_3x3: conv(3, 32, 3, 2, 0),
            Conv2d_2a_3x3: conv(32, 32, 3, 1, 0),
            Conv2d_2b_3x3: conv(32, 64, 3, 1, 1),
            maxpool1: pool(),
            Conv2d_3b_1x1: conv(64, 80, 1, 1, 0),
            Conv2d_4a_3x3: conv(80, 192, 3, 1, 0),
            maxpool2: pool(),
            Mixed_5b: block(192, 32),
            Mixed_5c: block(256, 64),
            Mixed_5d: block(288, 64),
            Mixed_6a: block(288, 0),
            Mixed_6b: block(768, 128),
            Mixed_6c: block(768, 160),
            Mixed_6d: block(768, 160),
            Mixed_6e: block(768, 192),
            // A file has the auxiliary classifier in any case.
            AuxLogits: (o.aux_logits || W::FROM_FILE).then(|| InceptionAux {
                conv0: conv(768, 128, 1, 1, 0),
                conv1: conv(128, 768, 5, 1, 0),
                fc: nn::Linear::new(768, o.num_classes),
                state: nn::ModuleState::new(),
            }),
            Mixed_7a: block(768, 0),
            Mixed_7b: block(1280, 0),
            Mixed_7c: block(2048, 0),
            avgpool: nn::AdaptiveAvgPool2d::new((1, 1)),
            dropout: nn::Dropout::new(o.dropout),
            fc: nn::Linear::new(2048, o.num_classes),
            state: nn::ModuleState::new(),
        };
        if o.init_weights && !W::FROM_FILE {
            first_numbers(&model);
        }
        o.weights.give(model, same_keys, |model| {
            if !o.aux_logits {
                model.AuxLogits = None;
            }
        })
    }
}

/// Draws torchvision's first numbers: wide ones, but for the auxiliary linear layer. Shifts keep those that the layers drew.
#[track_caller]
fn first_numbers(model: &Inception3) {
    let draw_weight = |weight: &nn::Parameter, std: f64| {
        init::trunc_normal_with_(weight, |o| o.std(std));
    };
    let auxiliary = model.AuxLogits.as_ref().map(|aux| &aux.fc);
    draw(
        model,
        |conv| draw_weight(&conv.weight, 0.1),
        |linear| {
            let small = auxiliary.is_some_and(|fc| std::ptr::eq(fc, linear));
            draw_weight(&linear.weight, if small { 0.001 } else { 0.1 });
        },
    );
}
