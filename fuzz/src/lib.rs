//! What the targets share: each reads its input as one format, within a bound of memory.

#[path = "../../crates/flambeau-serialize/tests/common/allocations.rs"]
mod allocations;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Where the readers find an input: in memory, where the system offers that.
static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    folder.join(format!("flambeau-fuzz-{}", std::process::id()))
});

/// [`bounded`], with the input as a file.
///
/// # Panics
/// As [`bounded`], and when the file cannot be written.
pub fn bounded_file<T>(data: &[u8], constant: usize, times: usize, read: impl FnOnce(&Path) -> T) {
    std::fs::write(&*PLACE, data).expect("the input can be written");
    bounded(data.len(), constant, times, || read(&PLACE));
}

/// Runs `read` on an input of `len` bytes; whatever it returns is right.
///
/// # Panics
/// When it held more than `constant` bytes and `times` the input's length, which libFuzzer takes for a crash.
pub fn bounded<T>(len: usize, constant: usize, times: usize, read: impl FnOnce() -> T) {
    let (result, peak) = allocations::peak_of(read);
    drop(result);
    assert!(peak <= constant + times * len, "{peak} bytes of memory for an input of {len}");
}
