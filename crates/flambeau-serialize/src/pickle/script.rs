//! The parameters and buffers of a TorchScript archive. Its pickle holds an object per module, with all of the module's
//! attributes; which of them are parameters and which buffers is written at the head of each class, in the archive's code. The
//! code is searched for those two lines and never run.

use super::{
    MAX_DEPTH,
    input::Input,
    unpickler::{Context, Id, Node, Unpickler},
};
use crate::{Dict, DictKind, Error, RawTensor, Result, Value};
use std::collections::HashMap;

/// What the archive's code says of its classes.
#[derive(Debug, Default)]
pub(crate) struct ScriptClasses {
    classes: HashMap<String, Class>,
}

#[derive(Debug, Default)]
struct Class {
    is_module: bool,
    /// The names of its parameters, then those of its buffers.
    names: Vec<String>,
}

/// What a module gives to the state dict.
#[derive(Default)]
struct Found {
    tensors: Vec<(String, Value)>,
    /// `_metadata`: the version of each module.
    versions: Vec<(String, Value)>,
}

impl ScriptClasses {
    /// Notes the classes of a file of code: `module` is its qualified name, `__torch__.torch.nn.modules.linear`.
    pub fn scan(&mut self, module: &str, code: &str) {
        let mut current: Option<&mut Class> = None;
        for line in code.lines() {
            if let Some(class) = line.strip_prefix("class ") {
                let name = class.split(['(', ':']).next().unwrap_or(class);
                let class = Class { is_module: line.contains("(Module)"), names: Vec::new() };
                current = Some(self.classes.entry(format!("{module}.{name}")).insert_entry(class).into_mut());
            } else if let Some(class) = &mut current
                && let Some((_, list)) =
                    line.trim().split_once(" = [").filter(|(key, _)| matches!(*key, "__parameters__" | "__buffers__"))
            {
                // Between quotes: `["weight", "bias", ]`.
                class.names.extend(list.split('"').skip(1).step_by(2).map(str::to_owned));
            }
        }
    }
}

/// Runs the pickle of a TorchScript archive: what `torch.jit.load(path).state_dict()` gives, in its order.
///
/// # Errors
/// As [`read`](super::read).
pub(crate) fn read_script(input: &mut Input<'_>, context: &mut Context, classes: &ScriptClasses) -> Result<Value> {
    context.script = true;
    let mut machine = Unpickler::new(input, context);
    let root = machine.run()?;
    if !matches!(machine.nodes[root], Node::Object { .. }) {
        return Err(machine.unsupported("it is a TorchScript archive without a module"));
    }
    let mut found = Found::default();
    machine.collect(root, String::new(), classes, 0, &mut found)?;
    let mut state = Dict::new(DictKind::OrderedDict, found.tensors);
    state.attributes.push(("_metadata".into(), Value::ordered_dict(found.versions)));
    Ok(Value::Dict(state))
}

impl Unpickler<'_, '_> {
    /// The tensors of a module, then those of its submodules.
    fn collect(
        &mut self,
        object: Id,
        prefix: String,
        classes: &ScriptClasses,
        depth: usize,
        found: &mut Found,
    ) -> Result<()> {
        if depth == MAX_DEPTH {
            let what = format!("its modules contain themselves or nest more than {MAX_DEPTH} levels deep");
            return Err(Error::unsupported(self.input.path, what));
        }
        let Node::Object { class, state: Some(state) } = self.nodes[object] else { return Ok(()) };
        let Node::Dict { items, .. } = &self.nodes[state] else { return Ok(()) };
        let items = items.clone();
        let mut attributes = Vec::with_capacity(items.len());
        for (name, value) in items {
            attributes.push((self.text(name)?, value));
        }
        let listed = match &self.nodes[class] {
            Node::Class(class) => classes.classes.get(class),
            _ => None,
        };
        let tensor = |value: Id, machine: &Self| match &machine.nodes[value] {
            Node::Leaf(Value::Tensor(tensor)) => Some(RawTensor { requires_grad: false, ..tensor.clone() }),
            _ => None,
        };
        if listed.is_some_and(|class| !class.is_module) {
            return Ok(());
        }
        // Each tensor's name starts with the prefix.
        let entries = attributes.len() + listed.map_or(0, |class| class.names.len()) + 1;
        self.spend(entries * (size_of::<(String, Value)>() + prefix.len()))?;
        let module = prefix.strip_suffix('.').unwrap_or(&prefix).to_owned();
        found.versions.push((module, Value::dict([("version", Value::Int(1))])));
        let by_name: HashMap<&str, Id> = attributes.iter().map(|(name, id)| (name.as_str(), *id)).collect();
        // Of an archive without the class's code, whatever is a tensor.
        let names: Vec<&str> = match listed {
            Some(class) => class.names.iter().map(String::as_str).collect(),
            None => attributes.iter().map(|(name, _)| name.as_str()).collect(),
        };
        let own = names.iter().filter_map(|name| Some((name, tensor(*by_name.get(name)?, self)?)));
        found.tensors.extend(own.map(|(name, tensor)| (format!("{prefix}{name}"), Value::Tensor(tensor))));
        for (name, value) in attributes {
            if matches!(self.nodes[value], Node::Object { .. }) {
                self.collect(value, format!("{prefix}{name}."), classes, depth + 1, found)?;
            }
        }
        Ok(())
    }
}
