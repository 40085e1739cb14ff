//! What can be saved, besides state dicts: tensors and Python's plain data.

use crate::{Dict, DictKind, Value};
use flambeau_autograd::{Size, Tensor};
use flambeau_nn::{Buffer, Parameter};
use flambeau_tensor::random::RngState;
use flambeau_tensor::{DType, Device, Scalar};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// What [`save`](crate::save) can write: a tensor, a number, a text, bytes, a state dict of a module, an optimizer or a scheduler,
/// a list, a tuple or a map of such, an `Option` of one, or any [`Value`] made of them; see [`dict!`](crate::dict).
///
/// A `Vec`, an array and a slice are a list, and bytes where they are of `u8`; a map is a dict.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be saved",
    note = "tensors, numbers, texts, bytes, state dicts, and lists, tuples, maps and `dict!`s of them can",
    note = "of a module, an optimizer, a scheduler save the state: `torch::save(&model.state_dict(), path)`, and load it into one \
            that was made anew: `model.load_state_dict(&torch::load(path)?)`"
)]
pub trait Save {
    /// The value as Python would hold it. Tensors are handles, so that what shares memory still does in the file.
    fn to_value(&self) -> Value<Tensor>;

    /// Many of them in a row: a list, unless they are bytes.
    #[doc(hidden)]
    fn slice_to_value(items: &[Self]) -> Value<Tensor>
    where
        Self: Sized,
    {
        Value::List(items.iter().map(Save::to_value).collect())
    }
}

impl Save for Value<Tensor> {
    fn to_value(&self) -> Value<Tensor> {
        let handles = self.try_map(&mut |tensor| Ok::<_, std::convert::Infallible>(tensor.shallow_clone()));
        handles.unwrap_or_else(|never| match never {})
    }
}

impl Save for Dict<Tensor> {
    fn to_value(&self) -> Value<Tensor> {
        let handles = |pairs: &[(Value<Tensor>, Value<Tensor>)]| {
            pairs.iter().map(|(key, value)| (key.to_value(), value.to_value())).collect()
        };
        Value::Dict(Dict { kind: self.kind, items: handles(&self.items), attributes: handles(&self.attributes) })
    }
}

impl Save for Tensor {
    fn to_value(&self) -> Value<Tensor> {
        Value::Tensor(self.shallow_clone())
    }
}

impl Save for Parameter {
    fn to_value(&self) -> Value<Tensor> {
        Value::Tensor(self.shallow_clone())
    }
}

impl Save for Buffer {
    fn to_value(&self) -> Value<Tensor> {
        Value::Tensor(self.shallow_clone())
    }
}

