//! Ways through a module and all in it.

use super::{Members, Module, NamedOptions};
use flambeau_autograd::Tensor;
use std::any::TypeId;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// `module` and all in it with their names; with `once` each of them once.
pub(super) fn named_modules<'a>(module: &'a dyn Module, prefix: &str, once: bool) -> Vec<(String, &'a dyn Module)> {
    let (mut out, mut seen) = (Vec::new(), HashSet::new());
    walk(module, prefix, &mut |name, module| {
        if !once || identity(module).is_none_or(|id| seen.insert(id)) {
            out.push((name.to_owned(), module));
        }
    });
    out
}

/// Whether a module has a place for hooks.
pub(crate) fn can_carry_hooks(module: &dyn Module) -> bool {
    let mut found = module.state().is_some();
    let _ = module.carriers(1, &mut |_, _| {
        found = true;
        ControlFlow::Break(())
    });
    found
}

/// Calls `f` with `module` and all in it, parents first, each with its dotted name.
pub(super) fn walk<'a>(module: &'a dyn Module, name: &str, f: &mut dyn FnMut(&str, &'a dyn Module)) {
    f(name, module);
    for (child_name, child) in module.members().children {
        walk(child, &join(name, &child_name), f);
    }
}

/// Calls `f` with all in `module`, children first, and then with itself.
pub(super) fn apply(module: &dyn Module, f: &mut dyn FnMut(&dyn Module)) {
    for (_, child) in module.members().children {
        apply(child, f);
    }
    f(module);
}

/// A child's dotted name.
pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// What tells a module from others. Modules without size have no identity.
pub(super) fn identity(module: &dyn Module) -> Option<(usize, TypeId)> {
    let address = std::ptr::from_ref(module).cast::<()>().addr();
    (size_of_val(module) != 0).then(|| (address, module.type_id()))
}

/// The tensors that `of` finds in the modules that the options name.
pub(super) fn named(
    module: &dyn Module,
    options: &NamedOptions,
    of: impl Fn(&Members<'_>) -> Vec<(Cow<'static, str>, Tensor)>,
) -> Vec<(String, Tensor)> {
    let (mut out, mut seen) = (Vec::new(), HashSet::new());
    let mut collect = |prefix: &str, module: &dyn Module| {
        for (name, tensor) in of(&module.members()) {
            if seen.insert(tensor.address()) || !options.remove_duplicate {
                out.push((join(prefix, &name), tensor));
            }
        }
    };
    match options.recurse {
        true => walk(module, &options.prefix, &mut |prefix, module| collect(prefix, module)),
        false => collect(&options.prefix, module),
    }
    out
}
