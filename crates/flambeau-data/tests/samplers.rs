//! Orders and batches as PyTorch 2.15 draws them; the numbers come from `torch.utils.data` after `torch.manual_seed`.

use flambeau_autograd::{Tensor, arange, rand};
use flambeau_data::*;
use flambeau_device::{default_generator, manual_seed};
use flambeau_tensor::Device;
use flambeau_tensor::random::Generator;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The default generator is one for the whole process; tests that seed it take turns.
fn seeded(seed: u64) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let guard = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    manual_seed(seed);
    guard
}

/// 0, 1, 2, …
struct Numbers(usize);

impl Dataset for Numbers {
    type Item = i64;
    fn len(&self) -> usize {
        self.0
    }
    fn get(&self, index: usize) -> Result<i64> {
        Ok(index as i64)
    }
}

fn batches(loader: &DataLoader<Numbers, Tensor>) -> Vec<Vec<i64>> {
    loader.iter().map(|batch| batch.to_vec()).collect()
}

fn drawn(sampler: impl Sampler) -> Vec<usize> {
    assert_eq!(sampler.iter().count(), sampler.len());
    sampler.iter().collect()
}

#[test]
fn shuffling_by_the_default_generator_is_pytorchs() {
    for workers in [0, 2] {
        let _turn = seeded(0);
        let loader = DataLoader::with(Numbers(10), |o| o.batch_size(4).shuffle(true).num_workers(workers));
        assert_eq!(loader.len(), 3);
        assert_eq!(batches(&loader), [&[6, 7, 1, 4][..], &[2, 0, 9, 8], &[3, 5]]);
        assert_eq!(batches(&loader), [&[2, 4, 7, 0][..], &[8, 9, 5, 3], &[6, 1]]);
        assert_eq!(rand([1]).item_as::<f32>(), 0.455_627_98);
    }
}

#[test]
fn shuffling_by_a_generator_of_ones_own_is_pytorchs() {
    let g = Generator::new().manual_seed(3);
    let loader = DataLoader::with(Numbers(6), |o| o.batch_size(3).shuffle(true).generator(&g));
    assert_eq!(batches(&loader), [[1, 3, 2], [0, 4, 5]]);
    assert_eq!(batches(&loader), [[0, 5, 1], [3, 4, 2]]);
    // The pass that ends on a whole batch has drawn one permutation more, as PyTorch's sampler does.
    assert_eq!(g.lock().uniform_f32(), 0.180_877_21);
    let g = Generator::new().manual_seed(3);
    let loader = DataLoader::with(Numbers(7), |o| o.batch_size(3).shuffle(true).drop_last(true).generator(&g));
    assert_eq!(loader.len(), 2);
    assert_eq!(batches(&loader), [[3, 4, 2], [0, 1, 6]]);
    assert_eq!(batches(&loader), [[6, 1, 2], [3, 4, 0]]);
}

#[test]
fn random_samplers_are_pytorchs() {
    let twice = |seed: u64, sampler: &dyn Fn() -> Box<dyn Sampler>| {
        let _turn = seeded(seed);
        let first: Vec<usize> = sampler().iter().collect();
        assert_eq!(first.len(), sampler().len());
        first
    };
    let forty = [
        1, 2, 0, 4, 1, 4, 0, 0, 4, 1, 2, 1, 4, 3, 0, 2, 4, 2, 1, 4, 2, 3, 3, 0, 3, 1, 1, 3, 2, 1, 1, 4, 0, 3, 1, 3, 2,
        4, 3, 0,
    ];
    let with_replacement =
        || -> Box<dyn Sampler> { Box::new(RandomSampler::with(&Numbers(5), |o| o.replacement(true).num_samples(40))) };
    assert_eq!(twice(1, &with_replacement), forty);
    let subset = || -> Box<dyn Sampler> { Box::new(SubsetRandomSampler::new(10..15)) };
    assert_eq!(twice(2, &subset), [13, 14, 11, 10, 12]);
    let weighted = |weights: [f64; 6], n, replacement| {
        move || -> Box<dyn Sampler> {
            Box::new(WeightedRandomSampler::with(weights, n, |o| o.replacement(replacement)))
        }
    };
    assert_eq!(twice(2, &weighted([0.1, 0.9, 0.4, 0.7, 3.0, 0.6], 8, true)), [5, 1, 4, 4, 5, 4, 1, 3]);
    assert_eq!(twice(2, &weighted([0.9, 0.4, 0.05, 0.2, 0.3, 0.1], 5, false)), [1, 0, 3, 5, 4]);
    assert_eq!(twice(2, &weighted([0.9, 0.4, 0.05, 0.2, 0.3, 0.1], 1, true)), [1]);

    let g = Generator::new().manual_seed(5);
    let more = RandomSampler::with(&Numbers(5), |o| o.num_samples(12).generator(&g));
    assert_eq!(more.iter().collect::<Vec<_>>(), [1, 3, 0, 4, 2, 1, 3, 0, 4, 2, 3, 1]);
    assert_eq!(g.lock().uniform_f32(), 0.072_412_19);
}

