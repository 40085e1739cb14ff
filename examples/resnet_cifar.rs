//! ResNet-20 on CIFAR-10. Mirrors akamaster/pytorch_resnet_cifar10, with a cycle of learning rates, label smoothing and a moving
//! average of the weights for whom they please; `expected/resnet_cifar.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example resnet_cifar -- --data cifar --epochs 200`, or `--one-cycle --label-smoothing 0.1 --ema 0.999`.
//! Without a folder it draws pictures of ten kinds, and writes and reads them in CIFAR-10's binary format.

use clap::Parser;
use flambeau_examples::pictures::{Numbers, Shape, one_shape};
use flambeau_examples::{options, progress};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use torch::nn::init;
use torch::optim::lr_scheduler::{MultiStepLR, OneCycleLR};
use torch::optim::swa_utils::{AveragedModel, get_ema_multi_avg_fn};
use torch::prelude::*;
use torch::utils::data::{DataLoader, Subset};
use torch::vision::datasets::CIFAR10;
use torch::vision::transforms;
use torch::{DType, Device, slice};

#[derive(Parser)]
#[command(name = "resnet_cifar", allow_negative_numbers = true)]
struct Options {
    /// Folder with cifar-10-batches-py or cifar-10-batches-bin; pictures are drawn if absent.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The learning rate: the first one, or the largest of the cycle.
    #[arg(long, default_value_t = 0.1, value_parser = options::learning_rate)]
    lr: f64,
    /// Let the learning rate rise and fall once, in place of a fall to a tenth after half of the passes and after three quarters.
    #[arg(long)]
    one_cycle: bool,
    /// The share of each target that is spread over all classes.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    label_smoothing: f64,
    /// Keep a moving average of the weights too, of this decay.
    #[arg(long, value_parser = share)]
    ema: Option<f64>,
    /// Compute in float64.
    #[arg(long)]
    double: bool,
    /// Pictures of a step.
    #[arg(long, default_value_t = 128, value_parser = options::at_least_one)]
    batch_size: usize,
    /// Test on so many images at most.
    #[arg(long, default_value_t = 10_000, value_parser = options::at_least_one)]
    test_images: usize,
    #[command(flatten)]
    training: options::Training,
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a number from 0 to 1".into()),
    }
}

/// Drawn pictures of a file of the training set, of which there are five, and of the test set.
const DRAWN: [usize; 2] = [400, 500];

fn weights_init(m: &dyn Module) {
    if m.downcast_ref::<nn::Linear>().is_some() || m.downcast_ref::<nn::Conv2d>().is_some() {
        init::kaiming_normal_(m.weight().unwrap());
    }
}

#[derive(Module)]
struct LambdaLayer {
    #[module(skip)]
    lambd: Arc<dyn Fn(&Tensor) -> Tensor + Send + Sync>,
}

impl Forward for LambdaLayer {
    fn forward(&self, x: &Tensor) -> Tensor {
        (self.lambd)(x)
    }
}

#[derive(Module)]
struct BasicBlock {
    conv1: nn::Conv2d,
    bn1: nn::BatchNorm2d,
    conv2: nn::Conv2d,
    bn2: nn::BatchNorm2d,
    shortcut: Box<dyn Forward>,
}

impl BasicBlock {
    fn new(in_planes: usize, planes: usize, stride: usize) -> Self {
        BasicBlock {
            conv1: nn::Conv2d::with(in_planes, planes, 3, |o| o.stride(stride).padding(1).bias(false)),
            bn1: nn::BatchNorm2d::new(planes),
            conv2: nn::Conv2d::with(planes, planes, 3, |o| o.stride(1).padding(1).bias(false)),
            bn2: nn::BatchNorm2d::new(planes),
            shortcut: if stride != 1 || in_planes != planes {
                // Every second pixel; zeros for the channels that are new.
                let every_second = || slice(None, None, 2);
                let lambd = move |x: &Tensor| {
                    F::pad(x.i((.., .., every_second(), every_second())), (0, 0, 0, 0, planes / 4, planes / 4))
                };
                Box::new(LambdaLayer { lambd: Arc::new(lambd) })
            } else {
                Box::new(nn::sequential![])
            },
        }
    }
}

impl Forward for BasicBlock {
    fn forward(&self, x: &Tensor) -> Tensor {
        let out = F::relu(self.bn1.call(self.conv1.call(x)));
        let out = self.bn2.call(self.conv2.call(out));
        F::relu(out + self.shortcut.call(x))
    }
}

#[derive(Module)]
struct ResNet {
    conv1: nn::Conv2d,
    bn1: nn::BatchNorm2d,
    layer1: nn::Sequential,
    layer2: nn::Sequential,
    layer3: nn::Sequential,
    linear: nn::Linear,
}

impl ResNet {
    fn new(num_blocks: [usize; 3], num_classes: usize) -> Self {
        let net = ResNet {
            conv1: nn::Conv2d::with(3, 16, 3, |o| o.stride(1).padding(1).bias(false)),
            bn1: nn::BatchNorm2d::new(16),
            layer1: Self::make_layer(16, 16, num_blocks[0], 1),
            layer2: Self::make_layer(16, 32, num_blocks[1], 2),
            layer3: Self::make_layer(32, 64, num_blocks[2], 2),
            linear: nn::Linear::new(64, num_classes),
        };
        net.apply(weights_init);
        net
    }

