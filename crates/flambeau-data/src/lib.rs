//! Datasets, samplers, loaders and transforms: torch.utils.data and torchvision's parts for flambeau.
//!
//! A [`Dataset`] gives samples by number, an [`IterableDataset`] one after the other; a sampler says in which order, a [`DataLoader`] makes batches of them, in the
//! caller's thread or in workers. [`vision`] has MNIST, FashionMNIST, digits that need no download, and transforms.

mod collate;
mod dataset;
mod error;
mod generator;
mod iterable;
mod loader;
pub mod sampler;
mod split;
#[cfg(feature = "vision")]
pub mod vision;
mod worker_info;

pub use collate::{BatchOf, Collate};
pub use dataset::{ConcatDataset, Dataset, IntoTensors, Subset, TensorDataset};
pub use error::{Error, Result};
pub use generator::sample_generator;
pub use iterable::{IterableDataset, IterableStyle, MapStyle, Samples};
pub use loader::{DataLoader, DataLoaderOptions, Iter, TryIter};
pub use sampler::{
    BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler,
};
pub use split::{PartLength, PartLengths, RandomSplitOptions, random_split, random_split_with};
pub use worker_info::{WorkerInfo, get_worker_info};
