//! How far the scalar functions are from the truth, in units of the last place, over all magnitudes; and integers at the ends
//! of their range.

mod support;

use flambeau_cpu::CPU;
use flambeau_shaders::functions;
use flambeau_tensor::calls::{Map, PrimitiveCall};
use flambeau_tensor::pointwise::{BinaryOp, Pointwise, UnaryOp};
use flambeau_tensor::{Array, DType, Device, Element};
use support::*;

/// The result of a program for arrays of one dtype, on the CPU in `truth` and on the GPU in the dtype.
fn results<T: Element>(program: &Pointwise, inputs: &[&[T]], truth: DType) -> (Array, Array) {
    let n = inputs[0].len();
    let pairs: Vec<Pair> =
        inputs.iter().map(|x| Pair::new(Array::from_slice(&CPU, Device::Cpu, x, &[n]).unwrap())).collect();
    let wide: Vec<Array> = pairs.iter().map(|p| p.cpu.to_dtype(truth).unwrap()).collect();
    let cpu = zeros(&[n], truth).cpu;
    let gpu = zeros(&[n], T::DTYPE).gpu;
    Map { program, compute: truth, inputs: &wide.iter().collect::<Vec<_>>(), scalars: &[], outs: &[&cpu] }
        .run()
        .unwrap();
    let inputs: Vec<&Array> = pairs.iter().map(|p| &p.gpu).collect();
    launches(|| Map { program, compute: T::DTYPE, inputs: &inputs, scalars: &[], outs: &[&gpu] }.run().unwrap());
    (cpu, gpu)
}

