//! Scalar functions that the compiler vectorises.
//!
//! Each is straight-line code (selects instead of branches), generic over [`Simd`] and always inlined, so that a loop over
//! it inside a [`Kernel`](crate::simd::Kernel) takes that kernel's instruction set. Results are within 2 ulp in f32 and
//! 4 ulp in f64; special values are those of C's Annex F, which are PyTorch's. The rarer f64 functions call the standard
//! library and stay scalar.
//!
//! The polynomials interpolate the named function at Chebyshev points of the named interval, computed in 80 digits.

mod angle;
mod f32;
mod f64;
mod lgamma;
mod wide;

pub use self::f32::*;
pub use self::f64::*;
pub use self::lgamma::{lgamma_f32, lgamma_f64};
pub use self::wide::*;

use crate::simd::Simd;

/// `coefficients[0] + coefficients[1] x + …`, by Horner's rule.
#[inline(always)]
fn poly_f32<S: Simd, const N: usize>(x: f32, coefficients: &[f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for &c in coefficients[..N - 1].iter().rev() {
        sum = S::mul_add_f32(sum, x, c);
    }
    sum
}

/// As [`poly_f32`], in f64.
#[inline(always)]
fn poly_f64<S: Simd, const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    let mut sum = coefficients[N - 1];
    for &c in coefficients[..N - 1].iter().rev() {
        sum = S::mul_add_f64(sum, x, c);
    }
    sum
}

#[cfg(test)]
pub(crate) mod tests;
