//! Pointwise calls: dtypes, broadcasting, fresh and given outputs.

use super::layout::result_strides;
use super::overlap::{are_apart, check_no_internal_overlap, check_no_partial_overlap, in_order, without_repeats};
use super::same_device;
use crate::backend::PointwiseList;
use crate::calls::{Checked, CopyTo, Map, MapLists, check_program};
use crate::dims::{Dims, broadcast_shapes};
use crate::pointwise::{IDENTITY, Pointwise};
use crate::promotion::{ResultType, can_cast};
use crate::{Array, DType, Error, Result, Scalar};
use smallvec::SmallVec;
use std::sync::LazyLock;

/// Inputs of one call, viewed in one shape.
pub(super) type Inputs = SmallVec<[Array; 4]>;

/// The operands' common dtype by PyTorch's rules; masks take no part.
pub fn common_dtype(program: &Pointwise, inputs: &[&Array], scalars: &[Scalar]) -> DType {
    let tensors = inputs.iter().enumerate().filter(|&(i, _)| !program.is_mask(i));
    let result = tensors.fold(ResultType::default(), |r, (_, a)| r.tensor(a.dtype(), a.ndim()));
    scalars.iter().fold(result, |r, &s| r.number(s)).finish()
}

/// The shape that the inputs broadcast to.
pub(super) fn common_shape(inputs: &[&Array]) -> Result<Dims> {
    let mut shape: Dims = inputs.first().map_or_else(Dims::new, |a| a.shape().into());
    for a in &inputs[1.min(inputs.len())..] {
        if a.shape() != shape.as_slice() {
            shape = broadcast_shapes(&shape, a.shape())?;
        }
    }
    Ok(shape)
}

/// Views every input in `shape`.
pub(super) fn expand_all(inputs: &[&Array], shape: &[usize]) -> Result<Inputs> {
    inputs.iter().map(|a| if a.shape() == shape { Ok((*a).clone()) } else { a.broadcast_to(shape) }).collect()
}

/// A call whose dtypes and shape are settled.
struct Prepared {
    compute: DType,
    result: DType,
    shape: Dims,
    strides: Dims,
    /// The inputs in the result's shape, where one had another.
    expanded: Option<Inputs>,
}

impl Prepared {
    fn new(program: &Pointwise, inputs: &[&Array], scalars: &[Scalar]) -> Result<Self> {
        check_program(program, inputs.len(), scalars.len())?;
        same_device(inputs)?;
        let Some(first) = inputs.first() else {
            return Err(Error::runtime("a fresh result takes its device from an input, of which there is none"));
        };
        let (compute, result) = program.dtypes(common_dtype(program, inputs, scalars));
        let uniform = inputs.iter().all(|a| a.shape() == first.shape());
        if uniform {
            let (shape, strides) = (Dims::from_slice(first.shape()), result_strides(first.shape(), inputs));
            return Ok(Prepared { compute, result, shape, strides, expanded: None });
        }
        let shape = common_shape(inputs)?;
        let expanded = expand_all(inputs, &shape)?;
        let strides = result_strides(&shape, &expanded.iter().collect::<SmallVec<[&Array; 4]>>());
        Ok(Prepared { compute, result, shape, strides, expanded: Some(expanded) })
    }

    fn alloc(&self, like: &Array) -> Result<Array> {
        Array::empty_gapless(like.backend(), like.device(), &self.shape, &self.strides, self.result)
    }

    fn run(&self, program: &Pointwise, inputs: &[&Array], scalars: &[Scalar], outs: &[&Array]) -> Result<()> {
        if self.shape.contains(&0) {
            return Ok(());
        }
        let backend = outs[0].backend();
        // The inputs lie on one device and were brought to one shape; the outputs are fresh arrays of it.
        let run = |inputs: &[&Array]| {
            backend.pointwise(&Checked::established(Map { program, compute: self.compute, inputs, scalars, outs }))
        };
        match &self.expanded {
            None => run(inputs),
            Some(expanded) => run(&expanded.iter().collect::<SmallVec<[&Array; 4]>>()),
        }
    }
}

/// Runs a program of one output into a fresh array, with the dtype that its rule gives.
///
/// # Errors
/// When the inputs do not broadcast or lie on several devices.
pub fn pointwise(program: &Pointwise, inputs: &[&Array], scalars: &[Scalar]) -> Result<Array> {
    let call = Prepared::new(program, inputs, scalars)?;
    check_outputs(program, 1)?;
    let out = call.alloc(inputs[0])?;
    call.run(program, inputs, scalars, &[&out])?;
    Ok(out)
}

