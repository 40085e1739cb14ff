//! A graph in the open: a function with a backward of its own, the bytes that a deep network keeps for its backward, and how
//! checkpoints halve them.
//!
//! `cargo run --release --example custom_function -- --layers 32` prints what is kept, and checks that gradients do not change.

use clap::Parser;
use flambeau_examples::options;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use torch::Tensor;
use torch::autograd::graph::saved_tensors_hooks;
use torch::autograd::{Function, FunctionCtx, GradCheckOptions, gradcheck, gradgradcheck};
use torch::nn::{self, Module};
use torch::utils::checkpoint::checkpoint_sequential;

#[derive(Parser)]
#[command(name = "custom_function")]
struct Options {
    /// Seed of the weights and the data.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many layers the network has.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(4..=1000))]
    layers: u32,
    /// How many features each layer has.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    width: u32,
    /// How many samples go through it at once.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
}

/// x · sigmoid(β · x). Composed of operations it saves its argument, the product and the sigmoid; this saves the argument, and
/// computes the sigmoid again.
struct Swish;

impl Function for Swish {
    type Inputs = (Tensor, f64);
    type Outputs = Tensor;
    type GradOutputs = Tensor;
    type GradInputs = (Tensor, Option<Tensor>);

    fn forward(ctx: &mut FunctionCtx, (x, beta): (Tensor, f64)) -> Tensor {
        ctx.save_for_backward([&x]);
        ctx.set("beta", beta);
        &x * (&x * beta).sigmoid()
    }

    fn backward(ctx: &FunctionCtx, grad_output: Tensor) -> Self::GradInputs {
        let [x] = ctx.saved_tensors();
        let beta = *ctx.get::<f64>("beta");
        // Operations on tensors: under `create_graph` they are recorded, and differentiated again.
        let s = (&x * beta).sigmoid();
        let slope = &s + &x * beta * &s * (1.0 - &s);
        (grad_output * slope, None)
    }
}

/// One layer of the network.
struct Layer(nn::Linear);

impl Layer {
    fn call(&self, x: &Tensor) -> Tensor {
        Swish::apply((self.0.call(x), 1.5))
    }
}

/// Runs `forward` and counts the bytes that its graph keeps, each piece of memory once, beside what is in `known`.
fn kept_bytes(known: &[Tensor], forward: impl FnOnce() -> Tensor) -> (Tensor, usize) {
    let seen: Mutex<Vec<usize>> = Mutex::new(known.iter().map(Tensor::data_ptr).collect());
    let bytes = Arc::new(AtomicUsize::new(0));
    let count = bytes.clone();
    let pack = move |saved: &Tensor| {
        let mut seen = seen.lock().unwrap();
        if !seen.contains(&saved.data_ptr()) {
            seen.push(saved.data_ptr());
            count.fetch_add(saved.numel() * saved.dtype().size(), Ordering::Relaxed);
        }
        saved.detach()
    };
    let _hooks = saved_tensors_hooks(pack, |packed: &Tensor| packed.shallow_clone());
    let loss = forward();
    (loss, bytes.load(Ordering::Relaxed))
}

fn gradients(layers: &[Layer]) -> Vec<Vec<f32>> {
    let parameters: Vec<Tensor> = layers.iter().flat_map(|layer| layer.0.parameters()).collect();
    let all = parameters.iter().map(|p| p.grad().expect("backward reached it").to_vec()).collect();
    parameters.iter().for_each(|p| p.set_grad(None));
    all
}

fn main() -> ExitCode {
    let options: Options = options::parse();
    torch::manual_seed(options.seed);

    let x = torch::randn([2, 3]).double().requires_grad_(true);
    let y = Swish::apply((&x, 1.5));
    println!("{y}");
    let swish = |t: &[Tensor]| Ok(vec![Swish::apply((&t[0], 1.5))]);
    for (name, checked) in [
        ("gradcheck", gradcheck(&swish, &[x.shallow_clone()], GradCheckOptions::default())),
        ("gradgradcheck", gradgradcheck(&swish, &[x], GradCheckOptions::default())),
    ] {
        if let Err(error) = checked {
            eprintln!("custom_function: {name}: {error}");
            return ExitCode::FAILURE;
        }
        println!("{name}: True");
    }

    let (width, count) = (options.width as usize, options.layers as usize);
    let layers: Vec<Layer> = (0..count).map(|_| Layer(nn::Linear::new(width, width))).collect();
    let layers = Arc::new(layers);
    let input = torch::randn([options.batch as usize, width]);
    let mut known: Vec<Tensor> = layers.iter().flat_map(|layer| layer.0.parameters()).collect();
    known.push(input.shallow_clone());

    let (loss, plain) =
        kept_bytes(&known, || layers.iter().fold(input.shallow_clone(), |x, layer| layer.call(&x)).square().mean());
    loss.backward();
    let expected = gradients(&layers);

    let steps: Vec<_> = (0..count)
        .map(|i| {
            let layers = layers.clone();
            move |x: Tensor| layers[i].call(&x)
        })
        .collect();
    let segments = count.isqrt();
    let (loss, kept) = kept_bytes(&known, || checkpoint_sequential(&Arc::new(steps), segments, &input).square().mean());
    loss.backward();

    println!(
        "{count} layers keep {plain} bytes, in {segments} checkpoints {kept}: {:.1} %",
        100.0 * kept as f64 / plain as f64
    );
    let (same, half) = (gradients(&layers) == expected, 2 * kept <= plain);
    println!("gradients are the same: {}", if same { "True" } else { "False" });
    if same && half { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
