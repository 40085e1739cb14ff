//! How long a call computes. What a busy machine makes it wait is not its fault.

use std::time::{Duration, Instant};

/// What this thread has computed so far, where the system tells.
fn computed() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// The result of `f`, and how long this thread computed for it; how long it took, where the system does not tell.
pub fn time_of<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let (start, before) = (Instant::now(), computed());
    let result = f();
    // A kernel that does not count says 0.
    let after = computed().filter(|after| !after.is_zero());
    let spent = before.zip(after).map(|(before, after)| after.saturating_sub(before));
    (result, spent.unwrap_or_else(|| start.elapsed()))
}
