//! The f64 functions: the common ones vectorise, the rarer ones call the standard library.

use super::poly_f64;
use crate::simd::Simd;
use std::f64::consts::LOG2_E;

/// Added and subtracted again, this rounds to an integer, which meanwhile stands in the low bits: 1.5 · 2⁵².
const ROUND: f64 = 6_755_399_441_055_744.0;
/// The leading 32 bits of ln 2, so that `n * LN2_HI` is exact, and the rest.
const LN2_HI: f64 = 0.693_147_180_369_123_8;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
/// Bits of √½: significands are taken from [√½, √2).
const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
const MANTISSA: u64 = (1 << 52) - 1;
/// Where [`ERFCX`]'s variable has its zero.
const ERFCX_CENTER: f64 = 2.5;

/// (eʳ − 1 − r) / r² for |r| ≤ ½ ln 2.
const EXP64: [f64; 10] = [
    0.500_000_000_000_000_1,
    0.166_666_666_666_666_69,
    0.041_666_666_666_623_824,
    0.008_333_333_333_330_039,
    0.001_388_888_891_736_708_1,
    0.000_198_412_698_631_715_57,
    2.480_152_105_786_820_4e-5,
    2.755_726_827_690_569_6e-6,
    2.762_020_159_103_154_7e-7,
    2.510_047_250_569_499_6e-8,
];
/// (log((1 + s)/(1 − s))/s − 2) / s² in s², |s| ≤ 0.17158.
const LOG64: [f64; 7] = [
    0.666_666_666_666_667,
    0.399_999_999_998_994_55,
    0.285_714_286_259_985_6,
    0.222_222_111_310_285_2,
    0.181_828_893_996_777_2,
    0.153_317_124_793_813_01,
    0.146_165_624_221_046_45,
];
/// erf(x)/x − 1 in u = x² ≤ 1.
const ERF64: [f64; 12] = [
    0.128_379_167_095_512_56,
    -0.376_126_389_031_835_43,
    0.112_837_916_709_450_06,
    -0.026_866_170_643_237_77,
    0.005_223_977_607_116_422_5,
    -0.000_854_832_597_538_969_2,
    0.000_120_552_949_048_397_07,
    -1.492_473_690_741_966e-5,
    1.644_742_470_331_736_2e-6,
    -1.620_848_380_187_170_5e-7,
    1.372_006_454_677_768_6e-8,
    -7.795_898_827_002_142e-10,
];
/// (1 + 2x) exp(x²) erfc(x) in (x − 2.5)/(x + 2.5), for 0.49 ≤ x ≤ 28.
const ERFCX: [f64; 22] = [
    1.264_838_184_366_861_5,
    -0.122_356_763_082_403_83,
    -0.099_024_539_573_594_51,
    0.157_629_919_023_151_1,
    -0.102_967_056_039_077_94,
    0.032_760_893_271_578_384,
    0.000_931_892_830_790_62,
    -0.004_382_078_399_564_152,
    0.000_491_865_633_659_642_5,
    0.000_632_125_015_955_821_2,
    -8.847_789_152_206_032e-5,
    -0.000_113_527_073_734_661_33,
    6.260_056_225_108_825_4e-6,
    2.272_064_071_908_539_5e-5,
    2.624_238_253_236_158e-6,
    -4.278_310_957_664_828e-6,
    -1.604_863_502_010_319_7e-6,
    6.366_470_680_459_684e-7,
    5.358_095_711_000_577e-7,
    -8.361_174_864_779_568e-8,
    -1.028_686_660_458_231_2e-7,
    2.126_015_756_278_876_4e-8,
];

/// 2ⁿ from `t = ROUND + n`, for n from -1022 to 1023.
#[inline(always)]
fn pow2(t: f64) -> f64 {
    f64::from_bits(t.to_bits().wrapping_add(1023) << 52)
}

/// The integer n nearest to x / ln 2, as `ROUND + n`, and r with x = n ln 2 + r.
#[inline(always)]
fn split_exp<S: Simd>(x: f64) -> (f64, f64) {
    let t = S::mul_add_f64(x, LOG2_E, ROUND);
    let n = t - ROUND;
    let r = S::mul_add_f64(n, -LN2_HI, x);
    (t, S::mul_add_f64(n, -LN2_LO, r))
}

