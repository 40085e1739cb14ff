//! Interpolation and fused multiply-adds.

use crate::error::{Error, Result};
use crate::ops::{Operand, map, map_};
use crate::{OrPanic, Tensor};
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::promotion::ResultType;
use flambeau_tensor::{DType, Scalar};
use std::sync::LazyLock;

/// a + w·(b − a), from the nearer end: exact at both.
fn interpolate<'b>(a: Expr<'b>, b: Expr<'b>, w: Expr<'b>) -> Expr<'b> {
    let d = b - a;
    w.abs().lt(0.5).select(a + w * d, b - d * (1.0 - w))
}

static LERP_NUMBER: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| interpolate(b.input(0), b.input(1), b.scalar(0)))
        .with_gradient(|b, g, _, _| vec![g * (1.0 - b.scalar(0)), g * b.scalar(0)])
});

static LERP_TENSOR: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| interpolate(b.input(0), b.input(1), b.input(2)))
        .with_gradient(|_, g, x, _| vec![g * (1.0 - x[2]), g * x[2], g * (x[1] - x[0])])
});

fn check_lerp(a: &Tensor, others: &[(&str, DType)]) -> Result<()> {
    for (name, dtype) in others {
        if *dtype != a.dtype() {
            return Err(Error::runtime(format!(
                "expected dtype {} for `{name}` but got dtype {}",
                a.dtype().cpp_name(),
                dtype.cpp_name()
            )));
        }
    }
    if a.is_floating_point() {
        return Ok(());
    }
    Err(flambeau_tensor::Error::NotImplementedFor { op: "lerp_kernel_scalar", dtype: a.dtype() }.into())
}

/// a + weight · (b − a): `torch.lerp`.
///
/// # Errors
/// When the dtypes differ, or are no floats.
pub fn lerp<'a>(a: &Tensor, end: &Tensor, weight: impl Into<Operand<'a>>) -> Result<Tensor> {
    match weight.into() {
        Operand::Number(w) => {
            check_lerp(a, &[("end", end.dtype())])?;
            map("LerpBackward0", &LERP_NUMBER, &[a, end], &[w.checked(a.dtype().compute())?])
        }
        Operand::Borrowed(w) => lerp_tensor(a, end, w),
        Operand::Owned(w) => lerp_tensor(a, end, &w),
    }
}

fn lerp_tensor(a: &Tensor, end: &Tensor, weight: &Tensor) -> Result<Tensor> {
    check_lerp(a, &[("end", end.dtype()), ("weight", weight.dtype())])?;
    map("LerpBackward1", &LERP_TENSOR, &[a, end, weight], &[])
}

/// [`lerp`] with a number, in place: `a.lerp_(end, weight)`.
#[track_caller]
pub fn lerp_(a: &Tensor, end: &Tensor, weight: impl Into<Scalar>) -> Result<Tensor> {
    check_lerp(a, &[("end", end.dtype())])?;
    map_("LerpBackward0", &LERP_NUMBER, &[a, end], &[weight.into().checked(a.dtype().compute())?])
}

static ADDCMUL: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.scalar(0) * b.input(1) * b.input(2)));

static ADDCDIV: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0) + b.scalar(0) * b.input(1) / b.input(2)).with_gradient(|b, g, x, _| {
        let (value, p, q) = (b.scalar(0), x[1], x[2]);
        vec![g, g * (value / q), -(g * (value * p / (q * q)))]
    })
});

/// x + value · a · b: `torch.addcmul`.
pub fn addcmul(x: &Tensor, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Result<Tensor> {
    map("AddcmulBackward0", &ADDCMUL, &[x, a, b], &[factor("addcmul_cpu_out", [x, a, b], value.into())?])
}

/// [`addcmul`] in place.
#[track_caller]
pub fn addcmul_(x: &Tensor, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Result<Tensor> {
    map_("AddcmulBackward0", &ADDCMUL, &[x, a, b], &[factor("addcmul_cpu_out", [x, a, b], value.into())?])
}

/// The factor of a fused product as a number that the result's dtype holds; f16 and bf16 compute in f32.
fn factor(op: &'static str, [x, a, b]: [&Tensor; 3], value: Scalar) -> Result<Scalar> {
    let all = [x, a, b].into_iter().fold(ResultType::default(), |r, t| r.tensor(t.dtype(), t.dim()));
    match all.finish() {
        dtype @ DType::Bool => Err(flambeau_tensor::Error::NotImplementedFor { op, dtype }.into()),
        dtype => Ok(value.checked(dtype.compute())?),
    }
}

fn check_addcdiv(a: &Tensor, b: &Tensor) -> Result<()> {
    if a.is_floating_point() || b.is_floating_point() {
        return Ok(());
    }
    Err(Error::runtime(
        "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true division of \
         tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * torch.trunc(tensor1 / \
         tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for float inputs. The future \
         addcdiv behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all dtypes.",
    ))
}

/// x + value · a / b: `torch.addcdiv`.
///
/// # Errors
/// When neither a nor b is a float.
pub fn addcdiv(x: &Tensor, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Result<Tensor> {
    check_addcdiv(a, b)?;
    map("AddcdivBackward0", &ADDCDIV, &[x, a, b], &[factor("addcdiv_cpu_out", [x, a, b], value.into())?])
}

/// [`addcdiv`] in place.
///
/// # Errors
/// As [`addcdiv`].
#[track_caller]
pub fn addcdiv_(x: &Tensor, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Result<Tensor> {
    check_addcdiv(a, b)?;
    map_("AddcdivBackward0", &ADDCDIV, &[x, a, b], &[factor("addcdiv_cpu_out", [x, a, b], value.into())?])
}

/// Blends; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`lerp`].
    #[track_caller]
    pub fn lerp<'a>(&self, end: &Tensor, weight: impl Into<Operand<'a>>) -> Tensor {
        lerp(self, end, weight).or_panic()
    }

    /// The same in place; returns the tensor.
    #[track_caller]
    pub fn lerp_(&self, end: &Tensor, weight: impl Into<Scalar>) -> Tensor {
        lerp_(self, end, weight).or_panic()
    }

    /// x + value · a · b. See [`addcmul`].
    #[track_caller]
    pub fn addcmul(&self, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Tensor {
        addcmul(self, a, b, value).or_panic()
    }

    /// The same in place; returns the tensor.
    #[track_caller]
    pub fn addcmul_(&self, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Tensor {
        addcmul_(self, a, b, value).or_panic()
    }

    /// x + value · a / b. See [`addcdiv`].
    #[track_caller]
    pub fn addcdiv(&self, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Tensor {
        addcdiv(self, a, b, value).or_panic()
    }

    /// The same in place; returns the tensor.
    #[track_caller]
    pub fn addcdiv_(&self, a: &Tensor, b: &Tensor, value: impl Into<Scalar>) -> Tensor {
        addcdiv_(self, a, b, value).or_panic()
    }
}
