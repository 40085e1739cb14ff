//! Formulas become nodes.

use super::simplify::{exchanged, unchanged};
use super::steps::Steps;
use super::{BinaryOp, DTypeRule, Node, NodeId, Pointwise, UnaryOp};
use crate::Scalar;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::{Mutex, OnceLock};

const TOO_MANY_INPUTS: &str = "a pointwise program has at most 32 inputs";

/// Collects the nodes of a program; equal nodes are made once, and steps that would change nothing are not made. What a program
/// cannot hold is noted, and refused when the program is called.
#[derive(Default)]
pub struct Builder {
    nodes: RefCell<Vec<Node>>,
    ids: RefCell<HashMap<Node, NodeId, BuildHasherDefault<NodeHasher>>>,
    masks: Cell<u64>,
    fault: Cell<Option<&'static str>>,
    /// Whether values stay as they were computed, where a formula would round them.
    unrounded: Cell<bool>,
}

/// Hashes a node's few numbers. The standard hasher, which withstands attackers, takes most of the time of a derivative.
#[derive(Default)]
struct NodeHasher(u64);

impl Hasher for NodeHasher {
    fn finish(&self) -> u64 {
        // The table takes the upper bits too.
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u64(u64::from(b)));
    }

    fn write_u64(&mut self, x: u64) {
        // An odd number with no pattern: 2⁶⁴ over the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ x).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A value of a program under construction: `Copy`, so that formulas need no clones.
#[derive(Clone, Copy)]
pub struct Expr<'b> {
    builder: &'b Builder,
    id: NodeId,
}

impl Builder {
    /// A builder for the derivative of a program. PyTorch's formulas for derivatives of its operations are several operations, each
    /// of which rounds; within what is one kernel there nothing does.
    pub(super) fn of_derivative(program: &Pointwise) -> Self {
        let nodes = program.nodes();
        let steps = nodes.iter().filter(|n| !matches!(n, Node::Input(_) | Node::Scalar(_) | Node::Const(_))).count();
        let rounds = steps == 1 || nodes.iter().any(|n| matches!(n, Node::Round(_)));
        Builder { unrounded: Cell::new(!rounds), ..Builder::default() }
    }

    fn push(&self, node: Node) -> Expr<'_> {
        let mut nodes = self.nodes.borrow_mut();
        let mut ids = self.ids.borrow_mut();
        let known = unchanged(&nodes, node)
            .or_else(|| ids.get(&node).copied())
            .or_else(|| exchanged(node).and_then(|other| ids.get(&other).copied()));
        let id = known.unwrap_or_else(|| {
            let Ok(id) = NodeId::try_from(nodes.len()) else {
                self.refuse("a pointwise program has at most 65536 steps");
                return 0;
            };
            nodes.push(node);
            ids.insert(node, id);
            id
        });
        Expr { builder: self, id }
    }

    /// Notes why the program can never be called.
    pub(super) fn refuse(&self, fault: &'static str) {
        self.fault.set(Some(fault));
    }

    /// What [`Builder::refuse`] noted.
    pub(super) fn refused(&self) -> Option<&'static str> {
        self.fault.get()
    }

    /// The i-th input array's element. A call is refused where `i` is not below [`Pointwise::MAX_INPUTS`].
    pub fn input(&self, i: usize) -> Expr<'_> {
        let i = u8::try_from(i).unwrap_or_else(|_| {
            self.refuse(TOO_MANY_INPUTS);
            u8::MAX
        });
        self.push(Node::Input(i))
    }

    /// The i-th input array's element as a truth value: it takes no part in type promotion.
    pub fn mask(&self, i: usize) -> Expr<'_> {
        if i < u64::BITS as usize {
            self.masks.set(self.masks.get() | 1 << i);
        }
        self.input(i)
    }

    /// The i-th runtime scalar. A call is refused where `i` is not below 256.
    pub fn scalar(&self, i: usize) -> Expr<'_> {
        let i = u8::try_from(i).unwrap_or_else(|_| {
            self.refuse("a pointwise program has at most 256 runtime scalars");
            u8::MAX
        });
        self.push(Node::Scalar(i))
    }

    /// A constant of the formula.
    pub fn constant(&self, value: impl Into<Scalar>) -> Expr<'_> {
        self.push(Node::Const(value.into()))
    }

    pub(super) fn node(&self, node: Node) -> Expr<'_> {
        self.push(node)
    }

    /// The program with these results.
    pub(super) fn finish_with(self, outputs: impl for<'b> FnOnce(&'b Builder) -> Vec<Expr<'b>>) -> Pointwise {
        let outputs = self.ids(outputs(&self));
        self.finish(outputs)
    }

    #[inline(never)]
    fn ids(&self, values: Vec<Expr<'_>>) -> SmallVec<[NodeId; 2]> {
        values.into_iter().map(|value| value.into_expr(self).id).collect()
    }

    pub(super) fn finish(self, outputs: SmallVec<[NodeId; 2]>) -> Pointwise {
        let (nodes, outputs) = without_unused(&self.nodes.into_inner(), &outputs);
        let count =
            |pick: fn(&Node) -> Option<u8>| nodes.iter().filter_map(pick).map(|i| i as usize + 1).max().unwrap_or(0);
        let num_inputs = count(|n| if let Node::Input(i) = n { Some(*i) } else { None });
        let num_scalars = count(|n| if let Node::Scalar(i) = n { Some(*i) } else { None });
        let fault = match self.fault.get() {
            None if num_inputs > Pointwise::MAX_INPUTS => Some(TOO_MANY_INPUTS),
            None if outputs.is_empty() || outputs.len() > Pointwise::MAX_INPUTS => {
                Some("a pointwise program has at least one and at most 32 results")
            }
            fault => fault,
        };
        let rules = dtype_rules(&nodes);
        let of_outputs = outputs.iter().map(|&o| rules[o as usize]);
        let rule = of_outputs.fold(DTypeRule::Promote, |a, b| if a == DTypeRule::Promote { b } else { a });
        let unrounded =
            nodes.iter().any(|n| matches!(n, Node::Round(_))).then(|| Box::new(unrounded(&nodes, &outputs)));
        Pointwise {
            steps: Steps::new(nodes, outputs),
            unrounded,
            num_inputs,
            num_scalars,
            masks: self.masks.get(),
            fault,
            rule,
            arguments: Pointwise::ARGUMENTS,
            explicit: None,
            calls: None,
            gradients: (0..num_inputs).map(|_| OnceLock::new()).collect(),
            tangents: Mutex::default(),
        }
    }
}

