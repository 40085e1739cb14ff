//! Every function against f64 results of the C library, over all exponents, at the level in use and at the portable one.

use super::*;
use crate::simd::{Kernel, Portable, dispatch};
use proptest::prelude::*;

unsafe extern "C" {
    pub(crate) safe fn erf(x: f64) -> f64;
    pub(crate) safe fn erfc(x: f64) -> f64;
    safe fn lgamma(x: f64) -> f64;
}

/// A loop over two slices, so that what is tested is the vectorised code. A macro, since a function's type parameter
/// cannot be a generic function.
macro_rules! eval {
    ($float:ty, $xs:expr, $ys:expr, |$x:ident, $y:ident, $S:ident| $body:expr) => {{
        struct Eval<'a>(&'a [$float], &'a [$float]);
        impl Kernel for Eval<'_> {
            type Output = Vec<$float>;
            #[inline(always)]
            fn run<$S: Simd>(self) -> Vec<$float> {
                #[allow(unused_variables)]
                self.0.iter().zip(self.1).map(|(&$x, &$y)| $body).collect()
            }
        }
        [dispatch(Eval($xs, $ys)), Eval($xs, $ys).run::<Portable>()]
    }};
}

/// The distance of `got` from `truth` in units of the last place of an f32 near `truth`; infinite where a special value is
/// missed.
fn ulps_f32(got: f32, truth: f64) -> f64 {
    let rounded = truth as f32;
    if truth.is_nan() || got.is_nan() {
        return if truth.is_nan() && got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if rounded.is_infinite() || (truth == 0.0) {
        let same = got == rounded && got.is_sign_negative() == rounded.is_sign_negative();
        // Just below the overflow threshold and just above are one step apart.
        let step = rounded.is_infinite() && truth.is_finite() && got == f32::MAX.copysign(rounded);
        return if same {
            0.0
        } else if step {
            1.0
        } else {
            f64::INFINITY
        };
    }
    if got.is_infinite() {
        return if truth.abs() as f32 == f32::MAX { 1.0 } else { f64::INFINITY };
    }
    let exponent = (truth.abs().to_bits() >> 52) as i32 - 1023;
    (f64::from(got) - truth).abs() / f64::from(exponent.max(-126) - 23).exp2()
}

/// The number of f64 values from `got` to `truth`; infinite where a special value is missed.
fn ulps_f64(got: f64, truth: f64) -> f64 {
    if truth.is_nan() || got.is_nan() {
        return if truth.is_nan() && got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if truth.is_infinite() || truth == 0.0 {
        return if got.to_bits() == truth.to_bits() { 0.0 } else { f64::INFINITY };
    }
    let ordered = |x: f64| if x < 0.0 { -((x.to_bits() << 1 >> 1) as i64) } else { x.to_bits() as i64 };
    ordered(got).abs_diff(ordered(truth)) as f64
}

fn special_f32() -> Vec<f32> {
    let positive = [
        0.0,
        f32::from_bits(1),
        f32::MIN_POSITIVE,
        1e-30,
        1e-8,
        2.4e-4,
        0.5,
        0.625,
        0.92,
        1.0,
        1.5,
        2.0,
        3.0,
        4.0,
        10.0,
        16.5,
        87.3,
        88.72283,
        88.72284,
        103.97,
        104.1,
        8_388_607.5,
        8_388_609.0,
        16_777_217.0,
        1e30,
        f32::MAX,
        f32::INFINITY,
    ];
    positive.iter().flat_map(|&x| [x, -x]).chain([f32::NAN]).collect()
}

/// Bit patterns at a stride that is prime, so that all exponents meet all kinds of significands; then special values.
fn samples_f32() -> Vec<f32> {
    (0..=u32::MAX).step_by(4001).map(f32::from_bits).chain(special_f32()).collect()
}

/// As above, and numbers of everyday size more densely.
fn samples_f64() -> Vec<f64> {
    let bits = (0..200_000u64).map(|i| f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let everyday = (0..400_000).map(|i| f64::from(i - 200_000) * 1.503_217e-4);
    let wide = (0..100_000).map(|i| f64::from(i - 50_000) * 0.015_137);
    bits.chain(everyday).chain(wide).chain(special_f32().into_iter().map(f64::from)).collect()
}

#[track_caller]
fn check_f32(name: &str, limit: f64, xs: &[f32], ys: &[f32], got: [Vec<f32>; 2], truth: impl Fn(f64, f64) -> f64) {
    for (level, got) in [crate::simd::level(), crate::simd::Level::Portable].into_iter().zip(got) {
        let errors = got.iter().zip(xs.iter().zip(ys)).map(|(&g, (&x, &y))| ulps_f32(g, truth(x.into(), y.into())));
        let (worst, at) = errors.zip(0..).fold((0.0, 0), |a, b| if b.0 > a.0 { b } else { a });
        let (x, y) = (xs[at], ys[at]);
        println!("{name} f32 {level:?}: {worst:.2} ulp at {x:e}, {y:e}");
        assert!(
            worst <= limit,
            "{name} {level:?}: {worst} ulp at {x:e}, {y:e}: {:e}, {:e}",
            got[at],
            truth(x.into(), y.into())
        );
    }
}

#[track_caller]
fn check_f64(name: &str, limit: f64, xs: &[f64], got: [Vec<f64>; 2], truth: impl Fn(f64) -> f64) {
    for (level, got) in [crate::simd::level(), crate::simd::Level::Portable].into_iter().zip(got) {
        let errors = got.iter().zip(xs).map(|(&g, &x)| ulps_f64(g, truth(x)));
        let (worst, at) = errors.zip(0..).fold((0.0, 0), |a, b| if b.0 > a.0 { b } else { a });
        let x = xs[at];
        println!("{name} f64 {level:?}: {worst} ulp at {x:e}");
        assert!(worst <= limit, "{name} {level:?}: {worst} ulp at {x:e}: {:e}, {:e}", got[at], truth(x));
    }
}

macro_rules! unary_f32 {
    ($($test:ident: $function:ident, $limit:expr, $truth:expr;)*) => {$(
        #[test]
        fn $test() {
            let xs = samples_f32();
            let got = eval!(f32, &xs, &xs, |x, y, S| $function::<S>(x));
            check_f32(stringify!($test), $limit, &xs, &xs, got, |x, _| $truth(x));
        }
    )*};
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

unary_f32! {
    exp: exp_f32, 2.0, f64::exp;
    expm1: expm1_f32, 2.0, f64::exp_m1;
    log: log_f32, 2.0, f64::ln;
    log2: log2_f32, 2.0, f64::log2;
    log10: log10_f32, 2.0, f64::log10;
    log1p: log1p_f32, 2.0, f64::ln_1p;
    tanh: tanh_f32, 2.0, f64::tanh;
    sigmoid_: sigmoid_f32, 2.0, sigmoid;
    erf_: erf_f32, 2.0, erf;
    erfc_: erfc_f32, 0.51, erfc;
    sin: sin_f32, 2.0, f64::sin;
    cos: cos_f32, 2.0, f64::cos;
    tan: tan_f32, 1.0, f64::tan;
    asin: asin_f32, 1.0, f64::asin;
    acos: acos_f32, 1.0, f64::acos;
    atan: atan_f32, 1.0, f64::atan;
    sinh: sinh_f32, 0.51, f64::sinh;
    cosh: cosh_f32, 0.51, f64::cosh;
    lgamma_: lgamma_f32, 1.0, lgamma;
    rsqrt: rsqrt_f32, 1.5, |x: f64| 1.0 / x.sqrt();
}

macro_rules! unary_f64 {
    ($($test:ident: $function:ident, $limit:expr, $truth:expr;)*) => {$(
        #[test]
        fn $test() {
            let xs = samples_f64();
            let got = eval!(f64, &xs, &xs, |x, y, S| $function::<S>(x));
            check_f64(stringify!($test), $limit, &xs, got, $truth);
        }
    )*};
}

unary_f64! {
    exp_double: exp_f64, 2.0, f64::exp;
    expm1_double: expm1_f64, 2.0, f64::exp_m1;
    log_double: log_f64, 2.0, f64::ln;
    log1p_double: log1p_f64, 2.0, f64::ln_1p;
    tanh_double: tanh_f64, 4.0, f64::tanh;
    sigmoid_double: sigmoid_f64, 4.0, |x: f64| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { sigmoid(x) };
    erf_double: erf_f64, 2.0, |x| erf(x);
    erfc_double: erfc_f64, 4.0, |x| erfc(x);
}

#[test]
fn lgamma_double() {
    let positive: Vec<f64> = samples_f64().into_iter().filter(|&x| x > 0.0).collect();
    let got = eval!(f64, &positive, &positive, |x, y, S| lgamma_f64::<S>(x));
    check_f64("lgamma", 6.0, &positive, got, |x| lgamma(x));
    // Between the poles the function passes through 0, where only the absolute error is small.
    for x in samples_f64().into_iter().filter(|&x| (-150.0..0.0).contains(&x)) {
        let (got, truth) = (lgamma_f64::<Portable>(x), lgamma(x));
        assert!(
            got == truth || (got - truth).abs() <= 2e-15 * (1.0 + truth.abs()),
            "lgamma({x:e}): {got:e}, {truth:e}"
        );
    }
}

/// Values of mpmath at 30 digits, so that the C library is not the only witness.
#[test]
fn known_answers() {
    let near = |got: f64, truth: f64| assert!(ulps_f64(got, truth) <= 4.0, "{got:e} {truth:e}");
    near(exp_f64::<Portable>(1.0), std::f64::consts::E);
    near(log_f64::<Portable>(2.0), std::f64::consts::LN_2);
    near(tanh_f64::<Portable>(0.5), 0.462_117_157_260_009_76);
    near(erf_f64::<Portable>(0.5), 0.520_499_877_813_046_5);
    near(erfc_f64::<Portable>(2.0), 0.004_677_734_981_047_266);
    near(erfc_f64::<Portable>(10.0), 2.088_487_583_762_545e-45);
    near(lgamma_f64::<Portable>(0.5), 0.572_364_942_924_700_1);
    near(lgamma_f64::<Portable>(10.0), 12.801_827_480_081_469);
}

/// 16367173 · 2⁷² lies nearest of all f32 to a multiple of π/2.
#[test]
fn hardest_argument_of_the_sine() {
    let x = 16_367_173.0 * 2f32.powi(72);
    for (got, truth) in [(sin_f32::<Portable>(x), f64::from(x).sin()), (cos_f32::<Portable>(x), f64::from(x).cos())] {
        assert!(ulps_f32(got, truth) <= 1.0, "{got:e} {truth:e}");
    }
    assert!(ulps_f32(tan_f32::<Portable>(x), f64::from(x).tan()) <= 1.0);
}

#[test]
fn pow_of_special_values() {
    let values: Vec<f32> = special_f32().into_iter().chain([-2.5, -7.0, 0.3, 33.0, 0.999_999_94]).collect();
    let pairs = || values.iter().flat_map(|&x| values.iter().map(move |&y| (x, y)));
    let (xs, ys): (Vec<f32>, Vec<f32>) = pairs().unzip();
    let got = eval!(f32, &xs, &ys, |x, y, S| pow_f32::<S>(x, y));
    check_f32("pow", 1.0, &xs, &ys, got, f64::powf);
    let got = eval!(f32, &xs, &ys, |x, y, S| atan2_f32::<S>(x, y));
    check_f32("atan2", 1.0, &xs, &ys, got, f64::atan2);
}

#[test]
fn pow_and_atan2_of_many_values() {
    let bits = |i: u32, seed: u32| f32::from_bits(i.wrapping_mul(seed) ^ i.wrapping_mul(seed) >> 15);
    let xs: Vec<f32> = (0..500_000).map(|i| bits(i, 0x9e37_79b1)).collect();
    let small = |i: u32| f32::from_bits(0x3800_0000 + (i.wrapping_mul(0x85eb_ca6b) >> 4) % 0x0b00_0000);
    let ys: Vec<f32> = (0..500_000).map(|i| if i % 2 == 0 { small(i) } else { -small(i) }).collect();
    let got = eval!(f32, &xs, &ys, |x, y, S| pow_f32::<S>(x, y));
    check_f32("pow", 0.51, &xs, &ys, got, f64::powf);
    let zs: Vec<f32> = (0..500_000).map(|i| bits(i, 0xc2b2_ae35)).collect();
    let got = eval!(f32, &xs, &zs, |x, y, S| atan2_f32::<S>(x, y));
    check_f32("atan2", 1.0, &xs, &zs, got, f64::atan2);
    let got = eval!(f32, &xs, &ys, |x, y, S| atan2_f32::<S>(x, y));
    check_f32("atan2", 1.0, &xs, &ys, got, f64::atan2);
}

proptest! {
    #[test]
    fn odd_functions_are_odd(x in any::<f32>()) {
        type P = Portable;
        for f in [tanh_f32::<P>, erf_f32::<P>, sin_f32::<P>, tan_f32::<P>, asin_f32::<P>, atan_f32::<P>, sinh_f32::<P>] {
            prop_assert!(f(-x).to_bits() == (-f(x)).to_bits() || f(x).is_nan());
        }
    }

    #[test]
    fn sigmoid_of_opposite_arguments_sums_to_one(x in -100f32..100.0) {
        let sum = f64::from(sigmoid_f32::<Portable>(x)) + f64::from(sigmoid_f32::<Portable>(-x));
        prop_assert!((sum - 1.0).abs() < 1.5e-7);
    }
}
