//! Muon.

use crate::class::optimizer;
use crate::error::{Error, Result, check};
use crate::number::Num;
use crate::options::{OptionValue, Options};
use crate::programs::{into_places, lerp};
use crate::rule::{Rule, Step, Target};
use crate::state::State;
use flambeau_autograd::{Tensor, ops};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Scalar};
use std::sync::{LazyLock, OnceLock};

optimizer! {
    /// Muon (Jordan et al. 2024): `torch.optim.Muon`, for the matrices of hidden layers. Its step is the momentum with all singular
    /// values near 1, which Newton-Schulz iterations in bfloat16 make of it.
    ///
    /// b ← b + (1 − momentum)(∇ − b); u = b, or with `nesterov` ∇ + momentum · (b − ∇); X₀ = u / ‖u‖;
    /// Xₖ₊₁ = a Xₖ + (b A + c A²) Xₖ with A = Xₖ Xₖᵀ, `ns_steps` times; p ← p (1 − lr · weight_decay) − lr · s · X, with a factor s
    /// of the shape that `adjust_lr_fn` names.
    ///
    /// ```
    /// use flambeau_optim::Muon;
    ///
    /// let w = flambeau_autograd::eye(2).requires_grad_(true);
    /// let optimizer = Muon::with([&w], 0.5, |o| o.weight_decay(0.0));
    /// w.square().sum().backward();
    /// optimizer.step();
    /// let step = flambeau_autograd::eye(2).sub(w.detach()).diagonal().div(0.5);
    /// assert!(step.gt(0.5).all().item_as::<bool>() && step.lt(1.5).all().item_as::<bool>()); // near the identity
    /// ```
    Muon, MuonOptions, MuonRule {
        lr = 1e-3,
        /// How fast weights decay, by a factor.
        weight_decay: impl Into<Scalar> as Scalar = 0.1,
        /// The momentum factor.
        momentum: impl Into<Scalar> as Scalar = 0.95,
        /// Whether to look ahead with Nesterov's momentum.
        nesterov: bool = true,
        /// The polynomial of an iteration: a, b, c.
        ns_coefficients: (f64, f64, f64) = (3.4445, -4.775, 2.0315),
        /// What the norm is at least.
        eps: impl Into<Scalar> as Scalar = 1e-7,
        /// How many iterations.
        ns_steps: impl Into<Scalar> as Scalar = 5,
        /// How the rate follows the shape n × m: `"original"`, as None, √max(1, n/m); `"match_rms_adamw"` 0.2 √max(n, m);
        /// `"spectral_unclamped"` √(n/m).
        adjust_lr_fn: &str = OptionValue::None,
    }
    example("momentum(0.9)")
    checked()
    later()
}

struct MuonRule;

/// The new momentum and, with `nesterov`, the look ahead, by whether each weight is at least ½.
static MOMENTUM: [OnceLock<Pointwise>; 8] = [const { OnceLock::new() }; 8];

fn momentum(on @ [nesterov, near_grad, near_buffer]: [bool; 3]) -> &'static Pointwise {
    let slot = on.into_iter().fold(0, |bits, on| bits << 1 | usize::from(on));
    MOMENTUM[slot].get_or_init(|| {
        Pointwise::with_outputs(|b| {
            let (grad, gain, factor) = (b.input(0), b.scalar(0), b.scalar(1));
            let buffer = lerp(b.input(1), grad, gain, near_grad);
            let ahead = nesterov.then(|| lerp(grad, buffer, factor, near_buffer));
            [buffer].into_iter().chain(ahead).collect()
        })
    })
}

/// The weights' step.
static MOVE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::with_outputs(|b| vec![(b.input(0) * b.scalar(0)).rounded() + b.input(1) * b.scalar(1).rounded()])
});

/// A group's numbers.
struct Numbers {
    lr: Num,
    weight_decay: f64,
    momentum: f64,
    nesterov: bool,
    coefficients: [f64; 3],
    steps: i64,
    eps: f64,
    adjust: OptionValue,
}

impl Numbers {
    fn of(options: &Options) -> Result<Self> {
        let [weight_decay, momentum, eps, steps] = options.numbers(["weight_decay", "momentum", "eps", "ns_steps"])?;
        let coefficients = match options.get("ns_coefficients") {
            Some(OptionValue::Tuple(items) | OptionValue::List(items)) => items,
            Some(other) => vec![other],
            None => return Err(Error::Key("ns_coefficients".into())),
        };
        let coefficients: Option<Vec<f64>> = coefficients.into_iter().map(OptionValue::as_f64).collect();
        let coefficients = coefficients.and_then(|c| <[f64; 3]>::try_from(c).ok());
        check(steps < 100.0, || "Number of steps must be less than 100 for computational efficiency".into())?;
        Ok(Numbers {
            lr: options.rate("lr")?,
            weight_decay,
            momentum,
            nesterov: options.flag("nesterov")?,
            coefficients: coefficients
                .ok_or_else(|| Error::Value("Coefficients must be a tuple of exactly 3 values".into()))?,
            steps: steps as i64,
            eps,
            adjust: options.get("adjust_lr_fn").unwrap_or(OptionValue::None),
        })
    }

