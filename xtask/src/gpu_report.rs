//! One table of the GPU at hand, beside PyTorch's if there is one with CUDA.

use crate::command::{Result, cargo, tee};

pub fn run(python: Option<&str>, json: bool) -> Result<()> {
    let mut command = cargo(&["run", "--release", "--quiet", "--package", "flambeau-benches", "--bin", "gpu_report"]);
    command.args(["--", "--out", "benches/reports"]);
    if let Some(python) = python {
        command.args(["--python", python]);
    }
    if json {
        command.arg("--json");
    }
    tee(command).map(drop)
}
