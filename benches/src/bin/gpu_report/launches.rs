//! Which kernels a step launches: the program runs itself once more with `FLAMBEAU_TRACE=1`, which makes the backend print
//! each launch.

use crate::DEVICE;
use crate::work::Work;
use flambeau_benches::synchronize;
use std::error::Error;
use std::process::Command;

const BEGIN: &str = "gpu_report: begin";
const LAUNCH: &str = "flambeau: launch ";

/// Does a work once, after a warm-up, with a mark before it.
pub fn once(work: &Work) {
    let mut call = work.prepare();
    call();
    synchronize(DEVICE);
    eprintln!("{BEGIN}");
    call();
    synchronize(DEVICE);
}

/// The launches of one call of a row's work.
///
/// # Errors
/// When the program cannot run itself.
pub fn list(name: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(["--once", name]).env("FLAMBEAU_TRACE", "1").output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let Some((_, after)) = text.split_once(BEGIN).filter(|_| output.status.success()) else {
        return Err(format!("tracing {name}: {text}").into());
    };
    Ok(after.lines().filter_map(|l| l.strip_prefix(LAUNCH)).map(ToOwned::to_owned).collect())
}
