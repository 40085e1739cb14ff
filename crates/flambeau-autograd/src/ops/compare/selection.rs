//! Which of equal values a selection on the CPU names.
//!
//! The k-th value does not tell which of equal elements it stands at, but its index and its gradient do. PyTorch's choice is
//! whatever its partitioning leaves there, which is followed step by step, in time n.

use crate::Tensor;
use crate::error::Result;
use crate::ops::{to_dtype, transpose};
use flambeau_tensor::{Array, DType};
use std::cmp::Ordering;

/// The index of the k-th smallest element (from 0, NaN being the largest) of each line along `d`, which stays with length 1.
pub(crate) fn kth_places(x: &Tensor, d: usize, k: usize) -> Result<Array> {
    let x = x.detach();
    let last = x.dim() as i64 - 1;
    let (lines, mut shape) = match x.dim() {
        0 => (x.shallow_clone(), Vec::new()),
        _ => (transpose(&x, d as i64, last)?, x.size().to_vec()),
    };
    let n = shape.get(d).copied().unwrap_or(1);
    let places: Vec<i64> = match x.is_floating_point() {
        true => {
            let values = to_dtype(&lines, DType::F64)?.to_vec::<f64>();
            values.chunks(n).map(|line| quick_select(line, k) as i64).collect()
        }
        false => {
            let values = to_dtype(&lines, DType::I64)?.to_vec::<i64>();
            values.chunks(n).map(|line| quick_select(line, k) as i64).collect()
        }
    };
    // The lines' order is that of the transposed dimensions.
    let array = x.array();
    if x.dim() == 0 {
        return Ok(Array::from_slice(array.backend(), array.device(), &places, &[])?);
    }
    shape.swap(d, last as usize);
    shape[last as usize] = 1;
    let places = Array::from_slice(array.backend(), array.device(), &places, &shape)?;
    Ok(places.transpose(d as i64, last)?.contiguous()?)
}

/// Partitions indices around the median of three of the part that holds place k, until one is left.
fn quick_select<T: PartialOrd + Copy>(line: &[T], k: usize) -> usize {
    let above = |a: T, b: T| a > b || (a.partial_cmp(&a).is_none() && b.partial_cmp(&b).is_some());
    let mut at: Vec<usize> = (0..line.len()).collect();
    let (mut first, mut last) = (0, line.len() - 1);
    while last > first {
        let value = |at: &[usize], i: usize| line[at[i]];
        if last == first + 1 {
            if above(value(&at, first), value(&at, last)) {
                at.swap(first, last);
            }
            break;
        }
        at.swap(first + (last - first) / 2, first + 1);
        for (a, b) in [(first + 1, last), (first, last), (first + 1, first)] {
            if above(value(&at, a), value(&at, b)) {
                at.swap(a, b);
            }
        }
        let pivot = value(&at, first);
        let (mut i, mut j) = (first + 1, last);
        loop {
            i += 1;
            while above(pivot, value(&at, i)) {
                i += 1;
            }
            j -= 1;
            while above(value(&at, j), pivot) {
                j -= 1;
            }
            if j < i {
                break;
            }
            at.swap(i, j);
        }
        at.swap(first, j);
        match j.cmp(&k) {
            Ordering::Less => first = i,
            Ordering::Equal => break,
            Ordering::Greater => last = j - 1,
        }
    }
    at[k]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of a few values, so that many are equal.
    fn numbers(n: usize, of: u64) -> Vec<i64> {
        let mut state = n as u64 + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % of
        };
        (0..n).map(|_| next() as i64).collect()
    }

    #[test]
    fn selections_find_the_sorted_value() {
        for n in 1..200 {
            for of in [2, 5, 1000] {
                let line = numbers(n, of);
                let mut sorted = line.clone();
                sorted.sort_unstable();
                for k in 0..n {
                    assert_eq!(line[quick_select(&line, k)], sorted[k], "place {k} of {line:?}");
                }
            }
        }
    }

    #[test]
    fn nan_is_the_largest() {
        let line = [1.0, f64::NAN, -2.0, f64::NAN, 0.0];
        assert_eq!([0, 1, 2].map(|k| quick_select(&line, k)), [2, 4, 0]);
        assert!(line[quick_select(&line, 3)].is_nan() && line[quick_select(&line, 4)].is_nan());
    }
}
