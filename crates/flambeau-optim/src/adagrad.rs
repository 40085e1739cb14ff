//! Adagrad.

use crate::class::optimizer;
use crate::error::Result;
use crate::options::{OptionValue, Options};
use crate::programs::{Given, Programs};
use crate::rule::{Rule, Step, Update};
use crate::state::{STEP, State};
use flambeau_autograd::Tensor;
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;
use smallvec::smallvec;

optimizer! {
    /// Adagrad (Duchi, Hazan, Singer 2011): `torch.optim.Adagrad`.
    ///
    /// g ← ∇ + weight_decay · p; s ← s + g²; p ← p − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps).
    ///
    /// ```
    /// use flambeau_optim::Adagrad;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = Adagrad::with([&w], 0.5, |o| o.eps(0.0).initial_accumulator_value(3));
    /// w.sum().backward();
    /// optimizer.step();
    /// assert_eq!(w.detach().to_vec::<f32>(), [0.75, 0.75]); // 1 − 0.5 · 1 / √(3 + 1)
    /// ```
    Adagrad, AdagradOptions, AdagradRule {
        lr = 1e-2,
        /// How fast the learning rate falls with the steps.
        lr_decay: impl Into<Scalar> as Scalar = 0,
        /// Added to the denominator.
        eps: impl Into<Scalar> as Scalar = 1e-10,
        /// The factor of the L2 penalty that is added to the gradient.
        weight_decay: impl Into<Scalar> as Scalar = 0,
        /// What the sum of squares starts from.
        initial_accumulator_value: impl Into<Scalar> as Scalar = 0,
        foreach = OptionValue::None,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        differentiable = false,
        fused = OptionValue::None,
    }
    checked(lr, lr_decay, weight_decay, initial_accumulator_value, eps)
    later(foreach, maximize, differentiable, fused)
}

struct AdagradRule;

static PROGRAMS: Programs<0> = Programs::new(formula);
const SUM: &str = "sum";

fn formula<'b>(p: &Given<'b>, _: [bool; 0]) -> Vec<Expr<'b>> {
    let [lr, eps] = p.scalars();
    let sum = (p.buffer(0) + p.grad * p.grad).rounded();
    vec![p.param + lr * p.grad / (sum.sqrt().rounded() + eps).rounded(), sum]
}

/// What sums start from, which only the constructor says: a group's own value is kept and not used.
fn first_sum(defaults: &Options) -> Result<f64> {
    defaults.number("initial_accumulator_value")
}

impl Rule for AdagradRule {
    fn prepare(&self, defaults: &Options, param: &Tensor, state: &mut State) -> Result<()> {
        state.number(STEP, 0.0);
        state.buffer(SUM, param, first_sum(defaults)?, true).map(drop)
    }

    fn update(&self, step: Step<'_>) -> Result<()> {
        let (lr, [lr_decay, eps]) = (step.options.rate("lr")?, step.options.numbers(["lr_decay", "eps"])?);
        let first = first_sum(step.defaults)?;
        step.run(&PROGRAMS, |target| {
            let buffers = smallvec![target.buffer(SUM, first)?];
            let rate = -(lr / (1.0 + (target.count()? - 1.0) * lr_decay)).to_f64();
            Ok(Update { on: [], scalars: [rate, eps], buffers })
        })
    }
}
