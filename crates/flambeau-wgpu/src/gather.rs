//! Reading at indices: gather and index_select; and checking indices.

use crate::gpu::{Arg, Gpu};
use crate::lines::Lines;
use crate::pointwise::count;
use flambeau_shaders::Kernel;
use flambeau_tensor::calls::{CheckIndex, Gather, IndexSelect};
use flambeau_tensor::{Array, DType, Finding, Result};

/// Threads of a workgroup, as the kernels of this family have them.
pub(crate) const THREADS: u64 = 64;

/// See [`flambeau_tensor::Backend::gather`].
///
/// # Errors
/// Where memory runs out. An index outside the dimension is reported at the next readback.
pub(crate) fn gather(call: &Gather<'_>) -> Result<()> {
    let Gather { src, dim, index, out } = *call;
    let src = fitted(src, index.shape(), dim)?.contiguous()?;
    let m = Lines::new(index, dim).n;
    launch(Some(dim), &src, dim, &index.contiguous()?, m, out)
}

/// See [`flambeau_tensor::Backend::index_select`].
///
/// # Errors
/// As [`gather`].
pub(crate) fn index_select(call: &IndexSelect<'_>) -> Result<()> {
    let IndexSelect { src, dim, index, out } = *call;
    let index = index.to_dtype(DType::I64)?.contiguous()?;
    launch(None, &src.contiguous()?, dim, &index, index.numel(), out)
}

/// See [`flambeau_tensor::Backend::check_index`].
pub(crate) fn check_index(call: &CheckIndex<'_>) -> Result<Array> {
    let CheckIndex { index, ref rule } = *call;
    let index = index.to_dtype(DType::I64)?.contiguous()?;
    let out = Array::empty(index.backend(), index.device(), index.shape(), DType::I64)?;
    let gpu = Gpu::of(&out)?;
    let n = count(gpu, &[rule.n])?;
    let kernel = Kernel::new("check_index", DType::I32).with("WRAP", rule.wraps);
    let (code, detail) = (rule.finding.code(), rule.detail as u32);
    let params = [out.numel() as u32, n, code, detail, index.offset() as u32, out.offset() as u32];
    let args = [Arg::In(&index), Arg::Out(&out), Arg::Status];
    gpu.dispatch(&kernel, &args, &params, (out.numel() as u64).div_ceil(THREADS))?;
    Ok(out)
}

/// `place` is the dimension that an index of a single element names a place of; without one, the index names whole lines.
fn launch(place: Option<usize>, src: &Array, dim: usize, index: &Array, m: usize, out: &Array) -> Result<()> {
    let lines = Lines::new(src, dim);
    let kernel = Kernel::new("gather", src.dtype()).with("SELECT", place.is_none());
    let finding = if place.is_some() { Finding::Place } else { Finding::Line };
    let args = [Arg::In(src), Arg::In(index), Arg::Out(out), Arg::Status];
    let [a, b, c] = [src.offset(), index.offset(), out.offset()];
    let (code, detail) = (finding.code() as usize, place.unwrap_or(0));
    let params = [out.numel(), lines.n, m, lines.inner, a, b, c, code, detail].map(|n| n as u32);
    Gpu::of(out)?.dispatch(&kernel, &args, &params, (out.numel() as u64).div_ceil(THREADS))?;
    Ok(())
}

/// The part of `array` that indices of this shape reach: its lengths, except along `dim`.
pub(crate) fn fitted(array: &Array, shape: &[usize], dim: usize) -> Result<Array> {
    let mut shorter = (0..shape.len()).filter(|&d| d != dim && array.shape()[d] != shape[d]);
    shorter.try_fold(array.clone(), |part, d| part.narrow(d as i64, 0, shape[d] as i64))
}
