//! Scalar functions that the compiler vectorises.
//!
//! Each is straight-line code (selects instead of branches), generic over [`Simd`] and always inlined, so that a loop over
//! it inside a [`Kernel`](crate::simd::Kernel) takes that kernel's instruction set. Results are within 2 ulp in f32 and
//! 4 ulp in f64 (Bessel functions 12 in both); special values are those of C's Annex F, which are PyTorch's. The rarer f64 functions call the standard
//! library and stay scalar.
//!
//! A new function is a file here and a row of the table below, beside its row in `flambeau_tensor::pointwise` and its WGSL.
//!
//! The polynomials interpolate the named function at Chebyshev points of the named interval, computed in 80 digits.

mod angle;
mod bessel;
mod erfinv;
mod f32;
mod f64;
mod lgamma;
mod wide;

pub use self::bessel::*;
pub use self::erfinv::*;
pub use self::f32::*;
pub use self::f64::*;
pub use self::lgamma::{lgamma_f32, lgamma_f64};
pub use self::wide::*;

use crate::simd::Simd;

/// Gives a macro each function of one number that programs have: its name there, and its f32 and f64 form.
macro_rules! table {
    ($with:ident) => {
        $with! {
            Rsqrt rsqrt_f32 rsqrt_f64;
            Exp exp_f32 exp_f64;
            Expm1 expm1_f32 expm1_f64;
            Log log_f32 log_f64;
            Log2 log2_f32 log2_f64;
            Log10 log10_f32 log10_f64;
            Log1p log1p_f32 log1p_f64;
            Sin sin_f32 sin_f64;
            Cos cos_f32 cos_f64;
            Tan tan_f32 tan_f64;
            Asin asin_f32 asin_f64;
            Acos acos_f32 acos_f64;
            Atan atan_f32 atan_f64;
            Sinh sinh_f32 sinh_f64;
            Cosh cosh_f32 cosh_f64;
            Tanh tanh_f32 tanh_f64;
            Sigmoid sigmoid_f32 sigmoid_f64;
            Erf erf_f32 erf_f64;
            Erfc erfc_f32 erfc_f64;
            Erfinv erfinv_f32 erfinv_f64;
            I0 i0_f32 i0_f64;
            I0e i0e_f32 i0e_f64;
            I1 i1_f32 i1_f64;
            I1e i1e_f32 i1e_f64;
        }
    };
}
pub(crate) use table;

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
