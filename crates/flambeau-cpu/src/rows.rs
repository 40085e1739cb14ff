//! Loops over dense rows, which kernels inline.

use crate::pointwise::Float;

/// Values that are combined side by side along a row.
const LANES: usize = 16;

/// Combines f of the elements at each place of two rows, 16 side by side, the partial results pairwise.
#[inline(always)]
pub fn fold<T: Copy, F: Float>([a, b]: [&[T]; 2], start: F, combine: impl Fn(F, F) -> F, f: impl Fn(T, T) -> F) -> F {
    let mut lanes = [start; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = combine(*lane, f(a, b));
        }
    }
    for ((lane, &a), &b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane = combine(*lane, f(a, b));
    }
    let mut n = LANES / 2;
    while n > 0 {
        for i in 0..n {
            lanes[i] = combine(lanes[i], lanes[i + n]);
        }
        n /= 2;
    }
    lanes[0]
}

/// The sum of f of the elements at each place of two rows.
#[inline(always)]
pub fn sum<T: Copy, F: Float>(rows: [&[T]; 2], f: impl Fn(T, T) -> F) -> F {
    fold(rows, F::ZERO, |a, b| a + b, f)
}

/// f of the elements at each place of three rows.
#[inline(always)]
pub fn each<F: Float>(y: &mut [F], [a, b, c]: [&[F]; 3], f: impl Fn(F, F, F) -> F) {
    for (((y, &a), &b), &c) in y.iter_mut().zip(a).zip(b).zip(c) {
        *y = f(a, b, c);
    }
}
