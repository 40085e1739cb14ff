//! Writing at indices.

use crate::cast::{ForDType, Number, for_dtype};
use crate::gather::find_bad_index;
use crate::lines::{Lines, length};
use crate::pointwise::lane::Lane;
use crate::pointwise::tile::RawArray;
use crate::reduce::fold::Fold;
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::calls::Scatter;
use flambeau_tensor::{DType, Error, Finding, Result};

/// Elements per thread at least.
const GRAIN: usize = 16 << 10;

/// [`flambeau_tensor::Backend::scatter`] on this device. Values that meet at one place are combined in the order of the index; f16 and
/// bf16 round after each.
pub fn scatter(call: &Scatter<'_>) -> Result<()> {
    let Scatter { op, dim, index, src, out } = *call;
    if src.dtype() != out.dtype() {
        return Err(Error::runtime(format!(
            "scatter(): Expected self.dtype to be equal to src.dtype, but got {} and {}",
            out.dtype(),
            src.dtype()
        )));
    }
    let n = length(out, dim);
    let _access = Access::acquire(&[index, src], &[out])?;
    // SAFETY: the access is held.
    if let Some(bad) = unsafe { find_bad_index(index, n) } {
        return Err(Finding::Place.error(bad, n, dim));
    }
    match op {
        ScatterOp::Set => for_dtype(out.dtype(), call),
        ScatterOp::Add | ScatterOp::Mul | ScatterOp::Max | ScatterOp::Min => match out.dtype() {
            DType::F16 => combine::<half::f16, f32>(call),
            DType::BF16 => combine::<half::bf16, f32>(call),
            DType::F32 => combine::<f32, f32>(call),
            DType::F64 => combine::<f64, f64>(call),
            DType::I64 => combine::<i64, i64>(call),
            DType::I32 => combine::<i32, i32>(call),
            DType::I16 => combine::<i16, i16>(call),
            DType::I8 => combine::<i8, i8>(call),
            DType::U8 => combine::<u8, u8>(call),
            DType::Bool => combine::<crate::cast::Truth, u8>(call),
        },
    }
    Ok(())
}

impl ForDType for &Scatter<'_> {
    type Output = ();
    fn run<T: Number>(self) {
        each::<T>(self, |_, value| value);
    }
}

/// Combines in type `A`, which holds every `T`.
fn combine<T: Number, A: Lane>(call: &Scatter<'_>) {
    let with = |fold: Fold| {
        move |old: T, new: T| {
            crate::cast::cast::<A, T>(A::combine(fold, crate::cast::cast(old), crate::cast::cast(new)))
        }
    };
    match call.op {
        ScatterOp::Set => each::<T>(call, |_, value| value),
        ScatterOp::Add => each::<T>(call, with(Fold::Sum)),
        ScatterOp::Mul => each::<T>(call, with(Fold::Prod)),
        ScatterOp::Max => each::<T>(call, with(Fold::Max)),
        ScatterOp::Min => each::<T>(call, with(Fold::Min)),
    }
}

/// out\[index\] = f(out\[index\], src) for each element; the access is held and the indices were checked. Lines are
/// disjoint, so that threads may share them out.
fn each<T: Number>(call: &Scatter<'_>, f: impl Fn(T, T) -> T + Sync) {
    let Scatter { dim, index, src, out, .. } = *call;
    let lines = Lines::new(index.shape(), dim, &[src, index, out]);
    let count = length(index, dim);
    let (from, positions, to) = (RawArray::of(src), RawArray::of(index), RawArray::of(out));
    let steps = &lines.strides;
    parallel_for(lines.count, GRAIN.div_ceil(count.max(1)), &|range| {
        lines.for_each(range, |_, at| {
            let (values, target) = (from.at(at[0]).cast::<T>(), to.at(at[2]).cast::<T>());
            for i in 0..count {
                // SAFETY: the indices were checked, and this line belongs to this thread.
                unsafe {
                    let k = *positions.at(at[1] + i * steps[1]).cast::<i64>() as usize;
                    let place = target.add(k * steps[2]);
                    *place = f(*place, *values.add(i * steps[0]));
                }
            }
        });
    });
}
