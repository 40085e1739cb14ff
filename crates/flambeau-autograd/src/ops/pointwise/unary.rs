//! Functions of one tensor, element by element: one line each.

use crate::Tensor;
use crate::error::Result;
use crate::ops::{Place, map};
use flambeau_macros::op;
use flambeau_tensor::DType;
use flambeau_tensor::pointwise::{Pointwise, UnaryOp};
use std::sync::LazyLock;

/// Declares, for each line `name => Op, "Backward"`, the operation.
macro_rules! unary {
    ($($(#[$meta:meta])* $name:ident => $op:ident, $backward:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(x: &Tensor, place: Place) -> Result<Tensor> {
            check(x.dtype(), UnaryOp::$op)?;
            place.map($backward, program(UnaryOp::$op), &[x], &[])
        }
    )*};
}

unary! {
    /// −x: `torch.neg`.
    #[op(torch, method, alias(negative))]
    neg => Neg, "NegBackward0";
    /// |x|: `torch.abs`. The derivative at 0 is 0.
    #[op(torch, method, alias(absolute))]
    abs => Abs, "AbsBackward0";
    /// −1, 0 or 1: `torch.sign`.
    #[op(torch, method)]
    sign => Sign, "SignBackward0";
    /// 1 / x: `torch.reciprocal`.
    #[op(torch, method, cast = Float32)]
    reciprocal => Reciprocal, "ReciprocalBackward0";
    /// √x: `torch.sqrt`.
    #[op(torch, method)]
    sqrt => Sqrt, "SqrtBackward0";
    /// 1 / √x: `torch.rsqrt`.
    #[op(torch, method, cast = Float32)]
    rsqrt => Rsqrt, "RsqrtBackward0";
    /// eˣ: `torch.exp`.
    #[op(torch, method, cast = Float32)]
    exp => Exp, "ExpBackward0";
    /// eˣ − 1, accurate near 0: `torch.expm1`.
    #[op(torch, method, cast = Float32)]
    expm1 => Expm1, "Expm1Backward0";
    /// ln x: `torch.log`.
    #[op(torch, method, cast = Float32)]
    log => Log, "LogBackward0";
    /// log₂ x: `torch.log2`.
    #[op(torch, method, cast = Float32)]
    log2 => Log2, "Log2Backward0";
    /// log₁₀ x: `torch.log10`.
    #[op(torch, method, cast = Float32)]
    log10 => Log10, "Log10Backward0";
    /// ln(1 + x), accurate near 0: `torch.log1p`.
    #[op(torch, method, cast = Float32)]
    log1p => Log1p, "Log1PBackward0";
    /// sin x: `torch.sin`.
    #[op(torch, method)]
    sin => Sin, "SinBackward0";
    /// cos x: `torch.cos`.
    #[op(torch, method)]
    cos => Cos, "CosBackward0";
    /// tan x: `torch.tan`.
    #[op(torch, method, cast = Float32)]
    tan => Tan, "TanBackward0";
    /// arcsin x: `torch.asin`.
    #[op(torch, method, alias(arcsin), cast = Float32)]
    asin => Asin, "AsinBackward0";
    /// arccos x: `torch.acos`.
    #[op(torch, method, alias(arccos), cast = Float32)]
    acos => Acos, "AcosBackward0";
    /// arctan x: `torch.atan`.
    #[op(torch, method, alias(arctan))]
    atan => Atan, "AtanBackward0";
    /// sinh x: `torch.sinh`.
    #[op(torch, method, cast = Float32)]
    sinh => Sinh, "SinhBackward0";
    /// cosh x: `torch.cosh`.
    #[op(torch, method, cast = Float32)]
    cosh => Cosh, "CoshBackward0";
    /// tanh x: `torch.tanh`.
    #[op(torch, functional, method)]
    tanh => Tanh, "TanhBackward0";
    /// 1 / (1 + e⁻ˣ): `torch.sigmoid`.
    #[op(torch, functional, method)]
    sigmoid => Sigmoid, "SigmoidBackward0";
    /// 2/√π · ∫₀ˣ e^(−t²) dt: `torch.erf`.
    #[op(torch, method)]
    erf => Erf, "ErfBackward0";
    /// 1 − erf x, accurate for large x: `torch.erfc`.
    #[op(torch, method)]
    erfc => Erfc, "ErfcBackward0";
    /// The largest integer that is not above x: `torch.floor`.
    #[op(torch, method)]
    floor => Floor, "FloorBackward0";
    /// The smallest integer that is not below x: `torch.ceil`.
    #[op(torch, method)]
    ceil => Ceil, "CeilBackward0";
    /// The nearest integer, halves to even: `torch.round`.
    #[op(torch, method)]
    round => Round, "RoundBackward0";
    /// The integer part: `torch.trunc`.
    #[op(torch, method, alias(fix))]
    trunc => Trunc, "TruncBackward0";
    /// max(x, 0), NaN stays NaN: `torch.relu`. The derivative at 0 is 0.
    #[op(torch, functional, method)]
    relu => Relu, "ReluBackward0";
    /// Whether x is not zero, negated: `torch.logical_not`.
    #[op(torch, method, not_differentiable)]
    logical_not => LogicalNot, "NotDifferentiable";
}