/// Writes a program's steps into another's, on values of that. The results.
pub(super) fn inline<'b>(
    builder: &'b Builder,
    program: &Pointwise,
    inputs: &[Expr<'b>],
    scalars: &[Expr<'b>],
) -> SmallVec<[Expr<'b>; 2]> {
    let mut values: Vec<Expr<'b>> = Vec::with_capacity(program.nodes().len());
    for node in program.nodes() {
        let operand = match *node {
            Node::Input(i) => inputs.get(i as usize).copied(),
            Node::Scalar(k) => scalars.get(k as usize).copied(),
            other => Some(builder.push(other.with_operands(|id| values[id as usize].id))),
        };
        values.push(operand.unwrap_or_else(|| builder.constant(0.0)));
    }
    program.outputs().iter().map(|&id| values[id as usize]).collect()
}

/// Nodes without those that no result needs. Inputs and scalars stay: a call passes them all the same.
fn without_unused(nodes: &[Node], outputs: &[NodeId]) -> (Vec<Node>, SmallVec<[NodeId; 2]>) {
    let used = used(nodes, outputs);
    let mut moved: Vec<NodeId> = Vec::with_capacity(nodes.len());
    let mut kept: Vec<Node> = Vec::with_capacity(nodes.len());
    for (node, used) in nodes.iter().zip(used) {
        moved.push(kept.len() as NodeId);
        if used || matches!(node, Node::Input(_) | Node::Scalar(_)) {
            kept.push(node.with_operands(|id| moved[id as usize]));
        }
    }
    (kept, outputs.iter().map(|&id| moved[id as usize]).collect())
}

/// For each node, whether a result needs it.
pub(super) fn used(nodes: &[Node], outputs: &[NodeId]) -> Vec<bool> {
    let mut used = vec![false; nodes.len()];
    for &id in outputs {
        used[id as usize] = true;
    }
    // Operands come before their users.
    for (id, node) in nodes.iter().enumerate().rev() {
        if used[id] {
            node.operands().iter().for_each(|&operand| used[operand as usize] = true);
        }
    }
    used
}

/// The steps of a program whose values are not rounded between its operations.
fn unrounded(nodes: &[Node], outputs: &[NodeId]) -> Steps {
    let builder = Builder::default();
    let mut values: Vec<NodeId> = Vec::with_capacity(nodes.len());
    for node in nodes {
        values.push(match *node {
            Node::Round(a) => values[a as usize],
            other => builder.push(other.with_operands(|id| values[id as usize])).id,
        });
    }
    let outputs: SmallVec<[NodeId; 2]> = outputs.iter().map(|&id| values[id as usize]).collect();
    let (nodes, outputs) = without_unused(&builder.nodes.into_inner(), &outputs);
    Steps::new(nodes, outputs)
}

/// The rule that each node's value follows: bool where it is a comparison, else float if any step below it is.
fn dtype_rules(nodes: &[Node]) -> Vec<DTypeRule> {
    let mut rules: Vec<DTypeRule> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let below = |ids: &[NodeId]| {
            let float = ids.iter().any(|&i| rules[i as usize] == DTypeRule::Float);
            if float { DTypeRule::Float } else { DTypeRule::Promote }
        };
        let rule = match *node {
            Node::Input(_) | Node::Scalar(_) | Node::Const(_) => DTypeRule::Promote,
            Node::Unary(op, a) if op.dtype_rule() == DTypeRule::Promote => below(&[a]),
            Node::Unary(op, _) => op.dtype_rule(),
            Node::Binary(op, a, b) if op.dtype_rule() == DTypeRule::Promote => below(&[a, b]),
            Node::Binary(op, _, _) => op.dtype_rule(),
            Node::Where(_, a, b) => below(&[a, b]),
            Node::Round(a) => rules[a as usize],
        };
        rules.push(rule);
    }
    rules
}

