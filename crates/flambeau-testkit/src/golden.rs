//! Goldens: what PyTorch computes, read from `goldens/data` (written by `goldens/make_goldens.py`).
//!
//! Each file is gzip'd JSON, one case per line. Values: `null`, `true`, `3` (an int), `3.0` (a float), `"text"`, `[…]` (a list or tuple), and
//! one-key objects: `{"float": "nan" | "inf" | "-inf"}`, `{"dtype": "float32"}`, `{"slice": [start, stop, step]}`, `{"ellipsis": true}`,
//! `{"memory_format": "channels_last"}`. A tensor is `{"t": dtype, "s": shape, "v": values in row-major order}`; a view has also `"st"` (strides)
//! and `"o"` (offset), and its values are the whole base storage; `"g": 1` marks a leaf that requires a gradient.
//!
//! A case of an op has the keys `op, kind, args, kwargs?, out | error, grad_fn?, grads?, tol?` (see [`Case`]). Arguments come in the order of
//! the OpInfo's `op`, so a few differ from the public signature: `where(self, condition, other)`, `embedding(weight, indices)`,
//! `einsum(tensors, equation)`; `view`, `reshape`, `expand`, `repeat` take one list; `__getitem__` one list or one single index.

mod case;
mod module;
mod optim;
mod program;
mod random_optim;
mod saved;
mod table;
mod value;

pub use case::{Case, CaseKind, ExpectedError, load_cases, load_op, load_special, op_names};
pub use module::{InitCase, ModuleCase, ModuleRun, load_init, load_module_file};
pub use optim::{OptimizerCase, OptimizerStep, SchedulerCase, load_optimizers, load_schedulers};
pub use program::{ProgramCase, ProgramStep, load_programs};
pub use random_optim::{
    LbfgsCase, LbfgsStep, OptimizerGroup, OptimizerSnapshot, RandomOptimizerCase, RandomOptimizerStep, StateEntry,
    load_lbfgs, load_random_optimizers,
};
pub use saved::{Answers, Called, SavedCase, load_saved};
pub use table::load_table;
pub use value::{Arg, GoldenTensor, Mismatch, Tolerance, Values, ViewSpec};

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Why a golden file could not be read.
#[derive(thiserror::Error)]
pub enum GoldenError {
    /// The file is missing or not gzip.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A line is no JSON.
    #[error("{}:{line}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The cause.
        source: serde_json::Error,
    },
    /// A line is JSON, but not a case.
    #[error("{}:{line}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl std::fmt::Debug for GoldenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The folder of the golden files.
pub fn data_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/data")
}

/// The gradient that flows into element `i` (row-major) of an output: `(2·((7i + 3) mod 13) − 11) / 16`, exact in every float dtype and never 0.
/// The same formula stands in `goldens/encode.py`.
pub fn cotangent(len: usize) -> Vec<f64> {
    (0..len).map(|i| (2.0 * ((7 * i + 3) % 13) as f64 - 11.0) / 16.0).collect()
}

/// What a line says, or what is wrong with it.
type Parsed<T> = Result<T, String>;

/// Reads every line of a gzip'd JSON-lines file with `parse`.
fn load<T>(path: &Path, parse: impl Fn(&Map<String, Value>) -> Parsed<T>) -> Result<Vec<T>, GoldenError> {
    let io = |source| GoldenError::Io { path: path.to_owned(), source };
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).map_err(io)?).read_to_string(&mut text).map_err(io)?;
    let lines = text.lines().enumerate().map(|(i, text)| {
        let (path, line) = (path.to_owned(), i + 1);
        match serde_json::from_str::<Value>(text) {
            Err(source) => Err(GoldenError::Json { path, line, source }),
            Ok(json) => json
                .as_object()
                .ok_or_else(|| "not an object".to_owned())
                .and_then(&parse)
                .map_err(|what| GoldenError::Malformed { path, line, what }),
        }
    });
    lines.collect()
}

/// The value under `key`, read with `parse`.
fn field<T>(map: &Map<String, Value>, key: &str, parse: impl Fn(&Value) -> Parsed<T>) -> Parsed<T> {
    optional(map, key, parse)?.ok_or_else(|| format!("{key} is missing"))
}

/// As [`field`], for a key that may be absent.
fn optional<T>(map: &Map<String, Value>, key: &str, parse: impl Fn(&Value) -> Parsed<T>) -> Parsed<Option<T>> {
    map.get(key).map(|v| parse(v).map_err(|e| format!("{key}: {e}"))).transpose()
}

fn string(v: &Value) -> Parsed<String> {
    v.as_str().map(str::to_owned).ok_or_else(|| format!("{v} is not a string"))
}

/// Reads a list with `parse` for each element.
fn list<T>(parse: impl Fn(&Value) -> Parsed<T>) -> impl Fn(&Value) -> Parsed<Vec<T>> {
    move |v| v.as_array().ok_or_else(|| format!("{v} is not a list"))?.iter().map(&parse).collect()
}

/// `[[name, value], …]`: JSON objects do not keep their order.
fn pairs<T>(parse: impl Fn(&Value) -> Parsed<T>) -> impl Fn(&Value) -> Parsed<Vec<(String, T)>> {
    list(move |v| match v.as_array().map(Vec::as_slice) {
        Some([name, value]) => Ok((string(name)?, parse(value)?)),
        _ => Err(format!("{v} is not a pair")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cotangent_is_the_one_of_the_script() {
        // encode.cotangent(torch.zeros(5))
        assert_eq!(cotangent(5), [-0.3125, 0.5625, -0.1875, 0.6875, -0.0625]);
    }

    #[test]
    fn a_file_that_is_missing_or_broken_is_an_error_with_its_line() {
        let missing = load_op("no_such_op").unwrap_err();
        assert!(matches!(missing, GoldenError::Io { .. }), "{missing}");
        let dir = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            let path = dir.path().join("x.jsonl.gz");
            let mut z =
                flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
            std::io::Write::write_all(&mut z, text.as_bytes()).unwrap();
            z.finish().unwrap();
            path
        };
        let parse = |m: &Map<String, Value>| field(m, "op", string);
        assert_eq!(load(&write("{\"op\":\"a\"}\n{\"op\":\"b\"}\n"), parse).unwrap(), ["a", "b"]);
        assert!(matches!(load(&write("{\"op\":\"a\"}\n{\n"), parse), Err(GoldenError::Json { line: 2, .. })));
        assert!(matches!(load(&write("[]\n"), parse), Err(GoldenError::Malformed { line: 1, .. })));
        assert!(matches!(load(&write("{\"op\":3}\n"), parse), Err(GoldenError::Malformed { line: 1, .. })));
    }
}
