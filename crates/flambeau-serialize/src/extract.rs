//! From what a file holds to Rust's types.

use crate::{Error, Result, Value};
use flambeau_autograd::Tensor;

/// What can be taken out of a loaded [`Value`]: `checkpoint["epoch"].extract::<i64>()`.
#[diagnostic::on_unimplemented(
    message = "a value of a file cannot be taken for `{Self}`",
    note = "tensors, numbers, texts, lists and options of them, and the state dicts of modules, optimizers and schedulers can"
)]
pub trait FromValue: Sized {
    /// The value as this type. Tensors are handles to the value's own memory.
    ///
    /// # Errors
    /// [`Error::Kind`] when the value is something else.
    fn from_value(value: &Value<Tensor>) -> Result<Self>;
}

impl Value<Tensor> {
    /// The value as a Rust type: a tensor, a number, a text, a list of such, a state dict of a module, an optimizer or a
    /// scheduler. `let t: Tensor = value.try_into()?` is the same for a value that is not used again.
    ///
    /// ```
    /// use flambeau_serialize::dict;
    ///
    /// let checkpoint = dict! { "epoch": 3, "losses": [0.5, 0.25], "name": "cnn" };
    /// let epoch: i64 = checkpoint["epoch"].extract()?;
    /// let losses = checkpoint["losses"].extract::<Vec<f64>>()?;
    /// assert_eq!((epoch, losses), (3, vec![0.5, 0.25]));
    /// let error = checkpoint["name"].extract::<i64>().unwrap_err();
    /// assert_eq!(error.to_string(), "expected an int, but found a str: 'cnn'");
    /// # Ok::<(), flambeau_serialize::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Kind` when the value is something else.
    pub fn extract<T: FromValue>(&self) -> Result<T> {
        T::from_value(self)
    }

    /// An error that tells what was expected, and what stands here.
    pub(crate) fn unexpected(&self, expected: &'static str) -> Error {
        let shown = match self {
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => format!(": {self}"),
            Value::Str(text) if text.len() <= 60 => format!(": {}", self.repr()),
            _ => String::new(),
        };
        Error::Kind { expected, found: format!("{}{shown}", self.with_article()) }
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

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        value.as_slice().ok_or_else(|| value.unexpected("a list"))?.iter().map(T::from_value).collect()
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        if let Value::None = value { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

macro_rules! integers {
    ($($t:ty),+) => {$(
        impl FromValue for $t {
            fn from_value(value: &Value<Tensor>) -> Result<Self> {
                let int = value.as_i64().ok_or_else(|| value.unexpected("an int"))?;
                <$t>::try_from(int).map_err(|_| value.unexpected(concat!("an int that fits ", stringify!($t))))
            }
        }
    )+};
}
integers!(i64, i32, i16, i8, u32, u16, u8);

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
    ($($t:ty),+) => {$(
        impl TryFrom<Value<Tensor>> for $t {
            type Error = Error;
            fn try_from(value: Value<Tensor>) -> Result<Self> {
                value.extract()
            }
        }

        impl TryFrom<&Value<Tensor>> for $t {
            type Error = Error;
            fn try_from(value: &Value<Tensor>) -> Result<Self> {
                value.extract()
            }
        }
    )+};
}
try_from_value!(Tensor, String, bool, f64, f32, i64, i32, i16, i8, usize, u64, u32, u16, u8);
try_from_value!(
    flambeau_nn::StateDict,
    flambeau_optim::StateDict,
    flambeau_optim::lr_scheduler::SchedulerState,
    flambeau_optim::ScalerState
);

impl<T: FromValue> TryFrom<Value<Tensor>> for Vec<T> {
    type Error = Error;
    fn try_from(value: Value<Tensor>) -> Result<Self> {
        value.extract()
    }
}
