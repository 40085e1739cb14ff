//! Operations that see whole lines or all elements, on the CPU and the GPU: `cargo bench --bench lines`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flambeau_benches::{devices, timed};
use std::hint::black_box;
use torch::Tensor;
use torch::nn::functional as F;

/// A function of a matrix and its number of columns.
type Work = fn(&Tensor, usize) -> Tensor;

const WORKS: [(&str, Work); 6] = [
    ("softmax", |x, _| x.softmax(-1)),
    ("log_softmax", |x, _| x.log_softmax(-1)),
    ("layer_norm", |x, columns| F::layer_norm(x, [columns])),
    ("sum of all", |x, _| x.sum()),
    ("sum of rows", |x, _| x.sum_dim(1, false)),
    ("sum of columns", |x, _| x.sum_dim(0, false)),
];

fn lines(c: &mut Criterion) {
    for (name, work) in WORKS {
        let mut group = c.benchmark_group(name);
        for (rows, columns) in [(4, 10), (64, 1000), (1024, 1024), (4096, 4096)] {
            for &device in devices() {
                let x = torch::randn([rows, columns]).to(device);
                group.throughput(Throughput::Elements((rows * columns) as u64));
                group.bench_function(BenchmarkId::new(format!("{rows}x{columns}"), device), |bench| {
                    bench.iter_custom(|calls| timed(device, calls, || drop(black_box(work(&x, columns)))));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, lines);
criterion_main!(benches);
