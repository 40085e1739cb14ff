//! Writes the inputs that fuzzing starts from: `corpus/TARGET/…`, from the files of flambeau-serialize's matrix.

#[path = "../../../crates/flambeau-serialize/tests/common/records.rs"]
mod records;

use std::io::{Cursor, Read, Result};
use std::path::Path;

/// The targets by the first letters of a file's name.
const TARGETS: [(&str, &str); 8] = [
    ("zip_", "pth_zip"),
    ("bad_", "pth_zip"),
    ("jit_", "pth_zip"),
    ("legacy_", "pth_legacy"),
    ("tar_", "pth_legacy"),
    ("st_", "safetensors"),
    ("npy_", "npy"),
    ("npz_", "npz"),
];

/// Long inputs make slow executions.
const LONGEST: usize = 6000;

fn main() -> Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let write = |target: &str, name: &str, bytes: &[u8]| -> Result<()> {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(name), bytes)
    };
    let mut result = Ok(());
    let matrix = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/flambeau-serialize/goldens/matrix.gz");
    records::each_packed(&matrix, |record| {
        let name = record.name.trim_start_matches("bad");
        let found = TARGETS.iter().find(|(prefix, _)| record.name.starts_with(prefix) || name.starts_with(prefix));
        let Some((_, target)) =
            found.filter(|(_, target)| record.bytes.len() <= if *target == "pth_legacy" { 11_000 } else { LONGEST })
        else {
            return;
        };
        let written = write(target, &record.name, &record.bytes).and_then(|()| match pickle(&record.bytes) {
            Some(pickle) if *target == "pth_zip" => write("pickle", &record.name, &pickle),
            _ => Ok(()),
        });
        if written.is_err() {
            result = written;
        }
    });
    result
}

/// The pickle of an archive of `torch.save`.
fn pickle(archive: &[u8]) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).ok()?;
    let names: Vec<String> = archive.file_names().flatten().map(|name| name.to_string()).collect();
    let name = names.into_iter().find(|name| name.ends_with("/data.pkl"))?;
    let mut bytes = Vec::new();
    archive.by_name(&name).ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
