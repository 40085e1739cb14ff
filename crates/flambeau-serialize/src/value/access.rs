//! How a program looks into a loaded value: by key, by position, as a type.

use super::{Dict, Value};
use std::ops::Index;

impl<T> Value<T> {
    /// Whether this is a dictionary with that string key: `key in value`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The string keys, in order; none where this is no dictionary.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.items().filter_map(|(key, _)| key.as_str())
    }

    /// Keys and values of a dictionary, in order; none where this is no dictionary.
    pub fn items(&self) -> impl Iterator<Item = (&Value<T>, &Value<T>)> {
        self.as_dict().into_iter().flat_map(Dict::iter)
    }

    /// The value under a string key, if this is a dictionary that has it.
    pub fn get(&self, key: &str) -> Option<&Value<T>> {
        self.as_dict()?.get(key)
    }

    /// The dictionary, if this is one.
    pub fn as_dict(&self) -> Option<&Dict<T>> {
        if let Value::Dict(dict) = self { Some(dict) } else { None }
    }

    /// The tensor, if this is one.
    pub fn as_tensor(&self) -> Option<&T> {
        if let Value::Tensor(tensor) = self { Some(tensor) } else { None }
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Str(text) = self { Some(text) } else { None }
    }

    /// The integer, if this is one of 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        if let Value::Int(int) = self { Some(*int) } else { None }
    }

    /// The number, if this is a float or an integer.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float(float) => Some(*float),
            Value::Int(int) => Some(*int as f64),
            _ => None,
        }
    }

    /// The truth value, if this is a `bool`.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(bool) = self { Some(*bool) } else { None }
    }

    /// The elements of a list or tuple.
    pub fn as_slice(&self) -> Option<&[Value<T>]> {
        if let Value::List(items) | Value::Tuple(items) = self { Some(items) } else { None }
    }
}

impl<T> Index<&str> for Value<T> {
    type Output = Value<T>;

    /// The value under a string key: `value["epoch"]`.
    ///
    /// # Panics
    /// With Python's words, when this is no dictionary or has no such key.
    #[track_caller]
    fn index(&self, key: &str) -> &Value<T> {
        match self {
            // In a closure the panic would lose the caller's line.
            Value::Dict(dict) => match dict.get(key) {
                Some(value) => value,
                None => panic!("KeyError: '{key}' (the keys are {:?})", self.keys().collect::<Vec<_>>()),
            },
            Value::List(_) | Value::Tuple(_) => {
                panic!("TypeError: {} indices must be integers or slices, not str", self.type_name())
            }
            _ => panic!("TypeError: '{}' object is not subscriptable", self.type_name()),
        }
    }
}

impl<T> Index<usize> for Value<T> {
    type Output = Value<T>;

    /// An element of a list or tuple, or the value under an integer key: `value[0]`.
    ///
    /// # Panics
    /// With Python's words, when there is none.
    #[track_caller]
    fn index(&self, index: usize) -> &Value<T> {
        match self {
            Value::List(items) | Value::Tuple(items) => {
                items.get(index).unwrap_or_else(|| panic!("IndexError: {} index out of range", self.type_name()))
            }
            Value::Dict(dict) => {
                let found = dict.iter().find(|(key, _)| key.as_i64() == i64::try_from(index).ok());
                found.map(|(_, value)| value).unwrap_or_else(|| panic!("KeyError: {index}"))
            }
            _ => panic!("TypeError: '{}' object is not subscriptable", self.type_name()),
        }
    }
}

impl<T> From<bool> for Value<T> {
    fn from(x: bool) -> Self {
        Value::Bool(x)
    }
}

impl<T> From<i64> for Value<T> {
    fn from(x: i64) -> Self {
        Value::Int(x)
    }
}

impl<T> From<f64> for Value<T> {
    fn from(x: f64) -> Self {
        Value::Float(x)
    }
}

impl<T> From<&str> for Value<T> {
    fn from(x: &str) -> Self {
        Value::Str(x.to_owned())
    }
}

impl<T> From<String> for Value<T> {
    fn from(x: String) -> Self {
        Value::Str(x)
    }
}

impl<T> From<Vec<Value<T>>> for Value<T> {
    fn from(x: Vec<Value<T>>) -> Self {
        Value::List(x)
    }
}
