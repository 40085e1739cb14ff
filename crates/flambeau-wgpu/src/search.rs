//! Places in sorted boundaries.

use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::calls::SearchSorted;
use flambeau_tensor::{DType, Result};

/// Threads of a workgroup.
const THREADS: usize = 64;

/// [`flambeau_tensor::Backend::search_sorted`] on this device.
pub(crate) fn search_sorted(call: &SearchSorted<'_>) -> Result<()> {
    let SearchSorted { boundaries, values, right, out } = *call;
    let ((n, m), count) = (call.lengths(), values.numel());
    let words = if out.dtype() == DType::I64 { 2 } else { 1 };
    let kernel = Kernel::new("search", values.dtype()).with("RIGHT", right).with("WIDE", words == 2);
    let params = |p: &mut Params| {
        p.with([("count", count), ("n", n), ("m", m)])
            .offsets([("boundaries", boundaries), ("values", values)])
            .with([("out_offset", words * out.offset())]);
    };
    let args = [Arg::In(boundaries), Arg::In(values), Arg::Out(out)];
    Gpu::of(out)?.dispatch(&kernel, &args, &params, count.div_ceil(THREADS) as u64)?;
    Ok(())
}
