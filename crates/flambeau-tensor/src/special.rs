//! Functions of the gamma family, in f64: what samplers, and operations without a kernel of their own, compute with.

use std::f64::consts::PI;

/// Stirling's series of log Γ in 1/x²: B₂ₖ / (2k (2k − 1)).
pub const STIRLING: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
    1.0 / 156.0,
    -3617.0 / 122_400.0,
];

/// ½ log(2π) − ½.
pub const STIRLING_CONSTANT: f64 = 0.418_938_533_204_672_7;

/// The asymptotic series of the digamma function in 1/x²: B₂ₖ / 2k.
const DIGAMMA: [f64; 7] =
    [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32_760.0, 1.0 / 12.0];

/// The Bernoulli numbers B₂, B₄, …
const BERNOULLI: [f64; 9] = [
    1.0 / 6.0,
    -1.0 / 30.0,
    1.0 / 42.0,
    -1.0 / 30.0,
    5.0 / 66.0,
    -691.0 / 2730.0,
    7.0 / 6.0,
    -3617.0 / 510.0,
    43_867.0 / 798.0,
];

/// From here on the asymptotic series are exact.
const FAR: f64 = 10.0;

fn horner(x: f64, coefficients: &[f64]) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// log |Γ(x)|; infinite at 0 and the negative integers.
pub fn lgamma(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x <= 0.0 {
        if x == x.floor() {
            return f64::INFINITY;
        }
        // From the nearest integer, which loses no digit where x is tiny.
        let sine = (PI * (x - x.round()).abs()).sin();
        return (PI / sine).ln() - lgamma(1.0 - x);
    }
    if x == 1.0 || x == 2.0 {
        return 0.0;
    }
    if x == f64::INFINITY {
        return x;
    }
    let (mut product, mut x) = (1.0, x);
    while x < FAR {
        product *= x;
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let series = inverse * horner(inverse * inverse, &STIRLING);
    (x - 0.5) * (x.ln() - 1.0) + (STIRLING_CONSTANT + series) - product.ln()
}

/// The derivative of [`lgamma`]. At 0 it is infinite with the other sign, at the negative integers NaN, as PyTorch's is.
pub fn digamma(x: f64) -> f64 {
    if x == 0.0 {
        return f64::INFINITY.copysign(-x);
    }
    if x < 0.0 {
        if x == x.trunc() {
            return f64::NAN;
        }
        return digamma(1.0 - x) - PI / (PI * x.fract()).tan();
    }
    if x == f64::INFINITY {
        return x;
    }
    let (mut sum, mut x) = (0.0, x);
    while x < FAR {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    sum + x.ln() - 0.5 / x - square * horner(square, &DIGAMMA)
}

/// Hurwitz's ζ(s, x) = Σₖ (x + k)⁻ˢ for s > 1.
pub fn zeta(s: f64, x: f64) -> f64 {
    if s == 1.0 {
        return f64::INFINITY;
    }
    if s < 1.0 || x.is_nan() {
        return f64::NAN;
    }
    if x <= 0.0 && x == x.floor() {
        return f64::INFINITY;
    }
    let (mut sum, mut x) = (0.0, x);
    while x < FAR {
        sum += x.powf(-s);
        x += 1.0;
    }
    // Euler and Maclaurin's formula for the rest.
    let power = x.powf(-s);
    let mut factor = s * power / x;
    let mut rest = x * power / (s - 1.0) + 0.5 * power;
    let mut factorial = 2.0;
    for (i, b) in BERNOULLI.iter().enumerate() {
        rest += b * factor / factorial;
        let k = 2.0 * i as f64;
        factor *= (s + k + 1.0) * (s + k + 2.0) / (x * x);
        factorial *= (k + 3.0) * (k + 4.0);
    }
    sum + rest
}

/// The n-th derivative of [`digamma`].
pub fn polygamma(n: i64, x: f64) -> f64 {
    match n {
        0 => digamma(x),
        1 if x < 0.5 && x != x.floor() => {
            let sine = (PI * x).sin();
            (PI / sine).powi(2) - polygamma(1, 1.0 - x)
        }
        _ => {
            let sign = if n % 2 == 0 { -1.0 } else { 1.0 };
            sign * lgamma(n as f64 + 1.0).exp() * zeta(n as f64 + 1.0, x)
        }
    }
}

/// The share of Γ(a) that lies below x: ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt / Γ(a). NaN outside of a, x ≥ 0.
pub fn gammainc(a: f64, x: f64) -> f64 {
    if a.is_nan() || x.is_nan() || a < 0.0 || x < 0.0 {
        return f64::NAN;
    }
    if a == 0.0 {
        return if x > 0.0 { 1.0 } else { f64::NAN };
    }
    if x == 0.0 {
        return 0.0;
    }
    if a == f64::INFINITY {
        return if x == f64::INFINITY { f64::NAN } else { 0.0 };
    }
    if x == f64::INFINITY {
        return 1.0;
    }
    let front = (a * x.ln() - x - lgamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return front * sum;
    }
    // Lentz's continued fraction of the upper share.
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / f64::MIN_POSITIVE;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..100_000 {
        let n = -f64::from(i) * (f64::from(i) - a);
        b += 2.0;
        d = n * d + b;
        if d.abs() < f64::MIN_POSITIVE {
            d = f64::MIN_POSITIVE;
        }
        c = b + n / c;
        if c.abs() < f64::MIN_POSITIVE {
            c = f64::MIN_POSITIVE;
        }
        d = 1.0 / d;
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    1.0 - front * h
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 2e-14 * expected.abs().max(1.0), "{found:e}, {expected:e}");
    }

    /// Values of mpmath.
    #[test]
    fn values_are_those_of_mpmath() {
        near(lgamma(0.5), 0.572_364_942_924_700_1);
        near(lgamma(30.0), 71.257_038_967_168_01);
        near(lgamma(-1.5), 0.860_047_015_376_481);
        near(digamma(0.3), -3.502_524_222_200_133);
        near(digamma(12.5), 2.485_195_651_274_912);
        near(lgamma(-1e-30), 69.077_552_789_821_37);
        near(digamma(-0.7), -2.073_952_793_628_704);
        near(polygamma(1, 0.4), 7.275_356_590_529_597);
        near(polygamma(1, 20.0), 0.051_270_822_935_203_11);
        near(polygamma(2, 1.5), -0.828_796_644_234_319_9);
        near(zeta(3.0, 0.5), 8.414_398_322_117_16);
        near(gammainc(2.0, 1.0), 0.264_241_117_657_115_4);
        near(gammainc(0.5, 3.0), 0.985_694_121_564_570_4);
        near(gammainc(20.0, 21.0), 0.615_737_227_735_657_8);
    }

    #[test]
    fn poles_and_ends() {
        assert_eq!(lgamma(-3.0), f64::INFINITY);
        assert_eq!((digamma(0.0), digamma(-0.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(digamma(-2.0).is_nan() && gammainc(-1.0, 1.0).is_nan());
        assert_eq!((gammainc(1.0, 0.0), gammainc(1.0, f64::INFINITY)), (0.0, 1.0));
    }
}
