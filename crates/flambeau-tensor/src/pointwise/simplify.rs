//! What a builder leaves out of a program: steps that change no bit of their operand.

use super::{BinaryOp, DTypeRule, Node, NodeId, UnaryOp};
use crate::Scalar;

/// The operand that a step gives back as it is, in whatever dtype the program runs.
///
/// x + 0 and x · 0 are no such steps: −0 + 0 is 0, and ∞ · 0 is NaN. Nor is x / 1, whose dtype is a float where x is an integer.
pub(super) fn unchanged(nodes: &[Node], node: Node) -> Option<NodeId> {
    let at = |id: NodeId| nodes[id as usize];
    let is = |id: NodeId, int: i64, float: f64| match at(id) {
        Node::Const(Scalar::Int(x)) => x == int,
        Node::Const(Scalar::Float(x)) => x.to_bits() == float.to_bits(),
        _ => false,
    };
    match node {
        Node::Unary(UnaryOp::Neg, a) => match at(a) {
            Node::Unary(UnaryOp::Neg, x) => Some(x),
            _ => None,
        },
        Node::Binary(BinaryOp::Mul, a, b) if is(b, 1, 1.0) => Some(a),
        Node::Binary(BinaryOp::Mul, a, b) if is(a, 1, 1.0) => Some(b),
        Node::Binary(BinaryOp::Sub, a, b) if is(b, 0, 0.0) => Some(a),
        Node::Where(_, a, b) if a == b => Some(a),
        Node::Round(a) if is_rounded(nodes, a) => Some(a),
        _ => None,
    }
}

/// Whether a value that computes in f32 is one that f16 or bf16 holds, if the arrays do. It looks one step back only.
fn is_rounded(nodes: &[Node], id: NodeId) -> bool {
    use UnaryOp::{Abs, Ceil, Floor, Neg, Relu, Sign, Trunc};
    let held = |id: NodeId| matches!(nodes[id as usize], Node::Input(_) | Node::Round(_));
    match nodes[id as usize] {
        Node::Input(_) | Node::Round(_) => true,
        Node::Scalar(_) | Node::Const(_) => false,
        Node::Unary(op, _) if op.dtype_rule() == DTypeRule::Bool => true,
        Node::Unary(op, a) => matches!(op, Abs | Ceil | Floor | Neg | Relu | Sign | Trunc) && held(a),
        Node::Binary(op, ..) if op.dtype_rule() == DTypeRule::Bool => true,
        Node::Binary(op, a, b) => matches!(op, BinaryOp::Maximum | BinaryOp::Minimum) && held(a) && held(b),
        Node::Where(_, a, b) => held(a) && held(b),
    }
}

/// The step with its operands exchanged, where that changes nothing.
pub(super) fn exchanged(node: Node) -> Option<Node> {
    use BinaryOp::{Add, BitwiseAnd, BitwiseOr, BitwiseXor, Eq, LogicalAnd, LogicalOr, LogicalXor, Mul, Ne};
    match node {
        Node::Binary(
            op @ (Add | Mul | Eq | Ne | LogicalAnd | LogicalOr | LogicalXor | BitwiseAnd | BitwiseOr | BitwiseXor),
            a,
            b,
        ) => Some(Node::Binary(op, b, a)),
        _ => None,
    }
}
