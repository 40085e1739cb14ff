//! What users see of a tensor's place in the graph: `requires_grad`, `grad`, `grad_fn`, `detach`, hooks.

use crate::graph::{self, Edge, Function, Meta, Node};
use crate::hooks::RemovableHandle;
use crate::tensor::ArrayRef;
use crate::{Error, Result, Tensor, ops};
use flambeau_tensor::dims::broadcast_shapes;
use std::sync::Arc;

impl Tensor {
    /// Whether a gradient flows to this tensor.
    #[inline]
    pub fn requires_grad(&self) -> bool {
        self.meta_if_any().is_some_and(|m| m.requires_grad())
    }

    /// Sets whether gradients are collected for this leaf; returns the tensor: `x.requires_grad_()`.
    ///
    /// # Panics
    /// For a dtype without gradients, or when it is to be switched off on a tensor that is no leaf.
    #[track_caller]
    pub fn requires_grad_(&self, requires_grad: bool) -> Tensor {
        if let ArrayRef::Replaced(_) = self.array() {
            self.refuse("requires_grad_");
        }
        assert!(
            !requires_grad || self.dtype().is_differentiable(),
            "only Tensors of floating point dtype can require gradients"
        );
        if !self.is_leaf() {
            assert!(
                requires_grad,
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a \
                 subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            );
            return self.shallow_clone();
        }
        if requires_grad || self.meta_if_any().is_some() {
            self.meta().set_tracked(requires_grad);
        }
        self.shallow_clone()
    }

    /// Whether the tensor was made by the user, not by a recorded operation.
    pub fn is_leaf(&self) -> bool {
        self.grad_fn().is_none()
    }

    /// The recorded operation that made this tensor. Its name is `Invalid` for a view that PyTorch would refuse one: an output
    /// of `split` or `unbind`, or a view made under `no_grad`, whose base was written to since.
    pub fn grad_fn(&self) -> Option<Arc<Node>> {
        let edge = self.edge()?;
        matches!(edge.node.function, Function::Backward(_)).then_some(edge.node)
    }

    /// The collected gradient: `x.grad`.
    pub fn grad(&self) -> Option<Tensor> {
        self.meta_if_any()?.state().grad.as_ref().map(Tensor::shallow_clone)
    }

    /// Replaces the collected gradient: `x.grad = g`.
    ///
    /// # Panics
    /// When shape, dtype or device are not the tensor's.
    #[track_caller]
    pub fn set_grad(&self, grad: Option<Tensor>) {
        if let Some(g) = &grad {
            assert!(
                g.size() == self.size(),
                "assigned grad has data of a different size: expected {}, got {}",
                self.size(),
                g.size()
            );
            assert!(
                g.dtype() == self.dtype() && g.device() == self.device(),
                "assigned grad has data of a different type: expected {} on {}, got {} on {}",
                self.dtype(),
                self.device(),
                g.dtype(),
                g.device()
            );
        } else if self.meta_if_any().is_none() {
            return;
        }
        self.meta().set_grad(grad);
    }

    /// The same memory without the graph: `x.detach()`. Writes through it count as writes to this tensor, so a backward that
    /// needs the old values fails.
    #[track_caller]
    pub fn detach(&self) -> Tensor {
        Tensor::from(match self.array() {
            ArrayRef::Original(array) => array.clone(),
            ArrayRef::Replaced(array) => {
                self.refuse("detach");
                (*array).clone()
            }
        })
    }

    /// Leaves the graph in place: `x.detach_()`.
    ///
    /// # Panics
    /// On a view.
    #[track_caller]
    pub fn detach_(&self) -> Tensor {
        if let Some(meta) = self.meta_if_any() {
            assert!(
                !meta.is_view(),
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for \
                 training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_() \
                 cannot be called on these gradients. To fix this error, please refer to the Optimizer.zero_grad() function in \
                 torch/optim/optimizer.py as the solution."
            );
            meta.set_history(None);
        }
        self.shallow_clone()
    }

