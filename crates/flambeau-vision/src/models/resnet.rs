//! Residual networks (He and others, 2015), ResNeXt (Xie and others, 2016) and wide ones (Zagoruyko, Komodakis, 2016).

use super::init::{draw, fan_out, keep};
use super::options::{Weights, constructors, model_options, same_keys};
use crate::ops::{NormLayer, batch_norm};
use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Forward, Module, forward, init};

model_options! {
    /// Options of residual networks.
    ResNetOptions {
        /// Whether each block's last normalisation begins with a scale of 0, so that the block does nothing at first (false).
        zero_init_residual: bool = false,
        /// Groups of the 3×3 convolutions of bottlenecks (1; ResNeXt has its own).
        groups: usize = 1,
        /// Channels in each group for each 64 of the block (64; ResNeXt and wide networks have their own).
        width_per_group: usize = 64,
        /// Whether layers 2, 3 and 4 widen their kernels by dilation in place of striding (none does).
        replace_stride_with_dilation: Stages = Stages([false; 3]),
    }
    norm norm_layer = batch_norm()
}

/// A choice for each of layers 2, 3 and 4: an array of three truth values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stages([bool; 3]);

impl flambeau_autograd::Setting<Stages> for [bool; 3] {
    fn setting(self) -> Stages {
        Stages(self)
    }
}

/// What networks of this family differ in.
struct Config {
    bottleneck: bool,
    layers: [usize; 4],
    /// The groups and their width, where the name says them.
    groups: Option<(usize, usize)>,
}

const fn plain(bottleneck: bool, layers: [usize; 4]) -> Config {
    Config { bottleneck, layers, groups: None }
}

const fn grouped(layers: [usize; 4], groups: usize, width: usize) -> Config {
    Config { bottleneck: true, layers, groups: Some((groups, width)) }
}

constructors! {
    ResNet, ResNetOptions;
    /// ResNet-18: `torchvision.models.resnet18()`.
    ///
    /// ```
    /// use torch::nn::Module;
    /// use torch::vision::models;
    /// let model = models::resnet18_with(|o| o.num_classes(10));
    /// assert_eq!(model.fc.weight.size(), [10, 512]);
    /// assert_eq!(model.named_parameters()[3].0, "layer1.0.conv1.weight");
    /// assert!(models::resnet18_with(|o| o.weights("no/such/file.pth")).is_err());
    /// ```
    resnet18, resnet18_with = plain(false, [2, 2, 2, 2]);
    /// ResNet-34: `torchvision.models.resnet34()`.
    resnet34, resnet34_with = plain(false, [3, 4, 6, 3]);
    /// ResNet-50: `torchvision.models.resnet50()`.
    resnet50, resnet50_with = plain(true, [3, 4, 6, 3]);
    /// ResNet-101: `torchvision.models.resnet101()`.
    resnet101, resnet101_with = plain(true, [3, 4, 23, 3]);
    /// ResNet-152: `torchvision.models.resnet152()`.
    resnet152, resnet152_with = plain(true, [3, 8, 36, 3]);
    /// ResNeXt-50 32x4d: `torchvision.models.resnext50_32x4d()`.
    resnext50_32x4d, resnext50_32x4d_with = grouped([3, 4, 6, 3], 32, 4);
    /// ResNeXt-101 32x8d: `torchvision.models.resnext101_32x8d()`.
    resnext101_32x8d, resnext101_32x8d_with = grouped([3, 4, 23, 3], 32, 8);
    /// ResNeXt-101 64x4d: `torchvision.models.resnext101_64x4d()`.
    resnext101_64x4d, resnext101_64x4d_with = grouped([3, 4, 23, 3], 64, 4);
    /// Wide ResNet-50-2: `torchvision.models.wide_resnet50_2()`.
    wide_resnet50_2, wide_resnet50_2_with = grouped([3, 4, 6, 3], 1, 128);
    /// Wide ResNet-101-2: `torchvision.models.wide_resnet101_2()`.
    wide_resnet101_2, wide_resnet101_2_with = grouped([3, 4, 23, 3], 1, 128);
}

