//! Fits a polynomial of degree 4 with one linear layer. Mirrors pytorch/examples, regression/main.py; `expected/regression.py`
//! is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example regression -- --seed 0`

use clap::Parser;
use flambeau_examples::options;
use torch::prelude::*;

#[derive(Parser)]
#[command(name = "regression")]
struct Options {
    /// Seed of the polynomial, the initial weights and the points.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

const DEGREE: usize = 4;
const BATCH: usize = 32;

/// The powers x, x², …, one column each.
fn features(x: &Tensor) -> Tensor {
    let x = x.unsqueeze(1);
    torch::cat((1..=DEGREE).map(|i| x.pow(i)).collect::<Vec<_>>(), 1)
}

/// The polynomial as text.
fn describe(weight: &Tensor, bias: &Tensor) -> String {
    let mut text = "y = ".to_owned();
    for (i, w) in weight.into_iter().enumerate() {
        text += &format!("{w:+.2} x^{} ", i + 1);
    }
    text + &format!("{:+.2}", bias.i(0))
}

fn main() {
    let Options { seed } = options::parse();
    torch::manual_seed(seed);
    let target_weight = torch::randn((DEGREE, 1)) * 5;
    let target_bias = torch::randn(1) * 5;
    let layer = nn::Linear::new(DEGREE, 1);
    for step in 1..=500 {
        let x = features(&torch::randn(BATCH));
        let y = x.mm(&target_weight) + target_bias.item();
        layer.zero_grad();
        let loss = F::smooth_l1_loss(layer.call(x), y);
        loss.backward();
        {
            let _guard = torch::no_grad();
            for p in layer.parameters() {
                p.add_with_(p.grad().unwrap(), |o| o.alpha(-0.01));
            }
        }
        if step % 100 == 0 {
            println!("step {step}: loss {loss:.4}");
        }
    }
    println!("learned {}", describe(&layer.weight.view(-1), layer.bias.as_ref().unwrap()));
    println!("actual  {}", describe(&target_weight.view(-1), &target_bias));
}