#[test]
fn random_splits_are_pytorchs() {
    let g = Generator::new().manual_seed(42);
    let [a, b, c] = random_split_with(Numbers(10), [0.3, 0.3, 0.4], |o| o.generator(&g));
    assert_eq!([a.indices(), b.indices(), c.indices()], [&[2, 6, 1][..], &[8, 4, 5], &[0, 9, 3, 7]]);
    let _turn = seeded(4);
    let [few, most] = random_split(Numbers(10), [3, 7]);
    assert_eq!(most.get(2).unwrap(), 3);
    assert_eq!([few.indices(), most.indices()], [&[0, 4, 9][..], &[6, 7, 3, 2, 8, 1, 5]]);
    assert_eq!(format!("{few:?}"), "Subset(3 samples of Numbers: [0, 4, 9])");
}

/// Arrays give arrays, lists give lists; integers of any type, and shares as PyTorch rounds them.
#[test]
fn lengths_of_a_split_are_what_people_have() {
    fn lengths<D: Dataset>(parts: &[Subset<D>]) -> Vec<usize> {
        parts.iter().map(Subset::len).collect()
    }
    let _turn = seeded(1);
    let n_train = 7_usize;
    let list: Vec<_> = random_split(Numbers(10), vec![n_train, 10 - n_train]);
    assert_eq!(lengths(&list), [7, 3]);
    assert_eq!(lengths(&random_split(Numbers(10), &[5_u8, 2, 3][..])), [5, 2, 3]);
    assert_eq!(lengths(&random_split(Numbers(10), &[0.8_f32, 0.2])), [8, 2]);
    // floor(11 · 0.35), twice, and floor(11 · 0.3); two are left for the first parts.
    assert_eq!(lengths(&random_split(Numbers(11), [0.35, 0.35, 0.3])), [4, 4, 3]);
    // Integers that sum up to 1 are shares, as in PyTorch.
    assert_eq!(lengths(&random_split(Numbers(10), [1, 0])), [10, 0]);
}

#[test]
fn splits_that_do_not_fit_say_what_pytorch_says() {
    let message = |f: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap()
    };
    let sum = "Sum of input lengths does not equal the length of the input dataset!";
    assert_eq!(message(&|| drop(random_split(Numbers(10), [3, 6]))), sum);
    assert_eq!(message(&|| drop(random_split(Numbers(10), [0.5, 0.4]))), sum);
    let fraction = "Fraction at index 0 is not between 0 and 1";
    assert_eq!(message(&|| drop(random_split(Numbers(10), [1.5, -0.5]))), fraction);
    let slices = "slice indices must be integers or None or have an __index__ method";
    assert_eq!(message(&|| drop(random_split(Numbers(10), [4.0, 6.0]))), slices);
}

/// One set serves several loaders and parts, by handles that share its tensors.
#[test]
fn a_dataset_serves_several_loaders() {
    fn evaluate(loader: &DataLoader<TensorDataset>) -> i64 {
        let mut sum = 0;
        for (_, y) in loader {
            sum += y.sum().item() as i64;
        }
        sum
    }
    fn of_one(loader: &DataLoader<TensorDataset<1>>) -> usize {
        loader.into_iter().map(|(x,)| x.len()).sum()
    }
    fn of_own(loader: &DataLoader<Numbers>) -> usize {
        loader.into_iter().map(|x: Tensor| x.len()).sum()
    }
    let x = arange(6).float();
    let data = TensorDataset::new((&x, arange(6)));
    let other = data.clone();
    x.fill_(7.0);
    assert!(other.tensors()[0].equal(&x), "a clone shares the tensors");
    assert_eq!(format!("{other:?}"), "[\"Tensor of torch.Size([6])\", \"Tensor of torch.Size([6])\"]");
    let (train, test) = (DataLoader::new(data.clone(), 4), DataLoader::with(other, |o| o.batch_size(3)));
    assert_eq!((evaluate(&train), evaluate(&test)), (15, 15));
    assert_eq!(of_one(&DataLoader::new(TensorDataset::new([&arange(5)]), 2)), 5);
    assert_eq!(of_own(&DataLoader::new(Numbers(5), 2)), 5);
    let _turn = seeded(2);
    let [few, most] = random_split(data, [0.5, 0.5]);
    let sizes = [few.clone(), few, most].map(|part| DataLoader::new(part, 2).len());
    assert_eq!(sizes, [2, 2, 2]);
}

