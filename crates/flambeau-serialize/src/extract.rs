//! From what a file holds to Rust's types.

use crate::{Error, Result, Value};
use flambeau_autograd::Tensor;
use flambeau_tensor::random::RngState;
use flambeau_tensor::{DType, Device};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// What can be taken out of a loaded [`Value`]: `checkpoint["epoch"].extract::<i64>()`.
#[diagnostic::on_unimplemented(
    message = "a value of a file cannot be taken for `{Self}`",
    note = "tensors, numbers, texts, bytes, lists, tuples, maps and options of them, and the state dicts of modules, optimizers and \
            schedulers can"
)]
pub trait FromValue: Sized {
    /// The value as this type. Tensors are handles to the value's own memory.
    ///
    /// # Errors
    /// [`Error::Kind`] when the value is something else.
    fn from_value(value: &Value<Tensor>) -> Result<Self>;

    /// Many of them in a row: the elements of a list, or bytes.
    #[doc(hidden)]
    fn vec_from_value(value: &Value<Tensor>) -> Result<Vec<Self>> {
        if let Value::Size(lengths) = value {
            return lengths.iter().map(|&n| Self::from_value(&Value::Int(n as i64))).collect();
        }
        let items = value.as_slice().ok_or_else(|| value.unexpected("a list"))?;
        items.iter().enumerate().map(|(i, item)| Self::from_value(item).map_err(|e| e.within(&i))).collect()
    }
}

impl Value<Tensor> {
    /// The value as a Rust type: a tensor, a number, a text, a list or a map of such, a state dict of a module, an optimizer or a
    /// scheduler. `let t: Tensor = value.try_into()?` is the same for a value that is not used again.
    ///
    /// ```
    /// use flambeau_serialize::dict;
    ///
    /// let checkpoint = dict! { "epoch": 3, "losses": [0.5, 0.25], "best": (2, "cnn") };
    /// let epoch: i64 = checkpoint["epoch"].extract()?;
    /// let losses = checkpoint["losses"].extract::<Vec<f64>>()?;
    /// let best: (usize, String) = checkpoint["best"].extract()?;
    /// assert_eq!((epoch, losses, best), (3, vec![0.5, 0.25], (2, "cnn".to_owned())));
    /// let error = checkpoint["best"][1].extract::<i64>().unwrap_err();
    /// assert_eq!(error.to_string(), "checkpoint['best'][1]: expected an int, but found a str: 'cnn'");
    /// # Ok::<(), flambeau_serialize::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Kind` when the value is something else; it names the keys that led there.
    pub fn extract<T: FromValue>(&self) -> Result<T> {
        T::from_value(self).map_err(|error| error.below(&self.path()))
    }

    /// The value under a string key as a Rust type, or `default` where there is no such key: `checkpoint.get(key, default)`.
    ///
    /// ```
    /// use flambeau_serialize::dict;
    /// let checkpoint = dict! { "epoch": 3 };
    /// assert_eq!((checkpoint.get_or("epoch", 0)?, checkpoint.get_or("best", 0.5)?), (3, 0.5));
    /// # Ok::<(), flambeau_serialize::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Value::extract`].
    pub fn get_or<T: FromValue>(&self, key: &str, default: T) -> Result<T> {
        self.get(key).map_or(Ok(default), Value::extract)
    }

    /// What stands under a key of a dictionary, for reading a state of a known form.
    pub(crate) fn entry<T: FromValue>(&self, key: &str) -> Option<Result<T>> {
        let value = self.as_dict()?.get(key)?;
        Some(T::from_value(value).map_err(|e| e.within(&key)))
    }

    /// The entries of a dictionary, which `expected` tells of where this is none.
    pub(crate) fn collect_entries<K: FromValue, V: FromValue, C: FromIterator<(K, V)>>(
        &self,
        expected: &'static str,
    ) -> Result<C> {
        let dict = self.as_dict().ok_or_else(|| self.unexpected(expected))?;
        let entry =
            |(key, value): (&Self, &Self)| Ok((K::from_value(key)?, V::from_value(value).map_err(|e| e.within(key))?));
        dict.iter().map(entry).collect()
    }
}

impl FromValue for Value<Tensor> {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        Ok(crate::Save::to_value(value))
    }
}

impl FromValue for Tensor {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        value.as_tensor().map(Tensor::shallow_clone).ok_or_else(|| value.unexpected("a Tensor"))
    }
}

impl FromValue for String {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        value.as_str().map(str::to_owned).ok_or_else(|| value.unexpected("a str"))
    }
}

impl FromValue for bool {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        value.as_bool().ok_or_else(|| value.unexpected("a bool"))
    }
}

impl FromValue for f64 {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        value.as_f64().ok_or_else(|| value.unexpected("a float"))
    }
}

impl FromValue for f32 {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        Ok(f64::from_value(value)? as f32)
    }
}

impl FromValue for DType {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        if let Value::DType(dtype) = value { Ok(*dtype) } else { Err(value.unexpected("a torch.dtype")) }
    }
}

