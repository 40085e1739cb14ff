//! Whether tensors agree.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::{all, map};
use flambeau_macros::op;
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

/// Whether |x − other| ≤ atol + rtol · |other|, element by element: `torch.isclose`. The short form takes PyTorch's tolerances,
/// rtol 1e-5 and atol 1e-8. NaN is close to NaN only where `equal_nan`; an infinity is close to itself.
///
/// # Errors
/// When the dtypes differ or a tolerance is negative.
///
/// ```
/// let (x, y) = (torch::tensor([1.0, 2.0]), torch::tensor([1.000001, 2.1]));
/// assert_eq!(x.isclose(&y).to_vec::<bool>(), [true, false]);
/// assert_eq!(x.isclose_with(&y, |o| o.rtol(0.1).atol(0.0)).to_vec::<bool>(), [true, true]);
/// ```
#[op(torch, method, not_differentiable, default(rtol = 1e-5, atol = 1e-8, equal_nan = false))]
pub fn isclose(x: &Tensor, other: &Tensor, rtol: f64, atol: f64, equal_nan: bool) -> Result<Tensor> {
    if x.dtype() != other.dtype() {
        return Err(Error::runtime(format!(
            "{} did not match {}",
            x.dtype().scalar_type_name(),
            other.dtype().scalar_type_name()
        )));
    }
    for (name, tolerance) in [("rtol", rtol), ("atol", atol)] {
        if tolerance < 0.0 {
            return Err(Error::runtime(format!("{name} must be greater than or equal to zero, but got {tolerance}")));
        }
    }
    let program: &'static Pointwise = if equal_nan { &IS_CLOSE_OR_NAN } else { &IS_CLOSE };
    map("NotDifferentiable", program, &[&x.detach(), &other.detach()], &[Scalar::Float(rtol), Scalar::Float(atol)])
}

/// Whether all elements are close, as [`isclose`] says: `torch.allclose`.
///
/// # Errors
/// As [`isclose`].
///
/// ```
/// let x = torch::tensor([1.0, f64::NAN]);
/// assert!(!x.allclose(&x));
/// assert!(x.allclose_with(&x, |o| o.equal_nan(true)));
/// ```
#[op(torch, method, not_differentiable, default(rtol = 1e-5, atol = 1e-8, equal_nan = false))]
pub fn allclose(x: &Tensor, other: &Tensor, rtol: f64, atol: f64, equal_nan: bool) -> Result<bool> {
    let close = all(&isclose(x, other, rtol, atol, equal_nan)?, None, false)?;
    Ok(close.array().item()?.to_bool())
}

/// Whether shape and all elements are the same: `torch.equal`.
///
/// ```
/// let x = torch::tensor([1.0, 2.0]);
/// assert!(x.equal(&x.clone()) && !x.equal(&torch::tensor([1.0])));
/// ```
#[op(torch, method, not_differentiable)]
pub fn equal(x: &Tensor, other: &Tensor) -> Result<bool> {
    if x.size() != other.size() {
        return Ok(false);
    }
    let same = all(&crate::ops::eq(&x.detach(), other.detach())?, None, false)?;
    Ok(same.array().item()?.to_bool())
}
