//! Fits sin(x) with a polynomial of degree 3 by autograd alone. Mirrors the PyTorch tutorial "Tensors and autograd";
//! `expected/polynomial.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example polynomial -- --seed 0`

use clap::Parser;
use flambeau_examples::options;
use std::f64::consts::PI;

#[derive(Parser)]
#[command(name = "polynomial")]
struct Options {
    /// Seed of the four coefficients.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn main() {
    let Options { seed } = options::parse();
    torch::manual_seed(seed);
    let x = torch::linspace(-PI, PI, 2000);
    let y = torch::sin(&x);
    let [a, b, c, d] = std::array::from_fn(|_| torch::randn_with((), |o| o.requires_grad(true)));
    let learning_rate = 1e-6;
    for step in 1..=2000 {
        let y_pred = &a + &b * &x + &c * x.pow(2) + &d * x.pow(3);
        let loss = (y_pred - &y).pow(2).sum();
        if step % 200 == 0 {
            println!("{step} {loss:.4}");
        }
        loss.backward();
        let _guard = torch::no_grad();
        for p in [&a, &b, &c, &d] {
            p.sub_(learning_rate * p.grad().unwrap());
            p.set_grad(None);
        }
    }
    println!("Result: y = {a:.4} + {b:.4} x + {c:.4} x^2 + {d:.4} x^3");
}
