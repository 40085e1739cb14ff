//! Fills whose samples come straight from a uniform draw.

use super::element::{Limits, RandomElement, RandomFloat, Real};
use super::error::{RandomError, check};
use super::generator::Generator;
use super::with_fma;
use crate::print::cpp_double;

/// Fills `out` with samples of the uniform distribution on [from, to): `Tensor.uniform_(from, to)`; `torch.rand` is
/// the range [0, 1). A sample that rounds up to `to` becomes `from`.
///
/// # Errors
/// Bounds outside the dtype, from > to, or a range that overflows the dtype.
pub fn uniform_<T: RandomFloat>(generator: &Generator, out: &mut [T], from: f64, to: f64) -> Result<(), RandomError> {
    let limits = Limits::of(T::DTYPE);
    for (name, bound) in [("from", from), ("to", to)] {
        check((limits.min..=limits.max).contains(&bound), || {
            format!("{name} is out of bounds for {}", T::DTYPE.cpp_name())
        })?;
    }
    let (from_text, to_text) = (cpp_double(from), cpp_double(to));
    check(from <= to, || {
        format!("uniform_ expects to return a [from, to) range, but found from={from_text} > to={to_text}")
    })?;
    check(to - from <= limits.max, || {
        format!(
            "uniform_ expects to-from <= std::numeric_limits<{}>::max(), but found to={to_text} and from={from_text} \
             which result in to-from to exceed the limit",
            T::DTYPE.scalar_type_name()
        )
    })?;
    let state = &mut *generator.lock();
    let (low, high) = (T::Real::from_f64(from), T::Real::from_f64(to));
    let (low_element, high_element) = (T::from_real(low), T::from_real(high));
    with_fma(|| {
        for x in out {
            let value = T::from_real(T::Real::uniform(state).scale(low, high));
            *x = if value == high_element { low_element } else { value };
        }
    });
    Ok(())
}

/// Fills `out` with 1 where a uniform f64 is below `p`, else 0: `Tensor.bernoulli_(p)`. (So does PyTorch 2.15
/// on any CPU; versions that called Intel MKL here drew a stream of MKL's own.)
///
/// # Errors
/// A probability outside [0, 1].
pub fn bernoulli_<T: RandomElement>(generator: &Generator, out: &mut [T], p: f64) -> Result<(), RandomError> {
    check((0.0..=1.0).contains(&p), || format!("bernoulli_ expects p to be in [0, 1], but got p={}", cpp_double(p)))?;
    let state = &mut *generator.lock();
    let (zero, one) = (T::from_i64(0), T::from_i64(1));
    for x in out {
        *x = if state.uniform_f64() < p { one } else { zero };
    }
    Ok(())
}

/// Fills `out[i]` with 1 with probability `p[i]`, else 0: `torch.bernoulli(p)`, `Tensor.bernoulli_(p)` with a tensor.
/// f64 probabilities compare with an f64 draw, others with an f32 draw.
///
/// # Errors
/// A probability outside [0, 1]; the elements before it are written and their draws taken, as in PyTorch. Lengths that differ.
pub fn bernoulli_p<T: RandomElement, P: RandomFloat>(
    generator: &Generator,
    out: &mut [T],
    p: &[P],
) -> Result<(), RandomError> {
    check(out.len() == p.len(), || format!("{} probabilities for {} elements", p.len(), out.len()))?;
    let state = &mut *generator.lock();
    let (zero, one) = (T::from_i64(0), T::from_i64(1));
    let (never, always) = (P::Real::from_f64(0.0), P::Real::from_f64(1.0));
    for (x, p) in out.iter_mut().zip(p) {
        let p = p.to_real();
        check(p >= never && p <= always, || {
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  If \
             so, please report an enhancement request to PyTorch.)"
                .into()
        })?;
        *x = if P::Real::uniform(state) < p { one } else { zero };
    }
    Ok(())
}

/// Fills `out` with samples of density λ·exp(−λx), `−ln(1 − u) / λ`: `Tensor.exponential_(lambd)`.
///
/// # Errors
/// λ that is not positive.
pub fn exponential_<T: RandomFloat>(generator: &Generator, out: &mut [T], lambda: f64) -> Result<(), RandomError> {
    check(lambda > 0.0, || format!("exponential_ expects lambda > 0.0, but found lambda={}", cpp_double(lambda)))?;
    let state = &mut *generator.lock();
    for x in out {
        let sample = -1.0 / lambda * (-state.uniform_f64()).ln_1p();
        *x = T::from_real(T::Real::from_f64(sample));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    /// Messages of PyTorch 2.15 for the same calls.
    #[test]
    fn bounds_are_refused_in_pytorchs_words() {
        let g = Generator::new();
        let message = |result: Result<(), RandomError>| result.unwrap_err().to_string();
        assert_eq!(
            message(uniform_(&g, &mut [0.0_f64; 3], 1.234_567_89e-7, -1e8)),
            "uniform_ expects to return a [from, to) range, but found from=1.23457e-07 > to=-1e+08"
        );
        assert_eq!(message(uniform_(&g, &mut [0.0_f32; 3], 1e39, 2e39)), "from is out of bounds for float");
        assert_eq!(message(uniform_(&g, &mut [0.0_f32; 3], f64::NAN, 1.0)), "from is out of bounds for float");
        assert_eq!(
            message(uniform_(&g, &mut [f16::ZERO; 3], -6e4, 6e4)),
            "uniform_ expects to-from <= std::numeric_limits<Half>::max(), but found to=60000 and from=-60000 which \
             result in to-from to exceed the limit"
        );
        assert_eq!(message(bernoulli_(&g, &mut [0_u8; 3], 1.5)), "bernoulli_ expects p to be in [0, 1], but got p=1.5");
        assert!(
            message(bernoulli_p(&g, &mut [false; 2], &[0.5, f32::NAN])).starts_with("Expected p_in >= 0 && p_in <= 1")
        );
        assert_eq!(
            message(exponential_(&g, &mut [0.0_f32; 3], -1.0)),
            "exponential_ expects lambda > 0.0, but found lambda=-1"
        );
        exponential_(&g, &mut [1.0_f32; 3], f64::INFINITY).unwrap();
    }

    #[test]
    fn a_sample_that_rounds_up_to_the_end_becomes_the_start() {
        // One bf16 step above 1, nearly every second f32 sample rounds to the upper end.
        let (low, high) = (half::bf16::ONE, half::bf16::from_f32(1.007_812_5));
        let mut out = [half::bf16::ZERO; 64];
        uniform_(&Generator::new(), &mut out, low.to_f64(), high.to_f64()).unwrap();
        assert!(out.iter().all(|&x| x == low));
    }
}
