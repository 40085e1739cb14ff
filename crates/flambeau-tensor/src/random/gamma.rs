//! Numbers of gamma, Dirichlet, Poisson and binomial distributions, as PyTorch's CPU kernels draw them. Each function draws one
//! number and rounds where the element type would: `round` is that rounding.

use super::generator::GeneratorState;
use crate::special::lgamma;

/// A number of the gamma distribution of shape `alpha` and rate 1, by Marsaglia and Tsang's rejection.
pub fn gamma(state: &mut GeneratorState, alpha: f64, round: impl Fn(f64) -> f64) -> f64 {
    let mut scale = 1.0;
    let mut alpha = alpha;
    if alpha < 1.0 {
        if alpha == 0.0 {
            return 0.0;
        }
        // A larger shape is accepted more often; the power brings the number back.
        scale = (1.0 - state.uniform_f64()).powf(round(1.0 / alpha));
        alpha = round(alpha + 1.0);
    }
    let d = round(alpha - f64::from(1.0f32 / 3.0));
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let (x, y) = loop {
            let x = state.normal();
            let y = 1.0 + c * x;
            // NaN leaves the loop, as in PyTorch.
            if y > 0.0 || y.is_nan() {
                break (x, y);
            }
        };
        if y.is_nan() {
            return f64::NAN;
        }
        let v = y * y * y;
        let u = 1.0 - state.uniform_f64();
        let xx = x * x;
        let inside = u < 1.0 - f64::from(0.0331f32) * xx * xx;
        if inside || u.ln() < 0.5 * xx + d * (1.0 - v + v.ln()) {
            return scale * d * v;
        }
    }
}

/// A number of the Poisson distribution of this rate: a product of uniform numbers below 10, Hörmann's transformed rejection from
/// there on.
pub fn poisson(state: &mut GeneratorState, rate: f64) -> f64 {
    if rate == 0.0 {
        return 0.0;
    }
    if rate < 10.0 {
        let end = (-rate).exp();
        let (mut count, mut product) = (0.0, 1.0);
        loop {
            product *= state.uniform_f64();
            if product > end {
                count += 1.0;
            } else {
                return count;
            }
        }
    }
    let log_rate = rate.ln();
    let b = 0.931 + 2.53 * rate.sqrt();
    let a = -0.059 + 0.02483 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let squeeze = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let u = state.uniform_f64() - 0.5;
        let v = state.uniform_f64();
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + rate + 0.43).floor();
        if us >= 0.07 && v <= squeeze {
            return k;
        }
        if k < 0.0 || (us < 0.013 && v > us) {
            continue;
        }
        if v.ln() + inverse_alpha.ln() - (a / (us * us) + b).ln() <= -rate + k * log_rate - lgamma(k + 1.0) {
            return k;
        }
    }
}

/// A number of the binomial distribution.
pub fn binomial(state: &mut GeneratorState, count: f64, p: f64, round: impl Fn(f64) -> f64) -> f64 {
    let few = |state: &mut GeneratorState, p: f64| match round(count * p) >= 10.0 {
        true => transformed_rejection(state, count, p, &round),
        false => inversion(state, count, p, &round),
    };
    if count <= 0.0 || p <= 0.0 {
        0.0
    } else if p >= 1.0 {
        count
    } else if p <= 0.5 {
        few(state, p)
    } else if p > 0.5 {
        round(count - few(state, round(1.0 - p)))
    } else {
        f64::NAN
    }
}

/// How many geometric numbers add up to no more than `count`.
fn inversion(state: &mut GeneratorState, count: f64, p: f64, round: impl Fn(f64) -> f64) -> f64 {
    let log_of_failure = round((-p).ln_1p());
    let (mut sum, mut found) = (0.0, 0.0);
    loop {
        sum += (state.uniform_f64().ln() / log_of_failure).ceil();
        if sum > count || sum.is_nan() {
            return found;
        }
        found = round(found + 1.0);
    }
}

/// What Stirling's approximation of log k! lacks.
fn stirling_tail(k: f64) -> f64 {
    const TAIL: [f64; 10] = [
        0.0810614667953272,
        0.0413406959554092,
        0.0276779256849983,
        0.02079067210376509,
        0.0166446911898211,
        0.0138761288230707,
        0.0118967099458917,
        0.0104112652619720,
        0.00925546218271273,
        0.00833056343336287,
    ];
    if k < 10.0 {
        return TAIL[k as usize];
    }
    let square = (k + 1.0) * (k + 1.0);
    (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / (k + 1.0)
}

/// Hörmann's transformed rejection with squeeze (BTRS), for a mean of 10 or more.
fn transformed_rejection(state: &mut GeneratorState, count: f64, p: f64, round: impl Fn(f64) -> f64) -> f64 {
    let deviation = round(round(round(count * p) * round(1.0 - p)).sqrt());
    let b = 1.15 + 2.53 * deviation;
    let a = -0.0873 + 0.0248 * b + 0.01 * p;
    let c = round(count * p) + 0.5;
    let squeeze = 0.92 - 4.2 / b;
    let r = round(p / round(1.0 - p));
    let alpha = (2.83 + 5.1 / b) * deviation;
    let m = round(round(count + 1.0) * p).floor();
    loop {
        let u = state.uniform_f64() - 0.5;
        let mut v = state.uniform_f64();
        let us = 0.5 - u.abs();
        let k = round(((2.0 * a / us + b) * u + c).floor());
        if k < 0.0 || k > count {
            continue;
        }
        if us >= 0.07 && v <= squeeze {
            return k;
        }
        v = (v * alpha / (a / (us * us) + b)).ln();
        let rest = round(round(count - k) + 1.0);
        let bound = (m + 0.5) * ((m + 1.0) / (r * (count - m + 1.0))).ln()
            + round(count + 1.0) * ((count - m + 1.0) / rest).ln()
            + (k + 0.5) * (r * rest / round(k + 1.0)).ln()
            + stirling_tail(m)
            + stirling_tail(count - m)
            - stirling_tail(k)
            - stirling_tail(round(count - k));
        if v <= bound {
            return k;
        }
    }
}
