//! Ten thousand training steps: memory must stay flat. Prints the resident memory every thousand steps and fails when it
//! has grown by more than a twentieth since the first thousand.
//!
//! `cargo run --release --example soak -- --steps 10000`

use clap::Parser;
use std::process::ExitCode;
use torch::nn::{self, Forward, Module, Sequential};
use torch::optim;

#[derive(Parser)]
struct Options {
    /// How many steps to take.
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
}

/// Resident memory in KiB, from `/proc/self/status` (Linux).
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn main() -> ExitCode {
    let options = Options::parse();
    torch::manual_seed(0);
    let model = Sequential::new((nn::Linear::new(784, 128), nn::ReLU::new(), nn::Linear::new(128, 10)));
    let criterion = nn::CrossEntropyLoss::new();
    let optimizer = optim::Adam::new(model.parameters(), 1e-3);
    let every = (options.steps / 10).max(1);
    let mut first = None;
    for step in 1..=options.steps {
        let images = torch::rand([64, 784]);
        let labels = torch::randint(0, 10, [64]);
        let loss = criterion.call(&model.call(&images), &labels);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        if step % every == 0 {
            let Some(now) = resident_kib() else {
                println!("step {step}: loss {:.4}; resident memory is only read on Linux", loss.item());
                continue;
            };
            println!("step {step}: loss {:.4}, resident {now} KiB", loss.item());
            let base = *first.get_or_insert(now);
            if now > base + base / 20 {
                eprintln!("resident memory grew from {base} to {now} KiB");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
