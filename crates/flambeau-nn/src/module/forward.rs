//! Modules of any signature.

use super::hooks::{self, Hook};
use super::{Arg, ForwardCopy, HookGrads, HookHandle, Input, Module, ModuleHandle, Output, PtrCopy, call, path};
use flambeau_autograd::{Tensor, at_caller, mode};
use std::any::Any;
use std::sync::Arc;

/// A module that can be called. Implement [`Forward::forward`], use [`Call::call`].
///
/// By default a module maps a tensor to a tensor; `Forward<(Tensor, Tensor), (Tensor, Tensor)>` has two inputs and two outputs.
/// `#[nn::forward]` above an `impl` block writes this from a `forward` with several arguments, and a `call` of the same
/// arguments.
///
/// ```
/// use flambeau_autograd::{Tensor, ones};
/// use flambeau_nn::{self as nn, Call, Forward, Module};
///
/// #[derive(Module)]
/// struct Cell {
///     input: nn::Linear,
///     hidden: nn::Linear,
/// }
///
/// impl Forward<(Tensor, Option<Tensor>), (Tensor, Tensor)> for Cell {
///     fn forward(&self, (x, h): (&Tensor, Option<&Tensor>)) -> (Tensor, Tensor) {
///         let x = self.input.call(x);
///         let h = h.map_or_else(|| x.tanh(), |h| (&x + self.hidden.call(h)).tanh());
///         (x, h)
///     }
/// }
///
/// let cell = Cell { input: nn::Linear::new(2, 3), hidden: nn::Linear::new(3, 3) };
/// let (_, h) = cell.call((ones([1, 2]), None));
/// let (y, _) = cell.call((ones([1, 2]), Some(&h)));
/// assert_eq!(y.size(), [1, 3]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `forward` from `{In}` to `{Out}`",
    note = "write `#[nn::forward]` above the `impl` block in which `fn forward(&self, …)` stands, whatever it takes",
    note = "or `impl Forward for …` for a module of one tensor, `impl Forward<(Tensor, Tensor)> for …` for one of two"
)]
pub trait Forward<In: Input = Tensor, Out: Output = Tensor>: Module + ForwardCopy<In, Out> {
    /// What the module computes: `forward` of a Python module.
    fn forward(&self, input: In::Ref<'_>) -> Out;

    /// [`Forward::forward`] between the module's hooks: what every `call` goes through.
    #[doc(hidden)]
    #[inline]
    #[track_caller]
    fn call_ref(&self, input: In::Ref<'_>) -> Out {
        let _scope = mode::modules_watched().then(|| path::enter(self.as_module()));
        match path::Frame::enter(self.as_module()) {
            frame if frame.is_outermost() => path::outermost(self.as_module(), || call::run(self, input)),
            _frame => call::run(self, input),
        }
    }
}

/// Calling modules, and hooks on calls: what every [`Forward`] has. In the prelude; the library's layers have a `call` of their
/// own that needs no import.
///
/// Each module is one, so that a call of a module without a [`Forward`] is an error that says so.
pub trait Call: Module {
    /// Python's `module(x)`: [`Forward::forward`] between the module's hooks. Takes `x` and `&x`; several inputs as a tuple:
    /// `cell.call((&x, h))`.
    #[track_caller]
    fn call<In: Input, Out: Output>(&self, input: impl Arg<In>) -> Out
    where
        Self: Forward<In, Out>,
    {
        self.call_ref(input.arg())
    }

