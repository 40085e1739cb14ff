//! Categories drawn in proportion to weights.

use super::element::{RandomFloat, Real};
use super::error::{RandomError, check};
use super::generator::Generator;

/// Draws category indices with replacement: each row of `weights` (`categories` non-negative numbers, not all zero)
/// fills the same row of `out`, as `torch.multinomial(weights, n, replacement=True)` does for n > 1. (One sample, or
/// sampling without replacement, is the largest of `weights / exponential_(1)` in PyTorch.)
///
/// # Errors
/// A weight that is negative, infinite or NaN; a row that sums to zero; lengths that do not fit.
pub fn multinomial<T: RandomFloat>(
    generator: &Generator,
    weights: &[T],
    categories: usize,
    out: &mut [i64],
) -> Result<(), RandomError> {
    check(categories > 0 && weights.len().is_multiple_of(categories), || {
        format!("{} weights are no rows of {categories} categories", weights.len())
    })?;
    let rows = weights.len() / categories;
    if rows == 0 {
        return Ok(());
    }
    check(out.len().is_multiple_of(rows), || format!("{} samples for {rows} rows of weights", out.len()))?;
    let samples = out.len() / rows;
    let state = &mut *generator.lock();
    let mut cumulative = vec![T::from_i64(0); categories];
    for row in 0..rows {
        accumulate(&weights[row * categories..][..categories], &mut cumulative)?;
        for x in &mut out[row * samples..][..samples] {
            let u = state.uniform_f64();
            *x = cumulative.partition_point(|c| c.to_real().to_f64() < u) as i64;
        }
    }
    Ok(())
}

/// The running sums of a row divided by its total, each rounded to the element type; the last one is 1.
fn accumulate<T: RandomFloat>(weights: &[T], cumulative: &mut [T]) -> Result<(), RandomError> {
    let refuse = |what: &str| Err(RandomError::new(format!("invalid multinomial distribution ({what})")));
    let mut sum = 0.0_f64;
    for (w, c) in weights.iter().zip(cumulative.iter_mut()) {
        let w = w.to_real().to_f64();
        if !w.is_finite() {
            return refuse("encountering probability entry = infinity or NaN");
        }
        if w < 0.0 {
            return refuse("encountering probability entry < 0");
        }
        // An f64 sum of two values of the element type, rounded to that type at once, is the sum in that type.
        *c = T::from_real(T::Real::from_f64(sum + w));
        sum = c.to_real().to_f64();
    }
    check(sum > 0.0, || "invalid multinomial distribution (sum of probabilities <= 0)".into())?;
    for c in cumulative.iter_mut() {
        *c = T::from_real(T::Real::from_f64(c.to_real().to_f64() / sum));
    }
    if let Some(last) = cumulative.last_mut() {
        *last = T::from_i64(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of `torch.multinomial(w, 3, replacement=True)`.
    #[test]
    fn weights_without_a_distribution_are_refused() {
        let draw = |w: [f32; 2]| multinomial(&Generator::new(), &w, 2, &mut [0; 3]).unwrap_err().to_string();
        assert_eq!(draw([0.0, 0.0]), "invalid multinomial distribution (sum of probabilities <= 0)");
        assert_eq!(draw([0.0, -1.0]), "invalid multinomial distribution (encountering probability entry < 0)");
        assert_eq!(
            draw([0.0, f32::INFINITY]),
            "invalid multinomial distribution (encountering probability entry = infinity or NaN)"
        );
    }

    #[test]
    fn a_category_without_weight_is_never_drawn() {
        let mut out = [9; 500];
        multinomial(&Generator::new(), &[0.0_f64, 1.0, 0.0, 2.0, 0.0], 5, &mut out).unwrap();
        assert!(out.iter().all(|x| [1, 3].contains(x)));
    }
}
