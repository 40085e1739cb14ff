//! Threads that make batches ahead.

use super::Feed;
use crate::error::{Error, Result};
use crate::generator::{begin_sample, begin_stream};
use crate::worker_info::{WorkerInfo, become_worker};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How workers work together.
#[derive(Clone)]
pub(super) struct Team {
    /// How many batches each makes ahead.
    pub prefetch_factor: usize,
    /// Whether batches come in the order in which they were asked for.
    pub in_order: bool,
    /// How long a batch is waited for.
    pub timeout: Option<Duration>,
    /// Called in each worker with its number.
    pub init: Option<Arc<dyn Fn(usize) + Send + Sync>>,
}

type Task = (usize, Vec<usize>);

/// What a worker made of a task; `None` where its stream has ended.
struct Answer<B> {
    task: usize,
    worker: usize,
    batch: Option<Result<B>>,
}

/// A worker as the loader sees it.
struct Worker {
    tasks: Sender<Task>,
    /// Whether its stream has ended.
    ended: bool,
    thread: JoinHandle<()>,
}

/// The workers of one pass.
pub(super) struct Workers<B> {
    /// Tasks go to the workers in turn.
    workers: Vec<Worker>,
    turn: usize,
    answers: Receiver<Answer<B>>,
    /// Who has the tasks that are under way.
    under_way: BTreeMap<usize, usize>,
    /// Batches that are ahead of their turn.
    early: BTreeMap<usize, Result<B>>,
    sent: usize,
    /// How many batches may be under way at once.
    ahead: usize,
    team: Team,
    stop: Arc<AtomicBool>,
    /// A batch took too long: its worker may never end.
    abandoned: bool,
}

/// What a thread needs to be a worker.
struct Start<B> {
    info: WorkerInfo,
    base_seed: u64,
    init: Option<Arc<dyn Fn(usize) + Send + Sync>>,
    tasks: Receiver<Task>,
    answers: Sender<Answer<B>>,
    stop: Arc<AtomicBool>,
}

impl<B> Start<B> {
    /// Answers the tasks, until the loader is gone or `make` has ended.
    fn run(&self, mut make: impl FnMut(&[usize]) -> Option<Result<B>>) {
        let worker = self.info.id;
        while let Ok((task, indices)) = self.tasks.recv() {
            // What a panic may leave behind is dropped with the pass, which ends with this batch.
            let batch = match catch_unwind(AssertUnwindSafe(|| make(&indices))) {
                Ok(batch) => batch.map(|batch| batch.map_err(|error| error.to_string())),
                Err(panic) => Some(Err(panic_message(&*panic))),
            };
            let batch = batch.map(|batch| batch.map_err(|message| Error::Worker { worker, message }));
            let last = batch.is_none();
            let stopped = self.stop.load(Ordering::Relaxed);
            if stopped || self.answers.send(Answer { task, worker, batch }).is_err() || last {
                break;
            }
        }
        // Tasks that are still to come are not taken; the loader does not wait for them.
        while !self.stop.load(Ordering::Relaxed) && self.tasks.recv().is_ok() {}
    }

    /// Runs in the worker's thread.
    fn work<D>(self, dataset: &D, feed: &Make<D, B>) {
        // As in PyTorch's workers: the threads are the trainer's.
        flambeau_device::set_own_num_threads(1);
        become_worker(self.info);
        let begin = |index| {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Value("the pass was dropped".into()));
            }
            begin_sample(self.base_seed, index);
            Ok(())
        };
        begin_stream(self.info.seed);
        let started = catch_unwind(AssertUnwindSafe(|| {
            if let Some(init) = &self.init {
                init(self.info.id);
            }
        }));
        if let Err(panic) = started {
            let message = panic_message(&*panic);
            return self.run(|_| Some(Err(Error::Value(message.clone()))));
        }
        match feed {
            Make::Map(fetch) => self.run(|indices| Some(fetch(dataset, indices, &begin))),
            Make::Iterable { batch_size, drop_last, stream } => {
                let mut batches = None;
                // The stream is opened by the first task, so that its panic has somebody to tell.
                self.run(|_| batches.get_or_insert_with(|| stream(dataset, *batch_size, *drop_last)).next());
            }
        }
    }
}

/// A loader's way to batches, for a thread of its own.
enum Make<D, B> {
    Map(crate::iterable::Fetch<D, B>),
    Iterable { batch_size: usize, drop_last: bool, stream: crate::iterable::Stream<D, B> },
}

