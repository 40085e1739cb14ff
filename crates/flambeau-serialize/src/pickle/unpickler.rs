//! The stack machine that reads a pickle.

use super::{globals::Global, opcode as op, resolve::Resolver};
use crate::{
    Error, Result,
    value::{DictKind, Value},
};
use flambeau_tensor::DType;
use std::{collections::HashMap, path::Path};

/// The index of a [`Node`]. The stack and the memo hold ids, since Python's objects are references: a dict is stored in
/// the memo while empty and filled later.
pub(super) type Id = usize;

/// An object under construction.
#[derive(Debug)]
pub(super) enum Node {
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
    /// An index into [`Unpickler::storages`].
    Storage(usize),
}

/// A storage that the pickle names and that lies elsewhere in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StorageEntry {
    /// The name of its entry below `data/`.
    pub key: String,
    /// The element type; `None` for untyped bytes that no tensor uses.
    pub dtype: Option<DType>,
    /// Its length in bytes.
    pub bytes: usize,
}

/// The allowance for what a pickle may make beyond its own length. A reference of two bytes can repeat a large object,
/// so a small file could otherwise fill the memory.
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    /// What one value costs beside its text.
    pub const VALUE: usize = 128;

    fn new(pickle_len: usize) -> Self {
        Budget { left: pickle_len.saturating_mul(2 * Self::VALUE).saturating_add(64 << 20) }
    }

    pub fn spend(&mut self, bytes: usize, path: &Path) -> Result<()> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| Error::corrupt(path, "its pickle repeats shared objects until they fill the memory"))?;
        Ok(())
    }
}

/// The machine's state.
pub(super) struct Unpickler<'a> {
    bytes: &'a [u8],
    position: usize,
    pub(super) path: &'a Path,
    pub(super) nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    pub(super) storages: Vec<StorageEntry>,
    pub(super) storage_keys: HashMap<String, usize>,
    pub(super) budget: Budget,
}

/// Runs the pickle in `bytes`: its value, and the storages that its tensors index. `path` is for messages.
///
/// # Errors
/// `Corrupt` for whatever breaks the format, `Unsupported` for names and opcodes outside the closed set. Time and memory
/// are bounded by a multiple of the length, and nothing is ever executed.
pub(crate) fn load(bytes: &[u8], path: &Path) -> Result<(Value, Vec<StorageEntry>)> {
    let mut machine = Unpickler {
        bytes,
        position: 0,
        path,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        storages: Vec::new(),
        storage_keys: HashMap::new(),
        budget: Budget::new(bytes.len()),
    };
    let root = machine.run()?;
    let Unpickler { nodes, storages, budget, .. } = machine;
    Ok((Resolver::new(&nodes, budget, path).value(root)?, storages))
}

impl<'a> Unpickler<'a> {
    pub(super) fn corrupt(&self, what: impl std::fmt::Display) -> Error {
        Error::corrupt(self.path, format!("{what} (byte {} of its pickle)", self.position))
    }

    pub(super) fn unsupported(&self, what: impl Into<String>) -> Error {
        Error::unsupported(self.path, what)
    }

