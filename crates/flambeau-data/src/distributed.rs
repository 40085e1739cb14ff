//! The part of a set that one of several processes reads.

use crate::dataset::Dataset;
use crate::generator::permutation;
use crate::sampler::{Indices, Sampler};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{OrPanic, options};
use flambeau_tensor::random::Generator;
use std::iter::once_with;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Each process's part of the samples, in an order that all of them know: `torch.utils.data.DistributedSampler`. A clone is a second
/// handle, whose epoch is the same: give one to the loader and call `set_epoch` of the other.
///
/// ```
/// use flambeau_data::{DataLoader, DistributedSampler, TensorDataset};
///
/// let dataset = TensorDataset::new([flambeau_autograd::arange(5)]);
/// let sampler = DistributedSampler::with(&dataset, |o| o.num_replicas(2).rank(1).shuffle(false));
/// let loader = DataLoader::with(dataset, |o| o.batch_size(3).sampler(sampler.clone()));
/// sampler.set_epoch(1);
/// // The last process begins anew, so that each has as many.
/// assert_eq!(loader.iter().map(|(x,)| x.to_vec::<i64>()).collect::<Vec<_>>(), [[1, 3, 0]]);
/// ```
#[derive(Clone, Debug)]
pub struct DistributedSampler {
    samples: usize,
    num_replicas: usize,
    rank: usize,
    shuffle: bool,
    seed: i64,
    drop_last: bool,
    epoch: Arc<AtomicI64>,
}

options! {
    /// Options of [`DistributedSampler`].
    #[derive(Clone, Debug)]
    DistributedSamplerOptions {
        /// How many processes there are.
        num_replicas: Option<i64> = None,
        /// Which of them this one is, from 0.
        rank: Option<i64> = None,
        /// Whether each epoch has an order of its own (true).
        shuffle: bool = true,
        /// What the orders are drawn from, with the epoch; the same in all processes (0).
        seed: i64 = 0,
        /// Whether samples are left out, so that each process has as many; else some come twice (false).
        drop_last: bool = false,
    }
}

impl DistributedSampler {
    /// With options, of which `num_replicas` and `rank` must be given: there are no process groups here to ask.
    ///
    /// # Panics
    /// In PyTorch's words: without them, or when the rank is not one of the processes'.
    #[track_caller]
    pub fn with(
        dataset: &impl Dataset,
        options: impl FnOnce(DistributedSamplerOptions) -> DistributedSamplerOptions,
    ) -> Self {
        let o = options(DistributedSamplerOptions::default());
        let (Some(num_replicas), Some(rank)) = (o.num_replicas, o.rank) else {
            panic!("Default process group has not been initialized, please make sure to call init_process_group.")
        };
        assert!(
            (0..num_replicas).contains(&rank),
            "Invalid rank {rank}, rank should be in the interval [0, {}]",
            num_replicas - 1
        );
        DistributedSampler {
            samples: dataset.len(),
            num_replicas: num_replicas as usize,
            rank: rank as usize,
            shuffle: o.shuffle,
            seed: o.seed,
            drop_last: o.drop_last,
            epoch: Arc::new(AtomicI64::new(0)),
        }
    }

    /// With `shuffle`, gives the next pass another order, the same in all processes: `sampler.set_epoch(epoch)`.
    pub fn set_epoch(&self, epoch: impl Int) {
        self.epoch.store(epoch.to_i64(), Relaxed);
    }

    fn order(&self) -> Vec<usize> {
        let n = self.samples;
        let order = if self.shuffle {
            let seed = self.seed.wrapping_add(self.epoch.load(Relaxed)) as u64;
            permutation(n, Some(&Generator::new().manual_seed(seed))).or_panic()
        } else {
            (0..n).collect()
        };
        // What is missing is filled up from the start.
        let filled = (0..self.len() * self.num_replicas).filter_map(|i| order.get(i % n.max(1)));
        filled.skip(self.rank).step_by(self.num_replicas).copied().collect()
    }
}

impl Sampler for DistributedSampler {
    fn iter(&self) -> Indices<'_> {
        Box::new(once_with(|| self.order()).flatten())
    }

    fn len(&self) -> usize {
        if self.drop_last { self.samples / self.num_replicas } else { self.samples.div_ceil(self.num_replicas) }
    }
}
