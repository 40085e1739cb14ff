//! Views that share a history with their base, and in-place operations that rewrite it.
//!
//! A view remembers the tensor that it shows a part of (the root, never another view). Writing to a view in place gives
//! the base a new history, `CopySlices`, and every other view notices by the storage's version that its own `grad_fn` is
//! stale and makes a new one, `AsStridedBackward0`, from the base. The source is PyTorch's `autograd/variable.cpp`.

use crate::error::{Error, Result};
use crate::graph::{
    Context, Edge, Function, Grads, Meta, Node, OutputInfo, Recorded, Save, State, record, record_node, recording,
    recording_checked,
};
use crate::saved_hooks::catch_fault;
use crate::{Tensor, ops};
use flambeau_tensor::Array;
use smallvec::{SmallVec, smallvec};
use std::panic::Location;
use std::sync::Arc;

/// The tensor that a view shows a part of, the version at which the view's `grad_fn` was right, and how the view was made.
pub(crate) struct ViewMeta {
    pub base: Tensor,
    pub seen: u64,
    creation: Creation,
}

/// How a view was made, where that forbids in-place operations on it: PyTorch's `CreationMeta`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    /// By an operation of one result that was recorded where it had to be.
    Recorded,
    /// Under `no_grad`.
    NoGrad,
    /// By an operation that returns several views.
    Several,
    /// By a custom function, or it is an input that one returned as it was.
    Function,
}

impl ViewMeta {
    /// What `view` is as a view of `input` (or of what `input` is a view of).
    pub(crate) fn of(input: &Tensor, view: &Tensor, creation: Creation) -> Self {
        let seen = view.version();
        let creation = if crate::is_grad_enabled() { creation } else { Creation::NoGrad };
        let base =
            input.meta_if_any().and_then(|m| m.state().view.as_ref().map(|v| (v.base.shallow_clone(), v.creation)));
        match base {
            // A view of a view inherits what is forbidden.
            Some((base, of_input)) if creation == Creation::Recorded => ViewMeta { base, seen, creation: of_input },
            Some((base, _)) => ViewMeta { base, seen, creation },
            None => ViewMeta { base: input.shallow_clone(), seen, creation },
        }
    }
}

