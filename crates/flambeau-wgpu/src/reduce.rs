//! Reductions of programs.

use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use crate::pointwise::{args, check, count, refuse_zero_divisor};
use flambeau_shaders::map::{Frame, Map, Operand, Walk};
use flambeau_shaders::{Kernel, Parameter};
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::calls::Reduce;
use flambeau_tensor::dims::Dims;
use flambeau_tensor::plan::Plan;
use flambeau_tensor::pointwise::IDENTITY;
use flambeau_tensor::{Array, Result};
use smallvec::SmallVec;

/// Values that one thread combines before a line is split.
const PER_THREAD: u32 = 64;
/// Threads that a GPU should have; lines are split until there are as many.
const ENOUGH_THREADS: u32 = 1 << 18;
/// The most workgroups that share a line.
const MOST_SPLITS: u32 = 1024;
/// Lines from this length on get a workgroup each.
const LONG: u32 = 32;

/// The place of an operation in `library/reduce.wgsl`.
fn code(op: ReduceOp) -> u32 {
    match op {
        ReduceOp::Sum => 0,
        ReduceOp::Prod => 1,
        ReduceOp::Max => 2,
        ReduceOp::Min => 3,
        ReduceOp::Any => 4,
        ReduceOp::All => 5,
    }
}

/// How results are shared among threads.
struct Shape {
    kernel: &'static str,
    threads: u32,
    splits: u32,
    chunk: u32,
}

/// Reduces; see [`flambeau_tensor::Backend::reduce`].
pub(crate) fn reduce(call: &Reduce<'_>) -> Result<()> {
    let Reduce { op, program, compute, inputs, scalars, dims, out } = *call;
    let gpu = Gpu::of(out)?;
    check(program, compute)?;
    refuse_zero_divisor(program, compute, scalars)?;
    let full: Dims = inputs.first().map_or(out.shape(), |a| a.shape()).into();
    let mut operands: SmallVec<[&[usize]; 8]> = inputs.iter().map(|a| a.strides()).collect();
    operands.push(out.strides());
    // The larger the stride, the further out is a dimension.
    let key = |d: usize| inputs.iter().map(|a| a.strides()[d]).find(|&s| s != 0).unwrap_or(0);
    let mut order: Dims = (0..full.len()).collect();
    order.sort_by_key(|&d| std::cmp::Reverse(key(d)));
    let (reduced, kept): (Dims, Dims) = order.iter().copied().partition(|d| dims.contains(d));
    let (plan, ranks) = Plan::grouped(&full, &operands, &[&kept, &reduced]);
    let (kept_rank, reduced_rank) = (ranks[0], ranks[1]);
    let results = count(gpu, &plan.shape[..kept_rank])?;
    let length = count(gpu, &plan.shape[kept_rank..kept_rank + reduced_rank])?;
    let along = order.last().is_some_and(|d| dims.contains(d));
    let shape = share(results, length, along);
    // Bools and small integers combine in words; halves in f32.
    let acc = out.dtype().compute();
    let scratch = match shape.splits {
        1 => None,
        splits => {
            let lengths = [results as usize, splits as usize];
            Some(Array::empty(out.backend(), out.device(), &lengths, acc)?)
        }
    };
    let target = scratch.as_ref().unwrap_or(out);
    let strided = |a: &&Array| Operand { dtype: a.dtype(), walk: Walk::Strided };
    let map = Map {
        structure: program.structure(compute),
        compute,
        inputs: inputs.iter().map(strided).collect(),
        outputs: SmallVec::from_iter([strided(&target)]),
        frame: Frame::Reduce { kept: kept_rank as u8, reduced: reduced_rank as u8 },
    };
    let reports = map.reports();
    let kernel = Kernel::new(shape.kernel, target.dtype())
        .with_map(map)
        .with("OP", code(op))
        .with("SPLIT", scratch.is_some())
        .with("THREADS", shape.threads);
    let params = |p: &mut Params| {
        p.with([("results", results), ("reduced", length), ("splits", shape.splits), ("chunk", shape.chunk)]);
        p.map(&kernel, scalars, |parameter| match parameter {
            Parameter::Length { dim } => plan.shape[dim],
            Parameter::Offset { array, .. } => inputs.get(array).unwrap_or(&target).offset(),
            Parameter::Stride { array, dim } => plan.strides[array][dim],
            _ => unreachable!("a reduction has no {parameter:?}"),
        });
    };
    let outs = [target];
    let mut args: SmallVec<[Arg<'_>; 8]> = args(inputs, &outs).collect();
    args.extend(reports.then_some(Arg::Status));
    let jobs = u64::from(results) * u64::from(shape.splits);
    let groups = if shape.kernel == "reduce/lines" { jobs } else { jobs.div_ceil(u64::from(shape.threads)) };
    gpu.dispatch(&kernel, &args, &params, groups)?;
    let Some(scratch) = &scratch else { return Ok(()) };
    // The second launch sees the scratch as lines of `splits` values, and the results through `out`'s view.
    let lengths: Dims = plan.shape[..kept_rank].iter().copied().chain([shape.splits as usize]).collect();
    let scratch = scratch.view(&lengths.iter().map(|&n| n as i64).collect::<SmallVec<[i64; 6]>>())?;
    let strides: Dims = plan.strides[inputs.len()][..kept_rank].iter().copied().chain([1]).collect();
    let ones: Dims = plan.shape[..kept_rank].iter().copied().chain([1]).collect();
    let out = Array::from_parts(out.storage().clone(), out.dtype(), ones, strides, out.offset())?;
    reduce(&Reduce {
        op,
        program: &IDENTITY,
        compute: acc,
        inputs: &[&scratch],
        scalars: &[],
        dims: &[kept_rank],
        out: &out,
    })
}

/// Shares `results` lines of `length` values among threads; `along` tells whether neighbours in memory are in one line.
fn share(results: u32, length: u32, along: bool) -> Shape {
    let lines = along && length >= LONG || results < 64 && length >= 4 * LONG;
    let threads = match (lines, length) {
        (true, 0..256) => 32,
        (true, _) => 256,
        _ => 64,
    };
    let workers = if lines { results.saturating_mul(threads) } else { results };
    let least = PER_THREAD * if lines { threads } else { 1 };
    let wanted = (ENOUGH_THREADS / workers.max(1)).clamp(1, MOST_SPLITS);
    let splits = length.div_ceil(least).clamp(1, wanted);
    let chunk = length.div_ceil(splits).max(1);
    // Rounding up may leave the last ones without work.
    let splits = length.div_ceil(chunk).max(1);
    Shape { kernel: if lines { "reduce/lines" } else { "reduce/columns" }, threads, splits, chunk }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn every_value_has_one_thread() {
        for results in [1, 10, 100, 100_000] {
            for length in [0, 1, 31, 32, 1000, 4096, 1 << 20, 5_000_001] {
                for along in [false, true] {
                    let s = share(results, length, along);
                    assert!(s.splits * s.chunk >= length, "{results} {length}");
                    assert!((s.splits - 1) * s.chunk < length.max(1), "{results} {length}");
                }
            }
        }
    }
}
