//! What a loader's worker knows of itself.

use std::cell::Cell;

/// A worker of a loader: `torch.utils.data.get_worker_info()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// The worker's number, from 0.
    pub id: usize,
    /// How many workers the loader has.
    pub num_workers: usize,
    /// The worker's seed: the pass's base seed plus `id`.
    pub seed: u64,
}

thread_local! {
    static CURRENT: Cell<Option<WorkerInfo>> = const { Cell::new(None) };
}

/// In a loader's worker what the worker is, else `None`: `torch.utils.data.get_worker_info()`. An
/// [`IterableDataset`](crate::IterableDataset) takes its part of the samples by it.
///
/// ```
/// assert_eq!(flambeau_data::get_worker_info(), None);
/// ```
pub fn get_worker_info() -> Option<WorkerInfo> {
    CURRENT.get()
}

/// Makes this thread a worker.
pub(crate) fn become_worker(info: WorkerInfo) {
    CURRENT.set(Some(info));
}
