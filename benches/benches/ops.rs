//! Matrix product, convolution and pointwise operations, from tiny to large, on the CPU and the GPU:
//! `cargo bench --bench ops`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flambeau_benches::{devices, timed};
use std::hint::black_box;
use torch::nn::functional as F;

fn matmul(c: &mut Criterion) {
    let mut group = c.benchmark_group("matmul");
    for (m, k, n) in [(16, 16, 16), (64, 784, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024)] {
        for &device in devices() {
            let (a, b) = (torch::rand([m, k]).to(device), torch::rand([k, n]).to(device));
            group.throughput(Throughput::Elements((2 * m * k * n) as u64));
            group.bench_function(BenchmarkId::new(format!("{m}x{k}x{n}"), device), |bench| {
                bench.iter_custom(|calls| timed(device, calls, || drop(black_box(a.matmul(&b)))));
            });
        }
    }
    group.finish();
}

fn conv2d(c: &mut Criterion) {
    let mut group = c.benchmark_group("conv2d");
    for (batch, channels, filters, side) in [(64, 1, 6, 32), (64, 6, 16, 30), (16, 64, 64, 56)] {
        for &device in devices() {
            let x = torch::randn([batch, channels, side, side]).to(device);
            let w = torch::randn([filters, channels, 3, 3]).to(device);
            let name = format!("{batch}x{channels}x{side}x{side} to {filters}");
            group.bench_function(BenchmarkId::new(name, device), |bench| {
                bench.iter_custom(|calls| timed(device, calls, || drop(black_box(F::conv2d(&x, &w, None)))));
            });
        }
    }
    group.finish();
}

fn pointwise(c: &mut Criterion) {
    let mut group = c.benchmark_group("pointwise");
    for n in [4, 4096, 1 << 20, 1 << 24] {
        for &device in devices() {
            let (x, y) = (torch::randn(n).to(device), torch::randn(n).to(device));
            group.throughput(Throughput::Elements(n as u64));
            let works: [(&str, &dyn Fn() -> torch::Tensor); 3] =
                [("add", &|| &x + &y), ("relu", &|| x.relu()), ("gelu", &|| F::gelu(&x))];
            for (name, work) in works {
                group.bench_function(BenchmarkId::new(format!("{name} {n}"), device), |bench| {
                    bench.iter_custom(|calls| timed(device, calls, || drop(black_box(work()))));
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, matmul, conv2d, pointwise);
criterion_main!(benches);
