//! Writes values as `torch.save` pickles them: protocol 2, each object stored in the memo, in the same order as
//! CPython's pickler, so that a `state_dict` gives the same bytes. Only opcodes that `weights_only=True` reads are used.

use super::{MAX_DEPTH, globals::Global, opcode as op};
use crate::{
    Error, Result,
    value::{Dict, DictKind, RawTensor, Value},
};
use flambeau_tensor::DType;
use std::{collections::HashMap, path::Path};

/// As many items as CPython puts between a mark and its SETITEMS.
const BATCH: usize = 1000;

struct Pickler<'a> {
    out: Vec<u8>,
    memo_len: u32,
    strings: HashMap<&'a str, u32>,
    globals: Vec<(Global, u32)>,
    /// Each storage's dtype and length in bytes.
    storages: &'a [(DType, usize)],
    /// The memo of each used storage's key.
    keys: HashMap<usize, u32>,
    /// The storages in use, by key.
    order: Vec<usize>,
    path: &'a Path,
    depth: usize,
}

/// Pickles `value`, whose tensors index `storages` (dtype and length in bytes). Returns the pickle and which storages it
/// uses: the n-th of them is the entry `data/n`.
///
/// # Errors
/// `Invalid` if a tensor does not fit its storage or the value nests too deep.
pub(crate) fn dump(value: &Value, storages: &[(DType, usize)], path: &Path) -> Result<(Vec<u8>, Vec<usize>)> {
    let mut pickler = Pickler {
        out: vec![op::PROTO, 2],
        memo_len: 0,
        strings: HashMap::new(),
        globals: Vec::new(),
        storages,
        keys: HashMap::new(),
        order: Vec::new(),
        path,
        depth: 0,
    };
    pickler.value(value)?;
    pickler.out.push(op::STOP);
    Ok((pickler.out, pickler.order))
}

impl<'a> Pickler<'a> {
    fn invalid(&self, what: impl Into<String>) -> Error {
        Error::invalid(self.path, what)
    }

