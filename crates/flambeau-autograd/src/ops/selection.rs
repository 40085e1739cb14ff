//! Which of equal values a selection on the CPU names.
//!
//! A median's value does not tell which of equal elements it stands at, but its index and its gradient do. PyTorch's choice is
//! whatever its partitioning leaves there: `kthvalue` swaps around a median of three, `median` uses the C++ library's
//! `nth_element`. Both are followed step by step, in time n.

use super::{to_dtype, transpose};
use crate::Tensor;
use crate::error::Result;
use flambeau_tensor::{Array, DType};
use std::cmp::Ordering;

/// How a line's element is selected.
#[derive(Clone, Copy)]
pub(super) enum Selection {
    /// The k-th smallest, from 0, NaN being the largest.
    Kth(usize),
    /// The lower median, or the first NaN.
    Median,
}

/// The index of the selected element of each line along `d`, which stays with length 1.
pub(super) fn select_places(x: &Tensor, d: usize, selection: Selection) -> Result<Array> {
    let x = x.detach();
    let last = x.dim() as i64 - 1;
    let (lines, mut shape) = match x.dim() {
        0 => (x.clone(), Vec::new()),
        _ => (transpose(&x, d as i64, last)?, x.size().to_vec()),
    };
    let n = shape.get(d).copied().unwrap_or(1);
    let places: Vec<i64> = match x.is_floating_point() {
        true => {
            let values = to_dtype(&lines, DType::F64)?.to_vec::<f64>();
            values.chunks(n).map(|line| place(line, selection) as i64).collect()
        }
        false => {
            let values = to_dtype(&lines, DType::I64)?.to_vec::<i64>();
            values.chunks(n).map(|line| place(line, selection) as i64).collect()
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

/// The index of one line's selected element.
fn place<T: PartialOrd + Copy>(line: &[T], selection: Selection) -> usize {
    // A NaN does not even equal itself.
    let is_nan = |x: &T| x.partial_cmp(x).is_none();
    match selection {
        Selection::Kth(k) => quick_select(line, k),
        Selection::Median => match line.iter().position(is_nan) {
            Some(nan) => nan,
            None => nth_element(line, (line.len() - 1) / 2),
        },
    }
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

/// `std::nth_element` of indices, as the GNU C++ library has it.
fn nth_element<T: PartialOrd + Copy>(line: &[T], nth: usize) -> usize {
    let below = |a: usize, b: usize| line[a] < line[b];
    let mut at: Vec<usize> = (0..line.len()).collect();
    let (mut first, mut last) = (0, line.len());
    let mut depth = 2 * line.len().ilog2();
    while last - first > 3 {
        if depth == 0 {
            heap_select(&mut at[first..last], nth - first, below);
            return at[nth];
        }
        depth -= 1;
        // The median of three goes to the front.
        let (a, b, c) = (first + 1, first + (last - first) / 2, last - 1);
        let is_below = |x: usize, y: usize| below(at[x], at[y]);
        let middle = match (is_below(a, b), is_below(b, c), is_below(a, c)) {
            (true, true, _) | (false, false, false) => b,
            (true, false, true) | (false, true, false) => c,
            (true, false, false) | (false, _, true) => a,
        };
        at.swap(first, middle);
        let pivot = at[first];
        let (mut i, mut j) = (first + 1, last);
        let cut = loop {
            while below(at[i], pivot) {
                i += 1;
            }
            j -= 1;
            while below(pivot, at[j]) {
                j -= 1;
            }
            if i >= j {
                break i;
            }
            at.swap(i, j);
            i += 1;
        };
        if cut <= nth { first = cut } else { last = cut }
    }
    // Few are left: a stable sort by insertion.
    at[first..last].sort_by(|&a, &b| line[a].partial_cmp(&line[b]).unwrap_or(Ordering::Equal));
    at[nth]
}

/// Brings the place `nth` right by a heap of the smallest: where partitioning goes too deep.
fn heap_select(at: &mut [usize], nth: usize, below: impl Fn(usize, usize) -> bool) {
    let middle = nth + 1;
    for parent in (0..middle / 2).rev() {
        let value = at[parent];
        adjust_heap(&mut at[..middle], parent, value, &below);
    }
    for i in middle..at.len() {
        if below(at[i], at[0]) {
            let value = at[i];
            at[i] = at[0];
            adjust_heap(&mut at[..middle], 0, value, &below);
        }
    }
    at.swap(0, nth);
}

/// Moves a hole down the larger children, then a value up from there.
fn adjust_heap(heap: &mut [usize], hole: usize, value: usize, below: impl Fn(usize, usize) -> bool) {
    let (top, n) = (hole, heap.len());
    let mut hole = hole;
    while 2 * hole + 2 < n {
        let (left, right) = (2 * hole + 1, 2 * hole + 2);
        let child = if below(heap[right], heap[left]) { left } else { right };
        heap[hole] = heap[child];
        hole = child;
    }
    if 2 * hole + 2 == n {
        heap[hole] = heap[2 * hole + 1];
        hole = 2 * hole + 1;
    }
    while hole > top && below(heap[(hole - 1) / 2], value) {
        heap[hole] = heap[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    heap[hole] = value;
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
                    assert_eq!(line[nth_element(&line, k)], sorted[k], "place {k} of {line:?}");
                    let mut at: Vec<usize> = (0..n).collect();
                    heap_select(&mut at, k, |a, b| line[a] < line[b]);
                    assert_eq!(line[at[k]], sorted[k], "place {k} of {line:?}");
                }
            }
        }
    }

    #[test]
    fn nan_is_the_largest_and_the_first_is_the_median() {
        let line = [1.0, f64::NAN, -2.0, f64::NAN, 0.0];
        assert_eq!([0, 1, 2].map(|k| quick_select(&line, k)), [2, 4, 0]);
        assert!(line[quick_select(&line, 3)].is_nan() && line[quick_select(&line, 4)].is_nan());
        assert_eq!(place(&line, Selection::Median), 1);
    }
}
