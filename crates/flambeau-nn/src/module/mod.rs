//! The trait that every network and layer implements.

mod field;
mod forward;
mod operators;
mod parameter;
mod repr;
mod state;
mod state_dict;
#[cfg(test)]
mod tests;

pub use field::{Field, Kind, Members, Plain};
pub use forward::Forward;
pub use parameter::{Buffer, Parameter};
pub use state::{HookHandle, ModuleState};
pub use state_dict::{LoadReport, StateDict};

use crate::error::Result;
use flambeau_autograd::ops::ToTarget;
use flambeau_autograd::{OrPanic, Tensor};
use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

/// A part of a network with parameters: `nn.Module`. Write `#[derive(Module)]`; the derive finds parameters, buffers and
/// modules by their fields' types ([`Field`]). All methods take `&self`, since parameters are handles.
///
/// Names of nested parts are joined with dots, as in PyTorch: `layers.0.weight`.
pub trait Module: Any + Send + Sync {
    /// The module itself as a trait object.
    fn as_module(&self) -> &dyn Module;

    /// The name that prints and error messages use: the struct's.
    fn type_name(&self) -> &'static str;

    /// What this module itself holds.
    fn members(&self) -> Members<'_>;

    /// The training flag and hooks; `None` for a struct of the user's without a field of type [`ModuleState`].
    fn state(&self) -> Option<&ModuleState> {
        None
    }

    /// What stands between the parentheses when the module is printed: `extra_repr()`.
    fn extra_repr(&self) -> String {
        String::new()
    }

    /// The version of what state dicts hold of the module: Python's `_version`.
    fn version(&self) -> i64 {
        1
    }

    /// The names of own tensors that state dicts of an older version lack; they keep their numbers when such a one is loaded.
    /// `version` is `None` where a state dict does not say its version.
    fn added_since(&self, _version: Option<i64>) -> &'static [&'static str] {
        &[]
    }

    /// What Python's `print(module)` shows.
    fn repr(&self) -> String {
        repr::module(self.as_module())
    }

    /// Whether a module that holds this one in a field registers it; a `Vec` of numbers is not.
    #[doc(hidden)]
    fn is_registered(&self) -> bool {
        true
    }

    /// Every parameter of the module and its children, each once: `parameters()`.
    fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, p)| p).collect()
    }

    /// Every parameter, each once, under the first of its names: `named_parameters()`.
    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        unique(self.as_module(), |members| {
            members.parameters.iter().map(|(n, p)| (n.clone(), p.shallow_clone())).collect()
        })
    }

    /// Every buffer, each once: `buffers()`.
    fn buffers(&self) -> Vec<Tensor> {
        self.named_buffers().into_iter().map(|(_, b)| b).collect()
    }

    /// Every buffer, each once, under the first of its names: `named_buffers()`.
    fn named_buffers(&self) -> Vec<(String, Tensor)> {
        unique(self.as_module(), |members| {
            members.buffers.iter().map(|(n, b)| (n.clone(), b.shallow_clone())).collect()
        })
    }

    /// The modules that this one holds directly: `children()`.
    fn children(&self) -> Vec<&dyn Module> {
        self.named_children().into_iter().map(|(_, child)| child).collect()
    }

    /// The modules that this one holds directly, with their names: `named_children()`.
    fn named_children(&self) -> Vec<(String, &dyn Module)> {
        self.members().children.into_iter().map(|(name, child)| (name.into_owned(), child)).collect()
    }

    /// The module and all modules in it, each once, parents first: `modules()`.
    fn modules(&self) -> Vec<&dyn Module> {
        self.named_modules().into_iter().map(|(_, module)| module).collect()
    }

    /// The module, under the empty name, and all modules in it, each once, parents first: `named_modules()`.
    fn named_modules(&self) -> Vec<(String, &dyn Module)> {
        let mut out = Vec::new();
        walk(self.as_module(), "", &mut |name, module| {
            if !out.iter().any(|(_, seen)| is_same(*seen, module)) {
                out.push((name.to_owned(), module));
            }
        });
        out
    }

    /// Turns on training mode, in which dropout drops and batch norm takes the batch's statistics: `train()`.
    fn train(&self) {
        self.train_mode(true);
    }

    /// Turns off training mode: `eval()`.
    fn eval(&self) {
        self.train_mode(false);
    }

    /// Sets training mode for the module and all in it: `train(mode)`.
    fn train_mode(&self, mode: bool) {
        walk(self.as_module(), "", &mut |_, module| {
            if let Some(state) = module.state() {
                state.set_training(mode);
            }
        });
    }

    /// Whether the module is in training mode: `module.training`. A struct of the user's without a [`ModuleState`] field
    /// has the mode of the first module in it that has one, and is in training mode if there is none.
    fn training(&self) -> bool {
        match self.state() {
            Some(state) => state.training(),
            None => self.modules().iter().find_map(|m| m.state()).is_none_or(ModuleState::training),
        }
    }

    /// Forgets the gradients of all parameters: `zero_grad()`.
    fn zero_grad(&self) {
        self.parameters().iter().for_each(|p| p.set_grad(None));
    }

    /// Sets whether gradients are collected for the parameters: `requires_grad_(…)`.
    #[track_caller]
    fn requires_grad_(&self, requires_grad: bool) {
        for parameter in self.parameters() {
            parameter.requires_grad_(requires_grad);
        }
    }

    /// Parameters and persistent buffers by name, sharing the module's memory: `state_dict()`. A tensor that is held in
    /// several places stands under each of its names. It also holds each module's [`Module::version`].
    fn state_dict(&self) -> StateDict {
        state_dict::of(self.as_module())
    }

    /// Copies a state dict's numbers into the parameters and buffers: `load_state_dict(state)`.
    ///
    /// # Errors
    /// When keys are missing or unexpected, or shapes differ, with PyTorch's report; what matches has been loaded.
    fn load_state_dict(&self, state: &StateDict) -> Result<()> {
        state_dict::load(self.as_module(), state, true).map(drop)
    }

    /// [`Module::load_state_dict`] that lets keys be missing or unexpected if not `strict`, and returns them:
    /// `load_state_dict(state, strict)`.
    ///
    /// # Errors
    /// When shapes differ; if `strict`, also when keys do.
    fn load_state_dict_with(&self, state: &StateDict, strict: bool) -> Result<LoadReport> {
        state_dict::load(self.as_module(), state, strict)
    }

    /// How many numbers the module learns: the parameters' elements that require grad.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().filter(|p| p.requires_grad()).map(Tensor::numel).sum()
    }

    /// Calls `f` with every module in this one, children first, and then with this one: `apply(fn)`.
    fn apply(&self, mut f: impl FnMut(&dyn Module))
    where
        Self: Sized,
    {
        apply(self.as_module(), &mut f);
    }

    /// Moves parameters and buffers to a device, or floating-point ones to a dtype: `module.to(…)`. The handles stay the
    /// same tensors, so an optimizer made before keeps working.
    ///
    /// # Panics
    /// When the device is missing or a dtype is none of floating point.
    #[track_caller]
    fn to(self, target: impl ToTarget) -> Self
    where
        Self: Sized,
    {
        for x in self.parameters().iter().chain(&self.buffers()) {
            move_to(x, &target);
        }
        self
    }
}

