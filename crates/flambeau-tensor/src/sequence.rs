//! Evenly spaced numbers, digit for digit as PyTorch's CPU computes them.
//!
//! PyTorch compiles these loops once per instruction set. Where the machine has a fused multiply-add the compiler uses it,
//! so that the last digits depend on the machine; [`fuses`] tells which digits are this machine's. The number of lanes of a
//! vector enters as well: a vector of `arange` starts from a rounded number.

use crate::{DType, Element, Scalar};
use half::{bf16, f16};
use std::sync::LazyLock;

/// Whether PyTorch on this machine uses a fused multiply-add: with AVX2 and FMA, and on aarch64. The environment variable
/// `FLAMBEAU_SIMD=portable` asks for a machine that has none.
pub fn fuses() -> bool {
    static FUSES: LazyLock<bool> = LazyLock::new(|| {
        #[cfg(target_arch = "x86_64")]
        let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        #[cfg(not(target_arch = "x86_64"))]
        let has = cfg!(target_arch = "aarch64");
        has && std::env::var("FLAMBEAU_SIMD").as_deref() != Ok("portable")
    });
    *FUSES
}

/// A type that sequences are computed in.
trait Step: Copy {
    fn of(x: f64) -> Self;
    fn number(self) -> f64;
    /// a + b · i
    fn line(a: Self, b: Self, i: f64, fused: bool) -> Self;
    /// (b − a) / n
    fn slope(a: Self, b: Self, n: f64) -> Self;
    /// a + (−b) · i: a count down.
    fn down(a: Self, b: Self, i: f64, fused: bool) -> Self;
}

macro_rules! real_step {
    ($($t:ident),*) => {$(
        impl Step for $t {
            fn of(x: f64) -> Self { x as $t }
            fn number(self) -> f64 { self.into() }
            fn line(a: Self, b: Self, i: f64, fused: bool) -> Self {
                if fused { b.mul_add(i as $t, a) } else { a + b * i as $t }
            }
            fn slope(a: Self, b: Self, n: f64) -> Self { (b - a) / n as $t }
            fn down(a: Self, b: Self, i: f64, fused: bool) -> Self { Self::line(a, -b, i, fused) }
        }
    )*};
}
real_step!(f32, f64);

/// Half of the numbers count up from the start, half count down to the end.
fn spaced<T: Step>(start: f64, end: f64, steps: usize, fused: bool) -> Vec<Scalar> {
    let (start, end) = (T::of(start), T::of(end));
    let step = T::slope(start, end, (steps - 1) as f64);
    let value = |i: usize| match i < steps / 2 {
        true => T::line(start, step, i as f64, fused),
        false => T::down(end, step, (steps - i - 1) as f64, fused),
    };
    (0..steps).map(|i| Scalar::Float(value(i).number())).collect()
}

/// `steps` numbers from start to end, to be converted to a dtype: `torch.linspace`. `fused` says which machine's digits; see [`fuses`].
///
/// # Errors
/// When the dtype does not hold an end.
pub fn linspace(start: Scalar, end: Scalar, steps: usize, dtype: DType, fused: bool) -> crate::Result<Vec<Scalar>> {
    let (start, end) = (start.checked(dtype)?.to_f64(), end.checked(dtype)?.to_f64());
    Ok(match (steps, dtype) {
        (0, _) => Vec::new(),
        (1, _) => vec![Scalar::Float(start)],
        // Half types are rounded at the end. The compiler does not fuse what goes through f16's own conversion.
        (_, DType::F16) => spaced::<f32>(start, end, steps, false),
        (_, DType::F32 | DType::BF16) => spaced::<f32>(start, end, steps, fused),
        // Integers are computed in f64, and cut off.
        _ => spaced::<f64>(start, end, steps, fused),
    })
}

