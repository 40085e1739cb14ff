//! A call between hooks, in PyTorch's order: `Module._call_impl`.

use super::backward_hooks::BackwardHooks;
use super::hooks::{self, Hook, Hooks};
use super::{Forward, Input, Output};
use std::any::Any;

/// A module's forward between its hooks.
#[inline]
#[track_caller]
pub(super) fn run<In, Out, F>(module: &F, input: In::Ref<'_>) -> Out
where
    In: Input,
    Out: Output,
    F: Forward<In, Out> + ?Sized,
{
    match hooks::of(module.as_module(), module.state()) {
        None => module.forward(input),
        Some(hooks) => hooked(module, &hooks, input),
    }
}

/// Calls a module that has hooks. Loops, not closures, lead to `forward`, so that it knows the caller's line.
#[cold]
#[track_caller]
fn hooked<In, Out, F>(module: &F, hooks: &Hooks, input: In::Ref<'_>) -> Out
where
    In: Input,
    Out: Output,
    F: Forward<In, Out> + ?Sized,
{
    let list = hooks.snapshot();
    if list.is_empty() {
        return module.forward(input);
    }
    let this = module.as_module();
    let mut held = In::keep(input);
    for hook in &list {
        let new = match hook {
            Hook::BeforeTyped(hook) => hook(this, &held as &dyn Any).map(downcast::<In>),
            Hook::BeforeErased(hook) => hook(this, &held.to_value()).map(|v| returned(held.with_value(v), "pre hook")),
            _ => None,
        };
        held = new.unwrap_or(held);
    }
    let backward = BackwardHooks::of(this, &list);
    if let Some(backward) = &backward {
        let mut value = held.to_value();
        if backward.on_inputs(&mut value) {
            held = held.with_value(value).unwrap_or(held);
        }
    }
    let mut output = module.forward(Input::borrow(&held));
    for hook in &list {
        let new = match hook {
            Hook::AfterTyped(hook) => hook(this, &held as &dyn Any, &output as &dyn Any).map(downcast::<Out>),
            Hook::AfterErased(hook) => {
                hook(this, &held.to_value(), &output.to_value()).map(|v| returned(output.with_value(v), "hook"))
            }
            _ => None,
        };
        output = new.unwrap_or(output);
    }
    if let Some(backward) = backward {
        let mut value = output.to_value();
        if backward.on_outputs(&mut value) {
            output = output.with_value(value).unwrap_or(output);
        }
    }
    output
}

fn downcast<T: 'static>(new: Box<dyn Any>) -> T {
    *new.downcast().expect("a typed hook returns the type that it was shown")
}

#[track_caller]
fn returned<T>(new: Option<T>, what: &str) -> T {
    match new {
        Some(new) => new,
        None => panic!("a forward {what} of this module must return a {}", std::any::type_name::<T>()),
    }
}
