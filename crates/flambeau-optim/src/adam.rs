//! Adam and AdamW.

use crate::class::optimizer;
use crate::error::{Error, Result, check};
use crate::options::{OptionValue, Options};
use crate::programs::{DECOUPLED, Given, Programs, decayed_square, lerp};
use crate::rule::{Rule, Step};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;

optimizer! {
    /// Adam (Kingma, Ba 2014): `torch.optim.Adam`.
    ///
    /// g ← ∇ + weight_decay · p; m ← m + (1 − β₁)(g − m); v ← β₂ v + (1 − β₂) g²;
    /// p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps), with the largest v so far instead of v with `amsgrad`.
    ///
    /// ```
    /// use flambeau_optim::Adam;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = Adam::with([&w], 0.5, |o| o.eps(0.0));
    /// w.mul(3.0).sum().backward();
    /// optimizer.step();
    /// assert!(w.detach().allclose(&flambeau_autograd::full([2], 0.5))); // the first step is lr · sign(∇)
    /// ```
    Adam, AdamOptions, AdamRule {
        lr = 1e-3,
        /// Decay rates of the running averages of the gradient and its square.
        betas: (f64, f64) = (0.9, 0.999),
        /// Added to the denominator.
        eps: impl Into<Scalar> as Scalar = 1e-8,
        /// The weight decay; 0.01 is AdamW's default.
        weight_decay: impl Into<Scalar> as Scalar = 0,
        /// Whether to divide by the largest running average so far.
        amsgrad: bool = false,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        foreach = OptionValue::None,
        capturable = false,
        differentiable = false,
        fused = OptionValue::None,
        /// Whether weights decay by a factor, as [`AdamW`]'s do always, and not by a penalty in the gradient.
        decoupled_weight_decay: bool = false,
    }
    checked(lr, eps, betas, weight_decay)
    later(amsgrad, maximize, foreach, capturable, differentiable, decoupled_weight_decay, fused)

    /// Adam with decoupled weight decay (Loshchilov, Hutter 2017): `torch.optim.AdamW`. As [`Adam`], with
    /// p ← p · (1 − lr · weight_decay) in place of the penalty in the gradient; `weight_decay` is 0.01 by default.
    ///
    /// ```
    /// use flambeau_optim::AdamW;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = AdamW::with([&w], 0.5, |o| o.weight_decay(0.5));
    /// w.mul(0.0).sum().backward();
    /// optimizer.step();
    /// assert_eq!(w.detach().to_vec::<f32>(), [0.75, 0.75]);
    /// ```
    AdamW { weight_decay = 0.01, decoupled_weight_decay = true }
}

struct AdamRule;

static PROGRAMS: Programs<2> = Programs::new(formula);

fn formula<'b>(p: &Given<'b>, [amsgrad, near_end]: [bool; 2]) -> Vec<Expr<'b>> {
    let [gain1, beta2, gain2, root, eps, rate] = p.scalars();
    let average = lerp(p.buffer(0), p.grad, gain1, near_end);
    let square = decayed_square(p.buffer(1), beta2, gain2, p.grad);
    let largest = amsgrad.then(|| p.buffer(2).maximum(square));
    let denominator = ((largest.unwrap_or(square).sqrt().rounded() / root).rounded() + eps).rounded();
    [p.param + rate * average / denominator, average, square].into_iter().chain(largest).collect()
}

const TENSOR_RATE: &str = "lr as a Tensor is not supported for capturable=False and foreach=True";

fn has_unusable_rate(options: &Options) -> bool {
    let tensor = matches!(options.find("lr"), Some(OptionValue::Tensor(_)));
    tensor && options.is_on("foreach") && !options.is_on("capturable")
}

impl Rule for AdamRule {
    fn loaded(&self, class: &str, options: &mut Options) {
        // AdamW was a class of its own before it was Adam with this option.
        if class == "AdamW" {
            options.set(DECOUPLED, true);
        }
    }

    fn check_first(&self, options: &Options) -> Result<()> {
        check(!has_unusable_rate(options), || TENSOR_RATE.into())
    }

    fn update(&self, step: Step<'_>) -> Result<()> {
        if has_unusable_rate(step.options) {
            return Err(Error::Runtime(TENSOR_RATE.into()));
        }
        let (lr, eps, (beta1, beta2)) =
            (step.options.rate("lr")?, step.options.number("eps")?, step.options.pair("betas")?);
        let (amsgrad, gain1, gain2) = (step.options.flag("amsgrad")?, 1.0 - beta1, 1.0 - beta2);
        let averages = [("exp_avg", true), ("exp_avg_sq", true), ("max_exp_avg_sq", amsgrad)];
        step.averages(&PROGRAMS, [amsgrad, gain1 >= 0.5], &averages, |_, t| {
            let root = (1.0 - beta2.powf(t)).powf(0.5);
            Ok([gain1, beta2, gain2, root, eps, -(lr / (1.0 - beta1.powf(t))).to_f64()])
        })
    }
}
