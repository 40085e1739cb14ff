//! How long a call takes, and what it makes the GPU do.

use crate::DEVICE;
use crate::work::{Call, Work};
use flambeau_benches::{synchronize, timed};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;
use torch::wgpu::{Counters, counters};

/// The shortest sample: waiting once at its end then counts for nothing.
const SAMPLE_SECONDS: f64 = 0.05;
/// Samples go on for about so long.
const ROW_SECONDS: f64 = 1.5;
/// Calls slower than this are sampled once more and no further.
const SLOW_SECONDS: f64 = 2.0;

/// The best sample's time for a call, and the least time of the process's threads for one.
#[derive(Clone, Copy)]
pub struct Timing {
    pub seconds: f64,
    pub cpu_seconds: Option<f64>,
}

/// Measures a work; what the first call compiles does not count.
///
/// # Errors
/// With the message, when it fails.
pub fn run(work: &Work) -> Result<(Timing, Counters), String> {
    catch_unwind(AssertUnwindSafe(|| {
        let mut call = work.prepare();
        for _ in 0..2 {
            call();
        }
        synchronize(DEVICE);
        let counts = count(&mut call);
        (time(&mut call, work.together), counts)
    }))
    .map_err(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|&s| s.to_owned())).unwrap_or_default();
        // A cell of the table holds a line.
        let line: String = message.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
        format!("failed: {}", line.replace('|', "/"))
    })
}

/// What one call and the wait for it make the GPU do.
fn count(call: &mut Call) -> Counters {
    let before = counters(0);
    call();
    synchronize(DEVICE);
    let after = counters(0);
    Counters {
        dispatches: after.dispatches - before.dispatches,
        submits: after.submits - before.submits,
        pipelines: after.pipelines - before.pipelines,
        readbacks: after.readbacks - before.readbacks,
    }
}

fn time(call: &mut Call, together: bool) -> Timing {
    let mut sample = |calls: u64| {
        let cpu = cpu_seconds();
        let wall = timed(DEVICE, calls, &mut *call).as_secs_f64();
        let cpu = cpu_seconds().zip(cpu).map(|(after, before)| (after - before) / calls as f64);
        Timing { seconds: wall / calls as f64, cpu_seconds: cpu }
    };
    let start = Instant::now();
    let mut best = sample(1);
    // One call says nothing about work that is gathered in batches.
    let first = if best.seconds < SAMPLE_SECONDS && together { sample(10).seconds } else { best.seconds };
    let calls = match together {
        true => ((SAMPLE_SECONDS / first) as u64).clamp(1, 1000),
        false => 1,
    };
    let mut samples = 1;
    while samples < 3 || start.elapsed().as_secs_f64() < ROW_SECONDS {
        if first > SLOW_SECONDS && samples == 2 {
            break;
        }
        let one = sample(calls);
        best.seconds = best.seconds.min(one.seconds);
        best.cpu_seconds = best.cpu_seconds.zip(one.cpu_seconds).map(|(a, b)| a.min(b));
        samples += 1;
    }
    best
}

/// The time that all threads of this process have computed: on a software adapter, what the work costs.
#[cfg(unix)]
fn cpu_seconds() -> Option<f64> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a rusage, which the call fills; zeroes are one too.
    let usage = unsafe {
        if libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) != 0 {
            return None;
        }
        usage.assume_init()
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 * 1e-6;
    Some(seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

#[cfg(not(unix))]
fn cpu_seconds() -> Option<f64> {
    None
}