/// The program of one function.
pub(crate) fn program(op: UnaryOp) -> &'static Pointwise {
    static PROGRAMS: LazyLock<Vec<Pointwise>> =
        LazyLock::new(|| UnaryOp::ALL.iter().map(|&op| Pointwise::new(|b| b.input(0).unary(op))).collect());
    // `ALL` is in the order of the enum; a test holds it to that.
    &PROGRAMS[op as usize]
}

/// Refuses what PyTorch refuses for bools and integers.
pub(crate) fn check(dtype: DType, op: UnaryOp) -> Result<()> {
    match (dtype, op) {
        (DType::Bool, UnaryOp::Neg) => Err(flambeau_tensor::Error::NotImplemented(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or \
             `logical_not()` operator instead."
                .into(),
        )
        .into()),
        (DType::Bool, UnaryOp::Abs) => {
            Err(flambeau_tensor::Error::NotImplementedFor { op: "abs_cpu", dtype }.into())
        }
        (DType::Bool, UnaryOp::Relu) => {
            Err(flambeau_tensor::Error::NotImplemented("Boolean inputs not supported for relu".into()).into())
        }
        (DType::Bool, UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Round | UnaryOp::Trunc) => {
            let kernel = match op {
                UnaryOp::Floor => "floor_vml_cpu",
                UnaryOp::Ceil => "ceil_vml_cpu",
                UnaryOp::Round => "round_vml_cpu",
                _ => "trunc_vml_cpu",
            };
            Err(flambeau_tensor::Error::NotImplementedFor { op: kernel, dtype }.into())
        }
        _ => Ok(()),
    }
}

/// Whether x is NaN: `torch.isnan`.
#[op(torch, method, not_differentiable)]
pub fn isnan(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", program(UnaryOp::IsNan), &[x], &[])
}

/// Whether x is infinite: `torch.isinf`.
#[op(torch, method, not_differentiable)]
pub fn isinf(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", program(UnaryOp::IsInf), &[x], &[])
}

/// Whether x is neither infinite nor NaN: `torch.isfinite`.
#[op(torch, method, not_differentiable)]
pub fn isfinite(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", program(UnaryOp::IsFinite), &[x], &[])
}

/// Every bit flipped; of bools, the opposite: `torch.bitwise_not`.
#[op(torch, method, not_differentiable)]
pub fn bitwise_not(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::Bool => map("NotDifferentiable", program(UnaryOp::LogicalNot), &[x], &[]),
        dtype if dtype.is_floating_point() => {
            Err(flambeau_tensor::Error::NotImplementedFor { op: "bitwise_not_cpu", dtype }.into())
        }
        _ => map("NotDifferentiable", program(UnaryOp::BitwiseNot), &[x], &[]),
    }
}

/// x²: `torch.square`.
#[op(torch, method)]
pub fn square(x: &Tensor) -> Result<Tensor> {
    crate::ops::pow(x, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_stand_at_their_op() {
        for (i, &op) in UnaryOp::ALL.iter().enumerate() {
            assert_eq!(op as usize, i);
        }
    }
}
