//! Rprop.

use crate::class::optimizer;
use crate::error::{Result, check};
use crate::options::{OptionValue, Options};
use crate::programs::{Given, Programs};
use crate::rule::{Rule, Step, Update, uncapturable};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;
use flambeau_tensor::print::py_float;
use smallvec::smallvec;

optimizer! {
    /// Resilient backpropagation (Riedmiller, Braun 1993): `torch.optim.Rprop`. Each weight has a step size s of its own, which
    /// starts at `lr`; of the gradient only the sign counts.
    ///
    /// Where g has the sign that it had before, s ← min(s · η₊, largest); where it turned round, s ← max(s · η₋, smallest) and
    /// g ← 0; p ← p − sign(g) · s.
    ///
    /// ```
    /// use flambeau_optim::Rprop;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = Rprop::with([&w], 0.125, |o| o.etas((0.5, 2.0)));
    /// for _ in 0..2 {
    ///     optimizer.zero_grad();
    ///     w.mul(3.0).sum().backward();
    ///     optimizer.step();
    /// }
    /// assert_eq!(w.detach().to_vec::<f32>(), [0.625, 0.625]); // 1 − 0.125 − 2 · 0.125
    /// ```
    Rprop, RpropOptions, RpropRule {
        lr = 1e-2,
        /// What a step size is multiplied by where the gradient turned round, and where it did not.
        etas: (f64, f64) = (0.5, 1.2),
        /// The smallest and the largest step size.
        step_sizes: (f64, f64) = OptionValue::tuple([Scalar::Float(1e-6), Scalar::Int(50)]),
        foreach = OptionValue::None,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        differentiable = false,
        capturable = false,
    }
    checked(lr)
    later(foreach, maximize, differentiable, capturable)
}

struct RpropRule;

static PROGRAMS: Programs<0> = Programs::new(formula);

fn formula<'b>(p: &Given<'b>, _: [bool; 0]) -> Vec<Expr<'b>> {
    let [minus, plus, smallest, largest] = p.scalars();
    let turn = (p.grad * p.buffer(0)).rounded().sign();
    // The factors lie in a tensor of the parameter's dtype.
    let (plus, minus) = (plus.rounded(), minus.rounded());
    let turn = turn.gt(0.0).select(plus, turn);
    let turn = turn.lt(0.0).select(minus, turn);
    let factor = turn.eq(0.0).select(1.0, turn);
    let size = (p.buffer(1) * factor).rounded().maximum(smallest).minimum(largest);
    let grad = factor.eq(minus).select(0.0, p.grad);
    vec![p.param - grad.sign() * size, grad, size]
}

impl Rule for RpropRule {
    fn check(&self, options: &Options) -> Result<()> {
        let (minus, plus) = options.pair("etas")?;
        check(0.0 < minus && minus < 1.0 && 1.0 < plus, || {
            format!("Invalid eta values: {}, {}", py_float(minus), py_float(plus))
        })
    }

    fn uncapturable(&self, _foreach: bool) -> String {
        uncapturable("params and state_steps", true)
    }

    fn update(&self, step: Step<'_>) -> Result<()> {
        let lr = step.options.number("lr")?;
        let ((minus, plus), (smallest, largest)) = (step.options.pair("etas")?, step.options.pair("step_sizes")?);
        step.run(&PROGRAMS, |target| {
            let buffers = smallvec![target.buffer("prev", 0.0)?, target.buffer("step_size", lr)?];
            target.count()?;
            Ok(Update { on: [], scalars: [minus, plus, smallest, largest], buffers })
        })
    }
}
