//! Writing at indices.

use crate::cast::{ForDType, Number, for_dtype};
use crate::gather::find_bad_index;
use crate::lines::{Lines, length};
use crate::pointwise::lane::Lane;
use crate::pointwise::tile::View;
use crate::reduce::fold::Fold;
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::{Array, DType, Error, Finding, Result};

/// Elements per thread at least.
const GRAIN: usize = 16 << 10;

/// See [`flambeau_tensor::Backend::scatter`]. Values that meet at one place are combined in the order of the index; f16 and
/// bf16 round after each.
pub fn scatter(op: ScatterOp, dim: usize, index: &Array, src: &Array, out: &Array) -> Result<()> {
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
    let scatter = Scatter { op, dim, index, src, out };
    match op {
        ScatterOp::Set => for_dtype(out.dtype(), scatter),
        ScatterOp::Add | ScatterOp::Mul | ScatterOp::Max | ScatterOp::Min => match out.dtype() {
            DType::F16 => scatter.combine::<half::f16, f32>(),
            DType::BF16 => scatter.combine::<half::bf16, f32>(),
            DType::F32 => scatter.combine::<f32, f32>(),
            DType::F64 => scatter.combine::<f64, f64>(),
            DType::I64 => scatter.combine::<i64, i64>(),
            DType::I32 => scatter.combine::<i32, i32>(),
            DType::I16 => scatter.combine::<i16, i16>(),
            DType::I8 => scatter.combine::<i8, i8>(),
            DType::U8 => scatter.combine::<u8, u8>(),
            DType::Bool => scatter.combine::<crate::cast::Truth, u8>(),
        },
    }
    Ok(())
}

struct Scatter<'a> {
    op: ScatterOp,
    dim: usize,
    index: &'a Array,
    src: &'a Array,
    out: &'a Array,
}

impl ForDType for Scatter<'_> {
    type Output = ();
    fn run<T: Number>(self) {
        self.each::<T>(|_, value| value);
    }
}

impl Scatter<'_> {
    /// Combines in type `A`, which holds every `T`.
    fn combine<T: Number, A: Lane>(&self) {
        let with = |fold: Fold| {
            move |old: T, new: T| {
                crate::cast::cast::<A, T>(A::combine(fold, crate::cast::cast(old), crate::cast::cast(new)))
            }
        };
        match self.op {
            ScatterOp::Set => self.each::<T>(|_, value| value),
            ScatterOp::Add => self.each::<T>(with(Fold::Sum)),
            ScatterOp::Mul => self.each::<T>(with(Fold::Prod)),
            ScatterOp::Max => self.each::<T>(with(Fold::Max)),
            ScatterOp::Min => self.each::<T>(with(Fold::Min)),
        }
    }

    /// out\[index\] = f(out\[index\], src) for each element; the access is held and the indices were checked. Lines are
    /// disjoint, so that threads may share them out.
    fn each<T: Number>(&self, f: impl Fn(T, T) -> T + Sync) {
        let Scatter { dim, index, src, out, .. } = *self;
        let lines = Lines::new(index.shape(), dim, &[src, index, out]);
        let count = length(index, dim);
        let (from, positions, to) = (View::of(src), View::of(index), View::of(out));
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
}
