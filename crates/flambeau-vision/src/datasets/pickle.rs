//! As much of Python's pickle as CIFAR's batches use: a dict of lists of numbers, strings, and one NumPy array of bytes.
//!
//! Nothing is called: what a pickle builds of classes is kept as the arguments it gives, and the array is the longest byte
//! string among them.

use std::collections::HashMap;
use std::rc::Rc;

/// What a pickle holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// `None`, a class, a number that is no integer: nothing of interest.
    Other,
    /// A bool or an integer.
    Integer(i64),
    /// Bytes, or a text.
    Bytes(Rc<[u8]>),
    /// A list or a tuple, or an object with what it was made of.
    List(Rc<List>),
    /// A dict with strings as keys.
    Dict(Rc<Dict>),
}

/// How many lists and dicts may lie within each other: more would overflow the stack when they are dropped.
const DEEPEST: usize = 32;

/// Values in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    items: Vec<Value>,
    /// How many lists and dicts lie within each other in it.
    within: usize,
    /// The longest byte string in it: a search would pass a list once for each place that it is recalled at.
    longest: Option<Rc<[u8]>>,
}

/// Values by their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Dict {
    items: HashMap<Vec<u8>, Value>,
    within: usize,
}

impl List {
    fn of(items: Vec<Value>) -> Outcome<Self> {
        let mut list = List::default();
        list.extend(items)?;
        Ok(list)
    }

    fn extend(&mut self, items: Vec<Value>) -> Outcome<()> {
        for item in &items {
            self.within = self.within.max(item.depth()?);
            let longest = match item {
                Value::Bytes(bytes) => Some(bytes),
                Value::List(list) => list.longest.as_ref(),
                _ => None,
            };
            if let Some(bytes) = longest
                && self.longest.as_ref().is_none_or(|known| known.len() <= bytes.len())
            {
                self.longest = Some(bytes.clone());
            }
        }
        self.items.extend(items);
        Ok(())
    }
}

impl Value {
    /// What a dict holds under a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Dict(dict) => dict.items.get(key.as_bytes()),
            _ => None,
        }
    }

    /// How many lists and dicts lie within each other, itself among them.
    fn depth(&self) -> Outcome<usize> {
        let depth = match self {
            Value::List(list) => list.within + 1,
            Value::Dict(dict) => dict.within + 1,
            _ => 0,
        };
        if depth > DEEPEST { Err("the pickle's lists lie too deep within each other".into()) } else { Ok(depth) }
    }

    /// The integers of a list.
    pub fn integers(&self) -> Option<Vec<i64>> {
        let Value::List(list) = self else { return None };
        let integer = |v: &Value| if let Value::Integer(n) = v { Some(*n) } else { None };
        list.items.iter().map(integer).collect()
    }

    /// The bytes of an array: its longest byte string.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            Value::List(list) => list.longest.as_deref(),
            _ => None,
        }
    }
}

/// Whether a text is of Latin-1 characters alone, which is how Python 3 writes bytes into old pickles.
fn latin1(text: &[u8]) -> Vec<u8> {
    let narrow: Option<Vec<u8>> =
        std::str::from_utf8(text).ok().and_then(|text| text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect());
    narrow.unwrap_or_else(|| text.to_vec())
}

struct Reader<'a> {
    rest: &'a [u8],
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<usize, Value>,
}

type Outcome<T> = Result<T, String>;

/// The value of a pickle.
///
/// # Errors
/// When it is damaged, or does more than CIFAR's do.
pub(super) fn read(bytes: &[u8]) -> Outcome<Value> {
    let mut reader = Reader { rest: bytes, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        let [opcode] = reader.array()?;
        if opcode == b'.' {
            return reader.pop();
        }
        reader.step(opcode)?;
    }
}

