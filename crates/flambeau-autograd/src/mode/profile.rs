//! `torch.profiler`: how often each operation ran, and how long it took.

use super::{PROFILE, is_on, switch};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One run of something, when it is over.
#[derive(Clone, Debug)]
struct Event {
    name: String,
    thread: u64,
    start: Duration,
    total: Duration,
    /// Without what ran within it.
    own: Duration,
}

struct Recorder {
    since: Instant,
    events: Vec<Event>,
}

static RECORDER: Mutex<Option<Recorder>> = Mutex::new(None);

fn recorder() -> std::sync::MutexGuard<'static, Option<Recorder>> {
    RECORDER.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// How long the spans within the current one took, from the innermost outwards.
    static WITHIN: RefCell<Vec<Duration>> = const { RefCell::new(Vec::new()) };
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

/// A small number for this thread.
fn thread() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    if THREAD.get() == 0 {
        THREAD.set(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    }
    THREAD.get()
}

/// Something that runs, until it is dropped.
pub(super) struct Span {
    name: String,
    start: Instant,
}

impl Span {
    pub fn enter(name: String) -> Self {
        WITHIN.with_borrow_mut(|within| within.push(Duration::ZERO));
        Span { name, start: Instant::now() }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let total = self.start.elapsed();
        let children = WITHIN.with_borrow_mut(|within| {
            let children = within.pop().unwrap_or_default();
            if let Some(outer) = within.last_mut() {
                *outer += total;
            }
            children
        });
        if let Some(recorder) = recorder().as_mut() {
            recorder.events.push(Event {
                name: std::mem::take(&mut self.name),
                thread: thread(),
                start: self.start.saturating_duration_since(recorder.since),
                total,
                own: total.saturating_sub(children),
            });
        }
    }
}

/// A part of a program under a name of its own: see [`record_function`].
#[must_use = "the part ends when the guard is dropped; write `let _guard = …`"]
pub struct RecordFunction(#[allow(dead_code, reason = "it ends when it is dropped")] Option<Span>);

/// Shows what runs until the guard is dropped as one entry of the profile: `with torch.profiler.record_function(name):`.
pub fn record_function(name: &str) -> RecordFunction {
    RecordFunction(is_on(PROFILE).then(|| Span::enter(name.to_owned())))
}

/// What was seen: `torch.profiler.profile`. See [`profile()`].
pub struct Profile {
    events: Vec<Event>,
    running: bool,
}

/// Notes every operation, backward and module of all threads until [`Profile::stop`]: `with torch.profiler.profile() as prof:`.
/// A GPU's operations show the time that it takes to record them.
///
/// # Panics
/// When another profile runs.
///
/// ```
/// let mut prof = torch::profiler::profile();
/// torch::ones(4).add(1).relu();
/// prof.stop();
/// let table = prof.key_averages().table();
/// assert!(table.contains("aten::relu"), "{table}");
/// ```
#[track_caller]
pub fn profile() -> Profile {
    let mut recorder = recorder();
    assert!(recorder.is_none(), "Can't disable Kineto profiler when it's not running: another profile runs already");
    *recorder = Some(Recorder { since: Instant::now(), events: Vec::new() });
    switch(PROFILE, true);
    Profile { events: Vec::new(), running: true }
}

impl Profile {
    /// Ends it: the end of Python's `with` block.
    pub fn stop(&mut self) {
        if self.running {
            switch(PROFILE, false);
            self.running = false;
            self.events = recorder().take().map_or_else(Vec::new, |r| r.events);
            self.events.sort_by_key(|e| e.start);
        }
    }

    /// The events by name: `prof.key_averages()`.
    pub fn key_averages(&self) -> Averages {
        let mut rows: Vec<Row> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for event in &self.events {
            let place = *places.entry(&event.name).or_insert_with(|| {
                rows.push(Row { name: event.name.clone(), ..Row::default() });
                rows.len() - 1
            });
            let row = &mut rows[place];
            row.calls += 1;
            row.total += event.total;
            row.own += event.own;
        }
        Averages { rows }
    }

    /// Writes the events in the trace-event format, which `chrome://tracing` and Perfetto show: `prof.export_chrome_trace(path)`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn export_chrome_trace(&self, path: impl AsRef<Path>) -> io::Result<()> {
        std::fs::write(path, self.chrome_trace())
    }

    /// The text of [`Profile::export_chrome_trace`].
    pub fn chrome_trace(&self) -> String {
        let pid = std::process::id();
        let event = |e: &Event| {
            let (ts, dur) = (e.start.as_nanos() as f64 / 1e3, e.total.as_nanos() as f64 / 1e3);
            let category = if e.name.starts_with("aten::") { "cpu_op" } else { "user_annotation" };
            let name = escaped(&e.name);
            format!(
                r#"{{"ph": "X", "cat": "{category}", "name": "{name}", "pid": {pid}, "tid": {}, "ts": {ts:.3}, "dur": {dur:.3}}}"#,
                e.thread
            )
        };
        let events: Vec<String> = self.events.iter().map(event).collect();
        format!(
            "{{\"schemaVersion\": 1, \"displayTimeUnit\": \"ms\", \"traceEvents\": [\n{}\n]}}\n",
            events.join(",\n")
        )
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The text between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
        out
    })
}

