//! What the main loops of the large GPU kernels are made of, without a GPU.

use crate::command::{Result, cargo, tee};

pub fn run(out: Option<&str>) -> Result<()> {
    let mut command = cargo(&["run", "--quiet", "--package", "flambeau-shaders", "--example", "kernels", "--"]);
    if let Some(folder) = out {
        command.args(["--out", folder]);
    }
    tee(command).map(drop)
}
