//! Python's pickle format, as far as `torch.save` uses it.
//!
//! A pickle is a program for a small stack machine, and in general it may call any Python function. This reader calls
//! none: it knows a closed table of names ([`globals`]), builds [`Value`]s for them, and refuses every other name, as
//! `torch.load(weights_only=True)` does. Tensors' bytes lie outside the pickle, in storages that it names by key.

mod budget;
mod globals;
mod input;
mod literal;
mod numpy;
mod opcode;
mod rebuild;
mod resolve;
mod script;
mod storages;
mod unpickler;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use input::Input;
pub(crate) use script::{ScriptClasses, read_script};
pub(crate) use storages::StorageEntry;
pub(crate) use unpickler::{Context, Node};
pub(crate) use writer::dump;

use crate::{Result, value::Value};
use resolve::Resolver;
use unpickler::Unpickler;

/// Containers nest at most this deep, in both directions: deeper values would overflow the stack of a small thread,
/// and Python's own pickler stops near here.
pub(crate) const MAX_DEPTH: usize = 500;

/// Runs the pickle that comes next: its value, whose tensors index the context's storages.
///
/// # Errors
/// `Corrupt` for whatever breaks the format, `Unsupported` for names and opcodes outside the closed set. Time and memory
/// are bounded by a multiple of the length, and nothing is ever executed.
pub(crate) fn read(input: &mut Input<'_>, context: &mut Context) -> Result<Value> {
    let mut machine = Unpickler::new(input, context);
    let root = machine.run()?;
    let Unpickler { nodes, budget, .. } = machine;
    Resolver::new(&nodes, budget, input.allowance(), input.path).value(root)
}

/// [`read`] for a pickle of an older format that is no value by itself: the nodes of a tuple or list.
pub(crate) fn read_nodes(input: &mut Input<'_>, context: &mut Context) -> Result<Vec<Node>> {
    let mut machine = Unpickler::new(input, context);
    let root = machine.run()?;
    let ids = machine.elements(root)?;
    Ok(ids.into_iter().map(|id| machine.nodes[id].clone()).collect())
}
