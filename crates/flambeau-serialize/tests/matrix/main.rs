//! Files of PyTorch, NumPy and safetensors, ordinary, odd and hostile (`goldens/matrix.py`): each holds what those libraries
//! find in it, or is refused in plain words, within bounds of memory and time. `FLAMBEAU_MATRIX=folder` runs over the whole
//! set of files that the script writes.

mod differ;
#[path = "../common/records.rs"]
mod records;
mod tree;

#[path = "../common/allocations.rs"]
mod allocations;
#[path = "../common/clock.rs"]
mod clock;

use flambeau_serialize::Error;
use records::Record;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// What a file may take beside a multiple of its length: a pickle may repeat shared objects up to a budget.
const MEMORY: usize = 160 << 20;
const TIMES_LENGTH: usize = 40;
/// In a debug build; the longest are 240 MB of zeros and 50 000 keys, which become JSON here.
const TIME: Duration = Duration::from_secs(20);

#[test]
fn every_file_is_read_as_its_own_library_reads_it_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Vec::new();
    let mut count = 0;
    let check = |record: Record| {
        let path = folder.path().join(&record.name);
        std::fs::write(&path, &record.bytes).unwrap();
        count += 1;
        if let Some(fault) = fault(&record, &path) {
            faults.push(format!("{}: {fault}", record.name));
        }
        std::fs::remove_file(&path).unwrap();
    };
    match std::env::var_os("FLAMBEAU_MATRIX") {
        Some(all) => records::each_of(Path::new(&all), check),
        None => records::each_packed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/matrix.gz"), check),
    }
    assert!(count > 500 || std::env::var_os("FLAMBEAU_MATRIX").is_some(), "only {count} files");
    assert!(faults.is_empty(), "{} of {count} files:\n{}", faults.len(), faults.join("\n"));
}

/// What is wrong with how a file is read, if anything.
fn fault(record: &Record, path: &Path) -> Option<String> {
    let ((result, peak), seconds) =
        clock::time_of(|| allocations::peak_of(|| catch_unwind(AssertUnwindSafe(|| tree::of_file(path)))));
    if seconds > TIME {
        return Some(format!("it computed for {seconds:?}"));
    }
    // A file of zeros may be deflated a thousandfold, and whoever reads it means to have it.
    if !record.name.contains("bomb") && peak > MEMORY + TIMES_LENGTH * record.bytes.len() {
        return Some(format!("{peak} bytes of memory for a file of {}", record.bytes.len()));
    }
    let Ok(result) = result else { return Some("panicked".into()) };
    match result {
        Ok(found) => {
            let wanted = record.values();
            if record.is_readable() {
                return None;
            }
            if wanted.is_empty() {
                return Some(format!(
                    "must be refused ({:?}), was read: {}",
                    record.words(),
                    short(&found.to_string())
                ));
            }
            let mut differences: Vec<String> =
                wanted.iter().map(|wanted| differ::first(wanted, &found).unwrap_or_default()).collect();
            differences.sort();
            Some(differences.remove(0)).filter(|difference| !difference.is_empty())
        }
        Err(error) => refusal_fault(record, &error),
    }
}

/// What is wrong with an error: it must be allowed, be of the right kind, and say the words.
fn refusal_fault(record: &Record, error: &Error) -> Option<String> {
    let text = error.to_string();
    let Some(words) = record.words() else { return Some(format!("must be read, was refused: {}", short(&text))) };
    if !matches!(error, Error::Corrupt { .. } | Error::Unsupported { .. } | Error::Memory { .. }) {
        return Some(format!("refused with an error of another kind: {}", short(&text)));
    }
    if text.len() > 1000 {
        return Some(format!("the message has {} bytes: {}", text.len(), short(&text)));
    }
    // The file's name is no word of the message.
    let said = text.replace(&record.name, "").to_lowercase();
    let missing = words.iter().find(|word| !word.split('|').any(|word| said.contains(&word.to_lowercase())));
    missing.map(|word| format!("the message lacks `{word}`: {}", short(&text)))
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}
