//! Reads each given file and writes it again into a folder: `resave OUT FILE…`. `goldens/check_written.py` and
//! `goldens/check_matrix.py` then compare both with PyTorch, NumPy and safetensors.

use flambeau_serialize::{load, numpy, save};
use flambeau_serialize::{pth, safetensors};
use std::{env, error::Error, path::Path, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("usage: resave OUT FILE…")?;
    for file in arguments {
        let to = out.join(file.file_name().ok_or("a file has no name")?);
        if let Err(error) = resave(&file, &to) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

fn resave(from: &Path, to: &Path) -> flambeau_serialize::Result<()> {
    match from.extension().and_then(|x| x.to_str()) {
        Some("safetensors") => safetensors::save_file(&safetensors::load_file(from)?, to),
        Some("npy") => numpy::save(to, numpy::load(from)?.into_tensor()?),
        Some("npz") => numpy::savez(to, numpy::load(from)?.items()?),
        // Through tensors for one half of the names, and through bytes for the other: both must do.
        _ if to.as_os_str().len().is_multiple_of(2) => save(&load(from)?, to),
        _ => {
            let (value, storages) = pth::read(from)?;
            let storages: Vec<_> = storages.iter().map(pth::Storage::as_ref).collect();
            pth::write(to, &value, &storages)
        }
    }
}
