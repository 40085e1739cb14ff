//! Running sums and products.

use crate::gpu::{Arg, Gpu};
use crate::lines::{Lines, Place};
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::backend::ScanOp;
use flambeau_tensor::calls::Scan;
use flambeau_tensor::{Array, DType, Result};

/// Elements of a line that one workgroup runs over, where there are too few lines to fill a GPU.
const TILE: usize = 4 << 10;
/// So many lines are enough with a workgroup each.
const MANY: usize = 512;

/// [`flambeau_tensor::Backend::scan`] on this device. Floats are accumulated in f32 (f64 for itself) and by parts, where the CPU takes
/// f64 and the order of the elements; each result is rounded to the output's dtype.
pub fn scan(call: &Scan<'_>) -> Result<()> {
    let Scan { op, src, dim, out } = *call;
    along(op, &src.to_dtype(out.dtype())?.contiguous()?, dim, out)
}

/// Dense arrays of one dtype. A line that is cut in tiles is read twice: for what each tile adds up to, and to run over it
/// from what those before add up to.
fn along(op: ScanOp, src: &Array, dim: usize, out: &Array) -> Result<()> {
    let gpu = Gpu::of(out)?;
    let lines = Lines::new(src, dim);
    let tile = if lines.count < MANY { lines.n.min(TILE) } else { lines.n };
    let tiles = lines.n.div_ceil(tile);
    let place = Place::new(lines.count * tiles, tile, lines.inner);
    let wide = wide(src.dtype());
    let carries = match tiles {
        1 => None,
        _ => {
            let totals = Array::empty(out.backend(), out.device(), &[lines.count, tiles - 1], wide)?;
            let kernel = place.of(kernel("scan_totals", op, src.dtype()));
            let params = |p: &mut Params| {
                lines.params(p).with([("tile", tile), ("tiles", tiles)]).offsets([("x", src), ("totals", &totals)]);
            };
            let groups = place.groups(lines.count * (tiles - 1));
            gpu.dispatch(&kernel, &[Arg::In(src), Arg::Out(&totals)], &params, groups)?;
            let carries = Array::empty(out.backend(), out.device(), totals.shape(), wide)?;
            along(op, &totals, 1, &carries)?;
            Some(carries)
        }
    };
    let kernel = place.of(kernel("scan", op, src.dtype()).with("CARRIED", carries.is_some()));
    // Without carries the kernel reads none; the binding needs some buffer.
    let carried = carries.as_ref().unwrap_or(src);
    let params = |p: &mut Params| {
        lines.params(p).with([("tile", tile), ("tiles", tiles)]).offsets([
            ("x", src),
            ("carries", carried),
            ("y", out),
        ]);
    };
    let args = [Arg::In(src), Arg::In(carried), Arg::Out(out)];
    gpu.dispatch(&kernel, &args, &params, place.groups(lines.count * tiles))?;
    Ok(())
}

fn kernel(name: &'static str, op: ScanOp, dtype: DType) -> Kernel {
    Kernel::new(name, dtype).with_type("S", wide(dtype)).with("PROD", op == ScanOp::Prod)
}

/// The dtype that kernels compute in.
fn wide(dtype: DType) -> DType {
    if dtype.is_floating_point() || dtype == DType::I64 { dtype.compute() } else { DType::I32 }
}
