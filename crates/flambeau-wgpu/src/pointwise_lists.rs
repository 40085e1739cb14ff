//! One program over many lists of arrays: an optimizer's step in one launch.

use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use crate::pointwise::{THREADS, check, count, pointwise, refuse_zero_divisor};
use crate::recorder::UNIFORM_BYTES;
use flambeau_shaders::map::{Frame, Map, Operand, Walk};
use flambeau_shaders::{Kernel, Parameter};
use flambeau_tensor::backend::PointwiseList;
use flambeau_tensor::calls::{self, MapLists};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Result, Scalar};
use smallvec::SmallVec;

/// Lists of one launch, at most: each is written out in the kernel's text.
const MAX_LISTS: usize = 16;
/// From so many elements on a list gets a launch of its own, with wide loads: there the launch costs nothing.
const LARGE: usize = 1 << 20;
/// Words of parameters that a launch may have.
const MAX_WORDS: usize = UNIFORM_BYTES as usize / 4;

/// What launches have in common that can be merged.
#[derive(PartialEq)]
struct LaunchKind {
    inputs: SmallVec<[DType; 4]>,
    outs: SmallVec<[DType; 4]>,
    /// For each output the input that is the same view.
    targets: SmallVec<[Option<u8>; 4]>,
}

/// Runs a program for each list; see [`flambeau_tensor::Backend::pointwise_lists`].
pub(crate) fn pointwise_lists(call: &MapLists<'_>) -> Result<()> {
    let MapLists { program, compute, lists, scalars } = *call;
    check(program, compute)?;
    let mut rest = lists;
    while let Some(first) = rest.first() {
        let gpu = Gpu::of(&first.outs[0])?;
        let kind = kind(first);
        let same = rest.iter().take_while(|list| kind.is_some() && self::kind(list) == kind).count();
        let Some(kind) = kind.filter(|_| same > 1) else {
            let (inputs, outs): (SmallVec<[&Array; 4]>, SmallVec<[&Array; 4]>) =
                (first.inputs.iter().collect(), first.outs.iter().collect());
            pointwise(&calls::Map { program, compute, inputs: &inputs, scalars, outs: &outs })?;
            rest = &rest[1..];
            continue;
        };
        let bound = kind.inputs.len() + kind.targets.iter().filter(|t| t.is_none()).count();
        // One binding and one parameter are kept for what a program may need besides.
        let by_bindings = (gpu.max_bindings - 1) / bound;
        let by_words = (MAX_WORDS - 2 - 2 * scalars.len()) / (1 + bound);
        let taken = same.min(MAX_LISTS).min(by_bindings).min(by_words).max(1);
        launch(gpu, program, compute, &kind, &rest[..taken], scalars)?;
        rest = &rest[taken..];
    }
    Ok(())
}

/// The kind of a list whose arrays all lie in the same order without gaps, unless it is large.
fn kind(list: &PointwiseList) -> Option<LaunchKind> {
    let first = &list.outs[0];
    if first.numel() >= LARGE {
        return None;
    }
    let mut all = list.inputs.iter().chain(&list.outs);
    if !first.is_non_overlapping() || !all.all(|a| a.strides() == first.strides()) {
        return None;
    }
    // Dense, if not row-major: the strides reach exactly the number of elements.
    let reach: usize = first.shape().iter().zip(first.strides()).map(|(&n, &s)| n.saturating_sub(1) * s).sum();
    if reach + 1 != first.numel() {
        return None;
    }
    let target = |out: &Array| list.inputs.iter().position(|input| input.same_view(out)).map(|i| i as u8);
    Some(LaunchKind {
        inputs: list.inputs.iter().map(Array::dtype).collect(),
        outs: list.outs.iter().map(Array::dtype).collect(),
        targets: list.outs.iter().map(target).collect(),
    })
}

fn launch(
    gpu: &Gpu,
    program: &Pointwise,
    compute: DType,
    kind: &LaunchKind,
    lists: &[PointwiseList],
    scalars: &[Scalar],
) -> Result<()> {
    let dense = |&dtype: &DType| Operand { dtype, walk: Walk::Dense };
    let mut args: SmallVec<[Arg<'_>; 32]> = SmallVec::new();
    let mut ends: SmallVec<[u64; MAX_LISTS]> = SmallVec::new();
    for list in lists {
        ends.push(ends.last().unwrap_or(&0) + u64::from(count(gpu, list.outs[0].shape())?));
        for (i, input) in list.inputs.iter().enumerate() {
            let written = kind.targets.contains(&Some(i as u8));
            args.push(if written { Arg::Out(input) } else { Arg::In(input) });
        }
        let own = list.outs.iter().zip(&kind.targets).filter(|(_, target)| target.is_none());
        args.extend(own.map(|(out, _)| Arg::Out(out)));
    }
    let end = ends.last().copied().unwrap_or(0);
    let map = Map {
        structure: program.structure(compute),
        compute,
        inputs: kind.inputs.iter().map(dense).collect(),
        outputs: kind.outs.iter().map(dense).collect(),
        frame: Frame::Lists { lists: lists.len() as u8, targets: kind.targets.clone() },
    };
    refuse_zero_divisor(program, compute, scalars)?;
    args.extend(map.reports().then_some(Arg::Status));
    let kernel = Kernel::mapped("pointwise", map).with("PER_THREAD", 1u32);
    let params = |p: &mut Params| {
        p.with([("n", end as u32)]).map(&kernel, scalars, |parameter| match parameter {
            Parameter::End { list } => ends[list] as usize,
            Parameter::Offset { list, array } => {
                let PointwiseList { inputs, outs } = &lists[list];
                inputs.get(array).unwrap_or_else(|| &outs[array - inputs.len()]).offset()
            }
            _ => unreachable!("lists have no {parameter:?}"),
        });
    };
    Ok(gpu.dispatch(&kernel, &args, &params, end.div_ceil(THREADS))?)
}
