//! The shader library's name of each scalar function.

use crate::compute_type;
use flambeau_tensor::DType;
use flambeau_tensor::pointwise::{BinaryOp, DTypeRule, UnaryOp};

/// The library function that computes `op` on values of dtype `compute`, of type `fn(x: C) -> C`; [`None`] where the function
/// has a float result and `compute` is an integer, or takes bits and `compute` is a float. Truth values negate, add and
/// subtract as PyTorch's do: to themselves, by "or" and by "exclusive or".
pub fn unary(op: UnaryOp, compute: DType) -> Option<String> {
    let float = compute.is_floating_point();
    match op {
        UnaryOp::BitwiseNot if float => None,
        UnaryOp::BitwiseNot if compute == DType::Bool => unary(UnaryOp::LogicalNot, compute),
        UnaryOp::Neg if compute == DType::Bool => unary(UnaryOp::Abs, compute),
        _ if op.dtype_rule() == DTypeRule::Float && !float => None,
        _ => Some(name(&format!("{op:?}"), compute)),
    }
}

/// As [`unary`], of type `fn(a: C, b: C) -> C`. Integers have a quotient, which is truncated; division by zero gives zero.
pub fn binary(op: BinaryOp, compute: DType) -> Option<String> {
    let float = compute.is_floating_point();
    match op {
        BinaryOp::BitwiseAnd | BinaryOp::BitwiseOr | BinaryOp::BitwiseXor if float => None,
        BinaryOp::Atan2 if !float => None,
        BinaryOp::Add if compute == DType::Bool => binary(BinaryOp::LogicalOr, compute),
        BinaryOp::Sub if compute == DType::Bool => binary(BinaryOp::LogicalXor, compute),
        _ => Some(name(&format!("{op:?}"), compute)),
    }
}

/// `FloorDiv` in f32 is `op_floor_div_f32`.
fn name(variant: &str, compute: DType) -> String {
    let mut name = String::from("op");
    for c in variant.chars() {
        if c.is_uppercase() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name + "_" + compute_type(compute)
}
