//! The profiler: its table, its trace, and the memory that it sees. A profile sees all threads, so these tests take turns.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use torch::Tensor;
use torch::profiler::profile_with;

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message<T>(f: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).err().expect("a panic");
    panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap()
}

/// The trace-event format: complete events with a name, a category, whole ids, times in microseconds; instants with a scope;
/// metadata with arguments.
fn assert_event(event: &serde_json::Value) {
    assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
    assert!(event["ts"].as_f64().unwrap() >= 0.0, "{event}");
    match event["ph"].as_str() {
        Some("X") => assert!(event["cat"].is_string() && event["dur"].as_f64().unwrap() >= 0.0, "{event}"),
        Some("i") => assert!(event["cat"].is_string() && event["s"] == "t" && event["args"].is_object(), "{event}"),
        Some("M") => assert!(event["args"].is_object(), "{event}"),
        other => panic!("{other:?}: {event}"),
    }
}

/// The cells of a row of the table, by its name.
fn cells<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let row =
        table.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{name}: {table}"));
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn a_profile_counts_operations_and_their_backward() {
    let _turn = turn();
    let mut prof = torch::profiler::profile();
    let x: Tensor = torch::ones((2, 2)).requires_grad_(true);
    {
        let _part = torch::profiler::record_function("a part \"of it\"");
        for _ in 0..3 {
            x.kron(&x).erfc().sum().backward();
        }
    }
    prof.stop();
    let averages = prof.key_averages();
    let count = |name: &str| averages.counts().iter().find(|(n, _)| *n == name).map_or(0, |(_, calls)| *calls);
    assert_eq!(
        (count("aten::kron"), count("aten::erfc"), count("ErfcBackward0"), count("a part \"of it\"")),
        (3, 3, 3, 1)
    );
    let table = averages.table();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], lines[2]);
    assert!(lines.iter().all(|l| l.len() == lines[0].len() || l.starts_with("Self CPU time total: ")), "{table}");
    assert!(
        lines[1].trim_start().starts_with("Name    Self CPU %      Self CPU   CPU total %     CPU total  CPU time avg")
    );
    assert!(!table.contains("Mem") && !table.contains("WGPU"), "{table}");
    assert_eq!(averages.table_with("count", 1).lines().count(), 6);

    let trace: serde_json::Value = serde_json::from_str(&prof.chrome_trace()).expect("the trace is JSON");
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(|e| e["name"] == "aten::kron").count(), 3);
    // The trace-event format: complete events with a name, a category, whole ids, times in microseconds.
    for event in events {
        assert_event(event);
    }
    let again = torch::profiler::profile();
    assert!(message(torch::profiler::profile).contains("another profile runs already"));
    drop(again);
}

#[test]
fn memory_is_told_by_operation() {
    let _turn = turn();
    let before = torch::ones(100);
    let mut prof = profile_with(|o| o.profile_memory(true));
    let a = torch::ones(1000);
    let b = a.add(1).relu();
    drop(a);
    let c = torch::zeros(100);
    drop(b);
    {
        let _part = torch::profiler::record_function("outer");
        let inner = c.exp();
        drop(before);
        drop(inner);
        c.expm1().resize_(2_000);
    }
    prof.stop();
    let table = prof.key_averages().table();
    let heads = table.lines().nth(1).unwrap();
    assert!(heads.ends_with("       CPU Mem  Self CPU Mem    # of Calls  "), "{heads}");
    // Total, self, calls. The totals are what PyTorch 2.15 prints for the same lines; there and here `ones` and `zeros` take
    // nothing themselves.
    let memory = |name: &str| -> Vec<&str> { cells(&table, name).split_off(6) };
    assert_eq!(memory("aten::ones"), ["3.91 KB", "0 B", "1"], "{table}");
    assert_eq!(memory("aten::add"), ["3.91 KB", "3.91 KB", "1"], "{table}");
    assert_eq!(memory("aten::relu"), ["3.91 KB", "3.91 KB", "1"], "{table}");
    assert_eq!(memory("aten::zeros"), ["400 B", "0 B", "1"], "{table}");
    assert_eq!(memory("[memory]"), ["-11.72 KB", "-11.72 KB", "3"], "{table}");
    // exp and expm1 take 400 each, resize_ 8000 for 400; 400 of before and 400 of inner go back, and what was resized.
    assert_eq!(memory("aten::resize_")[0], "7.42 KB", "{table}");
    assert_eq!(memory("outer"), ["-400 B", "-8.59 KB", "1"], "{table}");

    let trace: serde_json::Value = serde_json::from_str(&prof.chrome_trace()).expect("the trace is JSON");
    assert_eq!(trace["profile_memory"], 1);
    let events = trace["traceEvents"].as_array().unwrap();
    events.iter().for_each(assert_event);
    let changes: Vec<_> = events.iter().filter(|e| e["name"] == "[memory]").map(|e| &e["args"]).collect();
    let bytes: Vec<i64> = changes.iter().map(|args| args["Bytes"].as_i64().unwrap()).collect();
    assert_eq!(bytes, [4000, 4000, 4000, -4000, -4000, 400, -4000, 400, -400, -400, 400, 8000, -400, -8000]);
    let mut sum = 0;
    for (args, bytes) in changes.iter().zip(bytes) {
        sum += bytes;
        assert_eq!(args["Total Allocated"].as_i64(), Some(sum));
        assert!(args["Device Id"] == -1 && args["Device Type"] == 0 && args["Addr"].as_u64().unwrap() > 0, "{args}");
    }
    assert!(message(|| prof.key_averages().table_with("memory", 1)).contains("a table is sorted by"));
    let most = prof.key_averages().table_with("self_cpu_memory_usage", 1);
    assert!(most.lines().nth(3).unwrap().contains("aten::resize_"), "{most}");
}

#[test]
fn without_profile_memory_no_change_is_noted() {
    let _turn = turn();
    let mut prof = torch::profiler::profile();
    drop(torch::ones(1000));
    prof.stop();
    assert!(!prof.chrome_trace().contains("[memory]"));
    assert!(!prof.key_averages().table().contains("[memory]"));
}

#[test]
fn a_trace_appears_whole_or_not_at_all() {
    let _turn = turn();
    let folder = std::env::temp_dir().join(format!("flambeau-trace-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("trace.json");
    let mut prof = torch::profiler::profile();
    torch::ones(3);
    prof.stop();
    prof.export_chrome_trace(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), prof.chrome_trace());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no temporary file stays behind");
    // A folder stands where the file should go: the rename fails, and nothing is left of the attempt.
    let taken = folder.join("taken");
    std::fs::create_dir_all(taken.join("inside")).unwrap();
    prof.export_chrome_trace(&taken).unwrap_err();
    assert!(taken.join("inside").is_dir());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    std::fs::remove_dir_all(&folder).unwrap();
}