impl<B: Send + 'static> Workers<B> {
    /// Starts `count` threads.
    ///
    /// # Panics
    /// When the operating system gives no thread.
    pub fn start<D: Send + Sync + 'static>(
        count: usize,
        team: &Team,
        base_seed: u64,
        dataset: &Arc<D>,
        feed: &Feed<D, B>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (done, answers) = channel();
        let worker = |id: usize| {
            let (send, tasks) = channel::<Task>();
            let make = match feed {
                Feed::Map { fetch, .. } => Make::Map(fetch.clone()),
                Feed::Iterable { batch_size, drop_last, stream } => {
                    Make::Iterable { batch_size: *batch_size, drop_last: *drop_last, stream: stream.clone() }
                }
            };
            let start = Start {
                info: WorkerInfo { id, num_workers: count, seed: base_seed.wrapping_add(id as u64) },
                base_seed,
                init: team.init.clone(),
                tasks,
                answers: done.clone(),
                stop: stop.clone(),
            };
            let dataset = dataset.clone();
            let thread = thread::Builder::new().name(format!("DataLoader worker {id}"));
            let thread = thread.spawn(move || start.work(&*dataset, &make));
            let thread = thread.unwrap_or_else(|e| panic!("cannot start a DataLoader worker: {e}"));
            Worker { tasks: send, ended: false, thread }
        };
        let workers = (0..count).map(worker).collect();
        let ahead = count * team.prefetch_factor.max(1);
        Workers {
            workers,
            turn: 0,
            answers,
            under_way: BTreeMap::new(),
            early: BTreeMap::new(),
            sent: 0,
            ahead,
            team: team.clone(),
            stop,
            abandoned: false,
        }
    }
}

impl<B> Workers<B> {
    /// The worker whose turn it is, of those whose stream goes on.
    fn next_worker(&mut self) -> Option<usize> {
        let n = self.workers.len();
        let worker = (0..n).map(|i| (self.turn + i) % n).find(|&w| !self.workers[w].ended)?;
        self.turn = worker + 1;
        Some(worker)
    }

    /// Hands out the numbers of batches to come.
    fn hand_out(&mut self, batches: &mut dyn Iterator<Item = Vec<usize>>) -> Result<()> {
        while self.under_way.len() + self.early.len() < self.ahead {
            let Some(worker) = self.next_worker() else { break };
            let Some(indices) = batches.next() else { break };
            if self.workers[worker].tasks.send((self.sent, indices)).is_err() {
                return Err(ended(worker));
            }
            self.under_way.insert(self.sent, worker);
            self.sent += 1;
        }
        Ok(())
    }

    /// The next batch.
    pub fn next(&mut self, batches: &mut dyn Iterator<Item = Vec<usize>>) -> Option<Result<B>> {
        loop {
            if let Err(error) = self.hand_out(batches) {
                return Some(Err(error));
            }
            // The batch that was asked for first, among those that are still to come; or any.
            let waiting = self.under_way.keys().next().copied();
            let ready = self.early.keys().next().copied();
            match (ready, waiting) {
                (None, None) => return None,
                (Some(ready), waiting) if !self.team.in_order || waiting.is_none_or(|w| ready < w) => {
                    return self.early.remove(&ready);
                }
                (_, waiting) => {
                    let worker = waiting.map_or(0, |task| self.under_way[&task]);
                    if let Err(error) = self.receive(worker) {
                        return Some(Err(error));
                    }
                }
            }
        }
    }

    /// Waits for an answer; `worker` has the batch whose turn it is.
    fn receive(&mut self, worker: usize) -> Result<()> {
        let answer = match self.team.timeout {
            None => self.answers.recv().map_err(|_| ended(worker))?,
            Some(timeout) => self.answers.recv_timeout(timeout).map_err(|error| match error {
                RecvTimeoutError::Timeout => {
                    self.abandoned = true;
                    Error::Timeout { seconds: timeout.as_secs_f64() }
                }
                RecvTimeoutError::Disconnected => ended(worker),
            })?,
        };
        self.under_way.remove(&answer.task);
        match answer.batch {
            Some(batch) => {
                self.early.insert(answer.task, batch);
            }
            None => {
                self.workers[answer.worker].ended = true;
                self.under_way.retain(|_, worker| *worker != answer.worker);
            }
        }
        Ok(())
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
    /// Stops the workers after the sample at hand and waits for them; after a timeout it does not wait.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.abandoned {
            return;
        }
        // Without senders nobody waits for a task.
        let threads: Vec<JoinHandle<()>> = self.workers.drain(..).map(|worker| worker.thread).collect();
        for thread in threads {
            // A panic of a worker outside a dataset has been seen as a missing batch.
            let _ = thread.join();
        }
    }
}
