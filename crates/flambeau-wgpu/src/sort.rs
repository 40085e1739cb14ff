//! Sorting along a dimension, whole or only the first k.

use crate::gpu::{Arg, Gpu};
use crate::lines::{Lines, key_dtype};
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::backend::Extremum;
use flambeau_tensor::calls::Sort;
use flambeau_tensor::{Array, DType, Result};

/// Elements that a workgroup sorts in its memory at most.
const TILE: usize = 1024;
/// Elements that a workgroup has where lines are short.
const FEW: usize = 256;
/// Threads of a workgroup at most.
const THREADS: usize = 256;

/// [`flambeau_tensor::Backend::sort`] on this device. NaN counts as larger than all numbers; equal values keep their order.
pub fn sort(call: &Sort<'_>) -> Result<()> {
    let Sort { first, src, dim, values, indices } = *call;
    let src = src.contiguous()?;
    let lines = Lines::new(&src, dim);
    let k = Lines::new(values, dim).n;
    if k == 0 || lines.count == 0 {
        return Ok(());
    }
    let call = SortCall { largest: first == Extremum::Max, src: &src, lines, k, values, indices };
    if lines.n <= TILE { call.short() } else { call.long() }
}

struct SortCall<'a> {
    largest: bool,
    src: &'a Array,
    lines: Lines,
    k: usize,
    values: &'a Array,
    indices: &'a Array,
}

impl SortCall<'_> {
    /// A kernel that sorts in workgroup memory.
    fn sorter(&self, name: &'static str, size: usize, total: usize) -> Kernel {
        let dtype = self.src.dtype();
        Kernel::new(name, dtype)
            .with_type("K", key_dtype(dtype))
            .with("LARGEST", self.largest)
            .with("SIZE", size as u32)
            .with("TOTAL", total as u32)
            .with("THREADS", (total / 2).min(THREADS) as u32)
    }

    /// Lines that fit in a workgroup's memory: one kernel.
    fn short(&self) -> Result<()> {
        let SortCall { src, lines, k, values, indices, .. } = self;
        let size = lines.n.next_power_of_two();
        let total = size.max(FEW);
        let params = |p: &mut Params| {
            lines.params(p).with([("k", *k)]).offsets([("x", src), ("values", values), ("indices", indices)]);
        };
        let args = [Arg::In(src), Arg::Out(values), Arg::Out(indices)];
        let groups = lines.count.div_ceil(total / size) as u64;
        Gpu::of(src)?.dispatch(&self.sorter("sort", size, total), &args, &params, groups)?;
        Ok(())
    }

    /// Longer lines: tiles are sorted, then merged in pairs, of which only the first k elements are kept.
    fn long(&self) -> Result<()> {
        let SortCall { src, lines, k, values, indices, .. } = self;
        let gpu = Gpu::of(src)?;
        let key = key_dtype(src.dtype());
        let scratch = |dtype| Array::empty(src.backend(), src.device(), &[lines.count, lines.n], dtype);
        let (mut ranks, mut places) = (scratch(key)?, scratch(DType::I32)?);
        let tiles = lines.n.div_ceil(TILE);
        let params = |p: &mut Params| {
            lines.params(p).with([("tiles", tiles)]).offsets([("x", src), ("ranks", &ranks), ("places", &places)]);
        };
        let args = [Arg::In(src), Arg::Out(&ranks), Arg::Out(&places)];
        gpu.dispatch(&self.sorter("sort_tile", TILE, TILE), &args, &params, (lines.count * tiles) as u64)?;

        let (mut to_ranks, mut to_places) = (scratch(key)?, scratch(DType::I32)?);
        let merge = Kernel::new("sort_merge", key);
        let mut run = TILE;
        while run < lines.n {
            let runs = lines.n.div_ceil(run);
            let params = |p: &mut Params| {
                p.with([("lines", lines.count), ("n", lines.n), ("k", *k), ("run", run), ("runs", runs)]);
                p.offsets([("ranks", &ranks), ("places", &places)]);
                p.offsets([("to_ranks", &to_ranks), ("to_places", &to_places)]);
            };
            let args = [Arg::In(&ranks), Arg::In(&places), Arg::Out(&to_ranks), Arg::Out(&to_places)];
            let elements = lines.count * runs * run.min(*k);
            gpu.dispatch(&merge, &args, &params, elements.div_ceil(THREADS) as u64)?;
            std::mem::swap(&mut ranks, &mut to_ranks);
            std::mem::swap(&mut places, &mut to_places);
            run *= 2;
        }

        let params = |p: &mut Params| {
            lines.params(p).with([("k", *k)]);
            p.offsets([("x", src), ("places", &places), ("values", values), ("indices", indices)]);
        };
        let args = [Arg::In(src), Arg::In(&places), Arg::Out(values), Arg::Out(indices)];
        let groups = (lines.count * k).div_ceil(THREADS) as u64;
        gpu.dispatch(&Kernel::new("sort_take", src.dtype()), &args, &params, groups)?;
        Ok(())
    }
}
