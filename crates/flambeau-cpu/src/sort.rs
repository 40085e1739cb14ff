//! Sorting along a dimension, whole or only the first k.

use crate::cast::{ElementKind, ForDType, Number, for_dtype};
use crate::lines::{Lines, length};
use crate::pointwise::tile::RawArray;
use crate::threads::parallel_for;
use flambeau_tensor::Result;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::Extremum;
use flambeau_tensor::calls::Sort;
use std::cmp::Ordering;

/// Elements per thread at least.
const GRAIN: usize = 4 << 10;

/// [`flambeau_tensor::Backend::sort`] on this device. NaN counts as larger than all numbers; equal values keep their order, so that of
/// equal candidates for the first k the earlier ones are taken.
pub fn sort(call: &Sort<'_>) -> Result<()> {
    for_dtype(call.src.dtype(), call)
}

impl ForDType for &Sort<'_> {
    type Output = Result<()>;

    fn run<T: Number>(self) -> Result<()> {
        let Sort { first, src, dim, values, indices } = *self;
        let (n, k) = (length(src, dim), length(values, dim));
        let lines = Lines::new(src.shape(), dim, &[src, values, indices]);
        let _access = Access::acquire(&[src], &[values, indices])?;
        let (from, to, to_index) = (RawArray::of(src), RawArray::of(values), RawArray::of(indices));
        let steps = &lines.strides;
        parallel_for(lines.count, GRAIN.div_ceil(n.max(1)), &|range| {
            let mut pairs: Vec<(T, usize)> = Vec::with_capacity(n);
            lines.for_each(range, |_, at| {
                let data = from.at(at[0]).cast::<T>();
                pairs.clear();
                // SAFETY: the access is held, and the line lies in the array.
                pairs.extend((0..n).map(|i| (unsafe { *data.add(i * steps[0]) }, i)));
                // The index as the second key makes the order total, so that an unstable sort is stable.
                let order = |a: &(T, usize), b: &(T, usize)| {
                    let by_value = compare(a.0, b.0);
                    let by_value = if first == Extremum::Max { by_value.reverse() } else { by_value };
                    by_value.then(a.1.cmp(&b.1))
                };
                if k < n / 2 && k > 0 {
                    pairs.select_nth_unstable_by(k - 1, order);
                    pairs.truncate(k);
                }
                pairs.sort_unstable_by(order);
                for (i, &(value, index)) in pairs.iter().take(k).enumerate() {
                    // SAFETY: as above; the lines of the results belong to this thread.
                    unsafe {
                        *to.at(at[1] + i * steps[1]).cast::<T>() = value;
                        *to_index.at(at[2] + i * steps[2]).cast::<i64>() = index as i64;
                    }
                }
            });
        });
        Ok(())
    }
}

/// Ascending, NaN last; zeros of both signs are equal.
fn compare<T: Number>(a: T, b: T) -> Ordering {
    match T::KIND {
        ElementKind::Int | ElementKind::Truth => a.to_i64().cmp(&b.to_i64()),
        ElementKind::Single | ElementKind::Double => {
            let (a, b) = (a.to_f64(), b.to_f64());
            a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        }
    }
}
