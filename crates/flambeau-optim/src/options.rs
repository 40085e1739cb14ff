//! What a parameter group holds besides its parameters: options by PyTorch's names.

use crate::error::{Error, Result, check};
use crate::number::Num;
use flambeau_autograd::Tensor;
use flambeau_tensor::Scalar;
use flambeau_tensor::print::{py_float, py_str};
use std::fmt;

/// The value of an option. Integers stay integers, since `print(optimizer)` shows `momentum: 0` and not `0.0`. A clone of a tensor
/// is the same tensor, as Python's `group['lr']` is.
#[derive(Debug)]
pub enum OptionValue {
    /// `None`.
    None,
    /// A bool, an int or a float.
    Number(Scalar),
    /// A tuple of two floats, as `betas`.
    Pair(f64, f64),
    /// A string, as `line_search_fn`.
    Text(String),
    /// A tensor of one element, as a learning rate may be. It is the user's own: who writes to it changes the option.
    Tensor(Tensor),
    /// Any other tuple, as `ns_coefficients`.
    Tuple(Vec<OptionValue>),
    /// A list, as `param_names`.
    List(Vec<OptionValue>),
}

impl Clone for OptionValue {
    fn clone(&self) -> Self {
        self.map_tensors(&Tensor::shallow_clone)
    }
}

/// Tensors are equal where they are the same tensor.
impl PartialEq for OptionValue {
    fn eq(&self, other: &Self) -> bool {
        use OptionValue::{List, None, Number, Pair, Tensor, Text, Tuple};
        match (self, other) {
            (None, None) => true,
            (Number(a), Number(b)) => a == b,
            (Pair(a, b), Pair(c, d)) => (a, b) == (c, d),
            (Text(a), Text(b)) => a == b,
            (Tensor(a), Tensor(b)) => a.is_same(b),
            (Tuple(a), Tuple(b)) | (List(a), List(b)) => a == b,
            _ => false,
        }
    }
}

impl From<Scalar> for OptionValue {
    fn from(x: Scalar) -> Self {
        OptionValue::Number(x)
    }
}

/// Numbers of these types, each as Python's bool, int or float.
macro_rules! numbers {
    ($($t:ty),+) => {$(
        impl From<$t> for OptionValue {
            fn from(x: $t) -> Self {
                OptionValue::Number(x.into())
            }
        }
    )+};
}
numbers!(bool, u8, i8, i16, i32, u32, i64, usize, f32, f64);

impl From<(f64, f64)> for OptionValue {
    fn from((a, b): (f64, f64)) -> Self {
        OptionValue::Pair(a, b)
    }
}

impl From<(Option<f64>, f64)> for OptionValue {
    fn from((a, b): (Option<f64>, f64)) -> Self {
        OptionValue::tuple([a, Some(b)])
    }
}

impl From<(f64, f64, f64)> for OptionValue {
    fn from((a, b, c): (f64, f64, f64)) -> Self {
        OptionValue::tuple([a, b, c])
    }
}

impl From<&str> for OptionValue {
    fn from(text: &str) -> Self {
        OptionValue::Text(text.to_owned())
    }
}

impl From<String> for OptionValue {
    fn from(text: String) -> Self {
        OptionValue::Text(text)
    }
}

impl From<Tensor> for OptionValue {
    fn from(x: Tensor) -> Self {
        OptionValue::Tensor(x)
    }
}

impl From<&Tensor> for OptionValue {
    fn from(x: &Tensor) -> Self {
        OptionValue::Tensor(x.shallow_clone())
    }
}

impl<T: Into<OptionValue>> From<Option<T>> for OptionValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(OptionValue::None, Into::into)
    }
}

impl OptionValue {
    /// A tuple of any values: `(None, 1e-3)` is `OptionValue::tuple([None, Some(1e-3)])`.
    ///
    /// ```
    /// use flambeau_optim::OptionValue;
    ///
    /// assert_eq!(OptionValue::tuple([None, Some(0.5)]).to_string(), "(None, 0.5)");
    /// assert_eq!(OptionValue::tuple([0.5, 0.25]), OptionValue::Pair(0.5, 0.25));
    /// ```
    pub fn tuple<T: Into<OptionValue>>(items: impl IntoIterator<Item = T>) -> Self {
        let items: Vec<OptionValue> = items.into_iter().map(Into::into).collect();
        match &items[..] {
            [OptionValue::Number(Scalar::Float(a)), OptionValue::Number(Scalar::Float(b))] => OptionValue::Pair(*a, *b),
            _ => OptionValue::Tuple(items),
        }
    }

    /// The number, if it is one; a bool is 0 or 1, as in Python, and a tensor its element.
    pub fn as_f64(self) -> Option<f64> {
        self.number().map(Num::to_f64)
    }

