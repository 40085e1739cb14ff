//! The keys of a dictionary, as a loop over it sees them.

use super::Value;
use flambeau_tensor::print::{py_float, py_str};
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// A key of a dictionary that was loaded. It is a text (`&str`), for nearly all keys are; a number stands there as Python prints it.
///
/// ```
/// use flambeau_serialize::dict;
/// let state = dict! { "module.weight": 1, "module.bias": 2 };
/// let names: Vec<String> = state.items().map(|(name, _)| name.replace("module.", "")).collect();
/// assert_eq!(names, ["weight", "bias"]);
/// ```
pub struct Key<'a, T> {
    text: Cow<'a, str>,
    value: &'a Value<T>,
}

impl<'a, T> Key<'a, T> {
    pub(super) fn new(value: &'a Value<T>) -> Self {
        let text = match value {
            Value::Str(text) => Cow::Borrowed(text.as_str()),
            Value::Int(int) => int.to_string().into(),
            Value::Float(float) => py_float(*float).into(),
            Value::Bool(true) => "True".into(),
            Value::Bool(false) => "False".into(),
            other => other.type_name().into(),
        };
        Key { text, value }
    }

    /// As it stands between brackets in Python.
    pub(super) fn bracketed(&self) -> String {
        if let Value::Str(text) = self.value { py_str(text) } else { self.text.to_string() }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The integer, where the key is one, as of an optimizer's state.
    pub fn as_i64(&self) -> Option<i64> {
        self.value.as_i64()
    }

    /// The key as the value that it is.
    pub fn as_value(&self) -> &'a Value<T> {
        self.value
    }
}

impl<T> Clone for Key<'_, T> {
    fn clone(&self) -> Self {
        Key { text: self.text.clone(), value: self.value }
    }
}

impl<T> Deref for Key<'_, T> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

impl<T> AsRef<str> for Key<'_, T> {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl<T> From<Key<'_, T>> for String {
    fn from(key: Key<'_, T>) -> String {
        key.text.into_owned()
    }
}

impl<T> fmt::Display for Key<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.text, f)
    }
}

impl<T> fmt::Debug for Key<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

macro_rules! equal_to {
    ($($t:ty),+) => {$(
        impl<T> PartialEq<$t> for Key<'_, T> {
            fn eq(&self, other: &$t) -> bool {
                let other: &str = other.as_ref();
                self.text == other
            }
        }
    )+};
}
equal_to!(str, &str, String);
