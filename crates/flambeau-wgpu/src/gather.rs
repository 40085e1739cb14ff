//! Reading at indices: gather and index_select.

use crate::gpu::{Arg, Gpu};
use crate::lines::Lines;
use flambeau_shaders::Kernel;
use flambeau_tensor::{Array, DType, Result};

/// Threads of a workgroup, as the kernels of this family have them.
pub(crate) const THREADS: u64 = 64;

/// See [`flambeau_tensor::Backend::gather`].
///
/// # Errors
/// Where memory runs out. An index outside the dimension is reported at the next readback.
pub(crate) fn gather(src: &Array, dim: usize, index: &Array, out: &Array) -> Result<()> {
    let src = fitted(src, index.shape(), dim)?.contiguous()?;
    let m = Lines::new(index, dim).n;
    launch(false, &src, dim, &index.contiguous()?, m, out)
}

/// See [`flambeau_tensor::Backend::index_select`].
///
/// # Errors
/// As [`gather`].
pub(crate) fn index_select(src: &Array, dim: usize, index: &Array, out: &Array) -> Result<()> {
    let index = index.to_dtype(DType::I64)?.contiguous()?;
    launch(true, &src.contiguous()?, dim, &index, index.numel(), out)
}

fn launch(select: bool, src: &Array, dim: usize, index: &Array, m: usize, out: &Array) -> Result<()> {
    let lines = Lines::new(src, dim);
    let kernel = Kernel::new("gather", src.dtype()).with("SELECT", select);
    let args = [Arg::In(src), Arg::In(index), Arg::Out(out), Arg::Status];
    let offsets = [src.offset(), index.offset(), out.offset()];
    let params = [out.numel(), lines.n, m, lines.inner, offsets[0], offsets[1], offsets[2]].map(|n| n as u32);
    Gpu::of(out)?.dispatch(&kernel, &args, &params, (out.numel() as u64).div_ceil(THREADS))?;
    Ok(())
}

/// The part of `array` that indices of this shape reach: its lengths, except along `dim`.
pub(crate) fn fitted(array: &Array, shape: &[usize], dim: usize) -> Result<Array> {
    let mut shorter = (0..shape.len()).filter(|&d| d != dim && array.shape()[d] != shape[d]);
    shorter.try_fold(array.clone(), |part, d| part.narrow(d as i64, 0, shape[d] as i64))
}
