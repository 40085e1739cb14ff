//! Goldens: a gzip file of JSON cases, with arrays in base64.
#![allow(dead_code)]

use flambeau_vision::transforms::Sample;
use flambeau_vision::{Image, Mode};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use torch::Tensor;

/// A file beside the golden scripts.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name)
}

/// The JSON of a gzip file.
pub fn read_cases(path: &Path) -> Vec<Value> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub fn base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let text = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::new();
    for four in text.chunks(4) {
        let bits = four.iter().fold(0u32, |bits, &c| bits << 6 | u32::from(digit(c))) << (6 * (4 - four.len()));
        out.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    out
}

pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().map(|v| v.as_f64().unwrap()).collect(),
        Value::Null => vec![],
        v => vec![v.as_f64().unwrap()],
    }
}

pub fn integers(value: &Value) -> Vec<i64> {
    numbers(value).into_iter().map(|v| v as i64).collect()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// 32-bit numbers that the golden scripts make too.
pub fn noise(count: usize, salt: u64) -> Vec<u32> {
    let number = |i: u64| {
        let mut x = (i + 1 + salt * 7919).wrapping_mul(2_654_435_761) as u32;
        x ^= x >> 15;
        x = x.wrapping_mul(2_246_822_519);
        x ^ (x >> 13)
    };
    (0..count as u64).map(number).collect()
}

/// The input that a case describes.
pub fn input(spec: &Value) -> Sample {
    let shape = integers(&spec["shape"]);
    let range = integers(&spec["range"]);
    let count = shape.iter().product::<i64>() as usize;
    let numbers = noise(count, spec["salt"].as_u64().unwrap());
    if spec["kind"] == "f32" {
        let values: Vec<f32> = numbers.iter().map(|n| (n >> 8) as f32 / 16_777_216.0).collect();
        return Sample::Tensor(torch::from_vec(values, &shape[..]));
    }
    let byte = |n: &u32| (range[0] + i64::from(*n) % (range[1] - range[0] + 1)) as u8;
    let bytes: Vec<u8> = numbers.iter().map(byte).collect();
    let x = torch::from_vec(bytes, &shape[..]);
    if spec["kind"] == "u8" {
        return Sample::Tensor(x);
    }
    let mode = match shape[0] {
        1 => Mode::L,
        3 => Mode::RGB,
        _ => Mode::RGBA,
    };
    let pixels = x.permute([1, 2, 0]).contiguous().to_vec::<u8>();
    Sample::Image(Image::new(mode, (shape[2] as usize, shape[1] as usize), pixels))
}

/// A stored tensor.
pub fn tensor(stored: &Value) -> Tensor {
    let shape = integers(&stored["shape"]);
    let bytes = base64(stored["data"].as_str().unwrap());
    macro_rules! of {
        ($t:ty, $n:literal) => {
            torch::from_vec(
                bytes.chunks_exact($n).map(|b| <$t>::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>(),
                &shape[..],
            )
        };
    }
    match stored["dtype"].as_str().unwrap() {
        "uint8" => of!(u8, 1),
        "int8" => of!(i8, 1),
        "int16" => of!(i16, 2),
        "int32" => of!(i32, 4),
        "int64" => of!(i64, 8),
        "float32" => of!(f32, 4),
        "float64" => of!(f64, 8),
        other => panic!("{other}"),
    }
}

/// How far a result is from a stored one: nothing, or what differs.
///
/// `share` of the values may differ by more than the tolerance: by a level of bytes, and where `jumps` by anything.
pub fn difference(found: &Sample, stored: &Value, share: f64, jumps: bool, tolerance: f64) -> Option<String> {
    match found {
        Sample::Image(image) => {
            let Some(mode) = stored["mode"].as_str() else { return Some("an image where a tensor is expected".into()) };
            let shape = integers(&stored["shape"]);
            let what = (image.mode().name(), image.height() as i64, image.width() as i64);
            if what != (mode, shape[0], shape[1]) {
                return Some(format!("{what:?}, expected {mode} {shape:?}"));
            }
            let bytes = base64(stored["data"].as_str().unwrap());
            let wrong = bytes.iter().zip(image.pixels()).filter(|(a, b)| a != b).count();
            let most = bytes.iter().zip(image.pixels()).map(|(&a, &b)| a.abs_diff(b)).max().unwrap_or(0);
            let few = wrong as f64 <= share * bytes.len() as f64 && (jumps || most <= 1);
            (!few).then(|| format!("{wrong} of {} bytes differ, by up to {most}", bytes.len()))
        }
        Sample::Tensor(x) => {
            if stored["mode"].is_string() {
                return Some("a tensor where an image is expected".into());
            }
            let expected = tensor(stored);
            if x.dtype() != expected.dtype() || x.size() != expected.size() {
                return Some(format!("{} {}, expected {} {}", x.dtype(), x.size(), expected.dtype(), expected.size()));
            }
            let (a, b) = (x.contiguous().double().to_vec::<f64>(), expected.double().to_vec::<f64>());
            let limit = if x.is_floating_point() { tolerance } else { 0.0 };
            let far = |a: &f64, b: &f64| !(a == b || (a - b).abs() <= limit * b.abs().max(1.0));
            let wrong = a.iter().zip(&b).filter(|(a, b)| far(a, b)).count();
            let most = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let few = wrong as f64 <= share * a.len() as f64 && (jumps || !x.is_floating_point() && most <= 1.0);
            (wrong > 0 && !few).then(|| format!("{wrong} of {} values differ, by up to {most:e}", a.len()))
        }
    }
}
