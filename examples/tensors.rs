//! The tensor notebook: creation, arithmetic, indexing, in-place operations, and memory shared with an ndarray.
//!
//! `cargo run --release --example tensors -- --seed 0` prints what the same program prints in PyTorch, byte for byte.

use clap::Parser;
use flambeau_examples::options;
use ndarray::Array;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "tensors", allow_negative_numbers = true)]
struct Options {
    /// Seed of the random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to compute. A GPU draws other random numbers.
    #[arg(long, default_value = "cpu")]
    device: torch::Device,
}

fn main() -> ExitCode {
    let options: Options = options::parse();
    if let Err(error) = torch::set_default_device(options.device) {
        eprintln!("tensors: {error}");
        return ExitCode::FAILURE;
    }
    torch::manual_seed(options.seed);

    let x = torch::rand([3, 2]);
    println!("{x}");
    let y = torch::ones(x.size());
    println!("{y}");
    let z = &x + &y;
    println!("{z}");
    println!("{}", z.i(0));
    println!("{}", z.i((.., 1..)));
    println!("{}", z.add(1));
    println!("{z}");
    println!("{}", z.add_(1));
    println!("{z}");
    println!("{}", z.size());
    println!("{}", z.resize_([2, 3]));
    println!("{z}");

    // The tensor takes over the array's memory; a view shows what the tensor wrote there.
    let a = Array::from_shape_fn((4, 3), |(i, j)| (3 * i + j) as f64 * 1.1 / 11.0);
    let address = a.as_ptr();
    let b = torch::from_ndarray(a);
    println!("{b}");
    println!("{}", b.mul_(2));
    let same_memory = b.ndarray::<f64>().view().as_ptr() == address;
    println!("{} {}", if same_memory { "True" } else { "False" }, b.ndarray::<f64>().view()[[3, 2]]);
    ExitCode::SUCCESS
}