    /// The matrix with its singular values brought near 1, in bfloat16.
    fn orthogonal(&self, x: &Tensor) -> Result<Tensor> {
        let [a, b, c] = self.coefficients;
        let [rows, columns] = [x.size()[0], x.size()[1]];
        let mut x = ops::to_dtype(x, DType::BF16)?;
        if rows > columns {
            x = ops::t(&x)?;
        }
        let norm = ops::norm(&x, 2.0, &[], false)?;
        x = ops::div(&x, &ops::clamp_min(&norm, self.eps)?)?;
        for _ in 0..self.steps {
            let gram = ops::matmul(&x, &ops::t(&x)?)?;
            let update = ops::addmm(&gram, &gram, &gram, b, c)?;
            x = ops::addmm(&x, &update, &x, a, 1)?;
        }
        if rows > columns { Ok(ops::t(&x)?) } else { Ok(x) }
    }

    /// The rate for a shape.
    fn rate(&self, rows: usize, columns: usize) -> Num {
        let (n, m) = (rows as f64, columns as f64);
        let name = if let OptionValue::Text(name) = &self.adjust { name.as_str() } else { "original" };
        let ratio = match name {
            "original" => (n / m).max(1.0).sqrt(),
            "match_rms_adamw" => 0.2 * n.max(m).sqrt(),
            "spectral_unclamped" => (n / m).sqrt(),
            _ => 1.0,
        };
        self.lr * ratio
    }

    fn update(&self, target: &mut Target<'_>, caller: &'static std::panic::Location<'static>) -> Result<()> {
        let (param, grad) = (target.param, target.grad.detach());
        check(grad.dim() == 2, || "Param gradient must be a 2D matrix".into())?;
        let buffer = match target.state.get(BUFFER) {
            Some(buffer) => buffer,
            None => target.state.buffer(BUFFER, &grad, 0.0, true)?,
        };
        let gain = 1.0 - self.momentum;
        let program = momentum([self.nesterov, gain >= 0.5, self.momentum >= 0.5]);
        let ahead = if self.nesterov { Some(ops::clone(&grad)?) } else { None };
        let outs: Vec<&Tensor> = [&buffer].into_iter().chain(&ahead).collect();
        into_places(program, &[&grad, &buffer], &outs, &[gain, self.momentum], caller)?;
        let step = self.orthogonal(ahead.as_ref().unwrap_or(&buffer))?;
        let shrink = (1.0 - self.lr * self.weight_decay).to_f64();
        let rate = -self.rate(param.size()[0], param.size()[1]);
        into_places(&MOVE, &[param, &step], &[param], &[shrink, rate.to_f64()], caller)
    }
}

const BUFFER: &str = "momentum_buffer";

impl Rule for MuonRule {
    fn check(&self, options: &Options) -> Result<()> {
        options.check_as("lr", |x| x >= 0.0, "Learning rate should be >= 0 but is")?;
        options.check_as("momentum", |x| x >= 0.0, "momentum should be >= 0 but is")?;
        options.check_as("weight_decay", |x| x >= 0.0, "weight decay should be >= 0 but is")?;
        let adjust = options.get("adjust_lr_fn").unwrap_or(OptionValue::None);
        let known = match &adjust {
            OptionValue::Text(name) => ["original", "match_rms_adamw", "spectral_unclamped"].contains(&name.as_str()),
            other => *other == OptionValue::None,
        };
        check(known, || format!("Adjust learning rate function {adjust} is not supported"))
    }

    fn prepare(&self, _defaults: &Options, param: &Tensor, _state: &mut State) -> Result<()> {
        check(param.dim() == 2, || {
            format!("Muon only supports 2D parameters whereas we found a parameter with size: {}", param.size())
        })
    }

    fn update(&self, mut step: Step<'_>) -> Result<()> {
        if step.targets.is_empty() {
            return Ok(());
        }
        let numbers = Numbers::of(step.options)?;
        step.targets.iter_mut().try_for_each(|target| numbers.update(target, step.caller))
    }
}
