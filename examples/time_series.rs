//! Two LSTM cells learn to continue sine waves. Mirrors pytorch/examples, time_sequence_prediction (`train.py`);
//! `expected/time_series.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example time_series -- --plot waves.svg`

use clap::Parser;
use flambeau_examples::{options, plot};
use std::error::Error;
use std::process::ExitCode;
use torch::prelude::*;

#[derive(Parser)]
#[command(name = "time_series", allow_negative_numbers = true)]
struct Options {
    /// Steps to run.
    #[arg(long, default_value_t = 15, value_parser = options::at_least_one)]
    steps: usize,
    /// Waves, of which the first three are not learnt but continued.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(4..=10_000))]
    waves: i64,
    /// Points of a wave.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(3..=100_000))]
    length: i64,
    #[command(flatten)]
    common: options::Common,
}

/// How long a wave is.
const T: i64 = 20;

#[derive(Module)]
struct Sequence {
    lstm1: nn::LSTMCell,
    lstm2: nn::LSTMCell,
    linear: nn::Linear,
}

impl Sequence {
    fn new() -> Self {
        Sequence { lstm1: nn::LSTMCell::new(1, 51), lstm2: nn::LSTMCell::new(51, 51), linear: nn::Linear::new(51, 1) }
    }
}

#[nn::forward]
impl Sequence {
    fn forward(&self, input: &Tensor, future: i64) -> Tensor {
        let mut outputs: Vec<Tensor> = Vec::new();
        let zeros = || torch::zeros_with((input.size_dim(0), 51), |o| o.dtype(torch::double).device(input.device()));
        let (mut h_t, mut c_t) = (zeros(), zeros());
        let (mut h_t2, mut c_t2) = (zeros(), zeros());
        let mut step = |input_t: &Tensor| {
            (h_t, c_t) = self.lstm1.call((input_t, (&h_t, &c_t)));
            (h_t2, c_t2) = self.lstm2.call((&h_t, (&h_t2, &c_t2)));
            self.linear.call(&h_t2)
        };
        for input_t in input.split(1, 1) {
            outputs.push(step(&input_t));
        }
        for _ in 0..future {
            let output = step(&outputs[outputs.len() - 1]);
            outputs.push(output);
        }
        torch::cat(outputs, 1)
    }
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    options.common.start()?;
    let x = torch::arange(options.length) + torch::randint(-4 * T, 4 * T, (options.waves, 1));
    let data = torch::sin(x.double() / 1.0 / T).to(device);
    let (input, target) = (data.i((3.., ..-1)), data.i((3.., 1..)));
    let (test_input, test_target) = (data.i((..3, ..-1)), data.i((..3, 1..)));
    let seq = Sequence::new().double().to(device);
    println!("{seq}");
    let criterion = nn::MSELoss::new();
    let optimizer = optim::LBFGS::new(seq.parameters(), 0.8);
    let mut last = None;
    for i in 0..options.steps {
        println!("STEP:  {i}");
        optimizer.step_closure(|| {
            optimizer.zero_grad();
            let loss = criterion.call(seq.call(&input, 0), &target);
            println!("loss: {loss:.10}");
            loss.backward();
            loss
        });
        let _guard = torch::no_grad();
        let future = options.length;
        let pred = seq.call(&test_input, future);
        let loss = criterion.call(pred.i((.., ..-future)), &test_target);
        println!("test loss: {loss:.10}");
        last = Some(pred.detach());
    }
    let last = last.expect("there is at least one step");
    println!("{}", last.i((.., -1)));
    if let Some(path) = &options.common.plot {
        let wave = |i| last.i(i).to_vec::<f64>().into_iter().enumerate().map(|(x, y)| (x as f64, y)).collect();
        plot::curves(path, "Waves", "point", vec![("first", wave(0)), ("second", wave(1)), ("third", wave(2))])?;
        println!("Drew the waves to {}", path.display());
    }
    Ok(())
}
