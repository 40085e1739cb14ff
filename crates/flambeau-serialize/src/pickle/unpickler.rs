//! The stack machine that reads a pickle.

use super::{
    budget::{Budget, check_machine},
    globals::{Global, refusal},
    input::Input,
    numpy::NumpyType,
    opcode as op,
    storages::{Storages, View},
};
use crate::{
    Error, Result,
    value::{DictKind, Value},
};
use flambeau_tensor::DType;
use std::collections::HashMap;

/// The index of a [`Node`]. The stack and the memo hold ids, since Python's objects are references: a dict is stored in
/// the memo while empty and filled later.
pub(crate) type Id = usize;

/// An object under construction.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A value without children, tensors included.
    Leaf(Value),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    /// `state` are the dicts that BUILD merged into the object's attributes.
    Dict {
        kind: DictKind,
        items: Vec<(Id, Id)>,
        state: Vec<Id>,
    },
    /// A name that only REDUCE and persistent ids use.
    Global(Global),
    /// A part of one of the storages.
    Storage(View),
    /// A `numpy.dtype`.
    NumpyType(NumpyType),
    /// An object of one of three classes that BUILD fills: `numpy.ndarray`, `Tensor`, `Parameter`.
    Blank(Global),
    /// A class of a TorchScript archive, by its qualified name.
    Class(String),
    /// An object of such a class: its attributes are those of the dict that BUILD gave it.
    Object {
        class: Id,
        state: Option<Id>,
    },
}

impl Node {
    /// The element type of a storage's class, `None` in it for untyped bytes.
    pub fn storage_type(&self) -> Option<Option<DType>> {
        match self {
            Node::Global(Global::Storage(dtype)) => Some(Some(*dtype)),
            Node::Global(Global::UntypedStorage) => Some(None),
            _ => None,
        }
    }
}

/// What the pickles of one file share.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub storages: Storages,
    /// What the persistent ids of the tar format stand for.
    pub objects: HashMap<i64, Node>,
    /// Whether classes of a TorchScript archive are understood.
    pub script: bool,
}

/// What opcodes of one byte make and nothing changes stands at the start of the nodes, once: these, then the empty tuple.
const CONSTANTS: [Value; 3] = [Value::None, Value::Bool(false), Value::Bool(true)];

/// The machine's state.
pub(crate) struct Unpickler<'m, 'r> {
    pub(super) input: &'m mut Input<'r>,
    pub(super) context: &'m mut Context,
    pub(super) nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    pub(super) budget: Budget,
}

impl<'m, 'r> Unpickler<'m, 'r> {
    pub fn new(input: &'m mut Input<'r>, context: &'m mut Context) -> Self {
        let nodes = CONSTANTS.map(Node::Leaf).into_iter().chain([Node::Tuple(Vec::new())]).collect();
        let (stack, marks) = (Vec::new(), Vec::new());
        Unpickler { input, context, nodes, stack, marks, memo: HashMap::new(), budget: Budget::default() }
    }

    pub(super) fn corrupt(&self, what: impl std::fmt::Display) -> Error {
        self.input.corrupt(what)
    }

    pub(super) fn unsupported(&self, what: impl Into<String>) -> Error {
        Error::unsupported(self.input.path, what)
    }

