//! Functions of several tensors, element by element.

use flambeau_autograd::Tensor;
use flambeau_autograd::ops::{self, Operand, RoundingMode};
use flambeau_tensor::{DType, Scalar};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, SCALAR_TAIL, one};

/// A host's answer about x, on x's device.
fn truth(x: &Tensor, value: bool) -> CallResult {
    one(ops::full(&[], value, DType::Bool, x.device()))
}

/// A sum or a difference, the second term times alpha.
fn scaled(a: &Args, f: fn(&Tensor, Operand<'_>, Scalar) -> flambeau_autograd::Result<Tensor>) -> CallResult {
    one(f(a.x()?, a.operand(1, "other")?, a.scalar_or_one(2, "alpha")?))
}

fn div_rounded(a: &Args) -> CallResult {
    let mode: RoundingMode = a.opt_str(2, "rounding_mode")?.unwrap_or_default().parse()?;
    one(ops::div_rounded(a.x()?, a.operand(1, "other")?, mode))
}

/// PyTorch rounds alpha · b to half precision before it adds; here the sum is rounded once.
const ROUNDED_ONCE: &str = "one rounding instead of two";

/// Why a gradient of zero may have another sign.
const NO_SLOPE: &str = "where there is no slope the gradient is 0 here, and 0 times the incoming gradient in PyTorch";

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::binary("__radd__", |x, y| ops::add(y, x, 1)),
    OpInfo::binary("__rdiv__", |x, y| ops::mul(&ops::reciprocal(x)?, y)),
    OpInfo::binary("__rmul__", |x, y| ops::mul(y, x)),
    OpInfo::binary("__rpow__", |x, y| ops::pow(y, x))
        .no_gradcheck("the samples raise negative numbers to fractional powers"),
    OpInfo::binary("__rsub__", |x, y| ops::rsub(x, y, 1)),
    OpInfo::general("add", |a| scaled(a, |x, y, alpha| ops::add(x, y, alpha))).differs(&[(30, ROUNDED_ONCE)]),
    OpInfo::general("addcdiv", |a| {
        let (x, p, q) = (a.x()?, a.tensor(1, "tensor1")?, a.tensor(2, "tensor2")?);
        one(ops::addcdiv(x, p, q, a.scalar_or_one(3, "value")?))
    }),
    OpInfo::general("addcmul", |a| {
        let (x, p, q) = (a.x()?, a.tensor(1, "tensor1")?, a.tensor(2, "tensor2")?);
        one(ops::addcmul(x, p, q, a.scalar_or_one(3, "value")?))
    }),
    OpInfo::general("allclose", |a| {
        let (rtol, atol) = (a.float(2, "rtol", 1e-5)?, a.float(3, "atol", 1e-8)?);
        let equal_nan = a.bool(4, "equal_nan", false)?;
        truth(a.x()?, ops::allclose(a.x()?, a.tensor(1, "other")?, rtol, atol, equal_nan)?)
    }),
    OpInfo::operand("atan2", |x, y| ops::atan2(x, y)).differs(&[(31, NO_SLOPE)]),
    OpInfo::operand("bitwise_and", |x, y| ops::bitwise_and(x, y)),
    OpInfo::operand("bitwise_or", |x, y| ops::bitwise_or(x, y)),
    OpInfo::operand("bitwise_xor", |x, y| ops::bitwise_xor(x, y)),
    OpInfo::operand("copysign", |x, y| ops::copysign(x, y)),
    OpInfo::general("div.floor_rounding", div_rounded),
    OpInfo::operand("div.no_rounding_mode", |x, y| ops::div(x, y)),
    OpInfo::general("div.trunc_rounding", div_rounded),
    OpInfo::operand("eq", |x, y| ops::eq(x, y)),
    OpInfo::general("equal", |a| truth(a.x()?, ops::equal(a.x()?, a.tensor(1, "other")?)?)),
    OpInfo::operand("floor_divide", |x, y| ops::floor_divide(x, y)).no_gradcheck("PyTorch defines no derivative"),
    OpInfo::binary("fmax", ops::fmax),
    OpInfo::binary("fmin", ops::fmin),
    OpInfo::operand("fmod", |x, y| ops::fmod(x, y)),
    OpInfo::operand("ge", |x, y| ops::ge(x, y)),
    OpInfo::operand("gt", |x, y| ops::gt(x, y)),
    OpInfo::binary("heaviside", ops::heaviside).no_gradcheck("PyTorch defines no derivative"),
    OpInfo::general("isclose", |a| {
        let (rtol, atol) = (a.float(2, "rtol", 1e-5)?, a.float(3, "atol", 1e-8)?);
        one(ops::isclose(a.x()?, a.tensor(1, "other")?, rtol, atol, a.bool(4, "equal_nan", false)?))
    }),
    OpInfo::operand("le", |x, y| ops::le(x, y)),
    OpInfo::general("lerp", |a| one(ops::lerp(a.x()?, a.tensor(1, "end")?, a.operand(2, "weight")?))),
    OpInfo::binary("logaddexp", ops::logaddexp),
    OpInfo::binary("logaddexp2", ops::logaddexp2),
    OpInfo::operand("logical_and", |x, y| ops::logical_and(x, y)),
    OpInfo::operand("logical_or", |x, y| ops::logical_or(x, y)),
    OpInfo::operand("logical_xor", |x, y| ops::logical_xor(x, y)),
    OpInfo::operand("lt", |x, y| ops::lt(x, y)),
    OpInfo::binary("max.binary", ops::maximum),
    OpInfo::binary("maximum", ops::maximum).differs(&[(32, SCALAR_TAIL)]),
    OpInfo::binary("min.binary", ops::minimum),
    OpInfo::binary("minimum", ops::minimum),
    OpInfo::operand("mul", |x, y| ops::mul(x, y)),
    OpInfo::operand("ne", |x, y| ops::ne(x, y)),
    OpInfo::operand("pow", |x, y| ops::pow(x, y)).differs(&[(28, NO_SLOPE)]),
    OpInfo::operand("remainder", |x, y| ops::remainder(x, y)),
    OpInfo::general("rsub", |a| scaled(a, |x, y, alpha| ops::rsub(x, y, alpha))),
    OpInfo::general("sub", |a| scaled(a, |x, y, alpha| ops::sub(x, y, alpha))).differs(&[(27, ROUNDED_ONCE)]),
    OpInfo::general("where", |a| one(ops::where_(a.tensor(1, "condition")?, a.x()?, a.tensor(2, "other")?))),
    OpInfo::operand("xlogy", |x, y| ops::xlogy(x, y)),
];
