//! Writes the states of `goldens/states.pth` again after they went through this library's optimizers, schedulers and scalers:
//! `write_states OUT.pth`. `goldens/states.py check OUT.pth` then compares them with PyTorch.

#[path = "../tests/optimizers/pass.rs"]
mod pass;

use flambeau_serialize::{load, save};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: write_states OUT.pth")?;
    let golden = load(concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/states.pth"))?;
    save(pass::passed(&golden), path)?;
    Ok(())
}