    /// Counts bytes that are copied from one object to another.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<()> {
        self.budget.copy(bytes, self.input.allowance(), self.input.path)
    }

    /// Runs one pickle, to its STOP: the node of its value.
    pub fn run(&mut self) -> Result<Id> {
        loop {
            let references = self.stack.len() + self.marks.len();
            check_machine(self.nodes.len(), references, self.input.allowance(), self.input.path)?;
            let opcode = self.input.byte()?;
            match opcode {
                op::STOP => return self.pop(),
                op::PROTO => {
                    let version = self.input.byte()?;
                    if version > 5 {
                        return Err(self.unsupported(format!("pickle protocol {version} is newer than 5")));
                    }
                }
                op::FRAME => drop(self.input.array::<8>()?),
                op::MARK => self.marks.push(self.stack.len()),
                op::POP => self.discard()?,
                op::POP_MARK => drop(self.pop_mark()?),
                op::DUP => {
                    let top = self.top()?;
                    self.stack.push(top);
                }
                op::NONE => self.stack.push(0),
                op::NEWFALSE => self.stack.push(1),
                op::NEWTRUE => self.stack.push(2),
                op::EMPTY_TUPLE => self.stack.push(CONSTANTS.len()),
                op::EMPTY_LIST => self.push(Node::List(Vec::new())),
                op::EMPTY_SET => self.push(Node::Set(Vec::new())),
                op::EMPTY_DICT => {
                    self.push(Node::Dict { kind: DictKind::Dict, items: Vec::new(), state: Vec::new() });
                }
                op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                    let len = usize::from(opcode - op::TUPLE1) + 1;
                    let mut items = (0..len).map(|_| self.pop()).collect::<Result<Vec<Id>>>()?;
                    items.reverse();
                    self.push(Node::Tuple(items));
                }
                op::TUPLE => {
                    let items = self.pop_mark()?;
                    self.push(Node::Tuple(items));
                }
                op::LIST => {
                    let items = self.pop_mark()?;
                    self.push(Node::List(items));
                }
                // What a set holds does not change its kind here; see `Global::FrozenSet`.
                op::FROZENSET => {
                    let items = self.pop_mark()?;
                    self.push(Node::Set(items));
                }
                op::DICT => {
                    let items = self.pop_mark()?;
                    self.push(Node::Dict { kind: DictKind::Dict, items: Vec::new(), state: Vec::new() });
                    self.set_items(&items)?;
                }
                op::APPEND => {
                    let item = self.pop()?;
                    self.extend(vec![item])?;
                }
                op::APPENDS | op::ADDITEMS => {
                    let items = self.pop_mark()?;
                    self.extend(items)?;
                }
                op::SETITEM => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(&[key, value])?;
                }
                op::SETITEMS => {
                    let items = self.pop_mark()?;
                    self.set_items(&items)?;
                }
                op::PUT | op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => self.store(opcode)?,
                op::GET | op::BINGET | op::LONG_BINGET => self.recall(opcode)?,
                op::GLOBAL | op::STACK_GLOBAL | op::INST => self.name(opcode)?,
                op::OBJ => {
                    let mut parts = self.pop_mark()?;
                    if parts.is_empty() {
                        return Err(self.corrupt("an object has no class"));
                    }
                    let class = parts.remove(0);
                    self.push(Node::Tuple(parts));
                    self.call(class, 1)?;
                }
                op::REDUCE | op::NEWOBJ => {
                    let function = self.below(1)?;
                    self.call(function, 2)?;
                }
                op::NEWOBJ_EX => {
                    let keywords = self.pop()?;
                    if !matches!(&self.nodes[keywords], Node::Dict { items, .. } if items.is_empty()) {
                        return Err(self.unsupported("it makes an object with keyword arguments"));
                    }
                    let function = self.below(1)?;
                    self.call(function, 2)?;
                }
                op::BUILD => {
                    let state = self.pop()?;
                    let object = self.top()?;
                    self.build(object, state)?;
                }
                op::BINPERSID => {
                    let id = self.pop()?;
                    let node = self.persistent(id)?;
                    self.push(node);
                }
                op::PERSID => {
                    let id = self.text_line()?;
                    self.leaf(Value::Str(id));
                    let id = self.pop()?;
                    let node = self.persistent(id)?;
                    self.push(node);
                }
                op::NEXT_BUFFER | op::READONLY_BUFFER => {
                    return Err(self.unsupported("its pickle refers to buffers outside it, as no torch.save writes"));
                }
                other => {
                    let value = self.literal(other)?;
                    self.leaf(value);
                }
            }
        }
    }

    /// Calls what `function` names with the tuple on top of the stack, in the place of the `parts` topmost entries.
    fn call(&mut self, function: Id, parts: usize) -> Result<()> {
        let arguments = self.pop()?;
        if parts == 2 {
            self.pop()?;
        }
        let made = self.reduce(function, arguments)?;
        self.stack.push(made);
        Ok(())
    }

    /// GLOBAL, STACK_GLOBAL and INST: pushes what a module and a name stand for, if they are in the table.
    fn name(&mut self, opcode: u8) -> Result<()> {
        let (module, name) = if opcode == op::STACK_GLOBAL {
            let (name, module) = (self.pop()?, self.pop()?);
            (self.text(module)?, self.text(name)?)
        } else {
            (self.text_line()?, self.text_line()?)
        };
        let arguments = if opcode == op::INST { Some(self.pop_mark()?) } else { None };
        match Global::find(&module, &name) {
            Some(Global::DType(dtype)) => self.leaf(Value::DType(dtype)),
            Some(global) => self.push(Node::Global(global)),
            None if self.context.script && (module == "__torch__" || module.starts_with("__torch__.")) => {
                self.push(Node::Class(format!("{module}.{name}")));
            }
            None => return Err(self.unsupported(refusal(&module, &name))),
        }
        if let Some(arguments) = arguments {
            let class = self.top()?;
            self.push(Node::Tuple(arguments));
            self.call(class, 2)?;
        }
        Ok(())
    }

    fn store(&mut self, opcode: u8) -> Result<()> {
        let key = match opcode {
            op::PUT => self.decimal()?,
            op::BINPUT => u32::from(self.input.byte()?),
            op::LONG_BINPUT => u32::from_le_bytes(self.input.array()?),
            _ => u32::try_from(self.memo.len()).map_err(|_| self.corrupt("its memo is too long"))?,
        };
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, opcode: u8) -> Result<()> {
        let key = match opcode {
            op::GET => self.decimal()?,
            op::BINGET => u32::from(self.input.byte()?),
            _ => u32::from_le_bytes(self.input.array()?),
        };
        let id = self.memo.get(&key).copied();
        self.stack.push(id.ok_or_else(|| self.corrupt(format!("memo {key} is read before it is set")))?);
        Ok(())
    }

    fn decimal(&mut self) -> Result<u32> {
        let line = self.text_line()?;
        line.trim().parse().map_err(|_| self.corrupt("a number of its memo is none"))
    }

    /// A line that is a name or a number.
    pub(super) fn text_line(&mut self) -> Result<String> {
        let text = std::str::from_utf8(self.input.line()?).map(|line| line.trim_end_matches('\r').to_owned());
        text.map_err(|_| self.corrupt("a name is not UTF-8"))
    }

    /// Appends to the list or set on top of the stack.
    fn extend(&mut self, items: Vec<Id>) -> Result<()> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::List(list) | Node::Set(list) => list.extend(items),
            _ => return Err(self.corrupt("it appends to something that is no list")),
        }
        Ok(())
    }

    /// Sets alternating keys and values in the dict on top of the stack.
    fn set_items(&mut self, flat: &[Id]) -> Result<()> {
        let (pairs, rest) = flat.as_chunks::<2>();
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::Dict { items, .. } if rest.is_empty() => items.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(self.corrupt("it sets items of something that is no dict")),
        }
        Ok(())
    }

    /// A new object that the stack does not hold yet.
    pub(super) fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn push(&mut self, node: Node) {
        let id = self.add(node);
        self.stack.push(id);
    }

    fn leaf(&mut self, value: Value) {
        self.push(Node::Leaf(value));
    }

    fn top(&self) -> Result<Id> {
        self.below(0)
    }

    /// The entry `depth` below the top of the stack, above the last mark.
    fn below(&self, depth: usize) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor..].iter().rev().nth(depth).copied().ok_or_else(|| self.corrupt("its stack is empty"))
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// POP: the topmost entry, or the topmost mark where nothing lies above it.
    fn discard(&mut self) -> Result<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| self.corrupt("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }
}