impl FromValue for Device {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let name = match value {
            Value::Device(name) | Value::Str(name) => name.parse().ok(),
            _ => None,
        };
        name.ok_or_else(|| value.unexpected("a torch.device of this machine"))
    }
}

/// The state of a generator, which PyTorch keeps as a tensor of bytes.
impl FromValue for RngState {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        u8::vec_from_value(value).map(Into::into)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        T::vec_from_value(value)
    }
}

impl<T: FromValue, const N: usize> FromValue for [T; N] {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        T::vec_from_value(value)?.try_into().map_err(|_| value.unexpected("as many elements as the array has"))
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        if let Value::None = value { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

impl<T: FromValue> FromValue for Box<T> {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        T::from_value(value).map(Box::new)
    }
}

impl<K: FromValue + Eq + Hash, V: FromValue> FromValue for HashMap<K, V> {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        value.collect_entries("a dict")
    }
}

impl<K: FromValue + Ord, V: FromValue> FromValue for BTreeMap<K, V> {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        value.collect_entries("a dict")
    }
}

macro_rules! tuples {
    ($($n:literal, $expected:literal: $($name:ident $at:tt)+;)+) => {$(
        impl<$($name: FromValue),+> FromValue for ($($name,)+) {
            fn from_value(value: &Value<Tensor>) -> Result<Self> {
                match value.as_slice() {
                    Some(items) if items.len() == $n => {
                        Ok(($($name::from_value(&items[$at]).map_err(|e| e.within(&$at))?,)+))
                    }
                    _ => Err(value.unexpected($expected)),
                }
            }
        }
    )+};
}
tuples! {
    1, "a tuple of 1": A 0;
    2, "a tuple of 2": A 0 B 1;
    3, "a tuple of 3": A 0 B 1 C 2;
    4, "a tuple of 4": A 0 B 1 C 2 D 3;
    5, "a tuple of 5": A 0 B 1 C 2 D 3 E 4;
    6, "a tuple of 6": A 0 B 1 C 2 D 3 E 4 F 5;
}

fn integer<T: TryFrom<i64>>(value: &Value<Tensor>, expected: &'static str) -> Result<T> {
    let int = value.as_i64().ok_or_else(|| value.unexpected("an int"))?;
    T::try_from(int).map_err(|_| value.unexpected(expected))
}

macro_rules! integers {
    ($($t:ty),+) => {$(
        impl FromValue for $t {
            fn from_value(value: &Value<Tensor>) -> Result<Self> {
                integer(value, concat!("an int that fits ", stringify!($t)))
            }
        }
    )+};
}
integers!(i64, i32, i16, i8, u32, u16);

impl FromValue for u8 {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        integer(value, "an int that fits u8")
    }

    /// Also of bytes, and of a tensor of bytes.
    fn vec_from_value(value: &Value<Tensor>) -> Result<Vec<Self>> {
        match value {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            Value::Tensor(tensor) if tensor.dtype() == DType::U8 => Ok(tensor.to_vec()),
            Value::List(items) => items.iter().map(u8::from_value).collect(),
            _ => Err(value.unexpected("bytes or a tensor of them")),
        }
    }
}

/// Integers that a `Value::Int` does not hold all of.
macro_rules! wide_integers {
    ($($t:ty),+) => {$(
        impl FromValue for $t {
            fn from_value(value: &Value<Tensor>) -> Result<Self> {
                let int = match value {
                    // Its bytes, the lowest first, and one for the sign.
                    Value::BigInt(bytes) if bytes.len() == 9 && bytes[8] == 0 => {
                        let mut low = [0; 8];
                        low.copy_from_slice(&bytes[..8]);
                        u64::from_le_bytes(low).try_into().ok()
                    }
                    value => value.as_i64().ok_or_else(|| value.unexpected("an int"))?.try_into().ok(),
                };
                int.ok_or_else(|| value.unexpected(concat!("an int that fits ", stringify!($t))))
            }
        }
    )+};
}
wide_integers!(u64, usize);

/// `value.try_into()` for each type that [`Value::extract`] gives, of a value and of a reference to one.
macro_rules! try_from_value {
    ($([$($generics:tt)*] $t:ty),+ $(,)?) => {$(
        impl<$($generics)*> TryFrom<Value<Tensor>> for $t {
            type Error = Error;
            fn try_from(value: Value<Tensor>) -> Result<Self> {
                value.extract()
            }
        }

        impl<$($generics)*> TryFrom<&Value<Tensor>> for $t {
            type Error = Error;
            fn try_from(value: &Value<Tensor>) -> Result<Self> {
                value.extract()
            }
        }
    )+};
}
try_from_value!(
    [] Tensor, [] String, [] bool, [] f64, [] f32, [] i64, [] i32, [] i16, [] i8, [] usize, [] u64, [] u32, [] u16, [] u8,
    [] RngState, [] flambeau_nn::StateDict, [] flambeau_optim::StateDict, [] flambeau_optim::lr_scheduler::SchedulerState,
    [] flambeau_optim::ScalerState, [T: FromValue] Vec<T>, [K: FromValue + Eq + Hash, V: FromValue] HashMap<K, V>,
    [K: FromValue + Ord, V: FromValue] BTreeMap<K, V>,
);
