//! The same work here and in PyTorch, in turn on the same machine, with the ratio.

use crate::command::{Result, capture, cargo, root};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// How often both run; the machine's speed drifts, so they take turns and the best of each counts.
const ROUNDS: usize = 3;

pub fn run(python: &str, threads: usize) -> Result<()> {
    let script = root().join("benches/peers/pytorch.py");
    let threads_text = threads.to_string();
    let mut best: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        let mut ours = cargo(&["run", "--release", "--quiet", "--package", "flambeau-benches", "--bin", "peers"]);
        ours.env("FLAMBEAU_NUM_THREADS", &threads_text);
        let mut theirs = Command::new(python);
        theirs.arg(&script).arg(&threads_text);
        for (side, command) in [(0, ours), (1, theirs)] {
            for line in capture(command)?.lines() {
                let row: Value = serde_json::from_str(line)?;
                let (Some(name), Some(us)) = (row["name"].as_str(), row["us"].as_f64()) else {
                    return Err(format!("not a row: {line}").into());
                };
                let entry = best.entry(name.to_owned()).or_insert((f64::INFINITY, f64::INFINITY));
                let slot = if side == 0 { &mut entry.0 } else { &mut entry.1 };
                *slot = slot.min(us);
            }
        }
    }
    println!(
        "{:<44} {:>12} {:>12} {:>8}",
        format!("{threads} threads, best of {ROUNDS}"),
        "flambeau µs",
        "PyTorch µs",
        "ratio"
    );
    for (name, (ours, theirs)) in best {
        println!("{name:<44} {ours:>12.2} {theirs:>12.2} {:>8.2}", ours / theirs);
    }
    Ok(())
}
