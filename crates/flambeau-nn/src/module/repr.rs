//! How modules print: Python's `print(net)`.

use super::{FieldKind, Module};
use flambeau_autograd::Tensor;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// `Name(extra)`, with a line per child where there are children.
pub(crate) fn module(module: &dyn Module) -> String {
    let (extra, members) = (module.extra_repr(), module.members());
    let children: Vec<String> =
        members.children.iter().map(|(name, child)| format!("({name}): {}", indent(&child.repr()))).collect();
    let extra: Vec<&str> = if extra.is_empty() { Vec::new() } else { extra.split('\n').collect() };
    let body = match (&extra[..], &children[..]) {
        ([], []) => String::new(),
        ([line], []) => (*line).to_owned(),
        _ => {
            let lines: Vec<&str> = extra.iter().copied().chain(children.iter().map(String::as_str)).collect();
            format!("\n  {}\n", lines.join("\n  "))
        }
    };
    format!("{}({body})", class_name(module))
}

/// The name of the module's class as prints and errors have it: a module with parametrizations gets a class of its own in PyTorch.
pub(crate) fn class_name(module: &dyn Module) -> &'static str {
    static NAMES: Mutex<BTreeMap<&str, &str>> = Mutex::new(BTreeMap::new());
    let name = module.type_name();
    if module.members().parametrizations.is_none() {
        return name;
    }
    // One for each class that was ever parametrized, so that they may stay.
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.entry(name).or_insert_with(|| String::leak(format!("Parametrized{name}")))
}

/// Every line but the first moves right by two.
fn indent(text: &str) -> String {
    text.replace('\n', "\n  ")
}

/// A dict of modules, or a list of them, with equal neighbours in one line: `(0-2): 3 x Linear(…)`; or a list of parameters.
pub(crate) fn list(module: &dyn Module, kind: FieldKind) -> String {
    if kind == FieldKind::Module && module.type_name() == "ModuleDict" {
        return self::module(module);
    }
    let members = module.members();
    if members.parameters.is_empty() && members.children.is_empty() {
        return format!("{}()", module.type_name());
    }
    if kind == FieldKind::Parameter {
        let lines = members
            .parameters
            .iter()
            .map(|(name, p)| format!("    ({name}): Parameter containing: [{} of size {}]", p.dtype(), sizes(p)));
        return format!("{}(\n{}\n)", module.type_name(), lines.collect::<Vec<_>>().join("\n"));
    }
    let mut blocks: Vec<(usize, usize, String)> = Vec::new();
    for (i, (_, child)) in members.children.iter().enumerate() {
        let repr = child.repr();
        match blocks.last_mut() {
            Some((_, end, last)) if *last == repr => *end = i,
            _ => blocks.push((i, i, repr)),
        }
    }
    let lines = blocks.iter().map(|(start, end, repr)| match end - start + 1 {
        1 => format!("({start}): {}", indent(repr)),
        n => format!("({start}-{end}): {n} x {}", indent(repr)),
    });
    format!("{}(\n  {}\n)", module.type_name(), lines.collect::<Vec<_>>().join("\n  "))
}

fn sizes(x: &Tensor) -> String {
    x.size().iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}
