//! A golden case's arguments as flambeau's tensors, numbers and lists.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use flambeau_autograd::ops::{self, Operand};
use flambeau_autograd::registry::{self, Arguments};
use flambeau_autograd::{Error, Tensor};
use flambeau_tensor::{DType, Device, Scalar};

use crate::golden::{Arg, Case, GoldenTensor, Values};

/// Why a call gave no result.
#[derive(thiserror::Error)]
pub enum CallError {
    /// The operation refused its arguments.
    #[error(transparent)]
    Op(#[from] Error),
    /// The arguments have no form in Rust's signature (a tensor where the signature has a number, …).
    #[error("no such call in Rust: {0}")]
    NotExpressible(String),
}

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl std::fmt::Debug for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl From<flambeau_tensor::Error> for CallError {
    fn from(error: flambeau_tensor::Error) -> Self {
        CallError::Op(error.into())
    }
}

/// What a call returns: its results as a flat list.
pub type CallResult<T = Vec<Tensor>> = Result<T, CallError>;

/// An argument; tensors are leaves.
#[derive(Debug)]
pub enum Value {
    /// Anything without a tensor.
    Plain(Arg),
    /// A tensor.
    Tensor(Tensor),
    /// A list that holds a tensor.
    List(Vec<Value>),
}

/// The arguments of one call. Each is read by position, then by name, and what no one reads is a mistake of the row:
/// see [`Args::unread`].
pub struct Args {
    positional: Vec<Value>,
    named: BTreeMap<String, Value>,
    leaves: Vec<Tensor>,
    read: RefCell<BTreeSet<String>>,
}

impl Args {
    /// Builds the arguments of a case on a device: strided views as such, `requires_grad` where the case has it.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn of(case: &Case, device: Device) -> CallResult<Self> {
        let mut leaves = Vec::new();
        let positional = case.args.iter().map(|a| value(a, device, &mut leaves)).collect::<CallResult<_>>()?;
        let named = case.kwargs.iter().map(|(k, a)| Ok((k.clone(), value(a, device, &mut leaves)?)));
        let named = named.collect::<CallResult<_>>()?;
        Ok(Args { positional, named, leaves, read: RefCell::default() })
    }

    /// The same call on other leaves, for finite differences.
    pub fn with_leaves(&self, leaves: &[Tensor]) -> Self {
        let mut rest = leaves.iter();
        let positional = self.positional.iter().map(|v| replace(v, &mut rest)).collect();
        let named = self.named.iter().map(|(k, v)| (k.clone(), replace(v, &mut rest))).collect();
        Args { positional, named, leaves: leaves.iter().map(Tensor::shallow_clone).collect(), read: RefCell::default() }
    }

    /// The tensors that require a gradient, in the order of [`Case::leaves`].
    pub fn leaves(&self) -> &[Tensor] {
        &self.leaves
    }

