//! Modules that map one tensor to one tensor.

use super::{HookHandle, Module, ModuleState};
use flambeau_autograd::{Tensor, at_caller};
use std::sync::Arc;

/// A module that maps a tensor to a tensor. Implement [`Forward::forward`], use [`Forward::call`].
pub trait Forward: Module {
    /// What the module computes: `forward` of a Python module.
    fn forward(&self, x: &Tensor) -> Tensor;

    /// Python's `module(x)`: [`Forward::forward`] between the module's hooks.
    #[track_caller]
    fn call(&self, x: &Tensor) -> Tensor {
        match self.state() {
            Some(state) if state.has_hooks() => at_caller(|| state.run_hooks(self.as_module(), x, |x| self.forward(x))),
            _ => self.forward(x),
        }
    }

    /// Calls `hook(module, input, output)` after each forward; a tensor that it returns replaces the output.
    ///
    /// # Panics
    /// When the module is a struct of the user's without a field of type [`ModuleState`].
    #[track_caller]
    fn register_forward_hook(
        &self,
        hook: impl Fn(&dyn Module, &Tensor, &Tensor) -> Option<Tensor> + Send + Sync + 'static,
    ) -> HookHandle
    where
        Self: Sized,
    {
        state_for_hooks(self.as_module()).add_after(Arc::new(hook))
    }

    /// Calls `hook(module, input)` before each forward; a tensor that it returns replaces the input.
    ///
    /// # Panics
    /// When the module is a struct of the user's without a field of type [`ModuleState`].
    #[track_caller]
    fn register_forward_pre_hook(
        &self,
        hook: impl Fn(&dyn Module, &Tensor) -> Option<Tensor> + Send + Sync + 'static,
    ) -> HookHandle
    where
        Self: Sized,
    {
        state_for_hooks(self.as_module()).add_before(Arc::new(hook))
    }
}

#[track_caller]
fn state_for_hooks(module: &dyn Module) -> &ModuleState {
    match module.state() {
        Some(state) => state,
        None => panic!(
            "{} has no place for hooks: give it a field of type nn::ModuleState, or hook one of its layers",
            module.type_name()
        ),
    }
}

impl<F: Forward + ?Sized> Forward for Box<F> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        at_caller(|| (**self).forward(x))
    }
}

impl<F: Forward + ?Sized> Forward for Arc<F> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        at_caller(|| (**self).forward(x))
    }
}
