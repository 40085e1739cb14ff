//! Reads the golden files that PyTorch wrote (`flambeau-testkit/goldens`).

use flambeau_autograd::{Tensor, from_vec};
use flambeau_tensor::DType;
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

/// A tensor as the goldens write it.
#[allow(dead_code, reason = "one of the tests has tensors in its file")]
pub fn tensor(golden: &Value) -> Tensor {
    let shape: Vec<i64> = golden["s"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
    let values = golden["v"].as_array().unwrap();
    let number = |v: &Value| v.as_f64().unwrap_or_else(|| f64::from(v.as_bool().unwrap()));
    let all = from_vec(values.iter().map(number).collect::<Vec<f64>>(), shape);
    let t = all.to(match golden["t"].as_str().unwrap() {
        "float32" => DType::F32,
        "int64" => DType::I64,
        "int32" => DType::I32,
        "bool" => DType::Bool,
        other => panic!("no case has {other}"),
    });
    t.requires_grad_(golden["g"].as_i64() == Some(1))
}
