//! The indices of what is not zero.

use crate::gather::THREADS;
use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::calls::Nonzero;
use flambeau_tensor::{Array, DType, Result};

/// Elements that a workgroup of the kernels counts.
const BLOCK: usize = 1024;

/// [`flambeau_tensor::Backend::nonzero`] on this device. Waits for the GPU, since the result's size depends on its work.
///
/// # Errors
/// Where memory runs out, or something that ran before failed.
pub(crate) fn nonzero(call: &Nonzero<'_>) -> Result<Array> {
    let Nonzero { src } = *call;
    let (backend, device, n) = (src.backend(), src.device(), src.numel());
    let table = |rows| Array::empty(backend, device, &[rows, src.ndim()], DType::I64);
    if n == 0 {
        return table(0);
    }
    let dense = src.contiguous()?;
    let gpu = Gpu::of(&dense)?;
    // An i64 is zero if both its words are.
    let (dtype, words) = if src.dtype() == DType::I64 { (DType::I32, 2) } else { (src.dtype(), 1) };
    let kernel = |name| Kernel::new(name, dtype).with("WORDS", words as u32);
    let offset = dense.offset() * words;
    let blocks = n.div_ceil(BLOCK);
    // The number of elements before each block, and in all.
    let before = Array::empty(backend, device, &[blocks + 1], DType::I32)?;
    let params = |p: &mut Params| {
        p.with([("n", n), ("x_offset", offset)]).offsets([("counts", &before)]);
    };
    gpu.dispatch(&kernel("nonzero/count"), &[Arg::In(&dense), Arg::Out(&before)], &params, blocks as u64)?;
    let params = |p: &mut Params| {
        p.with([("blocks", blocks)]).offsets([("counts", &before)]);
    };
    gpu.dispatch(&Kernel::new("nonzero/offsets", DType::I32), &[Arg::Out(&before)], &params, 1)?;
    let rows = before.narrow(0, blocks as i64, 1)?.to_vec::<i32>()?[0] as usize;
    let out = table(rows)?;
    if out.numel() == 0 {
        return Ok(out);
    }
    let found = Array::empty(backend, device, &[rows], DType::I32)?;
    let params = |p: &mut Params| {
        p.with([("n", n), ("x_offset", offset)]).offsets([("offsets", &before), ("found", &found)]);
    };
    let args = [Arg::In(&dense), Arg::In(&before), Arg::Out(&found)];
    gpu.dispatch(&kernel("nonzero/positions"), &args, &params, blocks as u64)?;
    for (d, &length) in src.shape().iter().enumerate() {
        let stride: usize = src.shape()[d + 1..].iter().product();
        let kernel = Kernel::new("nonzero/coordinates", DType::I32);
        let params = |p: &mut Params| {
            p.with([("n", rows), ("columns", src.ndim()), ("column", d), ("length", length), ("stride", stride)]);
            p.offsets([("found", &found), ("table", &out)]);
        };
        gpu.dispatch(&kernel, &[Arg::In(&found), Arg::Out(&out)], &params, (rows as u64).div_ceil(THREADS))?;
    }
    Ok(out)
}
