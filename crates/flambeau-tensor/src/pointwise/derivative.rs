//! Derivatives of programs, as programs.
//!
//! Derived in tangent form: each node's ∂node/∂input is built from its operands' tangents, and the incoming gradient is
//! multiplied last, inside the branches of a select. The adjoint form would send a gradient of zero through the branch
//! that was not taken, and 0 · inf is NaN: ELU(100) must have gradient 1. (What was composed of several programs is derived
//! program by program, backwards: see [`super::compose`].)

use super::builder::{IntoExpr, used};
use super::tangent::Tangent::{self, One, Value, Zero};
use super::tangent::{negate, plus, rounded, select, times, value};
use super::{BinaryOp, Builder, Expr, Node, NodeId, Pointwise, UnaryOp, compose};

/// What a derivative's program takes as its inputs, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// The gradient of output j.
    Grad(u8),
    /// The tangent of input i.
    Tangent(u8),
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

impl Gradient {
    /// Whether the gradient is the incoming one as it is.
    #[inline]
    pub fn passes(&self) -> bool {
        matches!(self.leaves[..], [Leaf::Grad(_)]) && self.program.nodes().len() == 1
    }

    /// The gradient of a program that does not depend on the input.
    pub(super) fn zero() -> Self {
        let program = Pointwise::new(|b| {
            b.input(0);
            b.constant(0.0)
        });
        Gradient { program, leaves: vec![Leaf::Grad(0)], is_zero: true }
    }

    /// The gradient of a program that cannot be called.
    pub(super) fn refused(fault: &'static str) -> Self {
        let builder = Builder::default();
        builder.refuse(fault);
        let program = builder.finish_with(|b| vec![b.input(0)]);
        Gradient { program, leaves: vec![Leaf::Grad(0)], is_zero: false }
    }
}

/// The tangents of all results for tangents of some inputs: what `jvp` computes.
#[derive(Debug)]
pub struct TangentForm {
    /// For each result j, Σᵢ ∂outⱼ/∂inᵢ · tangentᵢ over [`TangentForm::leaves`] as its inputs, and the program's own runtime
    /// scalars.
    pub program: Pointwise,
    /// What to pass.
    pub leaves: Vec<Leaf>,
    /// Whether every tangent is zero everywhere.
    pub is_zero: bool,
}

/// The values that a derivative is built from. While it is built, its program sees every possible leaf.
pub(super) struct Leaves<'p> {
    program: &'p Pointwise,
    /// Gradients or tangents.
    incoming: usize,
}

impl<'p> Leaves<'p> {
    pub fn new(program: &'p Pointwise, incoming: usize) -> Self {
        Leaves { program, incoming }
    }

    /// The place of an input of the program.
    pub fn input(&self, i: usize) -> usize {
        self.incoming + i
    }

    /// The place of a result of the program.
    pub fn output(&self, j: usize) -> usize {
        self.incoming + self.program.num_inputs + j
    }

    /// What stands at a place.
    pub fn at(&self, place: usize, incoming: fn(u8) -> Leaf) -> Leaf {
        match place {
            i if i < self.incoming => incoming(i as u8),
            i if i < self.output(0) => Leaf::Input((i - self.incoming) as u8),
            i => Leaf::Output((i - self.output(0)) as u8),
        }
    }

    fn input_of<'b>(&self, builder: &'b Builder, i: usize) -> Expr<'b> {
        match self.program.is_mask(i) {
            true => builder.mask(self.input(i)),
            false => builder.input(self.input(i)),
        }
    }
}

/// The gradient of input `input`.
pub(super) fn derive(program: &Pointwise, input: usize) -> Gradient {
    if let Some(fault) = program.fault {
        return Gradient::refused(fault);
    }
    if let (Some(calls), None) = (&program.calls, &program.explicit) {
        return compose::gradient(program, calls, input);
    }
    let builder = Builder::of_derivative(program);
    let num_outputs = program.outputs().len();
    let leaves = Leaves::new(program, num_outputs);
    let grad = |j: usize| builder.input(j);
    let mut is_zero = false;
    let total = match &program.explicit {
        Some(_) => explicit(program, &builder, &leaves, grad(0), input),
        None => {
            let seed = |i: usize| if i == input { One } else { Zero };
            let tangents = tangents(program, &seed, &builder, &leaves);
            let outputs = program.outputs().iter().enumerate();
            let parts = outputs.map(|(j, &out)| times(tangents[out as usize].clone(), Value(grad(j))));
            let total = parts.fold(Zero, |sum, part| plus(sum, part, &builder));
            is_zero = matches!(total, Zero);
            value(total, &builder)
        }
    };
    let id = total.into_expr(&builder).id();
    let refused = builder.refused();
    let (mut program, leaves) = prune(builder.finish(std::iter::once(id).collect()), |i| leaves.at(i, Leaf::Grad));
    program.fault = program.fault.or(refused);
    Gradient { program, leaves, is_zero }
}

