//! A scheduler's state: what Python keeps in its `__dict__`.

use crate::options::OptionValue;
use flambeau_autograd::AsState;
use flambeau_tensor::Scalar;
use std::borrow::Cow;
use std::fmt;

/// One entry of a scheduler's state.
#[derive(Clone, Debug, PartialEq)]
pub enum SchedulerValue {
    /// `None`.
    None,
    /// A bool, an int or a float: `gamma`, `last_epoch`.
    Number(Scalar),
    /// A string: `mode`.
    Str(String),
    /// A list: `base_lrs`.
    List(Vec<SchedulerValue>),
    /// Integers and how often each is named, as Python's `Counter`: the milestones of `MultiStepLR`.
    Counter(Vec<(i64, i64)>),
    /// A dict: the state of a scheduler that this one runs, a phase of `OneCycleLR`.
    Dict(SchedulerState),
}

impl SchedulerValue {
    /// The number as a float, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        if let SchedulerValue::Number(x) = self { Some(x.to_f64()) } else { None }
    }

    /// The number, if it is an integer.
    pub fn as_i64(&self) -> Option<i64> {
        if let SchedulerValue::Number(x) = self { x.as_int() } else { None }
    }

    /// The switch, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let SchedulerValue::Number(x) = self { x.is_bool().then(|| x.to_bool()) } else { None }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let SchedulerValue::Str(text) = self { Some(text) } else { None }
    }

    /// The list, if it is one.
    pub fn as_slice(&self) -> Option<&[SchedulerValue]> {
        if let SchedulerValue::List(list) = self { Some(list) } else { None }
    }

    /// The dict, if it is one.
    pub fn as_dict(&self) -> Option<&SchedulerState> {
        if let SchedulerValue::Dict(dict) = self { Some(dict) } else { None }
    }
}

/// Numbers of these types.
macro_rules! numbers {
    ($($t:ty),+) => {$(
        impl From<$t> for SchedulerValue {
            fn from(x: $t) -> Self {
                SchedulerValue::Number(x.into())
            }
        }
    )+};
}
numbers!(bool, i32, i64, usize, f32, f64, Scalar);

impl From<&str> for SchedulerValue {
    fn from(text: &str) -> Self {
        SchedulerValue::Str(text.to_owned())
    }
}

impl From<String> for SchedulerValue {
    fn from(text: String) -> Self {
        SchedulerValue::Str(text)
    }
}

impl<T: Into<SchedulerValue>> From<Vec<T>> for SchedulerValue {
    fn from(list: Vec<T>) -> Self {
        SchedulerValue::List(list.into_iter().map(Into::into).collect())
    }
}

impl From<SchedulerState> for SchedulerValue {
    fn from(state: SchedulerState) -> Self {
        SchedulerValue::Dict(state)
    }
}

impl From<OptionValue> for SchedulerValue {
    fn from(value: OptionValue) -> Self {
        match value {
            OptionValue::Number(x) => SchedulerValue::Number(x),
            OptionValue::Pair(a, b) => vec![a, b].into(),
            OptionValue::Text(text) => text.into(),
            OptionValue::Tuple(list) | OptionValue::List(list) => list.into(),
            value => value.as_f64().map_or(SchedulerValue::None, Into::into),
        }
    }
}

impl fmt::Display for SchedulerValue {
    /// As Python's `repr`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchedulerValue::None => f.write_str("None"),
            SchedulerValue::Number(x) => write!(f, "{x}"),
            SchedulerValue::Str(text) => write!(f, "'{text}'"),
            SchedulerValue::List(list) => {
                f.write_str("[")?;
                separated(f, list, |f, value| write!(f, "{value}"))?;
                f.write_str("]")
            }
            SchedulerValue::Counter(counts) if counts.is_empty() => f.write_str("Counter()"),
            SchedulerValue::Counter(counts) => {
                // The most common first, as Python shows them.
                let mut sorted = counts.clone();
                sorted.sort_by_key(|(_, times)| -times);
                f.write_str("Counter({")?;
                separated(f, &sorted, |f, (epoch, times)| write!(f, "{epoch}: {times}"))?;
                f.write_str("})")
            }
            SchedulerValue::Dict(dict) => write!(f, "{dict}"),
        }
    }
}

/// Writes the items with a comma between them.
fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    items.iter().enumerate().try_for_each(|(i, item)| {
        if i > 0 {
            f.write_str(", ")?;
        }
        write(f, item)
    })
}

/// A scheduler's state, with PyTorch's names in PyTorch's order: `scheduler.state_dict()`. It prints as Python's dict does.
///
/// ```
/// use flambeau_optim::{SGD, lr_scheduler::StepLR};
///
/// let w = flambeau_autograd::ones([2]).requires_grad_(true);
/// let state = StepLR::new(&SGD::new([&w], 1.0), 30, 0.5).state_dict();
/// assert_eq!(state.get("step_size").and_then(|size| size.as_i64()), Some(30));
/// assert!(state.to_string().starts_with("{'step_size': 30, 'gamma': 0.5, 'base_lrs': [1.0], 'last_epoch': 0,"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SchedulerState(Vec<(String, SchedulerValue)>);

impl SchedulerState {
    /// The entry under a name.
    pub fn get(&self, name: &str) -> Option<&SchedulerValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Puts an entry under a name, in the place of the one that it has.
    pub fn set(&mut self, name: &str, value: impl Into<SchedulerValue>) {
        let value = value.into();
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes an entry away.
    pub fn remove(&mut self, name: &str) -> Option<SchedulerValue> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// Names and entries.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SchedulerValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Sets every entry of another state: Python's `dict.update`.
    pub(crate) fn update(&mut self, other: &SchedulerState) {
        other.iter().for_each(|(name, value)| self.set(name, value.clone()));
    }
}

impl<N: Into<String>, V: Into<SchedulerValue>> FromIterator<(N, V)> for SchedulerState {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        SchedulerState(entries.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl AsState<SchedulerState> for SchedulerState {
    fn as_state(&self) -> flambeau_autograd::Result<Cow<'_, SchedulerState>> {
        Ok(Cow::Borrowed(self))
    }
}

impl fmt::Display for SchedulerState {
    /// As Python's `repr`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        separated(f, &self.0, |f, (name, value)| write!(f, "'{name}': {value}"))?;
        f.write_str("}")
    }
}

/// The state of these entries, so that tables of unlike values read as Python's attributes do.
pub(crate) fn entries<const N: usize>(entries: [(&str, SchedulerValue); N]) -> SchedulerState {
    entries.into_iter().collect()
}