/// A residual network: seven-wide convolution, four layers of blocks, one linear layer.
#[derive(Module)]
pub struct ResNet {
    /// The first convolution.
    pub conv1: nn::Conv2d,
    /// Its normalisation.
    pub bn1: Box<dyn Forward>,
    /// The activation.
    pub relu: nn::ReLU,
    /// The first pooling.
    pub maxpool: nn::MaxPool2d,
    /// Blocks on a quarter of the input's height and width.
    pub layer1: nn::Sequential,
    /// Blocks on an eighth.
    pub layer2: nn::Sequential,
    /// Blocks on a sixteenth.
    pub layer3: nn::Sequential,
    /// Blocks on a thirty-second.
    pub layer4: nn::Sequential,
    /// The mean of each plane.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// From features to classes.
    pub fc: nn::Linear,
    state: nn::ModuleState,
}

#[forward]
impl ResNet {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.relu.call(self.bn1.call_ref(&self.conv1.call(x)));
        let x = self.layer2.call(self.layer1.call(self.maxpool.call(x)));
        let x = self.avgpool.call(self.layer4.call(self.layer3.call(x)));
        self.fc.call(x.flatten(1))
    }
}

/// Two 3×3 convolutions around which the input is added: the block of ResNet-18 and 34.
#[derive(Module)]
pub struct BasicBlock {
    /// The first convolution, which strides.
    pub conv1: nn::Conv2d,
    /// Its normalisation.
    pub bn1: Box<dyn Forward>,
    /// The activation.
    pub relu: nn::ReLU,
    /// The second convolution.
    pub conv2: nn::Conv2d,
    /// Its normalisation.
    pub bn2: Box<dyn Forward>,
    /// What fits the input to the output, where they differ.
    pub downsample: Option<nn::Sequential>,
    state: nn::ModuleState,
}

/// Convolutions of 1×1, 3×3 and 1×1 around which the input is added: the block of deeper networks.
#[derive(Module)]
pub struct Bottleneck {
    /// To fewer channels.
    pub conv1: nn::Conv2d,
    /// Its normalisation.
    pub bn1: Box<dyn Forward>,
    /// The 3×3 convolution, which strides.
    pub conv2: nn::Conv2d,
    /// Its normalisation.
    pub bn2: Box<dyn Forward>,
    /// To four times the channels.
    pub conv3: nn::Conv2d,
    /// Its normalisation.
    pub bn3: Box<dyn Forward>,
    /// The activation.
    pub relu: nn::ReLU,
    /// What fits the input to the output, where they differ.
    pub downsample: Option<nn::Sequential>,
    state: nn::ModuleState,
}

/// Adds the input, or what fits it, to a block's output, and applies the activation.
#[track_caller]
fn join(out: Tensor, x: &Tensor, downsample: &Option<nn::Sequential>, relu: &nn::ReLU) -> Tensor {
    match downsample {
        Some(downsample) => relu.call(out.add_(downsample.call(x))),
        None => relu.call(out.add_(x)),
    }
}

#[forward]
impl BasicBlock {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let out = self.relu.call(self.bn1.call_ref(&self.conv1.call(x)));
        let out = self.bn2.call_ref(&self.conv2.call(out));
        join(out, x, &self.downsample, &self.relu)
    }
}

#[forward]
impl Bottleneck {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let out = self.relu.call(self.bn1.call_ref(&self.conv1.call(x)));
        let out = self.relu.call(self.bn2.call_ref(&self.conv2.call(out)));
        let out = self.bn3.call_ref(&self.conv3.call(out));
        join(out, x, &self.downsample, &self.relu)
    }
}

/// A 3×3 convolution that keeps the size at stride 1.
#[track_caller]
fn conv3x3(from: usize, to: usize, stride: usize, groups: usize, dilation: usize) -> nn::Conv2d {
    nn::Conv2d::with(from, to, 3, |o| o.stride(stride).padding(dilation).groups(groups).bias(false).dilation(dilation))
}

#[track_caller]
fn conv1x1(from: usize, to: usize, stride: usize) -> nn::Conv2d {
    nn::Conv2d::with(from, to, 1, |o| o.stride(stride).bias(false))
}

/// Where the making of a network stands.
struct Maker<'a> {
    bottleneck: bool,
    groups: usize,
    width: usize,
    norm: &'a NormLayer,
    channels: usize,
    dilation: usize,
}

