//! Derivatives of programs, as programs.
//!
//! Derived in tangent form: each node's ∂node/∂input is built from its operands' tangents, and the incoming gradient is
//! multiplied last, inside the branches of a select. The adjoint form would send a gradient of zero through the branch
//! that was not taken, and 0 · inf is NaN: ELU(100) must have gradient 1.

use super::builder::IntoExpr;
use super::{BinaryOp, Builder, Expr, Node, NodeId, Pointwise, UnaryOp};

/// What a gradient program takes as its inputs, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// The gradient of output j.
    Grad(u8),
    /// Input i of the program.
    Input(u8),
    /// Result j of the program.
    Output(u8),
}

/// The gradient of one input.
#[derive(Debug)]
pub struct Gradient {
    /// Σⱼ gradⱼ · ∂outⱼ/∂inᵢ over [`Gradient::leaves`] as its inputs, and the program's own runtime scalars.
    pub program: Pointwise,
    /// What to pass. A leaf that is not listed need not be saved.
    pub leaves: Vec<Leaf>,
    /// Whether the derivative is zero everywhere.
    pub is_zero: bool,
}

/// ∂node/∂input. Zero and one are kept apart, so that no 0 · inf is ever computed and no product with one is.
#[derive(Clone)]
pub(super) enum Tangent<'b> {
    Zero,
    One,
    Value(Expr<'b>),
    Where(Expr<'b>, Box<[Tangent<'b>; 2]>),
}

use Tangent::{One, Value, Where, Zero};

pub(super) fn select<'b>(condition: Expr<'b>, a: Tangent<'b>, b: Tangent<'b>) -> Tangent<'b> {
    match (&a, &b) {
        (Zero, Zero) => Zero,
        (One, One) => One,
        _ => Where(condition, Box::new([a, b])),
    }
}

fn times<'b>(a: Tangent<'b>, b: Tangent<'b>) -> Tangent<'b> {
    match (a, b) {
        (Zero, _) | (_, Zero) => Zero,
        (One, x) | (x, One) => x,
        (Where(c, ab), x) | (x, Where(c, ab)) => {
            let [p, q] = *ab;
            select(c, times(p, x.clone()), times(q, x))
        }
        (Value(x), Value(y)) => Value(x * y),
    }
}

fn plus<'b>(a: Tangent<'b>, b: Tangent<'b>, builder: &'b Builder) -> Tangent<'b> {
    match (a, b) {
        (Zero, x) | (x, Zero) => x,
        (a, b) => Value(value(a, builder) + value(b, builder)),
    }
}

fn negate<'b>(a: Tangent<'b>, builder: &'b Builder) -> Tangent<'b> {
    match a {
        Zero => Zero,
        Where(c, ab) => {
            let [p, q] = *ab;
            select(c, negate(p, builder), negate(q, builder))
        }
        other => Value(-value(other, builder)),
    }
}

fn value<'b>(a: Tangent<'b>, builder: &'b Builder) -> Expr<'b> {
    match a {
        Zero => builder.constant(0.0),
        One => builder.constant(1.0),
        Value(x) => x,
        Where(c, ab) => {
            let [p, q] = *ab;
            c.select(value(p, builder), value(q, builder))
        }
    }
}

pub(super) fn derive(program: &Pointwise, input: usize) -> Gradient {
    let builder = Builder::default();
    if let Some(fault) = program.fault {
        builder.refuse(fault);
        let program = builder.finish_with(|b| vec![b.input(0)]);
        return Gradient { program, leaves: vec![Leaf::Grad(0)], is_zero: false };
    }
    // While it is built, the gradient program sees every possible leaf: gradients, inputs, saved outputs.
    let (num_grads, num_inputs) = (program.outputs.len(), program.num_inputs);
    let grad = |j: usize| builder.input(j);
    let arg = |i: usize| match program.is_mask(i) {
        true => builder.mask(num_grads + i),
        false => builder.input(num_grads + i),
    };
    let saved = |j: usize| builder.input(num_grads + num_inputs + j);

    let mut is_zero = false;
    let total = match &program.explicit {
        Some(explicit) => {
            let inputs: Vec<_> = (0..num_inputs).map(arg).collect();
            explicit(&builder, grad(0), &inputs, &[saved(0)]).get(input).copied().unwrap_or_else(|| {
                builder.refuse("an explicit gradient lacks an input");
                builder.constant(0.0)
            })
        }
        None => {
            let tangents = tangents(program, input, &builder, &arg, &saved);
            let parts = program
                .outputs
                .iter()
                .enumerate()
                .map(|(j, &out)| times(tangents[out as usize].clone(), Value(grad(j))));
            let total = parts.fold(Zero, |sum, part| plus(sum, part, &builder));
            is_zero = matches!(total, Zero);
            value(total, &builder)
        }
    };
    let id = total.into_expr(&builder).id();
    let refused = builder.refused();
    let mut gradient = prune(builder.finish(std::iter::once(id).collect()), num_grads, num_inputs, is_zero);
    gradient.program.fault = gradient.program.fault.or(refused);
    gradient
}

