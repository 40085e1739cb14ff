//! Two digits, the same or not. Mirrors pytorch/examples, siamese_network/main.py, with one residual block in place of ResNet-18;
//! `expected/siamese.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example siamese`

use clap::Parser;
use flambeau_examples::digits::Digits;
use flambeau_examples::{options, progress};
use std::error::Error;
use std::process::ExitCode;
use torch::optim::lr_scheduler::StepLR;
use torch::prelude::*;
use torch::utils::data::DataLoader;

#[derive(Parser)]
#[command(name = "siamese", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    on_digits: options::OnDigits,
}

const BATCH_SIZE: usize = 64;
const TEST_BATCH_SIZE: usize = 250;

#[derive(Module)]
struct BasicBlock {
    conv1: nn::Conv2d,
    bn1: nn::BatchNorm2d,
    conv2: nn::Conv2d,
    bn2: nn::BatchNorm2d,
    downsample: nn::Sequential,
}

impl BasicBlock {
    fn new(inplanes: usize, planes: usize, stride: usize) -> Self {
        BasicBlock {
            conv1: nn::Conv2d::with(inplanes, planes, 3, |o| o.stride(stride).padding(1).bias(false)),
            bn1: nn::BatchNorm2d::new(planes),
            conv2: nn::Conv2d::with(planes, planes, 3, |o| o.padding(1).bias(false)),
            bn2: nn::BatchNorm2d::new(planes),
            downsample: nn::sequential![
                nn::Conv2d::with(inplanes, planes, 1, |o| o.stride(stride).bias(false)),
                nn::BatchNorm2d::new(planes)
            ],
        }
    }
}

impl Forward for BasicBlock {
    fn forward(&self, x: &Tensor) -> Tensor {
        let out = F::relu(self.bn1.call(self.conv1.call(x)));
        let out = self.bn2.call(self.conv2.call(out));
        F::relu(out + self.downsample.call(x))
    }
}

#[derive(Module)]
struct SiameseNetwork {
    trunk: nn::Sequential,
    fc: nn::Sequential,
    sigmoid: nn::Sigmoid,
}

impl SiameseNetwork {
    fn new() -> Self {
        let network = SiameseNetwork {
            trunk: nn::sequential![
                nn::Conv2d::with(1, 16, 3, |o| o.stride(2).padding(1).bias(false)),
                nn::BatchNorm2d::new(16),
                nn::ReLU::with(|o| o.inplace(true)),
                BasicBlock::new(16, 32, 2),
                nn::AdaptiveAvgPool2d::new((1, 1)),
            ],
            fc: nn::sequential![nn::Linear::new(64, 256), nn::ReLU::with(|o| o.inplace(true)), nn::Linear::new(256, 1)],
            sigmoid: nn::Sigmoid::new(),
        };
        network.trunk.apply(Self::init_weights);
        network.fc.apply(Self::init_weights);
        network
    }

    fn init_weights(m: &dyn Module) {
        if let Some(linear) = m.downcast_ref::<nn::Linear>() {
            nn::init::xavier_uniform_(&linear.weight);
            linear.bias.as_ref().unwrap().data().fill_(0.01);
        }
    }

    fn forward_once(&self, x: &Tensor) -> Tensor {
        let output = self.trunk.call(x);
        output.view((output.size_dim(0), -1))
    }
}

#[nn::forward]
impl SiameseNetwork {
    fn forward(&self, input1: &Tensor, input2: &Tensor) -> Tensor {
        let output = torch::cat((self.forward_once(input1), self.forward_once(input2)), 1);
        self.sigmoid.call(self.fc.call(output))
    }
}

/// Pairs of images; those at even places show the same digit.
struct Matcher {
    data: Digits,
    grouped_examples: Vec<Vec<i64>>,
}

impl Matcher {
    fn new(data: Digits) -> Self {
        let labels = data.labels();
        let of = |digit: i64| labels.eq(digit).nonzero().squeeze_dim(1).to_vec::<i64>();
        Matcher { grouped_examples: (0..10).map(of).collect(), data }
    }

    fn choose(&self, digit: usize) -> torch::utils::data::Result<Tensor> {
        let examples = &self.grouped_examples[digit];
        let (image, _label) = self.data.get(examples[draw(0, examples.len())] as usize)?;
        Ok(image)
    }
}

fn draw(from: usize, to: usize) -> usize {
    torch::randint(from, to, 1).item() as usize
}

impl Dataset for Matcher {
    type Item = (Tensor, Tensor, f32);

    fn len(&self) -> usize {
        self.data.len()
    }

    fn get(&self, index: usize) -> torch::utils::data::Result<Self::Item> {
        let first = draw(0, 10);
        let same = index.is_multiple_of(2);
        let second = if same { first } else { (first + draw(1, 10)) % 10 };
        Ok((self.choose(first)?, self.choose(second)?, f32::from(u8::from(same))))
    }
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(Options { on_digits: options }: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    let [train, test] = options.start()?.map(Matcher::new);
    let train_loader = DataLoader::with(train, |o| o.batch_size(BATCH_SIZE).shuffle(true));
    let test_loader = DataLoader::new(test, TEST_BATCH_SIZE);
    let model = SiameseNetwork::new().to(device);
    println!("{model}");
    let optimizer = optim::Adadelta::new(model.parameters(), 1.0);
    let scheduler = StepLR::new(&optimizer, 1, 0.7);
    let criterion = nn::BCELoss::new();
    let log = progress::Log::new(options, train_loader.dataset().len(), BATCH_SIZE);
    for epoch in 1..=options.epochs {
        model.train();
        for (images_1, images_2, targets) in log.epoch(epoch, &train_loader) {
            optimizer.zero_grad();
            let outputs = model.call(images_1.to(device), images_2.to(device)).squeeze();
            let loss = criterion.call(outputs, targets.to(device));
            loss.backward();
            optimizer.step();
            log.loss(&loss);
        }
        model.eval();
        let _guard = torch::no_grad();
        let (mut test_loss, mut correct, mut count) = (0.0, 0.0, 0);
        for (images_1, images_2, targets) in test_loader.iter().take(options.test_images.div_ceil(TEST_BATCH_SIZE)) {
            let targets = targets.to(device);
            let outputs = model.call(images_1.to(device), images_2.to(device)).squeeze();
            test_loss += criterion.call(&outputs, &targets).item() * targets.len() as f64;
            correct += torch::where_(outputs.gt(0.5), 1, 0).eq(&targets).sum().item();
            count += targets.len();
        }
        let average = test_loss / count as f64;
        log.say(format!("Test set: Average loss: {average:.4}, Accuracy: {correct}/{count}"));
        scheduler.step();
    }
    log.plot()
}
