//! Pointwise programs: short expressions that every backend runs as one kernel.
//!
//! A program is built once and kept in a `static`; a call passes a reference and its runtime scalars:
//!
//! ```
//! use flambeau_tensor::pointwise::Pointwise;
//! use std::sync::LazyLock;
//!
//! /// x · σ(x)
//! static SILU: LazyLock<Pointwise> = LazyLock::new(|| {
//!     Pointwise::new(|b| {
//!         let x = b.input(0);
//!         x * x.sigmoid()
//!     })
//! });
//! assert_eq!(SILU.num_inputs(), 1);
//! // Its derivative is a program too, of the incoming gradient and the input.
//! assert_eq!(SILU.gradient(0).leaves.len(), 2);
//! ```

mod builder;
mod derivative;
mod ops;
#[cfg(test)]
mod tests;

pub use builder::{Builder, Expr};
pub use derivative::{Gradient, Leaf};
pub use ops::{BinaryOp, DTypeRule, UnaryOp};

use crate::{DType, Error, Result, Scalar};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A node's number; nodes only use nodes before them.
pub type NodeId = u16;

/// One step of a program. Every value has the program's compute dtype; truth values are 0 and 1 in it.
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

type ExplicitGradient =
    Box<dyn for<'b> Fn(&'b Builder, Expr<'b>, &[Expr<'b>], &[Expr<'b>]) -> Vec<Expr<'b>> + Send + Sync>;

/// A program: inputs, runtime scalars, constants, unary, binary and select nodes, one or more outputs.
pub struct Pointwise {
    nodes: Vec<Node>,
    outputs: SmallVec<[NodeId; 2]>,
    num_inputs: usize,
    num_scalars: usize,
    /// Bit i: input i is a truth value and takes no part in type promotion. More bits than inputs, since a derivative sees
    /// gradients before the inputs while it is made.
    masks: u64,
    /// Why no call can be made.
    fault: Option<&'static str>,
    rule: DTypeRule,
    explicit: Option<ExplicitGradient>,
    gradients: OnceLock<Vec<Gradient>>,
    structure: OnceLock<&'static Structure>,
}

/// What a program computes, apart from dtype rules and derivatives: one for all programs with the same steps, so that a
/// backend finds its compiled form by a number.
#[derive(Debug)]
pub struct Structure {
    /// The number.
    pub id: u32,
    /// [`Pointwise::nodes`].
    pub nodes: Vec<Node>,
    /// [`Pointwise::outputs`].
    pub outputs: SmallVec<[NodeId; 2]>,
}

impl Structure {
    /// The structure of these steps. Made once and kept for the program's life: programs are few, their calls many.
    fn intern(nodes: &[Node], outputs: &[NodeId]) -> &'static Structure {
        static ALL: Mutex<BTreeMap<String, &'static Structure>> = Mutex::new(BTreeMap::new());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let id = all.len() as u32;
        all.entry(format!("{nodes:?}{outputs:?}"))
            .or_insert_with(|| Box::leak(Box::new(Structure { id, nodes: nodes.to_vec(), outputs: outputs.into() })))
    }
}

impl Pointwise {
    /// Builds a program from a formula, which names inputs with [`Builder::input`] and runtime scalars with
    /// [`Builder::scalar`].
    pub fn new(formula: impl for<'b> FnOnce(&'b Builder) -> Expr<'b>) -> Self {
        Self::with_outputs(|b| vec![formula(b)])
    }

    /// Builds a program of several outputs, such as an optimizer's step.
    pub fn with_outputs(formula: impl for<'b> FnOnce(&'b Builder) -> Vec<Expr<'b>>) -> Self {
        Builder::default().finish_with(formula)
    }

    /// How many input arrays a program may have, and how many results.
    pub const MAX_INPUTS: usize = 32;

    /// Whether the program can be called.
    ///
    /// # Errors
    /// When its formula named more inputs, scalars, steps or results than a program may have, or mixed values of two builders.
    #[inline]
    pub fn check(&self) -> Result<()> {
        match self.fault {
            None => Ok(()),
            Some(fault) => Err(Error::runtime(fault)),
        }
    }

    /// Gives the gradient instead of deriving it, where PyTorch's derivative has a convention of its own. The closure
    /// gets the incoming gradient, the inputs and the outputs (saved results) and returns the gradient of each input. A program
    /// of several outputs is refused when it is called.
    #[must_use]
    pub fn with_gradient(
        mut self,
        gradient: impl for<'b> Fn(&'b Builder, Expr<'b>, &[Expr<'b>], &[Expr<'b>]) -> Vec<Expr<'b>> + Send + Sync + 'static,
    ) -> Self {
        if self.outputs.len() != 1 {
            self.fault = Some("an explicit gradient is for programs of one output");
        }
        self.explicit = Some(Box::new(gradient));
        self
    }

    /// Overrides the dtype rule that follows from the nodes.
    #[must_use]
    pub fn with_dtype_rule(mut self, rule: DTypeRule) -> Self {
        self.rule = rule;
        self
    }

    /// The steps, in an order in which they can be computed.
    #[inline]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes that are stored.
    #[inline]
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// The steps and results, shared by all programs that have the same.
    #[inline]
    pub fn structure(&self) -> &'static Structure {
        self.structure.get_or_init(|| Structure::intern(&self.nodes, &self.outputs))
    }

    /// How many arrays a call passes.
    #[inline]
    pub fn num_inputs(&self) -> usize {
        self.num_inputs
    }

    /// How many runtime scalars a call passes.
    #[inline]
    pub fn num_scalars(&self) -> usize {
        self.num_scalars
    }

    /// Whether input `i` is a truth value.
    #[inline]
    pub fn is_mask(&self, i: usize) -> bool {
        i < u64::BITS as usize && self.masks >> i & 1 == 1
    }

    /// How the result's dtype follows from the operands'.
    #[inline]
    pub fn dtype_rule(&self) -> DTypeRule {
        self.rule
    }

    /// The dtype to compute in and the dtype of fresh results, given the operands' common dtype.
    #[inline]
    pub fn dtypes(&self, common: DType) -> (DType, DType) {
        match self.rule {
            DTypeRule::Promote => (common, common),
            DTypeRule::Bool => (common, DType::Bool),
            DTypeRule::Float if common.is_floating_point() => (common, common),
            DTypeRule::Float => (crate::default_dtype(), crate::default_dtype()),
        }
    }

    /// The program for Σⱼ gradⱼ · ∂outⱼ/∂inᵢ and what it needs; derived once.
    ///
    /// # Panics
    /// When `input` is not below [`Pointwise::num_inputs`].
    pub fn gradient(&self, input: usize) -> &Gradient {
        &self.gradients.get_or_init(|| (0..self.num_inputs).map(|i| derivative::derive(self, i)).collect())[input]
    }
}

impl std::fmt::Debug for Pointwise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pointwise").field("nodes", &self.nodes).field("outputs", &self.outputs).finish_non_exhaustive()
    }
}

/// The program that returns its input: a copy, or the map stage of a plain reduction.
pub static IDENTITY: std::sync::LazyLock<Pointwise> = std::sync::LazyLock::new(|| Pointwise::new(|b| b.input(0)));
