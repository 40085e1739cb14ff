//! Threads that make batches ahead.

use super::Fetch;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::generator::begin_sample;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

type Task = (usize, Vec<usize>);

/// The workers of one pass. Batches come back in the order in which they were asked for.
pub(super) struct Workers<B> {
    /// Tasks go to the workers in turn.
    tasks: Vec<Sender<Task>>,
    results: Receiver<(usize, Result<B>)>,
    /// Batches that are ahead of their turn.
    early: BTreeMap<usize, Result<B>>,
    sent: usize,
    received: usize,
    /// How many batches may be under way at once.
    ahead: usize,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl<B: Send + 'static> Workers<B> {
    /// Starts `count` threads.
    ///
    /// # Panics
    /// When the operating system gives no thread.
    pub fn start<D: Dataset + 'static>(
        count: usize,
        prefetch_factor: usize,
        base_seed: u64,
        dataset: &Arc<D>,
        fetch: &Fetch<D, B>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (done, results) = channel();
        let (mut tasks, mut threads) = (Vec::new(), Vec::new());
        for worker in 0..count {
            let (send, receive) = channel::<Task>();
            let (dataset, fetch, stop, done) = (dataset.clone(), fetch.clone(), stop.clone(), done.clone());
            let work = move || {
                // As in PyTorch's workers: the threads are the trainer's.
                flambeau_device::set_own_num_threads(1);
                let begin = |index| {
                    if stop.load(Ordering::Relaxed) {
                        return Err(Error::Value("the pass was dropped".into()));
                    }
                    begin_sample(base_seed, index);
                    Ok(())
                };
                while let Ok((number, indices)) = receive.recv() {
                    // What a panic may leave behind is dropped with the pass, which ends with this batch.
                    let batch = catch_unwind(AssertUnwindSafe(|| fetch(&dataset, &indices, &begin)));
                    let message = match batch {
                        Ok(Ok(batch)) => Ok(batch),
                        Ok(Err(error)) => Err(error.to_string()),
                        Err(panic) => Err(panic_message(&*panic)),
                    };
                    let batch = message.map_err(|message| Error::Worker { worker, message });
                    if stop.load(Ordering::Relaxed) || done.send((number, batch)).is_err() {
                        return;
                    }
                }
            };
            let thread = thread::Builder::new().name(format!("DataLoader worker {worker}")).spawn(work);
            threads.push(thread.unwrap_or_else(|e| panic!("cannot start a DataLoader worker: {e}")));
            tasks.push(send);
        }
        let ahead = count * prefetch_factor.max(1);
        Workers { tasks, results, early: BTreeMap::new(), sent: 0, received: 0, ahead, stop, threads }
    }
}

impl<B> Workers<B> {
    /// The next batch, after handing out the numbers of batches to come.
    pub fn next(&mut self, batches: &mut dyn Iterator<Item = Vec<usize>>) -> Option<Result<B>> {
        while self.sent < self.received + self.ahead {
            let Some(indices) = batches.next() else { break };
            let worker = self.sent % self.tasks.len();
            if self.tasks[worker].send((self.sent, indices)).is_err() {
                return Some(Err(ended(worker)));
            }
            self.sent += 1;
        }
        if self.received == self.sent {
            return None;
        }
        let wanted = self.received;
        let batch = loop {
            if let Some(batch) = self.early.remove(&wanted) {
                break batch;
            }
            match self.results.recv() {
                Ok((number, batch)) => self.early.insert(number, batch),
                Err(_) => break Err(ended(wanted % self.tasks.len())),
            };
        };
        self.received += 1;
        Some(batch)
    }
}

/// A worker only ends early when its thread is killed from outside.
fn ended(worker: usize) -> Error {
    Error::Worker { worker, message: "the thread ended unexpectedly".into() }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("with a value that is no message"))
}

impl<B> Drop for Workers<B> {
    /// Stops the workers after the sample at hand and waits for them.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.clear();
        for thread in self.threads.drain(..) {
            // A panic of a worker outside a dataset has been seen as a missing batch.
            let _ = thread.join();
        }
    }
}
