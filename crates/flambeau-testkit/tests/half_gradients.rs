//! Gradients in float16 and bfloat16 have PyTorch's digits, which round at each operation of its formulas (`goldens/half_gradients.py`).

use flambeau_autograd::{Tensor, grad, ops};
use flambeau_tensor::{DType, Element};
use flate2::read::GzDecoder;
use half::{bf16, f16};
use serde_json::Value;
use std::io::Read;

/// Where PyTorch's kernel of a half type rounds otherwise than its formula says.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("rsqrt", "torch.bfloat16", "the vectorised cube rounds between its two products"),
    ("sigmoid", "torch.float16", "the kernel computes in float16 itself, and rounds each of its operations"),
];

fn rows() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/data/half_gradients.jsonl.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bits(row: &Value, key: &str) -> Vec<u16> {
    row[key].as_array().unwrap().iter().map(|n| n.as_i64().unwrap() as i16 as u16).collect()
}

/// The share of numbers that differ, and the largest difference in units in the last place.
fn differences<T: Element>(row: &Value, number: fn(u16) -> T, bits_of: fn(T) -> u16) -> (usize, u32) {
    let tensor = |key: &str| flambeau_autograd::from_vec(bits(row, key).into_iter().map(number).collect(), [256]);
    let (x, grad_output) = (tensor("x").requires_grad_(true), tensor("grad_output"));
    let y = apply(row["op"].as_str().unwrap(), &x);
    let grads = grad(&[&y], &[&x], &[Some(&grad_output)], false, false, false).unwrap();
    let got: Vec<T> = grads[0].as_ref().unwrap().to_vec();
    let steps =
        |(ours, theirs): (T, u16)| (i32::from(bits_of(ours) & 0x7fff) - i32::from(theirs & 0x7fff)).unsigned_abs();
    let steps: Vec<u32> = got.into_iter().zip(bits(row, "grad")).map(steps).collect();
    (steps.iter().filter(|&&s| s > 0).count(), steps.into_iter().max().unwrap_or(0))
}

fn apply(op: &str, x: &Tensor) -> Tensor {
    let function = match op {
        "reciprocal" => ops::reciprocal,
        "sqrt" => ops::sqrt,
        "rsqrt" => ops::rsqrt,
        "exp" => ops::exp,
        "expm1" => ops::expm1,
        "log" => ops::log,
        "log2" => ops::log2,
        "log10" => ops::log10,
        "log1p" => ops::log1p,
        "sin" => ops::sin,
        "cos" => ops::cos,
        "tan" => ops::tan,
        "asin" => ops::asin,
        "acos" => ops::acos,
        "atan" => ops::atan,
        "sinh" => ops::sinh,
        "cosh" => ops::cosh,
        "tanh" => ops::tanh,
        "sigmoid" => ops::sigmoid,
        "erf" => ops::erf,
        "erfc" => ops::erfc,
        "erfinv" => ops::erfinv,
        "i0" => ops::i0,
        other => panic!("{other}"),
    };
    function(x).unwrap()
}

#[test]
fn half_gradients_have_pytorchs_digits() {
    let (mut wrong, mut numbers, mut differ) = (Vec::new(), 0, 0);
    for row in rows() {
        let dtype = if row["dtype"] == "torch.float16" { DType::F16 } else { DType::BF16 };
        let (count, steps) = match dtype {
            DType::F16 => differences(&row, f16::from_bits, f16::to_bits),
            _ => differences(&row, bf16::from_bits, bf16::to_bits),
        };
        numbers += 256;
        differ += count;
        let excused = OTHERWISE.iter().any(|(op, of, _)| row["op"] == *op && row["dtype"] == *of);
        // A function's own last bit in float32 may tip a rounding.
        let as_expected = if excused { count > 0 } else { count <= 4 };
        if !as_expected || steps > 2 {
            wrong.push(format!("{} in {dtype}: {count} of 256 differ, by up to {steps} steps", row["op"]));
        }
    }
    println!("count: {numbers} half gradients, {differ} differ in the last place");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
