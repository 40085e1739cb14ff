//! What AlexNet sees: hooks on its activations keep what each gives for a picture, and a grid of the first channels becomes a PNG.
//!
//! `cargo run --release --example feature_maps -- --image photo.jpg --weights alexnet.pth --out maps.png`. Without a picture one is
//! drawn; without weights they are those that PyTorch draws from the seed, and it prints what `expected/feature_maps.py` prints.

use clap::Parser;
use flambeau_examples::options;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use torch::prelude::*;
use torch::vision::{io, models};

#[derive(Parser)]
#[command(name = "feature_maps", allow_negative_numbers = true)]
struct Options {
    /// A picture, PNG or JPEG; drawn if absent.
    #[arg(long)]
    image: Option<PathBuf>,
    /// The PNG that is written.
    #[arg(long, default_value = "maps.png")]
    out: PathBuf,
    /// A state dict of AlexNet, .pth or .safetensors.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Seed of the weights where no file has them.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many channels of each activation are shown.
    #[arg(long, default_value_t = 16)]
    channels: usize,
}

/// The side of the picture as the network takes it, and of a channel in the grid.
const SIDE: usize = 224;
const TILE: usize = 56;
const COLUMNS: usize = 8;

fn main() -> ExitCode {
    match run(&options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("feature_maps: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(given: &Options) -> Result<(), Box<dyn Error>> {
    options::writable("--out", &given.out)?;
    let picture = match &given.image {
        Some(path) => {
            io::read_image_with(path, |o| o.mode("RGB")).map_err(|error| format!("cannot read --image {error}"))?
        }
        None => drawn(),
    };
    torch::manual_seed(given.seed);
    let model = match &given.weights {
        Some(path) => models::alexnet_with(|o| o.weights(path))?,
        None => models::alexnet(),
    };
    model.eval();

    // What each activation gives is kept by a hook: the next layer may write to it.
    let maps = Arc::new(Mutex::new(Vec::new()));
    let mut handles = Vec::new();
    for (name, layer) in model.features.named_children() {
        if layer.type_name() == "ReLU" {
            let maps = maps.clone();
            handles.push(layer.register_forward_hook(move |_, _, y| {
                maps.lock().unwrap().push((name.clone(), y.tensor()?.clone()));
                None
            }));
        }
    }
    {
        let _guard = torch::no_grad();
        let means = torch::tensor([0.485, 0.456, 0.406]).view((3, 1, 1));
        let deviations = torch::tensor([0.229, 0.224, 0.225]).view((3, 1, 1));
        let x = picture.float().div(255).sub(means).div(deviations).unsqueeze(0);
        let x = F::interpolate(&x, |o| o.size((SIDE, SIDE)).mode("bilinear").align_corners(false));
        let best = model.call(x).softmax(1).topk(3).1;
        println!("most likely classes: {:?}", best.to_vec::<i64>());
    }
    handles.into_iter().for_each(|handle| handle.remove());

    let mut rows = Vec::new();
    for (name, map) in maps.lock().unwrap().iter() {
        let [_, channels, height, width] = map.sizes();
        let mean = map.mean().item();
        println!(
            "features.{name}: {channels} channels of {height}x{width}, mean {mean:.5}, largest {:.4}",
            map.max().item()
        );
        rows.push(tiles(map, given.channels.min(channels)));
    }
    let grid = torch::cat(rows, 0);
    let [height, width] = grid.sizes();
    io::write_png(grid.unsqueeze(0), &given.out).map_err(|error| format!("cannot write --out {error}"))?;
    eprintln!("{} has {width}x{height} pixels", given.out.display());
    Ok(())
}

/// The first channels, each from black to white, in rows: `[rows · TILE, COLUMNS · TILE]` bytes.
fn tiles(map: &Tensor, count: usize) -> Tensor {
    let shown = map.narrow(1, 0, count);
    let (low, high) = (shown.amin_dim((2, 3), true), shown.amax_dim((2, 3), true));
    let scaled = (&shown - &low) / (high - low).clamp_min(1e-12) * 255;
    let tiles = F::interpolate(&scaled, |o| o.size((TILE, TILE)).mode("nearest"));
    let rows = count.div_ceil(COLUMNS);
    let empty = torch::zeros((1, rows * COLUMNS - count, TILE, TILE));
    let all = torch::cat((tiles, empty), 1).view((rows, COLUMNS, TILE, TILE));
    all.permute([0, 2, 1, 3]).reshape((rows * TILE, COLUMNS * TILE)).to(torch::uint8)
}

/// A picture of the library's own: a sky, a sun, hills with stripes. `[3, SIDE, SIDE]` bytes.
fn drawn() -> Tensor {
    let mut bytes = Vec::with_capacity(3 * SIDE * SIDE);
    for channel in 0..3 {
        for y in 0..SIDE as i64 {
            for x in 0..SIDE as i64 {
                let sun = (x - 160).pow(2) + (y - 60).pow(2) < 900;
                let hill = 100 * (y - 120) > (x - 80) * (x - 80) / 2;
                let colour = match (sun, hill) {
                    (true, _) => [255, 220, 80],
                    (_, true) => {
                        if (x + y) / 16 % 2 == 0 {
                            [40, 140, 60]
                        } else {
                            [90, 180, 70]
                        }
                    }
                    _ => [120 + y / 4, 180 - y / 8, 250 - y / 2],
                };
                bytes.push(colour[channel] as u8);
            }
        }
    }
    torch::from_vec(bytes, [3, SIDE, SIDE])
}
