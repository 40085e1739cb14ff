//! The CNN notebook: a small convolutional network, one forward and backward pass, one step of SGD.
//!
//! `cargo run --release --example cnn -- --seed 0` prints what the same program prints in PyTorch.

use clap::Parser;
use flambeau_examples::options;
use std::process::ExitCode;
use torch::nn::functional as F;
use torch::nn::{self, Call, Forward, Module};
use torch::{Device, Tensor, optim};

#[derive(Parser)]
#[command(name = "cnn", allow_negative_numbers = true)]
struct Options {
    /// Seed of the initial weights and of the input.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to compute.
    #[arg(long, default_value = "cpu")]
    device: Device,
}

#[derive(Module)]
struct Net {
    conv1: nn::Conv2d,
    conv2: nn::Conv2d,
    fc1: nn::Linear,
    fc2: nn::Linear,
    fc3: nn::Linear,
}

impl Net {
    fn new() -> Self {
        Net {
            conv1: nn::Conv2d::new(1, 6, 3),
            conv2: nn::Conv2d::new(6, 16, 3),
            fc1: nn::Linear::new(16 * 28 * 28, 512),
            fc2: nn::Linear::new(512, 64),
            fc3: nn::Linear::new(64, 2),
        }
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = F::relu(self.conv1.call(x));
        let x = F::relu(self.conv2.call(x));
        let x = x.view([-1, 16 * 28 * 28]);
        let x = F::relu(self.fc1.call(x));
        let x = F::relu(self.fc2.call(x));
        self.fc3.call(x)
    }
}

fn main() -> ExitCode {
    let Options { seed, device } = options::parse();
    if let Err(error) = torch::check_device(device) {
        eprintln!("cnn: {error}");
        return ExitCode::FAILURE;
    }
    torch::manual_seed(seed);

    let net = Net::new().to(device);
    println!("{net}");
    let input = torch::randn([1, 1, 32, 32]).to(device);
    println!("{input}");
    println!("{}", input.size());
    let out = net.call(&input);
    println!("{out}");
    println!("{}", out.size());
    let target = torch::randn(2).view([1, -1]).to(device);
    println!("{target}");

    let criterion = nn::L1Loss::new();
    let loss = criterion.call(&out, &target);
    println!("{loss}");
    net.zero_grad();
    loss.backward();
    let optimizer = optim::SGD::new(net.parameters(), 0.01);
    optimizer.step();

    let out = net.call(&input);
    println!("{out}");
    println!("{}", out.size());
    println!("{}", criterion.call(&out, &target));
    ExitCode::SUCCESS
}
