//! Whole training steps: `cargo bench --bench steps`.

use criterion::{Criterion, criterion_group, criterion_main};
use flambeau_benches::{CnnStep, MlpStep};

fn steps(c: &mut Criterion) {
    let mlp = MlpStep::new(64);
    c.bench_function("SimpleNN step, batch 64", |bench| bench.iter(|| mlp.run()));
    for batch in [1, 64] {
        let cnn = CnnStep::new(batch);
        c.bench_function(&format!("CNN step, batch {batch}"), |bench| bench.iter(|| cnn.run()));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = steps
}
criterion_main!(benches);
