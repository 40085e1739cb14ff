//! Memory that operands share: what is refused, in PyTorch's words, and the order in which a view whose elements share
//! memory is written.

use super::layout::order_of;
use crate::dims::Dims;
use crate::{Array, Error, Result};
use smallvec::SmallVec;

/// Refuses a target that shows one element in many places: a stride of zero along a length above one. Other overlaps, such
/// as those of `unfold`, are written in order, as in PyTorch.
pub fn check_no_internal_overlap(out: &Array) -> Result<()> {
    if out.is_contiguous() || !repeats(out) {
        return Ok(());
    }
    Err(Error::runtime(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please \
         clone() the tensor before performing the operation.",
    ))
}

fn repeats(a: &Array) -> bool {
    a.numel() > 0 && a.shape().iter().zip(a.strides()).any(|(&n, &s)| n > 1 && s == 0)
}

/// How the memory of two arrays meets, where that is easy to tell.
#[derive(PartialEq, Eq)]
enum Overlap {
    No,
    /// Both are the same block, element by element.
    Full,
    Partial,
    /// One has gaps or repeats: PyTorch does not look further.
    TooHard,
}

fn overlap(a: &Array, b: &Array) -> Overlap {
    if !a.storage().ptr_eq(b.storage()) || a.numel() == 0 || b.numel() == 0 {
        return Overlap::No;
    }
    if !a.is_dense() || !b.is_dense() {
        return Overlap::TooHard;
    }
    let span = |a: &Array| (a.offset() * a.dtype().size(), (a.offset() + a.numel()) * a.dtype().size());
    let (first, second) = (span(a), span(b));
    if first == second {
        return if a.strides() == b.strides() { Overlap::Full } else { Overlap::Partial };
    }
    if first.0 < second.1 && second.0 < first.1 { Overlap::Partial } else { Overlap::No }
}

fn shared() -> Error {
    Error::runtime(
        "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory \
         location. Please clone() the tensor before performing the operation.",
    )
}

/// Refuses an input that is a block of memory which overlaps the target's block, unless both are the same elements.
pub fn check_no_partial_overlap(out: &Array, input: &Array) -> Result<()> {
    // Most inputs lie elsewhere, or are the target itself.
    if !input.storage().ptr_eq(out.storage()) || input.same_view(out) {
        return Ok(());
    }
    if overlap(out, input) == Overlap::Partial { Err(shared()) } else { Ok(()) }
}

/// As [`check_no_partial_overlap`], for operations that cannot even read what they write.
pub fn check_no_overlap(out: &Array, input: &Array) -> Result<()> {
    if matches!(overlap(out, input), Overlap::Partial | Overlap::Full) { Err(shared()) } else { Ok(()) }
}

/// A target without its repeats: writing one value to it writes it everywhere.
pub(super) fn without_repeats(out: &Array) -> Array {
    if out.is_contiguous() {
        return out.clone();
    }
    let shape = out.shape().iter().zip(out.strides()).map(|(&n, &s)| if s == 0 { n.min(1) } else { n }).collect();
    out.with_view(shape, out.strides().into(), out.offset())
}

/// Whether the elements of each target lie apart, so that their order does not matter.
pub(super) fn are_apart(outs: &[&Array]) -> bool {
    outs.iter().all(|out| out.is_contiguous() || out.is_non_overlapping())
}

/// Calls `run` with all arrays (in one shape, the targets last): once if no target's elements share memory, else part by
/// part in the order of PyTorch's loops, so that a later part sees what an earlier one wrote.
pub(super) fn in_order(
    arrays: &[&Array],
    targets: usize,
    run: impl Fn(&[&Array], &[&Array]) -> Result<()>,
) -> Result<()> {
    let (inputs, outs) = arrays.split_at(arrays.len() - targets);
    if are_apart(outs) {
        return run(inputs, outs);
    }
    let fastest_first = order_of(outs[0].shape(), outs);
    let apart = |kept: &[usize]| outs.iter().all(|out| restricted(out, kept, 0).is_non_overlapping());
    let kept = (0..=fastest_first.len()).rev().find(|&n| apart(&fastest_first[..n])).unwrap_or(0);
    let (kept, looped) = fastest_first.split_at(kept);
    let mut kept: Dims = kept.into();
    kept.sort_unstable();
    let mut at = Dims::from_elem(0, looped.len());
    loop {
        let part = |a: &&Array| restricted(a, &kept, looped.iter().zip(&at).map(|(&d, i)| a.strides()[d] * i).sum());
        let parts: SmallVec<[Array; 4]> = arrays.iter().map(part).collect();
        let parts: SmallVec<[&Array; 4]> = parts.iter().collect();
        let (inputs, outs) = parts.split_at(inputs.len());
        run(inputs, outs)?;
        // Counts up, the fastest dimension first.
        let mut digits = looped.iter().zip(&mut at);
        let carried = digits.all(|(&d, i)| {
            *i = (*i + 1) % arrays[0].shape()[d];
            *i == 0
        });
        if carried {
            return Ok(());
        }
    }
}

/// The array along the dimensions `kept` only, `skip` elements further on.
fn restricted(a: &Array, kept: &[usize], skip: usize) -> Array {
    let pick = |from: &[usize]| kept.iter().map(|&d| from[d]).collect::<Dims>();
    a.with_view(pick(a.shape()), pick(a.strides()), a.offset() + skip)
}
