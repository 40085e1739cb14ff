//! The functions that work in f32 throughout.

use super::angle::{quarter_turns, sin_cos_quarter};
use super::poly_f32;
use crate::simd::Simd;
use std::f32::consts::{LOG2_E, LOG10_E};

/// Added and subtracted again, this rounds to an integer, which meanwhile stands in the low bits: 1.5 · 2²³.
const ROUND: f32 = 12_582_912.0;
/// The leading bits of ln 2, so few that `n * LN2_HI` is exact, and the rest.
const LN2_HI: f32 = 0.693_359_4;
const LN2_LO: f32 = -0.000_212_194_44;
/// As above, for log₁₀ 2.
const LOG10_2_HI: f32 = 0.301_025_4;
const LOG10_2_LO: f32 = 4.605_039e-6;
/// Bits of √½: significands are taken from [√½, √2).
const SQRT_HALF_BITS: u32 = 0x3f35_04f3;

/// (eʳ − 1 − r) / r² for |r| ≤ ½ ln 2.
const EXP32: [f32; 6] = [5.0e-1, 1.666_666_7e-1, 4.166_646_3e-2, 8.333_310_5e-3, 1.393_373_1e-3, 1.989_108e-4];
/// (log(1 + f) − f + f²/2) / f³ for √½ ≤ 1 + f ≤ √2.
const LOG32: [f32; 9] = [
    3.333_333e-1,
    -2.499_999_7e-1,
    2.000_071_6e-1,
    -1.666_780_3e-1,
    1.424_905_8e-1,
    -1.242_568_7e-1,
    1.168_542e-1,
    -1.147_973_4e-1,
    6.971_612e-2,
];
/// (tanh(x)/x − 1) / u with u = x² ≤ 0.391.
const TANH32: [f32; 6] =
    [-3.333_333_4e-1, 1.333_330_3e-1, -5.395_922_8e-2, 2.176_866_7e-2, -8.343_119e-3, 2.291_809_5e-3];
/// erf(x)/x − 1 in u = x² ≤ 0.86.
const ERF32: [f32; 6] = [1.283_791_5e-1, -3.761_249_2e-1, 1.128_179_65e-1, -2.676_556e-2, 4.991_231e-3, -5.979_258e-4];
/// −log(erfc(x)) for 0.9 ≤ x ≤ 4.
const ERFC32: [f32; 10] = [
    -3.495_821_1e-4,
    1.130_388_4e0,
    6.314_835e-1,
    1.104_995_7e-1,
    -2.673_623_3e-2,
    4.910_78e-3,
    -6.433_165e-4,
    5.493_617e-5,
    -2.594_339_3e-6,
    4.453_896_5e-8,
];

/// 2ⁿ from `t = ROUND + n`, for n from -126 to 127.
#[inline(always)]
fn pow2(t: f32) -> f32 {
    f32::from_bits(t.to_bits().wrapping_add(127) << 23)
}

/// The integer n nearest to x / ln 2, as `ROUND + n`, and r with x = n ln 2 + r.
#[inline(always)]
fn split_exp<S: Simd>(x: f32) -> (f32, f32) {
    let t = S::mul_add_f32(x, LOG2_E, ROUND);
    let n = t - ROUND;
    let r = S::mul_add_f32(n, -LN2_HI, x);
    (t, S::mul_add_f32(n, -LN2_LO, r))
}

/// eʳ − 1 for |r| ≤ ½ ln 2.
#[inline(always)]
fn expm1_small<S: Simd>(r: f32) -> f32 {
    S::mul_add_f32(r * r, poly_f32::<S, _>(r, &EXP32), r)
}

/// eˣ for |x| ≤ 87, where neither it nor 2ⁿ leaves the normal numbers.
#[inline(always)]
fn exp_normal<S: Simd>(x: f32) -> f32 {
    let (t, r) = split_exp::<S>(x);
    (1.0 + expm1_small::<S>(r)) * pow2(t)
}

/// eˣ.
#[inline(always)]
pub fn exp_f32<S: Simd>(x: f32) -> f32 {
    // Below, the result is 0; above, infinite. The comparisons let NaN pass.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let (t, r) = split_exp::<S>(x);
    // Two factors, since 2ⁿ alone may be subnormal or infinite.
    let t1 = S::mul_add_f32(t - ROUND, 0.5, ROUND);
    let t2 = ROUND + ((t - ROUND) - (t1 - ROUND));
    // 1 + r in two parts, so that only the last addition rounds at full size: sigmoid needs that for its 2 ulp.
    let sum = 1.0 + r;
    let rest = S::mul_add_f32(r * r, poly_f32::<S, _>(r, &EXP32), (1.0 - sum) + r);
    (sum + rest) * pow2(t1) * pow2(t2)
}

/// eˣ − 1, accurate near 0.
#[inline(always)]
pub fn expm1_f32<S: Simd>(x: f32) -> f32 {
    let clamped = if x < -20.0 { -20.0 } else { x };
    let clamped = if clamped > 89.0 { 89.0 } else { clamped };
    let (t, r) = split_exp::<S>(clamped);
    // Half of 2ⁿ, since 2¹²⁸ is no f32.
    let half = pow2(t - 1.0);
    let y = 2.0 * S::mul_add_f32(half, expm1_small::<S>(r), half - 0.5);
    if x.abs() < 1e-8 { x } else { y }
}

