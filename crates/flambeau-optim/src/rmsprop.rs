//! RMSprop.

use crate::error::Result;
use crate::group::ParamItem;
use crate::optimizer::{Optimizer, Rule, Target};
use crate::options::{OptionValue, Options};
use crate::programs::{Programs, Updates, gradient, lerp, switches};
use flambeau_autograd::Tensor;
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Pointwise;
use std::panic::Location;

/// RMSprop (Hinton 2012): `torch.optim.RMSprop`.
///
/// g ← ∇ + weight_decay · p; v ← alpha · v + (1 − alpha) g²; d = √v + eps, or with `centered` √(v − m²) + eps, where
/// m ← m + (1 − alpha)(g − m); p ← p − lr · g / d, or with momentum b ← momentum · b + g / d and p ← p − lr · b.
pub enum RMSprop {}

/// Options of [`RMSprop`]; numbers may be floats or integers, and print as they are given.
pub struct RMSpropOptions(Options);

impl RMSpropOptions {
    /// The decay rate of the running average of squares. Default: 0.99.
    #[must_use]
    pub fn alpha(self, alpha: impl Into<Scalar>) -> Self {
        RMSpropOptions(self.0.with("alpha", alpha.into()))
    }

    /// Added to the denominator. Default: 1e-8.
    #[must_use]
    pub fn eps(self, eps: impl Into<Scalar>) -> Self {
        RMSpropOptions(self.0.with("eps", eps.into()))
    }

    /// The factor of the L2 penalty that is added to the gradient. Default: 0.
    #[must_use]
    pub fn weight_decay(self, weight_decay: impl Into<Scalar>) -> Self {
        RMSpropOptions(self.0.with("weight_decay", weight_decay.into()))
    }

    /// The momentum factor. Default: 0, no momentum.
    #[must_use]
    pub fn momentum(self, momentum: impl Into<Scalar>) -> Self {
        RMSpropOptions(self.0.with("momentum", momentum.into()))
    }

    /// Whether to divide by the standard deviation of the gradient in place of its size. Default: false.
    #[must_use]
    pub fn centered(self, centered: bool) -> Self {
        RMSpropOptions(self.0.with("centered", centered))
    }

    /// Whether to climb instead of descend. Default: false.
    #[must_use]
    pub fn maximize(self, maximize: bool) -> Self {
        RMSpropOptions(self.0.with("maximize", maximize))
    }
}

impl RMSprop {
    /// RMSprop with the learning rate `lr` (PyTorch's default: 1e-2): `torch.optim.RMSprop(params, lr)`.
    ///
    /// # Panics
    /// As [`RMSprop::with`].
    #[allow(clippy::new_ret_no_self, reason = "every optimizer is the same handle")]
    #[track_caller]
    pub fn new<P: ParamItem>(params: impl IntoIterator<Item = P>, lr: impl Into<Scalar>) -> Optimizer {
        Self::with(params, lr, |o| o)
    }

    /// RMSprop with options: `RMSprop::with(params, 1e-2, |o| o.momentum(0.9))`.
    ///
    /// # Panics
    /// With PyTorch's `ValueError`s: a negative option, no parameters, a parameter that is no leaf or stands in two groups.
    #[track_caller]
    pub fn with<P: ParamItem>(
        params: impl IntoIterator<Item = P>,
        lr: impl Into<Scalar>,
        options: impl FnOnce(RMSpropOptions) -> RMSpropOptions,
    ) -> Optimizer {
        let defaults = Options::new([
            ("lr", OptionValue::Number(lr.into())),
            ("momentum", 0.into()),
            ("alpha", 0.99.into()),
            ("eps", 1e-8.into()),
            ("centered", false.into()),
            ("weight_decay", 0.into()),
            ("capturable", false.into()),
            ("foreach", OptionValue::None),
            ("maximize", false.into()),
            ("differentiable", false.into()),
        ]);
        Optimizer::new(RMSpropRule, params, options(RMSpropOptions(defaults)).0)
    }
}