/// The distance from `truth` to `got` in units of the last place of floats with `digits` digits and a smallest normal
/// exponent; infinite where a special value is missed.
fn ulps(got: f64, truth: f64, digits: i32, smallest: i32, largest: f64) -> f64 {
    if truth.is_nan() || got.is_nan() {
        return if truth.is_nan() && got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    // Around the overflow threshold, the largest number and infinity are one step apart.
    let (got, truth) = (got.clamp(-largest, largest), truth.clamp(-largest, largest));
    let exponent = (truth.abs().to_bits() >> 52) as i32 - 1023;
    (got - truth).abs() / f64::from(exponent.max(smallest) - digits + 1).exp2()
}

/// Checks each result; those below the normal numbers may be flushed to zero. Where the CPU is further off in the same dtype, since
/// it follows PyTorch's formula, so may the GPU be; and it overflows where the CPU does.
#[track_caller]
fn check<T: Element>(name: &str, program: &Pointwise, inputs: &[&[T]], limit: f64) {
    let (digits, smallest, largest) = match T::DTYPE {
        DType::F32 => (24, -126, f64::from(f32::MAX)),
        _ => (53, -1022, f64::MAX),
    };
    let (truth, got) = results(program, inputs, DType::F64);
    let (truth, got) = (elements(&truth), elements(&got));
    let same = elements(&results(program, inputs, T::DTYPE).0);
    let finite = |(a, b): (&f64, &f64)| if b.is_finite() { ulps(*b, *a, digits, smallest, largest) } else { 0.0 };
    let limit = truth.iter().zip(&same).map(finite).fold(limit, |limit, error| limit.max(1.5 * error));
    let mut worst = (0.0, 0);
    for (i, ((&truth, &got), same)) in truth.iter().zip(&got).zip(same).enumerate() {
        let error = if same.is_finite() || truth.is_nan() {
            ulps(got, truth, digits, smallest, largest)
        } else {
            ulps(got, same, digits, smallest, largest)
        };
        if error > worst.0 && !(got == 0.0 && truth.abs() < 2f64.powi(smallest)) {
            worst = (error, i);
        }
    }
    let (error, i) = worst;
    println!("{name} {}: {error:.2} ulp", T::DTYPE);
    let arguments: Vec<&T> = inputs.iter().map(|x| &x[i]).collect();
    assert!(error <= limit, "{name}{arguments:?} in {}: {} is {error} ulp from {}", T::DTYPE, got[i], truth[i]);
}

/// Bit patterns at a prime stride, so that all exponents meet all kinds of significands; everyday numbers; special ones.
fn samples_f32() -> Vec<f32> {
    let special = [0.0, 1e-8, 0.5, 0.92, 1.0, 88.72283, 88.72284, 103.97, 127.9, 128.1, f32::MAX, f32::INFINITY];
    let special = special.into_iter().flat_map(|x| [x, -x]).chain([f32::NAN, 16_367_173.0 * 2f32.powi(72)]);
    let normal = |x: &f32| *x == 0.0 || !x.is_finite() || x.abs() >= f32::MIN_POSITIVE;
    let patterns = (0..=u32::MAX).step_by(40_009).map(f32::from_bits).filter(normal);
    patterns.chain((-30_000..30_000).map(|i| i as f32 * 4.1037e-3)).chain(special).collect()
}

fn samples_f64() -> Vec<f64> {
    let patterns = (0..100_000u64).map(|i| f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let normal = |x: &f64| *x == 0.0 || !x.is_finite() || x.abs() >= f64::MIN_POSITIVE;
    let special = [0.0, 1e-17, 0.5, 1.0, 709.78, 709.79, 710.4, 745.1, f64::MAX, f64::INFINITY];
    let special = special.into_iter().flat_map(|x| [x, -x]).chain([f64::NAN]);
    patterns.filter(normal).chain((-30_000..30_000).map(|i| f64::from(i) * 4.1037e-3)).chain(special).collect()
}

/// The limits are what the polynomials reach on a driver with IEEE arithmetic; WGSL itself grants division 2.5 ulp.
#[test]
fn float_functions_are_accurate() {
    let (narrow, wide) = (samples_f32(), samples_f64());
    for op in UnaryOp::ALL {
        if functions::unary(op, DType::F32).is_some() {
            let program = Pointwise::new(|b| b.input(0).unary(op));
            // A sum of thirty terms times an exponential, and the double that it is compared with is no better.
            let bessel = matches!(op, UnaryOp::I0 | UnaryOp::I0e | UnaryOp::I1 | UnaryOp::I1e);
            let limit = if bessel { 16.0 } else { 5.0 };
            check(&format!("{op:?}"), &program, &[&narrow], limit);
            check(&format!("{op:?}"), &program, &[&wide], limit);
        }
    }
}

/// Bases over all magnitudes and exponents that keep most results in range; then the quotients' functions, exactly.
#[test]
fn functions_of_two_floats_are_accurate() {
    let (narrow, wide) = (samples_f32(), samples_f64());
    let small_f32: Vec<f32> = (0..narrow.len()).map(|i| (i % 4001) as f32 * 0.0123 - 24.6).collect();
    let small_f64: Vec<f64> = (0..wide.len()).map(|i| (i % 4001) as f64 * 0.0123 - 24.6).collect();
    let turned_f32: Vec<f32> = narrow.iter().rev().copied().collect();
    let turned_f64: Vec<f64> = wide.iter().rev().copied().collect();
    for op in [BinaryOp::Pow, BinaryOp::Atan2] {
        let program = Pointwise::new(|b| b.input(0).binary(op, b.input(1)));
        for right in [&small_f32, &turned_f32] {
            check(&format!("{op:?}"), &program, &[&narrow, right], 4.0);
        }
        for right in [&small_f64, &turned_f64] {
            check(&format!("{op:?}"), &program, &[&wide, right], 4.0);
        }
    }
    for op in [BinaryOp::Fmod, BinaryOp::Remainder, BinaryOp::FloorDiv, BinaryOp::Maximum, BinaryOp::Minimum] {
        let program = Pointwise::new(|b| b.input(0).binary(op, b.input(1)));
        for right in [&small_f32, &turned_f32] {
            let (cpu, gpu) = results(&program, &[&narrow, right], DType::F32);
            same(op, &cpu, &gpu);
        }
        let (cpu, gpu) = results(&program, &[&wide, &turned_f64], DType::F64);
        same(op, &cpu, &gpu);
    }
}

/// The same numbers, zeros of the same sign.
#[track_caller]
fn same(op: BinaryOp, cpu: &Array, gpu: &Array) {
    let least = if cpu.dtype() == DType::F32 { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
    // Some cards take subnormal numbers for zero, also within a function.
    let equal =
        |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() || a != 0.0 && a.abs() < 2.0 * least;
    let different = elements(cpu).into_iter().zip(elements(gpu)).enumerate().find(|(_, (a, b))| !equal(*a, *b));
    assert_eq!(different, None, "{op:?} {}", cpu.dtype());
}

/// Overflow wraps and the smallest number has a quotient by -1.
#[test]
fn integers_wrap_at_the_ends() {
    fn check<T: Element>(numbers: &[T]) {
        let left: Vec<T> = numbers.iter().flat_map(|&x| numbers.iter().map(move |_| x)).collect();
        let right: Vec<T> = numbers.iter().flat_map(|_| numbers.iter().copied()).collect();
        for op in UnaryOp::ALL.into_iter().filter(|&op| functions::unary(op, T::DTYPE).is_some()) {
            let (cpu, gpu) = results(&Pointwise::new(|b| b.input(0).unary(op)), &[&left], T::DTYPE);
            assert_eq!(scalars(&cpu), scalars(&gpu), "{op:?} {}", T::DTYPE);
        }
        for op in BinaryOp::ALL.into_iter().filter(|&op| functions::binary(op, T::DTYPE).is_some()) {
            let program = Pointwise::new(|b| b.input(0).binary(op, b.input(1)));
            let (cpu, gpu) = results(&program, &[&left, &right], T::DTYPE);
            assert_eq!(scalars(&cpu), scalars(&gpu), "{op:?} {}", T::DTYPE);
        }
    }
    check(&[i32::MIN, i32::MIN + 1, -70_000, -7, -2, -1, 1, 2, 3, 10, 65_537, i32::MAX]);
    check(&[i64::MIN, i64::MIN + 1, -(1 << 40), -7, -2, -1, 1, 2, 3, 10, 1 << 33, i64::MAX]);
    check(&[i16::MIN, -300, -7, -1, 1, 2, 181, i16::MAX]);
    check(&[i8::MIN, -7, -1, 1, 2, 12, i8::MAX]);
    check(&[1u8, 2, 3, 16, 200, u8::MAX]);
}

/// What a driver makes of the same shaders on another processor.
#[test]
fn functions_are_accurate_under_other_code_generation() {
    let ways = [
        ("LP_NATIVE_VECTOR_WIDTH", "128"),
        ("LP_NATIVE_VECTOR_WIDTH", "512"),
        ("GALLIUM_OVERRIDE_CPU_CAPS", "avx"),
        ("GALLIUM_OVERRIDE_CPU_CAPS", "sse2"),
    ];
    under_other_code_generation(&ways, &["float_functions_are_accurate", "functions_of_two_floats_are_accurate"]);
}
