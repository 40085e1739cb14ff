//! Adam and AdamW.

use crate::error::Result;
use crate::group::ParamItem;
use crate::optimizer::{Optimizer, Rule, Target};
use crate::options::{OptionValue, Options};
use crate::programs::{Programs, Updates, gradient, lerp, switches};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Pointwise;
use std::panic::Location;

/// Adam (Kingma, Ba 2014): `torch.optim.Adam`.
///
/// g ← ∇ + weight_decay · p; m ← m + (1 − β₁)(g − m); v ← β₂ v + (1 − β₂) g²;
/// p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps), with the largest v so far instead of v with `amsgrad`.
pub enum Adam {}

/// Adam with decoupled weight decay (Loshchilov, Hutter 2017): `torch.optim.AdamW`. As [`Adam`], with
/// p ← p · (1 − lr · weight_decay) in place of the penalty in the gradient; `weight_decay` is 0.01 by default.
pub enum AdamW {}

/// Options of [`Adam`] and [`AdamW`]; numbers may be floats or integers, and print as they are given.
pub struct AdamOptions(Options);

impl AdamOptions {
    /// Decay rates of the running averages of the gradient and its square. Default: (0.9, 0.999).
    #[must_use]
    pub fn betas(self, betas: (f64, f64)) -> Self {
        AdamOptions(self.0.with("betas", betas))
    }

    /// Added to the denominator. Default: 1e-8.
    #[must_use]
    pub fn eps(self, eps: impl Into<Scalar>) -> Self {
        AdamOptions(self.0.with("eps", eps.into()))
    }

    /// The weight decay. Default: 0 for Adam, 0.01 for AdamW.
    #[must_use]
    pub fn weight_decay(self, weight_decay: impl Into<Scalar>) -> Self {
        AdamOptions(self.0.with("weight_decay", weight_decay.into()))
    }

    /// Whether to divide by the largest running average so far. Default: false.
    #[must_use]
    pub fn amsgrad(self, amsgrad: bool) -> Self {
        AdamOptions(self.0.with("amsgrad", amsgrad))
    }

    /// Whether to climb instead of descend. Default: false.
    #[must_use]
    pub fn maximize(self, maximize: bool) -> Self {
        AdamOptions(self.0.with("maximize", maximize))
    }
}

fn build(
    name: &'static str,
    weight_decay: OptionValue,
    lr: Scalar,
    options: impl FnOnce(AdamOptions) -> AdamOptions,
) -> (AdamRule, Options) {
    let defaults = Options::new([
        ("lr", lr.into()),
        ("betas", (0.9, 0.999).into()),
        ("eps", 1e-8.into()),
        ("weight_decay", weight_decay),
        ("amsgrad", false.into()),
        ("maximize", false.into()),
        ("foreach", OptionValue::None),
        ("capturable", false.into()),
        ("differentiable", false.into()),
        ("fused", OptionValue::None),
        (DECOUPLED, (name == "AdamW").into()),
    ]);
    (AdamRule(name), options(AdamOptions(defaults)).0)
}

impl Adam {
    /// Adam with the learning rate `lr` (PyTorch's default: 1e-3): `torch.optim.Adam(params, lr)`.
    ///
    /// # Panics
    /// As [`Adam::with`].
    #[allow(clippy::new_ret_no_self, reason = "every optimizer is the same handle")]
    #[track_caller]
    pub fn new<P: ParamItem>(params: impl IntoIterator<Item = P>, lr: impl Into<Scalar>) -> Optimizer {
        Self::with(params, lr, |o| o)
    }

    /// Adam with options: `Adam::with(params, 1e-3, |o| o.weight_decay(0.1))`.
    ///
    /// # Panics
    /// With PyTorch's `ValueError`s: an option out of its range, no parameters, a parameter that is no leaf or stands in
    /// two groups.
    #[track_caller]
    pub fn with<P: ParamItem>(
        params: impl IntoIterator<Item = P>,
        lr: impl Into<Scalar>,
        options: impl FnOnce(AdamOptions) -> AdamOptions,
    ) -> Optimizer {
        let (rule, options) = build("Adam", 0.into(), lr.into(), options);
        Optimizer::new(rule, params, options)
    }
}

impl AdamW {
    /// AdamW with the learning rate `lr` (PyTorch's default: 1e-3): `torch.optim.AdamW(params, lr)`.
    ///
    /// # Panics
    /// As [`Adam::with`].
    #[allow(clippy::new_ret_no_self, reason = "every optimizer is the same handle")]
    #[track_caller]
    pub fn new<P: ParamItem>(params: impl IntoIterator<Item = P>, lr: impl Into<Scalar>) -> Optimizer {
        Self::with(params, lr, |o| o)
    }