struct RMSpropRule;

const MAXIMIZE: usize = 1;
const DECAY: usize = 2;
const CENTERED: usize = 4;
const MOMENTUM: usize = 8;
/// 1 − alpha ≥ 0.5.
const NEAR_END: usize = 16;

static PROGRAMS: Programs<32> = Programs::new(program);

/// Inputs: parameter, gradient, average of squares, then the buffers in use: average (centered), momentum. Outputs: the
/// same without the gradient.
fn program(on: usize) -> Pointwise {
    Pointwise::with_outputs(|b| {
        let [lr, alpha, gain, eps, decay, momentum] = [0, 1, 2, 3, 4, 5];
        let grad = gradient(b, on & MAXIMIZE != 0, (on & DECAY != 0).then_some(decay));
        let square = b.input(2) * b.scalar(alpha) + b.scalar(gain) * grad * grad;
        let mut outputs = vec![square];
        let mut variance = square;
        if on & CENTERED != 0 {
            let average = lerp(b.input(3), grad, b.scalar(gain), on & NEAR_END != 0);
            variance = square - average * average;
            outputs.push(average);
        }
        let denominator = variance.sqrt() + b.scalar(eps);
        let param = if on & MOMENTUM != 0 {
            let buffer = b.input(outputs.len() + 2) * b.scalar(momentum) + grad / denominator;
            outputs.push(buffer);
            b.input(0) + b.scalar(lr) * buffer
        } else {
            b.input(0) + b.scalar(lr) * grad / denominator
        };
        outputs.insert(0, param);
        outputs
    })
}

impl Rule for RMSpropRule {
    fn name(&self) -> &'static str {
        "RMSprop"
    }

    fn older_files_lack(&self) -> &'static [(&'static str, OptionValue)] {
        &[
            ("momentum", OptionValue::Number(Scalar::Int(0))),
            ("centered", OptionValue::FALSE),
            ("foreach", OptionValue::None),
            ("maximize", OptionValue::FALSE),
            ("differentiable", OptionValue::FALSE),
            ("capturable", OptionValue::FALSE),
        ]
    }

    fn check(&self, options: &Options) -> Result<()> {
        options.check_not_negative(&[
            ("lr", "learning rate"),
            ("eps", "epsilon value"),
            ("momentum", "momentum value"),
            ("weight_decay", "weight_decay value"),
            ("alpha", "alpha value"),
        ])
    }

    fn update(&self, options: &Options, targets: Vec<Target<'_>>, caller: &'static Location<'static>) -> Result<()> {
        let (alpha, decay, momentum) =
            (options.number("alpha")?, options.number("weight_decay")?, options.number("momentum")?);
        let centered = options.flag("centered")?;
        let program = PROGRAMS.get(switches(&[
            (MAXIMIZE, options.flag("maximize")?),
            (DECAY, decay != 0.0),
            (CENTERED, centered),
            (MOMENTUM, momentum > 0.0),
            (NEAR_END, centered && 1.0 - alpha >= 0.5),
        ]));
        let scalars = [-options.number("lr")?, alpha, 1.0 - alpha, options.number("eps")?, decay, momentum];
        let mut updates = Updates::default();
        for Target { param, grad, state, fresh } in targets {
            state.count();
            let mut outputs: Vec<Tensor> = vec![param.clone(), state.buffer("square_avg", param, 0.0, fresh)?];
            // In PyTorch's order of the state's entries, which is not the program's.
            let buffer = (momentum > 0.0).then(|| state.buffer("momentum_buffer", param, 0.0, fresh)).transpose()?;
            if centered {
                outputs.push(state.buffer("grad_avg", param, 0.0, fresh)?);
            }
            outputs.extend(buffer);
            let outputs: Vec<&Tensor> = outputs.iter().collect();
            let mut inputs = outputs.clone();
            inputs.insert(1, &grad);
            updates.push(program, &inputs, &scalars, &outputs);
        }
        updates.run(caller)
    }
}
