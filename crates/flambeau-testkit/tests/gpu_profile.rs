//! What the profiler tells of a GPU: the time of its kernels, by the operation that launched them, and its memory.

use std::process::Command;
use torch::profiler::profile_with;

const WITHOUT: &str = "TIMESTAMP_QUERY";
/// What the process that has no timestamps prints at its end.
const DONE: &str = "profiled without timestamps";

/// The cells of a row of the table, by its name.
fn cells<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let row =
        table.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{name}: {table}"));
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

fn profiled() -> torch::profiler::Profile {
    let gpu = torch::device("wgpu:0");
    let x = torch::ones_with([64, 64], |o| o.device(gpu).requires_grad(true));
    torch::wgpu::synchronize(0);
    let mut prof = profile_with(|o| o.profile_memory(true));
    {
        let _part = torch::profiler::record_function("part");
        x.matmul(&x).relu().sum().backward();
    }
    assert_eq!(x.grad().unwrap().size(), [64, 64]);
    prof.stop();
    prof
}

/// One process, so that no other test's work is in the profile: first itself without timestamps, then with them.
#[test]
fn a_gpus_time_and_memory() {
    if std::env::var("FLAMBEAU_WITHOUT").as_deref() == Ok(WITHOUT) {
        let prof = profiled();
        let table = prof.key_averages().table();
        assert!(table.contains("WGPU Mem") && !table.contains("WGPU total"), "{table}");
        assert!(!prof.chrome_trace().contains("\"kernel\""));
        println!("{DONE}");
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "a_gpus_time_and_memory"]).env("FLAMBEAU_WITHOUT", WITHOUT);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains(DONE), "{text}");

    let before = torch::wgpu::counters(0).dispatches;
    let prof = profiled();
    let launches = torch::wgpu::counters(0).dispatches - before;
    let table = prof.key_averages().table();
    let heads: Vec<&str> = table.lines().nth(1).unwrap().split("  ").map(str::trim).filter(|h| !h.is_empty()).collect();
    assert_eq!(
        heads[6..],
        [
            "Self WGPU",
            "Self WGPU %",
            "WGPU total",
            "WGPU time avg",
            "CPU Mem",
            "Self CPU Mem",
            "WGPU Mem",
            "Self WGPU Mem",
            "# of Calls"
        ]
    );
    assert!(table.trim_end().lines().last().unwrap().starts_with("Self WGPU time total: "), "{table}");
    // The product's kernel is launched by the operation within.
    let (outer, product) = (cells(&table, "aten::matmul"), cells(&table, "aten::mm "));
    assert!(outer[6] == "0.000us" && product[6] != "0.000us" && outer[8] == product[6], "{table}");
    assert_eq!((outer[12], outer[13], product[13]), ("16.00 KB", "0 B", "16.00 KB"), "{table}");
    // The part launches nothing itself, and has all that was launched in it.
    let part = cells(&table, "part");
    assert!(part[6] == "0.000us" && part[8] != "0.000us", "{table}");

    let trace: serde_json::Value = serde_json::from_str(&prof.chrome_trace()).expect("the trace is JSON");
    let events = trace["traceEvents"].as_array().unwrap();
    let kernels: Vec<_> = events.iter().filter(|e| e["cat"] == "kernel").collect();
    // The tensor's ones were launched before the profile.
    assert!(!kernels.is_empty() && (kernels.len() as u64) < launches, "{} of {launches}", kernels.len());
    for kernel in &kernels {
        assert!(kernel["pid"] == 0 && kernel["tid"] == 7 && kernel["args"]["device"] == 0, "{kernel}");
        let id = &kernel["args"]["External id"];
        let launched_by = events.iter().find(|e| e["cat"] == "cpu_op" && e["args"]["External id"] == *id);
        let launched_by = launched_by.unwrap_or_else(|| panic!("nobody launched {kernel}"));
        assert!(kernel["ts"].as_f64() > launched_by["ts"].as_f64(), "{kernel} before {launched_by}");
    }
    let names = events.iter().filter(|e| e["ph"] == "M" && e["pid"] == 0 && e["name"] == "thread_name");
    assert_eq!(names.count(), 1);
    let gpu_memory = events.iter().filter(|e| e["name"] == "[memory]" && e["args"]["Device Type"] == 1);
    assert!(gpu_memory.count() >= 3);
    println!("{table}");

    // After it, work runs untimed as before.
    let mut idle = torch::profiler::profile();
    idle.stop();
    torch::ones_with(8, |o| o.device("wgpu:0")).add(1).to_vec::<f32>();
    assert!(!idle.chrome_trace().contains("\"kernel\""));
}
