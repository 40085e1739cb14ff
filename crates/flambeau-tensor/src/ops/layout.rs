//! The memory order of fresh results.

use crate::Array;
use crate::dims::{Dims, contiguous_strides, is_contiguous};

/// Strides for a fresh array of `array`'s shape that keep its order of dimensions, without gaps (`torch.preserve_format`).
pub fn preserved_strides(array: &Array) -> Dims {
    if array.is_contiguous() {
        return contiguous_strides(array.shape());
    }
    strides_in_order_of(array.shape(), &[array])
}

/// Strides of the result of a pointwise operation: the inputs' order of dimensions, the first input deciding where they
/// disagree. Inputs have the result's shape, with strides 0 where they are broadcast.
pub(super) fn result_strides(shape: &[usize], inputs: &[&Array]) -> Dims {
    let row_major = contiguous_strides(shape);
    let plain = |a: &&Array| is_contiguous(shape, a.strides()) || a.strides().iter().all(|&s| s == 0);
    if inputs.iter().all(plain) { row_major } else { strides_in_order_of(shape, inputs) }
}

/// Sorts the dimensions, the fastest first, as PyTorch's `TensorIterator` does: an insertion sort from the last dimension,
/// where each comparison is decided by the first input whose strides tell, and ties keep the row-major order.
pub(super) fn order_of(shape: &[usize], inputs: &[&Array]) -> Dims {
    let ndim = shape.len();
    let mut perm: Dims = (0..ndim).rev().collect();
    // Positive: dimension a is slower than b; negative: faster; zero: cannot tell.
    let compare = |a: usize, b: usize| -> i32 {
        for array in inputs {
            let (sa, sb) = (array.strides()[a], array.strides()[b]);
            if sa == 0 || sb == 0 {
                continue;
            }
            if sa != sb {
                return if sa < sb { -1 } else { 1 };
            }
            if shape[a] > shape[b] {
                return 1;
            }
        }
        0
    };
    for i in 1..ndim {
        let mut moved = i;
        for before in (0..i).rev() {
            match compare(perm[before], perm[moved]) {
                1 => {
                    perm.swap(before, moved);
                    moved = before;
                }
                -1 => break,
                _ => {}
            }
        }
    }
    perm
}

fn strides_in_order_of(shape: &[usize], inputs: &[&Array]) -> Dims {
    let mut strides = Dims::from_elem(1, shape.len());
    let mut step = 1usize;
    for d in order_of(shape, inputs) {
        strides[d] = step;
        step = step.saturating_mul(shape[d].max(1));
    }
    strides
}
