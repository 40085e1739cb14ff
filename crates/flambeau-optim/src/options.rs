//! What a parameter group holds besides its parameters: options by PyTorch's names.

use crate::error::{Error, Result, check};
use flambeau_tensor::Scalar;
use flambeau_tensor::print::py_float;
use std::fmt;

/// The value of an option. Integers stay integers, since `print(optimizer)` shows `momentum: 0` and not `0.0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptionValue {
    /// `None`.
    None,
    /// A bool, an int or a float.
    Number(Scalar),
    /// A tuple of two floats, as `betas`.
    Pair(f64, f64),
}

impl From<Scalar> for OptionValue {
    fn from(x: Scalar) -> Self {
        OptionValue::Number(x)
    }
}

impl From<bool> for OptionValue {
    fn from(x: bool) -> Self {
        OptionValue::Number(x.into())
    }
}

/// Numbers of these types, each as Python's int or float.
macro_rules! numbers {
    ($($t:ty),+) => {$(
        impl From<$t> for OptionValue {
            fn from(x: $t) -> Self {
                OptionValue::Number(x.into())
            }
        }
    )+};
}
numbers!(i32, i64, usize, f32, f64);

impl OptionValue {
    /// The number, if it is one; a bool is 0 or 1, as in Python.
    pub fn as_f64(self) -> Option<f64> {
        if let OptionValue::Number(x) = self { Some(x.to_f64()) } else { None }
    }

    /// The switch, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        if let OptionValue::Number(x) = self { x.is_bool().then(|| x.to_bool()) } else { None }
    }

    /// The pair, if it is one: `betas`.
    pub fn as_pair(self) -> Option<(f64, f64)> {
        if let OptionValue::Pair(a, b) = self { Some((a, b)) } else { None }
    }
}

impl From<(f64, f64)> for OptionValue {
    fn from((a, b): (f64, f64)) -> Self {
        OptionValue::Pair(a, b)
    }
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            OptionValue::None => f.write_str("None"),
            OptionValue::Number(number) => write!(f, "{number}"),
            OptionValue::Pair(a, b) => write!(f, "({}, {})", py_float(a), py_float(b)),
        }
    }
}

/// Options of one group, in the order of PyTorch's dictionary: the group's own first, then the constructor's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options(Vec<(String, OptionValue)>);

impl Options {
    pub(crate) fn new<const N: usize>(defaults: [(&str, OptionValue); N]) -> Self {
        Options(defaults.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<OptionValue> {
        self.0.iter().find(|(n, _)| n == name).map(|&(_, value)| value)
    }

    /// Puts a value under a name.
    pub fn set(&mut self, name: &str, value: impl Into<OptionValue>) {
        let value = value.into();
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Puts a value under a name that has none: Python's `setdefault`.
    pub(crate) fn set_default(&mut self, name: &str, value: OptionValue) {
        if self.get(name).is_none() {
            self.0.push((name.to_owned(), value));
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<OptionValue>) -> Self {
        self.set(name, value);
        self
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, OptionValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// A number that the optimizer's own defaults have.
    pub(crate) fn number(&self, name: &str) -> Result<f64> {
        match self.get(name) {
            Some(OptionValue::Number(x)) => Ok(x.to_f64()),
            other => Err(unusable(name, other, "a number")),
        }
    }

    /// A switch that the optimizer's own defaults have.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            Some(OptionValue::Number(x)) => Ok(x.to_bool()),
            other => Err(unusable(name, other, "a bool")),
        }
    }

    /// A pair that the optimizer's own defaults have.
    pub(crate) fn pair(&self, name: &str) -> Result<(f64, f64)> {
        match self.get(name) {
            Some(OptionValue::Pair(a, b)) => Ok((a, b)),
            other => Err(unusable(name, other, "a tuple of two floats")),
        }
    }

    /// [`Options::number`] of each name.
    pub(crate) fn numbers<const N: usize>(&self, names: [&str; N]) -> Result<[f64; N]> {
        let mut numbers = [0.0; N];
        numbers.iter_mut().zip(names).try_for_each(|(x, name)| self.number(name).map(|value| *x = value))?;
        Ok(numbers)
    }

    /// PyTorch's check of an option's value: what `allows` says of a number, 0 ≤ β < 1 of `betas`.
    pub(crate) fn check(&self, name: &str, allows: impl Fn(f64) -> bool) -> Result<()> {
        if let Some(OptionValue::Pair(a, b)) = self.get(name) {
            return [a, b].into_iter().enumerate().try_for_each(|(i, beta)| {
                check((0.0..1.0).contains(&beta), || format!("Invalid beta parameter at index {i}: {}", py_float(beta)))
            });
        }
        let allowed = allows(self.number(name)?);
        check(allowed, || {
            let value = self.get(name).unwrap_or(OptionValue::None);
            match name {
                "lr" => format!("Invalid learning rate: {value}"),
                "eps" => format!("Invalid epsilon value: {value}"),
                _ => format!("Invalid {name} value: {value}"),
            }
        })
    }
}

fn unusable(name: &str, value: Option<OptionValue>, wanted: &str) -> Error {
    match value {
        None => Error::Key(name.to_owned()),
        Some(value) => Error::Type(format!("the option {name} of a parameter group is {value}, it must be {wanted}")),
    }
}

impl fmt::Display for Options {
    /// One line per option, sorted by name, as `print(optimizer)` shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted.into_iter().try_for_each(|(name, value)| writeln!(f, "    {name}: {value}"))
    }
}
