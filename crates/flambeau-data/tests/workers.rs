//! Workers: order, errors, random transforms, stopping.

use flambeau_autograd::Tensor;
use flambeau_data::*;
use flambeau_tensor::random::Generator;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Each sample does what `0` says.
struct Made<F>(usize, F);

impl<T, F: Fn(usize) -> Result<T> + Send + Sync> Dataset for Made<F> {
    type Item = T;
    fn len(&self) -> usize {
        self.0
    }
    fn get(&self, index: usize) -> Result<T> {
        (self.1)(index)
    }
}

#[test]
fn batches_come_in_order_whoever_is_slow() {
    let slow = |i: usize| {
        std::thread::sleep(Duration::from_millis(if i.is_multiple_of(4) { 8 } else { 0 }));
        Ok(i as i64)
    };
    for workers in [1, 3] {
        let loader = DataLoader::with(Made(22, slow), |o| o.batch_size(4).num_workers(workers));
        let all: Vec<i64> = loader.iter().flat_map(|b: Tensor| b.to_vec::<i64>()).collect();
        assert_eq!(all, (0..22).collect::<Vec<i64>>());
    }
}

#[test]
fn random_transforms_do_not_depend_on_the_number_of_workers() {
    let random = |_| Ok(sample_generator()?.lock().random() as i64);
    let epoch = |workers| {
        let g = Generator::new().manual_seed(1);
        let loader = DataLoader::with(Made(16, random), |o| o.batch_size(3).num_workers(workers).generator(&g));
        let pass = || loader.iter().flat_map(|b: Tensor| b.to_vec::<i64>()).collect::<Vec<i64>>();
        [pass(), pass()]
    };
    let [first, second] = epoch(1);
    assert_eq!(epoch(4), [first.clone(), second.clone()]);
    assert_ne!(first, second, "each epoch has a base seed of its own");
    let distinct: std::collections::HashSet<i64> = first.iter().copied().collect();
    assert_eq!(distinct.len(), 16);
}

#[test]
fn errors_and_panics_reach_the_caller() {
    for workers in [0, 2] {
        let failing = |i: usize| if i == 5 { Err(Error::other("sample 5 is broken")) } else { Ok(i as i64) };
        let loader = DataLoader::with(Made(9, failing), |o| o.batch_size(2).num_workers(workers));
        let mut pass = loader.try_iter();
        assert!(pass.next().unwrap().is_ok() && pass.next().unwrap().is_ok());
        let message = pass.next().unwrap().unwrap_err().to_string();
        let expected = match workers {
            0 => "sample 5 is broken",
            _ => "Caught an error in DataLoader worker thread 0: sample 5 is broken",
        };
        assert_eq!(message, expected);
        assert!(pass.next().is_none());
    }
    let panicking = |i: usize| -> Result<i64> { if i == 3 { panic!("index {i} burns") } else { Ok(0) } };
    let loader = DataLoader::with(Made(9, panicking), |o| o.batch_size(2).num_workers(2));
    let message = loader.try_iter().find_map(Result::err).unwrap().to_string();
    assert_eq!(message, "Caught an error in DataLoader worker thread 1: panicked: index 3 burns");
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| loader.iter().count())).unwrap_err();
    assert!(caught.downcast_ref::<String>().unwrap().contains("index 3 burns"));
}

#[test]
fn a_dropped_pass_stops_its_workers() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let counting = move |i: usize| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(1));
        Ok(i as i64)
    };
    let loader = DataLoader::with(Made(1000, counting), |o| o.batch_size(5).num_workers(2).prefetch_factor(3));
    let start = Instant::now();
    let mut pass = loader.iter();
    pass.next();
    drop(pass);
    let seen = made.load(Ordering::Relaxed);
    assert!(seen <= 40, "at most 6 batches under way and one received: {seen}");
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(made.load(Ordering::Relaxed), seen, "no worker lives on");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn samples_of_many_kinds_are_collated() {
    let sample = |i: usize| {
        let map: BTreeMap<&str, f32> = [("a", i as f32)].into();
        Ok((i as i64, vec![i as f64, 4.0], format!("s{i}"), [true, false], map))
    };
    let loader = DataLoader::with(Made(2, sample), |o| o.batch_size(2));
    let (numbers, lists, texts, arrays, maps) = loader.iter().next().unwrap();
    assert_eq!(numbers.to_vec::<i64>(), [0, 1]);
    assert_eq!(lists.iter().map(|t| t.to_vec::<f64>()).collect::<Vec<_>>(), [[0.0, 1.0], [4.0, 4.0]]);
    assert_eq!(texts, ["s0", "s1"]);
    assert_eq!(arrays[1].to_vec::<bool>(), [false, false]);
    assert_eq!(maps["a"].to_vec::<f32>(), [0.0, 1.0]);
    let own = DataLoader::with(Made(3, |i| Ok(i as i64)), |o| o.batch_size(2).collate_fn(|v: Vec<i64>| v.len()));
    assert_eq!(own.iter().collect::<Vec<usize>>(), [2, 1]);

    let message = <Vec<i64>>::collate(vec![vec![1, 2], vec![1]]).unwrap_err().to_string();
    assert_eq!(message, "each element in list of batch should be of equal size");
    let message = Tensor::collate(vec![flambeau_autograd::ones([3]), flambeau_autograd::ones([2])]);
    assert_eq!(
        message.unwrap_err().to_string(),
        "stack expects each tensor to be equal size, but got [3] at entry 0 and [2] at entry 1"
    );
}

#[test]
fn workers_compute_on_their_own_thread() {
    let before = flambeau_device::get_num_threads();
    // PyTorch's workers too begin with one thread, and may set another number, for themselves only.
    let threads = |i: usize| {
        let first = flambeau_device::get_num_threads();
        if i == 2 {
            flambeau_device::set_num_threads(3);
        }
        Ok(vec![first as i64, flambeau_device::get_num_threads() as i64])
    };
    let loader =
        DataLoader::with(Made(4, threads), |o| o.batch_size(1).num_workers(2).collate_fn(|v: Vec<_>| v[0].clone()));
    assert_eq!(loader.iter().collect::<Vec<Vec<i64>>>(), [vec![1, 1], vec![1, 1], vec![1, 3], vec![1, 1]]);
    assert_eq!(flambeau_device::get_num_threads(), before, "the loader's owner keeps its number");
}
