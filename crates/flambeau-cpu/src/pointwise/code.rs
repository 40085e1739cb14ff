//! A program made ready for one call: scalars converted, constants folded, values placed in registers.

use super::lane::{Lane, Src, ZeroDivision, binary, choose, round, unary};
use flambeau_tensor::pointwise::{BinaryOp, Node, Pointwise, UnaryOp};
use flambeau_tensor::{DType, Scalar};
use smallvec::SmallVec;

/// Where a step finds an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg<T> {
    /// An input array's elements.
    Input(u8),
    /// The result of a step before.
    Register(u16),
    /// One value for all elements.
    Value(T),
}

/// What a step computes.
#[derive(Clone, Copy, Debug)]
pub enum Step<T> {
    /// A function of one number.
    Unary(UnaryOp, Arg<T>),
    /// A function of two numbers.
    Binary(BinaryOp, Arg<T>, Arg<T>),
    /// The second where the first is not zero, else the third.
    Select(Arg<T>, Arg<T>, Arg<T>),
    /// The value as f16 or bf16 holds it.
    Round(DType, Arg<T>),
}

/// A program ready to run in type `T`.
#[derive(Debug)]
pub struct Code<T> {
    /// The steps and the register that each writes.
    pub steps: SmallVec<[(Step<T>, u16); 8]>,
    /// What is stored.
    pub outputs: SmallVec<[Arg<T>; 2]>,
    /// How many registers the steps use.
    pub registers: usize,
    /// What one element costs, in units of one addition.
    pub cost: usize,
}

impl<T: Lane> Code<T> {
    /// Prepares a program for a call. In bool arithmetic sums are or, products and.
    pub fn new(program: &Pointwise, compute: DType, scalars: &[Scalar]) -> Result<Self, ZeroDivision> {
        let (nodes, outputs) = program.steps(compute);
        let mut last_use: SmallVec<[u16; 24]> = SmallVec::from_elem(0, nodes.len());
        for (i, node) in nodes.iter().enumerate() {
            for &id in node.operands().iter() {
                last_use[id as usize] = i as u16;
            }
        }
        for &id in outputs {
            last_use[id as usize] = u16::MAX;
        }
        let scalar =
            |s: Scalar| if compute == DType::Bool { T::from_i64(i64::from(s.to_bool())) } else { T::from_scalar(s) };
        let mut code = Code { steps: SmallVec::new(), outputs: SmallVec::new(), registers: 0, cost: 1 };
        let mut values: SmallVec<[Arg<T>; 24]> = SmallVec::new();
        let mut free: SmallVec<[u16; 8]> = SmallVec::new();
        for (i, node) in nodes.iter().enumerate() {
            let value = |id: u16| values[id as usize];
            let step = match *node {
                Node::Input(k) => {
                    values.push(Arg::Input(k));
                    continue;
                }
                Node::Scalar(k) => {
                    values.push(Arg::Value(scalar(scalars[k as usize])));
                    continue;
                }
                Node::Const(s) => {
                    values.push(Arg::Value(scalar(s)));
                    continue;
                }
                Node::Unary(op, a) => Step::Unary(unary_in(op, compute), value(a)),
                Node::Binary(op, a, b) => Step::Binary(binary_in(op, compute), value(a), value(b)),
                Node::Where(c, a, b) => Step::Select(value(c), value(a), value(b)),
                Node::Round(a) => Step::Round(compute, value(a)),
            };
            if let Some(x) = fold(&step)? {
                values.push(Arg::Value(x));
                continue;
            }
            let register = free.pop().unwrap_or_else(|| {
                code.registers += 1;
                code.registers as u16 - 1
            });
            code.cost += cost(&step);
            code.steps.push((step, register));
            let ids = node.operands();
            for (k, &id) in ids.iter().enumerate() {
                let again = ids[..k].contains(&id);
                if let Arg::Register(r) = values[id as usize]
                    && last_use[id as usize] == i as u16
                    && !again
                {
                    free.push(r);
                }
            }
            values.push(Arg::Register(register));
        }
        code.outputs = outputs.iter().map(|&id| values[id as usize]).collect();
        Ok(code)
    }
}

/// The value of a step whose operands are all constant.
fn fold<T: Lane>(step: &Step<T>) -> Result<Option<T>, ZeroDivision> {
    let mut out = [T::default()];
    match *step {
        Step::Unary(op, Arg::Value(a)) => unary(op, Src::Splat(a), &mut out),
        Step::Binary(op, Arg::Value(a), Arg::Value(b)) => binary(op, Src::Splat(a), Src::Splat(b), &mut out)?,
        Step::Select(Arg::Value(c), Arg::Value(a), Arg::Value(b)) => {
            choose(Src::Splat(c), Src::Splat(a), Src::Splat(b), &mut out);
        }
        Step::Round(dtype, Arg::Value(a)) => round(dtype, Src::Splat(a), &mut out),
        _ => return Ok(None),
    }
    Ok(Some(out[0]))
}

/// The function as it is on truth values, if those are computed with.
pub fn unary_in(op: UnaryOp, compute: DType) -> UnaryOp {
    match op {
        UnaryOp::BitwiseNot if compute == DType::Bool => UnaryOp::LogicalNot,
        UnaryOp::Neg if compute == DType::Bool => UnaryOp::Abs,
        _ => op,
    }
}

/// The function as it is on truth values, if those are computed with.
pub fn binary_in(op: BinaryOp, compute: DType) -> BinaryOp {
    match op {
        BinaryOp::Add if compute == DType::Bool => BinaryOp::LogicalOr,
        BinaryOp::Sub if compute == DType::Bool => BinaryOp::LogicalXor,
        _ => op,
    }
}

fn cost<T>(step: &Step<T>) -> usize {
    match step {
        Step::Unary(op, _) => op.cost(),
        Step::Binary(op, ..) => op.cost(),
        Step::Select(..) | Step::Round(..) => 1,
    }
}