    /// Every tensor among the arguments.
    pub fn tensors_within(&self) -> Vec<&Tensor> {
        fn collect<'a>(value: &'a Value, all: &mut Vec<&'a Tensor>) {
            match value {
                Value::Tensor(t) => all.push(t),
                Value::List(l) => l.iter().for_each(|v| collect(v, all)),
                Value::Plain(_) => {}
            }
        }
        let mut all = Vec::new();
        self.positional.iter().chain(self.named.values()).for_each(|v| collect(v, &mut all));
        all
    }

    /// Arguments that no accessor was asked for; `None` does not count.
    pub fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        let positional = self.positional.iter().enumerate().map(|(i, v)| (i.to_string(), v));
        let all = positional.chain(self.named.iter().map(|(k, v)| (k.clone(), v)));
        all.filter(|(k, v)| !matches!(v, Value::Plain(Arg::None)) && !read.contains(k)).map(|(k, _)| k).collect()
    }

    /// The argument at position `i`, or else under `name`; `None` if it was not given or is Python's `None`.
    pub fn get(&self, i: usize, name: &str) -> Option<&Value> {
        let (key, value) = match self.positional.get(i) {
            Some(value) => (i.to_string(), value),
            None => (name.to_owned(), self.named.get(name)?),
        };
        self.read.borrow_mut().insert(key);
        if matches!(value, Value::Plain(Arg::None)) { None } else { Some(value) }
    }

    /// All positional arguments from `i` on.
    pub fn rest(&self, i: usize) -> &[Value] {
        for k in i..self.positional.len() {
            self.read.borrow_mut().insert(k.to_string());
        }
        self.positional.get(i..).unwrap_or_default()
    }

    fn read<'a, T>(
        &'a self,
        i: usize,
        name: &str,
        what: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> CallResult<Option<T>> {
        let refuse = |value: &Value| CallError::NotExpressible(format!("{name} is {value:?}, not {what}"));
        self.get(i, name).map(|value| read(value).ok_or_else(|| refuse(value))).transpose()
    }

    /// The first tensor.
    ///
    /// # Errors
    /// If the first argument is none.
    pub fn x(&self) -> CallResult<&Tensor> {
        self.tensor(0, "input")
    }

    /// A tensor.
    ///
    /// # Errors
    /// If the argument is missing or is none.
    pub fn tensor(&self, i: usize, name: &str) -> CallResult<&Tensor> {
        required(self.opt_tensor(i, name)?, name)
    }

    /// A tensor that may be missing.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn opt_tensor(&self, i: usize, name: &str) -> CallResult<Option<&Tensor>> {
        self.read(i, name, "a tensor", |v| if let Value::Tensor(t) = v { Some(t) } else { None })
    }

    /// A list of tensors.
    ///
    /// # Errors
    /// If the argument is missing or is none.
    pub fn tensors(&self, i: usize, name: &str) -> CallResult<Vec<Tensor>> {
        let list = self.read(i, name, "a list of tensors", |v| match v {
            Value::List(l) => {
                l.iter().map(|v| if let Value::Tensor(t) = v { Some(t.shallow_clone()) } else { None }).collect()
            }
            Value::Plain(Arg::List(l)) if l.is_empty() => Some(Vec::new()),
            _ => None,
        })?;
        required(list, name)
    }

    /// A tensor or a number.
    ///
    /// # Errors
    /// If the argument is missing or is neither.
    pub fn operand(&self, i: usize, name: &str) -> CallResult<Operand<'_>> {
        let operand = self.read(i, name, "a tensor or a number", |v| match v {
            Value::Tensor(t) => Some(Operand::Borrowed(t)),
            Value::Plain(a) => scalar(a).map(Operand::Number),
            Value::List(_) => None,
        })?;
        required(operand, name)
    }

    /// A number that may be missing.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn opt_scalar(&self, i: usize, name: &str) -> CallResult<Option<Scalar>> {
        self.read(i, name, "a number", |v| if let Value::Plain(a) = v { scalar(a) } else { None })
    }

    /// A number, or 1.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn scalar_or_one(&self, i: usize, name: &str) -> CallResult<Scalar> {
        Ok(self.opt_scalar(i, name)?.unwrap_or(Scalar::Int(1)))
    }

    /// A float that may be missing.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn opt_float(&self, i: usize, name: &str) -> CallResult<Option<f64>> {
        self.plain(i, name, "a number", Arg::as_float)
    }

    /// A float.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn float(&self, i: usize, name: &str, default: f64) -> CallResult<f64> {
        Ok(self.opt_float(i, name)?.unwrap_or(default))
    }

    /// An int that may be missing.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn opt_int(&self, i: usize, name: &str) -> CallResult<Option<i64>> {
        self.plain(i, name, "an int", Arg::as_int)
    }

    /// An int.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn int(&self, i: usize, name: &str, default: i64) -> CallResult<i64> {
        Ok(self.opt_int(i, name)?.unwrap_or(default))
    }

    /// An int that must be there.
    ///
    /// # Errors
    /// If the argument is missing or something else.
    pub fn need_int(&self, i: usize, name: &str) -> CallResult<i64> {
        required(self.opt_int(i, name)?, name)
    }

    /// A bool.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn bool(&self, i: usize, name: &str, default: bool) -> CallResult<bool> {
        Ok(self.plain(i, name, "a bool", Arg::as_bool)?.unwrap_or(default))
    }

    /// A string that may be missing.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn opt_str(&self, i: usize, name: &str) -> CallResult<Option<&str>> {
        self.plain(i, name, "a string", Arg::as_str)
    }

    /// A dtype that may be missing.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn opt_dtype(&self, i: usize, name: &str) -> CallResult<Option<DType>> {
        self.plain(i, name, "a dtype", Arg::as_dtype)
    }

    /// One int or a list of ints, that may be missing.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn opt_ints(&self, i: usize, name: &str) -> CallResult<Option<Vec<i64>>> {
        self.plain(i, name, "a list of ints", Arg::as_ints)
    }

    /// One int or a list of ints; empty if it is missing.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn ints(&self, i: usize, name: &str) -> CallResult<Vec<i64>> {
        Ok(self.opt_ints(i, name)?.unwrap_or_default())
    }

    /// A shape: a list of ints that are not negative.
    ///
    /// # Errors
    /// If the argument is something else.
    pub fn shape(&self, i: usize, name: &str) -> CallResult<Vec<usize>> {
        sizes(&self.ints(i, name)?)
    }

    /// The same call with another first argument.
    pub fn with_first(&self, first: Tensor) -> Self {
        let mut args = self.with_leaves(&self.leaves);
        args.positional[0] = Value::Tensor(first);
        args
    }

    fn plain<'a, T>(
        &'a self,
        i: usize,
        name: &str,
        what: &str,
        read: impl Fn(&'a Arg) -> Option<T>,
    ) -> CallResult<Option<T>> {
        self.read(i, name, what, |v| if let Value::Plain(a) = v { read(a) } else { None })
    }
}

