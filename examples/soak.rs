//! Ten thousand training steps: memory must stay flat. Prints the resident memory, and a GPU's reserved memory, every
//! thousand steps; fails when the first has grown by more than a twentieth since the first thousand, or the second at all
//! since the first hundred.
//!
//! `cargo run --release --example soak -- --steps 10000 --device wgpu`

use clap::Parser;
use flambeau_examples::options;
use std::process::ExitCode;
use torch::nn::{self, Module, Sequential};
use torch::{Device, optim};

#[derive(Parser)]
#[command(name = "soak", allow_negative_numbers = true)]
struct Options {
    /// How many steps to take.
    #[arg(long, default_value_t = 10_000, value_parser = options::at_least_one)]
    steps: usize,
    /// Where to compute.
    #[arg(long, default_value = "cpu")]
    device: Device,
}

/// Bytes that flambeau holds of a GPU's memory; zero on the CPU.
fn reserved(device: Device) -> u64 {
    match device {
        Device::Cpu => 0,
        Device::Wgpu(index) => torch::wgpu::memory_reserved(index),
    }
}

/// Resident memory in KiB, from `/proc/self/status` (Linux).
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn main() -> ExitCode {
    let options: Options = options::parse();
    let device = options.device;
    if let Err(error) = torch::check_device(device) {
        eprintln!("soak: {error}");
        return ExitCode::FAILURE;
    }
    torch::manual_seed(0);
    let model = Sequential::new((nn::Linear::new(784, 128), nn::ReLU::new(), nn::Linear::new(128, 10))).to(device);
    let criterion = nn::CrossEntropyLoss::new();
    let optimizer = optim::Adam::new(model.parameters(), 1e-3);
    let every = (options.steps / 10).max(1);
    let (mut first, mut first_reserved) = (None, None);
    for step in 1..=options.steps {
        let images = torch::rand([64, 784]).to(device);
        let labels = torch::randint(0, 10, [64]).to(device);
        let loss = criterion.call(model.call(&images), &labels);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        if step == 100 {
            first_reserved = Some(reserved(device));
        }
        if step % every == 0 {
            let Some(now) = resident_kib() else {
                println!("step {step}: loss {:.4}; resident memory is only read on Linux", loss.item());
                continue;
            };
            let held = reserved(device);
            let gpu =
                if device.is_cpu() { String::new() } else { format!(", reserved on {device} {} KiB", held / 1024) };
            println!("step {step}: loss {:.4}, resident {now} KiB{gpu}", loss.item());
            if let Some(base) = first_reserved.filter(|&base| held > base) {
                eprintln!("{device}'s reserved memory grew from {base} to {held} bytes");
                return ExitCode::FAILURE;
            }
            let base = *first.get_or_insert(now);
            if now > base + base / 20 {
                eprintln!("resident memory grew from {base} to {now} KiB");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
