//! Adamax.

use crate::class::optimizer;
use crate::error::Result;
use crate::options::OptionValue;
use crate::programs::{Given, Programs, lerp};
use crate::rule::{Rule, Step};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;

optimizer! {
    /// Adam by the infinity norm (Kingma, Ba 2014): `torch.optim.Adamax`.
    ///
    /// g ← ∇ + weight_decay · p; m ← m + (1 − β₁)(g − m); u ← max(β₂ u, |g| + eps); p ← p − lr / (1 − β₁ᵗ) · m / u.
    ///
    /// ```
    /// use flambeau_optim::Adamax;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = Adamax::with([&w], 0.5, |o| o.eps(0.0));
    /// w.mul(3.0).sum().backward();
    /// optimizer.step();
    /// assert!(w.detach().allclose(&flambeau_autograd::full([2], 0.5))); // the first step is lr · sign(∇)
    /// ```
    Adamax, AdamaxOptions, AdamaxRule {
        lr = 2e-3,
        /// Decay rates of the running average of the gradient and of its largest size.
        betas: (f64, f64) = (0.9, 0.999),
        /// Added to the gradient's size.
        eps: impl Into<Scalar> as Scalar = 1e-8,
        /// The factor of the L2 penalty that is added to the gradient.
        weight_decay: impl Into<Scalar> as Scalar = 0,
        foreach = OptionValue::None,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        differentiable = false,
        capturable = false,
    }
    checked(lr, eps, betas, weight_decay)
    later(foreach, maximize, differentiable, capturable)
}

struct AdamaxRule;

static PROGRAMS: Programs<1> = Programs::new(formula);

fn formula<'b>(p: &Given<'b>, [near_end]: [bool; 1]) -> Vec<Expr<'b>> {
    let [gain1, beta2, eps, rate] = p.scalars();
    let average = lerp(p.buffer(0), p.grad, gain1, near_end);
    let largest = (p.buffer(1) * beta2).rounded().maximum((p.grad.abs() + eps).rounded());
    vec![p.param + rate * average / largest, average, largest]
}

impl Rule for AdamaxRule {
    fn update(&self, step: Step<'_>) -> Result<()> {
        let (lr, eps) = (step.options.rate("lr")?, step.options.number("eps")?);
        let (beta1, beta2) = step.options.pair("betas")?;
        let gain1 = 1.0 - beta1;
        step.averages(&PROGRAMS, [gain1 >= 0.5], &[("exp_avg", true), ("exp_inf", true)], |_, t| {
            Ok([gain1, beta2, eps, -(lr / (1.0 - beta1.powf(t))).to_f64()])
        })
    }
}