/// The list's tensors, if it holds nothing else.
fn all_tensors(list: &[Value]) -> Option<Vec<&Tensor>> {
    list.iter().map(|v| if let Value::Tensor(t) = v { Some(t) } else { None }).collect()
}

/// An operation of the registry takes a golden's arguments as they are.
impl Arguments for Args {
    fn value(&self, position: usize, name: &str) -> Option<registry::Value<'_>> {
        use registry::Value as Data;
        Some(match self.get(position, name)? {
            Value::Tensor(t) => Data::Tensor(t),
            Value::List(list) => Data::Tensors(all_tensors(list)?),
            Value::Plain(arg) => match (scalar(arg), arg) {
                (Some(number), _) => Data::Number(number),
                (None, Arg::Str(text)) => Data::Text(text),
                (None, arg) => match (arg.as_dtype(), arg.as_ints()) {
                    (Some(dtype), _) => Data::DType(dtype),
                    (None, Some(ints)) => Data::Ints(ints),
                    (None, None) => Data::None,
                },
            },
        })
    }
}

/// The ints as lengths.
///
/// # Errors
/// If one is negative.
pub fn sizes(ints: &[i64]) -> CallResult<Vec<usize>> {
    let all = ints.iter().map(|&n| usize::try_from(n)).collect::<Result<_, _>>();
    all.map_err(|_| CallError::NotExpressible(format!("{ints:?} has a negative length")))
}

fn required<T>(value: Option<T>, name: &str) -> CallResult<T> {
    value.ok_or_else(|| CallError::NotExpressible(format!("{name} is missing")))
}

fn scalar(arg: &Arg) -> Option<Scalar> {
    match arg {
        Arg::Bool(b) => Some(Scalar::Bool(*b)),
        Arg::Int(i) => Some(Scalar::Int(*i)),
        Arg::Float(x) => Some(Scalar::Float(*x)),
        _ => None,
    }
}

fn value(arg: &Arg, device: Device, leaves: &mut Vec<Tensor>) -> CallResult<Value> {
    Ok(match arg {
        Arg::Tensor(t) => {
            let tensor = tensor(t, device)?;
            if t.requires_grad {
                leaves.push(tensor.shallow_clone());
            }
            Value::Tensor(tensor)
        }
        Arg::List(l) if !arg.tensors_within().is_empty() => {
            Value::List(l.iter().map(|a| value(a, device, leaves)).collect::<CallResult<_>>()?)
        }
        plain => Value::Plain(plain.clone()),
    })
}

fn replace<'a>(value: &Value, leaves: &mut impl Iterator<Item = &'a Tensor>) -> Value {
    match value {
        Value::Tensor(t) if t.requires_grad() => {
            Value::Tensor(leaves.next().expect("as many leaves as before").shallow_clone())
        }
        Value::List(l) => Value::List(l.iter().map(|v| replace(v, leaves)).collect()),
        Value::Tensor(t) => Value::Tensor(t.shallow_clone()),
        Value::Plain(a) => Value::Plain(a.clone()),
    }
}

/// A golden tensor as a leaf on a device, with the golden's strides and offset.
///
/// # Errors
/// When it cannot be made.
pub fn tensor(golden: &GoldenTensor, device: Device) -> CallResult<Tensor> {
    let base = match &golden.view {
        None => golden.shape.clone(),
        Some(_) => vec![golden.values.len()],
    };
    let scalars: Vec<Scalar> = match &golden.values {
        Values::Float(v) => v.iter().map(|&x| Scalar::Float(x)).collect(),
        Values::Int(v) => v.iter().map(|&i| Scalar::Int(i)).collect(),
        Values::Bool(v) => v.iter().map(|&b| Scalar::Bool(b)).collect(),
    };
    let mut tensor = ops::to_device(&flambeau_autograd::from_scalars(&scalars, &base, golden.dtype)?, device)?;
    if let Some(view) = &golden.view {
        tensor = ops::as_strided(&tensor, &golden.shape, &view.strides, view.offset)?.detach();
    }
    if golden.requires_grad {
        tensor = tensor.requires_grad_(true);
    }
    Ok(tensor)
}

/// A tensor's elements in row-major order, as goldens hold them.
///
/// # Errors
/// When they cannot be read.
pub fn values(tensor: &Tensor) -> CallResult<Values> {
    // The CPU converts, whatever the device can do.
    let array = ops::to_device(&tensor.detach(), Device::Cpu)?.array().clone();
    Ok(match tensor.dtype() {
        DType::Bool => Values::Bool(array.to_vec::<bool>()?),
        dtype if dtype.is_floating_point() => Values::Float(array.to_dtype(DType::F64)?.to_vec::<f64>()?),
        _ => Values::Int(array.to_dtype(DType::I64)?.to_vec::<i64>()?),
    })
}
