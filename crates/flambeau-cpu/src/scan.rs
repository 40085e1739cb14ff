//! Running sums and products.

use crate::cast::{ForDType, Number, cast_raw, for_dtype};
use crate::lines::{Lines, length};
use crate::pointwise::tile::RawArray;
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::ScanOp;
use flambeau_tensor::calls::Scan;
use flambeau_tensor::{DType, Result};

/// Elements per thread at least.
const GRAIN: usize = 16 << 10;

/// [`flambeau_tensor::Backend::scan`] on this device. Floats are accumulated in f64 (f16 and bf16 in f32), as in PyTorch, and each
/// step is rounded to the output's dtype.
pub fn scan(call: &Scan<'_>) -> Result<()> {
    for_dtype(call.out.dtype(), call)
}

impl ForDType for &Scan<'_> {
    type Output = Result<()>;

    fn run<T: Number>(self) -> Result<()> {
        let Scan { op, src, dim, out } = *self;
        let n = length(src, dim);
        let lines = Lines::new(src.shape(), dim, &[src, out]);
        let _access = Access::acquire(&[src], &[out])?;
        let (from, to) = (RawArray::of(src), RawArray::of(out));
        let (step_src, step_out) = (lines.strides[0], lines.strides[1]);
        parallel_for(lines.count, GRAIN.div_ceil(n.max(1)), &|range| {
            lines.for_each(range, |_, at| {
                let next = |i: usize| {
                    let mut value = T::default();
                    // SAFETY: the access is held, and the line lies in the array.
                    unsafe {
                        cast_raw(from.dtype, from.at(at[0] + i * step_src), to.dtype, (&raw mut value).cast(), 1)
                    };
                    value
                };
                let line = to.at(at[1]).cast::<T>();
                // SAFETY: as above; the line belongs to this thread.
                let put = |i: usize, value: T| unsafe { *line.add(i * step_out) = value };
                match (out.dtype(), op) {
                    (DType::F32 | DType::F64, ScanOp::Sum) => {
                        run(n, 0.0, |s, i| s + next(i).to_f64(), |i, s| put(i, T::from_f64(s)))
                    }
                    (DType::F32 | DType::F64, ScanOp::Prod) => {
                        run(n, 1.0, |s, i| s * next(i).to_f64(), |i, s| put(i, T::from_f64(s)))
                    }
                    (DType::F16 | DType::BF16, ScanOp::Sum) => {
                        run(n, 0.0, |s, i| s + next(i).to_f32(), |i, s| put(i, T::from_f32(s)))
                    }
                    (DType::F16 | DType::BF16, ScanOp::Prod) => {
                        run(n, 1.0, |s, i| s * next(i).to_f32(), |i, s| put(i, T::from_f32(s)))
                    }
                    (_, ScanOp::Sum) => {
                        run(n, 0, |s: i64, i| s.wrapping_add(next(i).to_i64()), |i, s| put(i, T::from_i64(s)))
                    }
                    (_, ScanOp::Prod) => {
                        run(n, 1, |s: i64, i| s.wrapping_mul(next(i).to_i64()), |i, s| put(i, T::from_i64(s)))
                    }
                }
            });
        });
        Ok(())
    }
}

/// Feeds each step's result to `put` and to the next step.
fn run<A: Copy>(n: usize, start: A, step: impl Fn(A, usize) -> A, put: impl Fn(usize, A)) {
    let mut state = start;
    for i in 0..n {
        state = step(state, i);
        put(i, state);
    }
}
