//! Scalar functions against plain arithmetic, programs against their steps, and all of it on any view.

use super::support::*;
use crate::CPU;
use crate::math;
use flambeau_tensor::calls::{CopyTo, Map, PrimitiveCall};
use flambeau_tensor::pointwise::{BinaryOp, Node, Pointwise, UnaryOp};
use flambeau_tensor::{Array, DType, Device, Scalar};
use proptest::prelude::*;

const SPECIAL: [f64; 28] = [
    0.0,
    -0.0,
    0.25,
    -0.25,
    0.5,
    -0.5,
    0.9,
    1.0,
    -1.0,
    1.5,
    -1.5,
    2.0,
    -2.0,
    2.5,
    -2.5,
    3.0,
    -3.0,
    7.0,
    -7.0,
    10.25,
    -10.25,
    100.0,
    -100.0,
    1e30,
    -1e30,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

fn float_unary(op: UnaryOp, x: f64) -> Option<f64> {
    use UnaryOp::*;
    let truth = |b: bool| f64::from(u8::from(b));
    Some(match op {
        Neg => -x,
        Abs => x.abs(),
        Sign => truth(x > 0.0) - truth(x < 0.0),
        Reciprocal => 1.0 / x,
        Sqrt => x.sqrt(),
        Rsqrt => 1.0 / x.sqrt(),
        Exp => x.exp(),
        Expm1 => x.exp_m1(),
        Log => x.ln(),
        Log2 => x.log2(),
        Log10 => x.log10(),
        Log1p => x.ln_1p(),
        Sin => x.sin(),
        Cos => x.cos(),
        Tan => x.tan(),
        Asin => x.asin(),
        Acos => x.acos(),
        Atan => x.atan(),
        Sinh => x.sinh(),
        Cosh => x.cosh(),
        Tanh => x.tanh(),
        Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Erf => math::tests::erf(x),
        Erfc => math::tests::erfc(x),
        Floor => x.floor(),
        Ceil => x.ceil(),
        Round => x.round_ties_even(),
        Trunc => x.trunc(),
        Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        IsNan => truth(x.is_nan()),
        IsInf => truth(x.is_infinite()),
        IsFinite => truth(x.is_finite()),
        LogicalNot => truth(x == 0.0),
        // What neither the standard library nor C has is tested in its own file, against mpmath.
        _ => return None,
    })
}

fn float_binary(op: BinaryOp, x: f64, y: f64) -> f64 {
    use BinaryOp::*;
    let truth = |b: bool| f64::from(u8::from(b));
    match op {
        Add => x + y,
        Sub => x - y,
        Mul => x * y,
        Div => x / y,
        // c10::div_floor_floating.
        FloorDiv => {
            if y == 0.0 {
                return x / y;
            }
            let rest = x % y;
            let mut q = (x - rest) / y;
            if rest != 0.0 && (y < 0.0) != (rest < 0.0) {
                q -= 1.0;
            }
            if q == 0.0 { 0f64.copysign(x / y) } else { q.floor() + truth(q - q.floor() > 0.5) }
        }
        Remainder => {
            let rest = x % y;
            if rest != 0.0 && (y < 0.0) != (rest < 0.0) { rest + y } else { rest }
        }
        Fmod => x % y,
        Pow => x.powf(y),
        Maximum => {
            if x.is_nan() || y.is_nan() {
                f64::NAN
            } else {
                x.max(y)
            }
        }
        Minimum => {
            if x.is_nan() || y.is_nan() {
                f64::NAN
            } else {
                x.min(y)
            }
        }
        Atan2 => x.atan2(y),
        Eq => truth(x == y),
        Ne => truth(x != y),
        Lt => truth(x < y),
        Le => truth(x <= y),
        Gt => truth(x > y),
        Ge => truth(x >= y),
        LogicalAnd => truth(x != 0.0 && y != 0.0),
        LogicalOr => truth(x != 0.0 || y != 0.0),
        LogicalXor => truth((x != 0.0) != (y != 0.0)),
        BitwiseAnd | BitwiseOr | BitwiseXor => f64::NAN,
    }
}

/// Runs a one-node program over dense inputs of one dtype, result in `to`.
fn run(program: &Pointwise, dtype: DType, inputs: &[&[f64]], to: DType) -> Vec<f64> {
    let n = inputs[0].len();
    let arrays: Vec<Array> = inputs.iter().map(|x| from_f64(x, &[n], dtype)).collect();
    let out = zeros(&[n], to);
    Map { program, compute: dtype, inputs: &arrays.iter().collect::<Vec<_>>(), scalars: &[], outs: &[&out] }
        .run()
        .unwrap();
    elements(&out)
}

/// Whether the rounded result is what f64 arithmetic gives; a huge argument of a periodic function, or a result at the
/// edge of the type's range, is left to the tests of `math`.
fn agrees(dtype: DType, found: f64, expected: f64) -> bool {
    let (limit, tolerance) = match dtype {
        DType::F64 => (f64::MAX, 1e-14),
        _ => (f64::from(f32::MAX), 5e-7),
    };
    let expected = if expected.abs() > limit { f64::INFINITY.copysign(expected) } else { expected };
    close(found, expected, tolerance) || (found - expected).abs() < f64::from(f32::MIN_POSITIVE)
}

#[test]
fn every_unary_function_on_floats() {
    for dtype in [DType::F32, DType::F64] {
        // The numbers repeat, so that vector loops and their tails both run.
        let values: Vec<f64> = SPECIAL.iter().cycle().take(SPECIAL.len() * 3 + 1).copied().collect();
        let exact = elements(&from_f64(&values, &[values.len()], dtype));
        for op in UnaryOp::ALL {
            let found = run(&Pointwise::new(|b| b.input(0).unary(op)), dtype, &[&values], dtype);
            for (&x, y) in exact.iter().zip(found) {
                let Some(expected) = float_unary(op, x) else { continue };
                assert!(agrees(dtype, y, expected), "{op:?}({x}) = {y}, expected {expected} in {dtype}");
                if matches!(op, UnaryOp::Neg | UnaryOp::Relu | UnaryOp::Round | UnaryOp::Trunc | UnaryOp::Sqrt)
                    && x == 0.0
                {
                    assert_eq!(y.is_sign_negative(), expected.is_sign_negative(), "{op:?}({x})");
                }
            }
        }
    }
}

#[test]
fn every_binary_function_on_floats() {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for x in SPECIAL {
        for y in SPECIAL {
            a.push(x);
            b.push(y);
        }
    }
    let bits = [BinaryOp::BitwiseAnd, BinaryOp::BitwiseOr, BinaryOp::BitwiseXor];
    for dtype in [DType::F32, DType::F64] {
        let exact = |v: &[f64]| elements(&from_f64(v, &[v.len()], dtype));
        let (ea, eb) = (exact(&a), exact(&b));
        for op in BinaryOp::ALL.into_iter().filter(|op| !bits.contains(op)) {
            let found = run(&Pointwise::new(|p| p.input(0).binary(op, p.input(1))), dtype, &[&a, &b], dtype);
            for ((&x, &y), z) in ea.iter().zip(&eb).zip(&found) {
                let mut expected = float_binary(op, x, y);
                if dtype == DType::F32
                    && matches!(
                        op,
                        BinaryOp::FloorDiv | BinaryOp::Remainder | BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul
                    )
                {
                    // One rounding per step, as the type has it.
                    expected = f64::from(expected as f32);
                }
                let coarse = op == BinaryOp::FloorDiv && expected.abs() > 1e15;
                assert!(
                    agrees(dtype, *z, expected) || coarse && close(*z, expected, 1e-6),
                    "{op:?}({x}, {y}) = {z}, expected {expected} in {dtype}"
                );
            }
            // A number in place of either operand gives the same.
            for k in [0, 3, 7, 14, 27] {
                let s = Scalar::Float(SPECIAL[k]);
                let right = run(&Pointwise::new(|p| p.input(0).binary(op, p.constant(s))), dtype, &[&SPECIAL], dtype);
                let left = run(&Pointwise::new(|p| p.constant(s).binary(op, p.input(0))), dtype, &[&SPECIAL], dtype);
                for i in 0..SPECIAL.len() {
                    let n = SPECIAL.len();
                    let tolerance = if op == BinaryOp::Pow { 5e-7 } else { 0.0 };
                    assert!(close(right[i], found[i * n + k], tolerance), "{op:?}({}, {s:?})", SPECIAL[i]);
                    assert!(close(left[i], found[k * n + i], tolerance), "{op:?}({s:?}, {})", SPECIAL[i]);
                }
            }
        }
    }
}

/// i128 arithmetic, wrapped.
fn int_binary(op: BinaryOp, x: i128, y: i128, wrap: impl Fn(i128) -> i128) -> Option<i128> {
    use BinaryOp::*;
    let truth = |b: bool| Some(i128::from(b));
    match op {
        Add => Some(x + y),
        Sub => Some(x - y),
        Mul => Some(x * y),
        Div | FloorDiv | Remainder | Fmod if y == 0 => None,
        Div => Some(x / y),
        FloorDiv => Some(x.div_euclid(y) - i128::from(y < 0 && x.rem_euclid(y) != 0)),
        Remainder => Some(x - y * (x.div_euclid(y) - i128::from(y < 0 && x.rem_euclid(y) != 0))),
        Fmod => Some(x % y),
        Pow if y < 0 => Some(match x {
            1 => 1,
            -1 => {
                if y % 2 == 0 {
                    1
                } else {
                    -1
                }
            }
            _ => 0,
        }),
        Pow => Some((0..y).fold(1, |p, _| wrap(p * x))),
        Maximum => Some(x.max(y)),
        Minimum => Some(x.min(y)),
        Atan2 => Some((x as f64).atan2(y as f64) as i128),
        Eq => truth(x == y),
        Ne => truth(x != y),
        Lt => truth(x < y),
        Le => truth(x <= y),
        Gt => truth(x > y),
        Ge => truth(x >= y),
        LogicalAnd => truth(x != 0 && y != 0),
        LogicalOr => truth(x != 0 || y != 0),
        LogicalXor => truth((x != 0) != (y != 0)),
        BitwiseAnd => Some(x & y),
        BitwiseOr => Some(x | y),
        BitwiseXor => Some(x ^ y),
    }
}

/// A dtype, its wrapping, its smallest and its largest value.
type IntCase = (DType, fn(i128) -> i128, i64, i64);

#[test]
fn every_binary_function_on_integers() {
    let cases: [IntCase; 5] = [
        (DType::U8, |x| i128::from(x as u8), 0, 255),
        (DType::I8, |x| i128::from(x as i8), -128, 127),
        (DType::I16, |x| i128::from(x as i16), -32768, 32767),
        (DType::I32, |x| i128::from(x as i32), i64::from(i32::MIN), i64::from(i32::MAX)),
        (DType::I64, |x| i128::from(x as i64), i64::MIN, i64::MAX),
    ];
    for (dtype, wrap, min, max) in cases {
        let mut values = vec![0, 1, 2, 3, 5, 7, 100, min, min + 1, max - 1, max];
        if min < 0 {
            values.extend([-1, -2, -3, -7, -100]);
        }
        let make = |numbers: &[i64]| {
            let wide = Array::from_slice(&CPU, Device::Cpu, numbers, &[numbers.len()]).unwrap();
            wide.to_dtype(dtype).unwrap()
        };
        for op in BinaryOp::ALL {
            let program = Pointwise::new(|p| p.input(0).binary(op, p.input(1)));
            for &y in &values {
                if op == BinaryOp::Pow && y > 100 {
                    continue;
                }
                let (a, b, out) = (make(&values), make(&vec![y; values.len()]), zeros(&[values.len()], dtype));
                let result =
                    Map { program: &program, compute: dtype, inputs: &[&a, &b], scalars: &[], outs: &[&out] }.run();
                if int_binary(op, 1, y.into(), wrap).is_none() {
                    assert_eq!(result.unwrap_err().to_string(), "ZeroDivisionError");
                    continue;
                }
                result.unwrap();
                for (&x, z) in values.iter().zip(scalars(&out)) {
                    let expected = int_binary(op, x.into(), y.into(), wrap).map(wrap);
                    assert_eq!(Some(i128::from(z.to_i64())), expected, "{op:?}({x}, {y}) in {dtype}");
                }
            }
        }
        use UnaryOp::*;
        for op in
            [Neg, Abs, Sign, Floor, Ceil, Round, Trunc, Relu, IsNan, IsInf, IsFinite, LogicalNot, BitwiseNot, Sqrt]
        {
            let (a, out) = (make(&values), zeros(&[values.len()], dtype));
            Map {
                program: &Pointwise::new(|p| p.input(0).unary(op)),
                compute: dtype,
                inputs: &[&a],
                scalars: &[],
                outs: &[&out],
            }
            .run()
            .unwrap();
            for (&x, y) in values.iter().zip(scalars(&out)) {
                let x = i128::from(x);
                let expected = match op {
                    Neg => -x,
                    Abs => x.abs(),
                    Sign => x.signum(),
                    Relu => x.max(0),
                    IsNan | IsInf => 0,
                    IsFinite => 1,
                    LogicalNot => i128::from(x == 0),
                    BitwiseNot => !x,
                    Sqrt if x < 0 => continue,
                    Sqrt => (x as f64).sqrt() as i128,
                    _ => x,
                };
                assert_eq!(i128::from(y.to_i64()), wrap(expected), "{op:?}({x}) in {dtype}");
            }
        }
    }
}

#[test]
fn truth_values_stay_zero_and_one() {
    let (a, b) = ([0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]);
    let result = |op| run(&Pointwise::new(|p| p.input(0).binary(op, p.input(1))), DType::Bool, &[&a, &b], DType::Bool);
    // torch.tensor([False, True]) + ... is or, * is and, ^ exclusive or.
    assert_eq!(result(BinaryOp::Add), [0.0, 1.0, 1.0, 1.0]);
    assert_eq!(result(BinaryOp::Mul), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(result(BinaryOp::BitwiseXor), [0.0, 1.0, 1.0, 0.0]);
    assert_eq!(result(BinaryOp::Lt), [0.0, 1.0, 0.0, 0.0]);
    let not = run(&Pointwise::new(|p| p.input(0).unary(UnaryOp::BitwiseNot)), DType::Bool, &[&a], DType::Bool);
    assert_eq!(not, [1.0, 1.0, 0.0, 0.0]);
    // A half is true.
    let halves = from_f64(&[0.5, 0.0, f64::NAN, 2.0], &[4], DType::F32);
    let out = zeros(&[4], DType::Bool);
    let program = Pointwise::new(|p| p.input(0).and(p.input(0)));
    Map { program: &program, compute: DType::F32, inputs: &[&halves], scalars: &[], outs: &[&out] }.run().unwrap();
    assert_eq!(elements(&out), [1.0, 0.0, 1.0, 1.0]);
    CopyTo { src: &halves, out: &out }.run().unwrap();
    assert_eq!(elements(&out), [1.0, 0.0, 1.0, 1.0]);
}

/// A program of many steps: more live values than a few registers, every kind of operand.
fn long_program() -> Pointwise {
    Pointwise::with_outputs(|b| {
        let (x, y) = (b.input(0), b.input(1));
        let s = b.scalar(0);
        let t = x * s + y;
        let u = (x - y) * (x + y);
        let v = t.gt(u).select(t, u);
        let w = x.maximum(0.5).minimum(2.0);
        let c = b.constant(2.0) * 3.0;
        vec![v * w - t * u + c, w + (v - t), y]
    })
}

fn long_reference(x: f64, y: f64, s: f64) -> [f64; 3] {
    let t = x * s + y;
    let u = (x - y) * (x + y);
    let v = if t > u { t } else { u };
    let w = x.clamp(0.5, 2.0);
    [v * w - t * u + 6.0, w + (v - t), y]
}

proptest! {
    #[test]
    fn programs_run_on_any_view(shape in shapes(), da in dtypes(), db in dtypes(), dout in dtypes(), seed: u64) {
        let mut draw = Draw::new(seed);
        let a = strided(&mut draw, &shape, da, true);
        let b = strided(&mut draw, &shape, db, true);
        let outs: Vec<Array> = [DType::F64, DType::F32, dout].iter().map(|&d| strided(&mut draw, &shape, d, false)).collect();
        Map { program: &long_program(), compute: DType::F64, inputs: &[&a, &b], scalars: &[Scalar::Float(0.25)], outs: &outs.iter().collect::<Vec<_>>() }.run().unwrap();
        let expected: Vec<[f64; 3]> = elements(&a).into_iter().zip(elements(&b)).map(|(x, y)| long_reference(x, y, 0.25)).collect();
        let column = |k: usize| expected.iter().map(|e| e[k]).collect::<Vec<f64>>();
        prop_assert_eq!(elements(&outs[0]), column(0));
        prop_assert_eq!(elements(&outs[1]), column(1));
        let cast = from_f64(&column(2), &shape, DType::F64).to_dtype(dout).unwrap();
        prop_assert_eq!(elements(&outs[2]), elements(&cast));
    }

    #[test]
    fn one_step_programs_run_on_any_view(shape in shapes(), dtype in dtypes(), other in dtypes(), seed: u64, place in 0..4) {
        let mut draw = Draw::new(seed);
        let a = strided(&mut draw, &shape, dtype, true);
        let b = strided(&mut draw, &shape, other, true);
        let program = Pointwise::new(|p| p.input(0).maximum(p.input(1)));
        let out = match place {
            0 => strided(&mut draw, &shape, dtype, false),
            1 => zeros(&shape, dtype),
            2 => strided(&mut draw, &shape, DType::F32, false),
            _ => zeros(&shape, DType::Bool),
        };
        Map { program: &program, compute: dtype, inputs: &[&a, &b], scalars: &[], outs: &[&out] }.run().unwrap();
        let b = densified(&b).to_dtype(dtype).unwrap();
        let expected: Vec<f64> = elements(&a).iter().zip(elements(&b)).map(|(x, y)| x.max(y)).collect();
        let expected = from_f64(&expected, &shape, dtype).to_dtype(out.dtype()).unwrap();
        prop_assert_eq!(elements(&out), elements(&expected));
    }

    #[test]
    fn in_place_equals_out_of_place(shape in shapes(), dtype in dtypes(), seed: u64) {
        let mut draw = Draw::new(seed);
        let (x, y) = (strided(&mut draw, &shape, dtype, false), strided(&mut draw, &shape, dtype, true));
        for program in [
            Pointwise::new(|p| p.input(0) * p.input(1)),
            Pointwise::new(|p| p.input(1) * p.input(0)),
            Pointwise::new(|p| p.input(0).abs()),
            Pointwise::new(|p| (p.input(0) * p.input(1)).maximum(p.input(0))),
        ] {
            let inputs = &[&x, &y][..program.num_inputs()];
            let out = zeros(&shape, dtype);
            Map { program: &program, compute: dtype, inputs, scalars: &[], outs: &[&out] }.run().unwrap();
            Map { program: &program, compute: dtype, inputs, scalars: &[], outs: &[&x] }.run().unwrap();
            prop_assert_eq!(elements(&x), elements(&out));
        }
    }
}

#[test]
fn long_arrays_are_shared_out_and_agree() {
    let n = 300_001;
    let numbers: Vec<f32> = (0..n).map(|i| (i % 1000) as f32 / 8.0 - 50.0).collect();
    let a = Array::from_slice(&CPU, Device::Cpu, &numbers, &[n]).unwrap();
    let out = zeros(&[n], DType::F32);
    Map {
        program: &Pointwise::new(|p| p.input(0) + p.input(0)),
        compute: DType::F32,
        inputs: &[&a],
        scalars: &[],
        outs: &[&out],
    }
    .run()
    .unwrap();
    assert!(out.to_vec::<f32>().unwrap().iter().zip(&numbers).all(|(y, x)| *y == x + x));
    Map {
        program: &Pointwise::new(|p| p.input(0) * p.input(0) + 1.0),
        compute: DType::F32,
        inputs: &[&a],
        scalars: &[],
        outs: &[&a],
    }
    .run()
    .unwrap();
    assert!(a.to_vec::<f32>().unwrap().iter().zip(&numbers).all(|(y, x)| *y == x * x + 1.0));
    // A zero divisor anywhere is found.
    let b = Array::full(&CPU, Device::Cpu, &[n], DType::I32, Scalar::Int(1)).unwrap();
    CopyTo { src: &zeros(&[1], DType::I32), out: &b.narrow(0, n as i64 - 2, 1).unwrap() }.run().unwrap();
    let out = zeros(&[n], DType::I32);
    let error = Map {
        program: &Pointwise::new(|p| p.input(0) / p.input(0)),
        compute: DType::I32,
        inputs: &[&b],
        scalars: &[],
        outs: &[&out],
    }
    .run();
    assert_eq!(error.unwrap_err().to_string(), "ZeroDivisionError");
}

#[test]
fn halves_are_computed_in_f32_and_rounded_once() {
    // 2048 + 1 is no f16; minus 2048 the sum would be 0 after a rounding in between.
    let a = from_f64(&[2048.0; 5], &[5], DType::F16);
    let out = zeros(&[5], DType::F16);
    Map {
        program: &Pointwise::new(|p| p.input(0) + 1.0 - p.input(0)),
        compute: DType::F16,
        inputs: &[&a],
        scalars: &[],
        outs: &[&out],
    }
    .run()
    .unwrap();
    assert_eq!(elements(&out), [1.0; 5]);
}

#[test]
fn programs_fold_their_constants() {
    let program = Pointwise::new(|p| p.input(0) * (p.constant(2.0) + 3.0).exp());
    let code = crate::pointwise::code::Code::<f64>::new(&program, DType::F64, &[]).unwrap();
    assert_eq!((code.steps.len(), code.registers), (1, 1));
    assert!(program.nodes().iter().filter(|n| matches!(n, Node::Unary(..) | Node::Binary(..))).count() == 3);
}