/// eʳ − 1 for |r| ≤ ½ ln 2.
#[inline(always)]
fn expm1_small<S: Simd>(r: f64) -> f64 {
    S::mul_add_f64(r * r, poly_f64::<S, _>(r, &EXP64), r)
}

/// `factor` e^(x + low), for a `low` below an ulp of x, and a factor of 1, or one between 0.01 and 1 where x is negative.
#[inline(always)]
fn scaled_exp<S: Simd>(x: f64, low: f64, factor: f64) -> f64 {
    // Below, the result is 0; above, infinite. The comparisons let NaN pass.
    let x = if x < -746.0 { -746.0 } else { x };
    let x = if x > 710.0 { 710.0 } else { x };
    let (t, r) = split_exp::<S>(x);
    // Two factors, since 2ⁿ alone may be subnormal or infinite.
    let t1 = S::mul_add_f64(t - ROUND, 0.5, ROUND);
    let t2 = ROUND + ((t - ROUND) - (t1 - ROUND));
    S::mul_add_f64(expm1_small::<S>(r + low), factor, factor) * pow2(t1) * pow2(t2)
}

/// eˣ.
#[inline(always)]
pub fn exp_f64<S: Simd>(x: f64) -> f64 {
    scaled_exp::<S>(x, 0.0, 1.0)
}

/// eˣ − 1, accurate near 0.
#[inline(always)]
pub fn expm1_f64<S: Simd>(x: f64) -> f64 {
    let clamped = if x < -40.0 { -40.0 } else { x };
    let clamped = if clamped > 710.0 { 710.0 } else { clamped };
    let (t, r) = split_exp::<S>(clamped);
    // Half of 2ⁿ, since 2¹⁰²⁴ is no f64.
    let half = pow2(t - 1.0);
    let y = 2.0 * S::mul_add_f64(half, expm1_small::<S>(r), half - 0.5);
    if x.abs() < 1e-17 { x } else { y }
}

/// k + log(1 + f) / ln 2 as a natural logarithm, for √½ ≤ 1 + f ≤ √2.
#[inline(always)]
fn log_of_parts<S: Simd>(k: f64, f: f64) -> f64 {
    let half_square = 0.5 * f * f;
    let s = f / (2.0 + f);
    let w = s * s;
    let tail = S::mul_add_f64(s, S::mul_add_f64(w, poly_f64::<S, _>(w, &LOG64), half_square), k * LN2_LO);
    S::mul_add_f64(k, LN2_HI, f - (half_square - tail))
}

/// k and f with x = 2ᵏ (1 + f) and √½ ≤ 1 + f ≤ √2, for finite positive normal x.
#[inline(always)]
fn split_log(x: f64) -> (f64, f64) {
    // 2⁵² + i has i in its low bits: a conversion that every instruction set vectorises.
    const INTEGER: f64 = 4_503_599_627_370_496.0;
    let bits = x.to_bits().wrapping_add(1.0f64.to_bits() - SQRT_HALF_BITS);
    let k = f64::from_bits(INTEGER.to_bits() | bits >> 52) - (INTEGER + 1023.0);
    (k, f64::from_bits((bits & MANTISSA) + SQRT_HALF_BITS) - 1.0)
}

/// What a logarithm gives where x is not finite and positive; elsewhere `y`.
#[inline(always)]
fn log_special(x: f64, y: f64) -> f64 {
    let y = if x == f64::INFINITY { f64::INFINITY } else { y };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f64::NAN }
}

/// The natural logarithm.
#[inline(always)]
pub fn log_f64<S: Simd>(x: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let (k, f) = split_log(if subnormal { x * 18_014_398_509_481_984.0 } else { x });
    log_special(x, log_of_parts::<S>(if subnormal { k - 54.0 } else { k }, f))
}

