//! NAdam.

use crate::class::optimizer;
use crate::error::Result;
use crate::options::OptionValue;
use crate::programs::{Given, Programs, decayed_square, lerp};
use crate::rule::{Rule, Step, uncapturable};
use crate::state::STEP;
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;

optimizer! {
    /// Adam with Nesterov's momentum (Dozat 2016): `torch.optim.NAdam`.
    ///
    /// g ← ∇ + weight_decay · p, or with `decoupled_weight_decay` p ← p · (1 − lr · weight_decay);
    /// m ← m + (1 − β₁)(g − m); v ← β₂ v + (1 − β₂) g²; d = √(v / (1 − β₂ᵗ)) + eps;
    /// p ← p − lr (1 − μₜ) / (1 − μ₁ ⋯ μₜ) · g / d − lr μₜ₊₁ / (1 − μ₁ ⋯ μₜ₊₁) · m / d,
    /// where μₜ = β₁ (1 − 0.96^(t · momentum_decay) / 2).
    ///
    /// ```
    /// use flambeau_optim::NAdam;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = NAdam::with([&w], 0.5, |o| o.betas((0.0, 0.999)).eps(0.0));
    /// w.mul(3.0).sum().backward();
    /// optimizer.step();
    /// assert!(w.detach().allclose(&flambeau_autograd::full([2], 0.5))); // without momentum lr · sign(∇)
    /// ```
    NAdam, NAdamOptions, NAdamRule {
        lr = 2e-3,
        /// Decay rates of the running averages of the gradient and its square.
        betas: (f64, f64) = (0.9, 0.999),
        /// Added to the denominator.
        eps: impl Into<Scalar> as Scalar = 1e-8,
        /// The weight decay.
        weight_decay: impl Into<Scalar> as Scalar = 0,
        /// How fast the momentum grows to β₁.
        momentum_decay: impl Into<Scalar> as Scalar = 4e-3,
        /// Whether weights decay by a factor, as AdamW's, and not by a penalty in the gradient.
        decoupled_weight_decay: bool = false,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        foreach = OptionValue::None,
        capturable = false,
        differentiable = false,
    }
    checked(lr, eps, betas, weight_decay, momentum_decay)
    later(maximize, foreach, capturable, differentiable, decoupled_weight_decay)
}

struct NAdamRule;

static PROGRAMS: Programs<1> = Programs::new(formula);
const MU_PRODUCT: &str = "mu_product";

fn formula<'b>(p: &Given<'b>, [near_end]: [bool; 1]) -> Vec<Expr<'b>> {
    let [gain1, beta2, gain2, correction, eps, grad_rate, average_rate] = p.scalars();
    let average = lerp(p.buffer(0), p.grad, gain1, near_end);
    let square = decayed_square(p.buffer(1), beta2, gain2, p.grad);
    let denominator = ((square / correction).rounded().sqrt().rounded() + eps).rounded();
    let param = (p.param + grad_rate * p.grad / denominator).rounded() + average_rate * average / denominator;
    vec![param, average, square]
}

impl Rule for NAdamRule {
    fn uncapturable(&self, foreach: bool) -> String {
        uncapturable(
            if foreach { "params, mu_products, and state_steps" } else { "params, mu_products and state_steps" },
            !foreach,
        )
    }

    fn numbers(&self) -> &'static [&'static str] {
        // PyTorch casts a loaded product to the parameter's dtype; here it stays float32, so that a step after loading is
        // the step without.
        &[STEP, MU_PRODUCT]
    }

    fn update(&self, step: Step<'_>) -> Result<()> {
        let (lr, [eps, momentum_decay]) = (step.options.rate("lr")?, step.options.numbers(["eps", "momentum_decay"])?);
        let (beta1, beta2) = step.options.pair("betas")?;
        let (gain1, gain2) = (1.0 - beta1, 1.0 - beta2);
        let mu = |t: f64| beta1 * (1.0 - 0.5 * 0.96_f64.powf(t * momentum_decay));
        step.averages(&PROGRAMS, [gain1 >= 0.5], &[("exp_avg", true), ("exp_avg_sq", true)], |target, t| {
            let (mu, next_mu, product) = (mu(t), mu(t + 1.0), target.number(MU_PRODUCT, 1.0)?);
            *product = f64::from(*product as f32 * mu as f32);
            let grad_rate = -lr * (1.0 - mu) / (1.0 - *product);
            let average_rate = -lr * next_mu / (1.0 - *product * next_mu);
            Ok([gain1, beta2, gain2, 1.0 - beta2.powf(t), eps, grad_rate.to_f64(), average_rate.to_f64()])
        })
    }
}
