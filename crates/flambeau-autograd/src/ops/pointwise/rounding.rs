//! Rounded quotients and parts of numbers.

use crate::error::{Error, Result};
use crate::ops::pointwise::binary::common_dtype;
use crate::ops::{Operand, map};
use crate::{OrPanic, Tensor};
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

/// a / b rounded to an integer, integers in their own dtype: `torch.div(a, b, rounding_mode=mode)`. The gradient is zero.
pub fn div_rounded<'a>(a: &Tensor, b: impl Into<Operand<'a>>, mode: RoundingMode) -> Result<Tensor> {
    let (tensors, number): (&'static Pointwise, &'static Pointwise) = match mode {
        RoundingMode::Floor => (&FLOOR, &FLOOR_NUMBER),
        RoundingMode::Trunc => (&TRUNC, &TRUNC_NUMBER),
    };
    let b = b.into();
    if a.dtype() == DType::Bool && common_dtype(a, &b) == DType::Bool {
        let op = if mode == RoundingMode::Floor { "div_floor_cpu" } else { "div_trunc_cpu" };
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: DType::Bool }.into());
    }
    match b {
        Operand::Number(s) => map("DivBackward2", number, &[a], &[s]),
        Operand::Borrowed(b) => map("DivBackward2", tensors, &[a, b], &[]),
        Operand::Owned(b) => map("DivBackward2", tensors, &[a, &b], &[]),
    }
}

static ROUND_FRACTION: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0) * b.scalar(0)).round() / b.scalar(0)));
static ROUND_MULTIPLE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0) / b.scalar(0)).round() * b.scalar(0)));

/// To the nearest multiple of 10^−decimals, halves to even: `torch.round(x, decimals=decimals)`. The gradient is zero.
///
/// # Errors
/// For integers and bools with decimals other than 0.
pub fn round_decimals(x: &Tensor, decimals: i32) -> Result<Tensor> {
    if decimals == 0 {
        return crate::ops::round(x);
    }
    if !x.is_floating_point() {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "round_cpu", dtype: x.dtype() }.into());
    }
    let program: &'static Pointwise = if decimals > 0 { &ROUND_FRACTION } else { &ROUND_MULTIPLE };
    map("RoundBackward1", program, &[x], &[Scalar::Float(10f64.powi(decimals.abs()))])
}

static FRAC: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) - b.input(0).trunc()));

/// x − trunc(x), with x's sign: `torch.frac`.
///
/// # Errors
/// For integers and bools.
pub fn frac(x: &Tensor) -> Result<Tensor> {
    if !x.is_floating_point() {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "frac_cpu", dtype: x.dtype() }.into());
    }
    map("FracBackward0", &FRAC, &[x], &[])
}

/// Rounding; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`div_rounded`].
    #[track_caller]
    pub fn div_rounded<'a>(&self, other: impl Into<Operand<'a>>, mode: RoundingMode) -> Tensor {
        div_rounded(self, other, mode).or_panic()
    }

    /// See [`round_decimals`].
    #[track_caller]
    pub fn round_decimals(&self, decimals: i32) -> Tensor {
        round_decimals(self, decimals).or_panic()
    }

    /// See [`frac`].
    #[track_caller]
    pub fn frac(&self) -> Tensor {
        frac(self).or_panic()
    }
}
