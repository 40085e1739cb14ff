//! Damaged files give errors: no panic, no endless loop, no memory beyond the file's size.

use flambeau_serialize::pth;
use proptest::prelude::*;
use std::{fs, path::PathBuf};

fn golden(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "goldens", name].iter().collect();
    fs::read(path).unwrap()
}

/// Reads `bytes` as a file; `Ok` holds how many bytes of tensors it has.
fn read(bytes: &[u8]) -> Result<usize, flambeau_serialize::Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    pth::read(file.path()).map(|(_, storages)| storages.iter().map(|s| s.bytes.len()).sum())
}

#[test]
fn every_truncation_is_an_error() {
    let whole = golden("views.pth");
    assert!(read(&whole).is_ok());
    for len in 0..whole.len() {
        assert!(read(&whole[..len]).is_err(), "the first {len} of {} bytes were read", whole.len());
    }
}

#[test]
fn a_flipped_bit_in_tensor_data_is_noticed() {
    let mut bytes = golden("views.pth");
    let at = bytes.windows(4).position(|w| w == 11f32.to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    let error = read(&bytes).unwrap_err().to_string();
    assert!(error.contains("corrupt"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// `no_crc.pth` has no checksums, so that the damage reaches the pickle and the headers.
    #[test]
    fn mutated_files_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        name in prop::sample::select(vec!["no_crc.pth", "views.pth"]),
    ) {
        let mut bytes = golden(name);
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = read(&bytes) {
            prop_assert!(read <= bytes.len());
        }
    }

    #[test]
    fn random_bytes_after_the_magic_are_an_error(rest in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&[&b"PK\x03\x04"[..], &rest].concat()).is_err());
    }
}
