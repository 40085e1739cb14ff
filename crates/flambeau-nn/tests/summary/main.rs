//! Summaries beside torchinfo's, line by line.

use flambeau_autograd::{Tensor, ones, zeros};
use flambeau_nn::{self as nn, Call, Forward, Module, Summary, SummaryOptions, functional as F};
use flambeau_tensor::DType;
use std::collections::HashMap;

#[derive(Module)]
struct LeNet {
    conv1: nn::Conv2d,
    pool: nn::MaxPool2d,
    conv2: nn::Conv2d,
    fc1: nn::Linear,
    drop: nn::Dropout,
    fc2: nn::Linear,
}

impl LeNet {
    fn new() -> Self {
        LeNet {
            conv1: nn::Conv2d::with(1, 6, 5, |o| o.padding(2)),
            pool: nn::MaxPool2d::new(2),
            conv2: nn::Conv2d::new(6, 16, 5),
            fc1: nn::Linear::new(400, 120),
            drop: nn::Dropout::new(0.5),
            fc2: nn::Linear::new(120, 10),
        }
    }
}

impl Forward for LeNet {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.pool.call(F::relu(self.conv1.call(x)));
        let x = self.pool.call(F::relu(self.conv2.call(x)));
        self.fc2.call(self.drop.call(F::relu(self.fc1.call(x.flatten_dims(1, -1)))))
    }
}

#[derive(Module)]
struct Block {
    conv1: nn::Conv2d,
    bn1: nn::BatchNorm2d,
    relu: nn::ReLU,
    conv2: nn::Conv2d,
    bn2: nn::BatchNorm2d,
    downsample: Option<nn::Sequential>,
}

impl Block {
    fn new(i: usize, o: usize, stride: usize) -> Self {
        let conv = |i: usize, o: usize, kernel: usize, stride: usize, padding: usize| {
            nn::Conv2d::with(i, o, kernel, |c| c.stride(stride).padding(padding).bias(false))
        };
        let changes = stride != 1 || i != o;
        Block {
            conv1: conv(i, o, 3, stride, 1),
            bn1: nn::BatchNorm2d::new(o),
            relu: nn::ReLU::new(),
            conv2: conv(o, o, 3, 1, 1),
            bn2: nn::BatchNorm2d::new(o),
            downsample: changes.then(|| nn::sequential![conv(i, o, 1, stride, 0), nn::BatchNorm2d::new(o)]),
        }
    }
}

impl Forward for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.bn2.call(self.conv2.call(self.relu.call(self.bn1.call(self.conv1.call(x)))));
        let shortcut = self.downsample.as_ref().map_or_else(|| x.shallow_clone(), |d| d.call(x));
        self.relu.call(y + shortcut)
    }
}

#[derive(Module)]
struct ResNet {
    stem: nn::Conv2d,
    layer1: nn::Sequential,
    layer2: nn::Sequential,
    pool: nn::AdaptiveAvgPool2d,
    fc: nn::Linear,
    scale: nn::Parameter,
}

impl ResNet {
    fn new() -> Self {
        let stem = nn::Conv2d::with(3, 8, 3, |o| o.stride(1).padding(1));
        stem.requires_grad_(false);
        ResNet {
            stem,
            layer1: nn::sequential![Block::new(8, 8, 1), Block::new(8, 8, 1)],
            layer2: nn::sequential![Block::new(8, 16, 2), Block::new(16, 16, 1)],
            pool: nn::AdaptiveAvgPool2d::new(1),
            fc: nn::Linear::new(16, 10),
            scale: nn::Parameter::new(ones([10])),
        }
    }
}

impl Forward for ResNet {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.layer2.call(self.layer1.call(self.stem.call(x)));
        self.fc.call(self.pool.call(x).flatten_dims(1, -1)) * &self.scale
    }
}

#[derive(Module)]
struct Listed {
    layers: Vec<nn::Linear>,
    act: nn::Tanh,
    head: nn::ModuleDict,
}

