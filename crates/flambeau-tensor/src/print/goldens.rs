//! Holds the printing against `goldens/print.txt`, which `goldens/make_print.py` made with PyTorch 2.15.

use super::*;
use crate::{DType, Element, Scalar};
use half::{bf16, f16};

fn dtype(name: &str) -> DType {
    DType::ALL.into_iter().find(|d| d.name() == name).unwrap_or_else(|| panic!("no such dtype: {name}"))
}

/// A number that the dtype holds, as the scalar that an array would yield.
fn rounded(x: Scalar, dtype: DType) -> Scalar {
    match dtype {
        DType::Bool => Scalar::Bool(x.to_bool()),
        DType::F16 => f16::from_scalar(x).to_scalar(),
        DType::BF16 => bf16::from_scalar(x).to_scalar(),
        DType::F32 => f32::from_scalar(x).to_scalar(),
        DType::F64 => x.to_f64().to_scalar(),
        DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::I64 => Scalar::Int(x.to_i64()),
    }
}

fn number(text: &str) -> Scalar {
    text.parse().map(Scalar::Int).or_else(|_| text.parse().map(Scalar::Float)).unwrap()
}

/// Prints the case as its head says and compares with the rest of it.
fn check(case: &str) {
    let (head, rest) = case.split_once('\n').unwrap();
    let (fill, expected) = rest.split_once('\n').unwrap();
    let (mut shape, mut element) = (Vec::new(), DType::F32);
    let (mut suffixes, mut options) = (Suffixes::default(), PrintOptions::default());
    for field in head.split(" | ") {
        let (key, value) = field.split_once(' ').unwrap_or((field, ""));
        match key {
            "shape" => shape = value.split_whitespace().map(|n| n.parse().unwrap()).collect(),
            "dtype" => element = dtype(value),
            "default" => suffixes.default_dtype = dtype(value),
            "precision" => options = options.precision(value.parse().unwrap()),
            "linewidth" => options = options.linewidth(value.parse().unwrap()),
            "edgeitems" => options = options.edgeitems(value.parse().unwrap()),
            "threshold" => options = options.threshold(value.parse().unwrap()),
            "sci_mode" => options = options.sci_mode(value == "True"),
            "grad_fn" => suffixes.grad_fn = Some(value.into()),
            "requires_grad" => suffixes.requires_grad = true,
            "parameter" => suffixes.is_parameter = true,
            key => panic!("no such field: {key}"),
        }
    }
    let (kind, numbers) = fill.split_once(' ').unwrap_or((fill, ""));
    let numbers: Vec<Scalar> = numbers.split_whitespace().map(number).collect();
    let get = |index: &[usize]| {
        let i = index.iter().zip(&shape).fold(0, |at, (i, n)| at * n + i);
        let value = match (kind, &numbers[..]) {
            ("values", values) => values[i],
            (_, [Scalar::Int(a), Scalar::Int(b)]) => Scalar::Int(a + b * i as i64),
            (_, numbers) => Scalar::Float(numbers[0].to_f64() + numbers[1].to_f64() * i as f64),
        };
        rounded(value, element)
    };
    assert_eq!(format_tensor(&shape, element, &get, &suffixes, &options), expected, "{head}\n{fill}");
}

#[test]
fn every_print_equals_pytorch() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/print.txt")).unwrap();
    let cases: Vec<&str> = text.split_terminator("\n===\n").collect();
    cases.iter().for_each(|case| check(case));
    assert!(cases.len() >= 300, "{} goldens", cases.len());
    println!("goldens: {} prints", cases.len());
}
