//! The steps of programs.

use super::{BinaryOp, UnaryOp};
use crate::Scalar;
use smallvec::{SmallVec, smallvec};
use std::hash::{Hash, Hasher};

/// A node's number; nodes only use nodes before them.
pub type NodeId = u16;

/// One step of a program. Every value has the program's compute dtype; truth values are 0 and 1 in it.
///
/// Two nodes are equal where they compute the same bits: a constant 0 differs from −0, and NaN is itself.
#[derive(Clone, Copy, Debug)]
pub enum Node {
    /// An input array's element, converted to the compute dtype.
    Input(u8),
    /// A number given at each call.
    Scalar(u8),
    /// A number of the formula.
    Const(Scalar),
    /// A function of one value.
    Unary(UnaryOp, NodeId),
    /// A function of two values.
    Binary(BinaryOp, NodeId, NodeId),
    /// `Where(condition, a, b)`: `a` where the condition is not zero, else `b`.
    Where(NodeId, NodeId, NodeId),
    /// The value as an array of the call's dtype would hold it: f16 and bf16, which compute in f32, round it; others keep it.
    /// It stands where one operation of PyTorch ends and the next begins, so that both in one program give the digits that
    /// they give in turn.
    Round(NodeId),
}

impl Node {
    /// The nodes that this one uses.
    #[inline]
    pub fn operands(&self) -> SmallVec<[NodeId; 3]> {
        match *self {
            Node::Input(_) | Node::Scalar(_) | Node::Const(_) => SmallVec::new(),
            Node::Unary(_, a) | Node::Round(a) => SmallVec::from_slice(&[a]),
            Node::Binary(_, a, b) => SmallVec::from_slice(&[a, b]),
            Node::Where(c, a, b) => smallvec![c, a, b],
        }
    }

    /// The same step of other operands.
    #[must_use]
    pub fn with_operands(self, mut operand: impl FnMut(NodeId) -> NodeId) -> Node {
        match self {
            Node::Input(_) | Node::Scalar(_) | Node::Const(_) => self,
            Node::Unary(op, a) => Node::Unary(op, operand(a)),
            Node::Binary(op, a, b) => Node::Binary(op, operand(a), operand(b)),
            Node::Where(c, a, b) => Node::Where(operand(c), operand(a), operand(b)),
            Node::Round(a) => Node::Round(operand(a)),
        }
    }

    /// What tells nodes apart.
    fn key(&self) -> (u8, u64, [NodeId; 3]) {
        match *self {
            Node::Input(i) => (0, u64::from(i), [0; 3]),
            Node::Scalar(k) => (1, u64::from(k), [0; 3]),
            Node::Const(Scalar::Bool(x)) => (2, u64::from(x), [0; 3]),
            Node::Const(Scalar::Int(x)) => (3, x as u64, [0; 3]),
            Node::Const(Scalar::Float(x)) => (4, x.to_bits(), [0; 3]),
            Node::Unary(op, a) => (5, op as u64, [a, 0, 0]),
            Node::Binary(op, a, b) => (6, op as u64, [a, b, 0]),
            Node::Where(c, a, b) => (7, 0, [c, a, b]),
            Node::Round(a) => (8, 0, [a, 0, 0]),
        }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Node {}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (kind, of, [a, b, c]) = self.key();
        state.write_u64(of);
        state.write_u64(u64::from(kind) << 48 | u64::from(a) << 32 | u64::from(b) << 16 | u64::from(c));
    }
}
