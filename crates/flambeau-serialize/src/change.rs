//! Values that a program builds up or changes before it saves them.

use crate::{Save, Value};
use flambeau_autograd::{AsTensor, Tensor};
use flambeau_tensor::random::AsRngState;
use std::borrow::Cow;

impl Value<Tensor> {
    /// Puts a value under a key of the dictionary, in the place of the one that stood there; returns that one.
    /// `checkpoint["epoch"] = 3.into()` does the same.
    ///
    /// ```
    /// use flambeau_serialize::dict;
    /// let mut checkpoint = dict! { "epoch": 3 };
    /// checkpoint.insert("losses", [0.5, 0.25]);
    /// checkpoint["epoch"] = 4.into();
    /// assert_eq!(checkpoint.to_string(), "{'epoch': 4, 'losses': [0.5, 0.25]}");
    /// ```
    ///
    /// # Panics
    /// When this is no dictionary.
    #[track_caller]
    pub fn insert(&mut self, key: impl Save, value: impl Save) -> Option<Value<Tensor>> {
        let kind = self.type_name();
        let Value::Dict(dict) = self else { panic!("TypeError: '{kind}' object does not support item assignment") };
        dict.insert(key.to_value(), value.to_value())
    }

    /// Puts every entry of another dictionary into this one: `checkpoint.update(other)`.
    ///
    /// # Panics
    /// When one of them is no dictionary.
    #[track_caller]
    pub fn update(&mut self, other: impl Save) {
        let other = other.to_value();
        let kind = other.type_name();
        let Value::Dict(other) = other else { panic!("TypeError: '{kind}' object is not a dict") };
        for (key, value) in other.items {
            self.insert(key, value);
        }
    }

    /// Adds a value at the end of the list: `values.append(value)`.
    ///
    /// # Panics
    /// When this is no list.
    #[track_caller]
    pub fn push(&mut self, value: impl Save) {
        let kind = self.type_name();
        let Value::List(items) = self else { panic!("AttributeError: '{kind}' object has no attribute 'append'") };
        items.push(value.to_value());
    }

    /// How many entries, elements, characters or bytes: `len(value)`.
    ///
    /// # Panics
    /// With Python's words, of what has no length.
    #[track_caller]
    pub fn len(&self) -> usize {
        match self {
            Value::Dict(dict) => dict.items.len(),
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.len(),
            Value::Str(text) => text.chars().count(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Size(lengths) => lengths.len(),
            Value::Tensor(tensor) => tensor.len(),
            other => panic!("TypeError: object of type '{}' has no len()", other.type_name()),
        }
    }

    /// Whether there is no entry, element, character or byte.
    ///
    /// # Panics
    /// As [`Value::len`].
    #[track_caller]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A tensor in a file goes where a tensor is asked for: `torch::set_rng_state(&checkpoint["rng_state"])`.
///
/// # Panics
/// When the value is something else.
impl AsTensor for Value<Tensor> {
    #[track_caller]
    fn as_tensor(&self) -> &Tensor {
        self
    }
}

impl AsRngState for Value<Tensor> {
    #[track_caller]
    fn as_rng_state(&self) -> Cow<'_, [u8]> {
        if let Value::Bytes(bytes) = self { Cow::Borrowed(bytes) } else { (**self).as_rng_state() }
    }
}

/// What can be saved becomes a value of its own: `checkpoint["model"] = model.state_dict().into()`.
macro_rules! from_saved {
    ($($t:ty),+ $(,)?) => {$(
        impl From<$t> for Value<Tensor> {
            fn from(x: $t) -> Self {
                x.to_value()
            }
        }
    )+};
}
from_saved!(
    flambeau_nn::StateDict,
    flambeau_optim::StateDict,
    flambeau_optim::lr_scheduler::SchedulerState,
    flambeau_optim::ScalerState,
    flambeau_tensor::random::RngState,
);

#[cfg(test)]
mod tests {
    use crate::{Value, dict};
    use flambeau_autograd::ones;

    #[test]
    fn values_are_changed_as_in_python() {
        let mut value = dict! { "a": 1, 7: "seven", "losses": [0.5], "w": ones([2, 3]) };
        assert_eq!((value.len(), value["w"].len(), value["losses"].len(), value[7].len()), (4, 2, 1, 5));
        value["losses"].push(0.25);
        value["losses"][0] = 0.75.into();
        value.insert(7, "sieben");
        value.update(dict! { "b": (1, 2), "a": 2 });
        value["c"] = value.pop("b");
        assert!(value.remove("b").is_none() && value.get_mut("a").is_some());
        value.pop("w");
        assert_eq!(value.to_string(), "{'a': 2, 7: 'sieben', 'losses': [0.75, 0.25], 'c': (1, 2)}");
        assert!(value["a"] == 2 && value["a"] == 2.0 && value[7] == "sieben" && value["a"] != "2");
        let mut empty = dict! {};
        empty.insert(3, None::<i64>);
        assert_eq!(empty.to_string(), "{3: None}");
        assert!(Value::<flambeau_autograd::Tensor>::from(3_usize) == 3);
    }

    #[test]
    fn what_cannot_be_changed_says_so() {
        let message = |f: &dyn Fn()| {
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
            panic.downcast_ref::<String>().cloned().unwrap()
        };
        let value = dict! { "epoch": 3, "model": dict! { "fc": 1.5 } };
        assert_eq!(message(&|| drop(value.clone().pop("x"))), "KeyError: 'x' (the keys are [\"epoch\", \"model\"])");
        assert_eq!(
            message(&|| value["epoch"].clone().push(1)),
            "AttributeError: 'int' object has no attribute 'append'"
        );
        assert_eq!(message(&|| assert_eq!(value["epoch"].len(), 0)), "TypeError: object of type 'int' has no len()");
        assert_eq!(
            message(&|| drop(value["model"]["fc"].shape())),
            "checkpoint['model']['fc']: expected a Tensor, but found a float: 1.5"
        );
    }
}