    fn make_layer(in_planes: usize, planes: usize, num_blocks: usize, stride: usize) -> nn::Sequential {
        let block =
            |i| if i == 0 { BasicBlock::new(in_planes, planes, stride) } else { BasicBlock::new(planes, planes, 1) };
        (0..num_blocks).map(block).collect()
    }
}

impl Forward for ResNet {
    fn forward(&self, x: &Tensor) -> Tensor {
        let out = F::relu(self.bn1.call(self.conv1.call(x)));
        let out = self.layer1.call(out);
        let out = self.layer2.call(out);
        let out = self.layer3.call(out);
        let out = F::avg_pool2d(&out, out.size_dim(3));
        let out = out.view((out.size_dim(0), -1));
        self.linear.call(out)
    }
}

/// Draws pictures as the files of CIFAR-10's binary version: a byte for the label, then the planes, picture after picture.
fn draw(folder: &Path, numbers: &mut Numbers) -> std::io::Result<()> {
    let folder = folder.join("cifar-10-batches-bin");
    std::fs::create_dir_all(&folder)?;
    let names = (1..=5).map(|i| (format!("data_batch_{i}.bin"), DRAWN[0]));
    for (name, count) in names.chain([("test_batch.bin".to_owned(), DRAWN[1])]) {
        let mut bytes = Vec::new();
        for i in 0..count {
            bytes.push((i % 10) as u8);
            let pixels = one_shape(numbers, 32, Shape::ALL[i % 5], i % 10 < 5).into_pixels();
            (0..3).for_each(|channel| bytes.extend(pixels.iter().skip(channel).step_by(3)));
        }
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// The training set, changed at random, and the test set as it is.
fn sets(folder: &Path) -> torch::vision::Result<[CIFAR10; 2]> {
    let normalize = || transforms::Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let train = transforms::Compose((
        transforms::RandomHorizontalFlip::new(),
        transforms::RandomCrop::with(32, |o| o.padding(4)),
        transforms::ToTensor,
        normalize(),
    ));
    let val = transforms::Compose((transforms::ToTensor, normalize()));
    Ok([CIFAR10::with(folder, true, |o| o.transform(train))?, CIFAR10::with(folder, false, |o| o.transform(val))?])
}

/// Says how good a model is on the test set.
fn test(name: &str, model: &impl Forward, val_loader: &DataLoader<Subset<CIFAR10>>, place: (Device, DType)) -> String {
    model.eval();
    let _guard = torch::no_grad();
    let (mut loss, mut correct, mut count) = (0.0, 0.0, 0);
    for (input, target) in val_loader {
        let target = target.to(place.0);
        let output = model.call(input.to(place));
        loss += F::cross_entropy_with(&output, &target, |o| o.reduction("sum")).item();
        correct += output.argmax_dim(1, false).eq(&target).sum().item();
        count += target.len();
    }
    format!("{name}: Average loss: {:.4}, Accuracy: {correct}/{count}", loss / count as f64)
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let training = &options.training;
    training.common.start()?;
    let place = (training.common.device, if options.double { torch::float64 } else { torch::float32 });
    let drawn = tempfile::tempdir()?;
    if options.data.is_none() {
        draw(drawn.path(), &mut Numbers::new(training.common.seed))?;
    }
    let [train_set, val_set] = sets(options.data.as_deref().unwrap_or(drawn.path()))?;
    let batch_size = options.batch_size;
    let train_loader = DataLoader::with(train_set, |o| o.batch_size(batch_size).shuffle(true));
    let tested = 0..options.test_images.min(val_set.len());
    let val_loader = DataLoader::new(Subset::new(val_set, tested), batch_size);
    let model = ResNet::new([3, 3, 3], 10).to(place);
    println!("{model}");
    let criterion = nn::CrossEntropyLoss::with(|o| o.label_smoothing(options.label_smoothing));
    let optimizer = optim::SGD::with(model.parameters(), options.lr, |o| o.momentum(0.9).weight_decay(1e-4));
    let epochs = training.epochs;
    let steps_per_epoch = training.steps.map_or(train_loader.len(), |steps| steps.min(train_loader.len()));
    // One steps after each batch, the other after each pass.
    let cycle = options
        .one_cycle
        .then(|| OneCycleLR::with(&optimizer, options.lr, |o| o.epochs(epochs).steps_per_epoch(steps_per_epoch)));
    let falls = (!options.one_cycle).then(|| MultiStepLR::new(&optimizer, [epochs / 2, epochs * 3 / 4], 0.1));
    let ema = options
        .ema
        .map(|decay| AveragedModel::with(&model, |o| o.multi_avg_fn(get_ema_multi_avg_fn(decay)).use_buffers(true)));
    let log = progress::Log::new(training, train_loader.dataset().len(), batch_size);
    for epoch in 1..=epochs {
        log.say(format!("current lr {:.6}", optimizer.param_groups()[0].lr()));
        model.train();
        for (input, target) in log.epoch(epoch, &train_loader) {
            let output = model.call(input.to(place));
            let loss = criterion.call(output, target.to(place.0));
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            if let Some(scheduler) = &cycle {
                scheduler.step();
            }
            if let Some(ema) = &ema {
                ema.update_parameters(&model);
            }
            log.loss(&loss);
        }
        if let Some(scheduler) = &falls {
            scheduler.step();
        }
        log.say(test("Test set", &model, &val_loader, place));
        if let Some(ema) = &ema {
            log.say(test("Moving average", ema, &val_loader, place));
        }
    }
    log.plot()
}
