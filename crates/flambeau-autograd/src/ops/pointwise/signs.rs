//! Signs, and the larger or smaller of two numbers where NaN does not count.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::pointwise::binary::{OperandRef, beside};
use crate::ops::{Operand, Place, map, zeros};
use flambeau_macros::op;
use flambeau_tensor::DType;
use flambeau_tensor::pointwise::{BinaryOp, DTypeRule, Expr, Pointwise};
use std::sync::LazyLock;

/// Whether a number is below 0, or −0.
fn is_negative(y: Expr<'_>) -> Expr<'_> {
    y.lt(0.0).or(y.eq(0.0).and(y.reciprocal().lt(0.0)))
}

fn with_sign<'b>(x: Expr<'b>, y: Expr<'b>) -> Expr<'b> {
    let size = x.abs();
    is_negative(y).select(-size, size)
}

/// g, turned where the result has another sign than x; 0 at 0.
fn sign_slope<'b>(g: Expr<'b>, x: Expr<'b>, y: Expr<'b>) -> Expr<'b> {
    x.eq(0.0).select(0.0, g * (y / x))
}

static COPYSIGN: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| with_sign(b.input(0), b.input(1)))
        .with_dtype_rule(DTypeRule::Float)
        .with_gradient(|b, g, x, y| vec![sign_slope(g, x[0], y[0]), b.constant(0.0)])
});
static COPYSIGN_NUMBER: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| with_sign(b.input(0), b.scalar(0)))
        .with_dtype_rule(DTypeRule::Float)
        .with_gradient(|_, g, x, y| vec![sign_slope(g, x[0], y[0])])
});

/// |x| with the sign of `other`, which −0 has too: `torch.copysign`. Integers become floats. A NaN counts as positive.
///
/// ```
/// let x = torch::tensor([1.0, -2.0]);
/// assert_eq!(x.copysign(-1.0).to_vec::<f32>(), [-1.0, -2.0]);
/// assert_eq!(x.copysign(torch::tensor([-0.0, 3.0])).to_vec::<f32>(), [-1.0, 2.0]);
/// ```
#[op(torch, method)]
pub fn copysign<'a>(x: &Tensor, other: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
    match other.into().kind() {
        OperandRef::Number(s) => place.map("CopysignBackward1", &COPYSIGN_NUMBER, &[x], &[beside(x, BinaryOp::Pow, s)]),
        OperandRef::Tensor(y) => place.map("CopysignBackward0", &COPYSIGN, &[x, y], &[]),
    }
}

static SIGNBIT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| is_negative(b.input(0))));
static BELOW_ZERO: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).lt(0.0)));

/// Whether the sign is a minus, which −0 has too: `torch.signbit`. A NaN counts as positive.
///
/// ```
/// assert_eq!(torch::tensor([-1.0, -0.0, 0.0]).signbit().to_vec::<bool>(), [true, true, false]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn signbit(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", if x.is_floating_point() { &SIGNBIT } else { &BELOW_ZERO }, &[x], &[])
}

static IS_PLUS_INFINITE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).eq(f64::INFINITY)));
static IS_MINUS_INFINITE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).eq(f64::NEG_INFINITY)));

/// Whether a float is equal to an infinity; an integer never is.
fn is_infinity(x: &Tensor, program: &'static Pointwise) -> Result<Tensor> {
    if x.is_floating_point() {
        map("NotDifferentiable", program, &[x], &[])
    } else {
        zeros(&x.size(), DType::Bool, x.device())
    }
}

/// Whether x is +∞: `torch.isposinf`.
///
/// ```
/// let x = torch::tensor([f64::INFINITY, f64::NEG_INFINITY]);
/// assert_eq!(x.isposinf().to_vec::<bool>(), [true, false]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn isposinf(x: &Tensor) -> Result<Tensor> {
    is_infinity(x, &IS_PLUS_INFINITE)
}

/// Whether x is −∞: `torch.isneginf`.
///
/// ```
/// let x = torch::tensor([f64::INFINITY, f64::NEG_INFINITY]);
/// assert_eq!(x.isneginf().to_vec::<bool>(), [false, true]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn isneginf(x: &Tensor) -> Result<Tensor> {
    is_infinity(x, &IS_MINUS_INFINITE)
}

/// x itself, Python's `+x`: `torch.positive`.
///
/// # Errors
/// For bools.
///
/// ```
/// let x = torch::tensor([1.0, -2.0]);
/// assert!(x.positive().is_same(&x));
/// ```
#[op(torch, method)]
pub fn positive(x: &Tensor) -> Result<Tensor> {
    if x.dtype() == DType::Bool {
        let words = "The `+` operator, on a bool tensor is not supported.";
        return Err(flambeau_tensor::Error::NotImplemented(words.into()).into());
    }
    Ok(x.shallow_clone())
}

static FMAX: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (p, q) = (b.input(0), b.input(1));
        q.is_nan().select(p, p.is_nan().select(q, p.maximum(q)))
    })
    .with_gradient(|_, g, x, _| {
        let first = x[0].ge(x[1]).or(x[1].is_nan());
        vec![first.select(g, 0.0), first.select(0.0, g)]
    })
});
static FMIN: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (p, q) = (b.input(0), b.input(1));
        q.is_nan().select(p, p.is_nan().select(q, p.minimum(q)))
    })
    .with_gradient(|_, g, x, _| {
        let first = x[0].le(x[1]).or(x[1].is_nan());
        vec![first.select(g, 0.0), first.select(0.0, g)]
    })
});

/// The larger of two, and the one that is a number if one is NaN: `torch.fmax`. A tie's gradient is the first one's.
///
/// ```
/// let (a, b) = (torch::tensor([1.0, 5.0]), torch::tensor([3.0, f64::NAN]));
/// assert_eq!(a.fmax(&b).to_vec::<f32>(), [3.0, 5.0]);
/// ```
#[op(torch, method)]
pub fn fmax(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    map("FmaxBackward0", &FMAX, &[x, other], &[])
}

/// The smaller of two, and the one that is a number if one is NaN: `torch.fmin`. A tie's gradient is the first one's.
///
/// ```
/// let (a, b) = (torch::tensor([1.0, 5.0]), torch::tensor([3.0, f64::NAN]));
/// assert_eq!(a.fmin(&b).to_vec::<f32>(), [1.0, 5.0]);
/// ```
#[op(torch, method)]
pub fn fmin(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    map("FminBackward0", &FMIN, &[x, other], &[])
}

static HEAVISIDE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0).eq(0.0).select(b.input(1), b.input(0).gt(0.0).select(1.0, 0.0)))
        .with_dtype_rule(DTypeRule::Promote)
});

/// 0 below 0, 1 above, and at 0 what `values` says: `torch.heaviside`. It has no gradient.
///
/// # Errors
/// For two dtypes.
///
/// ```
/// let x = torch::tensor([-1.0, 0.0, 2.0]);
/// assert_eq!(x.heaviside(torch::tensor([0.5])).to_vec::<f32>(), [0.0, 0.5, 1.0]);
/// ```
#[op(torch, method, not_differentiable)]
pub fn heaviside(x: &Tensor, values: &Tensor) -> Result<Tensor> {
    if x.dtype() != values.dtype() {
        return Err(Error::runtime("heaviside is not yet implemented for tensors with different dtypes."));
    }
    map("NotImplemented", &HEAVISIDE, &[&x.detach(), &values.detach()], &[])
}