    /// AdamW with options: `AdamW::with(params, 1e-3, |o| o.weight_decay(0.1))`.
    ///
    /// # Panics
    /// As [`Adam::with`].
    #[track_caller]
    pub fn with<P: ParamItem>(
        params: impl IntoIterator<Item = P>,
        lr: impl Into<Scalar>,
        options: impl FnOnce(AdamOptions) -> AdamOptions,
    ) -> Optimizer {
        let (rule, options) = build("AdamW", 0.01.into(), lr.into(), options);
        Optimizer::new(rule, params, options)
    }
}

/// The rule, under its class name.
struct AdamRule(&'static str);

const DECOUPLED: &str = "decoupled_weight_decay";
const MAXIMIZE: usize = 1;
/// Weight decay as a penalty in the gradient.
const PENALTY: usize = 2;
/// Weight decay by a factor.
const SHRINK: usize = 4;
const AMSGRAD: usize = 8;
/// 1 − β₁ ≥ 0.5.
const NEAR_END: usize = 16;

static PROGRAMS: Programs<32> = Programs::new(program);

/// Inputs: parameter, gradient, both running averages, and with amsgrad the largest second one; outputs: the same
/// without the gradient.
fn program(on: usize) -> Pointwise {
    Pointwise::with_outputs(|b| {
        let [gain1, beta2, gain2, root, eps, step, decay] = std::array::from_fn(|i| b.scalar(i));
        let grad = gradient(b, on & MAXIMIZE != 0, (on & PENALTY != 0).then_some(6));
        let param = if on & SHRINK != 0 { b.input(0) * decay } else { b.input(0) };
        let average = lerp(b.input(2), grad, gain1, on & NEAR_END != 0);
        let square = b.input(3) * beta2 + gain2 * grad * grad;
        let largest = if on & AMSGRAD != 0 { b.input(4).maximum(square) } else { square };
        let denominator = largest.sqrt() / root + eps;
        let mut outputs = vec![param + step * average / denominator, average, square];
        if on & AMSGRAD != 0 {
            outputs.push(largest);
        }
        outputs
    })
}

impl Rule for AdamRule {
    fn name(&self) -> &'static str {
        self.0
    }

    fn older_files_lack(&self) -> &'static [(&'static str, OptionValue)] {
        &[
            ("amsgrad", OptionValue::FALSE),
            ("maximize", OptionValue::FALSE),
            ("foreach", OptionValue::None),
            ("capturable", OptionValue::FALSE),
            ("differentiable", OptionValue::FALSE),
            (DECOUPLED, OptionValue::FALSE),
            ("fused", OptionValue::None),
        ]
    }

    fn loaded(&self, options: &mut Options) {
        // AdamW was a class of its own before it was Adam with this option.
        if self.0 == "AdamW" {
            options.set(DECOUPLED, true);
        }
    }

    fn check(&self, options: &Options) -> Result<()> {
        options.check_not_negative(&[("lr", "learning rate"), ("eps", "epsilon value")])?;
        options.check_betas()?;
        options.check_not_negative(&[("weight_decay", "weight_decay value")])
    }

    fn update(&self, options: &Options, targets: Vec<Target<'_>>, caller: &'static Location<'static>) -> Result<()> {
        let ((beta1, beta2), lr) = (options.pair("betas")?, options.number("lr")?);
        let (decay, decoupled) = (options.number("weight_decay")?, options.flag(DECOUPLED)?);
        let amsgrad = options.flag("amsgrad")?;
        let on = switches(&[
            (MAXIMIZE, options.flag("maximize")?),
            (PENALTY, decay != 0.0 && !decoupled),
            (SHRINK, decay != 0.0 && decoupled),
            (AMSGRAD, amsgrad),
            (NEAR_END, 1.0 - beta1 >= 0.5),
        ]);
        let program = PROGRAMS.get(on);
        let mut updates = Updates::default();
        for Target { param, grad, state, fresh } in targets {
            let t = state.count();
            let step = -lr / (1.0 - beta1.powf(t));
            let root = (1.0 - beta2.powf(t)).powf(0.5);
            let decay = if decoupled { 1.0 - lr * decay } else { decay };
            let scalars = [1.0 - beta1, beta2, 1.0 - beta2, root, options.number("eps")?, step, decay];
            let average = state.buffer("exp_avg", param, 0.0, fresh)?;
            let square = state.buffer("exp_avg_sq", param, 0.0, fresh)?;
            if amsgrad {
                let largest = state.buffer("max_exp_avg_sq", param, 0.0, fresh)?;
                let (inputs, outputs) =
                    ([param, &grad, &average, &square, &largest], [param, &average, &square, &largest]);
                updates.push(program, &inputs, &scalars, &outputs);
            } else {
                updates.push(program, &[param, &grad, &average, &square], &scalars, &[param, &average, &square]);
            }
        }
        updates.run(caller)
    }
}