/// ∂node/∂input for every node.
fn tangents<'b>(
    program: &Pointwise,
    input: usize,
    builder: &'b Builder,
    arg: &dyn Fn(usize) -> Expr<'b>,
    saved: &dyn Fn(usize) -> Expr<'b>,
) -> Vec<Tangent<'b>> {
    let mut values: Vec<Expr<'b>> = Vec::with_capacity(program.nodes.len());
    let mut tangents: Vec<Tangent<'b>> = Vec::with_capacity(program.nodes.len());
    for (id, node) in program.nodes.iter().enumerate() {
        let at = |i: NodeId| values[i as usize];
        let tangent = |i: NodeId| tangents[i as usize].clone();
        let val = match *node {
            Node::Input(i) => arg(i as usize),
            Node::Scalar(_) | Node::Const(_) => builder.node(*node),
            Node::Unary(op, a) => at(a).unary(op),
            Node::Binary(op, a, b) => at(a).binary(op, at(b)),
            Node::Where(c, a, b) => at(c).select(at(a), at(b)),
        };
        // A derivative that is written in terms of the result uses the saved output where there is one.
        let result = program.outputs.iter().position(|&o| o as usize == id).map_or(val, saved);
        let tan = match *node {
            Node::Input(i) if i as usize == input => One,
            Node::Input(_) | Node::Scalar(_) | Node::Const(_) => Zero,
            Node::Unary(UnaryOp::Neg, a) => negate(tangent(a), builder),
            Node::Unary(op, a) => match tangent(a) {
                Zero => Zero,
                t => times(op.slopes(at(a), result), t),
            },
            Node::Binary(BinaryOp::Sub, a, b) => plus(tangent(a), negate(tangent(b), builder), builder),
            Node::Binary(op, a, b) => match (tangent(a), tangent(b)) {
                (Zero, Zero) => Zero,
                (ta, tb) => {
                    let [da, db] = op.slopes(at(a), at(b), result);
                    plus(times(da, ta), times(db, tb), builder)
                }
            },
            Node::Where(c, a, b) => select(at(c), tangent(a), tangent(b)),
        };
        values.push(val);
        tangents.push(tan);
    }
    tangents
}

/// Drops nodes that the result does not use and numbers the used inputs from zero.
fn prune(full: Pointwise, num_grads: usize, num_inputs: usize, is_zero: bool) -> Gradient {
    let mut used = vec![false; full.nodes.len()];
    for &o in &full.outputs {
        mark(&full.nodes, o as usize, &mut used);
    }
    let mut leaves = Vec::new();
    let builder = Builder::default();
    let mut map: Vec<Option<Expr<'_>>> = vec![None; full.nodes.len()];
    // The shape of the result is that of the leaves, so a derivative that is constant still takes the gradient.
    if !full.nodes.iter().zip(&used).any(|(n, &u)| u && matches!(n, Node::Input(_))) {
        leaves.push(Leaf::Grad(0));
        builder.input(0);
    }
    for (id, node) in full.nodes.iter().enumerate().filter(|&(id, _)| used[id]) {
        let at = |i: NodeId| map[i as usize].expect("operands come before their users");
        map[id] = Some(match *node {
            Node::Input(i) => {
                let i = i as usize;
                let mask = full.is_mask(i);
                leaves.push(match i {
                    i if i < num_grads => Leaf::Grad(i as u8),
                    i if i < num_grads + num_inputs => Leaf::Input((i - num_grads) as u8),
                    i => Leaf::Output((i - num_grads - num_inputs) as u8),
                });
                let position = leaves.len() - 1;
                if mask { builder.mask(position) } else { builder.input(position) }
            }
            Node::Scalar(_) | Node::Const(_) => builder.node(*node),
            Node::Unary(op, a) => at(a).unary(op),
            Node::Binary(op, a, b) => at(a).binary(op, at(b)),
            Node::Where(c, a, b) => at(c).select(at(a), at(b)),
        });
    }
    let outputs = full.outputs.iter().map(|&o| map[o as usize].expect("outputs are used").id()).collect();
    Gradient { program: builder.finish(outputs), leaves, is_zero }
}

fn mark(nodes: &[Node], id: usize, used: &mut [bool]) {
    let mut stack = vec![id];
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut used[id], true) {
            continue;
        }
        match nodes[id] {
            Node::Input(_) | Node::Scalar(_) | Node::Const(_) => {}
            Node::Unary(_, a) => stack.push(a as usize),
            Node::Binary(_, a, b) => stack.extend([a as usize, b as usize]),
            Node::Where(c, a, b) => stack.extend([c as usize, a as usize, b as usize]),
        }
    }
}
