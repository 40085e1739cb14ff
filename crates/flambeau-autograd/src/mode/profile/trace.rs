//! A profile in the trace-event format, with the fields that PyTorch's traces have.

use super::record::{Event, Kind, Memory};
use flambeau_tensor::Device;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

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

fn microseconds(t: Duration) -> f64 {
    t.as_nanos() as f64 / 1e3
}

/// The track of a GPU's kernels: PyTorch's number of the first stream that is not the default one.
const STREAM: u64 = 7;

/// One event as a JSON object. A GPU is a process of its own, its kernels on one track.
fn event(e: &Event, pid: u64, number: usize) -> String {
    let name = escaped(&e.name);
    let ts = microseconds(e.start);
    let (category, pid, tid, dur, args) = match e.kind {
        Kind::Kernel(index) => {
            let args =
                format!(r#""External id": {}, "device": {index}, "stream": {STREAM}, "correlation": {number}"#, e.id);
            ("kernel", index as u64, STREAM, e.total.device_time, args)
        }
        Kind::Operation => ("cpu_op", pid, e.thread, e.total.cpu_time, format!(r#""External id": {}"#, e.id)),
        Kind::Annotation | Kind::Memory => {
            ("user_annotation", pid, e.thread, e.total.cpu_time, format!(r#""External id": {}"#, e.id))
        }
    };
    let dur = microseconds(dur);
    format!(
        r#"{{"ph": "X", "cat": "{category}", "name": "{name}", "pid": {pid}, "tid": {tid}, "ts": {ts:.3}, "dur": {dur:.3}, "args": {{{args}}}}}"#
    )
}

/// A change of memory, as PyTorch writes it: CPU and GPU by their numbers among its devices.
fn instant(m: &Memory, pid: u64) -> String {
    let (kind, index) = match m.change.device {
        Device::Cpu => (0, -1),
        Device::Wgpu(index) => (1, index as i64),
    };
    let (ts, bytes, address) = (microseconds(m.at), m.change.bytes, m.change.address);
    format!(
        r#"{{"ph": "i", "cat": "cpu_instant_event", "s": "t", "name": "[memory]", "pid": {pid}, "tid": {}, "ts": {ts:.3}, "args": {{"Total Reserved": 0, "Total Allocated": {}, "Bytes": {bytes}, "Device Id": {index}, "Device Type": {kind}, "Addr": {address}}}}}"#,
        m.thread, m.allocated
    )
}

/// The lines that give processes and tracks their names.
fn names(events: &[Event], memory: &[Memory], pid: u64) -> Vec<String> {
    let meta = |what: &str, pid: u64, tid: u64, key: &str, value: &str| {
        format!(
            r#"{{"ph": "M", "name": "{what}", "ts": 0, "pid": {pid}, "tid": {tid}, "args": {{"{key}": "{value}"}}}}"#
        )
    };
    let process = |pid: u64, label: &str| {
        [meta("process_name", pid, 0, "name", "flambeau"), meta("process_labels", pid, 0, "labels", label)]
    };
    let mut lines = process(pid, "CPU").to_vec();
    let host = events.iter().filter(|e| !matches!(e.kind, Kind::Kernel(_))).map(|e| e.thread);
    let threads: BTreeSet<u64> = host.chain(memory.iter().map(|m| m.thread)).collect();
    lines.extend(threads.into_iter().map(|t| meta("thread_name", pid, t, "name", &format!("thread {t}"))));
    let gpu = |e: &Event| if let Kind::Kernel(index) = e.kind { Some(index as u64) } else { None };
    for index in events.iter().filter_map(gpu).collect::<BTreeSet<_>>() {
        lines.extend(process(index, &format!("GPU {index}")));
        lines.push(meta("thread_name", index, STREAM, "name", &format!("stream {STREAM}")));
    }
    lines
}

pub(super) fn text(events: &[Event], memory: &[Memory], profile_memory: bool) -> String {
    let pid = u64::from(std::process::id());
    let mut lines = names(events, memory, pid);
    let shown = events.iter().filter(|e| e.kind != Kind::Memory).enumerate();
    lines.extend(shown.map(|(number, e)| event(e, pid, number)));
    lines.extend(memory.iter().map(|m| instant(m, pid)));
    let memory = u8::from(profile_memory);
    format!(
        "{{\"schemaVersion\": 1, \"profile_memory\": {memory}, \"displayTimeUnit\": \"ms\", \"traceEvents\": [\n{}\n]}}\n",
        lines.join(",\n")
    )
}