    /// The switch, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        if let OptionValue::Number(x) = self { x.is_bool().then(|| x.to_bool()) } else { None }
    }

    /// The pair, if it is a tuple or list of two numbers: `betas`.
    pub fn as_pair(self) -> Option<(f64, f64)> {
        self.pair()
    }

    /// With tensors of its own: Python's `copy.deepcopy`.
    pub(crate) fn deepcopy(&self) -> Self {
        self.map_tensors(&Tensor::clone)
    }

    fn map_tensors(&self, f: &dyn Fn(&Tensor) -> Tensor) -> Self {
        let all = |items: &[OptionValue]| items.iter().map(|item| item.map_tensors(f)).collect();
        match self {
            OptionValue::None => OptionValue::None,
            OptionValue::Number(x) => OptionValue::Number(*x),
            OptionValue::Pair(a, b) => OptionValue::Pair(*a, *b),
            OptionValue::Text(text) => OptionValue::Text(text.clone()),
            OptionValue::Tensor(x) => OptionValue::Tensor(f(x)),
            OptionValue::Tuple(items) => OptionValue::Tuple(all(items)),
            OptionValue::List(items) => OptionValue::List(all(items)),
        }
    }

    fn number(&self) -> Option<Num> {
        match self {
            OptionValue::Number(x) => Some(Num::Number(*x)),
            OptionValue::Tensor(x) => Num::of(x).ok(),
            _ => None,
        }
    }

    fn pair(&self) -> Option<(f64, f64)> {
        match self {
            OptionValue::Pair(a, b) => Some((*a, *b)),
            OptionValue::Tuple(items) | OptionValue::List(items) => match &items[..] {
                [a, b] => Some((a.number()?.to_f64(), b.number()?.to_f64())),
                _ => None,
            },
            _ => None,
        }
    }

    /// As Python's `repr` shows it, which puts strings in quotes: an element of a tuple or list.
    fn repr(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionValue::Text(text) => f.write_str(&py_str(text)),
            OptionValue::Tensor(x) => write!(f, "{x}"),
            other => write!(f, "{other}"),
        }
    }
}

impl fmt::Display for OptionValue {
    /// As Python's `str`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, items: &[OptionValue]| {
            items.iter().enumerate().try_for_each(|(i, item)| {
                f.write_str(if i > 0 { ", " } else { "" })?;
                item.repr(f)
            })
        };
        match self {
            OptionValue::None => f.write_str("None"),
            OptionValue::Number(number) => write!(f, "{number}"),
            OptionValue::Pair(a, b) => write!(f, "({}, {})", py_float(*a), py_float(*b)),
            OptionValue::Text(text) => f.write_str(text),
            // A format string shows the element of a 0-dim tensor.
            OptionValue::Tensor(x) => match (x.dim(), x.array().item()) {
                (0, Ok(number)) => write!(f, "{number}"),
                _ => write!(f, "{x}"),
            },
            OptionValue::Tuple(items) => {
                f.write_str("(")?;
                joined(f, items)?;
                f.write_str(if items.len() == 1 { ",)" } else { ")" })
            }
            OptionValue::List(items) => {
                f.write_str("[")?;
                joined(f, items)?;
                f.write_str("]")
            }
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
        self.find(name).cloned()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&OptionValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
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
        if !self.has(name) {
            self.0.push((name.to_owned(), value));
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<OptionValue>) -> Self {
        self.set(name, value);
        self
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, OptionValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.clone()))
    }

    /// A number that the optimizer's own defaults have.
    pub(crate) fn number(&self, name: &str) -> Result<f64> {
        match self.find(name) {
            Some(OptionValue::Number(x)) => Ok(x.to_f64()),
            _ => self.rate(name).map(Num::to_f64),
        }
    }

    /// A number that may be a tensor, in whose dtype it is computed with.
    pub(crate) fn rate(&self, name: &str) -> Result<Num> {
        let value = self.find(name);
        value.and_then(OptionValue::number).ok_or_else(|| unusable(name, value, "a number"))
    }

    /// A switch that the optimizer's own defaults have.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.find(name) {
            Some(OptionValue::Number(x)) => Ok(x.to_bool()),
            other => Err(unusable(name, other, "a bool")),
        }
    }

    /// Whether a switch is on that may be absent or None, as `foreach`.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        matches!(self.find(name), Some(OptionValue::Number(x)) if x.to_bool())
    }

    /// A pair that the optimizer's own defaults have.
    pub(crate) fn pair(&self, name: &str) -> Result<(f64, f64)> {
        let value = self.find(name);
        value.and_then(OptionValue::pair).ok_or_else(|| unusable(name, value, "a tuple of two floats"))
    }

    /// [`Options::number`] of each name.
    pub(crate) fn numbers<const N: usize>(&self, names: [&str; N]) -> Result<[f64; N]> {
        let mut numbers = [0.0; N];
        numbers.iter_mut().zip(names).try_for_each(|(x, name)| self.number(name).map(|value| *x = value))?;
        Ok(numbers)
    }

    /// PyTorch's check of an option's value: what `allows` says of a number, 0 ≤ β < 1 of `betas`.
    pub(crate) fn check(&self, name: &str, allows: impl Fn(f64) -> bool) -> Result<()> {
        if let Some((a, b)) = self.find(name).and_then(OptionValue::pair) {
            return [a, b].into_iter().enumerate().try_for_each(|(i, beta)| {
                check((0.0..1.0).contains(&beta), || format!("Invalid beta parameter at index {i}: {}", py_float(beta)))
            });
        }
        match name {
            "lr" => self.check_as(name, allows, "Invalid learning rate"),
            "eps" => self.check_as(name, allows, "Invalid epsilon value"),
            _ => self.check_as(name, allows, &format!("Invalid {name} value")),
        }
    }

    /// Refuses a number that `allows` does not, in the words `what: number`.
    pub(crate) fn check_as(&self, name: &str, allows: impl Fn(f64) -> bool, what: &str) -> Result<()> {
        let allowed = allows(self.number(name)?);
        check(allowed, || format!("{what}: {}", self.find(name).unwrap_or(&OptionValue::None)))
    }

    /// PyTorch's check of a learning rate that is a tensor.
    pub(crate) fn check_tensor_rate(&self) -> Result<()> {
        let one = !matches!(self.find("lr"), Some(OptionValue::Tensor(lr)) if lr.numel() != 1);
        check(one, || "Tensor lr must be 1-element".into())
    }
}

fn unusable(name: &str, value: Option<&OptionValue>, wanted: &str) -> Error {
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
