//! A test of an adapter's arithmetic, made once when it is opened: what the shaders take for granted of a driver.

use crate::WGPU;
use crate::error::{Error, Result};
use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use crate::transfer::read;
use flambeau_shaders::Kernel;
use flambeau_tensor::{Array, DType};

/// Threads of a workgroup of `self_test.wgsl`.
const THREADS: u64 = 64;

/// A primitive of `self_test.wgsl`, in its order.
struct Primitive {
    name: &'static str,
    /// What f64 arithmetic gives for it; rounded to f32 once, that is f32's result too.
    exact: fn(f64, f64, f64) -> f64,
    /// How many units in the last place a driver may be off, in f32 and in f64.
    ulps: [f64; 2],
}

const fn exactly(name: &'static str, exact: fn(f64, f64, f64) -> f64) -> Primitive {
    Primitive { name, exact, ulps: [0.0; 2] }
}

/// A number whose zero has any sign: some drivers make one truncation of a conversion to integers and back.
const fn number(name: &'static str, exact: fn(f64, f64, f64) -> f64) -> Primitive {
    Primitive { name, exact, ulps: [0.25; 2] }
}

/// The limits of division and roots are what Vulkan grants f32; that f64 is no worse than a few units is ours to ask.
static PRIMITIVES: [Primitive; 25] = [
    exactly("a + b", |a, b, _| a + b),
    exactly("a - b", |a, b, _| a - b),
    exactly("a * b", |a, b, _| a * b),
    Primitive { name: "a / b", exact: |a, b, _| a / b, ulps: [3.0, 3.0] },
    // Fused or not: the cases let the product dominate.
    Primitive { name: "fma(a, b, c)", exact: |a, b, c| a.mul_add(b, c), ulps: [1.0, 1.0] },
    Primitive { name: "sqrt(|a|)", exact: |a, _, _| a.abs().sqrt(), ulps: [4.0, 4.0] },
    exactly("min(a, b)", |a, b, _| a.min(b)),
    exactly("max(a, b)", |a, b, _| a.max(b)),
    exactly("clamp(a, -3, 5)", |a, _, _| a.clamp(-3.0, 5.0)),
    exactly("abs(a)", |a, _, _| a.abs()),
    exactly("-a", |a, _, _| -a),
    number("i32(a)", |a, _, _| f64::from(a as i32)),
    number("u32(|a|)", |a, _, _| f64::from(a.abs() as u32)),
    exactly("a < b", |a, b, c| if a < b { c } else { b }),
    exactly("a >= b", |a, b, c| if a >= b { c } else { b }),
    exactly("a == b", |a, b, c| if a == b { c } else { b }),
    exactly("floor(a)", |a, _, _| a.floor()),
    exactly("ceil(a)", |a, _, _| a.ceil()),
    exactly("round(a)", |a, _, _| a.round_ties_even()),
    exactly("trunc(a)", |a, _, _| a.trunc()),
    exactly("relu(a)", |a, _, _| a.max(0.0)),
    exactly("copysign(a, b)", |a, b, _| a.copysign(b)),
    // More digits than f32 has.
    exactly("float(i32(a) * 3 + 1)", |a, _, _| f64::from((a as i32).wrapping_mul(3).wrapping_add(1))),
    exactly("float(u32(|a|) * 3 + 1)", |a, _, _| f64::from((a.abs() as u32).wrapping_mul(3).wrapping_add(1))),
    exactly("isnan((inf - inf) * a)", |_, _, _| 1.0),
];

/// The cases: every number beside several others. They have 24 bits and stay within the normal numbers of f32 under all
/// primitives, and within an i32 where they are rounded to one.
fn cases() -> Vec<[f64; 3]> {
    const NUMBERS: [f64; 24] = [
        1.0,
        -1.0,
        0.5,
        1.5,
        -2.5,
        3.25,
        -0.75,
        7.0,
        10.0,
        -100.125,
        1.0 / 3.0,
        -2.0 / 7.0,
        0.1,
        255.999,
        -1023.5,
        65_536.25,
        -4_194_303.5,
        8_388_607.0,
        8_388_608.0,
        29_648_910.0,
        -1_073_741_824.0,
        1.0e-3,
        -2.5e-7,
        2_147_483_520.0,
    ];
    let narrow = |x: f64| f64::from(x as f32);
    let n = NUMBERS.len();
    let pair = |i: usize, step: usize| {
        let (a, b) = (narrow(NUMBERS[i]), narrow(NUMBERS[(i * 5 + step * 7 + 1) % n]));
        // At most half of the product, so that no digits cancel.
        [a, b, narrow(a * b * 0.3125)]
    };
    (0..n).flat_map(|i| (0..4).map(move |step| pair(i, step))).collect()
}

