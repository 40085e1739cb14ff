//! softmax and its logarithm along a dimension.
//!
//! softmax(x)ᵢ = exp(xᵢ - m) / Σⱼ exp(xⱼ - m) with m the largest x: no exponential overflows. A line that holds NaN or
//! +∞, or only -∞, gives NaN, as in PyTorch.

mod backward;

pub use backward::softmax_backward;

use crate::cast::{cast_raw, copy_strided};
use crate::lines::{Lines, length};
use crate::pointwise::tile::RawArray;
use crate::pointwise::{Float, Function, maximum};
use crate::rows::{fold, sum};
use crate::simd::{Kernel, Simd, dispatch};
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::calls::Softmax;
use flambeau_tensor::{Array, DType, Error, Result};

/// Elements per thread at least.
const GRAIN: usize = 8 << 10;
/// Neighbouring lines that are computed together where the dimension is not the innermost in memory.
const WIDTH: usize = 32;
/// Dense lines shorter than this are computed in columns too, for want of elements to vectorise along.
const SHORT: usize = 48;

/// [`flambeau_tensor::Backend::softmax`] on this device.
pub fn softmax(call: &Softmax<'_>) -> Result<()> {
    let Softmax { src, dim, log, out } = *call;
    match src.dtype() {
        DType::F64 => run::<f64>(src, dim, log, out),
        DType::F32 | DType::F16 | DType::BF16 => run::<f32>(src, dim, log, out),
        dtype => {
            let op = if log { "log_softmax_kernel_impl" } else { "softmax_kernel_impl" };
            Err(Error::NotImplementedFor { op, dtype })
        }
    }
}

fn run<F: Float>(src: &Array, dim: usize, log: bool, out: &Array) -> Result<()> {
    let n = length(src, dim);
    let lines = Lines::new(src.shape(), dim, &[src, out]);
    let _access = Access::acquire(&[src], &[out])?;
    let (from, to) = (RawArray::of(src), RawArray::of(out));
    let (step_src, step_out) = (lines.strides[0], lines.strides[1]);
    let plain = from.dtype == F::DTYPE && to.dtype == F::DTYPE;
    let dense = plain && n >= SHORT && step_src == 1 && step_out == 1;
    parallel_for(lines.count, GRAIN.div_ceil(n.max(1)), &|range| {
        if dense {
            lines.for_each(range, |_, at| {
                // SAFETY: the access is held, the lines are dense, and each belongs to one thread.
                let (x, y) = unsafe {
                    let x = std::slice::from_raw_parts(from.at(at[0]).cast::<F>(), n);
                    (x, std::slice::from_raw_parts_mut(to.at(at[1]).cast::<F>(), n))
                };
                dispatch(Line { x, y, log });
            });
            return;
        }
        // Lines that lie beside each other are gathered in columns: the copies then run along the memory.
        let mut columns = vec![F::ZERO; n * WIDTH.min(range.len())];
        let mut raw = vec![[0u64; 2]; WIDTH.max(n)];
        let mut batch = Batch { starts: Vec::with_capacity(WIDTH) };
        let mut flush = |batch: &mut Batch| {
            let width = batch.starts.len();
            let beside = |k: usize| batch.starts.windows(2).all(|w| w[1][k] == w[0][k] + 1);
            let raw = raw.as_mut_ptr().cast::<u8>();
            let line = raw.wrapping_add(8 * n.max(WIDTH));
            let (from_size, to_size) = (from.dtype.size(), to.dtype.size());
            let columns = columns.as_mut_ptr();
            let column = |i: usize, j: usize| columns.wrapping_add(i * width + j).cast::<u8>();
            // SAFETY: the access is held, the lines lie in the arrays and belong to this thread; the buffers have room for
            // a line and for a row of columns.
            unsafe {
                if beside(0) {
                    for i in 0..n {
                        cast_raw(from.dtype, from.at(batch.starts[0][0] + i * step_src), F::DTYPE, column(i, 0), width);
                    }
                } else {
                    for (j, start) in batch.starts.iter().enumerate() {
                        if from.dtype == F::DTYPE {
                            copy_strided(from_size, from.at(start[0]), step_src, column(0, j), width, n);
                            continue;
                        }
                        copy_strided(from_size, from.at(start[0]), step_src, raw, 1, n);
                        cast_raw(from.dtype, raw, F::DTYPE, line, n);
                        copy_strided(F::DTYPE.size(), line, 1, column(0, j), width, n);
                    }
                }
                let data = std::slice::from_raw_parts_mut(column(0, 0).cast::<F>(), n * width);
                dispatch(Columns { data, width, log });
                if beside(1) {
                    for i in 0..n {
                        cast_raw(F::DTYPE, column(i, 0), to.dtype, to.at(batch.starts[0][1] + i * step_out), width);
                    }
                } else {
                    for (j, start) in batch.starts.iter().enumerate() {
                        if to.dtype == F::DTYPE {
                            copy_strided(to_size, column(0, j), width, to.at(start[1]), step_out, n);
                            continue;
                        }
                        copy_strided(F::DTYPE.size(), column(0, j), width, line, 1, n);
                        cast_raw(F::DTYPE, line, to.dtype, raw, n);
                        copy_strided(to_size, raw, 1, to.at(start[1]), step_out, n);
                    }
                }
            }
            batch.starts.clear();
        };
        lines.for_each(range, |_, at| {
            batch.starts.push([at[0], at[1]]);
            if batch.starts.len() == WIDTH {
                flush(&mut batch);
            }
        });
        if !batch.starts.is_empty() {
            flush(&mut batch);
        }
    });
    Ok(())
}

/// Where the lines that are computed together start in the input and the output.
struct Batch {
    starts: Vec<[usize; 2]>,
}

/// One dense line.
struct Line<'a, F> {
    x: &'a [F],
    y: &'a mut [F],
    log: bool,
}

impl<F: Float> Kernel for Line<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Line { x, y, log } = self;
        let largest = fold([x, x], F::NEG_INFINITY, maximum, |x, _| x);
        if log {
            let total = sum([x, x], |x, _| (x - largest).math::<S>(Function::Exp));
            let shift = total.math::<S>(Function::Log);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x - largest - shift;
            }
            return;
        }
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (x - largest).math::<S>(Function::Exp);
        }
        let scale = F::ONE / sum([&*y, &*y], |y, _| y);
        for y in y {
            *y = *y * scale;
        }
    }
}

/// `width` lines side by side: element i of line j is `data[i * width + j]`; the result replaces it.
struct Columns<'a, F> {
    data: &'a mut [F],
    width: usize,
    log: bool,
}

impl<F: Float> Kernel for Columns<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Columns { data, width, log } = self;
        let (mut largest, mut sum) = ([F::NEG_INFINITY; WIDTH], [F::ZERO; WIDTH]);
        let (largest, sum) = (&mut largest[..width], &mut sum[..width]);
        for row in data.chunks_exact(width) {
            for (m, &x) in largest.iter_mut().zip(row) {
                *m = maximum(*m, x);
            }
        }
        for row in data.chunks_exact_mut(width) {
            for ((s, &m), x) in sum.iter_mut().zip(&*largest).zip(row) {
                let e = (*x - m).math::<S>(Function::Exp);
                *x = if log { *x - m } else { e };
                *s = *s + e;
            }
        }
        for s in sum.iter_mut() {
            *s = if log { s.math::<S>(Function::Log) } else { F::ONE / *s };
        }
        for row in data.chunks_exact_mut(width) {
            for (x, &s) in row.iter_mut().zip(&*sum) {
                *x = if log { *x - s } else { *x * s };
            }
        }
    }
}
