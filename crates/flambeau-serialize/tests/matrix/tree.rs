//! What a file holds as JSON, in the form of `goldens/kinds/truth.py`.

use flambeau_autograd::Tensor;
use flambeau_serialize::{Dict, DictKind, Result, Value, load, numpy};
use flambeau_tensor::{Array, DType, Storage};
use flate2::Crc;
use serde_json::{Value as Json, json};
use std::fmt::Write;
use std::path::Path;

/// Reads a file by the function for its kind.
pub fn of_file(path: &Path) -> Result<Json> {
    let value = match path.extension().and_then(|x| x.to_str()) {
        Some("npy" | "npz") => match numpy::load(path)? {
            numpy::Loaded::Array(array) => Value::Tensor(array),
            numpy::Loaded::Archive(npz) => {
                Value::dict(npz.items()?.into_iter().map(|(name, array)| (name, Value::Tensor(array))))
            }
        },
        _ => load(path)?,
    };
    let mut tree = Tree::default();
    let root = tree.value(&value);
    Ok(json!({ "tree": root, "storages": tree.described }))
}

/// A value on its way to JSON; tensors index the list of storages.
#[derive(Default)]
struct Tree {
    storages: Vec<(Storage, Vec<u8>)>,
    described: Vec<Json>,
}

impl Tree {
    fn value(&mut self, value: &Value<Tensor>) -> Json {
        match value {
            Value::None => json!({"k": "none"}),
            Value::Bool(x) => json!({"k": "bool", "v": x}),
            Value::Int(x) => json!({"k": "int", "v": x}),
            Value::BigInt(digits) => json!({"k": "int", "v": hex(digits)}),
            Value::Float(x) => json!({"k": "float", "v": hex(&x.to_be_bytes())}),
            Value::Complex(re, im) => {
                json!({"k": "complex", "v": hex(&re.to_be_bytes()) + &hex(&im.to_be_bytes())})
            }
            Value::Str(text) => json!({"k": "str", "v": hex(text.as_bytes())}),
            Value::SurrogateStr(text) => json!({"k": "str", "v": hex(text)}),
            Value::Bytes(bytes) => json!({"k": "bytes", "v": hex(bytes)}),
            Value::ByteArray(bytes) => json!({"k": "bytearray", "v": hex(bytes)}),
            Value::List(items) => json!({"k": "list", "v": self.values(items)}),
            Value::Tuple(items) => json!({"k": "tuple", "v": self.values(items)}),
            Value::Set(items) => json!({"k": "set", "v": self.values(items)}),
            Value::Size(sizes) => json!({"k": "Size", "v": sizes}),
            Value::DType(dtype) => json!({"k": "dtype", "v": dtype.to_string()}),
            Value::Device(name) => json!({"k": "device", "v": name}),
            Value::Layout(name) => json!({"k": "layout", "v": name}),
            Value::Dict(dict) => self.dict(dict),
            Value::Tensor(tensor) => self.tensor(tensor),
            other => panic!("a value of type {} has no kind here", other.type_name()),
        }
    }

    fn values(&mut self, items: &[Value<Tensor>]) -> Vec<Json> {
        items.iter().map(|item| self.value(item)).collect()
    }

    fn dict(&mut self, dict: &Dict<Tensor>) -> Json {
        let kind = match dict.kind {
            DictKind::Dict => "dict",
            DictKind::OrderedDict => "OrderedDict",
            DictKind::Counter => "Counter",
            DictKind::Namespace => "Namespace",
        };
        let mut pairs = |items: &[(Value<Tensor>, Value<Tensor>)]| -> Vec<Json> {
            items.iter().map(|(key, value)| json!([self.value(key), self.value(value)])).collect()
        };
        json!({"k": "dict", "kind": kind, "items": pairs(&dict.items), "attributes": pairs(&dict.attributes)})
    }

    fn tensor(&mut self, tensor: &Tensor) -> Json {
        let array = tensor.array();
        let storage = self.storage(array.storage(), array.dtype());
        let bytes = &self.storages[storage].1;
        json!({
            "k": "tensor",
            "dtype": array.dtype().to_string(),
            "shape": array.shape().to_vec(),
            "strides": array.strides().to_vec(),
            "offset": array.offset(),
            "storage": storage,
            "grad": tensor.requires_grad(),
            "param": tensor.is_parameter(),
            "dense": content(&dense(&array, bytes)),
        })
    }

    /// The index of a storage, whose bytes are noted at its first use.
    fn storage(&mut self, storage: &Storage, dtype: DType) -> usize {
        if let Some(known) = self.storages.iter().position(|(known, _)| known.ptr_eq(storage)) {
            return known;
        }
        let len = storage.nbytes() / dtype.size();
        let (shape, strides) = (std::iter::once(len).collect(), std::iter::once(1).collect());
        let whole = Array::from_parts(storage.clone(), dtype, shape, strides, 0).unwrap();
        let mut bytes = vec![0; len * dtype.size()];
        if len > 0 {
            storage.backend().download(&whole, &mut bytes).unwrap();
        }
        self.described.push(json!({"len": bytes.len(), "data": content(&bytes)}));
        self.storages.push((storage.clone(), bytes));
        self.storages.len() - 1
    }
}

/// An array's elements in C order, found by its strides; nothing where there are too many.
fn dense(array: &Array, storage: &[u8]) -> Vec<u8> {
    let numel = array.shape().iter().try_fold(1_usize, |n, &len| n.checked_mul(len));
    let Some(numel) = numel.filter(|&n| n <= 1 << 25) else { return Vec::new() };
    let size = array.dtype().size();
    let mut bytes = Vec::with_capacity(numel * size);
    for i in 0..numel {
        let (mut rest, mut at) = (i, array.offset());
        for (&len, &stride) in array.shape().iter().zip(array.strides()).rev() {
            at += rest % len * stride;
            rest /= len;
        }
        bytes.extend_from_slice(&storage[at * size..(at + 1) * size]);
    }
    bytes
}

/// Short bytes as they are, long ones by their checksum.
fn content(bytes: &[u8]) -> String {
    if bytes.len() <= 512 {
        return hex(bytes);
    }
    let mut crc = Crc::new();
    crc.update(bytes);
    format!("crc32:{:08x}", crc.sum())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes all");
        text
    })
}
