//! Modules as trait objects: what they are, and their parts by name.

use super::hooks::{self, Hook};
use super::{Buffer, Forward, HookGrads, HookHandle, Module, ModuleHandle, Parameter, Value};
use flambeau_autograd::Tensor;
use std::any::Any;
use std::sync::Arc;

impl dyn Module {
    /// Whether the module is a `T`: `isinstance(module, T)`.
    pub fn is<T: Module>(&self) -> bool {
        (self as &dyn Any).is::<T>()
    }

    /// The module as a `T`, if it is one.
    pub fn downcast_ref<T: Module>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }

    /// The module as a `T` that can be changed, if it is one.
    pub fn downcast_mut<T: Module>(&mut self) -> Option<&mut T> {
        (self as &mut dyn Any).downcast_mut()
    }

    /// The module's own parameter of this name: an entry of `_parameters`.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.members().parameters.into_iter().find(|(n, _)| n == name).map(|(_, p)| p)
    }

    /// The module's own buffer of this name: an entry of `_buffers`.
    pub fn buffer(&self, name: &str) -> Option<&Buffer> {
        self.members().buffers.into_iter().find(|(n, _)| n == name).map(|(_, b)| b)
    }

    /// The parameter `weight`, which most layers have: `module.weight`.
    pub fn weight(&self) -> Option<&Parameter> {
        self.parameter("weight")
    }

    /// The parameter `bias`: `module.bias`.
    pub fn bias(&self) -> Option<&Parameter> {
        self.parameter("bias")
    }

    /// Calls `hook(module, input, output)` after each forward; a value that it returns replaces the output. The hook works for
    /// modules of any signature, so inputs and outputs are [`Value`]s; [`Call::register_forward_hook`](super::Call) gives them as they are.
    ///
    /// # Panics
    /// When the module has neither a tensor nor a layer nor a [`super::ModuleState`] of its own.
    #[track_caller]
    pub fn register_forward_hook(
        &self,
        hook: impl Fn(&dyn Module, &Value, &Value) -> Option<Value> + Send + Sync + 'static,
    ) -> HookHandle {
        hooks::add(self, Hook::AfterErased(Arc::new(hook)))
    }

    /// Calls `hook(module, input)` before each forward; a value that it returns replaces the input.
    ///
    /// # Panics
    /// As `register_forward_hook`.
    #[track_caller]
    pub fn register_forward_pre_hook(
        &self,
        hook: impl Fn(&dyn Module, &Value) -> Option<Value> + Send + Sync + 'static,
    ) -> HookHandle {
        hooks::add(self, Hook::BeforeErased(Arc::new(hook)))
    }

    /// [`Call::register_full_backward_hook`](super::Call).
    ///
    /// # Panics
    /// As `register_forward_hook`.
    #[track_caller]
    pub fn register_full_backward_hook(
        &self,
        hook: impl Fn(&ModuleHandle, &[Option<Tensor>], &[Option<Tensor>]) -> Option<HookGrads> + Send + Sync + 'static,
    ) -> HookHandle {
        hooks::add(self, Hook::Backward(Arc::new(hook)))
    }

    /// [`Call::register_full_backward_pre_hook`](super::Call).
    ///
    /// # Panics
    /// As `register_forward_hook`.
    #[track_caller]
    pub fn register_full_backward_pre_hook(
        &self,
        hook: impl Fn(&ModuleHandle, &[Option<Tensor>]) -> Option<HookGrads> + Send + Sync + 'static,
    ) -> HookHandle {
        hooks::add(self, Hook::BackwardPre(Arc::new(hook)))
    }
}

/// PyTorch's words for a name that a module does not have, or has for something else.
#[cold]
#[track_caller]
fn missing(module: &dyn Module, name: &str, wanted: &str) -> ! {
    let members = module.members();
    let has = members.parameters.iter().any(|(n, _)| n == name)
        || members.buffers.iter().any(|(n, _)| n == name)
        || members.children.iter().any(|(n, _)| n == name);
    if has {
        panic!("`{name}` is not {wanted}");
    }
    panic!("{} has no attribute `{name}`", super::repr::class_name(module))
}

#[track_caller]
pub(super) fn submodule<'a>(module: &'a dyn Module, target: &str) -> &'a dyn Module {
    let mut module = module;
    for name in target.split('.').filter(|_| !target.is_empty()) {
        match module.members().children.into_iter().find(|(n, _)| n == name) {
            Some((_, child)) => module = child,
            None => missing(module, name, "an nn.Module"),
        }
    }
    module
}

/// The field that holds the module of a name, in a module that it is not itself.
#[track_caller]
fn slot<'a>(module: &'a mut dyn Module, target: &str) -> &'a mut dyn Module {
    let (parent, name) = target.rsplit_once('.').unwrap_or(("", target));
    // A loop over `&mut` that ends with the error would hold the borrow, so the name is looked for first.
    let above = submodule(module, parent);
    if !above.members().children.iter().any(|(n, _)| n == name) {
        missing(above, name, "an nn.Module");
    }
    let mut slot: &mut dyn Module = module;
    for name in target.split('.') {
        let found = slot.as_module_mut().slots().into_iter().find(|(n, _)| n == name);
        match found {
            Some((_, found)) => slot = found,
            None => panic!("`{target}` is a parametrization, and cannot be replaced: remove it and register another"),
        }
    }
    slot
}

#[track_caller]
pub(super) fn submodule_mut<'a>(module: &'a mut dyn Module, target: &str) -> &'a mut dyn Module {
    if target.is_empty() { module } else { slot(module, target).as_module_mut() }
}

#[track_caller]
pub(super) fn set_submodule<M: Forward>(module: &mut dyn Module, target: &str, new: M) {
    assert!(!target.is_empty(), "Cannot set the submodule without a target name!");
    let slot = slot(module, target);
    let held = slot.type_name();
    let any = slot as &mut dyn Any;
    if let Some(place) = any.downcast_mut::<M>() {
        *place = new;
    } else if let Some(place) = any.downcast_mut::<Box<M>>() {
        **place = new;
    } else if let Some(place) = any.downcast_mut::<Box<dyn Forward>>() {
        *place = Box::new(new);
    } else if let Some(place) = any.downcast_mut::<Arc<dyn Forward>>() {
        *place = Arc::new(new);
    } else {
        panic!("`{target}` is a field of type {held} and cannot hold a {}", new.type_name());
    }
}

/// The module that holds a tensor of a dotted name, and the tensor's own name.
#[track_caller]
fn holder<'a, 'n>(module: &'a dyn Module, target: &'n str) -> (&'a dyn Module, &'n str) {
    let (path, name) = target.rsplit_once('.').unwrap_or(("", target));
    (submodule(module, path), name)
}

#[track_caller]
pub(super) fn parameter<'a>(module: &'a dyn Module, target: &str) -> &'a Parameter {
    let (holder, name) = holder(module, target);
    match holder.parameter(name) {
        Some(parameter) => parameter,
        None => missing(holder, name, "an nn.Parameter"),
    }
}

#[track_caller]
pub(super) fn buffer<'a>(module: &'a dyn Module, target: &str) -> &'a Buffer {
    let (holder, name) = holder(module, target);
    match holder.buffer(name) {
        Some(buffer) => buffer,
        None => missing(holder, name, "a buffer"),
    }
}