/// Records an operation whose result is a view of its input.
pub(crate) fn record_view(
    name: &'static str,
    input: &Tensor,
    view: Array,
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Tensor {
    let out = record(name, &[input], &[], view, backward);
    out.meta().set_view(Some(ViewMeta::of(input, &out, Creation::Recorded)));
    out
}

/// The error for a view whose history changes and must not, or `None` where it may. `indirect`: not the view itself, but
/// its base or another view of it was written to.
fn forbidden(state: &State, indirect: bool) -> Option<Error> {
    let creation = state.view.as_ref()?.creation;
    let edge = state.grad_fn.as_ref().filter(|e| matches!(e.node.function, Function::Backward(_)));
    let modified = if indirect { "its base or another view of its base has been" } else { "is being" };
    let what = match (edge, creation) {
        (_, Creation::Recorded) => return None,
        (Some(e), Creation::Several | Creation::Function) => {
            format!("Output {} of {} is a view and {modified} modified inplace.", e.output, e.node.short_name())
        }
        (Some(e), Creation::NoGrad) => format!(
            "Output {} of {} is a view of a view which was created in no_grad mode and {modified} modified inplace with grad \
             mode enabled.",
            e.output,
            e.node.short_name()
        ),
        (None, _) => {
            format!("A view was created in no_grad mode and {modified} modified inplace with grad mode enabled.")
        }
    };
    let why = match creation {
        Creation::Several => {
            "This view is the output of a function that returns multiple views. Such functions do not allow the output views \
             to be modified inplace. You should replace the inplace operation by an out-of-place one."
        }
        Creation::Function => {
            "This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic to \
             handle view+inplace would override the custom backward associated with the custom Function, leading to incorrect \
             gradients. This behavior is forbidden. You can fix this by cloning the output of the custom Function."
        }
        _ => {
            "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both \
             the view and the inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or \
             both outside (if you want the inplace to be tracked)."
        }
    };
    Some(Error::ViewInPlace(format!("{what} {why}")))
}

/// Whether the view's `grad_fn` belongs to values that were written over since.
fn is_stale(state: &State, version: u64) -> bool {
    state.view.as_ref().is_some_and(|v| v.seen != version && v.base.requires_grad())
}

/// PyTorch's error for using a view whose history was forbidden to change and did.
#[inline]
pub(crate) fn check_fresh(tensor: &Tensor) -> Result<()> {
    match tensor.meta_if_any() {
        Some(meta) if meta.is_view() => check_view(tensor, meta),
        _ => Ok(()),
    }
}

fn check_view(tensor: &Tensor, meta: &Meta) -> Result<()> {
    let state = meta.state();
    match is_stale(&state, tensor.version()).then(|| forbidden(&state, true)).flatten() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Gives a view whose base was written to a new `grad_fn`. Where that is forbidden the view stays stale, and the result is a
/// place in the graph that fails.
pub(crate) fn refresh(tensor: &Tensor, meta: &Meta) -> Option<Edge> {
    let version = tensor.version();
    let (base, error) = {
        let state = meta.state();
        match &state.view {
            Some(view) if is_stale(&state, version) => (view.base.shallow_clone(), forbidden(&state, true)),
            _ => return None,
        }
    };
    if let Some(error) = error {
        let node = Node::invalid(error, OutputInfo::of(&tensor.array()));
        return Some(Edge { node: Arc::new(node), output: 0 });
    }
    meta.set_history(Some(regenerate(tensor, &base)));
    if let Some(view) = &mut meta.state().view {
        view.seen = version;
    }
    None
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

/// Refuses recorded in-place operations on leaves that require grad, on their views, and on views whose history must not
/// change.
pub(crate) fn check_in_place(target: &Tensor) -> Result<()> {
    let Some(meta) = target.meta_if_any() else { return Ok(()) };
    let base = {
        let state = meta.state();
        match forbidden(&state, false) {
            Some(error) => return Err(error),
            None => state.view.as_ref().map(|v| v.base.shallow_clone()),
        }
    };
    match base {
        Some(base) if base.requires_grad() && base.is_leaf() => Err(Error::LeafViewInPlace),
        None if target.requires_grad() && target.is_leaf() => Err(Error::LeafInPlace),
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
    if !recording_checked(&inputs[1..])? && !recording(&inputs[..1]) {
        write()?;
        target.array().storage().bump_version(location);
        return Ok(());
    }
    check_in_place(target)?;
    let recorded = record_node(name, &inputs, saves, backward);
    // What is wrong with a pack hook is told before anything is written.
    catch_fault(|| Ok(()))?;
    write()?;
    target.array().storage().bump_version(location);
    rebase(target, 0, 0, recorded, std::slice::from_ref(&*target.array()));
    Ok(())
}

/// Gives `target` another shape over its own memory, and records it: `x.squeeze_()`. No element changes, but as in PyTorch the
/// version does. The caller checked that the target may be written to. A view keeps its base, whose history stays as it is: the view's own goes on from its old one.
#[track_caller]
pub(crate) fn reshape_in_place(
    name: &'static str,
    target: &Tensor,
    view: Array,
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Result<Tensor> {
    let recorded = recording(&[target]).then(|| record_node(name, &[target], &[], backward));
    target.replace_array(view);
    target.array().storage().bump_version(Location::caller());
    if let Some(recorded) = recorded {
        let node = recorded.finish(std::slice::from_ref(&*target.array()));
        target.meta().set_history(Some(Edge { node, output: 0 }));
        if let Some(view) = &mut target.meta().state().view {
            view.seen = target.version();
        }
    }
    Ok(target.shallow_clone())
}

/// Gives a tensor that was written to its new history: it is the output `output` of an operation whose input `input` it was. Where
/// it is a view, the operation may have no other output.
pub(crate) fn rebase(target: &Tensor, input: usize, output: usize, mut recorded: Recorded, outputs: &[Array]) {
    let Some(base) = target.base() else {
        let node = recorded.finish(outputs);
        target.meta().set_history(Some(Edge { node, output: output as u32 }));
        return;
    };
    // The function's own edge is replaced: what flows to the view's old value flows on to the base's.
    let mut edges = recorded.route(input);
    edges[input] = base.edge().filter(|_| base.dtype().is_differentiable());
    let function = recorded.finish(outputs);
    let geometry = ops::Strided::of(&target.array());
    let base_geometry = ops::Strided::of(&base.array());
    let copy_slices = {
        let backward = move |c: &Context<'_>| {
            let all = ops::to_strided(&c.grad(0)?, &base_geometry)?;
            let part = geometry.within(&all, &base_geometry)?;
            let Function::Backward(backward) = &function.function else { unreachable!("an operation was recorded") };
            let mut grads = function.run(&[Some(ops::clone(&part)?)], backward)?;
            match grads[input].take() {
                Some(g) => ops::copy_(&part, &g)?,
                None => ops::zero_(&part)?,
            };
            grads[input] = Some(all);
            Ok(grads)
        };
        Recorded::new("CopySlices", edges, &[], backward).finish(&[base.array().clone()])
    };
    base.meta().set_history(Some(Edge { node: copy_slices, output: 0 }));
    let edge = regenerate(target, &base);
    target.meta().set_history(Some(edge));
    if let Some(view) = &mut target.meta().state().view {
        view.seen = target.version();
    }
}

/// Marks a view that a custom function made: in-place operations on it would bypass the function's backward. `several`: it is
/// one of several results.
pub(crate) fn made_by_function(view: &Tensor, several: bool) {
    let version = view.version();
    if let Some(view) = &mut view.meta().state().view {
        view.creation = if several { Creation::Several } else { Creation::Function };
        view.seen = version;
    }
}

impl Tensor {
    /// The tensor that this one is a view of: `x._base`.
    pub fn base(&self) -> Option<Tensor> {
        self.meta_if_any()?.state().view.as_ref().map(|v| v.base.shallow_clone())
    }

    /// Whether the tensor is a view of another: `x._is_view()`.
    pub fn is_view(&self) -> bool {
        self.base().is_some()
    }
}
