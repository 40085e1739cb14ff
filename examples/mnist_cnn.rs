//! A convolutional network on the digits. Mirrors pytorch/examples, mnist/main.py; `expected/mnist_cnn.py` is the same program in
//! PyTorch, which prints the same.
//!
//! `cargo run --release --example mnist_cnn`

use clap::Parser;
use flambeau_examples::{digits, options, progress};
use std::error::Error;
use std::process::ExitCode;
use torch::optim::lr_scheduler::StepLR;
use torch::prelude::*;
use torch::utils::data::DataLoader;

#[derive(Parser)]
#[command(name = "mnist_cnn", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    on_digits: options::OnDigits,
}

const BATCH_SIZE: usize = 64;

#[derive(Module)]
struct Net {
    conv1: nn::Conv2d,
    conv2: nn::Conv2d,
    dropout1: nn::Dropout,
    dropout2: nn::Dropout,
    fc1: nn::Linear,
    fc2: nn::Linear,
}

impl Net {
    fn new() -> Self {
        Net {
            conv1: nn::Conv2d::new(1, 32, 3),
            conv2: nn::Conv2d::new(32, 64, 3),
            dropout1: nn::Dropout::new(0.25),
            dropout2: nn::Dropout::new(0.5),
            fc1: nn::Linear::new(9216, 128),
            fc2: nn::Linear::new(128, 10),
        }
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = F::relu(self.conv1.call(x));
        let x = F::relu(self.conv2.call(x));
        let x = F::max_pool2d(x, 2);
        let x = self.dropout1.call(x);
        let x = torch::flatten(x, 1);
        let x = F::relu(self.fc1.call(x));
        let x = self.dropout2.call(x);
        F::log_softmax(self.fc2.call(x), 1)
    }
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(Options { on_digits: options }: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    let [train, test] = options.start()?;
    let train_loader = DataLoader::with(train, |o| o.batch_size(BATCH_SIZE).shuffle(true));
    let model = Net::new().to(device);
    println!("{model}");
    let optimizer = optim::Adadelta::new(model.parameters(), 1.0);
    let scheduler = StepLR::new(&optimizer, 1, 0.7);
    let log = progress::Log::new(options, train_loader.dataset().len(), BATCH_SIZE);
    for epoch in 1..=options.epochs {
        model.train();
        for (data, target) in log.epoch(epoch, &train_loader) {
            optimizer.zero_grad();
            let output = model.call(digits::normalize(data.to(device)));
            let loss = F::nll_loss(output, target.to(device));
            loss.backward();
            optimizer.step();
            log.loss(&loss);
        }
        model.eval();
        digits::test(|x| model.call(digits::normalize(x)), &test, options.test_images, device);
        scheduler.step();
    }
    log.plot()
}
