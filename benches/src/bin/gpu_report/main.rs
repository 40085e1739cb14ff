//! One table of what a GPU does with this library, beside PyTorch on the same GPU if there is one.
//!
//! `cargo xtask gpu-report` runs it and writes `benches/reports/<adapter>.md`. On a machine without cargo, copy the program
//! (`target/release/gpu_report`, which needs no other file) and run
//!
//! ```text
//! ./gpu_report --out DIR [--python PATH/TO/python]
//! ```
//!
//! which writes `DIR/<adapter>.md` and prints the same; `--json` prints the rows as JSON. `FLAMBEAU_ADAPTER` chooses among
//! several GPUs. On a software adapter set `LP_NUM_THREADS=0`, as `.cargo/config.toml` does for cargo.
//!
//! Each figure is the best of several samples, each of enough calls and one wait at its end, after a warm-up.

mod launches;
mod peer;
mod report;
mod targets;
mod timing;
mod work;

use clap::Parser;
use report::{Report, Row};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use torch::Device;
use work::Work;

/// One table of what a GPU does with this library, beside PyTorch on the same GPU if there is one.
#[derive(Parser)]
struct Options {
    /// Folder that the report is written to.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print JSON in place of the table.
    #[arg(long)]
    json: bool,
    /// The Python to run PyTorch with; $PYTHON or python3 if not given.
    #[arg(long)]
    python: Option<String>,
    /// PyTorch's device.
    #[arg(long, default_value = "cuda")]
    peer_device: String,
    /// Work that is expected to take more seconds than this per call is left out.
    #[arg(long, default_value_t = 20.0)]
    limit: f64,
    /// Only rows whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Does the work of one row once, between marks on standard error: how the report lists a step's launches.
    #[arg(long, hide = true)]
    once: Option<String>,
}

/// The device that is measured.
const DEVICE: Device = Device::Wgpu(0);

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gpu_report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    torch::check_device(DEVICE)?;
    let adapter = torch::wgpu::adapters().swap_remove(0);
    let software = adapter.kind == "software";
    let works = work::all(software);
    if let Some(name) = &options.once {
        let work = works.iter().find(|w| w.name == *name).ok_or_else(|| format!("no row {name}"))?;
        launches::once(work);
        return Ok(());
    }
    let wanted = |w: &Work| options.only.as_ref().is_none_or(|part| w.name.contains(part.as_str()));
    let works: Vec<Work> = works.into_iter().filter(wanted).collect();
    let mut rows = measure(works, options.limit);
    let python = options.python.clone().or_else(|| std::env::var("PYTHON").ok()).unwrap_or_else(|| "python3".into());
    let done: Vec<&Work> = rows.iter().filter(|r| r.timing.is_some()).map(|r| &r.work).collect();
    let (peer, times) = match peer::run(&python, &options.peer_device, &done) {
        Ok((peer, times)) => (peer, times),
        Err(reason) => (format!("not measured: {reason}"), BTreeMap::new()),
    };
    for row in &mut rows {
        row.peer_seconds = times.get(&row.work.name).copied();
    }
    let steps = rows.iter().filter(|r| r.work.listed && r.timing.is_some()).map(|r| r.work.name.clone());
    let launches = steps.map(|name| launches::list(&name).map(|list| (name, list))).collect::<Result<_, _>>()?;
    let report = Report { adapter, peer, rows, launches };
    match options.json {
        true => println!("{}", report.json()),
        false => print!("{}", report.markdown()),
    }
    if let Some(folder) = &options.out {
        eprintln!("wrote {}", report.write(folder)?.display());
    }
    Ok(())
}

/// Measures one work after the other. What would take longer than `limit` seconds a call, judged by the work of its kind
/// before it, is left out; what fails leaves its message in its row.
fn measure(works: Vec<Work>, limit: f64) -> Vec<Row> {
    // A failure becomes a row; its message need not be printed too.
    std::panic::set_hook(Box::new(|_| {}));
    let mut rates: BTreeMap<&'static str, f64> = BTreeMap::new();
    let mut rows = Vec::new();
    for work in works {
        eprint!("{} … ", work.name);
        let expected = rates.get(work.op).map_or(0.0, |rate| work.amount / rate);
        let mut row = Row { work, timing: None, counts: None, peer_seconds: None, note: String::new() };
        if expected > limit {
            row.note = format!("left out: about {expected:.0} s a call");
        } else {
            match timing::run(&row.work) {
                Ok((timing, counts)) => {
                    rates.insert(row.work.op, row.work.amount / timing.seconds);
                    (row.timing, row.counts) = (Some(timing), Some(counts));
                }
                Err(reason) => row.note = reason,
            }
        }
        eprintln!("{}", row.time());
        rows.push(row);
    }
    drop(std::panic::take_hook());
    rows
}
