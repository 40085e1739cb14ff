//! Random integers and permutations.

use super::element::{Limits, RandomElement, cpp_name};
use super::error::{RandomError, check};
use super::generator::Generator;
use crate::{DType, Scalar};

/// Ranges from here on take 64 bits per sample; below, `draw % range` is skewed by at most a sixteenth.
const WIDE_RANGE: u64 = 1 << 28;

/// `randperm` up to here takes 32 bits per step.
const SMALL_PERMUTATION: i64 = u32::MAX as i64 / 20;

/// Fills `out` over the whole non-negative range of an integer type, 0..=1 for bool, and 0..=2^digits for a float type
/// (f32: 2²⁴): `Tensor.random_()`.
pub fn random_<T: RandomElement>(generator: &Generator, out: &mut [T]) {
    let state = &mut *generator.lock();
    let modulus = match T::DTYPE {
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => (1 << Limits::of(T::DTYPE).digits) + 1,
        DType::Bool | DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::I64 => {
            1_u64 << Limits::of(T::DTYPE).digits
        }
    };
    let wide = matches!(T::DTYPE, DType::I64 | DType::F64);
    for x in out {
        let draw = if wide { state.random64() } else { u64::from(state.random()) };
        *x = T::from_i64((draw % modulus) as i64);
    }
}

/// Fills `out` with integers of [from, to), or from `from` to the dtype's largest value where `to` is `None`:
/// `Tensor.random_(from, to)`; `torch.randint(low, high)`; `random_(to)` is `from = 0`. In a float type the bounds move
/// inwards to representable integers. `from = i64::MIN` without `to` takes all 64 bits.
///
/// # Errors
/// An empty range, or bounds outside the dtype.
pub fn random_from_to_<T: RandomElement>(
    generator: &Generator,
    out: &mut [T],
    from: i64,
    to: Option<i64>,
) -> Result<(), RandomError> {
    let floating = T::DTYPE.is_floating_point();
    let (from, last) = match to {
        Some(to) => {
            check(from < to, || {
                format!("random_ expects 'from' to be less than 'to', but got from={from} >= to={to}")
            })?;
            let (from, to) = if floating { (ceil_bound::<T>(from), floor_bound::<T>(to)) } else { (from, to) };
            check(from < to, || {
                format!(
                    "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got \
                     from={from} >= to={to}"
                )
            })?;
            (from, to - 1)
        }
        None if from == i64::MIN => return random_64_bits(generator, out),
        None => {
            let digits = Limits::of(T::DTYPE).digits;
            let last = if floating { 1 << digits } else { ((1_u64 << digits) - 1) as i64 };
            let from = if floating { ceil_bound::<T>(from) } else { from };
            check(!floating || from < last, || {
                format!(
                    "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, but \
                     got from={from} > to_inc={last}"
                )
            })?;
            (from, last)
        }
    };
    let limits = Limits::of(T::DTYPE);
    for (name, bound) in [("from", from), ("to - 1", last)] {
        check((limits.min..=limits.max).contains(&(bound as f64)), || {
            format!("{name} is out of bounds for {}", cpp_name(T::DTYPE))
        })?;
    }
    let state = &mut *generator.lock();
    let range = (last as u64).wrapping_sub(from as u64).wrapping_add(1);
    for x in out {
        let sample = if range >= WIDE_RANGE { state.random64() % range } else { u64::from(state.random()) % range };
        *x = T::from_i64((sample as i64).wrapping_add(from));
    }
    Ok(())
}

fn random_64_bits<T: RandomElement>(generator: &Generator, out: &mut [T]) -> Result<(), RandomError> {
    check(matches!(T::DTYPE, DType::I64 | DType::F64 | DType::F32 | DType::BF16) || out.is_empty(), || {
        "random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16".into()
    })?;
    let state = &mut *generator.lock();
    for x in out {
        *x = T::from_i64(state.random64() as i64);
    }
    Ok(())
}

/// What is left of an integer after a cast to the float type.
fn through<T: RandomElement>(value: i64) -> i64 {
    match T::from_i64(value).to_scalar() {
        Scalar::Float(x) => x as i64,
        Scalar::Int(i) => i,
        Scalar::Bool(b) => i64::from(b),
    }
}

/// Half the distance between floats around `value`, in PyTorch's own reckoning.
fn step<T: RandomElement>(value: i64) -> i64 {
    let log2 = 63 - value.unsigned_abs().leading_zeros();
    1_i64 << (log2 + 1).saturating_sub(Limits::of(T::DTYPE).digits)
}

/// The lower bound moved up to a value that does not round below it.
fn ceil_bound<T: RandomElement>(from: i64) -> i64 {
    let above = through::<T>(from.wrapping_add(1));
    if above < from { above.wrapping_add(step::<T>(from + 1)) } else { from }
}

/// The upper bound moved down so that no sample rounds up to it.
fn floor_bound<T: RandomElement>(to: i64) -> i64 {
    let below = through::<T>(to.wrapping_sub(1));
    if below >= to { below.wrapping_sub(step::<T>(to - 1)) } else { to }
}

/// A random permutation of 0..n, with n the length of `out`: `torch.randperm(n)`.
///
/// # Errors
/// More elements than the dtype counts.
pub fn randperm<T: RandomElement>(generator: &Generator, out: &mut [T]) -> Result<(), RandomError> {
    let n = out.len() as i64;
    let limits = Limits::of(T::DTYPE);
    match T::DTYPE {
        DType::Bool => return Err(RandomError::new("\"randperm\" not implemented for 'Bool'")),
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => {
            let most = (1_i64 << limits.digits) + 1;
            let name = T::DTYPE.scalar_type_name();
            check(n <= most, || format!("n cannot be greater than {most} for {name} type."))?;
        }
        DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::I64 => check(n as f64 <= limits.max, || {
            format!("value cannot be converted to type {}_t without overflow", T::DTYPE.name())
        })?,
    }
    let state = &mut *generator.lock();
    if n < SMALL_PERMUTATION {
        for (i, x) in out.iter_mut().enumerate() {
            *x = T::from_i64(i as i64);
        }
        for i in 0..out.len().saturating_sub(1) {
            let other = state.random() as usize % (out.len() - i);
            out.swap(i, i + other);
        }
    } else {
        for i in 0..out.len() {
            let other = (state.random64() % (i as u64 + 1)) as usize;
            out[i] = T::from_i64(i as i64);
            out.swap(i, other);
        }
    }
    Ok(())
}
