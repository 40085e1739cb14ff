//! One row per operation.

use flambeau_autograd::ops::Operand;
use flambeau_autograd::{Error, Result, Tensor, registry};

use crate::args::{Args, CallError, CallResult};

/// Why a golden of a few elements differs at NaN or at zeros of two signs.
pub const SCALAR_TAIL: &str = "a tail of PyTorch's vectors, whose scalar code treats NaN and signs of zero otherwise";

/// How a row calls its operation.
#[derive(Clone, Copy)]
pub enum OpCall {
    /// A function of one tensor.
    Unary(fn(&Tensor) -> Result<Tensor>),
    /// A function of two tensors.
    Binary(fn(&Tensor, &Tensor) -> Result<Tensor>),
    /// A function of a tensor and a tensor or number.
    Operand(fn(&Tensor, Operand<'_>) -> Result<Tensor>),
    /// Anything else: reads its arguments itself.
    General(fn(&Args) -> CallResult),
    /// As the registry declares it: the golden's arguments are its own.
    Registered(registry::OpFn),
}

/// An operation: its name in PyTorch's OpInfo database (with its variant) and how to call it.
#[derive(Clone, Copy)]
pub struct OpInfo {
    /// `max.reduction_with_dim`.
    pub name: &'static str,
    /// How to call it.
    pub call: OpCall,
    /// What PyTorch's function has that flambeau's has not: samples that use it may be [`NotExpressible`].
    ///
    /// [`NotExpressible`]: crate::args::CallError::NotExpressible
    pub partial: Option<&'static str>,
    /// Cases, by number, that differ from PyTorch on purpose, and why.
    pub differs: &'static [(usize, &'static str)],
    /// Why `gradcheck` does not apply: the function has no derivative where the samples are, or is defined to have another.
    pub skip_gradcheck: Option<&'static str>,
    /// Why `gradgradcheck` does not apply.
    pub skip_gradgradcheck: Option<&'static str>,
}

impl OpInfo {
    const fn new(name: &'static str, call: OpCall) -> Self {
        OpInfo { name, call, partial: None, differs: &[], skip_gradcheck: None, skip_gradgradcheck: None }
    }

    /// A row for a function of one tensor.
    pub const fn unary(name: &'static str, f: fn(&Tensor) -> Result<Tensor>) -> Self {
        Self::new(name, OpCall::Unary(f))
    }

    /// A row for a function of two tensors.
    pub const fn binary(name: &'static str, f: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Self {
        Self::new(name, OpCall::Binary(f))
    }

    /// A row for a function of a tensor and a tensor or number.
    pub const fn operand(name: &'static str, f: fn(&Tensor, Operand<'_>) -> Result<Tensor>) -> Self {
        Self::new(name, OpCall::Operand(f))
    }

    /// A row that reads its arguments itself.
    pub const fn general(name: &'static str, f: fn(&Args) -> CallResult) -> Self {
        Self::new(name, OpCall::General(f))
    }

    /// A row for an operation that takes its arguments as PyTorch's does.
    pub const fn registered(name: &'static str, call: registry::OpFn) -> Self {
        Self::new(name, OpCall::Registered(call))
    }

    /// The name that the registry has for the operation of an entry of PyTorch's database.
    pub fn registered_name(name: &str) -> &str {
        let prefixes = ["nn.functional.", "linalg.", "special."];
        prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
    }

    /// Says what flambeau's function lacks.
    #[must_use]
    pub const fn partial(mut self, what: &'static str) -> Self {
        self.partial = Some(what);
        self
    }

    /// Says which cases differ from PyTorch on purpose.
    #[must_use]
    pub const fn differs(mut self, cases: &'static [(usize, &'static str)]) -> Self {
        self.differs = cases;
        self
    }

    /// Keeps the row out of gradcheck and gradgradcheck.
    #[must_use]
    pub const fn no_gradcheck(mut self, why: &'static str) -> Self {
        self.skip_gradcheck = Some(why);
        self.skip_gradgradcheck = Some(why);
        self
    }

    /// Keeps the row out of gradgradcheck.
    #[must_use]
    pub const fn no_gradgradcheck(mut self, why: &'static str) -> Self {
        self.skip_gradgradcheck = Some(why);
        self
    }

    /// Runs the operation.
    ///
    /// # Errors
    /// When it refuses the arguments, or they have no form in Rust.
    pub fn run(&self, args: &Args) -> CallResult {
        match self.call {
            OpCall::Unary(f) => one(f(args.x()?)),
            OpCall::Binary(f) => one(f(args.x()?, args.tensor(1, "other")?)),
            OpCall::Operand(f) => one(f(args.x()?, args.operand(1, "other")?)),
            OpCall::General(f) => f(args),
            OpCall::Registered(f) => match f(args) {
                Err(Error::Argument(what)) => Err(CallError::NotExpressible(what)),
                result => Ok(result?),
            },
        }
    }
}

/// The result of an operation of one output.
///
/// # Errors
/// The operation's.
pub fn one(result: Result<Tensor>) -> CallResult {
    Ok(vec![result?])
}

/// The result of an operation of two outputs.
///
/// # Errors
/// The operation's.
pub fn two(result: Result<(Tensor, Tensor)>) -> CallResult {
    let (a, b) = result?;
    Ok(vec![a, b])
}
