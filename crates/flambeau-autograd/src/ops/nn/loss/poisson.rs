//! The likelihood of counts.

use crate::error::Result;
use crate::ops::Reduction;
use crate::ops::nn::loss::elementwise::{composed, reduced, through_itself};
use crate::ops::nn::loss::rules;
use crate::{Tensor, options};
use flambeau_macros::op;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{DType, Scalar};
use std::sync::LazyLock;

/// ln t! by Stirling's formula, for t > 1
fn stirling(t: Expr<'_>) -> Expr<'_> {
    let approximation = t * t.log() - t + (t * std::f64::consts::TAU).log() * 0.5;
    t.le(1.0).select(0.0, approximation)
}

/// The four Poisson programs: by whether x is a logarithm, and whether Stirling's term is added.
static POISSON: LazyLock<[Pointwise; 4]> = LazyLock::new(|| {
    [(false, false), (false, true), (true, false), (true, true)].map(|(log, full)| {
        Pointwise::new(move |b| {
            let (t, x) = (b.input(0), b.input(1));
            // eps is a float, so that integers compute as floats in every form.
            let loss = if log { x.exp() - t * x } else { x - t * (x + b.scalar(0)).log() };
            if full { loss + stirling(t) } else { loss }
        })
        .with_arguments(&["target", "input"])
        .with_gradient(move |b, g, v, _| {
            let (t, x) = (v[0], v[1]);
            let (dx, dt) = if log {
                (g * x.exp() + -g * t, -g * x)
            } else {
                let shifted = x + b.scalar(0);
                (g + -g * t / shifted, -g * shifted.log())
            };
            vec![if full { dt + stirling_gradient(t, g) } else { dt }, dx]
        })
    })
});

/// The gradient of [`stirling`], step by step: none flows for t ≤ 1, but 0 · ln t and 0 / t are NaN at zero.
fn stirling_gradient<'b>(t: Expr<'b>, g: Expr<'b>) -> Expr<'b> {
    let g = t.le(1.0).select(0.0, g);
    let of_root = g * 0.5 / (t * std::f64::consts::TAU) * std::f64::consts::TAU;
    g * t.log() + through_itself(g, t) + -g + of_root
}

options! {
    /// Options of `F::poisson_nll_loss`.
    #[derive(Clone)]
    PoissonNLLOptions {
        /// Whether the input is a logarithm (yes).
        log_input: bool = true,
        /// Whether Stirling's approximation of ln t! is added (no).
        full: bool = false,
        /// Added to the input before its logarithm is taken (1e-8).
        eps: f64 = 1e-8,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The negative log-likelihood of `target` under Poisson distributions: eˣ − t·x, or x − t·ln(x + ε) unless `log_input`, plus
/// Stirling's approximation of ln t! where `full`: `F.poisson_nll_loss`. The dtype is that which the steps promote to. Options:
/// `log_input`, `full`, `eps`, `reduction`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, target) = (torch::tensor([0.0, 0.0]), torch::tensor([1.0, 3.0]));
/// assert_eq!(F::poisson_nll_loss(&x, &target).item(), 1.0);
/// ```
///
/// # Errors
/// When the sizes do not broadcast or bools are subtracted.
#[op(torch, functional, cast = Float32)]
pub fn poisson_nll_loss(x: &Tensor, target: &Tensor, options: &PoissonNLLOptions) -> Result<Tensor> {
    let &PoissonNLLOptions { log_input, full, eps, reduction } = options;
    reduction.check()?;
    // Of eˣ − t·x, of x − t·ln(x + ε) and of t·ln t − t, what may be of bools.
    let [of_x, of_target] = [x, target].map(|t| t.dtype() == DType::Bool);
    if (of_x && (of_target || !log_input)) || (full && of_target) {
        rules::difference(DType::Bool, DType::F32)?;
    }
    let program = &POISSON[usize::from(log_input) * 2 + usize::from(full)];
    let names = composed(if full { "AddBackward0" } else { "SubBackward0" });
    let scalars: &[Scalar] = if log_input { &[] } else { &[Scalar::Float(eps)] };
    // The target comes first, so that an error names it first, as PyTorch's does.
    reduced(names, program, &[target, x], scalars, reduction)
}
