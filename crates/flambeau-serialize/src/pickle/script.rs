//! The parameters and buffers of a TorchScript archive. Its pickle holds an object per module, with all of the module's
//! attributes; which of them are parameters and which buffers is written at the head of each class, in the archive's code. The
//! code is searched for those two lines and never run.

use super::{
    MAX_DEPTH,
    input::Input,
    unpickler::{Budget, Context, Id, Node, Unpickler},
};
use crate::{Error, Result, Value, value::RawTensor};
use std::collections::HashMap;

/// The names of each class's parameters and buffers.
#[derive(Debug, Default)]
pub(crate) struct ScriptClasses {
    classes: HashMap<String, Vec<String>>,
}

impl ScriptClasses {
    /// Notes the classes of a file of code: `module` is its qualified name, `__torch__.torch.nn.modules.linear`.
    pub fn scan(&mut self, module: &str, code: &str) {
        let mut current: Option<&mut Vec<String>> = None;
        for line in code.lines() {
            if let Some(class) = line.strip_prefix("class ") {
                let name = class.split(['(', ':']).next().unwrap_or(class);
                current = Some(self.classes.entry(format!("{module}.{name}")).or_default());
            } else if let Some(names) = &mut current
                && let Some((_, list)) =
                    line.trim().split_once(" = [").filter(|(key, _)| matches!(*key, "__parameters__" | "__buffers__"))
            {
                // Between quotes: `["weight", "bias", ]`.
                names.extend(list.split('"').skip(1).step_by(2).map(str::to_owned));
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
    let mut found = Vec::new();
    machine.collect(root, String::new(), classes, 0, &mut found)?;
    Ok(Value::ordered_dict(found))
}

impl Unpickler<'_, '_> {
    /// The tensors of a module, then those of its submodules.
    fn collect(
        &mut self,
        object: Id,
        prefix: String,
        classes: &ScriptClasses,
        depth: usize,
        found: &mut Vec<(String, Value<RawTensor>)>,
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
        // Each tensor's name starts with the prefix.
        self.spend((attributes.len() + 1) * (Budget::VALUE + prefix.len()))?;
        let listed = match &self.nodes[class] {
            Node::Class(class) => classes.classes.get(class),
            _ => None,
        };
        let tensor = |value: Id, machine: &Self| match &machine.nodes[value] {
            Node::Leaf(Value::Tensor(tensor)) => Some(RawTensor { requires_grad: false, ..tensor.clone() }),
            _ => None,
        };
        match listed {
            Some(names) => {
                let by_name: HashMap<&str, Id> = attributes.iter().map(|(name, id)| (name.as_str(), *id)).collect();
                let own = names.iter().filter_map(|name| Some((name, tensor(*by_name.get(name.as_str())?, self)?)));
                found.extend(own.map(|(name, tensor)| (format!("{prefix}{name}"), Value::Tensor(tensor))));
            }
            // Archives without the class's code: whatever is a tensor.
            None => {
                let own = attributes.iter().filter_map(|(name, id)| Some((name, tensor(*id, self)?)));
                found.extend(own.map(|(name, tensor)| (format!("{prefix}{name}"), Value::Tensor(tensor))));
            }
        }
        for (name, value) in attributes {
            if matches!(self.nodes[value], Node::Object { .. }) {
                self.collect(value, format!("{prefix}{name}."), classes, depth + 1, found)?;
            }
        }
        Ok(())
    }
}