#[derive(Clone, Debug, Default)]
struct Row {
    name: String,
    calls: usize,
    total: Duration,
    own: Duration,
}

/// Events by name: `prof.key_averages()`.
#[derive(Clone, Debug)]
pub struct Averages {
    rows: Vec<Row>,
}

const WIDTH: usize = 12;
const LONGEST_NAME: usize = 55;

fn time(t: Duration) -> String {
    let us = t.as_nanos() as f64 / 1e3;
    match us {
        us if us >= 1e6 => format!("{:.3}s", us / 1e6),
        us if us >= 1e3 => format!("{:.3}ms", us / 1e3),
        us => format!("{us:.3}us"),
    }
}

fn share(t: Duration, of: Duration) -> String {
    if of.is_zero() { "NaN".to_owned() } else { format!("{:.2}%", 100.0 * t.as_secs_f64() / of.as_secs_f64()) }
}

impl Averages {
    /// The names and how often each ran, in the order of their first run.
    pub fn counts(&self) -> Vec<(&str, usize)> {
        self.rows.iter().map(|r| (r.name.as_str(), r.calls)).collect()
    }

    /// The table that PyTorch prints, longest total first: `prof.key_averages().table(sort_by="cpu_time_total")`.
    pub fn table(&self) -> String {
        self.table_with("cpu_time_total", 100)
    }

    /// The first `row_limit` rows in an order: `"cpu_time_total"`, `"self_cpu_time_total"` or `"count"`:
    /// `prof.key_averages().table(sort_by=…, row_limit=…)`.
    ///
    /// # Panics
    /// For another order.
    #[track_caller]
    pub fn table_with(&self, sort_by: &str, row_limit: usize) -> String {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        match sort_by {
            "cpu_time_total" => rows.sort_by_key(|r| std::cmp::Reverse(r.total)),
            "self_cpu_time_total" => rows.sort_by_key(|r| std::cmp::Reverse(r.own)),
            "count" => rows.sort_by_key(|r| std::cmp::Reverse(r.calls)),
            other => panic!("{other}: a table is sorted by cpu_time_total, self_cpu_time_total or count"),
        }
        let longest = rows.iter().map(|r| r.name.chars().count()).max().unwrap_or(0);
        let width = (longest + 4).min(LONGEST_NAME);
        let line = |cells: [String; 7]| {
            let mut line = String::new();
            for (i, cell) in cells.into_iter().enumerate() {
                let width = if i == 0 { width } else { WIDTH };
                let _ = write!(line, "{cell:>width$}  ");
            }
            line + "\n"
        };
        let rule = line(std::array::from_fn(|i| "-".repeat(if i == 0 { width } else { WIDTH })));
        let heads = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls"];
        let all: Duration = self.rows.iter().map(|r| r.own).sum();
        let mut out = rule.clone() + &line(heads.map(str::to_owned)) + &rule;
        for row in rows.iter().take(row_limit) {
            let name = match row.name.chars().count() {
                n if n >= LONGEST_NAME - 3 => row.name.chars().take(LONGEST_NAME - 3).collect::<String>() + "...",
                _ => row.name.clone(),
            };
            let average = row.total / row.calls.max(1) as u32;
            out += &line([
                name,
                share(row.own, all),
                time(row.own),
                share(row.total, all),
                time(row.total),
                time(average),
                row.calls.to_string(),
            ]);
        }
        out + &rule + &format!("Self CPU time total: {}\n", time(all))
    }
}
