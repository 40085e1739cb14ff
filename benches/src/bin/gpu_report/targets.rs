//! Figures that must hold: on every adapter, on a software one, on a GPU.

use crate::report::{Report, Row, duration};

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
    add("SimpleNN step: submits", "1", counts.map(|c| (c.submits.to_string(), c.submits == 1)));
    let seconds = |name: &str| report.row(name)?.timing.map(|t| t.seconds);
    let thousand = report.row("1000 dependent dispatches").and_then(|r| r.counts);
    add("1000 dependent dispatches: submits", "1", thousand.map(|c| (c.submits.to_string(), c.submits == 1)));
    if report.adapter.kind == "software" {
        let cpu = report.row("matmul 512").and_then(|r| r.timing).and_then(|t| t.cpu_seconds);
        add("matmul 512: CPU time", "0.15 s", cpu.map(|s| (duration(s), s <= 0.15)));
        let thousand = seconds("1000 dependent dispatches");
        add("1000 dependent dispatches: time", "5 ms", thousand.map(|s| (duration(s), s <= 5e-3)));
        return targets;
    }
    let flops = report.row("matmul 4096").and_then(Row::rate);
    add("matmul 4096", "35 TFLOP/s", flops.map(|f| (format!("{:.1} TFLOP/s", f / 1e12), f >= 35e12)));
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
