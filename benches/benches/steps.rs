//! Whole training steps on the CPU and the GPU: `cargo bench --bench steps`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flambeau_benches::{CnnStep, MlpStep, devices, timed};
use std::hint::black_box;

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("training step");
    for &device in devices() {
        let mlp = MlpStep::new(device, 64);
        group.bench_function(BenchmarkId::new("SimpleNN, batch 64", device), |bench| {
            bench.iter_custom(|calls| timed(device, calls, || drop(black_box(mlp.run()))));
        });
        group.bench_function(BenchmarkId::new("SimpleNN, batch 64, each loss read", device), |bench| {
            bench.iter(|| mlp.run().item());
        });
        for batch in [1, 64] {
            let cnn = CnnStep::new(device, batch);
            group.bench_function(BenchmarkId::new(format!("CNN, batch {batch}"), device), |bench| {
                bench.iter_custom(|calls| timed(device, calls, || drop(black_box(cnn.run()))));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = steps
}
criterion_main!(benches);