impl Listed {
    fn new() -> Self {
        let layers = (0..3).map(|_| nn::Linear::new(4, 4)).collect();
        let mut head = nn::ModuleDict::default();
        head.insert("a", nn::sequential![nn::Linear::new(4, 2), nn::ReLU::new()]);
        Listed { layers, act: nn::Tanh::new(), head }
    }
}

impl Forward for Listed {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.layers.iter().fold(x.shallow_clone(), |x, layer| self.act.call(layer.call(x)));
        self.head["a"].call_ref(&x)
    }
}

/// torchinfo's texts by name.
fn expected() -> HashMap<&'static str, &'static str> {
    let all = include_str!("torchinfo.txt").split("### ").skip(1);
    all.map(|text| text.split_once('\n').expect("a name and a text")).collect()
}

#[test]
fn summaries_are_torchinfos() {
    let expected = expected();
    let mut seen = 0;
    let mut same = |name: &str, summary: Summary| {
        seen += 1;
        assert_eq!(format!("{summary}\n"), expected[name], "{name}");
    };
    let quiet = |o: SummaryOptions| o.verbose(0);
    let images = |o: SummaryOptions| o.input_size((4, 1, 28, 28)).verbose(0);
    let mlp = nn::sequential![nn::Flatten::new(), nn::Linear::new(784, 128), nn::ReLU::new(), nn::Linear::new(128, 10)];
    same("mlp", nn::summary(&mlp, (16, 1, 28, 28)));
    let lenet = LeNet::new();
    same("lenet", nn::summary_with(&lenet, images));
    let columns =
        ["kernel_size", "input_size", "output_size", "num_params", "params_percent", "mult_adds", "trainable"];
    same(
        "lenet_cols",
        nn::summary_with(&lenet, |o| images(o).col_names(columns).col_width(18).row_settings(["var_names", "depth"])),
    );
    let resnet = ResNet::new();
    let small = |o: SummaryOptions| o.input_size((2, 3, 16, 16)).verbose(0);
    same("resnet", nn::summary_with(&resnet, small));
    let columns = ["output_size", "num_params", "mult_adds", "trainable"];
    same("resnet_depth1", nn::summary_with(&resnet, |o| small(o).depth(1).col_names(columns)));
    same("resnet_noinput", nn::summary_with(&resnet, quiet));
    let listed = Listed::new();
    let rows = |o: SummaryOptions| o.input_size((5, 4)).verbose(0);
    same("listed", nn::summary_with(&listed, |o| rows(o).row_settings(["var_names"])));
    let settings = ["ascii_only", "depth", "hide_recursive_layers"];
    same("listed_ascii", nn::summary_with(&listed, |o| rows(o).row_settings(settings)));
    same("lenet_verbose", nn::summary_with(&lenet, |o| images(o).verbose(2).col_names(["kernel_size", "num_params"])));
    let bilinear = nn::Bilinear::new(3, 4, 5);
    same("bilinear", nn::summary_with(&bilinear, |o| quiet(o).input_size((2, 3)).input_size((2, 4))));
    let data = zeros([2, 3]).to(DType::I64);
    same("data", nn::summary_with(&nn::Embedding::new(10, 4), |o| quiet(o).input_data(data)));
    assert_eq!(seen, expected.len(), "torchinfo was asked for others");
}

#[test]
fn a_summary_leaves_the_model_as_it_was() {
    let net = LeNet::new();
    net.eval();
    net.drop.register_forward_hook(|_, x, _| Some(x.mul(0)));
    nn::summary_with(&net, |o| o.input_size((1, 1, 28, 28)).mode("train").verbose(0));
    assert!(!net.training() && net.modules().iter().all(|m| !m.training()));
    let x = ones([1, 1, 28, 28]);
    let own = net.fc2.bias.as_ref().expect("a bias");
    assert!(net.forward(&x).allclose(own.expand([1, 10])), "the hook is in place, those of the summary are gone");
    let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| nn::summary(&net, (1, 2, 28, 28))));
    assert!(wrong.is_err());
    assert!(net.forward(&x).allclose(own.expand([1, 10])));
}
