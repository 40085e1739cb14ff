//! Places in sorted boundaries.

use crate::cast::{ElementKind, ForDType, Number, for_dtype};
use crate::pointwise::tile::RawArray;
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::calls::SearchSorted;
use flambeau_tensor::{DType, Result};

/// Values per thread at least.
const GRAIN: usize = 4 << 10;

/// [`flambeau_tensor::Backend::search_sorted`] on this device.
pub fn search_sorted(call: &SearchSorted<'_>) -> Result<()> {
    for_dtype(call.values.dtype(), call)
}

impl ForDType for &SearchSorted<'_> {
    type Output = Result<()>;

    fn run<T: Number>(self) -> Result<()> {
        let SearchSorted { boundaries, values, right, out } = *self;
        let (n, m) = self.lengths();
        let _access = Access::acquire(&[boundaries, values], &[out])?;
        let (lines, from, to) = (RawArray::of(boundaries), RawArray::of(values), RawArray::of(out));
        let wide = out.dtype() == DType::I64;
        parallel_for(values.numel(), GRAIN, &|range| {
            for i in range {
                let line = lines.at(i / m * n).cast::<T>();
                // SAFETY: the access is held and the arrays are dense: there are `n` boundaries for every `m` values, and as many
                // results as values, each of which belongs to one thread.
                unsafe {
                    let value = *from.at(i).cast::<T>();
                    let (mut low, mut high) = (0, n);
                    while low < high {
                        let middle = low + (high - low) / 2;
                        match passes(*line.add(middle), value, right) {
                            true => low = middle + 1,
                            false => high = middle,
                        }
                    }
                    match wide {
                        true => *to.at(i).cast::<i64>() = low as i64,
                        false => *to.at(i).cast::<i32>() = low as i32,
                    }
                }
            }
        });
        Ok(())
    }
}

/// Whether a value stands behind a boundary. PyTorch asks whether the boundary is not at or above (with `right`, not above) the value,
/// which NaN never is.
#[inline(always)]
fn passes<T: Number>(boundary: T, value: T, right: bool) -> bool {
    match T::KIND {
        ElementKind::Int | ElementKind::Truth => {
            let (a, b) = (boundary.to_i64(), value.to_i64());
            if right { a <= b } else { a < b }
        }
        ElementKind::Single | ElementKind::Double => {
            let (a, b) = (boundary.to_f64(), value.to_f64());
            let behind = if right { a <= b } else { a < b };
            behind | a.is_nan() | b.is_nan()
        }
    }
}
