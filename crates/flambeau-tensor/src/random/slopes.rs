//! How a gamma or Dirichlet number moves with its parameters: −∂cdf/∂α / pdf, by the series and fits that PyTorch uses.

use crate::special::digamma;

fn finite_or_zero(x: f64) -> f64 {
    if x.is_nan() { 0.0 } else { x }
}

fn cubic(x: f64, c: &[f64]) -> f64 {
    c[0] + x * (c[1] + x * (c[2] + x * c[3]))
}

/// The derivative of a gamma number x of shape `alpha` and rate 1 by the shape: `torch._standard_gamma_grad`.
pub fn gamma_slope(alpha: f64, x: f64) -> f64 {
    if x < f64::from(0.8f32) {
        // Taylor's series in x.
        let (mut numerator, mut denominator) = (1.0, alpha);
        let (mut first, mut second) = (numerator / denominator, numerator / (denominator * denominator));
        for i in 1..=5 {
            numerator *= -x / f64::from(i);
            denominator += 1.0;
            first += numerator / denominator;
            second += numerator / (denominator * denominator);
        }
        let power = x.powf(alpha);
        let density = x.powf(alpha - 1.0) * (-x).exp();
        let by_alpha = (x.ln() - digamma(alpha)) * (power * first) - power * second;
        return finite_or_zero(-by_alpha / density);
    }
    if alpha > 8.0 {
        // Rice's expansion at the saddle point, and its limit near x = α.
        if f64::from(0.9f32) * alpha <= x && x <= f64::from(1.1f32) * alpha {
            let n1 = 1.0 + 24.0 * alpha * (1.0 + 12.0 * alpha);
            let n2 = 1440.0 * (alpha * alpha) + 6.0 * x * (53.0 - 120.0 * x) - 65.0 * x * x / alpha
                + alpha * (107.0 + 3600.0 * x);
            return n1 * n2 / (1_244_160.0 * (alpha * alpha) * (alpha * alpha));
        }
        let root = (8.0 * alpha).sqrt();
        let term2 = root / (alpha - x);
        let term3 = (x - alpha - alpha * (x / alpha).ln()).powf(-1.5);
        let term23 = if x < alpha { term2 - term3 } else { term2 + term3 };
        let term1 = (x / alpha).ln() * term23 - (2.0 / alpha).sqrt() * (alpha + x) / ((alpha - x) * (alpha - x));
        let stirling = 1.0 + 1.0 / (12.0 * alpha) * (1.0 + 1.0 / (24.0 * alpha));
        return -stirling * x * term1 / root;
    }
    // A rational fit in log(x / α) and log α.
    const FIT: [[f64; 8]; 3] = [
        [0.16009398, -0.094634809, 0.025146376, -0.0030648343, 1.0, 0.32668115, 0.10406089, 0.0014179084],
        [0.53487893, 0.1298071, 0.065735949, -0.0015649758, 0.16639465, 0.020070113, -0.0035938915, -0.00058392623],
        [
            0.040121004,
            -0.0065914022,
            -0.0026286047,
            -0.0013441777,
            0.017050642,
            -0.0021309326,
            0.00085092367,
            -1.5247877e-07,
        ],
    ];
    let (u, v) = ((x / alpha).ln(), alpha.ln());
    let c: [f64; 8] = std::array::from_fn(|i| FIT[0][i] + u * (FIT[1][i] + u * FIT[2][i]));
    (cubic(v, &c[..4]) / cubic(v, &c[4..])).exp()
}

/// Of a Beta number near 0, by α.
fn small_by_alpha(x: f64, alpha: f64, beta: f64) -> f64 {
    let factor = digamma(alpha) - digamma(alpha + beta) - x.ln();
    let mut numerator = 1.0;
    let mut series = numerator / alpha * (factor + 1.0 / alpha);
    for i in 1..=10 {
        let i = f64::from(i);
        numerator *= (i - beta) * x / i;
        let denominator = alpha + i;
        series += numerator / denominator * (factor + 1.0 / denominator);
    }
    finite_or_zero(x * (1.0 - x).powf(-beta) * series)
}

/// Of a Beta number near 0, by β.
fn small_by_beta(x: f64, alpha: f64, beta: f64) -> f64 {
    let factor = digamma(alpha + beta) - digamma(beta);
    let (mut numerator, mut betas, mut slopes, mut series) = (1.0, 1.0, 0.0, factor / alpha);
    for i in 1..=8 {
        let i = f64::from(i);
        numerator *= -x / i;
        slopes = slopes * (beta - i) + betas;
        betas *= beta - i;
        series += numerator / (alpha + i) * (slopes + factor * betas);
    }
    finite_or_zero(-(1.0 - x).powf(1.0 - beta) * series)
}

