//! Seeds of workers come from the default generator, which is one for all threads: a program of its own.

use flambeau_data::{DataLoader, IterableDataset, Result, get_worker_info, sample_generator};

/// One sample: the worker's number, how many there are, its seed, and a number of its stream.
struct Who;

impl IterableDataset for Who {
    type Item = (i64, i64, i64, i64);
    fn iter(&self) -> impl Iterator<Item = Result<(i64, i64, i64, i64)>> + Send {
        let info = get_worker_info().expect("a worker");
        let drawn = sample_generator().map(|g| g.initial_seed() as i64);
        std::iter::once(drawn.map(|drawn| (info.id as i64, info.num_workers as i64, info.seed as i64, drawn)))
    }
}

/// After `torch.manual_seed(0)` PyTorch's workers have these seeds.
#[test]
fn a_worker_knows_its_number_and_pytorch_s_seed() {
    flambeau_device::manual_seed(0);
    let loader = DataLoader::with(Who, |o| o.num_workers(2).collate_fn(|v: Vec<_>| v[0]));
    let first = 900_450_186_894_289_455;
    assert_eq!(loader.iter().collect::<Vec<_>>(), [(0, 2, first, first), (1, 2, first + 1, first + 1)]);
    assert_eq!(get_worker_info(), None);
}