/// What a driver got wrong, if anything. `results` has a row of primitives for each case.
fn judge(dtype: DType, results: &[f64]) -> Option<String> {
    let f32s = dtype == DType::F32;
    let places = if f32s { 24 } else { 53 };
    for ([a, b, c], row) in cases().into_iter().zip(results.chunks_exact(PRIMITIVES.len())) {
        for (primitive, &got) in PRIMITIVES.iter().zip(row) {
            let exact = (primitive.exact)(a, b, c);
            let exact = if f32s { f64::from(exact as f32) } else { exact };
            let unit = ((exact.abs().to_bits() >> 52) as i32 - 1022 - places) as f64;
            let error = (got - exact).abs() / unit.exp2();
            let limit = primitive.ulps[usize::from(!f32s)];
            let same = got == exact && (got.is_sign_negative() == exact.is_sign_negative() || limit > 0.0);
            // Not `error > limit`: that is false for NaN.
            if !(same || error <= limit && limit > 0.0) {
                let name = primitive.name;
                return Some(format!(
                    "{name} for a = {a:e}, b = {b:e}, c = {c:e} in {dtype} is {got:e}, not {exact:e}"
                ));
            }
        }
    }
    None
}

/// Runs the cases on a GPU.
fn run(gpu: &'static Gpu, dtype: DType) -> Result<Vec<f64>> {
    let cases = cases();
    let (size, numbers) = (dtype.size(), cases.len() * PRIMITIVES.len());
    let array = |n: usize| {
        let storage = gpu.alloc(&WGPU, n * size, dtype)?;
        Array::from_parts(storage, dtype, [n].as_slice().into(), [1].as_slice().into(), 0)
            .map_err(|e| Error::Validation { device: gpu.name, reason: e.to_string() })
    };
    let (x, y) = (array(cases.len() * 3 + 2)?, array(numbers)?);
    // Two infinities behind the cases, which the driver cannot know to be the same.
    let values = cases.iter().flatten().chain(&[f64::INFINITY; 2]);
    let bytes: Vec<u8> = match dtype {
        DType::F32 => values.flat_map(|&v| (v as f32).to_ne_bytes()).collect(),
        _ => values.flat_map(|&v| v.to_ne_bytes()).collect(),
    };
    gpu.queue.write_buffer(&gpu.buffer(&x)?.raw, 0, &bytes);
    let kernel = Kernel::new("self_test", dtype);
    let params = |p: &mut Params| {
        p.with([("cases", cases.len())]);
    };
    gpu.dispatch(&kernel, &[Arg::In(&x), Arg::Out(&y)], &params, (cases.len() as u64).div_ceil(THREADS))?;
    let bytes = read(gpu, Some(&y), 0, numbers * size)?;
    Ok(match dtype {
        DType::F32 => bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_ne_bytes(b))).collect(),
        _ => bytes.as_chunks().0.iter().map(|&b| f64::from_ne_bytes(b)).collect(),
    })
}

/// Tests an opened GPU's arithmetic in a dtype.
///
/// # Errors
/// What its driver gets wrong, with the adapter's name.
pub(crate) fn self_test(gpu: &'static Gpu, dtype: DType) -> Result<()> {
    match judge(dtype, &run(gpu, dtype)?) {
        None => Ok(()),
        Some(wrong) => Err(Error::Arithmetic { device: gpu.name, name: gpu.info.name.clone(), dtype, wrong }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right results, as a driver without a fault gives them.
    fn right(dtype: DType) -> Vec<f64> {
        let round = |x: f64| if dtype == DType::F32 { f64::from(x as f32) } else { x };
        cases().iter().flat_map(|&[a, b, c]| PRIMITIVES.iter().map(move |p| round((p.exact)(a, b, c)))).collect()
    }

    #[test]
    fn a_right_driver_passes() {
        for dtype in [DType::F32, DType::F64] {
            assert_eq!(judge(dtype, &right(dtype)), None);
        }
    }

    /// A fault of each primitive in turn, by a few units or by another sign, is found and named.
    #[test]
    fn every_fault_is_named() {
        for dtype in [DType::F32, DType::F64] {
            let places = if dtype == DType::F32 { 24 } else { 53 };
            for (k, primitive) in PRIMITIVES.iter().enumerate() {
                let mut results = right(dtype);
                let case = 17;
                let value = &mut results[case * PRIMITIVES.len() + k];
                *value = if *value == 0.0 { 1.0 } else { *value * (1.0 + 8.0 * 2f64.powi(1 - places)) };
                let words = judge(dtype, &results).expect("a fault");
                assert!(words.starts_with(primitive.name), "{words}");
                results[case * PRIMITIVES.len() + k] = f64::NAN;
                assert!(judge(dtype, &results).is_some_and(|words| words.starts_with(primitive.name)));
            }
        }
    }
}