    /// The same memory without the graph and with a version of its own: `x.data`. Writes through it are hidden from this
    /// tensor's version, so a backward computes with what they wrote. `detach` is the safe form.
    pub fn data(&self) -> Tensor {
        Tensor::from(self.array().with_own_version(0))
    }

    /// Takes over another tensor's memory, shape and dtype, and keeps its own version: `x.data = y`. A graph that was
    /// recorded before computes with the new values where their shape and dtype are the old ones'. A view is no view of its
    /// base any more.
    ///
    /// # Panics
    /// When the tensor requires grad and `data`'s dtype has no gradients.
    #[track_caller]
    pub fn set_data(&self, data: &Tensor) {
        assert!(
            !self.requires_grad() || data.dtype().is_differentiable(),
            "data set to a tensor that requires gradients must be floating point or complex dtype"
        );
        self.replace_array(data.array().with_own_version(self.version()));
        self.meta().set_view(None);
    }

    /// Whether this handle is the only one, and no recorded operation knows the tensor.
    #[doc(hidden)]
    pub fn is_unshared(&self) -> bool {
        Arc::strong_count(&self.0) == 1 && Arc::weak_count(&self.0) == 0
    }

    /// Takes over another tensor's array and place in the graph, so that whoever sees this one sees the other: for computed
    /// tensors that are lent by reference, where nothing else holds this one ([`Tensor::is_unshared`]).
    #[doc(hidden)]
    pub fn becomes(&self, other: &Tensor) {
        let edge = other.edge();
        self.replace_array(other.array().clone());
        let meta = self.meta();
        meta.set_view(None);
        meta.set_grad(None);
        meta.state().retains_grad = false;
        meta.set_history(edge);
    }

    /// Collects this tensor's gradient although it is no leaf: `x.retain_grad()`. The gradient is a copy of what the hooks made
    /// of it, and gradients of several backwards add up.
    ///
    /// # Panics
    /// When the tensor does not require grad.
    #[track_caller]
    pub fn retain_grad(&self) {
        assert!(self.requires_grad(), "can't retain_grad on Tensor that has requires_grad=False");
        let Some(edge) = self.edge() else { return };
        let mut state = self.meta().state();
        if matches!(edge.node.function, Function::Accumulate(_)) || std::mem::replace(&mut state.retains_grad, true) {
            return;
        }
        drop(state);
        edge.node.hooks.retain(edge.output, graph::downgrade(self));
    }

    /// Whether [`Tensor::retain_grad`] was called on this tensor.
    pub fn retains_grad(&self) -> bool {
        self.meta_if_any().is_some_and(|m| m.state().retains_grad)
    }

    /// Calls `hook` with the gradient of this tensor at each backward; a tensor that it returns replaces the gradient:
    /// `x.register_hook(f)`. The gradient that it sees is its own to write to.
    ///
    /// A hook lives as long as the tensor (or the operation that made it). Rust counts references and finds no cycles: a hook
    /// that captures its own tensor keeps it, and all that it was made from, for ever. Take the tensor as an argument instead,
    /// with [`Tensor::register_hook_with`]. The handle that is returned removes the hook.
    ///
    /// # Panics
    /// When the tensor does not require grad. Backward fails when the result has another shape or dtype than the gradient.
    ///
    /// ```
    /// let x = torch::tensor([1.0, 2.0]).requires_grad_(true);
    /// let handle = x.register_hook(|grad| Some(grad * 10));
    /// x.sum().backward();
    /// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [10.0, 10.0]);
    /// handle.remove();
    /// ```
    #[track_caller]
    pub fn register_hook(&self, hook: impl Fn(&Tensor) -> Option<Tensor> + Send + Sync + 'static) -> RemovableHandle {
        self.register_fallible_hook(move |gradient| Ok(hook(gradient)))
    }

