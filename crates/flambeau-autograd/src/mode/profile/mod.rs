//! `torch.profiler`: how often each operation ran, how long it took, here and on a GPU, and the memory that it took.

mod record;
mod table;
mod trace;

pub(super) use record::{Kind, Span};
pub use record::{RecordFunction, record_function};
pub use table::Averages;

use flambeau_tensor::file::write_whole;
use record::{Event, Memory};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

crate::options! {
    /// Options of [`profile_with`], with PyTorch's defaults.
    ProfileOptions {
        /// Whether the memory that tensors take and give back is noted, and shown in the table and the trace.
        profile_memory: bool = false,
    }
}

/// What was seen: `torch.profiler.profile`; [`profile()`] starts one.
pub struct Profile {
    events: Vec<Event>,
    memory: Vec<Memory>,
    profile_memory: bool,
    running: bool,
}

/// Notes every operation, backward and module of all threads until [`Profile::stop`]: `with torch.profiler.profile() as prof:`.
/// The CPU's time of a GPU's operation is what it takes to record it. Where the GPU's adapter has timestamps, what the GPU itself
/// took stands beside it; each launch is then a pass of its own, so small ones take longer than without a profile.
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
    profile_with(|o| o)
}

/// [`profile()`] with options: `with torch.profiler.profile(profile_memory=True) as prof:`.
///
/// # Panics
/// As [`profile()`].
///
/// ```
/// let mut prof = torch::profiler::profile_with(|o| o.profile_memory(true));
/// let x = torch::ones(1024);
/// prof.stop();
/// let table = prof.key_averages().table();
/// assert!(table.contains("Self CPU Mem") && table.contains("4.00 KB"), "{table}");
/// ```
#[track_caller]
pub fn profile_with(options: impl FnOnce(ProfileOptions) -> ProfileOptions) -> Profile {
    let profile_memory = options(ProfileOptions::default()).profile_memory;
    record::start(profile_memory);
    Profile { events: Vec::new(), memory: Vec::new(), profile_memory, running: true }
}

impl Profile {
    /// Ends it: the end of Python's `with` block. Waits for the GPUs that were used.
    pub fn stop(&mut self) {
        if self.running {
            self.running = false;
            (self.events, self.memory) = record::stop();
        }
    }

    /// The events by name: `prof.key_averages()`.
    pub fn key_averages(&self) -> Averages {
        Averages::of(&self.events, self.profile_memory)
    }

    /// Writes the events in the trace-event format, which `chrome://tracing` and Perfetto show: `prof.export_chrome_trace(path)`.
    /// A GPU's kernels stand on a track of their own, changes of memory are instants called `[memory]`.
    ///
    /// # Errors
    /// When the file cannot be written; what stood there before is then as it was.
    pub fn export_chrome_trace(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let text = self.chrome_trace();
        let fill = |file: &mut File| file.write_all(text.as_bytes());
        write_whole(path.as_ref(), fill).map_err(|refused| refused.source)
    }

    /// The text of [`Profile::export_chrome_trace`].
    pub fn chrome_trace(&self) -> String {
        trace::text(&self.events, &self.memory, self.profile_memory)
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.stop();
    }
}
