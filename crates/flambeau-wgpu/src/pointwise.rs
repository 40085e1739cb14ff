//! Pointwise programs: operands merged to few dimensions, then one launch.

use crate::error::Error;
use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_shaders::Parameter;
use flambeau_shaders::functions;
use flambeau_shaders::map::{Frame, Map, Operand, Walk, divisors, number_words};
use flambeau_tensor::calls::{self, RefuseWhere};
use flambeau_tensor::dims::is_contiguous;
use flambeau_tensor::plan::Plan;
use flambeau_tensor::pointwise::{Node, Pointwise};
use flambeau_tensor::{Array, DType, Finding, Result, Scalar};
use smallvec::SmallVec;

/// Threads per workgroup of `pointwise.wgsl`.
pub(crate) const THREADS: u64 = 256;
/// From so many elements on, a thread computes several.
const MANY: u64 = 1 << 20;

/// Runs a program; see [`flambeau_tensor::Backend::pointwise`].
pub(crate) fn pointwise(call: &calls::Map<'_>) -> Result<()> {
    let calls::Map { program, compute, inputs, scalars, outs } = *call;
    launch(program, compute, inputs, scalars, outs, None)
}

/// [`flambeau_tensor::Backend::refuse_where`] on this device.
pub(crate) fn refuse_where(call: &RefuseWhere<'_>) -> Result<()> {
    let RefuseWhere { program, x, scalars, finding } = *call;
    launch(program, x.dtype(), &[x], scalars, &[], Some(finding))
}

/// Runs a program on arrays of one shape. Without outputs, `finding` is reported where its value is not zero.
fn launch(
    program: &Pointwise,
    compute: DType,
    inputs: &[&Array],
    scalars: &[Scalar],
    outs: &[&Array],
    finding: Option<Finding>,
) -> Result<()> {
    let first = outs.first().or(inputs.first()).expect("a program writes, or is asked about an input");
    let gpu = Gpu::of(first)?;
    check(program, compute)?;
    let operands: SmallVec<[&[usize]; 8]> = outs.iter().chain(inputs).map(|a| a.strides()).collect();
    let mut plan = Plan::unordered(first.shape(), &operands);
    plan.strides.rotate_left(outs.len());
    let n = count(gpu, &plan.shape)?;
    if n == 0 {
        return Ok(());
    }
    refuse_zero_divisor(program, compute, scalars)?;
    let walk = |strides: &[usize]| {
        if is_contiguous(&plan.shape, strides) {
            Walk::Dense
        } else if strides.iter().all(|&s| s == 0) {
            Walk::Single
        } else {
            Walk::Strided
        }
    };
    let arrays: SmallVec<[&Array; 8]> = inputs.iter().chain(outs).copied().collect();
    let walks: SmallVec<[Operand; 8]> =
        arrays.iter().zip(&plan.strides).map(|(a, s)| Operand { dtype: a.dtype(), walk: walk(s) }).collect();
    let strided = walks.iter().any(|o| o.walk == Walk::Strided);
    let wide = !strided
        && n % 4 == 0
        && arrays.iter().zip(&walks).all(|(a, o)| {
            o.walk == Walk::Single || a.offset() % 4 == 0 && flambeau_shaders::stored_size(a.dtype()) == 4
        });
    let rank = if strided { plan.shape.len() } else { 1 };
    let lanes = if wide { 4 } else { 1 };
    let map = Map {
        structure: program.structure(compute),
        compute,
        inputs: walks[..inputs.len()].into(),
        outputs: walks[inputs.len()..].into(),
        frame: Frame::Store { lanes, rank: rank as u8 },
    };
    let steps = u64::from(n) / u64::from(lanes);
    let per_thread = if steps >= MANY { 4 } else { 1 };
    let mut args: SmallVec<[Arg<'_>; 8]> = args(inputs, outs).collect();
    args.extend(map.reports().then_some(Arg::Status));
    let mut kernel = Kernel::mapped("pointwise", map).with("PER_THREAD", per_thread as u32);
    if let Some(finding) = finding {
        kernel = kernel.with("FINDING", finding.code());
    }
    let params = |p: &mut Params| {
        p.with([("n", steps as u32)]).map(&kernel, scalars, |parameter| match parameter {
            Parameter::Length { dim } => plan.shape[dim],
            Parameter::Offset { array, .. } if walks[array].walk == Walk::Dense => {
                arrays[array].offset() / usize::from(lanes)
            }
            Parameter::Offset { array, .. } => arrays[array].offset(),
            Parameter::Stride { array, dim } => plan.strides[array][dim],
            _ => unreachable!("one shape has no {parameter:?}"),
        });
    };
    gpu.dispatch(&kernel, &args, &params, steps.div_ceil(THREADS * per_thread))?;
    Ok(())
}

/// Bindings of a program's arrays.
pub(crate) fn args<'a>(inputs: &'a [&'a Array], outs: &'a [&'a Array]) -> impl Iterator<Item = Arg<'a>> {
    inputs.iter().map(|a| Arg::In(a)).chain(outs.iter().map(|a| Arg::Out(a)))
}

/// Refuses an integer's division by a number that is zero in its dtype, at once; other divisors only the kernel sees.
pub(crate) fn refuse_zero_divisor(program: &Pointwise, compute: DType, scalars: &[Scalar]) -> Result<()> {
    let structure = program.structure(compute);
    let zero = |divisor| match structure.nodes[usize::from(divisor)] {
        Node::Scalar(k) => number_words(compute, scalars[usize::from(k)]) == [0, 0],
        Node::Const(s) => number_words(compute, s) == [0, 0],
        _ => false,
    };
    match divisors(structure, compute).any(zero) {
        true => Err(Finding::ZeroDivision.error(0, 0, 0)),
        false => Ok(()),
    }
}

/// Elements that a shader counts, with room to step over the end.
const MAX_ELEMENTS: u32 = u32::MAX - (1 << 16);

/// Elements of a shape, as a shader counts them.
pub(crate) fn count(gpu: &Gpu, shape: &[usize]) -> Result<u32, Error> {
    let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    n.and_then(|n| u32::try_from(n).ok()).filter(|&n| n <= MAX_ELEMENTS).ok_or_else(|| Error::TooLarge {
        device: gpu.name,
        bytes: n.unwrap_or(usize::MAX),
        limit: u64::from(MAX_ELEMENTS),
    })
}

/// Refuses functions that a dtype does not have. The layer above asks for none, with PyTorch's words.
pub(crate) fn check(program: &Pointwise, compute: DType) -> Result<()> {
    for node in program.nodes() {
        let missing = match node {
            Node::Unary(op, _) if functions::unary(*op, compute).is_none() => format!("{op:?}"),
            Node::Binary(op, _, _) if functions::binary(*op, compute).is_none() => format!("{op:?}"),
            _ => continue,
        };
        return Err(flambeau_tensor::Error::NotImplemented(format!("{missing} is not computed in {compute} on a GPU")));
    }
    Ok(())
}
