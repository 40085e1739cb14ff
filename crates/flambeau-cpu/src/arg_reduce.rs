//! The index of the largest or smallest value along a dimension.

use crate::cast::{ElementKind, ForDType, Number, for_dtype};
use crate::lines::{Lines, length};
use crate::pointwise::tile::RawArray;
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::Extremum;
use flambeau_tensor::calls::ArgReduce;
use flambeau_tensor::{Array, Result};
use smallvec::SmallVec;

/// Elements per thread at least.
const GRAIN: usize = 16 << 10;

/// [`flambeau_tensor::Backend::arg_reduce`] on this device.
pub fn arg_reduce(call: &ArgReduce<'_>) -> Result<()> {
    for_dtype(call.src.dtype(), call)
}

impl ForDType for &ArgReduce<'_> {
    type Output = Result<()>;

    fn run<T: Number>(self) -> Result<()> {
        let ArgReduce { which, src, dim, values, indices } = *self;
        let n = length(src, dim);
        let mut arrays: SmallVec<[&Array; 3]> = SmallVec::from_slice(&[src, indices]);
        arrays.extend(values);
        let lines = Lines::new(src.shape(), dim, &arrays);
        let _access = Access::acquire(&[src], &arrays[1..])?;
        let views: SmallVec<[RawArray; 3]> = arrays.iter().map(|a| RawArray::of(a)).collect();
        let stride = lines.strides[0];
        parallel_for(lines.count, GRAIN.div_ceil(n.max(1)), &|range| {
            lines.for_each(range, |_, at| {
                let data = views[0].at(at[0]).cast::<T>();
                // SAFETY: the access is held; the lines lie in the arrays, and each result belongs to one line.
                unsafe {
                    let (index, value) = extremum(which, data, stride, n);
                    *views[1].at(at[1]).cast::<i64>() = index as i64;
                    if let Some(view) = views.get(2) {
                        *view.at(at[2]).cast::<T>() = value;
                    }
                }
            });
        });
        Ok(())
    }
}

/// The first extremum; NaN beats every number.
///
/// # Safety
/// `data` is valid at `n > 0` elements that are `stride` apart.
unsafe fn extremum<T: Number>(which: Extremum, data: *const T, stride: usize, n: usize) -> (usize, T) {
    // Integers compare exactly as i64, floats as f64.
    match (T::KIND, which) {
        // SAFETY: the caller's contract.
        (ElementKind::Int | ElementKind::Truth, Extremum::Max) => unsafe {
            first(data, stride, n, |a, b| a.to_i64() > b.to_i64())
        },
        // SAFETY: as above.
        (ElementKind::Int | ElementKind::Truth, Extremum::Min) => unsafe {
            first(data, stride, n, |a, b| a.to_i64() < b.to_i64())
        },
        // SAFETY: as above. A NaN beats numbers, and nothing beats a NaN.
        (ElementKind::Single | ElementKind::Double, Extremum::Max) => unsafe {
            first(data, stride, n, |a, b| !nan(b) && (a.to_f64() > b.to_f64() || nan(a)))
        },
        // SAFETY: as above.
        (ElementKind::Single | ElementKind::Double, Extremum::Min) => unsafe {
            first(data, stride, n, |a, b| !nan(b) && (a.to_f64() < b.to_f64() || nan(a)))
        },
    }
}

fn nan<T: Number>(x: T) -> bool {
    x.to_f64().is_nan()
}

/// The first element that no later one beats.
///
/// # Safety
/// As [`extremum`].
#[inline(always)]
unsafe fn first<T: Number>(data: *const T, stride: usize, n: usize, beats: impl Fn(T, T) -> bool) -> (usize, T) {
    // SAFETY: the caller's contract.
    unsafe {
        let mut best = (0, *data);
        for i in 1..n {
            let x = *data.add(i * stride);
            if beats(x, best.1) {
                best = (i, x);
            }
        }
        best
    }
}
