//! Adadelta.

use crate::class::optimizer;
use crate::error::Result;
use crate::options::OptionValue;
use crate::programs::{Given, Programs, decayed_square};
use crate::rule::{Rule, Step, uncapturable};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;

optimizer! {
    /// Adadelta (Zeiler 2012): `torch.optim.Adadelta`.
    ///
    /// g ← ∇ + weight_decay · p; v ← rho · v + (1 − rho) g²; d ← √(u + eps) / √(v + eps) · g;
    /// u ← rho · u + (1 − rho) d²; p ← p − lr · d.
    ///
    /// ```
    /// use flambeau_optim::Adadelta;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = Adadelta::with([&w], 1.0, |o| o.rho(0.0).eps(0.0625));
    /// w.sum().backward();
    /// optimizer.step();
    /// let expected = 1.0 - 0.25 / 1.0625_f64.sqrt(); // 1 − √0.0625 / √(1 + 0.0625)
    /// assert!(w.detach().allclose(&flambeau_autograd::full([2], expected)));
    /// ```
    Adadelta, AdadeltaOptions, AdadeltaRule {
        lr = 1.0,
        /// The decay rate of the running averages of squares.
        rho: impl Into<Scalar> as Scalar = 0.9,
        /// Added under both roots.
        eps: impl Into<Scalar> as Scalar = 1e-6,
        /// The factor of the L2 penalty that is added to the gradient.
        weight_decay: impl Into<Scalar> as Scalar = 0,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        capturable = false,
        foreach = OptionValue::None,
        differentiable = false,
    }
    checked(lr, rho, eps, weight_decay)
    later(foreach, maximize, differentiable, capturable)
}

struct AdadeltaRule;

static PROGRAMS: Programs<0> = Programs::new(formula);

fn formula<'b>(p: &Given<'b>, _: [bool; 0]) -> Vec<Expr<'b>> {
    let [rate, rho, gain, eps] = p.scalars();
    let square = decayed_square(p.buffer(0), rho, gain, p.grad);
    let root = |x: Expr<'b>| (x + eps).rounded().sqrt().rounded();
    let change = ((root(p.buffer(1)) / root(square)).rounded() * p.grad).rounded();
    let changes = decayed_square(p.buffer(1), rho, gain, change);
    vec![p.param + change * rate.rounded(), square, changes]
}

impl Rule for AdadeltaRule {
    fn allows(&self, name: &str, value: f64) -> bool {
        value >= 0.0 && (name != "rho" || value <= 1.0)
    }

    fn uncapturable(&self, _foreach: bool) -> String {
        uncapturable("params and state_steps", false)
    }

    fn update(&self, step: Step<'_>) -> Result<()> {
        let [lr, rho, eps] = step.options.numbers(["lr", "rho", "eps"])?;
        step.averages(&PROGRAMS, [], &[("square_avg", true), ("acc_delta", true)], |_, _| {
            Ok([-lr, rho, 1.0 - rho, eps])
        })
    }
}
