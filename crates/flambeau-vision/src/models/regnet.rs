//! RegNet (Radosavovic and others, 2020): widths of blocks on a line, found by looking at many networks.

use super::init::{draw, make_divisible, normal};
use super::options::{Weights, constructors, model_options, same_keys};
use crate::ops::{Conv2dNormActivation, ConvNormActivationOptions, NormLayer, SqueezeExcitation, batch_norm};
use crate::sequential::{SequentialKind, SequentialOf};
use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Module, forward, init};

model_options! {
    /// Options of [`RegNet`].
    RegNetOptions {
        /// The channels behind the first convolution (32).
        stem_width: usize = 32,
    }
    norm norm_layer = batch_norm()
}

/// The line of widths: how many blocks, the first width, the slope, the ratio of stages' widths, the channels in a group, and
/// whether channels are scaled, with a quarter of the input's squeezed.
struct Config(usize, f64, f64, f64, usize, bool);

constructors! {
    RegNet, RegNetOptions;
    /// RegNet Y of 400 MF: `torchvision.models.regnet_y_400mf()`.
    regnet_y_400mf, regnet_y_400mf_with = Config(16, 48.0, 27.89, 2.09, 8, true);
    /// RegNet Y of 800 MF: `torchvision.models.regnet_y_800mf()`.
    regnet_y_800mf, regnet_y_800mf_with = Config(14, 56.0, 38.84, 2.4, 16, true);
    /// RegNet Y of 1.6 GF: `torchvision.models.regnet_y_1_6gf()`.
    regnet_y_1_6gf, regnet_y_1_6gf_with = Config(27, 48.0, 20.71, 2.65, 24, true);
    /// RegNet Y of 3.2 GF: `torchvision.models.regnet_y_3_2gf()`.
    regnet_y_3_2gf, regnet_y_3_2gf_with = Config(21, 80.0, 42.63, 2.66, 24, true);
    /// RegNet Y of 8 GF: `torchvision.models.regnet_y_8gf()`.
    regnet_y_8gf, regnet_y_8gf_with = Config(17, 192.0, 76.82, 2.19, 56, true);
    /// RegNet Y of 16 GF: `torchvision.models.regnet_y_16gf()`.
    regnet_y_16gf, regnet_y_16gf_with = Config(18, 200.0, 106.23, 2.48, 112, true);
    /// RegNet Y of 32 GF: `torchvision.models.regnet_y_32gf()`.
    regnet_y_32gf, regnet_y_32gf_with = Config(20, 232.0, 115.89, 2.53, 232, true);
    /// RegNet Y of 128 GF: `torchvision.models.regnet_y_128gf()`.
    regnet_y_128gf, regnet_y_128gf_with = Config(27, 456.0, 160.83, 2.52, 264, true);
    /// RegNet X of 400 MF: `torchvision.models.regnet_x_400mf()`.
    regnet_x_400mf, regnet_x_400mf_with = Config(22, 24.0, 24.48, 2.54, 16, false);
    /// RegNet X of 800 MF: `torchvision.models.regnet_x_800mf()`.
    regnet_x_800mf, regnet_x_800mf_with = Config(16, 56.0, 35.73, 2.28, 16, false);
    /// RegNet X of 1.6 GF: `torchvision.models.regnet_x_1_6gf()`.
    regnet_x_1_6gf, regnet_x_1_6gf_with = Config(18, 80.0, 34.01, 2.25, 24, false);
    /// RegNet X of 3.2 GF: `torchvision.models.regnet_x_3_2gf()`.
    regnet_x_3_2gf, regnet_x_3_2gf_with = Config(25, 88.0, 26.31, 2.25, 48, false);
    /// RegNet X of 8 GF: `torchvision.models.regnet_x_8gf()`.
    regnet_x_8gf, regnet_x_8gf_with = Config(23, 80.0, 49.56, 2.88, 120, false);
    /// RegNet X of 16 GF: `torchvision.models.regnet_x_16gf()`.
    regnet_x_16gf, regnet_x_16gf_with = Config(22, 216.0, 55.59, 2.1, 128, false);
    /// RegNet X of 32 GF: `torchvision.models.regnet_x_32gf()`.
    regnet_x_32gf, regnet_x_32gf_with = Config(23, 320.0, 69.86, 2.0, 168, false);
}

/// The kinds of sequences in this module.
pub mod kinds {
    use super::SequentialKind;

    /// The kind of the first convolution.
    pub struct SimpleStemIN;
    impl SequentialKind for SimpleStemIN {
        const NAME: &'static str = "SimpleStemIN";
    }

    /// The kind of a stage.
    pub struct AnyStage;
    impl SequentialKind for AnyStage {
        const NAME: &'static str = "AnyStage";
    }

    /// The kind of a block's convolutions.
    pub struct BottleneckTransform;
    impl SequentialKind for BottleneckTransform {
        const NAME: &'static str = "BottleneckTransform";
    }
}

/// The first convolution, normalised.
pub type SimpleStemIN = SequentialOf<kinds::SimpleStemIN>;
/// Blocks of one width.
pub type AnyStage = SequentialOf<kinds::AnyStage>;
/// Convolutions of 1×1, 3×3 in groups, and 1×1.
pub type BottleneckTransform = SequentialOf<kinds::BottleneckTransform>;

