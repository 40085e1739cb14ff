//! Rounded quotients and parts of numbers.

use crate::error::{Error, Result};
use crate::ops::pointwise::binary::{OperandRef, common_dtype};
use crate::ops::{Operand, Place, round, round_};
use crate::{OrPanic, Tensor};
use flambeau_macros::op;
use flambeau_tensor::pointwise::{DTypeRule, Pointwise};
use flambeau_tensor::{DType, Scalar};
use std::str::FromStr;
use std::sync::LazyLock;

/// How a quotient is rounded to an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundingMode {
    /// Towards zero, as C's integer division does.
    Trunc,
    /// Towards minus infinity, as Python's `//` does.
    Floor,
}

impl FromStr for RoundingMode {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match s {
            "trunc" => Ok(RoundingMode::Trunc),
            "floor" => Ok(RoundingMode::Floor),
            _ => Err(Error::runtime(format!(
                "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{s}'"
            ))),
        }
    }
}

impl From<&str> for RoundingMode {
    /// By PyTorch's name; an unknown one panics at the caller's line.
    #[track_caller]
    fn from(name: &str) -> Self {
        name.parse().or_panic()
    }
}

static FLOOR: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).floor_div(b.input(1))));
static FLOOR_NUMBER: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).floor_div(b.scalar(0))));
// Integers divide as integers here, and trunc leaves them.
static TRUNC: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| (b.input(0) / b.input(1)).trunc())
        .with_dtype_rule(DTypeRule::Promote)
        .with_gradient(|b, _, _, _| vec![b.constant(0.0), b.constant(0.0)])
});
static TRUNC_NUMBER: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| (b.input(0) / b.scalar(0)).trunc())
        .with_dtype_rule(DTypeRule::Promote)
        .with_gradient(|b, _, _, _| vec![b.constant(0.0)])
});

/// x / other rounded to an integer: `torch.div(x, other, rounding_mode=mode)`. Integers stay integers. The gradient is zero.
///
/// # Errors
/// For two bools.
///
/// ```
/// let x = torch::tensor([-7, 7]);
/// assert_eq!(x.div_rounded(2, "floor").to_vec::<i64>(), [-4, 3]);
/// assert_eq!(x.div_rounded(2, "trunc").to_vec::<i64>(), [-3, 3]);
/// ```
#[op(torch, method, alias(divide_rounded))]
pub fn div_rounded<'a>(
    x: &Tensor,
    other: impl Into<Operand<'a>>,
    rounding_mode: RoundingMode,
    place: Place,
) -> Result<Tensor> {
    let (tensors, number, op): (&'static Pointwise, &'static Pointwise, _) = match rounding_mode {
        RoundingMode::Floor => (&FLOOR, &FLOOR_NUMBER, "div_floor_cpu"),
        RoundingMode::Trunc => (&TRUNC, &TRUNC_NUMBER, "div_trunc_cpu"),
    };
    let other = other.into();
    if x.dtype() == DType::Bool && common_dtype(x, &other) == DType::Bool {
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: DType::Bool }.into());
    }
    match other.kind() {
        OperandRef::Number(s) => place.map("DivBackward2", number, &[x], &[s]),
        OperandRef::Tensor(b) => place.map("DivBackward2", tensors, &[x, b], &[]),
    }
}

static ROUND_FRACTION: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0) * b.scalar(0)).round() / b.scalar(0)));
static ROUND_MULTIPLE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0) / b.scalar(0)).round() * b.scalar(0)));

/// The nearest multiple of 10^−decimals, halves to even: `torch.round(x, decimals=decimals)`. The gradient is zero.
///
/// # Errors
/// For integers and bools with decimals other than 0.
///
/// ```
/// let x = torch::tensor([1.25, 1234.0]);
/// assert_eq!(x.round_decimals(1).to_vec::<f32>(), [1.2, 1234.0]);
/// assert_eq!(x.round_decimals(-2).to_vec::<f32>(), [0.0, 1200.0]);
/// ```
#[op(torch, special, method, positional, default(decimals = 0))]
pub fn round_decimals(x: &Tensor, decimals: i32, place: Place) -> Result<Tensor> {
    if decimals == 0 {
        return if place.is_first() { round_(x) } else { round(x) };
    }
    if !x.is_floating_point() {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "round_cpu", dtype: x.dtype() }.into());
    }
    let program: &'static Pointwise = if decimals > 0 { &ROUND_FRACTION } else { &ROUND_MULTIPLE };
    place.map("RoundBackward1", program, &[x], &[Scalar::Float(10f64.powi(decimals.abs()))])
}

static FRAC: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) - b.input(0).trunc()));

/// x − trunc(x), the part behind the point, with x's sign: `torch.frac`.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// assert_eq!(torch::tensor([1.5, -2.25]).frac().to_vec::<f32>(), [0.5, -0.25]);
/// ```
#[op(torch, method)]
pub fn frac(x: &Tensor, place: Place) -> Result<Tensor> {
    if !x.is_floating_point() {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "frac_cpu", dtype: x.dtype() }.into());
    }
    place.map("FracBackward0", &FRAC, &[x], &[])
}
