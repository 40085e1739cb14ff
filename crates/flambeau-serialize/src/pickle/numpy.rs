//! NumPy's arrays and scalars in a pickle. An array becomes a tensor, as `torch.from_numpy` makes it; a scalar becomes the
//! Python number, text or bytes that `scalar.item()` gives.

use super::{
    literal,
    unpickler::{Id, Node, Unpickler},
};
use crate::{
    Result,
    blocks::swap_bytes,
    numpy::dtype,
    value::{RawTensor, Value},
};
use flambeau_tensor::{DType, dims::contiguous_strides};
use half::f16;

/// A `numpy.dtype`.
#[derive(Clone, Debug)]
pub(crate) struct NumpyType {
    kind: Kind,
    /// The bytes of one element.
    size: usize,
    big_endian: bool,
    /// NumPy's code, for messages: `U5`.
    code: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Of(DType),
    /// Unsigned integers of more than one byte.
    Unsigned,
    /// Two floats of half the size.
    Complex,
    /// UTF-32, filled up with zeros.
    Text,
    /// Bytes, filled up with zeros.
    Bytes,
    /// Dates, records, objects and the rest.
    Other,
}

impl NumpyType {
    fn of_code(code: &str) -> Option<NumpyType> {
        let bare = code.trim_start_matches(['<', '>', '=', '|']);
        let letter = bare.chars().next()?;
        let digits = &bare[letter.len_utf8()..];
        let size = if digits.is_empty() { 0 } else { digits.parse::<usize>().ok().filter(|&n| n < 1 << 30)? };
        let kind = match (dtype::of_code(&format!("{letter}{size}")), letter, size) {
            (Some(dtype), ..) => Kind::Of(dtype),
            (_, 'u', 2 | 4 | 8) => Kind::Unsigned,
            (_, 'c', 8 | 16) => Kind::Complex,
            (_, 'U', _) => Kind::Text,
            (_, 'S', _) => Kind::Bytes,
            _ => Kind::Other,
        };
        let size = if kind == Kind::Text { size * 4 } else { size };
        Some(NumpyType { kind, size, big_endian: code.starts_with('>'), code: bare.to_owned() })
    }

    /// How many bytes lie together in one order.
    fn unit(&self) -> usize {
        match self.kind {
            Kind::Complex => self.size / 2,
            Kind::Text => 4,
            Kind::Bytes => 1,
            Kind::Of(_) | Kind::Unsigned | Kind::Other => self.size,
        }
    }
}

impl Unpickler<'_, '_> {
    pub(super) fn numpy_type(&mut self, code: Id) -> Result<NumpyType> {
        let code = self.text(code)?;
        NumpyType::of_code(&code).ok_or_else(|| self.corrupt(format!("`{code}` is no dtype of NumPy")))
    }

    /// A dtype's state: `(version, byte order, subtype, names of fields, fields, size, alignment, flags)`.
    pub(super) fn finish_numpy_type(&mut self, object: Id, state: Id) -> Result<()> {
        let parts = self.elements(state)?;
        let &[_version, order, subtype, names, ..] = parts.as_slice() else {
            return Err(self.corrupt("the state of a dtype of NumPy has too few parts"));
        };
        let big_endian = self.text(order)? == ">";
        let plain = [subtype, names].iter().all(|&part| matches!(self.nodes[part], Node::Leaf(Value::None)));
        if let Node::NumpyType(dtype) = &mut self.nodes[object] {
            dtype.big_endian = big_endian;
            if !plain {
                dtype.kind = Kind::Other;
            }
        }
        Ok(())
    }

    fn numpy_type_of(&self, id: Id) -> Result<NumpyType> {
        match &self.nodes[id] {
            Node::NumpyType(dtype) => Ok(dtype.clone()),
            _ => Err(self.corrupt("an array has no dtype")),
        }
    }

    /// An array as a tensor on a storage of its own.
    pub(super) fn numpy_array(&mut self, shape: Id, dtype: Id, fortran: bool, bytes: Id) -> Result<Node> {
        let numpy = self.numpy_type_of(dtype)?;
        let Kind::Of(dtype) = numpy.kind else {
            let objects = if numpy.code.starts_with('O') { " (Python objects)" } else { "" };
            let what = format!("it holds a NumPy array of dtype `{}`{objects}, which no tensor has", numpy.code);
            return Err(self.unsupported(format!("{what}; in Python, save another type, as array.astype('int64')")));
        };
        let shape = self.lengths(shape)?;
        let mut data = self.raw(bytes)?;
        let expected = shape.iter().try_fold(dtype.size(), |product, &len| product.checked_mul(len));
        if expected != Some(data.len()) {
            return Err(self.corrupt(format!("a NumPy array of shape {shape:?} has {} bytes", data.len())));
        }
        if numpy.big_endian {
            swap_bytes(&mut data, dtype.size());
        }
        let strides = if fortran {
            let reversed: Vec<usize> = shape.iter().rev().copied().collect();
            contiguous_strides(&reversed).into_iter().rev().collect()
        } else {
            contiguous_strides(&shape).into_vec()
        };
        let part = self.context.storages.push_data(dtype, data);
        let storage = part.storage;
        let array = RawTensor { dtype, shape, strides, offset: 0, storage, requires_grad: false, is_parameter: false };
        self.view(part, array)
    }

    pub(super) fn numpy_scalar(&mut self, dtype: Id, bytes: Id) -> Result<Value> {
        let numpy = self.numpy_type_of(dtype)?;
        if numpy.kind == Kind::Other {
            let what = format!("it holds a NumPy scalar of dtype `{}`, which is no plain number", numpy.code);
            return Err(self.unsupported(format!("{what}; in Python, save scalar.item()")));
        }
        let mut data = self.raw(bytes)?;
        if data.len() != numpy.size {
            return Err(self.corrupt(format!("a NumPy scalar of dtype `{}` has {} bytes", numpy.code, data.len())));
        }
        if numpy.big_endian {
            swap_bytes(&mut data, numpy.unit());
        }
        Ok(match numpy.kind {
            Kind::Of(DType::Bool) => Value::Bool(data != [0]),
            Kind::Of(dtype) if dtype.is_floating_point() => Value::Float(float(&data)),
            Kind::Of(DType::U8) | Kind::Unsigned => {
                // A zero on top keeps the highest bit from being a sign.
                data.push(0);
                literal::integer(&data)
            }
            Kind::Of(_) => literal::integer(&data),
            Kind::Complex => {
                let (real, imaginary) = data.split_at(numpy.unit());
                Value::Complex(float(real), float(imaginary))
            }
            Kind::Text => {
                let codes = data.as_chunks::<4>().0.iter().map(|&code| u32::from_le_bytes(code));
                let text = codes.map(char::from_u32).collect::<Option<String>>();
                let text = text.ok_or_else(|| self.corrupt("a NumPy text is not UTF-32"))?;
                Value::Str(text.trim_end_matches('\0').to_owned())
            }
            Kind::Bytes => {
                while data.last() == Some(&0) {
                    data.pop();
                }
                Value::Bytes(data)
            }
            Kind::Other => unreachable!("refused above"),
        })
    }
}

/// A little-endian float of 2, 4 or 8 bytes.
fn float(bytes: &[u8]) -> f64 {
    match *bytes {
        [a, b] => f16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => f64::NAN,
    }
}
