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
            Value::Complex(real, imaginary) => complex(*real, *imaginary),
            Value::Str(text) => py_str(text),
            Value::SurrogateStr(bytes) => format!("'{}'", surrogates(bytes)),
            Value::Bytes(bytes) => format!("b'{}'", bytes.escape_ascii()),
            Value::ByteArray(bytes) => format!("bytearray(b'{}')", bytes.escape_ascii()),
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
                    DictKind::Namespace => {
                        let attribute = |(k, v): &(Self, Self)| {
                            let name = k.as_str().map_or_else(|| k.repr(), str::to_owned);
                            format!("{name}={}", v.repr())
                        };
                        format!("Namespace({})", dict.items.iter().map(attribute).collect::<Vec<_>>().join(", "))
                    }
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
            Value::Layout(name) => name.clone(),
            Value::Tensor(tensor) => tensor.to_string(),
        }
    }
}

fn list(items: &[Value<Tensor>]) -> String {
    items.iter().map(Value::repr).collect::<Vec<_>>().join(", ")
}

/// A complex number as Python prints it: `(1+2j)`, and `2j` where the real part is 0.
fn complex(real: f64, imaginary: f64) -> String {
    // Python leaves out the `.0` of parts.
    let part = |x: f64| {
        let text = py_float(x).to_string();
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    };
    if real == 0.0 && real.is_sign_positive() {
        return format!("{}j", part(imaginary));
    }
    let sign = if imaginary.is_sign_negative() && !imaginary.is_nan() { "" } else { "+" };
    format!("({}{sign}{}j)", part(real), part(imaginary))
}

/// A text with halves of surrogate pairs, between quotes; the halves as Python escapes them.
fn surrogates(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = std::str::from_utf8(rest).map_or_else(|e| e.valid_up_to(), str::len);
        let (start, after) = rest.split_at(valid);
        let quoted = py_str(&String::from_utf8_lossy(start));
        text += &quoted[1..quoted.len() - 1];
        if let [0xed, high, low, ..] = *after {
            let code = 0xd000 | u32::from(high & 0x3f) << 6 | u32::from(low & 0x3f);
            text += &format!("\\u{code:04x}");
        }
        rest = after.get(3..).unwrap_or(&[]);
    }
    text
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
