//! The rarer f32 functions: computed in f64, where a plain formula is accurate enough, and rounded once.

use super::angle::{quarter_turns, tan_quarter};
use super::poly_f64;
use super::{erfc_f64, exp_f64, expm1_f64, log_f64};
use crate::simd::Simd;
use std::f64::consts::{FRAC_PI_2, PI};

/// (atan(x)/x − 1) / u with u = x² ≤ 1.
const ATAN: [f64; 10] = [
    -0.333_333_330_810_732_5,
    0.199_999_493_211_418_88,
    -0.142_840_037_947_335_3,
    0.110_882_616_287_351_59,
    -0.089_318_267_773_813_15,
    0.070_319_142_500_299_66,
    -0.048_960_514_027_090_67,
    0.026_305_001_110_062_377,
    -0.009_144_629_760_592_396,
    0.001_488_691_939_304_759_7,
];
/// (asin(x)/x − 1) / u with u = x² ≤ ¼.
const ASIN: [f64; 6] = [
    0.166_666_663_374_309_08,
    0.075_000_945_434_974_24,
    0.044_599_401_528_512_18,
    0.031_100_662_735_494_57,
    0.017_149_238_357_677_253,
    0.033_690_847_202_830_12,
];

/// 1 − erf(x), accurate where erf(x) is near 1.
#[inline(always)]
pub fn erfc_f32<S: Simd>(x: f32) -> f32 {
    erfc_f64::<S>(f64::from(x)) as f32
}

/// xʸ, with C's `pow` for signs, zeros, infinities and NaN.
#[inline(always)]
pub fn pow_f32<S: Simd>(x: f32, y: f32) -> f32 {
    let magnitude = exp_f64::<S>(f64::from(y) * log_f64::<S>(f64::from(x.abs()))) as f32;
    let odd = is_integer(y) & !is_integer(0.5 * y);
    let negative = odd & x.is_sign_negative();
    let power = if negative { -magnitude } else { magnitude };
    let undefined = (x < 0.0) & (x > f32::NEG_INFINITY) & !is_integer(y);
    let power = if undefined { f32::NAN } else { power };
    // 1 to any power, -1 to an infinite one, and anything to the power of 0, NaN included.
    let one = (x == 1.0) | (y == 0.0) | ((x == -1.0) & (y.abs() == f32::INFINITY));
    if one { 1.0 } else { power }
}

/// Whether x is an integer or infinite.
#[inline(always)]
fn is_integer(x: f32) -> bool {
    const INTEGERS: f32 = 8_388_608.0;
    let a = x.abs();
    ((a + INTEGERS) - INTEGERS == a) | (a >= INTEGERS)
}

/// The tangent of x radians.
#[inline(always)]
pub fn tan_f32<S: Simd>(x: f32) -> f32 {
    let (quarter, r) = quarter_turns(x);
    let y = tan_quarter::<S>(quarter, r) as f32;
    if x.abs() < 2.4e-4 { x } else { y }
}

/// asin(x) for |x| ≤ ½.
#[inline(always)]
fn asin_near<S: Simd>(x: f64) -> f64 {
    let u = x * x;
    S::mul_add_f64(x * u, poly_f64::<S, _>(u, &ASIN), x)
}

/// asin(|x|) is `angle`, or π/2 − 2 `angle` where the flag is set.
#[inline(always)]
fn asin_parts<S: Simd>(x: f32) -> (f64, bool) {
    let a = f64::from(x.abs());
    let far = a > 0.5;
    (asin_near::<S>(if far { (0.5 - 0.5 * a).sqrt() } else { a }), far)
}

/// The arc sine, in radians.
#[inline(always)]
pub fn asin_f32<S: Simd>(x: f32) -> f32 {
    let (angle, far) = asin_parts::<S>(x);
    (if far { FRAC_PI_2 - 2.0 * angle } else { angle }).copysign(f64::from(x)) as f32
}

/// The arc cosine, in radians.
#[inline(always)]
pub fn acos_f32<S: Simd>(x: f32) -> f32 {
    let (angle, far) = asin_parts::<S>(x);
    let negative = x < 0.0;
    let near = if negative { FRAC_PI_2 + angle } else { FRAC_PI_2 - angle };
    let beyond = if negative { PI - 2.0 * angle } else { 2.0 * angle };
    (if far { beyond } else { near }) as f32
}

/// The arc tangent, in radians.
#[inline(always)]
pub fn atan_f32<S: Simd>(x: f32) -> f32 {
    atan2_f32::<S>(x, 1.0)
}

/// The angle of the point (x, y), in radians from −π to π.
#[inline(always)]
pub fn atan2_f32<S: Simd>(y: f32, x: f32) -> f32 {
    let (a, b) = (f64::from(x.abs()), f64::from(y.abs()));
    let steep = b > a;
    let (large, small) = if steep { (b, a) } else { (a, b) };
    // 0/0 counts as 0, ∞/∞ as 1.
    let ratio = small / if large == 0.0 { 1.0 } else { large };
    let ratio = if (small == f64::INFINITY) & (large == f64::INFINITY) { 1.0 } else { ratio };
    let u = ratio * ratio;
    let angle = S::mul_add_f64(ratio * u, poly_f64::<S, _>(u, &ATAN), ratio);
    let angle = if steep { FRAC_PI_2 - angle } else { angle };
    let angle = if x.is_sign_negative() { PI - angle } else { angle };
    let angle = if x.is_nan() | y.is_nan() { f64::NAN } else { angle };
    angle.copysign(f64::from(y)) as f32
}

/// The hyperbolic sine.
#[inline(always)]
pub fn sinh_f32<S: Simd>(x: f32) -> f32 {
    let a = f64::from(x.abs());
    // From here on the result exceeds every f32, but stays finite in f64.
    let e = expm1_f64::<S>(if a > 100.0 { 100.0 } else { a });
    (0.5 * (e + e / (e + 1.0))).copysign(f64::from(x)) as f32
}

/// The hyperbolic cosine.
#[inline(always)]
pub fn cosh_f32<S: Simd>(x: f32) -> f32 {
    let e = exp_f64::<S>(f64::from(x.abs()));
    (0.5 * (e + 1.0 / e)) as f32
}