impl<'b> Expr<'b> {
    pub(super) fn id(&self) -> NodeId {
        self.id
    }

    /// The builder that this value belongs to.
    pub fn builder(self) -> &'b Builder {
        self.builder
    }

    /// A constant beside this value.
    pub fn constant(self, value: impl Into<Scalar>) -> Expr<'b> {
        self.builder.constant(value)
    }

    /// Applies a function of one number.
    pub fn unary(self, op: UnaryOp) -> Expr<'b> {
        self.builder.push(Node::Unary(op, self.id))
    }

    /// Applies a function of two numbers.
    pub fn binary(self, op: BinaryOp, other: impl IntoExpr<'b>) -> Expr<'b> {
        let other = other.into_expr(self.builder);
        self.builder.push(Node::Binary(op, self.id, other.id))
    }

    /// `a` where this is true, else `b`.
    pub fn select(self, a: impl IntoExpr<'b>, b: impl IntoExpr<'b>) -> Expr<'b> {
        let (a, b) = (a.into_expr(self.builder), b.into_expr(self.builder));
        self.builder.push(Node::Where(self.id, a.id, b.id))
    }

    /// The value as an array of the call's dtype would hold it; see [`Node::Round`].
    pub fn rounded(self) -> Expr<'b> {
        if self.builder.unrounded.get() { self } else { self.builder.push(Node::Round(self.id)) }
    }
}

/// A value or a number that a formula may use as an operand.
pub trait IntoExpr<'b> {
    /// The operand as a value of `builder`'s program.
    fn into_expr(self, builder: &'b Builder) -> Expr<'b>;
}

impl<'b> IntoExpr<'b> for Expr<'b> {
    fn into_expr(self, builder: &'b Builder) -> Expr<'b> {
        if std::ptr::eq(self.builder, builder) {
            return self;
        }
        builder.refuse("a pointwise program mixes values of two builders");
        builder.constant(0.0)
    }
}

impl<'b> IntoExpr<'b> for f64 {
    fn into_expr(self, builder: &'b Builder) -> Expr<'b> {
        builder.constant(self)
    }
}

impl<'b> IntoExpr<'b> for i64 {
    fn into_expr(self, builder: &'b Builder) -> Expr<'b> {
        builder.constant(self)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident),*) => {$(
        impl<'b, R: IntoExpr<'b>> $trait<R> for Expr<'b> {
            type Output = Expr<'b>;
            fn $method(self, other: R) -> Expr<'b> { self.binary(BinaryOp::$trait, other) }
        }
        impl<'b> $trait<Expr<'b>> for f64 {
            type Output = Expr<'b>;
            fn $method(self, other: Expr<'b>) -> Expr<'b> { other.constant(self).binary(BinaryOp::$trait, other) }
        }
    )*};
}

operators!(Add add, Sub sub, Mul mul, Div div);

impl<'b> Neg for Expr<'b> {
    type Output = Expr<'b>;
    fn neg(self) -> Expr<'b> {
        self.unary(UnaryOp::Neg)
    }
}
