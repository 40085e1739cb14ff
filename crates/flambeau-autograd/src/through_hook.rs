//! A node that only shows the gradients of several tensors at once to a hook: what hooks of whole modules are made of.

use crate::error::Result;
use crate::graph::{Edge, Grads, Meta, record_node, recording};
use crate::hooks::own;
use crate::tensor::Tensor;
use crate::views::{Creation, ViewMeta};
use flambeau_tensor::Array;

/// The tensors behind a common node whose backward calls `hook` with all their gradients and passes on what it returns; `None`
/// where nothing is recorded. Where no gradient arrived the hook sees `None`, or zeros if `zeros`. As PyTorch's
/// `BackwardHookFunction`, the results are views of the tensors that must not be written to.
#[doc(hidden)]
pub fn through_hook(
    tensors: &[&Tensor],
    zeros: bool,
    hook: impl Fn(Vec<Option<Tensor>>) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static,
) -> Option<Vec<Tensor>> {
    if !recording(tensors) {
        return None;
    }
    let arrays: Vec<Array> = tensors.iter().map(|t| t.array().clone()).collect();
    let n = arrays.len();
    let recorded = record_node("BackwardHookFunctionBackward", tensors, &[], move |ctx| {
        let grads: Result<Vec<_>> =
            (0..n).map(|i| (zeros || ctx.has_grad(i)).then(|| ctx.grad(i).and_then(own)).transpose()).collect();
        let grads = hook(grads?)?.into_iter().enumerate();
        Ok(grads.map(|(i, grad)| grad.filter(|_| ctx.needs(i))).collect::<Grads>())
    });
    let node = recorded.finish(&arrays);
    let led = tensors.iter().zip(arrays).enumerate().map(|(i, (tensor, array))| {
        if !tensor.requires_grad() {
            return tensor.shallow_clone();
        }
        let out = Tensor::with_meta(array, Meta::from_edge(Edge { node: node.clone(), output: i as u32 }));
        out.meta().set_view(Some(ViewMeta::of(tensor, &out, Creation::Several)));
        out
    });
    Some(led.collect())
}
