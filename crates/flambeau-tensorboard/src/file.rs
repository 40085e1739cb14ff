//! Event files, and the thread that writes out what has waited for long.

use crate::error::{Error, Result};
use crate::names::{host, now};
use crate::record;
use crate::wire::Message;
use flambeau_autograd::warn;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A file that records are appended to, always whole ones, so that it can be read whatever becomes of the process.
struct EventFile {
    path: PathBuf,
    file: File,
    /// How many bytes of whole records are in the file.
    length: u64,
    /// Records that wait, and how many they are.
    pending: Vec<u8>,
    count: usize,
}

impl EventFile {
    fn create(folder: &Path, suffix: &str) -> Result<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let (number, process) = (NEXT.fetch_add(1, Ordering::Relaxed), std::process::id());
        let name = format!("events.out.tfevents.{:010}.{}.{process}.{number}{suffix}", now() as u64, host());
        let path = folder.join(name);
        let file = File::create(&path).map_err(Error::io(&path))?;
        let mut made = EventFile { path, file, length: 0, pending: Vec::new(), count: 0 };
        let source = Message::new().bytes(1, "flambeau-tensorboard");
        made.append(&Message::new().double(1, now()).chosen_bytes(3, "brain.Event:2").message(10, source).into_bytes());
        made.write_out()?;
        Ok(made)
    }

    fn append(&mut self, event: &[u8]) {
        record::append(&mut self.pending, event);
        self.count += 1;
    }

    /// Hands what waits to the operating system.
    fn write_out(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.pending);
        match &written {
            Ok(()) => self.length += self.pending.len() as u64,
            Err(_) => {
                // Half a record would hide all later ones. The first failure says more than one of these would.
                let _ = self.file.set_len(self.length);
                let _ = self.file.seek(SeekFrom::Start(self.length));
            }
        }
        self.pending.clear();
        self.count = 0;
        written.map_err(Error::io(&self.path))
    }
}

/// How event files are written.
pub(crate) struct Policy {
    /// How many events may wait.
    pub(crate) max_queue: usize,
    /// How many seconds they may wait.
    pub(crate) flush_secs: f64,
    /// The end of each file's name.
    pub(crate) filename_suffix: String,
}

#[derive(Default)]
struct Files {
    /// By folder, as it was named.
    open: BTreeMap<PathBuf, EventFile>,
    /// The first failure that nobody was told of.
    failure: Option<Error>,
    /// Whether the thread must end.
    ending: bool,
}

struct Shared {
    policy: Policy,
    files: Mutex<Files>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// Keeps a failure for whoever flushes or closes, and says it once on standard error.
    fn note(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            warn(&format!("tensorboard: events are lost: {error}"));
            self.failure.get_or_insert(error);
        }
    }

    /// Makes the folder's file, if there is none.
    fn open_in(&mut self, folder: &Path, policy: &Policy) -> Result<()> {
        if !self.open.contains_key(folder) {
            let made = EventFile::create(folder, &policy.filename_suffix)?;
            self.open.insert(folder.to_owned(), made);
        }
        Ok(())
    }

    fn write_out(&mut self) {
        let mut outcomes = Vec::new();
        outcomes.extend(self.open.values_mut().map(EventFile::write_out));
        outcomes.into_iter().for_each(|outcome| self.note(outcome));
    }
}

/// The event files of one writer, by folder.
pub(crate) struct EventFiles {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl EventFiles {
    pub(crate) fn new(policy: Policy) -> Self {
        let shared = Arc::new(Shared { policy, files: Mutex::default(), wake: Condvar::new() });
        EventFiles { shared, thread: Mutex::new(None) }
    }

    /// Makes the folder's file, if there is none.
    pub(crate) fn open(&self, folder: &Path) -> Result<()> {
        let made = self.shared.lock().open_in(folder, &self.shared.policy);
        self.watch();
        made
    }

    /// Appends an event to the folder's file, which is made if there is none.
    pub(crate) fn append(&self, folder: &Path, event: &[u8]) {
        // One lock from the look to the event: between two, another thread could make the file too, or close it.
        let mut files = self.shared.lock();
        let new = !files.open.contains_key(folder);
        let mut outcome = files.open_in(folder, &self.shared.policy);
        if let Some(file) = files.open.get_mut(folder) {
            file.append(event);
            if file.count >= self.shared.policy.max_queue {
                outcome = file.write_out();
            }
        }
        files.note(outcome);
        drop(files);
        if new {
            self.watch();
        }
    }

    /// Keeps a failure until the next flush.
    pub(crate) fn note(&self, outcome: Result<()>) {
        self.shared.lock().note(outcome);
    }

    pub(crate) fn flush(&self) -> Result<()> {
        let mut files = self.shared.lock();
        files.write_out();
        files.failure.take().map_or(Ok(()), Err)
    }

    pub(crate) fn close(&self) -> Result<()> {
        let outcome = self.flush();
        self.shared.lock().open.clear();
        outcome
    }

    /// Starts the thread that writes out what has waited for `flush_secs`, if it does not run.
    fn watch(&self) {
        let seconds = self.shared.policy.flush_secs;
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(time) = Duration::try_from_secs_f64(seconds.max(0.01)) else { return };
        if thread.is_some() {
            return;
        }
        let shared = self.shared.clone();
        let run = move || {
            let mut files = shared.lock();
            while !files.ending {
                files = shared.wake.wait_timeout(files, time).unwrap_or_else(PoisonError::into_inner).0;
                files.write_out();
            }
        };
        // Where the system has no thread to give, events wait for the next call.
        *thread = thread::Builder::new().name("tensorboard".to_owned()).spawn(run).ok();
    }
}

impl Drop for EventFiles {
    fn drop(&mut self) {
        self.shared.lock().ending = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        // Nobody is left to be told but standard error, where `note` says it.
        let _ = self.close();
    }
}