/// The tangents of the results for tangents of the inputs in `wrt`, a set of bits.
pub(super) fn tangent(program: &Pointwise, wrt: u32) -> TangentForm {
    if let Some(fault) = program.fault {
        let Gradient { program, leaves, is_zero } = Gradient::refused(fault);
        return TangentForm { program, leaves, is_zero };
    }
    if let (Some(calls), None) = (&program.calls, &program.explicit) {
        return compose::tangent(program, calls, wrt);
    }
    let builder = Builder::of_derivative(program);
    let leaves = Leaves::new(program, program.num_inputs);
    let has = |i: usize| wrt >> i & 1 == 1;
    let results: Vec<Tangent<'_>> = match &program.explicit {
        // Each element of a result depends on that element of the inputs only, so the gradient for a tangent as the incoming
        // gradient is the tangent.
        Some(_) => {
            let parts = (0..program.num_inputs)
                .filter(|&i| has(i))
                .map(|i| Value(explicit(program, &builder, &leaves, builder.input(i), i)));
            vec![parts.fold(Zero, |sum, part| plus(sum, part, &builder))]
        }
        None => {
            let seed = |i: usize| if has(i) { Value(builder.input(i)) } else { Zero };
            let tangents = tangents(program, &seed, &builder, &leaves);
            program.outputs().iter().map(|&out| tangents[out as usize].clone()).collect()
        }
    };
    let is_zero = results.iter().all(|t| matches!(t, Zero));
    let ids = results.into_iter().map(|t| value(t, &builder).into_expr(&builder).id()).collect();
    let refused = builder.refused();
    let (mut program, leaves) = prune(builder.finish(ids), |i| leaves.at(i, Leaf::Tangent));
    program.fault = program.fault.or(refused);
    TangentForm { program, leaves, is_zero }
}

/// The gradient of an input that the program was given instead of deriving it.
fn explicit<'b>(
    program: &Pointwise,
    builder: &'b Builder,
    leaves: &Leaves<'_>,
    grad: Expr<'b>,
    input: usize,
) -> Expr<'b> {
    let inputs: Vec<_> = (0..program.num_inputs).map(|i| leaves.input_of(builder, i)).collect();
    let output = builder.input(leaves.output(0));
    let gradients = program.explicit.as_ref().map(|explicit| explicit(builder, grad, &inputs, &[output]));
    gradients.and_then(|all| all.get(input).copied()).unwrap_or_else(|| {
        builder.refuse("an explicit gradient lacks an input");
        builder.constant(0.0)
    })
}

/// ∂node for every node, given those of the inputs.
fn tangents<'b>(
    program: &Pointwise,
    seed: &dyn Fn(usize) -> Tangent<'b>,
    builder: &'b Builder,
    leaves: &Leaves<'_>,
) -> Vec<Tangent<'b>> {
    let nodes = program.nodes();
    let mut values: Vec<Expr<'b>> = Vec::with_capacity(nodes.len());
    let mut tangents: Vec<Tangent<'b>> = Vec::with_capacity(nodes.len());
    for (id, node) in nodes.iter().enumerate() {
        let at = |i: NodeId| values[i as usize];
        let tangent = |i: NodeId| tangents[i as usize].clone();
        let val = match *node {
            Node::Input(i) => leaves.input_of(builder, i as usize),
            other => builder.node(other.with_operands(|i| at(i).id())),
        };
        // A derivative that is written in terms of the result uses the saved output where there is one.
        let output = program.outputs().iter().position(|&o| o as usize == id);
        let result = output.map_or(val, |j| builder.input(leaves.output(j)));
        let tan = match *node {
            Node::Input(i) => seed(i as usize),
            Node::Scalar(_) | Node::Const(_) => Zero,
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
            Node::Round(a) => rounded(tangent(a)),
        };
        values.push(val);
        tangents.push(tan);
    }
    tangents
}

/// Drops nodes that the results do not use and numbers the used inputs from zero.
fn prune(full: Pointwise, leaf: impl Fn(usize) -> Leaf) -> (Pointwise, Vec<Leaf>) {
    let used = used(full.nodes(), full.outputs());
    let mut leaves = Vec::new();
    let builder = Builder::default();
    // The shape of the result is that of the leaves, so a derivative that is constant still takes what comes in.
    if !full.nodes().iter().zip(&used).any(|(n, &u)| u && matches!(n, Node::Input(_))) {
        leaves.push(leaf(0));
        builder.input(0);
    }
    let mut moved: Vec<NodeId> = vec![0; full.nodes().len()];
    for (id, node) in full.nodes().iter().enumerate().filter(|&(id, _)| used[id]) {
        let kept = match *node {
            Node::Input(i) => {
                leaves.push(leaf(i as usize));
                let position = leaves.len() - 1;
                if full.is_mask(i as usize) { builder.mask(position) } else { builder.input(position) }
            }
            other => builder.node(other.with_operands(|i| moved[i as usize])),
        };
        moved[id] = kept.id();
    }
    let outputs = full.outputs().iter().map(|&o| moved[o as usize]).collect();
    (builder.finish(outputs), leaves)
}