/// log(1 + f) for √½ ≤ 1 + f ≤ √2, less f, which is the leading term.
#[inline(always)]
fn log1p_small_less_f<S: Simd>(f: f32) -> f32 {
    let square = f * f;
    S::mul_add_f32(square * f, poly_f32::<S, _>(f, &LOG32), -0.5 * square)
}

/// k and f with x = 2ᵏ (1 + f) and √½ ≤ 1 + f ≤ √2, for finite positive x.
#[inline(always)]
fn split_log(x: f32) -> (f32, f32) {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let k = ((bits as i32) >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff) + SQRT_HALF_BITS);
    (if subnormal { k - 23.0 } else { k }, m - 1.0)
}

/// What a logarithm gives where x is not finite and positive; elsewhere `y`.
#[inline(always)]
fn log_special(x: f32, y: f32) -> f32 {
    let y = if x == f32::INFINITY { f32::INFINITY } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

/// The natural logarithm.
#[inline(always)]
pub fn log_f32<S: Simd>(x: f32) -> f32 {
    let (k, f) = split_log(x);
    let rest = S::mul_add_f32(k, LN2_LO, log1p_small_less_f::<S>(f)) + f;
    log_special(x, S::mul_add_f32(k, LN2_HI, rest))
}

/// The logarithm to base 2.
#[inline(always)]
pub fn log2_f32<S: Simd>(x: f32) -> f32 {
    let (k, f) = split_log(x);
    // log2(e) = 1 + c keeps the large term exact.
    const C: f32 = (std::f64::consts::LOG2_E - 1.0) as f32;
    let rest = log1p_small_less_f::<S>(f);
    log_special(x, S::mul_add_f32(rest + f, C, rest) + f + k)
}

/// The logarithm to base 10.
#[inline(always)]
pub fn log10_f32<S: Simd>(x: f32) -> f32 {
    let (k, f) = split_log(x);
    let rest = S::mul_add_f32(f, LOG10_E, k * LOG10_2_LO);
    let rest = S::mul_add_f32(log1p_small_less_f::<S>(f), LOG10_E, rest);
    log_special(x, S::mul_add_f32(k, LOG10_2_HI, rest))
}

/// log(1 + x), accurate near 0.
#[inline(always)]
pub fn log1p_f32<S: Simd>(x: f32) -> f32 {
    let u = 1.0 + x;
    // What rounding took from u.
    let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let bits = u.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let exponent = (bits as i32) >> 23;
    let m = f32::from_bits((bits & 0x007f_ffff) + SQRT_HALF_BITS);
    let scale = f32::from_bits(((127 - exponent) as u32) << 23);
    // Beyond 2²⁴ it is too small to matter, and 2⁻ᵏ may be no f32.
    let f = (m - 1.0) + if x < 16_777_216.0 { lost * scale } else { 0.0 };
    let k = exponent as f32;
    let rest = S::mul_add_f32(k, LN2_LO, log1p_small_less_f::<S>(f)) + f;
    let y = log_special(u, S::mul_add_f32(k, LN2_HI, rest));
    if x.abs() < 1e-8 { x } else { y }
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh_f32<S: Simd>(x: f32) -> f32 {
    let a = x.abs();
    let square = a * a;
    let near = S::mul_add_f32(a * square, poly_f32::<S, _>(square, &TANH32), a);
    let clamped = if a > 10.0 { 10.0 } else { a };
    let far = 1.0 - 2.0 / (exp_normal::<S>(2.0 * clamped) + 1.0);
    (if a < 0.625 { near } else { far }).copysign(x)
}

/// 1 / (1 + e⁻ˣ), accurate in both tails.
#[inline(always)]
pub fn sigmoid_f32<S: Simd>(x: f32) -> f32 {
    let e = exp_f32::<S>(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// The error function.
#[inline(always)]
pub fn erf_f32<S: Simd>(x: f32) -> f32 {
    let a = x.abs();
    let near = S::mul_add_f32(a, poly_f32::<S, _>(a * a, &ERF32), a);
    let clamped = if a > 4.0 { 4.0 } else { a };
    let far = 1.0 - exp_normal::<S>(-poly_f32::<S, _>(clamped, &ERFC32));
    (if a < 0.92 { near } else { far }).copysign(x)
}

/// The sine of x radians.
#[inline(always)]
pub fn sin_f32<S: Simd>(x: f32) -> f32 {
    let (quarter, r) = quarter_turns(x);
    let y = sin_cos_quarter::<S>(quarter, r as f32);
    if x.abs() < 2.4e-4 { x } else { y }
}

/// The cosine of x radians.
#[inline(always)]
pub fn cos_f32<S: Simd>(x: f32) -> f32 {
    let (quarter, r) = quarter_turns(x);
    let y = sin_cos_quarter::<S>(quarter.wrapping_add(1), r as f32);
    if x.abs() < 2.4e-4 { 1.0 } else { y }
}

/// 1 / √x.
#[inline(always)]
pub fn rsqrt_f32<S: Simd>(x: f32) -> f32 {
    1.0 / x.sqrt()
}