    #[track_caller]
    pub(crate) fn register_fallible_hook(
        &self,
        hook: impl Fn(&Tensor) -> Result<Option<Tensor>> + Send + Sync + 'static,
    ) -> RemovableHandle {
        assert!(self.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
        let edge = self.edge().expect("a tensor that requires grad has an edge");
        match edge.node.function {
            Function::Accumulate(_) => self.meta().hooks.call(0, Arc::new(hook)),
            Function::Backward(_) => edge.node.hooks.call(edge.output, Arc::new(hook)),
        }
    }

    /// Calls `hook` with this leaf each time that backward has added to its `grad`:
    /// `x.register_post_accumulate_grad_hook(f)`. An optimizer's step can be taken there, and the gradient freed. `autograd::grad`
    /// adds to no `grad`, and calls no such hook. The handle that is returned removes the hook.
    ///
    /// # Panics
    /// When the tensor does not require grad, or is no leaf.
    ///
    /// ```
    /// let w = torch::tensor([2.0]).requires_grad_(true);
    /// w.register_post_accumulate_grad_hook(|w| {
    ///     let _guard = torch::no_grad();
    ///     w.sub_(w.grad().unwrap());
    ///     w.set_grad(None);
    /// });
    /// w.square().backward();
    /// assert_eq!(w.item(), -2.0);
    /// ```
    #[track_caller]
    pub fn register_post_accumulate_grad_hook(
        &self,
        hook: impl Fn(&Tensor) + Send + Sync + 'static,
    ) -> RemovableHandle {
        assert!(self.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
        assert!(self.is_leaf(), "post accumulate grad hooks cannot be registered on non-leaf tensors");
        self.meta().hooks.call_accumulated(Arc::new(hook))
    }

    /// [`Tensor::register_hook`] with a hook that gets this tensor and the gradient: `|x, grad| …`. It captures nothing, so the
    /// tensor is freed as if it had no hook. Where the tensor is dropped before backward runs, the hook gets another one of
    /// the same values and the same place in the graph.
    ///
    /// # Panics
    /// As [`Tensor::register_hook`].
    #[track_caller]
    pub fn register_hook_with(
        &self,
        hook: impl Fn(&Tensor, &Tensor) -> Option<Tensor> + Send + Sync + 'static,
    ) -> RemovableHandle {
        assert!(self.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
        let edge = self.edge().expect("a tensor that requires grad has an edge");
        let place = (Arc::downgrade(&edge.node), edge.output);
        let (cell, array) = (graph::downgrade(self), self.array().clone());
        self.register_hook(move |gradient| match (cell.upgrade(), place.0.upgrade()) {
            (Some(cell), _) => hook(&Tensor(cell), gradient),
            (None, Some(node)) => {
                let meta = Meta::from_edge(Edge { node, output: place.1 });
                hook(&Tensor::with_meta(array.clone(), meta), gradient)
            }
            (None, None) => hook(&Tensor::from(array.clone()), gradient),
        })
    }

    /// Marks the tensor as a module's parameter, which prints as one and requires grad.
    pub fn into_parameter(self, requires_grad: bool) -> Tensor {
        self.meta().state().is_parameter = true;
        self.meta().set_tracked(requires_grad);
        self
    }

    /// Whether the tensor is a module's parameter.
    pub fn is_parameter(&self) -> bool {
        self.meta_if_any().is_some_and(|m| m.state().is_parameter)
    }
}

/// A gradient in the shape and dtype of what it belongs to: the input `index` of `node`.
pub(crate) fn fit(grad: Tensor, info: &graph::OutputInfo, node: &Node, index: usize) -> Result<Tensor> {
    let same = grad.array().shape() == &info.shape[..];
    let grad = if same { grad } else { sum_to_input(&grad, info, node, index)? };
    if grad.dtype() == info.dtype { Ok(grad) } else { ops::to_dtype(&grad, info.dtype) }
}

#[cold]
fn sum_to_input(grad: &Tensor, info: &graph::OutputInfo, node: &Node, index: usize) -> Result<Tensor> {
    let size = grad.size();
    let expands = match broadcast_shapes(&info.shape, &size) {
        Ok(shape) => shape[..] == size[..],
        Err(_) => false,
    };
    if !expands {
        let message = "returned an invalid gradient at index";
        let shapes = format!("got {:?} but expected shape compatible with {:?}", &size[..], &info.shape[..]);
        return Err(Error::runtime(format!("Function {} {message} {index} - {shapes}", node.name())));
    }
    ops::sum_to_size(grad, &info.shape)
}
