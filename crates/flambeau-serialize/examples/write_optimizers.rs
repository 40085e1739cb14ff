//! Writes a checkpoint with states of optimizers and schedulers: `write_optimizers OUT.pth`. `goldens/optimizers.py check OUT.pth`
//! and `goldens/all_optimizers.py check OUT.pth` go on from it with PyTorch.

#[path = "../tests/optimizers/all.rs"]
mod all;
#[path = "../tests/optimizers/runs.rs"]
mod runs;

use flambeau_nn::{Linear, Module};
use flambeau_serialize::{dict, save};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: write_optimizers OUT.pth")?;
    let checkpoint = dict! {
        "epoch": 3,
        "name": "net",
        "best": None::<f64>,
        "losses": [0.5, 0.25],
        "model": Linear::new(3, 2).state_dict(),
        "optimizers": runs::of_optimizers(),
        "schedulers": runs::of_schedulers(),
        "all_optimizers": all::of_all_optimizers(),
    };
    save(&checkpoint, path)?;
    Ok(())
}
