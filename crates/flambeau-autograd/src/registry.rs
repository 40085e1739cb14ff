//! Every operation as data: what tests, tables and bindings walk, and call with arguments that are data. [`crate::ops`] holds
//! the operations themselves.

#[cfg(test)]
pub(crate) mod forms;

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::Operand;
use flambeau_tensor::{DType, Scalar};

/// An argument of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// Its type in the function of [`crate::ops`], as it is written.
    pub ty: &'static str,
    /// What a form that leaves it out passes, as it is written; `None` where it must be given.
    pub default: Option<&'static str>,
}

/// What autocast does with the inputs of an operation, as PyTorch's does (`ATen/autocast_mode.h` and `.cpp`); in-place forms are left
/// as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// Nothing: it computes in the dtype that it gets.
    None,
    /// Nothing, nor with those of the operations that it is made of here: PyTorch has one kernel for it.
    Opaque,
    /// They become the region's low precision: products and convolutions.
    Low,
    /// They become float32: what loses digits in low precision.
    Float32,
    /// They stay, and the result is float32 unless the caller names its dtype: sums, products and what divides by them.
    Float32Result,
    /// They become the widest dtype among them.
    Widest,
    /// The call is refused: the gradient overflows in low precision.
    Banned,
}

/// What autocast does with an operation on each kind of device: PyTorch has a list for the CPU and one for GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Casts {
    /// On the CPU.
    pub cpu: Cast,
    /// On a GPU.
    pub gpu: Cast,
}

impl Casts {
    /// Nothing anywhere.
    pub const NONE: Casts = Casts { cpu: Cast::None, gpu: Cast::None };
}

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// Its name, that of its function in [`crate::ops`].
    pub name: &'static str,
    /// The module that declares it.
    pub module: &'static str,
    /// Its arguments, the tensor first.
    pub args: &'static [Arg],
    /// Where its functions stand: `torch`, `functional`, `linalg`, `special`.
    pub paths: &'static [&'static str],
    /// Whether it is a method of `Tensor`.
    pub method: bool,
    /// The names of its forms.
    pub forms: &'static [&'static str],
    /// PyTorch's other names for it.
    pub aliases: &'static [&'static str],
    /// Whether it has in-place forms, `name_`.
    pub in_place: bool,
    /// Whether gradients flow through it.
    pub differentiable: bool,
    /// Whether its result holds what the caller asked for, be it infinite, or nothing in particular: `full`, `empty`. Anomaly mode
    /// does not look at it.
    pub fills: bool,
    /// What autocast does with its inputs.
    pub cast: Casts,
    /// Calls it; `None` where an argument is of a kind that data has not (options, a generator).
    pub call: Option<OpFn>,
    /// Calls its in-place form.
    pub call_in_place: Option<OpFn>,
}

/// The operation of this name, or of which this is another name.
pub fn find(name: &str) -> Option<&'static Op> {
    // Words of Rust have a line behind them: `where_`.
    let is = |op: &&Op| {
        op.name == name || op.aliases.contains(&name) || op.name.strip_suffix('_') == Some(name) && name == "where"
    };
    all().find(is)
}

/// Every operation.
pub fn all() -> impl Iterator<Item = &'static Op> {
    crate::ops::REGISTRY.iter().flat_map(|family| family.iter().copied())
}

/// An argument as data.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Python's `None`.
    None,
    /// A tensor.
    Tensor(&'a Tensor),
    /// A list of tensors.
    Tensors(Vec<&'a Tensor>),
    /// A number or a truth value.
    Number(Scalar),
    /// A list of integers.
    Ints(Vec<i64>),
    /// A word.
    Text(&'a str),
    /// A dtype.
    DType(DType),
}

impl Value<'_> {
    /// What it is, in Python's words.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Tensor(_) => "Tensor",
            Value::Tensors(_) => "a list of Tensors",
            Value::Number(number) => number.kind(),
            Value::Ints(_) => "a list of ints",
            Value::Text(_) => "str",
            Value::DType(_) => "torch.dtype",
        }
    }
}

/// The arguments of a call as data.
pub trait Arguments {
    /// The argument at `position` (0 is the first), or else under `name`; `None` where it was not given.
    fn value(&self, position: usize, name: &str) -> Option<Value<'_>>;
}

/// Calls an operation whose arguments are data.
///
/// # Errors
/// The operation's; and when an argument is missing, or of another kind.
pub type OpFn = fn(&dyn Arguments) -> Result<Vec<Tensor>>;

/// What an operation takes, from data.
pub trait FromValue<'a>: Sized {
    /// The argument, if the value is of its kind.
    fn from_value(value: Value<'a>) -> Option<Self>;
}

macro_rules! from_value {
    ($($t:ty: $pattern:pat => $value:expr;)*) => {$(
        impl<'a> FromValue<'a> for $t {
            fn from_value(value: Value<'a>) -> Option<Self> {
                match value { $pattern => $value, _ => None }
            }
        }
    )*};
}

from_value! {
    &'a Tensor: Value::Tensor(t) => Some(t);
    Scalar: Value::Number(n) => Some(n);
    f64: Value::Number(n) => Some(n.to_f64());
    bool: Value::Number(Scalar::Bool(b)) => Some(b);
    i64: Value::Number(Scalar::Int(i)) => Some(i);
    usize: Value::Number(Scalar::Int(i)) => i.try_into().ok();
    i32: Value::Number(Scalar::Int(i)) => i.try_into().ok();
    DType: Value::DType(d) => Some(d);
    &'a str: Value::Text(t) => Some(t);
}

impl<'a> FromValue<'a> for Vec<&'a Tensor> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Tensors(list) => Some(list),
            // An empty list is one of anything.
            Value::Ints(list) if list.is_empty() => Some(Vec::new()),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for Vec<i64> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Ints(list) => Some(list),
            Value::Number(Scalar::Int(i)) => Some(vec![i]),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for Operand<'a> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Tensor(t) => Some(Operand::Borrowed(t)),
            Value::Number(n) => Some(Operand::Number(n)),
            _ => None,
        }
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        match value {
            Value::None => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// The argument at a position, if it was given.
///
/// # Errors
/// When it is of another kind.
pub fn argument<'a, T: FromValue<'a>>(arguments: &'a dyn Arguments, position: usize, name: &str) -> Result<Option<T>> {
    let Some(value) = arguments.value(position, name) else { return Ok(None) };
    let kind = value.kind();
    match T::from_value(value) {
        Some(argument) => Ok(Some(argument)),
        None => Err(Error::Argument(format!("argument '{name}' (position {}) must not be {kind}", position + 1))),
    }
}

/// The tensors that are all the arguments: a list of them, or one by one.
///
/// # Errors
/// When an argument is of another kind.
pub fn tensors<'a>(arguments: &'a dyn Arguments, name: &str) -> Result<Option<Vec<&'a Tensor>>> {
    let Some(Value::Tensor(_)) = arguments.value(0, name) else { return argument(arguments, 0, name) };
    (0..).map_while(|i| argument(arguments, i, "").transpose()).collect::<Result<_>>().map(Some)
}

/// The error for an argument that must be given.
pub fn missing(op: &str, name: &str) -> Error {
    Error::Argument(format!("{op}() missing required argument: '{name}'"))
}
