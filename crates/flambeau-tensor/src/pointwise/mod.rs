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
mod compose;
mod derivative;
mod node;
mod ops;
mod simplify;
mod steps;
mod tangent;
#[cfg(test)]
mod tests;

pub use builder::{Builder, Expr};
pub use compose::{Composer, Value};
pub use derivative::{Gradient, Leaf, TangentForm};
pub use node::{Node, NodeId};
pub use ops::{BinaryOp, DTypeRule, UnaryOp};
pub use steps::Structure;

use crate::{DType, Error, Result};
use std::sync::{Mutex, OnceLock, PoisonError};
use steps::Steps;

type ExplicitGradient =
    Box<dyn for<'b> Fn(&'b Builder, Expr<'b>, &[Expr<'b>], &[Expr<'b>]) -> Vec<Expr<'b>> + Send + Sync>;

/// A program: inputs, runtime scalars, constants, unary, binary and select nodes, one or more outputs.
pub struct Pointwise {
    steps: Steps,
    /// The steps without [`Node::Round`], if there is one.
    unrounded: Option<Box<Steps>>,
    num_inputs: usize,
    num_scalars: usize,
    /// Bit i: input i is a truth value and takes no part in type promotion. More bits than inputs, since a derivative sees
    /// gradients before the inputs while it is made.
    masks: u64,
    /// Why no call can be made.
    fault: Option<&'static str>,
    rule: DTypeRule,
    /// What PyTorch calls the inputs.
    arguments: &'static [&'static str],
    explicit: Option<ExplicitGradient>,
    /// What a composed program consists of.
    calls: Option<compose::Calls>,
    gradients: Box<[OnceLock<Gradient>]>,
    /// By the inputs that have a tangent.
    tangents: Mutex<Vec<(u32, &'static TangentForm)>>,
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
        if self.outputs().len() != 1 {
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

    /// Says what PyTorch calls the inputs: the names under which a graph shows those that it saved. Without it they are `self`
    /// and `other`.
    #[must_use]
    pub fn with_arguments(mut self, names: &'static [&'static str]) -> Self {
        self.arguments = names;
        self
    }

    /// What the inputs are called until a program says otherwise.
    const ARGUMENTS: &'static [&'static str] = &["self", "other"];

    /// What PyTorch calls input `i`: the name that [`Pointwise::with_arguments`] gave it.
    #[inline]
    pub fn argument(&self, i: usize) -> &'static str {
        self.arguments.get(i).copied().unwrap_or("input")
    }

    /// The steps, in an order in which they can be computed.
    #[inline]
    pub fn nodes(&self) -> &[Node] {
        &self.steps.nodes
    }

    /// The nodes that are stored.
    #[inline]
    pub fn outputs(&self) -> &[NodeId] {
        &self.steps.outputs
    }

    /// The nodes and outputs of a program whose every step computes exactly what it says: they round between operations only
    /// where `compute` does.
    #[inline]
    pub fn steps(&self, compute: DType) -> (&[Node], &[NodeId]) {
        let rounds = matches!(compute, DType::F16 | DType::BF16);
        let steps = self.unrounded.as_deref().filter(|_| !rounds).unwrap_or(&self.steps);
        (&steps.nodes, &steps.outputs)
    }

    /// The steps and results, shared by all programs that have the same. Floats keep [`Node::Round`] in every dtype: a compiler
    /// that makes one instruction of a product and a sum must not look past it.
    #[inline]
    pub fn structure(&self, compute: DType) -> &'static Structure {
        let steps = self.unrounded.as_deref().filter(|_| !compute.is_floating_point()).unwrap_or(&self.steps);
        steps.structure()
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
    #[inline]
    pub fn gradient(&self, input: usize) -> &Gradient {
        self.gradients[input].get_or_init(|| derivative::derive(self, input))
    }

    /// The program for Σᵢ ∂outⱼ/∂inᵢ · tangentᵢ of each result j and what it needs, for tangents of the inputs in `wrt`: bit i
    /// stands for input i. Derived once for each set of inputs, and kept for good.
    pub fn tangent(&'static self, wrt: u32) -> &'static TangentForm {
        let lock = || self.tangents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&(_, form)) = lock().iter().find(|(bits, _)| *bits == wrt) {
            return form;
        }
        // A part of this program may be asked meanwhile, so the lock is free.
        let form: &'static TangentForm = Box::leak(Box::new(derivative::tangent(self, wrt)));
        lock().push((wrt, form));
        form
    }
}

impl std::fmt::Debug for Pointwise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pointwise")
            .field("nodes", &self.nodes())
            .field("outputs", &self.outputs())
            .finish_non_exhaustive()
    }
}

/// The program that returns its input: a copy, or the map stage of a plain reduction.
pub static IDENTITY: std::sync::LazyLock<Pointwise> = std::sync::LazyLock::new(|| Pointwise::new(|b| b.input(0)));
