//! The inverse of the error function.

use super::{erf_f32, erf_f64, erfc_f32, erfc_f64, exp_f32, exp_f64, log_f32, log_f64};
use crate::simd::Simd;
use std::f64::consts::FRAC_2_SQRT_PI;

/// The function in one float type: a quotient of polynomials, near to four digits, and two of Halley's steps, each of which triples
/// them. Beyond ½ the steps look at erfc, which tells numbers apart where erf is nearly 1.
macro_rules! erfinv {
    ($t:ident, $erf:ident, $erfc:ident, $exp:ident, $log:ident, $step:ident, $erfinv:ident) => {
        /// A value x of erfinv(a), nearer by one step.
        #[inline(always)]
        fn $step<S: Simd>(x: $t, a: $t) -> $t {
            let (near, far) = ($erf::<S>(x) - a, (1.0 - a) - $erfc::<S>(x));
            let off = (if a <= 0.5 { near } else { far }) / ($exp::<S>(-x * x) * FRAC_2_SQRT_PI as $t);
            x - off / (1.0 + x * off)
        }

        /// The x whose error function is y; infinite at ±1 and NaN beyond.
        #[inline(always)]
        #[allow(clippy::excessive_precision, reason = "one text of coefficients for both float types")]
        pub fn $erfinv<S: Simd>(y: $t) -> $t {
            let a = y.abs();
            let z = a * a;
            let above = ((-0.140_543_331 * z + 0.914_624_893) * z - 1.645_349_621) * z + 0.886_226_899;
            let below = (((0.012_229_801 * z - 0.329_097_515) * z + 1.442_710_462) * z - 2.118_377_725) * z + 1.0;
            let near = a * above / below;
            let z = (-$log::<S>(0.5 * (1.0 - a))).sqrt();
            let above = ((1.641_345_311 * z + 3.429_567_803) * z - 1.624_906_493) * z - 1.970_840_454;
            let far = above / ((1.637_067_8 * z + 3.543_889_2) * z + 1.0);
            let x = $step::<S>($step::<S>(if a <= 0.7 { near } else { far }, a), a);
            (if a == 1.0 { $t::INFINITY } else { x }).copysign(y)
        }
    };
}
erfinv!(f32, erf_f32, erfc_f32, exp_f32, log_f32, step_f32, erfinv_f32);
erfinv!(f64, erf_f64, erfc_f64, exp_f64, log_f64, step_f64, erfinv_f64);

#[cfg(test)]
#[allow(clippy::excessive_precision, reason = "values with all digits that they were computed with")]
mod tests {
    use super::*;
    use crate::simd::Portable;

    /// Numbers that f32 holds, and values of mpmath at 30 digits.
    const VALUES: &[(f64, f64)] = &[
        (7.888609052210118e-31, 6.9910977464389683e-31),
        (9.5367431640625e-07, 8.4517185731217292e-7),
        (0.125, 0.11123545184094996),
        (0.25, 0.2253120550121781),
        (0.5, 0.47693627620446987),
        (0.5000001192092896, 0.4769364088349241),
        (0.699999988079071, 0.73286905988275891),
        (0.75, 0.81341984759761854),
        (0.8999999761581421, 1.1630870719457722),
        (0.984375, 1.7094723742995115),
        (0.9990234375, 2.3314677736219477),
        (0.9999923706054688, 3.1645350771098962),
        (0.9999999403953552, 3.8325068569007109),
    ];

    #[test]
    fn values_are_those_of_mpmath() {
        for &(y, x) in VALUES {
            for (y, x) in [(y, x), (-y, -x)] {
                let found = erfinv_f64::<Portable>(y);
                assert!((found - x).abs() <= 4.0 * f64::EPSILON * x.abs(), "{y}: {found:e}, {x:e}");
                let found = f64::from(erfinv_f32::<Portable>(y as f32));
                assert!((found - x).abs() <= 2.0 * f64::from(f32::EPSILON) * x.abs(), "{y}: {found:e}, {x:e}");
            }
        }
    }

    #[test]
    fn special_values_are_pytorch_s() {
        assert_eq!(erfinv_f32::<Portable>(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!((erfinv_f32::<Portable>(1.0), erfinv_f64::<Portable>(-1.0)), (f32::INFINITY, f64::NEG_INFINITY));
        for outside in [1.000_000_1, -2.0, f32::INFINITY, f32::NAN] {
            assert!(erfinv_f32::<Portable>(outside).is_nan() && erfinv_f64::<Portable>(outside.into()).is_nan());
        }
    }
}
