//! Sines and cosines of any f32: exact reduction to a quarter turn.

use super::{poly_f32, poly_f64};
use crate::simd::Simd;
use std::f64::consts::FRAC_PI_2;

/// 2/π in units of 2⁻²⁵⁶, the low word first.
const TWO_OVER_PI: [u64; 4] =
    [0xfe51_63ab_debb_c561, 0xdb62_9599_3c43_9041, 0xfc27_57d1_f534_ddc0, 0xa2f9_836e_4e44_1529];

/// 2/π without the bits that contribute multiples of 4 to its product with an f32 from 2^(24k) on, in three parts: two of
/// 29 bits, whose products with an f32 are exact in f64, and one of 53 bits.
const fn parts(k: i32) -> [f64; 3] {
    [bits(-4 - 24 * k, 29), bits(-33 - 24 * k, 29), bits(-86 - 24 * k, 53)]
}

/// The `count` bits of 2/π from weight 2^`lowest` on.
const fn bits(lowest: i32, count: i32) -> f64 {
    let mut integer = 0u64;
    let mut i = 0;
    while i < count {
        let source = 256 + lowest + i;
        if source < 256 && TWO_OVER_PI[source as usize / 64] >> (source % 64) & 1 == 1 {
            integer |= 1 << i;
        }
        i += 1;
    }
    integer as f64 * f64::from_bits(((1023 + lowest) as u64) << 52)
}

/// [`parts`] for each k. Selects among them vectorise everywhere; a table that is read at a computed index does not.
const PARTS: [[f64; 3]; 6] = [parts(0), parts(1), parts(2), parts(3), parts(4), parts(5)];

/// x less the nearest integer, and that integer in the low bits.
#[inline(always)]
fn split_integer(x: f64) -> (f64, u32) {
    /// 1.5 · 2⁵²: added and subtracted again, it rounds to an integer.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let t = x + ROUND;
    (x - (t - ROUND), t.to_bits() as u32)
}

/// The quarter turn n nearest to x (its low two bits count) and the rest in radians, |r| ≤ π/4, with a relative error
/// below 2⁻²⁴ for every finite x from 2⁻¹² on; r is NaN where x is not finite.
#[inline(always)]
pub fn quarter_turns(x: f32) -> (u32, f64) {
    let (a, x) = (x.abs(), f64::from(x));
    let [mut high, mut middle, mut low] = PARTS[0];
    let bounds = [16_777_216.0, 281_474_976_710_656.0, 4.722_366_5e21, 7.922_816_3e28, 1.329_228e36];
    for (bound, [h, m, l]) in bounds.into_iter().zip([PARTS[1], PARTS[2], PARTS[3], PARTS[4], PARTS[5]]) {
        let beyond = a >= bound;
        high = if beyond { h } else { high };
        middle = if beyond { m } else { middle };
        low = if beyond { l } else { low };
    }
    let (high, n1) = split_integer(x * high);
    let (middle, n2) = split_integer(x * middle);
    let (sum, n3) = split_integer(high + middle);
    let r = (sum + x * low) * FRAC_PI_2;
    (n1.wrapping_add(n2).wrapping_add(n3), if a < f32::INFINITY { r } else { f64::NAN })
}

/// (sin(r)/r − 1) / u with u = r², |r| ≤ π/4.
const SIN32: [f32; 3] = [-1.666_666_4e-1, 8.332_748e-3, -1.958_784_1e-4];
/// (cos(r) − 1 + u/2) / u² with u = r², |r| ≤ π/4.
const COS32: [f32; 3] = [4.166_666_4e-2, -1.388_830_2e-3, 2.454_789_1e-5];
/// As `SIN32`, for results that are rounded to f32 later.
const SIN64L: [f64; 4] =
    [-0.166_666_666_638_530_44, 0.008_333_331_873_837_089, -0.000_198_400_862_637_554_43, 2.724_986_465_513_958_5e-6];
/// As `COS32`, for results that are rounded to f32 later.
const COS64L: [f64; 4] =
    [0.041_666_666_664_319_33, -0.001_388_888_767_128_810_8, 2.480_059_998_353_171e-5, -2.730_090_816_799_653_7e-7];

/// The sine of `quarter` quarter turns plus r.
#[inline(always)]
pub fn sin_cos_quarter<S: Simd>(quarter: u32, r: f32) -> f32 {
    let u = r * r;
    let sin = S::mul_add_f32(r * u, poly_f32::<S, _>(u, &SIN32), r);
    let cos = S::mul_add_f32(u * u, poly_f32::<S, _>(u, &COS32), S::mul_add_f32(u, -0.5, 1.0));
    let y = if quarter & 1 == 0 { sin } else { cos };
    f32::from_bits(y.to_bits() ^ (quarter & 2) << 30)
}

/// The tangent of `quarter` quarter turns plus r, with the precision of an f32.
#[inline(always)]
pub fn tan_quarter<S: Simd>(quarter: u32, r: f64) -> f64 {
    let u = r * r;
    let sin = S::mul_add_f64(r * u, poly_f64::<S, _>(u, &SIN64L), r);
    let cos = S::mul_add_f64(u * u, poly_f64::<S, _>(u, &COS64L), S::mul_add_f64(u, -0.5, 1.0));
    let even = quarter & 1 == 0;
    (if even { sin } else { -cos }) / (if even { cos } else { sin })
}
