//! How a program looks into a loaded value: by key, by position, as a type.

use super::key::Key;
use super::trail::{note, path_of};
use super::{Dict, Value};
use crate::Error;
use flambeau_tensor::print::py_str;
use std::ops::{Deref, Index, IndexMut};
use std::rc::Rc;

impl<T> Value<T> {
    /// Whether this is a dictionary with that string key: `key in value`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.as_dict().is_some_and(|dict| dict.get(key).is_some())
    }

    /// The keys of a dictionary, in order; none where this is none. They are texts, see [`Key`].
    pub fn keys(&self) -> impl Iterator<Item = Key<'_, T>> {
        self.as_dict().into_iter().flat_map(Dict::iter).map(|(key, _)| Key::new(key))
    }

    /// The values of a dictionary, in order; none where this is none.
    pub fn values(&self) -> impl Iterator<Item = &Value<T>> {
        self.items().map(|(_, value)| value)
    }

    /// Keys and values of a dictionary, in order; none where this is none: `for name, param in checkpoint["model"].items()`.
    ///
    /// ```
    /// use flambeau_serialize::dict;
    /// let state = dict! { "fc.weight": [0.5, 1.5], "fc.bias": [2.5] };
    /// for (name, values) in state.items() {
    ///     assert!(name.starts_with("fc.") && values.len() <= 2);
    /// }
    /// ```
    pub fn items(&self) -> impl Iterator<Item = (Key<'_, T>, &Value<T>)> {
        let path = path_of(self);
        self.as_dict().into_iter().flat_map(Dict::iter).map(move |(key, value)| {
            let key = Key::new(key);
            note(&path, key.bracketed(), value);
            (key, value)
        })
    }

    /// The elements of a list, a tuple or a set, or the keys of a dictionary, as a loop in Python sees them; nothing of the rest.
    pub fn iter(&self) -> impl Iterator<Item = &Value<T>> {
        let (items, keys) = match self {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => (&items[..], &[][..]),
            Value::Dict(dict) => (&[][..], &dict.items[..]),
            _ => (&[][..], &[][..]),
        };
        let path = path_of(self);
        let noted = move |(at, item): (usize, _)| {
            note(&path, at.to_string(), item);
            item
        };
        items.iter().enumerate().map(noted).chain(keys.iter().map(|(key, _)| key))
    }

    /// The value under a string key, if this is a dictionary that has it.
    pub fn get(&self, key: &str) -> Option<&Value<T>> {
        let value = self.as_dict()?.get(key)?;
        note(&path_of(self), py_str(key), value);
        Some(value)
    }

    /// [`Value::get`], to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value<T>> {
        let Value::Dict(dict) = self else { return None };
        dict.items.iter_mut().find(|(k, _)| k.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Takes the value under a string key out, if there is one: `checkpoint.pop(key, None)`.
    pub fn remove(&mut self, key: &str) -> Option<Value<T>> {
        let Value::Dict(dict) = self else { return None };
        let at = dict.items.iter().position(|(k, _)| k.as_str() == Some(key))?;
        Some(dict.items.remove(at).1)
    }

    /// Takes the value under a string key out: `checkpoint.pop(key)`.
    ///
    /// # Panics
    /// With Python's words, when there is none; [`Value::remove`] does not.
    #[track_caller]
    pub fn pop(&mut self, key: &str) -> Value<T> {
        match self.remove(key) {
            Some(value) => value,
            None => self.no_entry(key),
        }
    }

    #[track_caller]
    fn no_entry(&self, key: &str) -> ! {
        match self {
            Value::Dict(_) => panic!("KeyError: '{key}' (the keys are {:?})", self.keys().collect::<Vec<_>>()),
            Value::List(_) | Value::Tuple(_) => {
                panic!("TypeError: {} indices must be integers or slices, not str", self.type_name())
            }
            _ => panic!("TypeError: '{}' object is not subscriptable", self.type_name()),
        }
    }

    /// Whether this is `None`.
    pub fn is_none(&self) -> bool {
        matches!(self, Value::None)
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
        // In a closure the panic would lose the caller's line.
        match self.get(key) {
            Some(value) => value,
            None => self.no_entry(key),
        }
    }
}

/// `value[key] = …`, also of a new key, where `None` stands until then.
impl<T> IndexMut<&str> for Value<T> {
    #[track_caller]
    fn index_mut(&mut self, key: &str) -> &mut Value<T> {
        if !matches!(self, Value::Dict(_)) {
            self.no_entry(key);
        }
        let Value::Dict(dict) = self else { unreachable!("it was looked at") };
        let known = dict.items.iter().position(|(k, _)| k.as_str() == Some(key));
        let at = known.unwrap_or_else(|| {
            dict.items.push((Value::Str(key.to_owned()), Value::None));
            dict.items.len() - 1
        });
        &mut dict.items[at].1
    }
}

