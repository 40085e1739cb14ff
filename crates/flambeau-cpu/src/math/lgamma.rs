//! The logarithm of the gamma function.

use super::{log_f64, log1p_f64, poly_f64};
use crate::simd::Simd;
use flambeau_tensor::special::{STIRLING, STIRLING_CONSTANT};
use std::f64::consts::PI;

/// lgamma(2 + z)/z for -¾ ≤ z ≤ ½.
const LGAMMA: [f64; 23] = [
    0.422_784_335_098_467_13,
    0.322_467_033_424_113_2,
    -0.067_352_301_053_198_03,
    0.020_580_808_427_784_605,
    -0.007_385_551_028_681_512,
    0.002_890_510_330_735_603,
    -0.001_192_753_911_363_211_6,
    0.000_509_669_525_061_307_9,
    -0.000_223_154_766_261_832_24,
    9.945_750_372_063_72e-5,
    -4.492_613_417_222_439e-5,
    2.050_735_916_377_729e-5,
    -9.440_295_643_329_289e-6,
    4.373_455_647_232_756e-6,
    -2.035_450_933_367_171e-6,
    9.634_073_192_949_235e-7,
    -4.585_533_592_504_341_3e-7,
    1.832_779_262_250_242_6e-7,
    -9.423_130_042_125_474e-8,
    1.022_717_518_117_571_5e-7,
    -2.468_756_924_465_283_5e-9,
    -3.150_027_782_334_188e-8,
    -3.968_120_719_410_560_7e-8,
];

/// lgamma(2 + z) for -¾ ≤ z ≤ ½.
#[inline(always)]
fn around_two<S: Simd>(z: f64) -> f64 {
    z * poly_f64::<S, _>(z, &LGAMMA)
}

/// log Γ(x) for x > 0.
#[inline(always)]
fn lgamma_positive<S: Simd>(x: f64) -> f64 {
    if x < 0.5 {
        around_two::<S>(x) - log1p_f64::<S>(x) - log_f64::<S>(x)
    } else if x < 1.25 {
        around_two::<S>(x - 1.0) - log1p_f64::<S>(x - 1.0)
    } else if x < 10.0 {
        let (mut product, mut x) = (1.0, x);
        while x >= 2.5 {
            x -= 1.0;
            product *= x;
        }
        around_two::<S>(x - 2.0) + log_f64::<S>(product)
    } else {
        let inverse = 1.0 / x;
        let series = inverse * poly_f64::<S, _>(inverse * inverse, &STIRLING);
        (x - 0.5) * (log_f64::<S>(x) - 1.0) + (STIRLING_CONSTANT + series)
    }
}

/// log |Γ(x)|; infinite at 0 and the negative integers. Near its zeros on the negative axis the error is 1e-15 absolute
/// rather than 4 ulp.
#[inline(always)]
pub fn lgamma_f64<S: Simd>(x: f64) -> f64 {
    let a = x.abs();
    if x > 0.0 || x.is_nan() {
        return lgamma_positive::<S>(x);
    }
    // The distance to the nearest integer, of which the sine of πx needs no more.
    let fraction = a - a.floor();
    if fraction == 0.0 || a == f64::INFINITY {
        return f64::INFINITY;
    }
    if a < 1e-18 {
        return -log_f64::<S>(a);
    }
    let sine = (PI * fraction.min(1.0 - fraction)).sin();
    log_f64::<S>(PI / (a * sine)) - lgamma_positive::<S>(a)
}

/// log |Γ(x)|; infinite at 0 and the negative integers.
#[inline(always)]
pub fn lgamma_f32<S: Simd>(x: f32) -> f32 {
    lgamma_f64::<S>(f64::from(x)) as f32
}
