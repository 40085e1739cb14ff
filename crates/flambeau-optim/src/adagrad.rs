//! Adagrad.

use crate::error::Result;
use crate::group::ParamItem;
use crate::optimizer::{Optimizer, Rule, Target};
use crate::options::{OptionValue, Options};
use crate::programs::{Programs, Updates, gradient, switches};
use crate::state::State;
use flambeau_autograd::{OrPanic, Tensor};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Pointwise;
use std::panic::Location;

/// Adagrad (Duchi, Hazan, Singer 2011): `torch.optim.Adagrad`.
///
/// g ← ∇ + weight_decay · p; s ← s + g²; p ← p − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps).
pub enum Adagrad {}

/// Options of [`Adagrad`]; numbers may be floats or integers, and print as they are given.
pub struct AdagradOptions(Options);

impl AdagradOptions {
    /// How fast the learning rate falls with the steps. Default: 0.
    #[must_use]
    pub fn lr_decay(self, lr_decay: impl Into<Scalar>) -> Self {
        AdagradOptions(self.0.with("lr_decay", lr_decay.into()))
    }

    /// The factor of the L2 penalty that is added to the gradient. Default: 0.
    #[must_use]
    pub fn weight_decay(self, weight_decay: impl Into<Scalar>) -> Self {
        AdagradOptions(self.0.with("weight_decay", weight_decay.into()))
    }

    /// What the sum of squares starts from. Default: 0.
    #[must_use]
    pub fn initial_accumulator_value(self, value: impl Into<Scalar>) -> Self {
        AdagradOptions(self.0.with("initial_accumulator_value", value.into()))
    }

    /// Added to the denominator. Default: 1e-10.
    #[must_use]
    pub fn eps(self, eps: impl Into<Scalar>) -> Self {
        AdagradOptions(self.0.with("eps", eps.into()))
    }

    /// Whether to climb instead of descend. Default: false.
    #[must_use]
    pub fn maximize(self, maximize: bool) -> Self {
        AdagradOptions(self.0.with("maximize", maximize))
    }
}

impl Adagrad {
    /// Adagrad with the learning rate `lr` (PyTorch's default: 1e-2): `torch.optim.Adagrad(params, lr)`.
    ///
    /// # Panics
    /// As [`Adagrad::with`].
    #[allow(clippy::new_ret_no_self, reason = "every optimizer is the same handle")]
    #[track_caller]
    pub fn new<P: ParamItem>(params: impl IntoIterator<Item = P>, lr: impl Into<Scalar>) -> Optimizer {
        Self::with(params, lr, |o| o)
    }

    /// Adagrad with options: `Adagrad::with(params, 1e-2, |o| o.lr_decay(0.1))`.
    ///
    /// # Panics
    /// With PyTorch's `ValueError`s: a negative option, no parameters, a parameter that is no leaf or stands in two groups.
    #[track_caller]
    pub fn with<P: ParamItem>(
        params: impl IntoIterator<Item = P>,
        lr: impl Into<Scalar>,
        options: impl FnOnce(AdagradOptions) -> AdagradOptions,
    ) -> Optimizer {
        let defaults = Options::new([
            ("lr", OptionValue::Number(lr.into())),
            ("lr_decay", 0.into()),
            ("eps", 1e-10.into()),
            ("weight_decay", 0.into()),
            ("initial_accumulator_value", 0.into()),
            ("foreach", OptionValue::None),
            ("maximize", false.into()),
            ("differentiable", false.into()),
            ("fused", OptionValue::None),
        ]);
        let defaults = options(AdagradOptions(defaults)).0;
        let first_sum = defaults.number("initial_accumulator_value").or_panic();
        Optimizer::new(AdagradRule { first_sum }, params, defaults)
    }
}

struct AdagradRule {
    /// What sums start from, which only the constructor says: a group's own value is kept and not used.
    first_sum: f64,
}

const MAXIMIZE: usize = 1;
const DECAY: usize = 2;
const SUM: &str = "sum";

static PROGRAMS: Programs<4> = Programs::new(program);

/// Inputs: parameter, gradient, sum of squares; outputs: parameter, sum.
fn program(on: usize) -> Pointwise {
    Pointwise::with_outputs(|b| {
        let (lr, eps) = (b.scalar(0), b.scalar(1));
        let grad = gradient(b, on & MAXIMIZE != 0, (on & DECAY != 0).then_some(2));
        let sum = b.input(2) + grad * grad;
        vec![b.input(0) + lr * grad / (sum.sqrt() + eps), sum]
    })
}

impl Rule for AdagradRule {
    fn name(&self) -> &'static str {
        "Adagrad"
    }

    fn older_files_lack(&self) -> &'static [(&'static str, OptionValue)] {
        &[
            ("foreach", OptionValue::None),
            ("maximize", OptionValue::FALSE),
            ("differentiable", OptionValue::FALSE),
            ("fused", OptionValue::None),
        ]
    }

    fn check(&self, options: &Options) -> Result<()> {
        options.check_not_negative(&[
            ("lr", "learning rate"),
            ("lr_decay", "lr_decay value"),
            ("weight_decay", "weight_decay value"),
            ("initial_accumulator_value", "initial_accumulator_value value"),
            ("eps", "epsilon value"),
        ])
    }

    fn prepare(&self, param: &Tensor, state: &mut State) -> Result<()> {
        state.start_counting();
        state.buffer(SUM, param, self.first_sum, true).map(drop)
    }

    fn update(&self, options: &Options, targets: Vec<Target<'_>>, caller: &'static Location<'static>) -> Result<()> {
        let (lr, lr_decay, decay) =
            (options.number("lr")?, options.number("lr_decay")?, options.number("weight_decay")?);
        let program = PROGRAMS.get(switches(&[(MAXIMIZE, options.flag("maximize")?), (DECAY, decay != 0.0)]));
        let mut updates = Updates::default();
        for Target { param, grad, state, fresh } in targets {
            let step = state.count();
            let scalars = [-(lr / (1.0 + (step - 1.0) * lr_decay)), options.number("eps")?, decay];
            let sum = state.buffer(SUM, param, self.first_sum, fresh)?;
            updates.push(program, &[param, &grad, &sum], &scalars, &[param, &sum]);
        }
        updates.run(caller)
    }
}
