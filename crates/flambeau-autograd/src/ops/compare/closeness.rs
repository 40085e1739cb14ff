//! Whether tensors agree.

use crate::error::{Error, Result};
use crate::ops::{all, map};
use crate::{OrPanic, Tensor};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::{Expr, Pointwise, UnaryOp};
use std::sync::LazyLock;

/// a = b, or |a − b| ≤ atol + |rtol · b| with a finite difference. Scalars: rtol, atol.
fn close<'b>(a: Expr<'b>, b: Expr<'b>, rtol: Expr<'b>, atol: Expr<'b>) -> Expr<'b> {
    let distance = (a - b).abs();
    let near = distance.unary(UnaryOp::IsFinite).and(distance.le(atol + (rtol * b).abs()));
    a.eq(b).or(near)
}

static IS_CLOSE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| close(b.input(0), b.input(1), b.scalar(0), b.scalar(1))));

static IS_CLOSE_OR_NAN: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (p, q) = (b.input(0), b.input(1));
        close(p, q, b.scalar(0), b.scalar(1)).or(p.is_nan().and(q.is_nan()))
    })
});

/// Whether |a − b| ≤ atol + rtol · |b|, element by element; NaN is close to NaN only where `equal_nan`: `torch.isclose`.
///
/// # Errors
/// When the dtypes differ or a tolerance is negative.
pub fn isclose(a: &Tensor, b: &Tensor, rtol: f64, atol: f64, equal_nan: bool) -> Result<Tensor> {
    if a.dtype() != b.dtype() {
        return Err(Error::runtime(format!(
            "{} did not match {}",
            a.dtype().scalar_type_name(),
            b.dtype().scalar_type_name()
        )));
    }
    for (name, tolerance) in [("rtol", rtol), ("atol", atol)] {
        if tolerance < 0.0 {
            return Err(Error::runtime(format!("{name} must be greater than or equal to zero, but got {tolerance}")));
        }
    }
    let program: &'static Pointwise = if equal_nan { &IS_CLOSE_OR_NAN } else { &IS_CLOSE };
    map("NotDifferentiable", program, &[&a.detach(), &b.detach()], &[Scalar::Float(rtol), Scalar::Float(atol)])
}

/// Whether all elements are close: `torch.allclose`.
///
/// # Errors
/// As [`isclose`].
pub fn allclose(a: &Tensor, b: &Tensor, rtol: f64, atol: f64, equal_nan: bool) -> Result<bool> {
    let close = all(&isclose(a, b, rtol, atol, equal_nan)?, &[], false)?;
    Ok(close.array().item()?.to_bool())
}

/// Whether shape and all elements are the same: `torch.equal`.
pub fn equal(a: &Tensor, b: &Tensor) -> Result<bool> {
    if a.size() != b.size() {
        return Ok(false);
    }
    let same = all(&crate::ops::eq(&a.detach(), b.detach())?, &[], false)?;
    Ok(same.array().item()?.to_bool())
}

/// Agreement; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// [`isclose`] with PyTorch's tolerances, rtol 1e-5 and atol 1e-8.
    #[track_caller]
    pub fn isclose(&self, other: &Tensor) -> Tensor {
        isclose(self, other, 1e-5, 1e-8, false).or_panic()
    }

    /// [`allclose`] with PyTorch's tolerances, rtol 1e-5 and atol 1e-8.
    #[track_caller]
    pub fn allclose(&self, other: &Tensor) -> bool {
        allclose(self, other, 1e-5, 1e-8, false).or_panic()
    }

    /// See [`equal`].
    #[track_caller]
    pub fn equal(&self, other: &Tensor) -> bool {
        equal(self, other).or_panic()
    }
}
