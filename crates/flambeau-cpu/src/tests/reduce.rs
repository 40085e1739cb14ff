//! Reductions against a loop, on any view, over any dimensions.

use super::support::*;
use crate::CPU;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::calls::{PrimitiveCall, Reduce};
use flambeau_tensor::pointwise::{IDENTITY, Pointwise};
use flambeau_tensor::{Array, DType, Device};
use proptest::prelude::*;

/// The reduction, element by element in f64.
fn reference(op: ReduceOp, values: &[f64], shape: &[usize], dims: &[usize]) -> Vec<f64> {
    let kept: Vec<usize> = (0..shape.len()).map(|d| if dims.contains(&d) { 1 } else { shape[d] }).collect();
    let start = match op {
        ReduceOp::Sum | ReduceOp::Any => 0.0,
        ReduceOp::Prod | ReduceOp::All => 1.0,
        ReduceOp::Max => f64::NEG_INFINITY,
        ReduceOp::Min => f64::INFINITY,
    };
    let mut out = vec![start; kept.iter().product()];
    for (flat, &x) in values.iter().enumerate() {
        let (mut rest, mut at, mut step) = (flat, 0, 1);
        for d in (0..shape.len()).rev() {
            let i = rest % shape[d];
            rest /= shape[d];
            if !dims.contains(&d) {
                at += i * step;
            }
            step *= kept[d];
        }
        let y = &mut out[at];
        *y = match op {
            ReduceOp::Sum => *y + x,
            ReduceOp::Prod => *y * x,
            ReduceOp::Max => {
                if x.is_nan() || y.is_nan() {
                    f64::NAN
                } else {
                    y.max(x)
                }
            }
            ReduceOp::Min => {
                if x.is_nan() || y.is_nan() {
                    f64::NAN
                } else {
                    y.min(x)
                }
            }
            ReduceOp::Any => f64::from(u8::from(*y != 0.0 || x != 0.0)),
            ReduceOp::All => f64::from(u8::from(*y != 0.0 && x != 0.0)),
        };
    }
    out
}

fn result_dtype(op: ReduceOp, dtype: DType) -> DType {
    match op {
        ReduceOp::Any | ReduceOp::All => DType::Bool,
        ReduceOp::Sum | ReduceOp::Prod if !dtype.is_floating_point() => DType::I64,
        _ => dtype,
    }
}

