//! Values as Python prints them.

use crate::{DictKind, Value};
use flambeau_autograd::Tensor;
use flambeau_tensor::print::{py_float, py_str};
use std::fmt::{self, Display, Formatter};

impl Display for Value<Tensor> {
    /// As `print(value)`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Str(text) => f.write_str(text),
            other => f.write_str(&other.repr()),
        }
    }
}

impl Value<Tensor> {
    /// As `repr(value)`.
    pub(crate) fn repr(&self) -> String {
        match self {
            Value::None => "None".into(),
            Value::Bool(true) => "True".into(),
            Value::Bool(false) => "False".into(),
            Value::Int(int) => int.to_string(),
            Value::BigInt(digits) => big(digits),
            Value::Float(float) => py_float(*float).to_string(),
            Value::Str(text) => py_str(text),
            Value::Bytes(bytes) => format!("b'{}'", bytes.escape_ascii()),
            Value::List(items) => format!("[{}]", list(items)),
            Value::Tuple(items) if items.len() == 1 => format!("({},)", list(items)),
            Value::Tuple(items) => format!("({})", list(items)),
            Value::Set(items) if items.is_empty() => "set()".into(),
            Value::Set(items) => format!("{{{}}}", list(items)),
            Value::Dict(dict) => {
                let pairs = |link: &str, open: &str, close: &str| {
                    let pair = |(k, v): &(Self, Self)| format!("{open}{}{link}{}{close}", k.repr(), v.repr());
                    dict.items.iter().map(pair).collect::<Vec<_>>().join(", ")
                };
                match dict.kind {
                    DictKind::Dict => format!("{{{}}}", pairs(": ", "", "")),
                    DictKind::Counter => format!("Counter({{{}}})", pairs(": ", "", "")),
                    DictKind::OrderedDict if dict.items.is_empty() => "OrderedDict()".into(),
                    DictKind::OrderedDict => format!("OrderedDict([{}])", pairs(", ", "(", ")")),
                }
            }
            Value::Size(sizes) => format!("torch.Size({sizes:?})"),
            Value::DType(dtype) => format!("torch.{}", dtype.to_string().trim_start_matches("torch.")),
            Value::Device(name) => match name.split_once(':') {
                Some((kind, index)) => format!("device(type='{kind}', index={index})"),
                None => format!("device(type='{name}')"),
            },
            Value::Tensor(tensor) => tensor.to_string(),
        }
    }
}

fn list(items: &[Value<Tensor>]) -> String {
    items.iter().map(Value::repr).collect::<Vec<_>>().join(", ")
}

/// A large integer in hexadecimal, as Python's `hex` shows it; its decimal digits would need long division.
fn big(digits: &[u8]) -> String {
    let negative = digits.last().is_some_and(|high| high & 0x80 != 0);
    let mut magnitude: Vec<u8> = digits.to_vec();
    if negative {
        let mut carry = true;
        for byte in &mut magnitude {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (sum, over);
        }
    }
    let hex: String = magnitude.iter().rev().map(|b| format!("{b:02x}")).collect();
    format!("{}0x{}", if negative { "-" } else { "" }, hex.trim_start_matches('0'))
}
