//! Reads each given `.pth` file and writes it again into a folder: `resave OUT FILE…`. `goldens/check_written.py` then
//! compares both with PyTorch.

use flambeau_serialize::pth::{self, Storage};
use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("usage: resave OUT FILE…")?;
    for file in arguments {
        match pth::read(&file) {
            Ok((value, storages)) => {
                let storages: Vec<_> = storages.iter().map(Storage::as_ref).collect();
                pth::write(out.join(file.file_name().ok_or("a file has no name")?), &value, &storages)?;
            }
            Err(error) => eprintln!("{error}"),
        }
    }
    Ok(())
}
