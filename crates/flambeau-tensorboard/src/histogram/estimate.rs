//! NumPy's rules for the width of bins.

use super::{equal, largest, least, pairwise_sum};

/// The rules' names.
pub(super) const NAMES: [&str; 8] = ["auto", "doane", "fd", "rice", "scott", "sqrt", "stone", "sturges"];

/// The width of bins that the rule `name` proposes; 0 where it has no opinion.
pub(super) fn width(name: &str, values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let range = largest(values) - least(values);
    let sqrt = range / n.sqrt();
    let sturges = range / (n.log2() + 1.0);
    match name {
        "sqrt" => sqrt,
        "sturges" => sturges,
        "rice" => range / (2.0 * n.powf(1.0 / 3.0)),
        "scott" => (24.0 * std::f64::consts::PI.sqrt() / n).powf(1.0 / 3.0) * deviation(values).1,
        "doane" => doane(values, range),
        "fd" => freedman_diaconis(values),
        "stone" => stone(values, range),
        _ => {
            // "auto": the interquartile range may be next to nothing; then there would be no end of bins.
            let corrected = freedman_diaconis(values).max(sqrt / 2.0);
            corrected.min(sturges)
        }
    }
}

/// Mean and standard deviation.
fn deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = pairwise_sum(values) / n;
    let squares: Vec<f64> = values.iter().map(|x| (x - mean) * (x - mean)).collect();
    (mean, (pairwise_sum(&squares) / n).sqrt())
}

/// Sturges' rule for data that is skewed.
fn doane(values: &[f64], range: f64) -> f64 {
    let n = values.len() as f64;
    let (mean, sigma) = deviation(values);
    if values.len() <= 2 || sigma <= 0.0 {
        return 0.0;
    }
    let spread = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
    let cubes: Vec<f64> = values.iter().map(|x| ((x - mean) / sigma).powf(3.0)).collect();
    let skew = pairwise_sum(&cubes) / n;
    range / (1.0 + n.log2() + (1.0 + skew.abs() / spread).log2())
}

fn freedman_diaconis(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let at = q * (sorted.len() - 1) as f64;
        let (before, share) = (at.floor() as usize, at.fract());
        let (a, b) = (sorted[before], sorted[(before + 1).min(sorted.len() - 1)]);
        // As NumPy's interpolation, from the nearer side.
        if share >= 0.5 { b - (b - a) * (1.0 - share) } else { a + (b - a) * share }
    };
    2.0 * (quantile(0.75) - quantile(0.25)) * (values.len() as f64).powf(-1.0 / 3.0)
}

/// The width with the least estimated error, by leaving one out.
fn stone(values: &[f64], range: f64) -> f64 {
    let n = values.len() as f64;
    if n <= 1.0 || range == 0.0 {
        return 0.0;
    }
    let (low, high) = (least(values), largest(values));
    let error = |bins: i64| {
        let (counts, _) = equal(values, low, high, bins);
        let squares: f64 = counts.iter().map(|count| (count / n) * (count / n)).sum();
        (2.0 - (n + 1.0) * squares) / (range / bins as f64)
    };
    let most = 100.max(n.sqrt() as i64);
    // Of equals the first.
    let best = (2..=most).fold((1, error(1)), |best, bins| {
        let error = error(bins);
        if error < best.1 { (bins, error) } else { best }
    });
    range / best.0 as f64
}