/// `steps` powers of `base` with evenly spaced exponents: `torch.logspace` without its checks. Ends and step are rounded to a float
/// dtype, exponents and powers are f64's; integers are cut off.
pub fn logspace(start: f64, end: f64, steps: usize, base: f64, dtype: DType) -> Vec<Scalar> {
    let in_dtype = |x: f64| Scalar::Float(x).cast(dtype).to_f64();
    let power = |exponent: f64| Scalar::Float(base.powf(exponent)).cast(dtype);
    if steps == 1 {
        return vec![power(start)];
    }
    let (start, end) = (in_dtype(start), in_dtype(end));
    let step = (end - start) / (steps as f64 - 1.0);
    let step = if dtype.is_floating_point() { in_dtype(step) } else { step };
    let exponent = |i: usize| match i < steps / 2 {
        true => start + step * i as f64,
        false => end - step * (steps - i - 1) as f64,
    };
    (0..steps).map(|i| power(exponent(i))).collect()
}

/// Numbers of a float dtype, vector by vector: each starts from a number of type `T`, rounded, and adds multiples of the
/// step in the accumulator's type `A`. What does not fill two vectors goes one by one.
fn ranged<T: Element, A: Step>(start: f64, step: f64, n: usize, fused: bool) -> Vec<Scalar> {
    const VECTOR_BYTES: usize = 32;
    let lanes = VECTOR_BYTES / size_of::<T>();
    let (start, step) = (A::of(start), A::of(step));
    let rounded = |x: A| T::from_scalar(Scalar::Float(x.number())).to_scalar();
    let at = |i: usize| rounded(A::line(start, step, i as f64, fused));
    let whole = n / (2 * lanes) * (2 * lanes);
    let mut out = Vec::with_capacity(n);
    for first in (0..whole).step_by(lanes) {
        let base = A::of(at(first).to_f64());
        out.extend((0..lanes).map(|lane| rounded(A::line(base, step, lane as f64, fused))));
    }
    out.extend((whole..n).map(at));
    out
}

/// `n` numbers of a dtype from `start` on, `step` apart: `torch.arange` without its checks. `fused` says which machine's
/// digits; see [`fuses`].
pub fn arange(start: Scalar, step: Scalar, n: usize, dtype: DType, fused: bool) -> Vec<Scalar> {
    let (a, s) = (start.to_f64(), step.to_f64());
    match dtype {
        DType::F64 => ranged::<f64, f64>(a, s, n, fused),
        DType::F32 => ranged::<f32, f64>(a, s, n, fused),
        DType::F16 => ranged::<f16, f32>(a, s, n, fused),
        DType::BF16 => ranged::<bf16, f32>(a, s, n, fused),
        _ => {
            let (a, s) = (start.to_i64(), step.to_i64());
            (0..n as i64).map(|i| Scalar::Int(a.wrapping_add(s.wrapping_mul(i)))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Scalar {
        text.parse().map_or_else(|_| Scalar::Float(text.parse().unwrap()), Scalar::Int)
    }

    fn fnv(values: &[Scalar]) -> String {
        let bytes = values.iter().flat_map(|v| v.to_f64().to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        format!("{hash:016x}")
    }

    /// `goldens/ranges.txt`, which `goldens/make_ranges.py` made with PyTorch 2.15 for each `ATEN_CPU_CAPABILITY`.
    #[test]
    fn every_sequence_has_pytorchs_digits_per_capability() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/ranges.txt")).unwrap();
        let mut counts = [0; 2];
        for line in text.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let [capability, op, dtype, a, b, n, "=", hash] = fields[..] else { panic!("{line}") };
            let fused = capability != "default";
            let dtype = DType::ALL.into_iter().find(|d| d.name() == dtype).unwrap();
            let n: usize = n.parse().unwrap();
            let values = match op {
                "linspace" => linspace(number(a), number(b), n, dtype, fused).unwrap(),
                _ => arange(number(a), number(b), n, dtype, fused),
            };
            let values: Vec<Scalar> = values.iter().map(|v| v.cast(dtype)).collect();
            assert_eq!(values.len(), n);
            assert_eq!(fnv(&values), hash, "{line}");
            counts[usize::from(fused)] += 1;
        }
        assert!(counts[0] > 400 && counts[1] > 800, "{counts:?}");
        println!("goldens: {counts:?} sequences without and with fused digits");
    }
}
