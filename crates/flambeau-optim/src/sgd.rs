//! Stochastic gradient descent.

use crate::error::{Result, check};
use crate::group::ParamItem;
use crate::optimizer::{Optimizer, Rule, Target};
use crate::options::{OptionValue, Options};
use crate::programs::{Programs, Updates, gradient, switches};
use flambeau_autograd::{Tensor, ops};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Pointwise;
use std::panic::Location;

/// Stochastic gradient descent, with momentum if asked: `torch.optim.SGD`.
///
/// g ← ∇ + weight_decay · p; b ← momentum · b + (1 − dampening) · g (the first time b ← g);
/// p ← p − lr · b, or p − lr · (g + momentum · b) with `nesterov`, or p − lr · g without momentum.
pub enum SGD {}

/// Options of [`SGD`]; numbers may be floats or integers, and print as they are given.
pub struct SGDOptions(Options);

impl SGDOptions {
    /// The momentum factor. Default: 0, no momentum.
    #[must_use]
    pub fn momentum(self, momentum: impl Into<Scalar>) -> Self {
        SGDOptions(self.0.with("momentum", momentum.into()))
    }

    /// How much of the gradient the momentum leaves out. Default: 0.
    #[must_use]
    pub fn dampening(self, dampening: impl Into<Scalar>) -> Self {
        SGDOptions(self.0.with("dampening", dampening.into()))
    }

    /// The factor of the L2 penalty that is added to the gradient. Default: 0.
    #[must_use]
    pub fn weight_decay(self, weight_decay: impl Into<Scalar>) -> Self {
        SGDOptions(self.0.with("weight_decay", weight_decay.into()))
    }

    /// Whether to look ahead with Nesterov's momentum. Default: false.
    #[must_use]
    pub fn nesterov(self, nesterov: bool) -> Self {
        SGDOptions(self.0.with("nesterov", nesterov))
    }

    /// Whether to climb instead of descend. Default: false.
    #[must_use]
    pub fn maximize(self, maximize: bool) -> Self {
        SGDOptions(self.0.with("maximize", maximize))
    }
}

impl SGD {
    /// Plain descent with the learning rate `lr`: `torch.optim.SGD(params, lr)`.
    ///
    /// # Panics
    /// As [`SGD::with`].
    #[allow(clippy::new_ret_no_self, reason = "every optimizer is the same handle")]
    #[track_caller]
    pub fn new<P: ParamItem>(params: impl IntoIterator<Item = P>, lr: impl Into<Scalar>) -> Optimizer {
        Self::with(params, lr, |o| o)
    }

    /// Descent with options: `SGD::with(params, 0.01, |o| o.momentum(0.9))`.
    ///
    /// # Panics
    /// With PyTorch's `ValueError`s: a negative option, no parameters, a parameter that is no leaf or stands in two groups.
    #[track_caller]
    pub fn with<P: ParamItem>(
        params: impl IntoIterator<Item = P>,
        lr: impl Into<Scalar>,
        options: impl FnOnce(SGDOptions) -> SGDOptions,
    ) -> Optimizer {
        let defaults = Options::new([
            ("lr", OptionValue::Number(lr.into())),
            ("momentum", 0.into()),
            ("dampening", 0.into()),
            ("weight_decay", 0.into()),
            ("nesterov", false.into()),
            ("maximize", false.into()),
            ("foreach", OptionValue::None),
            ("differentiable", false.into()),
            ("fused", OptionValue::None),
        ]);
        Optimizer::new(SgdRule, params, options(SGDOptions(defaults)).0)
    }
}

struct SgdRule;

const MAXIMIZE: usize = 1;
const DECAY: usize = 2;
const MOMENTUM: usize = 4;
const FIRST: usize = 8;
const NESTEROV: usize = 16;

static PROGRAMS: Programs<32> = Programs::new(program);

/// Inputs: parameter, gradient, momentum buffer (not the first time); outputs: parameter, buffer (with momentum).
fn program(on: usize) -> Pointwise {
    Pointwise::with_outputs(|b| {
        let (param, lr, momentum, gain) = (b.input(0), b.scalar(0), b.scalar(1), b.scalar(2));
        let decay = (on & DECAY != 0).then_some(3);
        let grad = gradient(b, on & MAXIMIZE != 0, decay);
        if on & MOMENTUM == 0 {
            return vec![param + grad * lr];
        }
        let buffer = if on & FIRST != 0 { grad } else { b.input(2) * momentum + grad * gain };
        let direction = if on & NESTEROV != 0 { grad + buffer * momentum } else { buffer };
        vec![param + direction * lr, buffer]
    })
}

impl Rule for SgdRule {
    fn name(&self) -> &'static str {
        "SGD"
    }

    fn older_files_lack(&self) -> &'static [(&'static str, OptionValue)] {
        &[
            ("nesterov", OptionValue::FALSE),
            ("maximize", OptionValue::FALSE),
            ("foreach", OptionValue::None),
            ("differentiable", OptionValue::FALSE),
            ("fused", OptionValue::FALSE),
        ]
    }

    fn check(&self, options: &Options) -> Result<()> {
        let names = [("lr", "learning rate"), ("momentum", "momentum value"), ("weight_decay", "weight_decay value")];
        // Not `>= 0`: PyTorch's SGD lets NaN pass.
        options.check_each(&names, |x| x.is_nan() || x >= 0.0)?;
        let (momentum, dampening) = (options.number("momentum")?, options.number("dampening")?);
        let (no_momentum, dampened) = (momentum <= 0.0, dampening != 0.0);
        check(!options.flag("nesterov")? || !no_momentum && !dampened, || {
            "Nesterov momentum requires a momentum and zero dampening".into()
        })
    }

    fn update(&self, options: &Options, targets: Vec<Target<'_>>, caller: &'static Location<'static>) -> Result<()> {
        let (momentum, decay) = (options.number("momentum")?, options.number("weight_decay")?);
        let scalars = [-options.number("lr")?, momentum, 1.0 - options.number("dampening")?, decay];
        let on = switches(&[
            (MAXIMIZE, options.flag("maximize")?),
            (DECAY, decay != 0.0),
            (MOMENTUM, momentum != 0.0),
            (NESTEROV, momentum != 0.0 && options.flag("nesterov")?),
        ]);
        let mut updates = Updates::default();
        for Target { param, grad, state, fresh } in targets {
            if on & MOMENTUM == 0 {
                updates.push(PROGRAMS.get(on), &[param, &grad], &scalars, &[param]);
            } else if let Some(buffer) = state.get(BUFFER).filter(|_| !fresh) {
                updates.push(PROGRAMS.get(on), &[param, &grad, &buffer], &scalars, &[param, &buffer]);
            } else {
                let buffer: Tensor = ops::clone(&grad.detach())?;
                updates.push(PROGRAMS.get(on | FIRST), &[param, &grad], &scalars, &[param, &buffer]);
                state.set(BUFFER, buffer);
            }
        }
        updates.run(caller)
    }
}

const BUFFER: &str = "momentum_buffer";