impl Maker<'_> {
    fn expansion(&self) -> usize {
        if self.bottleneck { 4 } else { 1 }
    }

    #[track_caller]
    fn block(
        &self,
        planes: usize,
        stride: usize,
        dilation: usize,
        downsample: Option<nn::Sequential>,
    ) -> Box<dyn Forward> {
        let (from, norm, state) = (self.channels, self.norm, nn::ModuleState::new());
        let relu = || nn::ReLU::with(|o| o.inplace(true));
        if !self.bottleneck {
            assert!(dilation == 1, "Dilation > 1 not supported in BasicBlock");
            return Box::new(BasicBlock {
                conv1: conv3x3(from, planes, stride, 1, 1),
                bn1: norm(planes),
                relu: relu(),
                conv2: conv3x3(planes, planes, 1, 1, 1),
                bn2: norm(planes),
                downsample,
                state,
            });
        }
        let width = (planes as f64 * (self.width as f64 / 64.0)) as usize * self.groups;
        Box::new(Bottleneck {
            conv1: conv1x1(from, width, 1),
            bn1: norm(width),
            conv2: conv3x3(width, width, stride, self.groups, dilation),
            bn2: norm(width),
            conv3: conv1x1(width, planes * 4, 1),
            bn3: norm(planes * 4),
            relu: relu(),
            downsample,
            state,
        })
    }

    #[track_caller]
    fn layer(&mut self, planes: usize, blocks: usize, mut stride: usize, dilate: bool) -> nn::Sequential {
        let (before, to) = (self.dilation, planes * self.expansion());
        if dilate {
            self.dilation *= stride;
            stride = 1;
        }
        let downsample = (stride != 1 || self.channels != to)
            .then(|| nn::sequential![conv1x1(self.channels, to, stride), (self.norm)(to)]);
        let mut layer = nn::Sequential::default();
        layer.push(self.block(planes, stride, before, downsample));
        self.channels = to;
        for _ in 1..blocks {
            layer.push(self.block(planes, 1, self.dilation, None));
        }
        layer
    }
}

impl Config {
    fn options(&self) -> ResNetOptions {
        let (groups, width) = self.groups.unwrap_or((1, 64));
        ResNetOptions { groups, width_per_group: width, ..ResNetOptions::default() }
    }

    #[track_caller]
    fn build<W: Weights>(&self, o: ResNetOptions<W>) -> W::Made<ResNet> {
        self.check(&o);
        let Stages(dilate) = o.replace_stride_with_dilation;
        let (norm, groups, width) = (&o.norm_layer, o.groups, o.width_per_group);
        let mut maker = Maker { bottleneck: self.bottleneck, groups, width, norm, channels: 64, dilation: 1 };
        let model = ResNet {
            conv1: nn::Conv2d::with(3, 64, 7, |o| o.stride(2).padding(3).bias(false)),
            bn1: norm(64),
            relu: nn::ReLU::with(|o| o.inplace(true)),
            maxpool: nn::MaxPool2d::with(3, |o| o.stride(2).padding(1)),
            layer1: maker.layer(64, self.layers[0], 1, false),
            layer2: maker.layer(128, self.layers[1], 2, dilate[0]),
            layer3: maker.layer(256, self.layers[2], 2, dilate[1]),
            layer4: maker.layer(512, self.layers[3], 2, dilate[2]),
            avgpool: nn::AdaptiveAvgPool2d::new((1, 1)),
            fc: nn::Linear::new(512 * maker.expansion(), o.num_classes),
            state: nn::ModuleState::new(),
        };
        draw(&model, fan_out, keep);
        if o.zero_init_residual {
            zero_last_norms(&model);
        }
        o.weights.give(model, same_keys, |_| {})
    }

    /// Refuses other groups than a network's own, and groups of basic blocks.
    #[track_caller]
    fn check<W>(&self, o: &ResNetOptions<W>) {
        let given = [("groups", o.groups), ("width_per_group", o.width_per_group)];
        if let Some((groups, width)) = self.groups {
            // The wide networks leave the groups open.
            for ((name, given), own) in given.into_iter().zip([groups, width]) {
                let fixed = name != "groups" || groups != 1;
                assert!(!fixed || given == own, "The parameter '{name}' expected value {own} but got {given} instead.");
            }
        }
        let basic = !self.bottleneck;
        assert!(
            !basic || (o.groups, o.width_per_group) == (1, 64),
            "BasicBlock only supports groups=1 and base_width=64"
        );
    }
}

/// Gives each block's last normalisation a scale of 0, so that the block begins as the identity.
#[track_caller]
fn zero_last_norms(model: &ResNet) {
    for module in model.modules() {
        let last = if let Some(block) = module.downcast_ref::<Bottleneck>() {
            &block.bn3
        } else if let Some(block) = module.downcast_ref::<BasicBlock>() {
            &block.bn2
        } else {
            continue;
        };
        for (name, parameter) in last.named_parameters() {
            if name == "weight" {
                init::zeros_(parameter);
            }
        }
    }
}
