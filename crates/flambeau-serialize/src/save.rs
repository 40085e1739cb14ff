//! What can be saved, besides tensors and state dicts: Python's plain data.

use crate::{Dict, DictKind, Value};
use flambeau_autograd::Tensor;
use std::collections::{BTreeMap, HashMap};

/// What [`save`](crate::save) can write: a tensor, a number, a text, a state dict of a module, an optimizer or a scheduler,
/// a list or a map of such, or any [`Value`] made of them; see [`dict!`](crate::dict).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be saved",
    note = "tensors, numbers, texts, state dicts, and lists and `dict!`s of them can; of a module save `model.state_dict()`"
)]
pub trait Save {
    /// The value as Python would hold it. Tensors are handles, so that what shares memory still does in the file.
    fn to_value(&self) -> Value<Tensor>;
}

impl Save for Value<Tensor> {
    fn to_value(&self) -> Value<Tensor> {
        let handles = self.try_map(&mut |tensor| Ok::<_, std::convert::Infallible>(tensor.shallow_clone()));
        handles.unwrap_or_else(|never| match never {})
    }
}

impl Save for Tensor {
    fn to_value(&self) -> Value<Tensor> {
        Value::Tensor(self.shallow_clone())
    }
}

impl Save for flambeau_nn::Parameter {
    fn to_value(&self) -> Value<Tensor> {
        Value::Tensor(self.shallow_clone())
    }
}

impl<T: Save + ?Sized> Save for &T {
    fn to_value(&self) -> Value<Tensor> {
        (**self).to_value()
    }
}

impl<T: Save> Save for Option<T> {
    fn to_value(&self) -> Value<Tensor> {
        self.as_ref().map_or(Value::None, Save::to_value)
    }
}

impl Save for str {
    fn to_value(&self) -> Value<Tensor> {
        Value::Str(self.to_owned())
    }
}

impl Save for String {
    fn to_value(&self) -> Value<Tensor> {
        Value::Str(self.clone())
    }
}

macro_rules! save_numbers {
    ($($t:ty => $variant:ident),+) => {$(
        impl Save for $t {
            fn to_value(&self) -> Value<Tensor> {
                Value::$variant((*self).into())
            }
        }
    )+};
}
save_numbers!(bool => Bool, u8 => Int, u16 => Int, i8 => Int, i16 => Int, i32 => Int, u32 => Int, i64 => Int, f32 => Float, f64 => Float);

impl Save for u64 {
    fn to_value(&self) -> Value<Tensor> {
        match i64::try_from(*self) {
            Ok(int) => Value::Int(int),
            // A ninth byte keeps the highest bit from being a sign.
            Err(_) => Value::BigInt(self.to_le_bytes().into_iter().chain([0]).collect()),
        }
    }
}

impl Save for usize {
    fn to_value(&self) -> Value<Tensor> {
        (*self as u64).to_value()
    }
}

impl<K: AsRef<str>, V: Save> Save for [(K, V)] {
    fn to_value(&self) -> Value<Tensor> {
        Value::Dict(Dict::new(DictKind::Dict, self.iter().map(|(key, value)| (key.as_ref(), value.to_value()))))
    }
}

impl<K: AsRef<str>, V: Save, const N: usize> Save for [(K, V); N] {
    fn to_value(&self) -> Value<Tensor> {
        self.as_slice().to_value()
    }
}

impl<K: AsRef<str>, V: Save> Save for Vec<(K, V)> {
    fn to_value(&self) -> Value<Tensor> {
        self.as_slice().to_value()
    }
}

impl<V: Save> Save for BTreeMap<String, V> {
    fn to_value(&self) -> Value<Tensor> {
        Value::dict(self.iter().map(|(key, value)| (key.as_str(), value.to_value())))
    }
}

/// In the order of the keys, since the map has none.
impl<K: AsRef<str>, V: Save, S> Save for HashMap<K, V, S> {
    fn to_value(&self) -> Value<Tensor> {
        let mut items: Vec<(&str, &V)> = self.iter().map(|(key, value)| (key.as_ref(), value)).collect();
        items.sort_unstable_by_key(|(key, _)| *key);
        items.to_value()
    }
}

impl<V: Save> Save for [V] {
    fn to_value(&self) -> Value<Tensor> {
        Value::List(self.iter().map(Save::to_value).collect())
    }
}

impl<V: Save> Save for Vec<V> {
    fn to_value(&self) -> Value<Tensor> {
        self.as_slice().to_value()
    }
}

impl<V: Save, const N: usize> Save for [V; N] {
    fn to_value(&self) -> Value<Tensor> {
        self.as_slice().to_value()
    }
}