fn check(
    op: ReduceOp,
    dtype: DType,
    shape: &[usize],
    mask: usize,
    seed: u64,
    mapped: bool,
) -> Result<(), TestCaseError> {
    let mut draw = Draw::new(seed);
    let dims: Vec<usize> = (0..shape.len()).filter(|d| mask >> d & 1 == 1).collect();
    let empty = dims.iter().any(|&d| shape[d] == 0);
    if matches!(op, ReduceOp::Max | ReduceOp::Min) && empty {
        return Ok(());
    }
    let a = strided(&mut draw, shape, dtype, true);
    // A product of many quarters leaves every range.
    let a = if op == ReduceOp::Prod { from_f64(&vec![1.0; a.numel()], shape, dtype) } else { a };
    let b = strided(&mut draw, shape, dtype, true);
    let kept: Vec<usize> = (0..shape.len()).map(|d| if dims.contains(&d) { 1 } else { shape[d] }).collect();
    let out = strided(&mut draw, &kept, result_dtype(op, dtype), false);
    let map = Pointwise::new(|p| p.input(0).maximum(p.input(1)).minimum(p.input(0)));
    if mapped {
        Reduce { op, program: &map, compute: dtype, inputs: &[&a, &b], scalars: &[], dims: &dims, out: &out }
            .run()
            .unwrap();
    } else {
        Reduce { op, program: &IDENTITY, compute: dtype, inputs: &[&a], scalars: &[], dims: &dims, out: &out }
            .run()
            .unwrap();
    }
    // min(max(a, b), a) is a.
    let expected = reference(op, &elements(&a), shape, &dims);
    let tolerance = match out.dtype() {
        DType::F16 => 1e-3,
        DType::BF16 => 8e-3,
        DType::F32 => 1e-6,
        _ => 0.0,
    };
    for (x, y) in elements(&out).into_iter().zip(expected) {
        prop_assert!(close(x, y, tolerance), "{x} is not {y}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn reductions_of_any_view(op in 0..6usize, dtype in dtypes(), shape in shapes(), mask in 0..16usize, seed: u64, mapped: bool) {
        check(ReduceOp::ALL[op], dtype, &shape, mask, seed, mapped)?;
    }
}

#[test]
fn large_reductions_are_split_and_agree() {
    for shape in
        [vec![400_000], vec![3, 90_001], vec![70_000, 5], vec![20_000, 130], vec![2, 3000, 70], vec![300, 2, 300]]
    {
        for mask in 1..1 << shape.len() {
            for (op, dtype) in [
                (ReduceOp::Sum, DType::F64),
                (ReduceOp::Max, DType::F32),
                (ReduceOp::Sum, DType::U8),
                (ReduceOp::Any, DType::I64),
            ] {
                for mapped in [false, true] {
                    check(op, dtype, &shape, mask, 7, mapped).unwrap();
                }
            }
        }
    }
}

#[test]
fn f32_sums_keep_their_digits() {
    let mut draw = Draw::new(3);
    let numbers: Vec<f32> = (0..1_000_000).map(|_| draw.below(1 << 24) as f32 / (1 << 24) as f32).collect();
    let exact: f64 = numbers.iter().map(|&x| f64::from(x)).sum();
    let a = Array::from_slice(&CPU, Device::Cpu, &numbers, &[1_000_000, 1]).unwrap();
    let out = zeros(&[1, 1], DType::F32);
    Reduce {
        op: ReduceOp::Sum,
        program: &IDENTITY,
        compute: DType::F32,
        inputs: &[&a],
        scalars: &[],
        dims: &[0, 1],
        out: &out,
    }
    .run()
    .unwrap();
    assert!(close(elements(&out)[0], exact, 1e-7), "{} {exact}", elements(&out)[0]);
    // Down the columns, and through a map.
    let pairs = Array::from_slice(&CPU, Device::Cpu, &numbers, &[500_000, 2]).unwrap();
    let out = zeros(&[1, 2], DType::F32);
    let map = Pointwise::new(|p| p.input(0) * 2.0);
    for (program, factor) in [(&*IDENTITY, 1.0), (&map, 2.0)] {
        Reduce {
            op: ReduceOp::Sum,
            program,
            compute: DType::F32,
            inputs: &[&pairs],
            scalars: &[],
            dims: &[0],
            out: &out,
        }
        .run()
        .unwrap();
        let total: f64 = elements(&out).iter().sum();
        assert!(close(total, exact * factor, 1e-6), "{total} {exact}");
    }
}

#[test]
fn extremes_propagate_nan_and_empty_sums_are_neutral() {
    let mut numbers = vec![1.0; 200];
    numbers[137] = f64::NAN;
    for op in [ReduceOp::Max, ReduceOp::Min] {
        let out = zeros(&[1], DType::F32);
        let a = from_f64(&numbers, &[200], DType::F32);
        Reduce { op, program: &IDENTITY, compute: DType::F32, inputs: &[&a], scalars: &[], dims: &[0], out: &out }
            .run()
            .unwrap();
        assert!(elements(&out)[0].is_nan());
    }
    let nothing = zeros(&[0, 3], DType::F32);
    for (op, expected) in [(ReduceOp::Sum, 0.0), (ReduceOp::Prod, 1.0), (ReduceOp::Any, 0.0), (ReduceOp::All, 1.0)] {
        let out = zeros(&[1, 3], result_dtype(op, DType::F32));
        Reduce {
            op,
            program: &IDENTITY,
            compute: DType::F32,
            inputs: &[&nothing],
            scalars: &[],
            dims: &[0],
            out: &out,
        }
        .run()
        .unwrap();
        assert_eq!(elements(&out), [expected; 3]);
    }
}

#[test]
fn integer_maps_report_zero_divisors() {
    let a = zeros(&[1000], DType::I64);
    let map = Pointwise::new(|p| p.input(0) / p.input(0));
    let out = zeros(&[1], DType::I64);
    let error = Reduce {
        op: ReduceOp::Sum,
        program: &map,
        compute: DType::I64,
        inputs: &[&a],
        scalars: &[],
        dims: &[0],
        out: &out,
    }
    .run()
    .unwrap_err();
    assert_eq!(error.to_string(), "ZeroDivisionError");
}
