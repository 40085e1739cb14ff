//! The files and their truths.

use flate2::read::GzDecoder;
use serde_json::Value as Json;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// One file.
pub struct Record {
    pub name: String,
    pub bytes: Vec<u8>,
    truth: Json,
}

impl Record {
    #[allow(dead_code, reason = "one of the programs that share this file")]
    /// The contents that are right; none where the file must be refused.
    pub fn values(&self) -> Vec<&Json> {
        ["value", "value2", "script"].iter().filter_map(|key| self.truth.get(key)).collect()
    }

    #[allow(dead_code, reason = "one of the programs that share this file")]
    /// Whether it is enough that the file can be read.
    pub fn is_readable(&self) -> bool {
        self.truth.get("readable").is_some()
    }

    /// What an error must say, where one is right.
    pub fn words(&self) -> Option<Vec<&str>> {
        Some(self.truth.get("refused")?.as_array()?.iter().filter_map(Json::as_str).collect())
    }
}

/// A record without its bytes, and how many there are.
fn record(line: &str) -> (Record, usize) {
    let line: Json = serde_json::from_str(line).unwrap();
    let len = line["len"].as_u64().unwrap() as usize;
    (Record { name: line["name"].as_str().unwrap().into(), bytes: Vec::new(), truth: line["truth"].clone() }, len)
}

/// Calls `f` with each file of a folder that `goldens/matrix.py` filled.
#[allow(dead_code, reason = "one of the programs that share this file")]
pub fn each_of(folder: &Path, mut f: impl FnMut(Record)) {
    for line in BufReader::new(File::open(folder.join("truth.jsonl")).unwrap()).lines() {
        let (record, _) = record(&line.unwrap());
        let bytes = std::fs::read(folder.join(&record.name)).unwrap();
        f(Record { bytes, ..record });
    }
}

/// Calls `f` with each file that is packed in `goldens/matrix.gz`.
pub fn each_packed(packed: &Path, mut f: impl FnMut(Record)) {
    let mut packed = BufReader::new(GzDecoder::new(File::open(packed).unwrap()));
    let mut line = String::new();
    while packed.read_line(&mut line).unwrap() > 0 {
        let (record, len) = record(&line);
        let mut bytes = vec![0; len];
        packed.read_exact(&mut bytes).unwrap();
        f(Record { bytes, ..record });
        line.clear();
    }
}
