//! RMSprop.

use crate::class::optimizer;
use crate::error::Result;
use crate::options::OptionValue;
use crate::programs::{Given, Programs, decayed_square, lerp};
use crate::rule::{Rule, Step, uncapturable};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;

optimizer! {
    /// RMSprop (Hinton 2012): `torch.optim.RMSprop`.
    ///
    /// g ← ∇ + weight_decay · p; v ← alpha · v + (1 − alpha) g²; d = √v + eps, or with `centered` √(v − m²) + eps, where
    /// m ← m + (1 − alpha)(g − m); p ← p − lr · g / d, or with momentum b ← momentum · b + g / d and p ← p − lr · b.
    ///
    /// ```
    /// use flambeau_optim::RMSprop;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = RMSprop::with([&w], 0.25, |o| o.alpha(0.75).eps(0.0));
    /// w.sum().backward();
    /// optimizer.step();
    /// assert_eq!(w.detach().to_vec::<f32>(), [0.5, 0.5]); // 1 − 0.25 · 1 / √(0.25 · 1²)
    /// ```
    RMSprop, RMSpropOptions, RMSpropRule {
        lr = 1e-2,
        /// The momentum factor; 0 is no momentum.
        momentum: impl Into<Scalar> as Scalar = 0,
        /// The decay rate of the running average of squares.
        alpha: impl Into<Scalar> as Scalar = 0.99,
        /// Added to the denominator.
        eps: impl Into<Scalar> as Scalar = 1e-8,
        /// Whether to divide by the standard deviation of the gradient in place of its size.
        centered: bool = false,
        /// The factor of the L2 penalty that is added to the gradient.
        weight_decay: impl Into<Scalar> as Scalar = 0,
        capturable = false,
        foreach = OptionValue::None,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        differentiable = false,
    }
    checked(lr, eps, momentum, weight_decay, alpha)
    later(momentum, centered, foreach, maximize, differentiable, capturable)
}

struct RMSpropRule;

static PROGRAMS: Programs<3> = Programs::new(formula);

fn formula<'b>(p: &Given<'b>, [momentum, centered, near_end]: [bool; 3]) -> Vec<Expr<'b>> {
    let [lr, alpha, gain, eps, factor] = p.scalars();
    let square = decayed_square(p.buffer(0), alpha, gain, p.grad);
    let average = centered.then(|| lerp(p.buffer(1 + usize::from(momentum)), p.grad, gain, near_end));
    let variance = average.map_or(square, |average| (square - average * average).rounded());
    let denominator = (variance.sqrt().rounded() + eps).rounded();
    let velocity = momentum.then(|| ((p.buffer(1) * factor).rounded() + p.grad / denominator).rounded());
    let change = velocity.map_or_else(|| lr * p.grad / denominator, |velocity| lr * velocity);
    [p.param + change, square].into_iter().chain(velocity).chain(average).collect()
}

impl Rule for RMSpropRule {
    fn uncapturable(&self, _foreach: bool) -> String {
        uncapturable("params and state_steps", true)
    }

    fn update(&self, step: Step<'_>) -> Result<()> {
        let [lr, alpha, eps, factor] = step.options.numbers(["lr", "alpha", "eps", "momentum"])?;
        let (momentum, centered, gain) = (factor > 0.0, step.options.flag("centered")?, 1.0 - alpha);
        let averages = [("square_avg", true), ("momentum_buffer", momentum), ("grad_avg", centered)];
        step.averages(&PROGRAMS, [momentum, centered, centered && gain >= 0.5], &averages, |_, _| {
            Ok([-lr, alpha, gain, eps, factor])
        })
    }
}