/// log(1 + x), accurate near 0.
#[inline(always)]
pub fn log1p_f64<S: Simd>(x: f64) -> f64 {
    let u = 1.0 + x;
    // What rounding took from u.
    let lost = if x < 1.0 { x - (u - 1.0) } else { 1.0 - (u - x) };
    let (k, f) = split_log(u);
    // Beyond 2⁵³ it is too small to matter, and 2⁻ᵏ may be no f64.
    let f = f + if x < 9_007_199_254_740_992.0 { lost * pow2(ROUND - k) } else { 0.0 };
    let y = log_special(u, log_of_parts::<S>(k, f));
    if x.abs() < 1e-17 { x } else { y }
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh_f64<S: Simd>(x: f64) -> f64 {
    let a = x.abs();
    let clamped = if a > 22.0 { 22.0 } else { a };
    let e = expm1_f64::<S>(2.0 * clamped);
    (e / (e + 2.0)).copysign(x)
}

/// 1 / (1 + e⁻ˣ), accurate in both tails.
#[inline(always)]
pub fn sigmoid_f64<S: Simd>(x: f64) -> f64 {
    let e = exp_f64::<S>(-x.abs());
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// erf(x) for |x| ≤ 1.
#[inline(always)]
fn erf_near<S: Simd>(x: f64) -> f64 {
    S::mul_add_f64(x, poly_f64::<S, _>(x * x, &ERF64), x)
}

/// erfc(a) for a ≥ 0.49.
#[inline(always)]
fn erfc_far<S: Simd>(a: f64) -> f64 {
    let a = if a > 28.0 { 28.0 } else { a };
    let square = a * a;
    // What rounding took from the square: exp would magnify it.
    let lost = if S::FMA {
        S::mul_add_f64(a, a, -square)
    } else {
        let high = f64::from_bits(a.to_bits() & !((1 << 27) - 1));
        let low = a - high;
        ((high * high - square) + 2.0 * high * low) + low * low
    };
    let factor = poly_f64::<S, _>((a - ERFCX_CENTER) / (a + ERFCX_CENTER), &ERFCX) / (1.0 + 2.0 * a);
    scaled_exp::<S>(-square, -lost, factor)
}

/// The error function.
#[inline(always)]
pub fn erf_f64<S: Simd>(x: f64) -> f64 {
    let a = x.abs();
    let (near, far) = (erf_near::<S>(a), 1.0 - erfc_far::<S>(a));
    (if a < 1.0 { near } else { far }).copysign(x)
}

/// 1 − erf(x), accurate where erf(x) is near 1.
#[inline(always)]
pub fn erfc_f64<S: Simd>(x: f64) -> f64 {
    let far = erfc_far::<S>(x.abs());
    let far = if x < 0.0 { 2.0 - far } else { far };
    let near = 1.0 - erf_near::<S>(x);
    if x.abs() < 0.5 { near } else { far }
}

/// 1 / √x.
#[inline(always)]
pub fn rsqrt_f64<S: Simd>(x: f64) -> f64 {
    1.0 / x.sqrt()
}

/// The logarithm to base 2.
#[inline(always)]
pub fn log2_f64<S: Simd>(x: f64) -> f64 {
    x.log2()
}

/// The logarithm to base 10.
#[inline(always)]
pub fn log10_f64<S: Simd>(x: f64) -> f64 {
    x.log10()
}

/// The sine of x radians.
#[inline(always)]
pub fn sin_f64<S: Simd>(x: f64) -> f64 {
    x.sin()
}

/// The cosine of x radians.
#[inline(always)]
pub fn cos_f64<S: Simd>(x: f64) -> f64 {
    x.cos()
}

/// The tangent of x radians.
#[inline(always)]
pub fn tan_f64<S: Simd>(x: f64) -> f64 {
    x.tan()
}

/// The arc sine, in radians.
#[inline(always)]
pub fn asin_f64<S: Simd>(x: f64) -> f64 {
    x.asin()
}

/// The arc cosine, in radians.
#[inline(always)]
pub fn acos_f64<S: Simd>(x: f64) -> f64 {
    x.acos()
}

/// The arc tangent, in radians.
#[inline(always)]
pub fn atan_f64<S: Simd>(x: f64) -> f64 {
    x.atan()
}

/// The angle of the point (x, y), in radians from −π to π.
#[inline(always)]
pub fn atan2_f64<S: Simd>(y: f64, x: f64) -> f64 {
    y.atan2(x)
}

/// The hyperbolic sine.
#[inline(always)]
pub fn sinh_f64<S: Simd>(x: f64) -> f64 {
    x.sinh()
}

/// The hyperbolic cosine.
#[inline(always)]
pub fn cosh_f64<S: Simd>(x: f64) -> f64 {
    x.cosh()
}

/// xʸ, with C's `pow` for signs, zeros, infinities and NaN.
#[inline(always)]
pub fn pow_f64<S: Simd>(x: f64, y: f64) -> f64 {
    x.powf(y)
}