/// Texts that are no `&str`.
macro_rules! index_by_text {
    ([$($generics:tt)*] $t:ty) => {
        impl<$($generics)*> Index<$t> for Value<T> {
            type Output = Value<T>;
            #[track_caller]
            fn index(&self, key: $t) -> &Value<T> {
                let key: &str = key.as_ref();
                &self[key]
            }
        }

        impl<$($generics)*> IndexMut<$t> for Value<T> {
            #[track_caller]
            fn index_mut(&mut self, key: $t) -> &mut Value<T> {
                let key: &str = key.as_ref();
                &mut self[key]
            }
        }
    };
}
index_by_text!([T] & String);
index_by_text!(['a, T, U] Key<'a, U>);
index_by_text!(['a, T, U] &Key<'a, U>);

impl<T> Index<usize> for Value<T> {
    type Output = Value<T>;

    /// An element of a list or tuple, or the value under an integer key: `value[0]`.
    ///
    /// # Panics
    /// With Python's words, when there is none.
    #[track_caller]
    fn index(&self, index: usize) -> &Value<T> {
        let found = match self {
            Value::List(items) | Value::Tuple(items) => items.get(index),
            Value::Dict(dict) => {
                let key = i64::try_from(index).ok();
                dict.iter().find(|(k, _)| k.as_i64() == key).map(|(_, value)| value)
            }
            _ => panic!("TypeError: '{}' object is not subscriptable", self.type_name()),
        };
        match found {
            Some(value) => {
                note(&path_of(self), index.to_string(), value);
                value
            }
            None if matches!(self, Value::Dict(_)) => panic!("KeyError: {index}"),
            None => panic!("IndexError: {} index out of range", self.type_name()),
        }
    }
}

impl<T> IndexMut<usize> for Value<T> {
    /// # Panics
    /// As [`Index`].
    #[track_caller]
    fn index_mut(&mut self, index: usize) -> &mut Value<T> {
        let kind = self.type_name();
        let found = match self {
            Value::List(items) | Value::Tuple(items) => items.get_mut(index),
            Value::Dict(dict) => {
                let key = i64::try_from(index).ok();
                dict.items.iter_mut().find(|(k, _)| k.as_i64() == key).map(|(_, value)| value)
            }
            _ => panic!("TypeError: '{kind}' object is not subscriptable"),
        };
        match found {
            Some(value) => value,
            None => panic!("IndexError: {kind} index out of range"),
        }
    }
}

/// The tensor that the value is, so that its methods are at hand: `checkpoint["model"]["fc.weight"].shape()`.
impl<T> Deref for Value<T> {
    type Target = T;

    /// # Panics
    /// When the value is something else; the message names the keys that led there.
    #[track_caller]
    fn deref(&self) -> &T {
        match self {
            Value::Tensor(tensor) => tensor,
            other => panic!("{}", other.unexpected("a Tensor").below(&other.path())),
        }
    }
}

impl<'a, T> IntoIterator for &'a Value<T> {
    type Item = &'a Value<T>;
    type IntoIter = Box<dyn Iterator<Item = &'a Value<T>> + 'a>;
    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl<T> Value<T> {
    /// The keys that led to the value, as far as they are known.
    pub(crate) fn path(&self) -> Rc<str> {
        path_of(self)
    }

    /// An error that tells what was expected, and what stands here.
    pub(crate) fn unexpected(&self, expected: &'static str) -> Error {
        let shown = match self {
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => format!(": {}", Key::new(self)),
            Value::Str(text) if text.len() <= 60 => format!(": {}", py_str(text)),
            _ => String::new(),
        };
        Error::Kind { path: String::new(), expected, found: format!("{}{shown}", self.with_article()) }
    }
}

/// A number or a text equals the value that holds it: `checkpoint["epoch"] == 3`.
macro_rules! equals {
    ($($t:ty: |$value:ident, $x:ident| $equal:expr),+ $(,)?) => {$(
        impl<T> PartialEq<$t> for Value<T> {
            fn eq(&self, $x: &$t) -> bool {
                let $value = self;
                $equal
            }
        }
    )+};
}
equals!(
    i32: |value, x| value.as_f64() == Some(f64::from(*x)),
    i64: |value, x| value.as_i64() == Some(*x),
    usize: |value, x| value.as_i64().is_some_and(|int| usize::try_from(int) == Ok(*x)),
    f64: |value, x| value.as_f64() == Some(*x),
    bool: |value, x| value.as_bool() == Some(*x),
    str: |value, x| value.as_str() == Some(x),
    &str: |value, x| value.as_str() == Some(*x),
    String: |value, x| value.as_str() == Some(x.as_str()),
);

macro_rules! plain {
    ($($t:ty => $variant:ident),+) => {$(
        impl<T> From<$t> for Value<T> {
            fn from(x: $t) -> Self {
                Value::$variant(x.into())
            }
        }
    )+};
}
plain!(
    bool => Bool, u8 => Int, i8 => Int, u16 => Int, i16 => Int, u32 => Int, i32 => Int, i64 => Int, f32 => Float, f64 => Float,
    String => Str
);

impl<T> From<usize> for Value<T> {
    fn from(x: usize) -> Self {
        // No count of anything in memory reaches 2⁶³.
        Value::Int(x as i64)
    }
}

impl<T> From<&str> for Value<T> {
    fn from(x: &str) -> Self {
        Value::Str(x.to_owned())
    }
}

impl<T> From<Vec<Value<T>>> for Value<T> {
    fn from(x: Vec<Value<T>>) -> Self {
        Value::List(x)
    }
}
