//! Functions of one tensor, element by element: one line each.

use crate::error::Result;
use crate::ops::{map, map_};
use crate::{OrPanic, Tensor};
use flambeau_tensor::DType;
use flambeau_tensor::pointwise::{Pointwise, UnaryOp};
use std::sync::LazyLock;

/// Makes, for each line `name, name_in_place => Op, "Backward"`, the program, the function, and both methods.
macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident, $in_place:ident => $op:ident, $backward:literal;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(x: &Tensor) -> Result<Tensor> {
                check(x.dtype(), UnaryOp::$op)?;
                map($backward, program(UnaryOp::$op), &[x], &[])
            }

            /// The same in place.
            #[track_caller]
            pub fn $in_place(x: &Tensor) -> Result<Tensor> {
                check(x.dtype(), UnaryOp::$op)?;
                map_($backward, program(UnaryOp::$op), &[x], &[])
            }
        )*

        /// Functions of one tensor; each panics at the caller's line where its function in [`crate::ops`] fails.
        impl Tensor {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self) -> Tensor {
                    $name(self).or_panic()
                }

                /// The same in place; returns the tensor.
                #[track_caller]
                pub fn $in_place(&self) -> Tensor {
                    $in_place(self).or_panic()
                }
            )*
        }
    };
}

unary! {
    /// −x: `torch.neg`.
    neg, neg_ => Neg, "NegBackward0";
    /// |x|: `torch.abs`. The derivative at 0 is 0.
    abs, abs_ => Abs, "AbsBackward0";
    /// −1, 0 or 1: `torch.sign`.
    sign, sign_ => Sign, "SignBackward0";
    /// 1 / x: `torch.reciprocal`.
    reciprocal, reciprocal_ => Reciprocal, "ReciprocalBackward0";
    /// √x: `torch.sqrt`.
    sqrt, sqrt_ => Sqrt, "SqrtBackward0";
    /// 1 / √x: `torch.rsqrt`.
    rsqrt, rsqrt_ => Rsqrt, "RsqrtBackward0";
    /// eˣ: `torch.exp`.
    exp, exp_ => Exp, "ExpBackward0";
    /// eˣ − 1, accurate near 0: `torch.expm1`.
    expm1, expm1_ => Expm1, "Expm1Backward0";
    /// ln x: `torch.log`.
    log, log_ => Log, "LogBackward0";
    /// log₂ x: `torch.log2`.
    log2, log2_ => Log2, "Log2Backward0";
    /// log₁₀ x: `torch.log10`.
    log10, log10_ => Log10, "Log10Backward0";
    /// ln(1 + x), accurate near 0: `torch.log1p`.
    log1p, log1p_ => Log1p, "Log1PBackward0";
    /// sin x: `torch.sin`.
    sin, sin_ => Sin, "SinBackward0";
    /// cos x: `torch.cos`.
    cos, cos_ => Cos, "CosBackward0";
    /// tan x: `torch.tan`.
    tan, tan_ => Tan, "TanBackward0";
    /// arcsin x: `torch.asin`.
    asin, asin_ => Asin, "AsinBackward0";
    /// arccos x: `torch.acos`.
    acos, acos_ => Acos, "AcosBackward0";
    /// arctan x: `torch.atan`.
    atan, atan_ => Atan, "AtanBackward0";
    /// sinh x: `torch.sinh`.
    sinh, sinh_ => Sinh, "SinhBackward0";
    /// cosh x: `torch.cosh`.
    cosh, cosh_ => Cosh, "CoshBackward0";
    /// tanh x: `torch.tanh`.
    tanh, tanh_ => Tanh, "TanhBackward0";
    /// 1 / (1 + e⁻ˣ): `torch.sigmoid`.
    sigmoid, sigmoid_ => Sigmoid, "SigmoidBackward0";
    /// 2/√π · ∫₀ˣ e^(−t²) dt: `torch.erf`.
    erf, erf_ => Erf, "ErfBackward0";
    /// 1 − erf x, accurate for large x: `torch.erfc`.
    erfc, erfc_ => Erfc, "ErfcBackward0";
    /// The largest integer that is not above x: `torch.floor`.
    floor, floor_ => Floor, "FloorBackward0";
    /// The smallest integer that is not below x: `torch.ceil`.
    ceil, ceil_ => Ceil, "CeilBackward0";
    /// The nearest integer, halves to even: `torch.round`.
    round, round_ => Round, "RoundBackward0";
    /// The integer part: `torch.trunc`.
    trunc, trunc_ => Trunc, "TruncBackward0";
    /// max(x, 0), NaN stays NaN: `torch.relu`. The derivative at 0 is 0.
    relu, relu_ => Relu, "ReluBackward0";
    /// Whether x is not zero, negated: `torch.logical_not`.
    logical_not, logical_not_ => LogicalNot, "NotDifferentiable";
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
pub fn isnan(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", program(UnaryOp::IsNan), &[x], &[])
}

/// Whether x is infinite: `torch.isinf`.
pub fn isinf(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", program(UnaryOp::IsInf), &[x], &[])
}

/// Whether x is neither infinite nor NaN: `torch.isfinite`.
pub fn isfinite(x: &Tensor) -> Result<Tensor> {
    map("NotDifferentiable", program(UnaryOp::IsFinite), &[x], &[])
}

/// Every bit flipped; of bools, the opposite: `torch.bitwise_not`.
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
pub fn square(x: &Tensor) -> Result<Tensor> {
    crate::ops::pow(x, 2)
}

/// Tests of single numbers.
impl Tensor {
    /// See [`isnan`].
    #[track_caller]
    pub fn isnan(&self) -> Tensor {
        isnan(self).or_panic()
    }

    /// See [`isinf`].
    #[track_caller]
    pub fn isinf(&self) -> Tensor {
        isinf(self).or_panic()
    }

    /// See [`isfinite`].
    #[track_caller]
    pub fn isfinite(&self) -> Tensor {
        isfinite(self).or_panic()
    }

    /// See [`bitwise_not`].
    #[track_caller]
    pub fn bitwise_not(&self) -> Tensor {
        bitwise_not(self).or_panic()
    }

    /// See [`square`].
    #[track_caller]
    pub fn square(&self) -> Tensor {
        square(self).or_panic()
    }
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
