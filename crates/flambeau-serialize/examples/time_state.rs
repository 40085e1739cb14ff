//! How long a big state takes to the disk and back, and how much memory: `time_state FILE [MEGABYTES]`. `goldens/time_state.py` does the
//! same in PyTorch.

use flambeau_autograd::{Tensor, arange};
use flambeau_serialize::{Value, load, save};
use std::error::Error;
use std::time::Instant;

const TENSORS: usize = 16;

/// The most memory that the process had, in megabytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().map_or(0.0, |kb| kb / 1024.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: time_state FILE [MEGABYTES]")?;
    let megabytes: usize = arguments.next().map_or(Ok(1024), |text| text.parse())?;
    let tensor = |i| arange((megabytes << 18) / TENSORS).float().add(i as f64);
    let tensors: Vec<Tensor> = (0..TENSORS).map(tensor).collect();
    let state = Value::dict(tensors.iter().enumerate().map(|(i, t)| (format!("w{i}"), Value::from(t))));
    // What the tensors took to be made does not count.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let before = peak();
    for _ in 0..3 {
        let start = Instant::now();
        save(&state, &path)?;
        println!("save {:.2} s, peak {:.0} MB over {before:.0} MB", start.elapsed().as_secs_f64(), peak() - before);
    }
    drop((state, tensors));
    let start = Instant::now();
    let read = load(&path)?;
    println!("load {:.2} s, {} tensors", start.elapsed().as_secs_f64(), read.len());
    std::fs::remove_file(path)?;
    Ok(())
}
