//! Random integers and permutations.

use super::element::{Limits, RandomElement};
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
    let modulus = full_range(T::DTYPE);
    let wide = matches!(T::DTYPE, DType::I64 | DType::F64);
    for x in out {
        let draw = if wide { state.random64() } else { u64::from(state.random()) };
        *x = T::from_i64((draw % modulus) as i64);
    }
}

/// How many integers, from 0 on, `Tensor.random_()` draws from: those of an integer type that are not negative, 0 and 1 for
/// bool, 0..=2^digits for a float type.
pub fn full_range(dtype: DType) -> u64 {
    let range = 1 << Limits::of(dtype).digits;
    if dtype.is_floating_point() { range + 1 } else { range }
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
    if from == i64::MIN && to.is_none() {
        return random_64_bits(generator, out);
    }
    let (from, last) = integer_bounds::<T>(from, to)?;
    let state = &mut *generator.lock();
    let range = (last as u64).wrapping_sub(from as u64).wrapping_add(1);
    for x in out {
        let sample = if range >= WIDE_RANGE { state.random64() % range } else { u64::from(state.random()) % range };
        *x = T::from_i64((sample as i64).wrapping_add(from));
    }
    Ok(())
}

/// The smallest and the largest integer that [`random_from_to_`] draws.
///
/// # Errors
/// As there.
pub fn integer_bounds<T: RandomElement>(from: i64, to: Option<i64>) -> Result<(i64, i64), RandomError> {
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
            format!("{name} is out of bounds for {}", T::DTYPE.cpp_name())
        })?;
    }
    Ok((from, last))
}

fn random_64_bits<T: RandomElement>(generator: &Generator, out: &mut [T]) -> Result<(), RandomError> {
    if out.is_empty() {
        return Ok(());
    }
    match T::DTYPE {
        DType::I64 | DType::F64 | DType::F32 | DType::BF16 => {}
        DType::F16 | DType::Bool => {
            let name = T::DTYPE.scalar_type_name();
            let message = format!("\"random_full_64_bits_range_kernel_cpu\" not implemented for '{name}'");
            return Err(RandomError::new(message));
        }
        DType::U8 | DType::I8 | DType::I16 | DType::I32 => {
            let message = "random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16";
            return Err(RandomError::new(message));
        }
    }
    let state = &mut *generator.lock();
    for x in out {
        *x = T::from_i64(state.random64() as i64);
    }
    Ok(())
}

/// What is left of an integer after a cast to the float type and back. What no i64 holds becomes its smallest value, as
/// on x86-64, where PyTorch's bounds depend on it.
fn through<T: RandomElement>(value: i64) -> i64 {
    match T::from_i64(value).to_scalar() {
        Scalar::Float(x) if x >= i64::MAX as f64 => i64::MIN,
        Scalar::Float(x) => x as i64,
        Scalar::Int(i) => i,
        Scalar::Bool(b) => i64::from(b),
    }
}

/// Half the distance between floats around `value`, in PyTorch's own reckoning.
fn step<T: RandomElement>(value: i64) -> i64 {
    let log2 = value.unsigned_abs().checked_ilog2().unwrap_or(0);
    1_i64 << (log2 + 1).saturating_sub(Limits::of(T::DTYPE).digits)
}

/// The lower bound moved up to a value that does not round below it.
fn ceil_bound<T: RandomElement>(from: i64) -> i64 {
    let above = through::<T>(from.wrapping_add(1));
    if above < from { above.wrapping_add(step::<T>(from.wrapping_add(1))) } else { from }
}

/// The upper bound moved down so that no sample rounds up to it.
fn floor_bound<T: RandomElement>(to: i64) -> i64 {
    let below = through::<T>(to.wrapping_sub(1));
    if below >= to { below.wrapping_sub(step::<T>(to.wrapping_sub(1))) } else { to }
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

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    fn refused<T: RandomElement>(from: i64, to: Option<i64>) -> String {
        random_from_to_(&Generator::new(), &mut [T::default(); 2], from, to).unwrap_err().to_string()
    }

    /// Messages of `torch.empty(2, dtype=…).random_(from, to)`.
    #[test]
    fn bounds_are_refused_in_pytorchs_words() {
        assert_eq!(refused::<u8>(0, Some(300)), "to - 1 is out of bounds for unsigned char");
        assert_eq!(refused::<i32>(-(1 << 40), Some(3)), "from is out of bounds for int");
        assert_eq!(refused::<bool>(-3, None), "from is out of bounds for bool");
        assert_eq!(refused::<i64>(5, Some(5)), "random_ expects 'from' to be less than 'to', but got from=5 >= to=5");
        assert_eq!(
            refused::<f32>(1 << 24, None),
            "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, but got \
             from=16777216 > to_inc=16777216"
        );
        assert_eq!(refused::<f16>(1_000_000, None), "from is out of bounds for c10::Half");
        assert_eq!(refused::<f16>(65519, Some(65521)), "from is out of bounds for c10::Half");
        assert_eq!(
            refused::<f16>(i64::MIN, None),
            "\"random_full_64_bits_range_kernel_cpu\" not implemented for 'Half'"
        );
        assert_eq!(
            refused::<i32>(i64::MIN, None),
            "random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16"
        );
    }

    /// `torch.randperm(300, dtype=torch.uint8)` and the like.
    #[test]
    fn permutations_that_do_not_fit_are_refused() {
        let g = Generator::new();
        let error = randperm(&g, &mut [0_u8; 300]).unwrap_err().to_string();
        assert_eq!(error, "value cannot be converted to type uint8_t without overflow");
        let error = randperm(&g, &mut [f16::ZERO; 2050]).unwrap_err().to_string();
        assert_eq!(error, "n cannot be greater than 2049 for Half type.");
        let error = randperm(&g, &mut [false; 2]).unwrap_err().to_string();
        assert_eq!(error, "\"randperm\" not implemented for 'Bool'");
    }

    proptest! {
        #[test]
        fn samples_stay_in_range(seed: u64, from: i64, length in 1_i64.., n in 0_usize..40) {
            let to = from.saturating_add(length);
            prop_assume!(from < to);
            let mut out = vec![0_i64; n];
            random_from_to_(&Generator::new().manual_seed(seed), &mut out, from, Some(to)).unwrap();
            prop_assert!(out.iter().all(|x| (from..to).contains(x)));
        }

        #[test]
        fn permutations_hold_every_index(seed: u64, n in 0_usize..200) {
            let mut out = vec![0_i32; n];
            randperm(&Generator::new().manual_seed(seed), &mut out).unwrap();
            out.sort_unstable();
            prop_assert!(out.iter().enumerate().all(|(i, &x)| i == x as usize));
        }
    }
}
