//! Writes the synthetic digits as IDX files, so that another program can train on the same bytes:
//! `cargo run --package flambeau-examples --bin dump_digits -- FOLDER`

use flambeau_examples::digits::drawn;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: dump_digits FOLDER");
        return ExitCode::from(2);
    };
    match dump(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dump_digits: cannot write to {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dump(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (part, name) in drawn().iter().zip(["train", "t10k"]) {
        let (images, labels) = (part.images(), part.labels().to(torch::uint8));
        let n = labels.numel() as u32;
        let mut bytes = vec![0, 0, 8, 3];
        for length in [n, 28, 28] {
            bytes.extend(length.to_be_bytes());
        }
        bytes.extend(images.to_vec::<u8>());
        std::fs::write(folder.join(format!("{name}-images-idx3-ubyte")), bytes)?;
        let mut bytes = vec![0, 0, 8, 1];
        bytes.extend(n.to_be_bytes());
        bytes.extend(labels.to_vec::<u8>());
        std::fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), bytes)?;
    }
    Ok(())
}
