//! Stochastic gradient descent.

use crate::class::optimizer;
use crate::error::{Result, check};
use crate::options::{OptionValue, Options};
use crate::programs::{Given, Programs};
use crate::rule::{Rule, Step, Update};
use flambeau_autograd::ops;
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;
use smallvec::smallvec;

optimizer! {
    /// Stochastic gradient descent, with momentum if asked: `torch.optim.SGD`.
    ///
    /// g ← ∇ + weight_decay · p; b ← momentum · b + (1 − dampening) · g (the first time b ← g);
    /// p ← p − lr · b, or p − lr · (g + momentum · b) with `nesterov`, or p − lr · g without momentum.
    ///
    /// ```
    /// use flambeau_optim::SGD;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::with([&w], 0.5, |o| o.momentum(0.5));
    /// for _ in 0..2 {
    ///     optimizer.zero_grad();
    ///     w.sum().backward();
    ///     optimizer.step();
    /// }
    /// assert_eq!(w.detach().to_vec::<f32>(), [-0.25, -0.25]); // 1 − 0.5 · 1 − 0.5 · (0.5 · 1 + 1)
    /// ```
    SGD, SGDOptions, SGDRule {
        lr = 1e-3,
        /// The momentum factor; 0 is no momentum.
        momentum: impl Into<Scalar> as Scalar = 0,
        /// How much of the gradient the momentum leaves out.
        dampening: impl Into<Scalar> as Scalar = 0,
        /// The factor of the L2 penalty that is added to the gradient.
        weight_decay: impl Into<Scalar> as Scalar = 0,
        /// Whether to look ahead with Nesterov's momentum.
        nesterov: bool = false,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        foreach = OptionValue::None,
        differentiable = false,
        fused = OptionValue::None,
    }
    checked(lr, momentum, weight_decay)
    later(nesterov, maximize, foreach, differentiable)
}

struct SGDRule;

static PROGRAMS: Programs<3> = Programs::new(formula);
const BUFFER: &str = "momentum_buffer";

fn formula<'b>(p: &Given<'b>, [momentum, first, nesterov]: [bool; 3]) -> Vec<Expr<'b>> {
    let [lr, factor, gain] = p.scalars();
    if !momentum {
        return vec![p.param + p.grad * lr.rounded()];
    }
    let buffer = if first { p.grad } else { ((p.buffer(0) * factor).rounded() + p.grad * gain.rounded()).rounded() };
    let direction = if nesterov { (p.grad + buffer * factor.rounded()).rounded() } else { buffer };
    vec![p.param + direction * lr.rounded(), buffer]
}

impl Rule for SGDRule {
    fn allows(&self, _name: &str, value: f64) -> bool {
        // PyTorch's SGD alone lets NaN pass.
        value.is_nan() || value >= 0.0
    }

    fn check(&self, options: &Options) -> Result<()> {
        let [momentum, dampening] = options.numbers(["momentum", "dampening"])?;
        let (no_momentum, dampened) = (momentum <= 0.0, dampening != 0.0);
        check(!options.flag("nesterov")? || !no_momentum && !dampened, || {
            "Nesterov momentum requires a momentum and zero dampening".into()
        })
    }

    fn refuses_foreach_gradients(&self) -> bool {
        false
    }

    fn loaded(&self, _class: &str, options: &mut Options) {
        // The constructor's default is None.
        options.set_default("fused", false.into());
    }

    fn update(&self, step: Step<'_>) -> Result<()> {
        let [lr, momentum, dampening] = step.options.numbers(["lr", "momentum", "dampening"])?;
        let scalars = [-lr, momentum, 1.0 - dampening];
        let nesterov = momentum != 0.0 && step.options.flag("nesterov")?;
        step.run(&PROGRAMS, |target| {
            if momentum == 0.0 {
                return Ok(Update { on: [false; 3], scalars, buffers: smallvec![] });
            }
            let known = target.state.get(BUFFER).filter(|_| !target.fresh);
            if known.is_none() {
                // Where a step is recorded, the first momentum is PyTorch's `grad.detach().clone()`.
                target.grad = target.grad.detach();
            }
            let on = [true, known.is_none(), nesterov];
            let buffer = known.map_or_else(|| ops::clone(&target.grad.detach()), Ok)?;
            target.state.set(BUFFER, buffer.shallow_clone());
            Ok(Update { on, scalars, buffers: smallvec![buffer] })
        })
    }
}
