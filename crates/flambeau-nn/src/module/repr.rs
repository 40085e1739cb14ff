//! How modules print: Python's `print(net)`.

use super::{FieldKind, Module, Parameter};
use flambeau_autograd::Tensor;
use flambeau_tensor::DType;
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
        return parameters(module.type_name(), &members.parameters);
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

/// A list or dict of parameters. The dict tells their types in the old words.
pub(crate) fn parameters<N: std::fmt::Display>(name: &str, parameters: &[(N, &Parameter)]) -> String {
    let what = |x: &Tensor| match name == "ParameterDict" {
        true => typename(x),
        false => x.dtype().to_string(),
    };
    let line = |(key, p): &(N, &Parameter)| {
        let place = if p.device().is_cpu() { String::new() } else { format!(" ({})", p.device()) };
        format!("  ({key}): Parameter containing: [{} of size {}{place}]", what(p), sizes(p))
    };
    match parameters {
        [] => format!("{name}()"),
        // In Python too the only line stands beside the name.
        [one] => format!("{name}({})", line(one)),
        all => format!("{name}(\n  {}\n)", all.iter().map(line).collect::<Vec<_>>().join("\n  ")),
    }
}

/// `torch.typename(x)`.
fn typename(x: &Tensor) -> String {
    let kind = match x.dtype() {
        DType::F32 => "Float",
        DType::F64 => "Double",
        DType::F16 => "Half",
        DType::BF16 => "BFloat16",
        DType::I64 => "Long",
        DType::I32 => "Int",
        DType::I16 => "Short",
        DType::I8 => "Char",
        DType::U8 => "Byte",
        DType::Bool => "Bool",
    };
    format!("torch.{kind}Tensor")
}

fn sizes(x: &Tensor) -> String {
    x.size().iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}