/// Runs a program into given views (in-place operations, `out=`). An output may be the very view of an input. Inputs with
/// gaps that overlap an output are copied first; an output whose elements overlap, as those of `unfold`, is written in order.
///
/// # Errors
/// When the inputs do not broadcast to the outputs' shape, an output cannot hold the result's dtype or repeats an element,
/// or an input's block of memory overlaps an output's.
pub fn pointwise_into(program: &Pointwise, inputs: &[&Array], scalars: &[Scalar], outs: &[&Array]) -> Result<()> {
    check_program(program, inputs.len(), scalars.len())?;
    check_outputs(program, outs.len())?;
    outs.iter().try_for_each(|out| check_no_internal_overlap(out))?;
    for out in outs {
        inputs.iter().try_for_each(|input| check_no_partial_overlap(out, input))?;
    }
    pointwise_into_repeats(program, inputs, scalars, outs)
}

/// [`pointwise_into`] without the checks of shared memory: for programs that write one value wherever they write.
///
/// # Errors
/// When the inputs do not broadcast to the outputs' shape, or an output cannot hold the result's dtype.
pub fn pointwise_into_repeats(
    program: &Pointwise,
    inputs: &[&Array],
    scalars: &[Scalar],
    outs: &[&Array],
) -> Result<()> {
    check_program(program, inputs.len(), scalars.len())?;
    check_outputs(program, outs.len())?;
    let all: SmallVec<[&Array; 6]> = inputs.iter().chain(outs).copied().collect();
    same_device(&all)?;
    let (compute, result) = program.dtypes(common_dtype(program, inputs, scalars));
    let shape = outs[0].shape();
    check_outs(result, outs.iter().copied())?;
    let backend = outs[0].backend();
    let run = |inputs: &[&Array], outs: &[&Array]| {
        backend.pointwise(&Checked::established(Map { program, compute, inputs, scalars, outs }))
    };
    // The everyday call writes to a whole array what arrays of its shape hold, each of them the target itself or elsewhere.
    let apart = |a: &Array, out: &Array| !a.storage().ptr_eq(out.storage()) || a.same_view(out);
    if let [out] = outs
        && out.is_contiguous()
        && inputs.iter().all(|a| a.shape() == shape && apart(a, out))
    {
        return if shape.contains(&0) { Ok(()) } else { run(inputs, outs) };
    }
    let common = common_shape(&all[..inputs.len()])?;
    if common.as_slice() != shape && broadcast_shapes(&common, shape)?.as_slice() != shape {
        return Err(Error::runtime(format!(
            "output with shape {shape:?} doesn't match the broadcast shape {:?}",
            broadcast_shapes(&common, shape)?.as_slice()
        )));
    }
    if shape.contains(&0) {
        return Ok(());
    }
    let mut inputs = expand_all(inputs, shape)?;
    for input in &mut inputs {
        if outs.iter().any(|out| collide(input, out)) {
            *input = input.copy()?;
        }
    }
    if are_apart(outs) {
        return run(&inputs.iter().collect::<SmallVec<[&Array; 4]>>(), outs);
    }
    let all: SmallVec<[&Array; 6]> = inputs.iter().chain(outs.iter().copied()).collect();
    in_order(&all, outs.len(), run)
}

/// Checks that there is one array for each result of a program.
fn check_outputs(program: &Pointwise, count: usize) -> Result<()> {
    match program.outputs().len() {
        n if n == count && n > 0 => Ok(()),
        n => Err(Error::runtime(format!("a pointwise program of {n} results got {count} arrays for them"))),
    }
}

/// Runs a program once for each list of arrays, all of a list in one shape: in one launch where the device can. An output
/// may be the very view of an input of its list; inputs that overlap it otherwise are copied first.
///
/// # Errors
/// When a list's arrays differ in shape or device, or an output cannot hold the result's dtype.
pub fn pointwise_lists(program: &Pointwise, lists: &[PointwiseList], scalars: &[Scalar]) -> Result<()> {
    for list in lists {
        check_program(program, list.inputs.len(), scalars.len())?;
        check_outputs(program, list.outs.len())?;
    }
    let mut rest = lists;
    while let Some(first) = rest.first() {
        let (compute, result) = settle(program, first, scalars);
        let like_first = |list: &&PointwiseList| {
            list.outs[0].device() == first.outs[0].device() && settle(program, list, scalars) == (compute, result)
        };
        let mut batch: Vec<PointwiseList> = Vec::new();
        for list in rest.iter().take_while(like_first) {
            // Lists of one call run side by side: none may write what another uses.
            if batch.iter().any(|other| writes_into(other, list) || writes_into(list, other)) {
                break;
            }
            batch.push(prepared(list, result)?);
        }
        rest = &rest[batch.len()..];
        batch.retain(|list| list.outs[0].numel() > 0);
        if let Some(list) = batch.first() {
            let call = MapLists { program, compute, lists: &batch, scalars };
            list.outs[0].backend().pointwise_lists(&Checked::established(call))?;
        }
    }
    Ok(())
}