/// Stages of bottlenecks in groups, and a linear layer.
#[derive(Module)]
pub struct RegNet {
    /// The first convolution.
    pub stem: SimpleStemIN,
    /// The stages.
    pub trunk_output: nn::Sequential,
    /// The mean of each plane.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// From features to classes.
    pub fc: nn::Linear,
    state: nn::ModuleState,
}

#[forward]
impl RegNet {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.avgpool.call(self.trunk_output.call(self.stem.call(x)));
        self.fc.call(x.flatten(1))
    }
}

/// A bottleneck around which the input, or what fits it, is added.
#[derive(Module)]
pub struct ResBottleneckBlock {
    /// What fits the input to the output, where they differ.
    pub proj: Option<Conv2dNormActivation>,
    /// The bottleneck.
    pub f: BottleneckTransform,
    /// The activation behind the sum.
    pub activation: nn::ReLU,
    state: nn::ModuleState,
}

#[forward]
impl ResBottleneckBlock {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let sum = match &self.proj {
            Some(proj) => proj.call(x).add(self.f.call(x)),
            None => x.add(self.f.call(x)),
        };
        self.activation.call(sum)
    }
}

impl ResBottleneckBlock {
    #[track_caller]
    fn new(from: usize, to: usize, stride: usize, group: usize, scaled: bool, norm: &NormLayer) -> Self {
        let conv = |from, to, set: &dyn Fn(ConvNormActivationOptions) -> ConvNormActivationOptions| {
            Conv2dNormActivation::with(from, to, |o| set(o.kernel_size(1).norm(Some(norm.clone()))))
        };
        let proj = (from != to || stride != 1).then(|| conv(from, to, &|o| o.stride(stride).without_activation()));
        let mut f = nn::sequential![
            "a" => conv(from, to, &|o| o),
            "b" => conv(to, to, &|o| o.kernel_size(3).stride(stride).groups(to / group)),
        ];
        if scaled {
            let squeezed = (0.25 * from as f64).round_ties_even() as usize;
            f.add_module("se", SqueezeExcitation::new(to, squeezed));
        }
        f.add_module("c", conv(to, to, &|o| o.without_activation()));
        ResBottleneckBlock {
            proj,
            f: BottleneckTransform::of(f),
            activation: nn::ReLU::with(|o| o.inplace(true)),
            state: nn::ModuleState::new(),
        }
    }
}

/// Blocks of one width: how many, how wide, and the channels in a group.
struct Stage {
    depth: usize,
    width: usize,
    group: usize,
}

impl Config {
    fn options(&self) -> RegNetOptions {
        RegNetOptions::default()
    }

    /// The widths on the line, rounded to powers of the ratio, then to multiples of 8 and of the groups.
    fn stages(&self) -> Vec<Stage> {
        let &Config(depth, first, slope, ratio, group, _) = self;
        let mut stages: Vec<Stage> = Vec::new();
        for i in 0..depth {
            // In float32, as PyTorch's tensors have it.
            let width = i as f32 * slope as f32 + first as f32;
            let power = ((width / first as f32).ln() / ratio.ln() as f32).round_ties_even();
            let width = (first as f32 * (ratio as f32).powf(power) / 8.0).round_ties_even() as usize * 8;
            match stages.last_mut() {
                Some(stage) if stage.width == width => stage.depth += 1,
                _ => stages.push(Stage { depth: 1, width, group }),
            }
        }
        for stage in &mut stages {
            stage.group = group.min(stage.width);
            stage.width = make_divisible(stage.width as f64, stage.group);
        }
        stages
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: RegNetOptions<W>) -> W::Made<RegNet> {
        let norm = &o.norm_layer;
        let stem = ConvNormActivationOptions::<2>::default().stride(2).norm(Some(norm.clone()));
        let stem = SimpleStemIN::of(stem.layers(3, o.stem_width));
        let mut trunk = nn::Sequential::default();
        let mut from = o.stem_width;
        for (i, Stage { depth, width, group }) in self.stages().into_iter().enumerate() {
            let mut stage = nn::Sequential::default();
            for k in 0..depth {
                let (from, stride) = if k == 0 { (from, 2) } else { (width, 1) };
                let block = ResBottleneckBlock::new(from, width, stride, group, self.5, norm);
                stage.add_module(format!("block{}-{k}", i + 1), block);
            }
            trunk.add_module(format!("block{}", i + 1), AnyStage::of(stage));
            from = width;
        }
        let model = RegNet {
            stem,
            trunk_output: trunk,
            avgpool: nn::AdaptiveAvgPool2d::new((1, 1)),
            fc: nn::Linear::new(from, o.num_classes),
            state: nn::ModuleState::new(),
        };
        let conv = |conv: &nn::Conv2d| {
            let [out, _, height, width] = conv.weight.sizes::<[usize; 4]>();
            init::normal_(&conv.weight, 0.0, (2.0 / (height * width * out) as f64).sqrt());
        };
        draw(&model, conv, normal(0.01));
        o.weights.give(model, same_keys, |_| {})
    }
}