/// `generator.get_state()`: a tensor of bytes, as in PyTorch.
impl Save for RngState {
    fn to_value(&self) -> Value<Tensor> {
        Value::Tensor(flambeau_autograd::from_slice(self, self.len()))
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

impl Save for char {
    fn to_value(&self) -> Value<Tensor> {
        Value::Str(self.to_string())
    }
}

/// As its text, which Python's weights-only reader takes.
impl Save for Path {
    fn to_value(&self) -> Value<Tensor> {
        Value::Str(self.to_string_lossy().into_owned())
    }
}

impl Save for PathBuf {
    fn to_value(&self) -> Value<Tensor> {
        self.as_path().to_value()
    }
}

/// `torch.Size`.
impl Save for Size {
    fn to_value(&self) -> Value<Tensor> {
        Value::Size(self.to_vec())
    }
}

/// `torch.dtype`.
impl Save for DType {
    fn to_value(&self) -> Value<Tensor> {
        Value::DType(*self)
    }
}

/// `torch.device`; a GPU under the name that PyTorch has for one.
impl Save for Device {
    fn to_value(&self) -> Value<Tensor> {
        let name = self.to_string();
        Value::Device(name.replace("wgpu", "cuda"))
    }
}

impl Save for Scalar {
    fn to_value(&self) -> Value<Tensor> {
        match (self.is_bool(), self.as_int()) {
            (true, _) => Value::Bool(self.to_bool()),
            (_, Some(int)) => Value::Int(int),
            _ => Value::Float(self.to_f64()),
        }
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
save_numbers!(bool => Bool, u16 => Int, i8 => Int, i16 => Int, i32 => Int, u32 => Int, i64 => Int, f32 => Float, f64 => Float);

impl Save for u8 {
    fn to_value(&self) -> Value<Tensor> {
        Value::Int((*self).into())
    }

    fn slice_to_value(items: &[Self]) -> Value<Tensor> {
        Value::Bytes(items.to_vec())
    }
}

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

impl Save for isize {
    fn to_value(&self) -> Value<Tensor> {
        Value::Int(*self as i64)
    }
}

/// Whatever points to something that can be saved.
macro_rules! save_pointers {
    ($($pointer:ty),+) => {$(
        impl<T: Save + ?Sized> Save for $pointer {
            fn to_value(&self) -> Value<Tensor> {
                (**self).to_value()
            }
        }
    )+};
}
save_pointers!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

impl<T: Save + ToOwned + ?Sized> Save for Cow<'_, T> {
    fn to_value(&self) -> Value<Tensor> {
        (**self).to_value()
    }
}

impl<V: Save> Save for [V] {
    fn to_value(&self) -> Value<Tensor> {
        V::slice_to_value(self)
    }
}

impl<V: Save> Save for Vec<V> {
    fn to_value(&self) -> Value<Tensor> {
        V::slice_to_value(self)
    }
}

impl<V: Save, const N: usize> Save for [V; N] {
    fn to_value(&self) -> Value<Tensor> {
        V::slice_to_value(self)
    }
}

impl<V: Save> Save for VecDeque<V> {
    fn to_value(&self) -> Value<Tensor> {
        Value::List(self.iter().map(Save::to_value).collect())
    }
}

impl<K: Save, V: Save> Save for BTreeMap<K, V> {
    fn to_value(&self) -> Value<Tensor> {
        Value::from_items(self.iter().map(|(key, value)| (key.to_value(), value.to_value())))
    }
}

/// In the order of the keys, so that equal maps give equal files.
impl<K: Save + Ord, V: Save, S> Save for HashMap<K, V, S> {
    fn to_value(&self) -> Value<Tensor> {
        let mut items: Vec<(&K, &V)> = self.iter().collect();
        items.sort_by_key(|(key, _)| *key);
        Value::from_items(items.into_iter().map(|(key, value)| (key.to_value(), value.to_value())))
    }
}

impl<V: Save> Save for BTreeSet<V> {
    fn to_value(&self) -> Value<Tensor> {
        Value::Set(self.iter().map(Save::to_value).collect())
    }
}

impl<V: Save + Ord, S> Save for HashSet<V, S> {
    fn to_value(&self) -> Value<Tensor> {
        let mut items: Vec<&V> = self.iter().collect();
        items.sort();
        Value::Set(items.into_iter().map(Save::to_value).collect())
    }
}

macro_rules! save_tuples {
    ($($($name:ident)*;)+) => {$(
        impl<$($name: Save),*> Save for ($($name,)*) {
            #[allow(non_snake_case, reason = "each element is called as its type")]
            fn to_value(&self) -> Value<Tensor> {
                let ($($name,)*) = self;
                Value::Tuple(vec![$($name.to_value()),*])
            }
        }
    )+};
}
save_tuples! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

/// The dictionary with string keys of these entries.
pub(crate) fn dict_of<'a, V: Save + 'a>(entries: impl IntoIterator<Item = &'a (String, V)>) -> Value<Tensor> {
    Value::Dict(Dict::new(DictKind::Dict, entries.into_iter().map(|(name, value)| (name.as_str(), value.to_value()))))
}
