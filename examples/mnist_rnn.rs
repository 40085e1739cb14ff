//! An LSTM reads digits row by row. Mirrors pytorch/examples, mnist_rnn/main.py; `expected/mnist_rnn.py` is the same program in
//! PyTorch, which prints the same.
//!
//! `cargo run --release --example mnist_rnn`

use clap::Parser;
use flambeau_examples::{digits, options, progress};
use std::error::Error;
use std::process::ExitCode;
use torch::optim::lr_scheduler::StepLR;
use torch::prelude::*;
use torch::utils::data::DataLoader;

#[derive(Parser)]
#[command(name = "mnist_rnn", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    on_digits: options::OnDigits,
}

const BATCH_SIZE: usize = 64;

#[derive(Module)]
struct Net {
    rnn: nn::LSTM,
    batchnorm: nn::BatchNorm1d,
    dropout1: nn::Dropout2d,
    dropout2: nn::Dropout2d,
    fc1: nn::Linear,
    fc2: nn::Linear,
}

impl Net {
    fn new() -> Self {
        Net {
            rnn: nn::LSTM::with(28, 64, |o| o.batch_first(true)),
            batchnorm: nn::BatchNorm1d::new(64),
            dropout1: nn::Dropout2d::new(0.25),
            dropout2: nn::Dropout2d::new(0.5),
            fc1: nn::Linear::new(64, 32),
            fc2: nn::Linear::new(32, 10),
        }
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = x.reshape((-1, 28, 28));
        let (output, _hidden) = self.rnn.call(x);
        let output = output.i((.., -1, ..));
        let output = self.batchnorm.call(output);
        let output = self.dropout1.call(output);
        let output = F::relu(self.fc1.call(output));
        let output = self.dropout2.call(output);
        F::log_softmax(self.fc2.call(output), 1)
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
    let optimizer = optim::Adadelta::new(model.parameters(), 0.1);
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
