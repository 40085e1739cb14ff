//! What an operation costs before it computes anything, and a number on its way back: `cargo bench --bench overhead`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flambeau_benches::{devices, timed};
use std::hint::black_box;

fn dispatch(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispatch");
    for &device in devices() {
        let x = torch::zeros(64).to(device);
        let recorded = x.clone().requires_grad_(true);
        group.throughput(Throughput::Elements(1000));
        group.bench_function(BenchmarkId::new("1000 in place, each needs the one before", device), |bench| {
            bench.iter_custom(|calls| {
                // Waiting after each thousand makes it one submit.
                (0..calls).map(|_| timed(device, 1000, || drop(black_box(x.add_(1.0))))).sum()
            });
        });
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("a new tensor", device), |bench| {
            bench.iter_custom(|calls| timed(device, calls, || drop(black_box(&x + 1.0))));
        });
        group.bench_function(BenchmarkId::new("a new tensor, recorded", device), |bench| {
            bench.iter_custom(|calls| timed(device, calls, || drop(black_box(&recorded + 1.0))));
        });
    }
    group.finish();
}

fn readback(c: &mut Criterion) {
    let mut group = c.benchmark_group("readback");
    for &device in devices() {
        for n in [1, 1 << 10, 1 << 20, 1 << 24] {
            let x = torch::randn(n).to(device);
            group.throughput(Throughput::Bytes(4 * n as u64));
            group.bench_function(BenchmarkId::new(format!("{} bytes", 4 * n), device), |bench| {
                bench.iter(|| x.to_vec::<f32>());
            });
        }
        let x = torch::zeros(1).to(device);
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("after one dispatch", device), |bench| {
            bench.iter(|| (&x + 1.0).item());
        });
    }
    group.finish();
}

criterion_group!(benches, dispatch, readback);
criterion_main!(benches);
