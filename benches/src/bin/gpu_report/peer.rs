//! The same work in PyTorch, on the same machine.

use crate::work::Work;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The script lies in the program, which then needs no other file.
const SCRIPT: &str = include_str!("../../../peers/pytorch_gpu.py");

/// Runs the works in PyTorch: what it is, and seconds per call by name.
///
/// # Errors
/// With the reason, when there is no Python with such a PyTorch.
pub fn run(python: &str, device: &str, works: &[&Work]) -> Result<(String, BTreeMap<String, f64>), String> {
    let list: Vec<Value> = works.iter().map(|w| json!([w.name, w.op, w.args, w.together])).collect();
    let mut child = Command::new(python)
        .args(["-c", SCRIPT, device])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{python}: {e}"))?;
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(Value::from(list).to_string().as_bytes()));
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().map(serde_json::from_str::<Value>);
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    if let Some(reason) = first["missing"].as_str() {
        return Err(format!("{python}: {reason}"));
    }
    let Some(peer) = first["peer"].as_str().filter(|_| matches!(written, Some(Ok(())))) else {
        return Err(format!("{python}: {}", output.status));
    };
    let mut times = BTreeMap::new();
    for row in lines {
        let row = row.map_err(|e| e.to_string())?;
        if let (Some(name), Some(seconds)) = (row["name"].as_str(), row["seconds"].as_f64()) {
            times.insert(name.to_owned(), seconds);
        }
    }
    Ok((peer.to_owned(), times))
}
