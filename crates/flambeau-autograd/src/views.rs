//! Views that share a history with their base, and in-place operations that rewrite it.
//!
//! A view remembers the tensor that it shows a part of (the root, never another view). Writing to a view in place gives
//! the base a new history, `CopySlices`, and every other view notices by the storage's version that its own `grad_fn` is
//! stale and makes a new one, `AsStridedBackward0`, from the base. The source is PyTorch's `autograd/variable.cpp`.

use crate::error::{Error, Result};
use crate::graph::{Context, Edge, Function, Grads, Meta, Save, View, record, record_node, recording};
use crate::{Tensor, ops};
use flambeau_tensor::Array;
use smallvec::{SmallVec, smallvec};
use std::panic::Location;

/// Records an operation whose result is a view of its input.
pub(crate) fn record_view(
    name: &'static str,
    input: &Tensor,
    view: Array,
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Tensor {
    let out = record(name, &[input], &[], view, backward);
    let seen = out.version();
    out.meta().set_view(View { base: base_of(input), seen });
    out
}

fn base_of(tensor: &Tensor) -> Tensor {
    tensor.base().unwrap_or_else(|| tensor.clone())
}

/// A fresh `grad_fn` for a view whose base was written to.
pub(crate) fn regenerate(view: &Tensor, base: &Tensor) -> Edge {
    let geometry = ops::Strided::of(&view.array());
    let base_geometry = ops::Strided::of(&base.array());
    let backward =
        move |c: &Context<'_>| Ok(smallvec![Some(ops::strided_scatter(&c.grad(0)?, &geometry, &base_geometry)?)]);
    let node = record_node("AsStridedBackward0", &[base], &[], backward).finish(&[view.array().clone()]);
    Edge { node, output: 0 }
}

/// Refuses in-place operations on leaves that require grad, and on their views.
pub(crate) fn check_in_place(target: &Tensor) -> Result<()> {
    if !target.requires_grad() || !crate::is_grad_enabled() {
        return Ok(());
    }
    match target.base() {
        Some(base) if base.requires_grad() && base.is_leaf() => Err(Error::LeafViewInPlace),
        None if target.is_leaf() => Err(Error::LeafInPlace),
        _ => Ok(()),
    }
}

/// Runs an operation that writes to `target`, and records it. `saves` refers to what the backward needs; where that is the
/// target's old value, the caller saves a copy.
#[track_caller]
pub(crate) fn in_place(
    name: &'static str,
    target: &Tensor,
    others: &[&Tensor],
    saves: &[Save<'_>],
    write: impl FnOnce() -> Result<()>,
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Result<()> {
    let location = Location::caller();
    let inputs: SmallVec<[&Tensor; 4]> = std::iter::once(target).chain(others.iter().copied()).collect();
    if !recording(&inputs) {
        write()?;
        target.array().storage().bump_version(location);
        return Ok(());
    }
    check_in_place(target)?;
    let mut recorded = record_node(name, &inputs, saves, backward);
    write()?;
    target.array().storage().bump_version(location);
    let Some(base) = target.base() else {
        let node = recorded.finish(&[target.array().clone()]);
        set_history(target.meta(), Edge { node, output: 0 });
        return Ok(());
    };
    // The function's own first edge is replaced: what flows to the view's old value flows on to the base's.
    recorded.route_first();
    let function = recorded.finish(&[target.array().clone()]);
    let geometry = ops::Strided::of(&target.array());
    let base_geometry = ops::Strided::of(&base.array());
    let copy_slices = {
        let inputs: SmallVec<[&Tensor; 4]> = std::iter::once(&base).chain(others.iter().copied()).collect();
        let backward = move |c: &Context<'_>| {
            let all = ops::to_strided(&c.grad(0)?, &base_geometry)?;
            let part =
                ops::as_strided(&all, &geometry.shape, &geometry.strides, all_offset(&geometry, &base_geometry)?)?;
            let Function::Backward(backward) = &function.function else { unreachable!("an operation was recorded") };
            let mut grads = function.run(&[Some(ops::clone(&part)?)], backward)?;
            match grads[0].take() {
                Some(g) => ops::copy_(&part, &g)?,
                None => ops::zero_(&part)?,
            };
            grads[0] = Some(all);
            Ok(grads)
        };
        record_node("CopySlices", &inputs, &[], backward).finish(&[base.array().clone()])
    };
    set_history(base.meta(), Edge { node: copy_slices, output: 0 });
    let edge = regenerate(target, &base);
    set_history(target.meta(), edge);
    if let Some(view) = &mut target.meta().state().view {
        view.seen = target.version();
    }
    Ok(())
}

/// Where a view begins in a copy of its base that begins at zero.
fn all_offset(view: &ops::Strided, base: &ops::Strided) -> Result<usize> {
    view.offset.checked_sub(base.offset).ok_or_else(|| {
        // `as_strided` reaches before a base that is no storage's first element.
        Error::runtime(format!("Tensor: invalid storage offset -{}", base.offset.abs_diff(view.offset)))
    })
}

fn set_history(meta: &Meta, edge: Edge) {
    meta.state().grad_fn = Some(edge);
    meta.set_tracked(true);
}

impl Tensor {
    /// The tensor that this one is a view of: `x._base`.
    pub fn base(&self) -> Option<Tensor> {
        self.meta_if_any()?.state().view.as_ref().map(|v| v.base.clone())
    }

    /// Whether the tensor is a view of another: `x._is_view()`.
    pub fn is_view(&self) -> bool {
        self.base().is_some()
    }
}
