//! What users see of a tensor's place in the graph: `requires_grad`, `grad`, `grad_fn`, `detach`, hooks.

use crate::graph::{self, Function, Node};
use crate::{OrPanic, Result, Tensor, ops};
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
        assert!(
            !requires_grad || self.dtype().is_floating_point(),
            "only Tensors of floating point dtype can require gradients"
        );
        if !self.is_leaf() {
            assert!(
                requires_grad,
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a \
                 subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            );
            return self.clone();
        }
        if requires_grad || self.meta_if_any().is_some() {
            self.meta().set_tracked(requires_grad);
        }
        self.clone()
    }

    /// Whether the tensor was made by the user, not by a recorded operation.
    pub fn is_leaf(&self) -> bool {
        self.grad_fn().is_none()
    }

    /// The recorded operation that made this tensor.
    pub fn grad_fn(&self) -> Option<Arc<Node>> {
        let edge = self.edge()?;
        matches!(edge.node.function, Function::Backward(_)).then_some(edge.node)
    }

    /// The collected gradient: `x.grad`.
    pub fn grad(&self) -> Option<Tensor> {
        self.meta_if_any()?.state().grad.clone()
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
        self.meta().state().grad = grad;
    }

    /// The same memory without the graph: `x.detach()`.
    pub fn detach(&self) -> Tensor {
        Tensor::from(self.array().clone())
    }

    /// Leaves the graph in place: `x.detach_()`.
    ///
    /// # Panics
    /// On a view.
    #[track_caller]
    pub fn detach_(&self) -> Tensor {
        if let Some(meta) = self.meta_if_any() {
            let mut state = meta.state();
            assert!(state.view.is_none(), "Can't detach views in-place. Use detach() instead.");
            state.grad_fn = None;
            drop(state);
            meta.set_tracked(false);
        }
        self.clone()
    }

    /// The same memory without the graph: `x.data`.
    pub fn data(&self) -> Tensor {
        self.detach()
    }

    /// Takes over another tensor's memory, shape and dtype: `x.data = y`.
    pub fn set_data(&self, data: &Tensor) {
        self.replace_array(data.array().clone());
    }

    /// Collects this tensor's gradient although it is no leaf: `x.retain_grad()`.
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
        let cell = graph::downgrade(self);
        let keep = move |g: &Tensor| {
            if let Some(cell) = cell.upgrade() {
                Tensor(cell).meta().state().grad = Some(g.clone());
            }
            None
        };
        edge.node.hooks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((edge.output, Arc::new(keep)));
    }

    /// Whether [`Tensor::retain_grad`] was called on this tensor.
    pub fn retains_grad(&self) -> bool {
        self.meta_if_any().is_some_and(|m| m.state().retains_grad)
    }

    /// Calls `hook` with the gradient of this tensor at each backward; a tensor that it returns replaces the gradient:
    /// `x.register_hook(f)`.
    ///
    /// # Panics
    /// When the tensor does not require grad.
    #[track_caller]
    pub fn register_hook(&self, hook: impl Fn(&Tensor) -> Option<Tensor> + Send + Sync + 'static) {
        assert!(self.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
        let edge = self.edge().expect("a tensor that requires grad has an edge");
        match edge.node.function {
            Function::Accumulate(_) => self.meta().state().hooks.push(Arc::new(hook)),
            Function::Backward(_) => {
                let mut hooks = edge.node.hooks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                hooks.push((edge.output, Arc::new(hook)));
            }
        }
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

    /// Computes the gradient of this tensor for every leaf of its graph and adds it to their `grad`: `loss.backward()`.
    ///
    /// # Panics
    /// When the tensor has several elements or no graph, the graph was freed, or a saved tensor was written to.
    #[track_caller]
    pub fn backward(&self) {
        crate::backward(&[self], &[None], false, false).or_panic();
    }

    /// [`Tensor::backward`] with the gradient of this tensor, and with the graph kept and recorded as asked:
    /// `x.backward(gradient, retain_graph, create_graph)`.
    ///
    /// # Panics
    /// As [`Tensor::backward`], and when the gradient's shape is not the tensor's.
    #[track_caller]
    pub fn backward_with(&self, gradient: Option<&Tensor>, retain_graph: bool, create_graph: bool) {
        crate::backward(&[self], &[gradient], retain_graph, create_graph).or_panic();
    }
}

/// A gradient in the shape and dtype of what it belongs to.
pub(crate) fn fit(grad: Tensor, info: &graph::OutputInfo) -> Result<Tensor> {
    let grad = if grad.size()[..] == info.shape[..] { grad } else { ops::sum_to_size(&grad, &info.shape)? };
    if grad.dtype() == info.dtype { Ok(grad) } else { ops::to_dtype(&grad, info.dtype) }
}
