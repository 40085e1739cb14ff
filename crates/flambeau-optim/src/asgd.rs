//! ASGD.

use crate::class::optimizer;
use crate::error::Result;
use crate::options::OptionValue;
use crate::programs::{Given, Programs};
use crate::rule::{Rule, Step, Update, uncapturable};
use crate::state::STEP;
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Expr;
use smallvec::smallvec;

optimizer! {
    /// Averaged stochastic gradient descent (Polyak, Juditsky 1992): `torch.optim.ASGD`. The average is in the state, under `ax`.
    ///
    /// g ← ∇ + weight_decay · p; p ← p · (1 − lambd · η) − η · g; a ← p, or once step t0 is past a ← a + (p − a) / (t − t0);
    /// η ← lr / (1 + lambd · lr · t)^alpha.
    ///
    /// ```
    /// use flambeau_optim::ASGD;
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = ASGD::with([&w], 0.5, |o| o.lambd(0.5));
    /// w.sum().backward();
    /// optimizer.step();
    /// assert_eq!(w.detach().to_vec::<f32>(), [0.25, 0.25]); // 1 · (1 − 0.5 · 0.5) − 0.5 · 1
    /// ```
    ASGD, ASGDOptions, ASGDRule {
        lr = 1e-2,
        /// How fast weights decay, and the rate with them.
        lambd: impl Into<Scalar> as Scalar = 1e-4,
        /// The power by which the rate falls.
        alpha: impl Into<Scalar> as Scalar = 0.75,
        /// The step after which averaging starts.
        t0: impl Into<Scalar> as Scalar = 1e6,
        /// The factor of the L2 penalty that is added to the gradient.
        weight_decay: impl Into<Scalar> as Scalar = 0,
        foreach = OptionValue::None,
        /// Whether to climb instead of descend.
        maximize: bool = false,
        differentiable = false,
        capturable = false,
    }
    checked(lr, lambd, alpha, weight_decay)
    later(foreach, maximize, differentiable, capturable)
}

struct ASGDRule;

static PROGRAMS: Programs<1> = Programs::new(formula);
const ETA: &str = "eta";
const MU: &str = "mu";

fn formula<'b>(p: &Given<'b>, [averages]: [bool; 1]) -> Vec<Expr<'b>> {
    let [shrink, rate, mu] = p.scalars();
    let param = ((p.param * shrink).rounded() + p.grad * rate.rounded()).rounded();
    let far = || ((param - p.buffer(0)).rounded() * mu).rounded();
    let average = if averages { p.buffer(0) + far() } else { param };
    vec![param, average]
}

/// As the 0-dim float32 tensor that PyTorch keeps it in.
fn kept(x: f64) -> f64 {
    f64::from(x as f32)
}

impl Rule for ASGDRule {
    fn uncapturable(&self, foreach: bool) -> String {
        uncapturable("params, mus, etas, and state_steps", !foreach)
    }

    fn numbers(&self) -> &'static [&'static str] {
        // As NAdam's product, they stay float32 when they are loaded.
        &[STEP, ETA, MU]
    }

    fn update(&self, step: Step<'_>) -> Result<()> {
        let (lr, [lambd, alpha, t0]) = (step.options.rate("lr")?, step.options.numbers(["lambd", "alpha", "t0"])?);
        step.run(&PROGRAMS, |target| {
            let t = target.count()?;
            let eta = *target.number(ETA, kept(lr.to_f64()))?;
            let mu = *target.number(MU, 1.0)?;
            let buffers = smallvec![target.buffer("ax", 0.0)?];
            *target.number(ETA, 0.0)? = kept((lr / (1.0 + lambd * lr * t).pow(alpha)).to_f64());
            *target.number(MU, 0.0)? = kept(1.0 / (t - t0).max(1.0));
            Ok(Update { on: [mu != 1.0], scalars: [1.0 - lambd * eta, -eta, mu], buffers })
        })
    }
}