/// Samples of 2 elements, but for one of 3.
struct Uneven(usize);

impl Dataset for Uneven {
    type Item = (Tensor, i64);
    fn len(&self) -> usize {
        12
    }
    fn get(&self, index: usize) -> Result<(Tensor, i64)> {
        Ok((arange(if index == self.0 { 3 } else { 2 }), index as i64))
    }
}

/// A batch that fails names the sample and the set, and its panic the line of the loop.
#[test]
fn a_batch_that_fails_names_the_sample_and_the_loop() {
    const WORDS: &str = "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1\n  entry 0 is \
                         sample 6 and entry 1 is sample 7 of the dataset Uneven";
    static PLACE: Mutex<Option<(String, u32)>> = Mutex::new(None);
    for workers in [0, 2] {
        let loader = DataLoader::with(Uneven(7), |o| o.batch_size(3).num_workers(workers));
        let mine = std::thread::current().id();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == mine {
                let place = info.location().map(|at| (at.file().to_owned(), at.line()));
                *PLACE.lock().unwrap() = place;
            }
        }));
        let mut seen = 0;
        let line = line!() + 2;
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for (_, numbers) in &loader {
                seen += numbers.len();
            }
        }));
        std::panic::set_hook(before);
        let words = panic.unwrap_err().downcast_ref::<String>().cloned().unwrap();
        let prefix = if workers == 0 { "" } else { "Caught an error in DataLoader worker thread 0: " };
        assert_eq!((words, seen), (format!("{prefix}{WORDS}"), 6));
        assert_eq!(*PLACE.lock().unwrap(), Some((file!().to_owned(), line)), "{workers} workers");
    }
}

#[test]
fn tensor_datasets_make_whole_batches() {
    let _turn = seeded(9);
    let x = arange(10).float().view([5, 2]);
    let loader = DataLoader::with(TensorDataset::new([x, arange(5)]), |o| o.batch_size(2).shuffle(true));
    let seen: Vec<(Vec<f32>, Vec<i64>)> = loader.iter().map(|(x, y)| (x.to_vec(), y.to_vec())).collect();
    let expected =
        [(vec![8.0, 9.0, 0.0, 1.0], vec![4, 0]), (vec![6.0, 7.0, 4.0, 5.0], vec![3, 2]), (vec![2.0, 3.0], vec![1])];
    assert_eq!(seen, expected);
    assert!(loader.dataset().get(5).is_err());
    let parts = ConcatDataset::new([Numbers(2), Numbers(0), Numbers(3)]);
    let all: Vec<i64> = (0..parts.len()).map(|i| parts.get(i).unwrap()).collect();
    assert_eq!(all, [0, 1, 0, 1, 2]);
    assert!(parts.get(5).is_err());
}

#[test]
fn batches_of_batches() {
    assert_eq!(drawn(SequentialSampler::new(&Numbers(3))), [0, 1, 2]);
    let batches = |drop_last| -> Vec<Vec<usize>> {
        BatchSampler::new(SequentialSampler::new(&Numbers(7)), 3, drop_last).iter().collect()
    };
    assert_eq!(batches(false), [&[0, 1, 2][..], &[3, 4, 5], &[6]]);
    assert_eq!(batches(true), [[0, 1, 2], [3, 4, 5]]);
    let loader = DataLoader::with(Numbers(7), |o| {
        o.batch_sampler(BatchSampler::new(SequentialSampler::new(&Numbers(4)), 3, false))
    });
    assert_eq!(loader.iter().map(|b| b.numel()).collect::<Vec<_>>(), [3, 1]);
}

#[test]
#[should_panic(expected = "sampler option is mutually exclusive with shuffle")]
fn a_sampler_excludes_shuffle() {
    let _ = DataLoader::with(Numbers(4), |o| o.shuffle(true).sampler(SequentialSampler::new(&Numbers(4))));
}

#[test]
#[should_panic(expected = "num_samples should be a positive integer value, but got num_samples=0")]
fn nothing_cannot_be_shuffled() {
    let _ = DataLoader::with(Numbers(0), |o| o.shuffle(true));
}

#[test]
fn the_default_generator_is_untouched_by_a_loader_with_its_own() {
    let _turn = seeded(0);
    let before = default_generator(Device::Cpu).unwrap().get_state();
    let g = Generator::new();
    batches(&DataLoader::with(Numbers(6), |o| o.shuffle(true).generator(&g)));
    assert_eq!(default_generator(Device::Cpu).unwrap().get_state(), before);
}