/// Of a Beta number by α, where both parameters are large.
fn large_by_alpha(x: f64, alpha: f64, beta: f64) -> f64 {
    let total = alpha + beta;
    let mean = alpha / total;
    let deviation = (alpha * beta / (total + 1.0)).sqrt() / total;
    if mean - 0.1 * deviation <= x && x <= mean + 0.1 * deviation {
        let fourth = alpha * (8.0 * (1.0 - x) * (135.0 * beta - 11.0));
        let third = (453.0 + 1620.0 * beta * (1.0 - x) - 455.0 * x) * beta + fourth;
        let second = 3.0 * (59.0 + 180.0 * beta - 90.0 * x) * (beta * beta) + alpha * third;
        let first = (43.0 + 20.0 * (16.0 + 27.0 * beta) * x) * (beta * beta) * beta + alpha * second;
        let poly = 47.0 * x * (beta * beta) * (beta * beta) + alpha * first;
        let above = (1.0 + 12.0 * alpha) * (1.0 + 12.0 * beta) / (total * total);
        let below = 12_960.0 * alpha * alpha * alpha * beta * beta * (1.0 + 12.0 * total);
        return above / (1.0 - x) * poly / below;
    }
    let stirling = |z: f64| 1.0 + 1.0 / (12.0 * z) + 1.0 / (288.0 * z * z);
    let prefactor = -x / (2.0 * alpha * beta / total).sqrt();
    let n1 = 2.0 * (alpha * alpha) * (x - 1.0) + alpha * beta * (x - 1.0) - x * (beta * beta);
    let axbx = alpha * (x - 1.0) + beta * x;
    let term1 = n1 / ((2.0 * alpha / beta).sqrt() * total.powf(1.5) * axbx * axbx);
    let term2 = 0.5 * (alpha / (total * x)).ln();
    let term3 = (8.0 * alpha * beta / total).sqrt() / (beta * x + alpha * (x - 1.0));
    let base = beta * (beta / (total * (1.0 - x))).ln() + alpha * (alpha / (total * x)).ln();
    let term4 = base.powf(-1.5);
    let sum = term1 + term2 * (term3 + if x < mean { term4 } else { -term4 });
    stirling(alpha) * stirling(beta) / stirling(total) * prefactor * sum
}

/// The derivative of a component x of a Dirichlet number by its concentration `alpha`, of concentrations that sum to `total`,
/// over 1 − x: `torch._dirichlet_grad`.
pub fn dirichlet_slope(x: f64, alpha: f64, total: f64) -> f64 {
    let beta = total - alpha;
    let boundary = total * x * (1.0 - x);
    if x <= 0.5 && boundary < 2.5 {
        return small_by_alpha(x, alpha, beta);
    }
    if x >= 0.5 && boundary < 0.75 {
        return -small_by_beta(1.0 - x, beta, alpha);
    }
    if alpha > 6.0 && beta > 6.0 {
        return large_by_alpha(x, alpha, beta);
    }
    // A rational correction of an analytic approximation.
    const FIT: [[[[f64; 4]; 3]; 3]; 2] = [
        [
            [
                [1.003668233, -0.01061107488, -0.0657888334, 0.01201642863],
                [0.6336835991, -0.3557432599, 0.05486251648, -0.001465281033],
                [-0.03276231906, 0.004474107445, 0.002429354597, -0.0001557569013],
            ],
            [
                [0.221950385, -0.3187676331, 0.01799915743, 0.01074823814],
                [-0.2951249643, 0.06219954479, 0.01535556598, 0.001550077057],
                [0.02155310298, 0.004170831599, 0.001292462449, 6.976601077e-05],
            ],
            [
                [-0.05980841433, 0.008441916499, 0.01085618172, 0.002319392565],
                [0.02911413504, 0.01400243777, -0.002721828457, 0.000751041181],
                [0.005900514878, -0.001936558688, -9.495446725e-06, 5.385558597e-05],
            ],
        ],
        [
            [
                [1.0, -0.02924021934, -0.04438342661, 0.007285809825],
                [0.6357567472, -0.3473456711, 0.05454656494, -0.002407477521],
                [-0.03301322327, 0.004845219414, 0.00231480583, -0.0002307248149],
            ],
            [
                [0.5925320577, -0.1757678135, 0.01505928619, 0.000564515273],
                [0.1014815858, -0.06589186703, 0.01272886114, -0.0007316646956],
                [-0.007258481865, 0.001096195486, 0.0003934994223, -4.12701925e-05],
            ],
            [
                [0.06469649321, -0.0236701437, 0.002902096474, -5.896963079e-05],
                [0.001925008108, -0.002869809258, 0.0008000589141, -6.063713228e-05],
                [-0.0003477407336, 6.959756487e-05, 1.097287507e-05, -1.650964693e-06],
            ],
        ],
    ];
    let u = x.ln();
    let a = alpha.ln() - u;
    let b = total.ln() - a;
    let (powers_u, powers_a) = ([1.0, u, u * u], [1.0, a, a * a]);
    let fit = |c: &[[[f64; 4]; 3]; 3]| -> f64 {
        (0..9).map(|k| powers_u[k / 3] * powers_a[k % 3] * cubic(b, &c[k / 3][k % 3])).sum()
    };
    let analytic = x * (digamma(total) - digamma(alpha)) / beta;
    fit(&FIT[0]) / fit(&FIT[1]) * analytic
}