    fn value(&mut self, value: &'a Value) -> Result<()> {
        if self.depth == MAX_DEPTH {
            return Err(self.invalid(format!("the value nests more than {MAX_DEPTH} levels deep")));
        }
        self.depth += 1;
        match value {
            Value::None => self.out.push(op::NONE),
            Value::Bool(flag) => self.flag(*flag),
            Value::Int(int) => self.int(*int),
            Value::BigInt(digits) => {
                let len = u8::try_from(digits.len()).map_err(|_| self.invalid("an integer has more than 2040 bits"))?;
                self.out.extend([op::LONG1, len]);
                self.out.extend(digits);
            }
            Value::Float(float) => self.value_float(*float),
            Value::Complex(real, imaginary) => {
                self.global(Global::Complex);
                self.value_float(*real);
                self.value_float(*imaginary);
                self.tuple_end(2);
                self.call();
            }
            Value::Str(text) => self.text(text)?,
            Value::SurrogateStr(bytes) => self.unshared_utf8(bytes)?,
            Value::Bytes(bytes) => self.encoded(Global::Encode, bytes, "latin1")?,
            Value::ByteArray(bytes) if bytes.is_empty() => {
                self.global(Global::ByteArray);
                self.tuple_end(0);
                self.call();
            }
            Value::ByteArray(bytes) => self.encoded(Global::ByteArray, bytes, "latin-1")?,
            Value::List(items) => self.list(items)?,
            Value::Tuple(items) => self.tuple(items)?,
            Value::Set(items) => {
                self.global(Global::Set);
                self.list(items)?;
                self.tuple_end(1);
                self.call();
            }
            Value::Dict(dict) => self.dict(dict)?,
            Value::Size(sizes) => {
                self.global(Global::Size);
                self.lengths(sizes)?;
                self.tuple_end(1);
                self.call();
            }
            Value::DType(dtype) => self.global(Global::DType(*dtype)),
            Value::Device(name) => self.device(name)?,
            Value::Layout(name) => {
                self.global(Global::Layout);
                self.text(name)?;
                self.tuple_end(1);
                self.call();
            }
            Value::Tensor(tensor) if tensor.is_parameter => {
                self.global(Global::RebuildParameter);
                self.tensor(tensor, false)?;
                self.flag(tensor.requires_grad);
                self.empty_ordered_dict();
                self.tuple_end(3);
                self.call();
            }
            Value::Tensor(tensor) => self.tensor(tensor, tensor.requires_grad)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn value_float(&mut self, float: f64) {
        self.out.push(op::BINFLOAT);
        self.out.extend(float.to_be_bytes());
    }

    /// `make(text, encoding)`, where each character of the text is one byte.
    fn encoded(&mut self, make: Global, bytes: &[u8], encoding: &'static str) -> Result<()> {
        self.global(make);
        let text: String = bytes.iter().map(|&b| char::from(b)).collect();
        self.unshared_text(&text)?;
        self.text(encoding)?;
        self.tuple_end(2);
        self.call();
        Ok(())
    }

    fn list(&mut self, items: &'a [Value]) -> Result<()> {
        self.out.push(op::EMPTY_LIST);
        self.put();
        for batch in items.chunks(BATCH) {
            if batch.len() > 1 {
                self.out.push(op::MARK);
            }
            batch.iter().try_for_each(|item| self.value(item))?;
            self.out.push(if batch.len() > 1 { op::APPENDS } else { op::APPEND });
        }
        Ok(())
    }

    fn tuple(&mut self, items: &'a [Value]) -> Result<()> {
        self.tuple_start(items.len());
        items.iter().try_for_each(|item| self.value(item))?;
        self.tuple_end(items.len());
        Ok(())
    }

    fn dict(&mut self, dict: &'a Dict) -> Result<()> {
        match dict.kind {
            DictKind::OrderedDict => self.empty_ordered_dict(),
            DictKind::Counter => {
                self.global(Global::Counter);
                self.plain_dict(&dict.items)?;
                self.tuple_end(1);
                self.call();
                return Ok(());
            }
            DictKind::Dict => return self.plain_dict(&dict.items),
            // The class's name, an object of it, the dict of its attributes.
            DictKind::Namespace => {
                self.global(Global::Namespace);
                self.tuple_end(0);
                self.out.push(op::NEWOBJ);
                self.put();
                self.plain_dict(&dict.items)?;
                self.out.push(op::BUILD);
                return Ok(());
            }
        }
        self.items(&dict.items)?;
        if !dict.attributes.is_empty() {
            self.plain_dict(&dict.attributes)?;
            self.out.push(op::BUILD);
        }
        Ok(())
    }

    fn plain_dict(&mut self, items: &'a [(Value, Value)]) -> Result<()> {
        self.out.push(op::EMPTY_DICT);
        self.put();
        self.items(items)
    }

    fn items(&mut self, items: &'a [(Value, Value)]) -> Result<()> {
        for batch in items.chunks(BATCH) {
            if batch.len() > 1 {
                self.out.push(op::MARK);
            }
            for (key, value) in batch {
                self.value(key)?;
                self.value(value)?;
            }
            self.out.push(if batch.len() > 1 { op::SETITEMS } else { op::SETITEM });
        }
        Ok(())
    }

    fn empty_ordered_dict(&mut self) {
        self.global(Global::OrderedDict);
        self.tuple_end(0);
        self.call();
    }

    fn device(&mut self, name: &'a str) -> Result<()> {
        self.global(Global::Device);
        match name.split_once(':') {
            None => {
                self.text(name)?;
                self.tuple_end(1);
            }
            Some((kind, index)) => {
                let index = index.parse().map_err(|_| self.invalid(format!("`{name}` is no device name")))?;
                self.text(kind)?;
                self.int(index);
                self.tuple_end(2);
            }
        }
        self.call();
        Ok(())
    }

    /// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, OrderedDict())`, where the storage is the
    /// persistent id `('storage', class, key, 'cpu', numel)`.
    fn tensor(&mut self, tensor: &RawTensor, requires_grad: bool) -> Result<()> {
        let Some(&(dtype, bytes)) = self.storages.get(tensor.storage) else {
            return Err(self.invalid(format!("a tensor names storage {} of {}", tensor.storage, self.storages.len())));
        };
        if dtype != tensor.dtype {
            return Err(self.invalid(format!("a {} tensor views a storage of {dtype}", tensor.dtype)));
        }
        let len = bytes / dtype.size();
        if let Some(fault) = tensor.fault(len) {
            return Err(self.invalid(fault));
        }
        self.global(Global::RebuildTensorV2);
        self.tuple_start(6);
        self.tuple_start(5);
        self.text("storage")?;
        self.global(Global::Storage(dtype));
        self.key(tensor.storage)?;
        self.text("cpu")?;
        self.length(len)?;
        self.tuple_end(5);
        self.out.push(op::BINPERSID);
        self.length(tensor.offset)?;
        self.lengths(&tensor.shape)?;
        self.lengths(&tensor.strides)?;
        self.flag(requires_grad);
        self.empty_ordered_dict();
        self.tuple_end(6);
        self.call();
        Ok(())
    }

    /// The key of a storage: the number of its entry, in the order of first use.
    fn key(&mut self, storage: usize) -> Result<()> {
        if let Some(&memo) = self.keys.get(&storage) {
            self.get(memo);
            return Ok(());
        }
        self.keys.insert(storage, self.memo_len);
        let key = self.order.len().to_string();
        self.order.push(storage);
        self.unshared_text(&key)
    }

    fn flag(&mut self, flag: bool) {
        self.out.push(if flag { op::NEWTRUE } else { op::NEWFALSE });
    }

    fn int(&mut self, int: i64) {
        if let Ok(byte) = u8::try_from(int) {
            self.out.extend([op::BININT1, byte]);
        } else if let Ok(short) = u16::try_from(int) {
            self.out.push(op::BININT2);
            self.out.extend(short.to_le_bytes());
        } else if let Ok(word) = i32::try_from(int) {
            self.out.push(op::BININT);
            self.out.extend(word.to_le_bytes());
        } else {
            // Two's complement without the bytes that only repeat the sign.
            let bits = 65 - if int < 0 { int.leading_ones() } else { int.leading_zeros() };
            let digits = bits.div_ceil(8) as u8;
            self.out.extend([op::LONG1, digits]);
            self.out.extend(&int.to_le_bytes()[..usize::from(digits)]);
        }
    }

    fn length(&mut self, len: usize) -> Result<()> {
        self.int(i64::try_from(len).map_err(|_| self.invalid("a tensor is larger than 2⁶³ elements"))?);
        Ok(())
    }

    fn lengths(&mut self, lengths: &[usize]) -> Result<()> {
        self.tuple_start(lengths.len());
        lengths.iter().try_for_each(|&len| self.length(len))?;
        self.tuple_end(lengths.len());
        Ok(())
    }

    /// A string that later ones may be equal to.
    fn text(&mut self, text: &'a str) -> Result<()> {
        if let Some(&memo) = self.strings.get(text) {
            self.get(memo);
            return Ok(());
        }
        self.strings.insert(text, self.memo_len);
        self.unshared_text(text)
    }

    fn unshared_text(&mut self, text: &str) -> Result<()> {
        self.unshared_utf8(text.as_bytes())
    }

    fn unshared_utf8(&mut self, text: &[u8]) -> Result<()> {
        let len = u32::try_from(text.len()).map_err(|_| self.invalid("a string is longer than 4 GiB"))?;
        self.out.push(op::BINUNICODE);
        self.out.extend(len.to_le_bytes());
        self.out.extend(text);
        self.put();
        Ok(())
    }

    fn global(&mut self, global: Global) {
        if let Some(&(_, memo)) = self.globals.iter().find(|(known, _)| *known == global) {
            return self.get(memo);
        }
        self.globals.push((global, self.memo_len));
        let (module, name) = global.name();
        self.out.push(op::GLOBAL);
        self.out.extend(format!("{module}\n{name}\n").bytes());
        self.put();
    }

    fn tuple_start(&mut self, len: usize) {
        if len > 3 {
            self.out.push(op::MARK);
        }
    }

    fn tuple_end(&mut self, len: usize) {
        self.out.push([op::EMPTY_TUPLE, op::TUPLE1, op::TUPLE2, op::TUPLE3].get(len).copied().unwrap_or(op::TUPLE));
        if len > 0 {
            self.put();
        }
    }

    /// Calls the function below the arguments on top of the stack.
    fn call(&mut self) {
        self.out.push(op::REDUCE);
        self.put();
    }

    /// Stores the top of the stack in the memo.
    fn put(&mut self) {
        self.memo_opcode(op::BINPUT, op::LONG_BINPUT, self.memo_len);
        self.memo_len += 1;
    }

    fn get(&mut self, memo: u32) {
        self.memo_opcode(op::BINGET, op::LONG_BINGET, memo);
    }

    fn memo_opcode(&mut self, short: u8, long: u8, memo: u32) {
        match u8::try_from(memo) {
            Ok(memo) => self.out.extend([short, memo]),
            Err(_) => {
                self.out.push(long);
                self.out.extend(memo.to_le_bytes());
            }
        }
    }
}
