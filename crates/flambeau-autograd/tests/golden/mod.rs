//! Reads the golden files that PyTorch wrote (`flambeau-testkit/goldens`).

use serde_json::Value;
use std::io::Read;
use std::path::Path;

/// The cases of a gzip'd file of one JSON object per line.
pub fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flambeau-testkit/goldens/data").join(file);
    let mut text = String::new();
    let bytes = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The text under a key; `None` for null or no such key.
pub fn text<'a>(case: &'a Value, key: &str) -> Option<&'a str> {
    case[key].as_str()
}
