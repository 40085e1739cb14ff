//! Datasets, samplers and loaders: torch.utils.data for flambeau.
//!
//! A [`Dataset`] gives samples by number, an [`IterableDataset`] one after the other; a sampler says in which order, a [`DataLoader`] makes batches of them, in the
//! caller's thread or in workers.

mod collate;
mod dataset;
mod distributed;
mod error;
mod generator;
mod iterable;
mod loader;
#[doc(hidden)]
pub mod progress;
pub mod sampler;
mod split;
mod stack;
mod worker_info;

pub use collate::{BatchOf, Collate, default_collate, default_convert};
pub use dataset::{ConcatDataset, Dataset, IntoTensors, Subset, TensorDataset};
pub use distributed::{DistributedSampler, DistributedSamplerOptions};
pub use error::{Error, Result};
pub use generator::sample_generator;
pub use iterable::{ChainDataset, IterableDataset, IterableStyle, ListStyle, MapStyle, Samples};
pub use loader::{DataLoader, DataLoaderOptions, Iter, TryIter};
pub use sampler::{
    BatchSampler, IntoSampler, RandomSampler, RandomSamplerOptions, Sampler, SequentialSampler, SubsetRandomSampler,
    SubsetRandomSamplerOptions, WeightedRandomSampler, WeightedRandomSamplerOptions, Weights,
};
pub use split::{PartLength, PartLengths, RandomSplitOptions, random_split, random_split_with};
pub use stack::{StackDataset, StackedSets};
pub use worker_info::{WorkerInfo, get_worker_info};
