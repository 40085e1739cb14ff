//! Writes safetensors, npy and npz files that `goldens/safetensors/make.py --check DIR` and `goldens/numpy/make.py --check DIR`
//! read with Python's packages: `cargo run -p flambeau-serialize --example write_files -- DIR`.

use flambeau_autograd::{Tensor, arange, from_vec};
use flambeau_serialize::numpy;
use flambeau_serialize::safetensors::{save_file, save_file_with, save_model};
use flambeau_tensor::DType;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: write_files DIR")?);
    std::fs::create_dir_all(&folder)?;
    write_numpy(&folder)?;
    write_safetensors(&folder)?;
    Ok(())
}

fn counted(shape: &[i64]) -> Tensor {
    arange(shape.iter().product::<i64>()).reshape(shape)
}

/// A tensor in Fortran's order.
fn fortran(x: &Tensor) -> Tensor {
    let dims: Vec<i64> = (0..x.dim() as i64).rev().collect();
    x.permute(&dims[..]).contiguous().permute(&dims[..])
}

fn write_numpy(folder: &Path) -> flambeau_serialize::Result<()> {
    for dtype in DType::ALL.into_iter().filter(|dtype| *dtype != DType::BF16) {
        let kind = match dtype {
            DType::Bool => 'b',
            DType::U8 => 'u',
            other if other.is_integer() => 'i',
            _ => 'f',
        };
        let end = format!("{kind}{}.npy", dtype.size());
        numpy::save(folder.join(format!("c_{end}")), counted(&[2, 3]).to(dtype))?;
        numpy::save(folder.join(format!("fortran_{end}")), fortran(&counted(&[2, 3, 2])).to(dtype))?;
    }
    let slice = flambeau_autograd::ops::indexing::slice;
    numpy::save(folder.join("sliced.npy"), counted(&[4, 6]).float().i((slice(None, None, 2), slice(None, None, 3))))?;
    numpy::save(folder.join("scalar"), from_vec(vec![0.0_f32], [0_usize; 0]))?;
    let (w, b) = (counted(&[2, 3]).float(), counted(&[3]));
    let arrays = [("w", w), ("b", b), ("layer.0/weight", fortran(&counted(&[2, 2]).double()))];
    numpy::savez(folder.join("stored"), &arrays)?;
    numpy::savez_compressed(folder.join("deflated.npz"), &arrays)
}

fn write_safetensors(folder: &Path) -> flambeau_serialize::Result<()> {
    let every = goldens("every.safetensors")?;
    save_file_with(every, folder.join("every.safetensors"), |o| o.metadata([("format", "pt")]))?;
    save_file(Vec::<(String, Tensor)>::new(), folder.join("none.safetensors"))?;
    save_model(&tied(), folder.join("tied.safetensors"))
}

fn goldens(name: &str) -> flambeau_serialize::Result<flambeau_nn::StateDict> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "goldens", "safetensors", name].iter().collect();
    flambeau_serialize::safetensors::load_file(path)
}

/// Two layers with one weight.
#[derive(flambeau_nn::Module)]
struct Tied {
    encoder: flambeau_nn::Linear,
    decoder: flambeau_nn::Linear,
}

fn tied() -> Tied {
    let encoder = flambeau_nn::Linear::with(3, 2, |o| o.bias(false));
    let mut decoder = flambeau_nn::Linear::new(3, 2);
    decoder.weight = encoder.weight.share();
    let _no_grad = flambeau_autograd::no_grad();
    encoder.weight.copy_(counted(&[2, 3]).float());
    decoder.bias.as_ref().expect("it has one").fill_(0.5);
    Tied { encoder, decoder }
}
