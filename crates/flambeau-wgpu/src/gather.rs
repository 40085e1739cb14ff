//! Reading at indices: gather and index_select; and checking indices.

use crate::gpu::{Arg, Gpu};
use crate::lines::Lines;
use crate::params::Params;
use crate::pointwise::count;
use flambeau_shaders::Kernel;
use flambeau_tensor::calls::{CheckIndex, Gather, IndexSelect};
use flambeau_tensor::{Array, DType, Finding, Result};

/// Threads of a workgroup, as the kernels of this family have them.
pub(crate) const THREADS: u64 = 64;

/// [`flambeau_tensor::Backend::gather`] on this device.
///
/// # Errors
/// Where memory runs out. An index outside the dimension is reported at the next readback.
pub(crate) fn gather(call: &Gather<'_>) -> Result<()> {
    let Gather { src, dim, index, out } = *call;
    let src = fitted(src, index.shape(), dim)?.contiguous()?;
    let m = Lines::new(index, dim).n;
    launch(Some(dim), &src, dim, &index.contiguous()?, m, out)
}

/// [`flambeau_tensor::Backend::index_select`] on this device.
///
/// # Errors
/// As [`gather`].
pub(crate) fn index_select(call: &IndexSelect<'_>) -> Result<()> {
    let IndexSelect { src, dim, index, out } = *call;
    let index = index.to_dtype(DType::I64)?.contiguous()?;
    launch(None, &src.contiguous()?, dim, &index, index.numel(), out)
}

/// [`flambeau_tensor::Backend::check_index`] on this device.
pub(crate) fn check_index(call: &CheckIndex<'_>) -> Result<Array> {
    let CheckIndex { index, ref rule } = *call;
    let index = index.to_dtype(DType::I64)?.contiguous()?;
    let out = Array::empty(index.backend(), index.device(), index.shape(), DType::I64)?;
    let gpu = Gpu::of(&out)?;
    let n = count(gpu, &[rule.n])?;
    let kernel = Kernel::new("check_index", DType::I32).with("WRAP", rule.wraps);
    let params = |p: &mut Params| {
        p.with([("count", out.numel())]).with([("n", n), ("code", rule.finding.code())]);
        p.with([("detail", rule.detail)]).offsets([("x", &index), ("y", &out)]);
    };
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
    let params = |p: &mut Params| {
        index_params(p, out.numel(), lines, m, index);
        move_params(p, src, out, finding, place.unwrap_or(0));
    };
    Gpu::of(out)?.dispatch(&kernel, &args, &params, (out.numel() as u64).div_ceil(THREADS))?;
    Ok(())
}

/// The parameters that kernels begin with which read or write where an index of `m` elements along the dimension of `lines`
/// says, with `count` threads.
pub(crate) fn index_params<'p>(
    p: &'p mut Params,
    count: usize,
    lines: Lines,
    m: usize,
    index: &Array,
) -> &'p mut Params {
    p.with([("count", count), ("n", lines.n), ("m", m), ("inner", lines.inner)]).offsets([("index", index)])
}

/// What such kernels move, and what they report of an index outside.
pub(crate) fn move_params<'p>(
    p: &'p mut Params,
    src: &Array,
    out: &Array,
    finding: Finding,
    detail: usize,
) -> &'p mut Params {
    p.offsets([("x", src), ("y", out)]).with([("code", finding.code())]).with([("detail", detail)])
}

/// The part of `array` that indices of this shape reach: its lengths, except along `dim`.
pub(crate) fn fitted(array: &Array, shape: &[usize], dim: usize) -> Result<Array> {
    let mut shorter = (0..shape.len()).filter(|&d| d != dim && array.shape()[d] != shape[d]);
    shorter.try_fold(array.clone(), |part, d| part.narrow(d as i64, 0, shape[d] as i64))
}