impl dyn Module {
    /// Whether the module is a `T`: `isinstance(module, T)`.
    pub fn is<T: Module>(&self) -> bool {
        (self as &dyn Any).is::<T>()
    }

    /// The module as a `T`, if it is one.
    pub fn downcast_ref<T: Module>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}

impl std::fmt::Display for dyn Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.repr())
    }
}

#[track_caller]
fn move_to(x: &Tensor, target: &impl ToTarget) {
    let moved = convert(x, target);
    // A tensor that is where it should be keeps its array: one that was replaced is slower to read.
    if moved.array().same_view(&x.array()) {
        return;
    }
    let grad = x.grad();
    x.set_grad(None);
    x.set_data(&moved);
    x.set_grad(grad.map(|g| convert(&g, target)));
}

#[track_caller]
fn convert(x: &Tensor, target: &impl ToTarget) -> Tensor {
    let moved = target.convert(&x.detach()).or_panic();
    assert!(
        moved.is_floating_point() || !x.is_floating_point(),
        "nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={}",
        moved.dtype()
    );
    if x.is_floating_point() { moved } else { x.detach().to(moved.device()) }
}

/// Calls `f` with `module` and all in it, parents first, each with its dotted name.
fn walk<'a>(module: &'a dyn Module, name: &str, f: &mut dyn FnMut(&str, &'a dyn Module)) {
    f(name, module);
    for (child_name, child) in module.members().children {
        walk(child, &join(name, &child_name), f);
    }
}

fn apply(module: &dyn Module, f: &mut dyn FnMut(&dyn Module)) {
    for (_, child) in module.members().children {
        apply(child, f);
    }
    f(module);
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// Whether both are one module. Modules without size have no identity.
fn is_same(a: &dyn Module, b: &dyn Module) -> bool {
    std::ptr::addr_eq(a, b) && a.type_id() == b.type_id() && size_of_val(a) != 0
}

/// The tensors that `of` finds in all modules, each once.
fn unique(module: &dyn Module, of: impl Fn(&Members<'_>) -> Vec<(Cow<'static, str>, Tensor)>) -> Vec<(String, Tensor)> {
    let mut out: Vec<(String, Tensor)> = Vec::new();
    walk(module, "", &mut |prefix, module| {
        for (name, tensor) in of(&module.members()) {
            if !out.iter().any(|(_, seen)| seen.is_same(&tensor)) {
                out.push((join(prefix, &name), tensor));
            }
        }
    });
    out
}

/// A vector in a field is a list of modules, as `nn.ModuleList`, or of parameters, as `nn.ParameterList`; one of plain data
/// is nothing.
impl<T: Field> Module for Vec<T> {
    fn as_module(&self) -> &dyn Module {
        self
    }
    fn type_name(&self) -> &'static str {
        if T::KIND == Kind::Parameter { "ParameterList" } else { "ModuleList" }
    }
    fn members(&self) -> Members<'_> {
        let mut members = Members::default();
        for (i, item) in self.iter().enumerate() {
            item.collect(Cow::Owned(i.to_string()), &mut members);
        }
        members
    }
    fn repr(&self) -> String {
        repr::list(self, T::KIND)
    }
    fn is_registered(&self) -> bool {
        T::KIND != Kind::Plain
    }
}

macro_rules! pointers {
    ($($pointer:ident),*) => {$(
        impl<M: Module + ?Sized> Module for $pointer<M> {
            fn as_module(&self) -> &dyn Module {
                (**self).as_module()
            }
            fn type_name(&self) -> &'static str {
                (**self).type_name()
            }
            fn members(&self) -> Members<'_> {
                (**self).members()
            }
            fn state(&self) -> Option<&ModuleState> {
                (**self).state()
            }
            fn extra_repr(&self) -> String {
                (**self).extra_repr()
            }
            fn version(&self) -> i64 {
                (**self).version()
            }
            fn added_since(&self, version: Option<i64>) -> &'static [&'static str] {
                (**self).added_since(version)
            }
            fn repr(&self) -> String {
                (**self).repr()
            }
            fn is_registered(&self) -> bool {
                (**self).is_registered()
            }
        }
    )*};
}
pointers!(Box, Arc);