/// Whether an output of one list shares memory with an array of another.
fn writes_into(list: &PointwiseList, other: &PointwiseList) -> bool {
    let meet = |a: &Array, b: &Array| a.storage().ptr_eq(b.storage()) && a.may_overlap(b);
    list.outs.iter().any(|out| other.inputs.iter().chain(&other.outs).any(|a| meet(out, a)))
}

/// The dtype to compute a list in, and that of its results.
fn settle(program: &Pointwise, list: &PointwiseList, scalars: &[Scalar]) -> (DType, DType) {
    let inputs: SmallVec<[&Array; 4]> = list.inputs.iter().collect();
    program.dtypes(common_dtype(program, &inputs, scalars))
}

/// A list after its checks, with copies of the inputs that overlap an output.
fn prepared(list: &PointwiseList, result: DType) -> Result<PointwiseList> {
    let all: SmallVec<[&Array; 8]> = list.inputs.iter().chain(&list.outs).collect();
    same_device(&all)?;
    let shape = list.outs[0].shape();
    if let Some(other) = all.iter().find(|a| a.shape() != shape) {
        return Err(Error::runtime(format!("a list has arrays of shapes {shape:?} and {:?}", other.shape())));
    }
    check_outs(result, list.outs.iter())?;
    list.outs.iter().try_for_each(check_separate)?;
    let input = |a: &Array| if list.outs.iter().any(|out| collide(a, out)) { a.copy() } else { Ok(a.clone()) };
    Ok(PointwiseList { inputs: list.inputs.iter().map(input).collect::<Result<_>>()?, outs: list.outs.clone() })
}

/// Whether an input shares memory with an output, but not as the very same view.
fn collide(input: &Array, out: &Array) -> bool {
    out.may_overlap(input) && !out.same_view(input)
}

/// Checks that results of some dtype can be written to arrays, all of one shape, that share no memory with each other.
fn check_outs<'a>(result: DType, outs: impl Iterator<Item = &'a Array> + Clone) -> Result<()> {
    let mut rest = outs.clone();
    while let Some(out) = rest.next() {
        if !can_cast(result, out.dtype()) {
            return Err(Error::ResultCast { from: result, to: out.dtype() });
        }
        for other in rest.clone() {
            if other.shape() != out.shape() {
                return Err(Error::runtime(format!("results of shapes {:?} and {:?}", out.shape(), other.shape())));
            }
            if out.may_overlap(other) {
                return Err(Error::runtime("two results of one program share memory"));
            }
        }
    }
    Ok(())
}

/// Refuses outputs whose elements share memory in any way: lists of arrays are not written in order.
fn check_separate(out: &Array) -> Result<()> {
    check_no_internal_overlap(out)?;
    match out.is_contiguous() || out.is_non_overlapping() {
        true => Ok(()),
        false => Err(Error::runtime("a fused update needs tensors whose elements do not share memory")),
    }
}

static FILL: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.scalar(0)));

/// Writes one value to every element of a view, which may show an element several times.
///
/// # Errors
/// When the dtype does not hold the value.
pub fn fill(out: &Array, value: Scalar) -> Result<()> {
    let value = value.checked(out.dtype())?;
    if out.numel() == 0 {
        return Ok(());
    }
    let run = |_: &[&Array], outs: &[&Array]| {
        let call = Map { program: &FILL, compute: out.dtype(), inputs: &[], scalars: &[value], outs };
        out.backend().pointwise(&Checked::established(call))
    };
    in_order(&[&without_repeats(out)], 1, run)
}

/// out = src with broadcasting and conversion: `Tensor.copy_`. Copies between devices.
///
/// # Errors
/// When the source does not broadcast to the output's shape, the output repeats an element, or the source's block of memory
/// overlaps the output's.
pub fn copy_into(src: &Array, out: &Array) -> Result<()> {
    if src.same_view(out) {
        return Ok(());
    }
    check_no_internal_overlap(out)?;
    check_no_partial_overlap(out, src)?;
    let mut src = if src.shape() == out.shape() { src.clone() } else { src.broadcast_to(out.shape())? };
    if out.numel() == 0 {
        return Ok(());
    }
    if src.device() != out.device() {
        let dense = src.to_dtype(out.dtype())?.contiguous()?;
        let mut bytes = vec![0; dense.numel() * dense.dtype().size()];
        dense.backend().download(&dense, &mut bytes)?;
        if out.is_contiguous() {
            return out.backend().upload(&bytes, out);
        }
        let staged = Array::empty(out.backend(), out.device(), out.shape(), out.dtype())?;
        out.backend().upload(&bytes, &staged)?;
        src = staged;
    }
    if src.may_overlap(out) {
        src = src.copy()?;
    }
    in_order(&[&src, out], 1, |src, out| {
        out[0].backend().copy(&Checked::established(CopyTo { src: src[0], out: out[0] }))
    })
}

/// The program of a plain copy, for callers that need a map stage without a map.
pub(super) fn identity() -> &'static Pointwise {
    &IDENTITY
}
