//! Matrix product, convolution and pointwise operations, from tiny to large: `cargo bench --bench ops`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use torch::nn::functional as F;

fn matmul(c: &mut Criterion) {
    let mut group = c.benchmark_group("matmul");
    for (m, k, n) in [(16, 16, 16), (64, 784, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024)] {
        let (a, b) = (torch::rand([m, k]), torch::rand([k, n]));
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{m}x{k}x{n}")), |bench| bench.iter(|| a.matmul(&b)));
    }
    group.finish();
}

fn conv2d(c: &mut Criterion) {
    let mut group = c.benchmark_group("conv2d");
    for (batch, channels, filters, side) in [(64, 1, 6, 32), (64, 6, 16, 30), (16, 64, 64, 56)] {
        let x = torch::randn([batch, channels, side, side]);
        let w = torch::randn([filters, channels, 3, 3]);
        let name = format!("{batch}x{channels}x{side}x{side} to {filters}");
        group.bench_function(BenchmarkId::from_parameter(name), |bench| bench.iter(|| F::conv2d(&x, &w, None)));
    }
    group.finish();
}

fn pointwise(c: &mut Criterion) {
    let mut group = c.benchmark_group("pointwise");
    for n in [4, 4096, 1 << 20, 1 << 24] {
        let (x, y) = (torch::randn(n), torch::randn(n));
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("add", n), |bench| bench.iter(|| &x + &y));
        group.bench_function(BenchmarkId::new("relu", n), |bench| bench.iter(|| x.relu()));
        group.bench_function(BenchmarkId::new("gelu", n), |bench| bench.iter(|| F::gelu(&x)));
        group.bench_function(BenchmarkId::new("sum", n), |bench| bench.iter(|| x.sum()));
    }
    group.finish();
}

criterion_group!(benches, matmul, conv2d, pointwise);
criterion_main!(benches);
