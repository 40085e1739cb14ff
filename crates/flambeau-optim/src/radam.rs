//! RAdam.

use crate::class::optimizer;
use crate::error::Result;
use crate::options::OptionValue;
use crate::programs::{Given, Programs, decayed_square, lerp};
use crate::rule::{Rule, Step, Update};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;
use smallvec::smallvec;

optimizer! {
    /// Rectified Adam (Liu et al. 2019): `torch.optim.RAdam`.
    ///
    /// g ← ∇ + weight_decay · p, or with `decoupled_weight_decay` p ← p · (1 − lr · weight_decay);
    /// m ← m + (1 − β₁)(g − m); v ← β₂ v + (1 − β₂) g²; n = m / (1 − β₁ᵗ);
    /// p ← p − lr · n · r · √(1 − β₂ᵗ) / (√v + eps) once the variance of the average of t squares is known well enough (ρₜ > 5), by
    /// the factor r that makes up for it; before that p ← p − lr · n.
    ///
    /// ```
    /// use flambeau_optim::RAdam;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = RAdam::new([&w], 0.25);
    /// w.mul(3.0).sum().backward();
    /// optimizer.step();
    /// assert!(w.detach().allclose(&flambeau_autograd::full([2], 0.25))); // the first steps are those of momentum: lr · ∇
    /// ```
    RAdam, RAdamOptions, RAdamRule {
        lr = 1e-3,
        /// Decay rates of the running averages of the gradient and its square.
        betas: (f64, f64) = (0.9, 0.999),
        /// Added to the denominator.
        eps: impl Into<Scalar> as Scalar = 1e-8,
        /// The weight decay.
        weight_decay: impl Into<Scalar> as Scalar = 0,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        foreach = OptionValue::None,
        capturable = false,
        /// Whether weights decay by a factor, as AdamW's, and not by a penalty in the gradient.
        decoupled_weight_decay: bool = false,
        differentiable = false,
    }
    checked(lr, eps, betas, weight_decay)
    later(foreach, maximize, differentiable, decoupled_weight_decay, capturable)
}

struct RAdamRule;

static PROGRAMS: Programs<2> = Programs::new(formula);

fn formula<'b>(p: &Given<'b>, [near_end, rectified]: [bool; 2]) -> Vec<Expr<'b>> {
    let [gain1, beta2, gain2, correction, lr, eps, root, rect] = p.scalars();
    let average = lerp(p.buffer(0), p.grad, gain1, near_end);
    let square = decayed_square(p.buffer(1), beta2, gain2, p.grad);
    let plain = ((average / correction).rounded() * lr).rounded();
    let adaptive = || (root * (square.sqrt().rounded() + eps).rounded().reciprocal().rounded()).rounded();
    let change = if rectified { ((plain * adaptive()).rounded() * rect).rounded() } else { plain };
    vec![p.param - change, average, square]
}

impl Rule for RAdamRule {
    fn update(&self, step: Step<'_>) -> Result<()> {
        let [lr, eps] = step.options.numbers(["lr", "eps"])?;
        let (beta1, beta2) = step.options.pair("betas")?;
        let (gain1, gain2) = (1.0 - beta1, 1.0 - beta2);
        // The length of the simple average that a running one of squares stands for: in the end, and at step t.
        let longest = 2.0 / (1.0 - beta2) - 1.0;
        step.run(&PROGRAMS, |target| {
            let buffers = smallvec![target.buffer("exp_avg", 0.0)?, target.buffer("exp_avg_sq", 0.0)?];
            let t = target.count()?;
            let correction = 1.0 - beta2.powf(t);
            let length = longest - 2.0 * t * beta2.powf(t) / correction;
            let rectified = length > 5.0;
            let rect = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length);
            let scalars = [
                gain1,
                beta2,
                gain2,
                1.0 - beta1.powf(t),
                lr,
                eps,
                correction.powf(0.5),
                if rectified { rect.powf(0.5) } else { 1.0 },
            ];
            Ok(Update { on: [gain1 >= 0.5, rectified], scalars, buffers })
        })
    }
}