impl Reader<'_> {
    fn take(&mut self, n: usize) -> Outcome<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or("truncated pickle")?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| "truncated pickle".to_owned())
    }

    /// A little-endian number of so many bytes.
    fn number(&mut self, bytes: usize) -> Outcome<usize> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte)))
    }

    fn line(&mut self) -> Outcome<Vec<u8>> {
        let end = self.rest.iter().position(|&b| b == b'\n').ok_or("truncated pickle")?;
        Ok(self.take(end + 1)?[..end].to_vec())
    }

    fn pop(&mut self) -> Outcome<Value> {
        self.stack.pop().ok_or_else(|| "damaged pickle: nothing on its stack".to_owned())
    }

    /// Everything above the last mark.
    fn marked(&mut self) -> Outcome<Vec<Value>> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or("damaged pickle: no mark")?))
    }

    fn push_bytes(&mut self, length: usize) -> Outcome<()> {
        let bytes: Rc<[u8]> = self.take(length)?.into();
        self.stack.push(Value::Bytes(bytes));
        Ok(())
    }

    fn push_text(&mut self, length: usize) -> Outcome<()> {
        let text = latin1(self.take(length)?);
        self.stack.push(Value::Bytes(text.into()));
        Ok(())
    }

    fn tuple(&mut self, n: usize) -> Outcome<()> {
        let start = self.stack.len().checked_sub(n).ok_or("damaged pickle: too short a stack")?;
        let items = self.stack.split_off(start);
        self.stack.push(Value::List(Rc::new(List::of(items)?)));
        Ok(())
    }

    /// Adds items to the list on the top, or what an object got to the object.
    fn extend(&mut self, items: Vec<Value>) -> Outcome<()> {
        match self.stack.last_mut() {
            Some(Value::List(list)) => Rc::make_mut(list).extend(items)?,
            Some(other) => *other = Value::List(Rc::new(List::of(items)?)),
            None => return Err("damaged pickle: no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Value>) -> Outcome<()> {
        let Some(Value::Dict(dict)) = self.stack.last_mut() else { return Err("damaged pickle: no dict".into()) };
        let dict = Rc::make_mut(dict);
        for pair in items.as_chunks::<2>().0 {
            if let Value::Bytes(key) = &pair[0] {
                dict.within = dict.within.max(pair[1].depth()?);
                dict.items.insert(key.to_vec(), pair[1].clone());
            }
        }
        Ok(())
    }

    fn remember(&mut self, key: usize) -> Outcome<()> {
        let top = self.stack.last().ok_or("damaged pickle: nothing to remember")?.clone();
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: usize) -> Outcome<()> {
        let value = self.memo.get(&key).ok_or("damaged pickle: it recalls what it never remembered")?.clone();
        self.stack.push(value);
        Ok(())
    }

    fn step(&mut self, opcode: u8) -> Outcome<()> {
        match opcode {
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'}' => self.stack.push(Value::Dict(Rc::default())),
            b']' | b')' => self.stack.push(Value::List(Rc::default())),
            b'N' => self.stack.push(Value::Other),
            0x88 | 0x89 => self.stack.push(Value::Integer(i64::from(opcode == 0x88))),
            b'K' | b'M' | b'J' => {
                let bytes = match opcode {
                    b'K' => 1,
                    b'M' => 2,
                    _ => 4,
                };
                let n = self.number(bytes)?;
                self.stack.push(Value::Integer(if bytes == 4 { i64::from(n as u32 as i32) } else { n as i64 }));
            }
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Other);
            }
            b'U' | b'C' | b'T' | b'B' | 0x8e => {
                let length = self.number(match opcode {
                    b'U' | b'C' => 1,
                    0x8e => 8,
                    _ => 4,
                })?;
                self.push_bytes(length)?;
            }
            0x8c | b'X' | 0x8d => {
                let length = self.number(match opcode {
                    0x8c => 1,
                    b'X' => 4,
                    _ => 8,
                })?;
                self.push_text(length)?;
            }
            b't' => {
                let items = self.marked()?;
                self.stack.push(Value::List(Rc::new(List::of(items)?)));
            }
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84))?,
            b'e' => {
                let items = self.marked()?;
                self.extend(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'u' => {
                let items = self.marked()?;
                self.set_items(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![key, value])?;
            }
            b'c' => {
                self.line()?;
                self.line()?;
                self.stack.push(Value::Other);
            }
            0x93 => {
                self.pop()?;
                self.pop()?;
                self.stack.push(Value::Other);
            }
            // A call: its arguments stand for what it gives.
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                self.pop()?;
                self.stack.push(arguments);
            }
            // An object's state: added to what it was made of.
            b'b' => {
                let state = self.pop()?;
                self.extend(vec![state])?;
            }
            b'q' | b'r' => {
                let key = self.number(if opcode == b'q' { 1 } else { 4 })?;
                self.remember(key)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'h' | b'j' => {
                let key = self.number(if opcode == b'h' { 1 } else { 4 })?;
                self.recall(key)?;
            }
            other => return Err(format!("the pickle has an opcode 0x{other:02x} that CIFAR's do not have")),
        }
        Ok(())
    }
}
