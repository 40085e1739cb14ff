//! Figures that must hold: on every adapter, on a software one, on a GPU.

use crate::report::{Report, Row, duration};
use torch::wgpu::Counters;

/// One of them.
pub struct Target {
    pub what: &'static str,
    pub limit: &'static str,
    pub measured: String,
    pub holds: bool,
}

/// Those that can be judged from what was measured.
pub fn all(report: &Report) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |what, limit, measured: Option<(String, bool)>| {
        targets.extend(measured.map(|(measured, holds)| Target { what, limit, measured, holds }));
    };
    let step = report.row("SimpleNN step, batch 64");
    let counts = step.and_then(|r| r.counts);
    add("SimpleNN step: launches", "15", counts.map(|c| (c.dispatches.to_string(), c.dispatches <= 15)));
    // A GPU that was idle gets the first launches early, a software adapter all of them when somebody waits.
    let software = report.adapter.kind == "software";
    let few = |limit: u64| move |c: Counters| (c.submits.to_string(), c.submits <= limit);
    let (limit, most) = if software { ("1", 1) } else { ("2", 2) };
    add("SimpleNN step: submits", limit, counts.map(few(most)));
    let seconds = |name: &str| report.row(name)?.timing.map(|t| t.seconds);
    let thousand = report.row("1000 dependent dispatches").and_then(|r| r.counts);
    let (limit, most) = if software { ("1", 1) } else { ("5", 5) };
    add("1000 dependent dispatches: submits", limit, thousand.map(few(most)));
    if software {
        let cpu = report.row("matmul 512").and_then(|r| r.timing).and_then(|t| t.cpu_seconds);
        add("matmul 512: CPU time", "0.15 s", cpu.map(|s| (duration(s), s <= 0.15)));
        let thousand = seconds("1000 dependent dispatches");
        add("1000 dependent dispatches: time", "5 ms", thousand.map(|s| (duration(s), s <= 5e-3)));
        return targets;
    }
    let flops = report.row("matmul 4096").and_then(Row::rate);
    add("matmul 4096", "42 TFLOP/s", flops.map(|f| (format!("{:.1} TFLOP/s", f / 1e12), f >= 42e12)));
    let of_copy = |op: &str| {
        let row = report.rows.iter().find(|r| r.work.op == op)?;
        report.of_copy(row).map(|r| (format!("{r:.2} of the copy"), r >= 0.85))
    };
    add("relu: bandwidth", "0.85 of the copy", of_copy("relu"));
    add("add: bandwidth", "0.85 of the copy", of_copy("add"));
    let speedup = step.and_then(Row::speedup);
    add("SimpleNN step: PyTorch's time over ours", "3", speedup.map(|s| (format!("{s:.2}"), s >= 3.0)));
    targets
}