    /// Calls `hook(module, input, output)` after each forward; an output that it returns replaces the module's. The hook is
    /// given inputs and outputs as `forward` has them.
    ///
    /// ```
    /// use flambeau_autograd::ones;
    /// use flambeau_nn::{self as nn, Call};
    /// let relu = nn::ReLU::new();
    /// let handle = relu.register_forward_hook(|_module, x, y| Some(x + y));
    /// assert_eq!(relu.call(ones([1])).item(), 2.0);
    /// handle.remove();
    /// assert_eq!(relu.call(ones([1])).item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// When the module has neither a tensor nor a layer nor a [`super::ModuleState`] of its own.
    #[track_caller]
    fn register_forward_hook<In: Input, Out: Output>(
        &self,
        hook: impl Fn(&dyn Module, In::Ref<'_>, &Out) -> Option<Out> + Send + Sync + 'static,
    ) -> HookHandle
    where
        Self: Forward<In, Out>,
    {
        let typed = move |module: &dyn Module, input: &dyn Any, output: &dyn Any| {
            // A module with two signatures calls the hooks of the one in use.
            let (input, output) = (input.downcast_ref::<In>()?, output.downcast_ref::<Out>()?);
            hook(module, Input::borrow(input), output).map(|new| Box::new(new) as Box<dyn Any>)
        };
        hooks::add(self.as_module(), Hook::AfterTyped(Arc::new(typed)))
    }

    /// Calls `hook(module, input)` before each forward; an input that it returns replaces the caller's.
    ///
    /// # Panics
    /// As [`Call::register_forward_hook`].
    #[track_caller]
    fn register_forward_pre_hook<In: Input, Out: Output>(
        &self,
        hook: impl Fn(&dyn Module, In::Ref<'_>) -> Option<In> + Send + Sync + 'static,
    ) -> HookHandle
    where
        Self: Forward<In, Out>,
    {
        let typed = move |module: &dyn Module, input: &dyn Any| {
            let input = input.downcast_ref::<In>()?;
            hook(module, Input::borrow(input)).map(|new| Box::new(new) as Box<dyn Any>)
        };
        hooks::add(self.as_module(), Hook::BeforeTyped(Arc::new(typed)))
    }

    /// Calls `hook(module, grad_input, grad_output)` in each backward, once the gradients of the module's inputs are known;
    /// gradients that it returns replace those of the inputs: `register_full_backward_hook`. Inputs and outputs are those that
    /// stand side by side: several for a tuple, with `None` for what is no tensor or has no gradient.
    ///
    /// The module may be gone when backward runs, so the hook gets a [`ModuleHandle`]: its name and its own parameters.
    ///
    /// ```
    /// use flambeau_autograd::ones;
    /// use flambeau_nn::{self as nn, Call};
    /// let (layer, x) = (nn::ReLU::new(), ones([2]).requires_grad_(true));
    /// layer.register_full_backward_hook(|_, grad_input, _| Some(vec![grad_input[0].as_ref().map(|g| g.mul(10.0))]));
    /// layer.call(&x).sum().backward();
    /// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [10.0, 10.0]);
    /// ```
    ///
    /// # Panics
    /// When the module has neither a tensor nor a layer nor a [`super::ModuleState`] of its own.
    #[track_caller]
    fn register_full_backward_hook(
        &self,
        hook: impl Fn(&ModuleHandle, &[Option<Tensor>], &[Option<Tensor>]) -> Option<HookGrads> + Send + Sync + 'static,
    ) -> HookHandle {
        self.as_module().register_full_backward_hook(hook)
    }

    /// Calls `hook(module, grad_output)` in each backward, before the gradients go through the module; gradients that it returns
    /// replace those of the outputs: `register_full_backward_pre_hook`.
    ///
    /// # Panics
    /// As [`Call::register_full_backward_hook`].
    #[track_caller]
    fn register_full_backward_pre_hook(
        &self,
        hook: impl Fn(&ModuleHandle, &[Option<Tensor>]) -> Option<HookGrads> + Send + Sync + 'static,
    ) -> HookHandle {
        self.as_module().register_full_backward_pre_hook(hook)
    }
}

impl<M: Module + ?Sized> Call for M {}

macro_rules! pointers {
    ($($pointer:ident),*) => {$(
        impl<In: Input, Out: Output, F: Forward<In, Out> + PtrCopy + ?Sized> Forward<In, Out> for $pointer<F> {
            #[track_caller]
            fn forward(&self, input: In::Ref<'_>) -> Out {
                at_caller(|| (**self).forward(input))
            }
            #[inline]
            #[track_caller]
            fn call_ref(&self, input: In::Ref<'_>) -> Out {
                (**self).call_ref(input)
            }
        }
    )*};
}
pointers!(Box, Arc);
