//! Streams of samples, beside PyTorch: the expected lists are what `[b.tolist() for b in DataLoader(…)]` gives there for sets of
//! the same numbers.

use flambeau_data::{DataLoader, Dataset, IterableDataset, Result, get_worker_info};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// `range(n)`, or in workers every `num_workers`-th number from `id` on.
struct Count {
    n: i64,
    shard: bool,
}

impl IterableDataset for Count {
    type Item = i64;
    fn iter(&self) -> impl Iterator<Item = Result<i64>> + Send {
        let info = get_worker_info().filter(|_| self.shard);
        let (first, step) = info.map_or((0, 1), |info| (info.id as i64, info.num_workers));
        (first..self.n).step_by(step).map(Ok)
    }
}

/// 5, 1 and 3 numbers of three workers.
struct Uneven;

impl IterableDataset for Uneven {
    type Item = i64;
    fn iter(&self) -> impl Iterator<Item = Result<i64>> + Send {
        let id = get_worker_info().expect("a worker").id;
        (0..[5, 1, 3][id]).map(move |k| Ok(10 * id as i64 + k))
    }
}

fn batches<D: IterableDataset<Item = i64> + 'static>(
    dataset: D,
    size: usize,
    workers: usize,
    last: bool,
) -> Vec<Vec<i64>> {
    let loader = DataLoader::with(dataset, |o| o.batch_size(size).num_workers(workers).drop_last(!last));
    loader.iter().map(|batch| batch.to_vec::<i64>()).collect()
}

#[test]
fn every_worker_reads_the_whole_stream_unless_it_takes_its_part() {
    let whole = vec![vec![0, 1], vec![2, 3], vec![4, 5], vec![6]];
    for workers in 0..4 {
        let count = Count { n: 7, shard: false };
        let expected: Vec<Vec<i64>> =
            whole.iter().flat_map(|batch| std::iter::repeat_n(batch.clone(), workers.max(1))).collect();
        assert_eq!(batches(count, 2, workers, true), expected, "{workers} workers");
    }
    let sharded = [
        whole.clone(),
        whole,
        vec![vec![0, 2], vec![1, 3], vec![4, 6], vec![5]],
        vec![vec![0, 3], vec![1, 4], vec![2, 5], vec![6]],
    ];
    for (workers, expected) in sharded.into_iter().enumerate() {
        assert_eq!(batches(Count { n: 7, shard: true }, 2, workers, true), expected, "{workers} workers");
        let full: Vec<Vec<i64>> = expected.into_iter().filter(|batch| batch.len() == 2).collect();
        assert_eq!(batches(Count { n: 7, shard: true }, 2, workers, false), full, "{workers} workers, drop_last");
    }
}

#[test]
fn workers_whose_stream_has_ended_are_passed_over() {
    let ones = [0, 10, 20, 1, 21, 2, 22, 3, 4].map(|n| vec![n]);
    assert_eq!(batches(Uneven, 1, 3, true), ones);
    let twos = [vec![0, 1], vec![10], vec![20, 21], vec![2, 3], vec![22], vec![4]];
    assert_eq!(batches(Uneven, 2, 3, true), twos);
}

/// Samples that take a while.
struct Slow(u64);

impl Dataset for Slow {
    type Item = i64;
    fn len(&self) -> usize {
        4
    }
    fn get(&self, index: usize) -> Result<i64> {
        std::thread::sleep(Duration::from_millis(if index == 0 { self.0 } else { 0 }));
        Ok(index as i64)
    }
}

#[test]
fn a_batch_is_waited_for_so_long_and_in_its_turn_or_not() {
    let slow = Arc::new(Slow(5_000));
    let loader = DataLoader::with(slow.clone(), |o| o.num_workers(1).timeout(0.1));
    let mut batches = loader.try_iter();
    let error = batches.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "DataLoader timed out after 0.1 seconds");
    drop(batches);
    drop(loader);
    assert_eq!(Arc::strong_count(&slow), 2, "the worker still makes its sample: nobody waited for it");
    let loader = DataLoader::with(Slow(300), |o| o.num_workers(2).in_order(false));
    let mut order: Vec<i64> = loader.iter().map(|batch| batch.item_as::<i64>()).collect();
    assert_ne!(order[0], 0, "the slow batch is not waited for");
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2, 3]);
    let loader = DataLoader::with(Slow(300), |o| o.num_workers(2));
    assert_eq!(loader.iter().map(|batch| batch.item_as::<i64>()).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn each_worker_is_initialised_with_its_number() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let init = move |id: usize| {
        assert_eq!(get_worker_info().map(|info| info.id), Some(id));
        count.fetch_add(1 << (8 * id), Ordering::Relaxed);
    };
    let loader = DataLoader::with(Slow(0), |o| o.num_workers(3).worker_init_fn(init).persistent_workers(true));
    assert_eq!(loader.iter().count(), 4);
    assert_eq!(seen.load(Ordering::Relaxed), 0x01_01_01);
    let loader = DataLoader::with(Slow(0), |o| o.num_workers(1).worker_init_fn(|id| panic!("worker {id} has no file")));
    let error = loader.try_iter().next().unwrap().unwrap_err().to_string();
    assert_eq!(error, "Caught an error in DataLoader worker thread 0: panicked: worker 0 has no file");
}

/// What a closure panics with.
fn panic_of(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(f).expect_err("it panics");
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("a message")
}

#[test]
fn options_that_do_not_fit_are_refused_in_pytorch_s_words() {
    let count = || Count { n: 3, shard: false };
    let shuffled = panic_of(|| drop(DataLoader::with(count(), |o| o.shuffle(true))));
    assert_eq!(shuffled, "DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle=True");
    let negative = panic_of(|| drop(DataLoader::with(count(), |o| o.timeout(-1))));
    assert_eq!(negative, "timeout option should be non-negative");
    let persistent = panic_of(|| drop(DataLoader::with(Slow(0), |o| o.persistent_workers(true))));
    assert_eq!(persistent, "persistent_workers option needs num_workers > 0");
    let none = panic_of(|| drop(DataLoader::new(count(), 0)));
    assert_eq!(none, "batch_size should be a positive integer value, but got batch_size=0");
    let length = panic_of(|| {
        DataLoader::new(count(), 2).len();
    });
    assert_eq!(length, "object of type 'Count' has no len()");
    assert_eq!(DataLoader::with(count(), |o| o.batch_size(2).pin_memory(true)).iter().count(), 2);
}

/// An error in the stream ends the pass, in this thread and in a worker.
#[test]
fn the_first_error_ends_the_pass() {
    struct Broken;
    impl IterableDataset for Broken {
        type Item = i64;
        fn iter(&self) -> impl Iterator<Item = Result<i64>> + Send {
            (0..5).map(|i| if i == 3 { Err(flambeau_data::Error::other("broken")) } else { Ok(i) })
        }
    }
    for (workers, message) in [(0, "broken"), (1, "Caught an error in DataLoader worker thread 0: broken")] {
        let loader = DataLoader::with(Broken, |o| o.batch_size(2).num_workers(workers));
        let found: Vec<_> = loader.try_iter().collect();
        assert_eq!(found.len(), 2, "{workers} workers");
        assert_eq!(found[0].as_ref().unwrap().to_vec::<i64>(), [0, 1]);
        assert_eq!(found[1].as_ref().unwrap_err().to_string(), message);
    }
}
