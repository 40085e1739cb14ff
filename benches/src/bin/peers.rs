//! Times the work that `peers/pytorch.py` does in PyTorch; prints one JSON row per workload: `{"name": …, "us": …}`.

use flambeau_benches::{CnnStep, MlpStep};
use std::hint::black_box;
use std::time::Instant;
use torch::nn::{self, Module, functional as F};
use torch::{Device, Tensor};

/// The median time of a call in µs, over at least `seconds` of calls after a warm-up.
fn time(name: &str, seconds: f64, mut work: impl FnMut()) {
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds / 4.0 {
        work();
    }
    // Short work is timed in batches, so that the clock costs nothing.
    let once = Instant::now();
    work();
    let batch = (2e-5 / once.elapsed().as_secs_f64().max(1e-9)).ceil() as usize;
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds || times.len() < 3 {
        let one = Instant::now();
        for _ in 0..batch {
            work();
        }
        times.push(one.elapsed().as_secs_f64() * 1e6 / batch as f64);
    }
    times.sort_by(f64::total_cmp);
    println!(r#"{{"name": "{name}", "us": {:.4}}}"#, times[times.len() / 2]);
}

fn main() {
    let (a, b) = (torch::rand(4), torch::rand(4));
    time("add of two [4]", 0.3, || drop(black_box(&a + &b)));
    let recorded = torch::rand(4).requires_grad_(true);
    time("add of two [4], recorded", 0.3, || drop(black_box(&recorded + &b)));
    let large = torch::randn(4 << 20);
    time("relu of 4 Mi", 0.5, || drop(black_box(large.relu())));
    time("exp of 4 Mi", 0.5, || drop(black_box(large.exp())));
    time("gelu of 4 Mi", 0.5, || drop(black_box(F::gelu(&large))));
    time("sum of 4 Mi", 0.5, || drop(black_box(large.sum())));
    for n in [256, 512, 1024] {
        let (a, b) = (torch::rand([n, n]), torch::rand([n, n]));
        time(&format!("matmul {n}³"), 1.0, || drop(black_box(a.matmul(&b))));
    }
    let x = torch::randn([16, 64, 56, 56]);
    let w = torch::randn([64, 64, 3, 3]);
    time("conv2d [16,64,56,56]×[64,64,3,3]", 1.0, || drop(black_box(F::conv2d(&x, &w, None))));
    layers();
    let step = MlpStep::new(Device::Cpu, 64);
    time("SimpleNN step, batch 64", 2.0, || {
        black_box(step.run().item());
    });
    for batch in [1, 64] {
        let step = CnnStep::new(Device::Cpu, batch);
        time(&format!("CNN step, batch {batch}"), 2.0, || {
            black_box(step.run().item());
        });
    }
}

/// Forward and backward of layers of sequences: 64 steps of 32 samples of 128 numbers, and 16 samples of 128 places of 256.
fn layers() {
    fn pass(name: &str, module: &dyn Module, output: impl Fn() -> Tensor) {
        time(name, 2.0, || {
            module.zero_grad();
            output().sum().backward();
        });
    }
    let x = torch::randn([64, 32, 128]);
    let (lstm, gru) = (nn::LSTM::new(128, 128), nn::GRU::new(128, 128));
    pass("LSTM 128, [64,32,128]", &lstm, || lstm.call(&x).0);
    pass("GRU 128, [64,32,128]", &gru, || gru.call(&x).0);
    let x = torch::randn([16, 128, 256]);
    let attention = nn::MultiheadAttention::with(256, 8, |o| o.batch_first(true));
    pass("MultiheadAttention 256/8, [16,128,256]", &attention, || {
        attention.call_with(&x, &x, &x, |o| o.need_weights(false)).0
    });
    let layer = nn::TransformerEncoderLayer::with(256, 8, |o| o.dim_feedforward(1024).dropout(0.0).batch_first(true));
    pass("TransformerEncoderLayer 256/8, [16,128,256]", &layer, || layer.call(&x));
}
