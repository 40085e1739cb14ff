//! What a profile notes while it runs: spans of time, changes of memory, and at its end what the GPUs did for each span.

use crate::mode::{PROFILE, is_on, switch};
use flambeau_device::{start_timing, stop_timing};
use flambeau_tensor::Device;
use flambeau_tensor::watch::{MemoryChange, set_mark, watch_memory};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What something took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub cpu_time: Duration,
    pub device_time: Duration,
    /// Bytes that were taken, less those that were given back.
    pub cpu_memory: i64,
    pub device_memory: i64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.cpu_time += other.cpu_time;
        self.device_time += other.device_time;
        self.cpu_memory += other.cpu_memory;
        self.device_memory += other.device_memory;
    }
}

impl Cost {
    fn without(self, other: Cost) -> Cost {
        Cost {
            cpu_time: self.cpu_time.saturating_sub(other.cpu_time),
            device_time: self.device_time.saturating_sub(other.device_time),
            cpu_memory: self.cpu_memory - other.cpu_memory,
            device_memory: self.device_memory - other.device_memory,
        }
    }

    fn memory(device: Device, bytes: i64) -> Cost {
        match device {
            Device::Cpu => Cost { cpu_memory: bytes, ..Cost::default() },
            Device::Wgpu(_) => Cost { device_memory: bytes, ..Cost::default() },
        }
    }
}

/// What an event is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mode) enum Kind {
    /// An operation, or the backward of one.
    Operation,
    /// A module, or a part of the program to which the user gave a name.
    Annotation,
    /// A kernel on a GPU.
    Kernel(usize),
    /// Memory that changed outside of all spans.
    Memory,
}

/// One run of something, when it is over.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub name: String,
    pub kind: Kind,
    /// The number of the span; a kernel has that of the span that launched it.
    pub id: u64,
    /// The span around it; zero where there is none.
    parent: u64,
    pub thread: u64,
    pub start: Duration,
    pub total: Cost,
    /// Without what ran within it.
    pub own: Cost,
}

/// Memory that was taken or given back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub change: MemoryChange,
    pub thread: u64,
    pub at: Duration,
    /// Bytes on this device that were taken since the profile began and are not given back.
    pub allocated: i64,
}

struct Recorder {
    since: Instant,
    events: Vec<Event>,
    memory: Vec<Memory>,
    allocated: HashMap<Device, i64>,
}

static RECORDER: Mutex<Option<Recorder>> = Mutex::new(None);

fn recorder() -> std::sync::MutexGuard<'static, Option<Recorder>> {
    RECORDER.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// What ran within each open span of this thread, and the memory of the span itself, from the outermost inwards.
    static WITHIN: RefCell<Vec<(Cost, Cost)>> = const { RefCell::new(Vec::new()) };
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

/// A small number for this thread.
fn thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    if THREAD.get() == 0 {
        THREAD.set(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    THREAD.get()
}

/// Something that runs, until it is dropped.
pub(in crate::mode) struct Span {
    name: String,
    kind: Kind,
    id: u64,
    parent: u64,
    start: Instant,
}

impl Span {
    pub fn enter(name: String, kind: Kind) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        WITHIN.with_borrow_mut(|within| within.push(Default::default()));
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Span { name, kind, id, parent: set_mark(id), start: Instant::now() }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let cpu_time = self.start.elapsed();
        set_mark(self.parent);
        let (total, own) = WITHIN.with_borrow_mut(|within| {
            let (inner, mut total) = within.pop().unwrap_or_default();
            total.cpu_time = cpu_time;
            total.cpu_memory += inner.cpu_memory;
            total.device_memory += inner.device_memory;
            if let Some((outer, _)) = within.last_mut() {
                *outer += total;
            }
            (total, total.without(inner))
        });
        if let Some(recorder) = recorder().as_mut() {
            recorder.events.push(Event {
                name: std::mem::take(&mut self.name),
                kind: self.kind,
                id: self.id,
                parent: self.parent,
                thread: thread(),
                start: self.start.saturating_duration_since(recorder.since),
                total,
                own,
            });
        }
    }
}

/// Adds to the innermost span of this thread; outside of all it is an event of its own, as in PyTorch.
fn memory_changed(change: MemoryChange) {
    let cost = Cost::memory(change.device, change.bytes);
    // A thread that ends has no spans any more.
    let within = WITHIN.try_with(|within| match within.borrow_mut().last_mut() {
        Some((_, own)) => {
            *own += cost;
            true
        }
        None => false,
    });
    let thread = THREAD.try_with(|_| thread()).unwrap_or(0);
    let mut recorder = recorder();
    let Some(recorder) = recorder.as_mut() else { return };
    let at = recorder.since.elapsed();
    let allocated = recorder.allocated.entry(change.device).or_default();
    *allocated += change.bytes;
    recorder.memory.push(Memory { change, thread, at, allocated: *allocated });
    if within != Ok(true) {
        let name = "[memory]".to_owned();
        let event = Event { name, kind: Kind::Memory, id: 0, parent: 0, thread, start: at, total: cost, own: cost };
        recorder.events.push(event);
    }
}

/// Begins a profile.
///
/// # Panics
/// When another runs.
#[track_caller]
pub(super) fn start(profile_memory: bool) {
    let mut recorder = recorder();
    assert!(recorder.is_none(), "Can't disable Kineto profiler when it's not running: another profile runs already");
    *recorder =
        Some(Recorder { since: Instant::now(), events: Vec::new(), memory: Vec::new(), allocated: HashMap::new() });
    drop(recorder);
    if profile_memory {
        watch_memory(Some(memory_changed));
    }
    start_timing();
    switch(PROFILE, true);
}

/// Ends it: what was seen, in the order in which it began.
pub(super) fn stop() -> (Vec<Event>, Vec<Memory>) {
    switch(PROFILE, false);
    watch_memory(None);
    let launches = stop_timing();
    let Some(Recorder { since, mut events, memory, .. }) = recorder().take() else { return Default::default() };
    let places: HashMap<u64, usize> =
        events.iter().enumerate().filter(|(_, e)| e.id != 0).map(|(i, e)| (e.id, i)).collect();
    for launch in launches {
        let Device::Wgpu(index) = launch.device else { continue };
        let cost = Cost { device_time: launch.duration, ..Cost::default() };
        if let Some(&place) = places.get(&launch.mark) {
            events[place].own += cost;
        }
        let mut around = launch.mark;
        while let Some(&place) = places.get(&around) {
            events[place].total += cost;
            around = events[place].parent;
        }
        events.push(Event {
            name: launch.kernel.to_owned(),
            kind: Kind::Kernel(index),
            id: launch.mark,
            parent: 0,
            thread: 0,
            start: launch.start.saturating_duration_since(since),
            total: cost,
            own: cost,
        });
    }
    events.sort_by_key(|e| e.start);
    (events, memory)
}

/// A part of a program under a name of its own: see [`record_function`].
#[must_use = "the part ends when the guard is dropped; write `let _guard = …`"]
pub struct RecordFunction(#[allow(dead_code, reason = "it ends when it is dropped")] Option<Span>);

/// Shows what runs until the guard is dropped as one entry of the profile: `with torch.profiler.record_function(name):`.
pub fn record_function(name: &str) -> RecordFunction {
    RecordFunction(is_on(PROFILE).then(|| Span::enter(name.to_owned(), Kind::Annotation)))
}
