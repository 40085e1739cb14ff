//! Damaged files of every format give errors: no panic, no endless loop, no memory beyond a small multiple of the file's size.
//! `FLAMBEAU_DAMAGE=n` draws n files per format instead of the usual number.

mod mutate;

#[path = "../common/allocations.rs"]
mod allocations;
#[path = "../common/clock.rs"]
mod clock;
#[path = "../common/records.rs"]
mod records;

use flambeau_serialize::{Result, load, numpy};
use mutate::Random;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// A format: its files in the matrix start with `prefix`; what reads them; how much memory that may take.
struct Format {
    prefix: &'static str,
    read: fn(&Path) -> Result<()>,
    /// In bytes, whatever the file's length; a pickle may repeat shared objects up to a budget.
    memory: usize,
    /// In bytes for each byte of the file; a deflated byte may stand for a thousand.
    times: usize,
    /// Whether zeros at the end of a file may be missing, as a tar archive's.
    padded: bool,
}

const PTH: fn(&Path) -> Result<()> = |path| load(path).map(drop);
const NUMPY: fn(&Path) -> Result<()> = |path| match numpy::load(path)? {
    numpy::Loaded::Array(_) => Ok(()),
    numpy::Loaded::Archive(npz) => npz.items().map(drop),
};

const FORMATS: [Format; 7] = [
    Format { prefix: "zip_", read: PTH, memory: 160 << 20, times: 4096, padded: false },
    Format { prefix: "legacy_", read: PTH, memory: 160 << 20, times: 64, padded: false },
    Format { prefix: "tar_", read: PTH, memory: 160 << 20, times: 64, padded: true },
    Format { prefix: "jit_", read: PTH, memory: 160 << 20, times: 4096, padded: false },
    Format { prefix: "st_", read: PTH, memory: 1 << 20, times: 64, padded: false },
    Format { prefix: "npy_", read: NUMPY, memory: 2 << 20, times: 64, padded: false },
    Format { prefix: "npz_", read: NUMPY, memory: 2 << 20, times: 4096, padded: false },
];

/// The right files of a format, none of them large, with their names.
fn whole_files(format: &Format) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    records::each_packed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/matrix.gz"), |record| {
        let small = record.bytes.len() <= 6000 || format.prefix == "tar_";
        let right = record.words().is_none() || format.prefix == "jit_";
        if small && right && record.name.starts_with(format.prefix) {
            files.push((record.name, record.bytes));
        }
    });
    assert!(files.len() >= 4, "{} files of {}", files.len(), format.prefix);
    files
}

/// Reads `bytes` as a file of that format, within the bounds: whether it could be read.
fn read(format: &Format, name: &str, bytes: &[u8], folder: &Path) -> Result<bool, String> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    let ((result, peak), seconds) =
        clock::time_of(|| allocations::peak_of(|| catch_unwind(AssertUnwindSafe(|| (format.read)(&path)))));
    match result {
        Err(_) => Err("a panic".into()),
        _ if peak > format.memory + format.times * bytes.len() => {
            Err(format!("{peak} bytes of memory for {} of file", bytes.len()))
        }
        _ if seconds > Duration::from_secs(5) => Err(format!("{seconds:?}")),
        Ok(result) => Ok(result.is_ok()),
    }
}

#[test]
fn every_truncation_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for format in &FORMATS {
        let mut files = whole_files(format);
        files.retain(|(name, _)| !name.contains("trailing"));
        files.sort_by_key(|(_, bytes)| bytes.len());
        // One of the shortest, and one that holds more.
        for (name, bytes) in [&files[1], &files[files.len() / 2]] {
            assert_eq!(read(format, name, bytes, folder.path()), Ok(true), "{name}");
            let zeros = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
            let needed = bytes.len() - if format.padded { zeros } else { 0 };
            let step = if needed > 3000 { 7 } else { 1 };
            for len in (0..needed).step_by(step) {
                let result = read(format, name, &bytes[..len], folder.path());
                assert_eq!(result, Ok(false), "the first {len} of {} bytes of {name}", bytes.len());
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_an_error_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    for format in &FORMATS {
        let (name, bytes) = whole_files(format).into_iter().min_by_key(|(_, bytes)| bytes.len()).unwrap();
        // Another bit of each byte, and no further than the zeros at the end of a tar archive.
        let end = bytes.len() - bytes.iter().rev().take_while(|&&byte| byte == 0).count();
        for bit in (0..8 * end).step_by(9) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Err(fault) = read(format, &name, &flipped, folder.path()) {
                panic!("{fault} after bit {bit} of {name} was flipped");
            }
        }
    }
}

#[test]
fn mutated_files_stay_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let cases = std::env::var("FLAMBEAU_DAMAGE").map_or(1000, |n| n.parse().unwrap());
    for format in &FORMATS {
        let files = whole_files(format);
        let mut good = 0;
        for seed in 0..cases {
            let mut random = Random::new(seed);
            let (name, bytes) = random.pick(&files).clone();
            let mutated = mutate::file(bytes, &files, &mut random);
            match read(format, &name, &mutated, folder.path()) {
                Ok(read) => good += u64::from(read),
                Err(fault) => {
                    let kept = std::env::temp_dir().join(format!("damage-{seed}-{name}"));
                    std::fs::write(&kept, &mutated).unwrap();
                    panic!("{fault}: seed {seed} of {name}, kept as {}", kept.display());
                }
            }
        }
        // Damage that is always noticed, or never, would not test what lies behind.
        assert!(good > 0 && good < cases, "{}: {good} of {cases} could be read", format.prefix);
    }
}