    fn run(&mut self) -> Result<Id> {
        loop {
            let opcode = self.byte()?;
            match opcode {
                op::STOP => return self.pop(),
                op::PROTO => {
                    let version = self.byte()?;
                    if version > 5 {
                        return Err(self.unsupported(format!("pickle protocol {version} is newer than 5")));
                    }
                }
                op::FRAME => drop(self.array::<8>()?),
                op::MARK => self.marks.push(self.stack.len()),
                op::POP => drop(self.pop()?),
                op::POP_MARK => drop(self.pop_mark()?),
                op::NONE => self.leaf(Value::None),
                op::NEWTRUE => self.leaf(Value::Bool(true)),
                op::NEWFALSE => self.leaf(Value::Bool(false)),
                op::BININT | op::BININT1 | op::BININT2 | op::LONG1 | op::LONG4 | op::BINFLOAT => self.number(opcode)?,
                op::BINUNICODE | op::SHORT_BINUNICODE | op::BINUNICODE8 => {
                    let text = self.counted(opcode)?;
                    let text = std::str::from_utf8(text).map_err(|_| self.corrupt("a string is not UTF-8"))?;
                    self.leaf(Value::Str(text.to_owned()));
                }
                op::BINSTRING | op::SHORT_BINSTRING => {
                    // Python 2's str: text in practice, bytes otherwise.
                    let text = self.counted(opcode)?.to_vec();
                    self.leaf(String::from_utf8(text).map_or_else(|e| Value::Bytes(e.into_bytes()), Value::Str));
                }
                op::BINBYTES | op::SHORT_BINBYTES | op::BINBYTES8 => {
                    let bytes = self.counted(opcode)?.to_vec();
                    self.leaf(Value::Bytes(bytes));
                }
                op::EMPTY_LIST => self.push(Node::List(Vec::new())),
                op::EMPTY_TUPLE => self.push(Node::Tuple(Vec::new())),
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
                op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => {
                    let key = match opcode {
                        op::BINPUT => u32::from(self.byte()?),
                        op::LONG_BINPUT => u32::from_le_bytes(self.array()?),
                        _ => u32::try_from(self.memo.len()).map_err(|_| self.corrupt("its memo is too long"))?,
                    };
                    let top = self.top()?;
                    self.memo.insert(key, top);
                }
                op::BINGET | op::LONG_BINGET => {
                    let key =
                        if opcode == op::BINGET { u32::from(self.byte()?) } else { u32::from_le_bytes(self.array()?) };
                    let id = self.memo.get(&key).copied();
                    self.stack.push(id.ok_or_else(|| self.corrupt(format!("memo {key} is read before it is set")))?);
                }
                op::GLOBAL => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(module, name)?;
                }
                op::STACK_GLOBAL => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (module, name) = (self.text(module)?, self.text(name)?);
                    self.global(&module, &name)?;
                }
                op::REDUCE | op::NEWOBJ => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    let node = self.reduce(function, arguments)?;
                    self.push(node);
                }
                op::BUILD => {
                    let state = self.pop()?;
                    self.build(state)?;
                }
                op::BINPERSID => {
                    let id = self.pop()?;
                    let storage = self.persistent_storage(id)?;
                    self.push(Node::Storage(storage));
                }
                other => {
                    return Err(self.unsupported(format!(
                        "pickle opcode {other:#04x} at byte {} is not one that torch.save writes; save a plain state_dict again",
                        self.position - 1
                    )));
                }
            }
        }
    }

    /// Pushes what a module and a name stand for, if they are in the table.
    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        match Global::find(module, name) {
            Some(Global::DType(dtype)) => self.leaf(Value::DType(dtype)),
            Some(global) => self.push(Node::Global(global)),
            None => {
                return Err(self.unsupported(format!(
                    "it refers to the Python object `{module}.{name}`, which is not one of the allowed plain types; nothing \
                     of it was executed. In Python, save tensors and plain data only: torch.save(model.state_dict(), path)"
                )));
            }
        }
        Ok(())
    }

    fn number(&mut self, opcode: u8) -> Result<()> {
        let value = match opcode {
            op::BININT => Value::Int(i32::from_le_bytes(self.array()?).into()),
            op::BININT1 => Value::Int(self.byte()?.into()),
            op::BININT2 => Value::Int(u16::from_le_bytes(self.array()?).into()),
            op::BINFLOAT => Value::Float(f64::from_be_bytes(self.array()?)),
            _ => {
                let digits = self.counted(opcode)?;
                match digits.len() {
                    0..=8 => {
                        let fill = if digits.last().is_some_and(|&b| b >= 0x80) { 0xff } else { 0 };
                        let mut bytes = [fill; 8];
                        bytes[..digits.len()].copy_from_slice(digits);
                        Value::Int(i64::from_le_bytes(bytes))
                    }
                    _ => Value::BigInt(digits.to_vec()),
                }
            }
        };
        self.leaf(value);
        Ok(())
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

    /// Merges the dict `attributes` into the attributes of the `OrderedDict` on top of the stack.
    fn build(&mut self, attributes: Id) -> Result<()> {
        let top = self.top()?;
        let plain = matches!(self.nodes[attributes], Node::Dict { .. });
        match &mut self.nodes[top] {
            Node::Dict { kind: DictKind::OrderedDict, state, .. } if plain => state.push(attributes),
            _ => return Err(self.unsupported("it sets attributes of an object other than an OrderedDict")),
        }
        Ok(())
    }

    pub(super) fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn leaf(&mut self, value: Value) {
        self.push(Node::Leaf(value));
    }

    fn top(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor..].last().copied().ok_or_else(|| self.corrupt("its stack is empty"))
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| self.corrupt("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.position..];
        let taken = rest.get(..len).ok_or_else(|| self.corrupt("it ends too early"))?;
        self.position += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("take returns exactly N bytes"))
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// The bytes after a length whose width the opcode gives.
    fn counted(&mut self, opcode: u8) -> Result<&'a [u8]> {
        let len = match opcode {
            op::LONG1 | op::SHORT_BINUNICODE | op::SHORT_BINSTRING | op::SHORT_BINBYTES => u64::from(self.byte()?),
            op::BINUNICODE8 | op::BINBYTES8 => u64::from_le_bytes(self.array()?),
            _ => u64::from(u32::from_le_bytes(self.array()?)),
        };
        self.take(usize::try_from(len).map_err(|_| self.corrupt("it ends too early"))?)
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.position..];
        let len = rest.iter().position(|&b| b == b'\n').ok_or_else(|| self.corrupt("it ends too early"))?;
        let line = std::str::from_utf8(self.take(len + 1)?).map_err(|_| self.corrupt("a name is not UTF-8"))?;
        Ok(line.trim_end_matches(['\n', '\r']))
    }
}
