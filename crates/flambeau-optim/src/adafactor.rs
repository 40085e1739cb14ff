//! Adafactor.

use crate::class::optimizer;
use crate::error::{Error, Result, check};
use crate::number::Num;
use crate::options::{OptionValue, Options};
use crate::programs::{into_places, lerp};
use crate::rule::{Rule, Step, Target};
use flambeau_autograd::{Tensor, finfo, ops};
use flambeau_tensor::Scalar;
use flambeau_tensor::ops::pointwise;
use flambeau_tensor::pointwise::Pointwise;
use std::panic::Location;
use std::sync::LazyLock;

optimizer! {
    /// Adafactor (Shazeer, Stern 2018): `torch.optim.Adafactor`. Of a matrix's squares it keeps the means of rows and of columns
    /// only, in place of a running average of every element.
    ///
    /// At step t, with β = 1 − t^`beta2_decay`: r ← β r + (1 − β) mean(g², rows); c ← β c + (1 − β) mean(g², columns);
    /// V = r c / max(mean(r), ε₁), of a vector V ← β V + (1 − β) g²; u = g / max(√V, ε₁);
    /// p ← p (1 − lr · weight_decay) − max(ε₂, rms(p)) · min(lr, 1 / √t) · u / max(1, rms(u) / d).
    ///
    /// ```
    /// use flambeau_optim::Adafactor;
    ///
    /// let w = flambeau_autograd::ones([2, 2]).requires_grad_(true);
    /// let optimizer = Adafactor::new([&w], 0.25);
    /// w.mul(3.0).sum().backward();
    /// optimizer.step();
    /// assert!(w.detach().allclose(&flambeau_autograd::full([2, 2], 0.75))); // 1 − rms(w) · 0.25 · sign(∇)
    /// ```
    Adafactor, AdafactorOptions, AdafactorRule {
        lr = 1e-2,
        /// The power by which the weight of a new square falls with the steps.
        beta2_decay: impl Into<Scalar> as Scalar = -0.8,
        /// What denominators are at least, where `None` is the dtype's epsilon, and what the size of the weights counts at least.
        eps: impl Into<OptionValue> as OptionValue = OptionValue::tuple([None, Some(1e-3)]),
        /// The root mean square above which an update is cut.
        d: impl Into<Scalar> as Scalar = 1.0,
        /// How fast weights decay, by a factor.
        weight_decay: impl Into<Scalar> as Scalar = 0.0,
        foreach = OptionValue::None,
        /// Whether to climb instead of descend.
        maximize: bool = false,
    }
    checked()
    later(foreach)
}

struct AdafactorRule;

/// Both epsilons; the first may be None.
fn epsilons(options: &Options) -> Result<[OptionValue; 2]> {
    match options.find("eps") {
        Some(OptionValue::Pair(a, b)) => Ok([(*a).into(), (*b).into()]),
        Some(OptionValue::Tuple(items) | OptionValue::List(items)) if items.len() == 2 => {
            Ok([items[0].clone(), items[1].clone()])
        }
        None => Err(Error::Key("eps".into())),
        Some(other) => Err(Error::Type(format!("the option eps of a parameter group is {other}, it must be a pair"))),
    }
}

/// A mean of squares towards its new value: inputs are the norm of a line and the mean, scalars the line's length and the new
/// value's weight. The second is for weights of at least ½.
static LINE_MEANS: [LazyLock<Pointwise>; 2] = [LazyLock::new(|| line_mean(false)), LazyLock::new(|| line_mean(true))];

fn line_mean(near_end: bool) -> Pointwise {
    Pointwise::with_outputs(|b| {
        let norm = b.input(0);
        vec![lerp(b.input(1), ((norm * norm).rounded() / b.scalar(0)).rounded(), b.scalar(1), near_end)]
    })
}

/// The update from a product of means, the mean of the row means, and the gradient.
static FACTORED: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let variance = (b.input(0) / b.input(1).maximum(b.scalar(0))).rounded();
        variance.maximum(b.scalar(1)).rsqrt().rounded() * b.input(2)
    })
});

/// The running average of squares, and the update by it.
static DENSE: [LazyLock<Pointwise>; 2] = [LazyLock::new(|| dense(false)), LazyLock::new(|| dense(true))];

fn dense(near_end: bool) -> Pointwise {
    Pointwise::with_outputs(|b| {
        let grad = b.input(0);
        let variance = lerp(b.input(1), (grad * grad).rounded(), b.scalar(0), near_end);
        vec![variance, variance.maximum(b.scalar(1)).rsqrt().rounded() * grad]
    })
}

/// The weights' step, where they decay and where not.
static MOVE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::with_outputs(|b| vec![b.input(0) + b.input(1) * b.scalar(0).rounded()]));
static DECAY_AND_MOVE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::with_outputs(|b| vec![(b.input(0) * b.scalar(1)).rounded() + b.input(1) * b.scalar(0).rounded()])
});

fn norm(x: &Tensor) -> Result<f64> {
    Ok(ops::norm(x, 2.0, &[], false)?.array().item()?.to_f64())
}

/// A group's numbers.
struct Numbers {
    lr: Num,
    beta2_decay: f64,
    d: f64,
    weight_decay: f64,
    least: f64,
    maximize: bool,
    caller: &'static Location<'static>,
}

impl Numbers {
    /// Updates one parameter, whose epsilon is `eps`.
    fn update(&self, target: &mut Target<'_>, eps: f64) -> Result<()> {
        let (param, grad) = (target.param, target.grad.detach());
        let root = (param.numel() as f64).sqrt();
        let t = target.count()?;
        let (weight, rho) = (t.powf(self.beta2_decay), self.lr.min(1.0 / t.powf(0.5)));
        if root == 0.0 {
            return Err(Error::Value("float division by zero".into()));
        }
        let size = (norm(&param.detach())? / root).max(self.least);
        let update = match grad.dim() {
            0 | 1 => self.dense(target, &grad, weight, eps)?,
            _ => self.factored(target, &grad, weight, eps)?,
        };
        let excess = (norm(&update)? / (root * self.d)).max(1.0);
        // The gradient counts in squares but for the update's sign.
        let rate = (-(size * rho) / excess).to_f64() * if self.maximize { -1.0 } else { 1.0 };
        let shrink = (1.0 - self.lr * self.weight_decay).to_f64();
        let program = if self.weight_decay != 0.0 { &DECAY_AND_MOVE } else { &MOVE };
        into_places(program, &[param, &update], &[param], &[rate, shrink], self.caller)
    }

    fn factored(&self, target: &mut Target<'_>, grad: &Tensor, weight: f64, eps: f64) -> Result<Tensor> {
        let mut mean = |name: &str, back: usize| {
            let mut shape = grad.size().to_vec();
            let dim = shape.len() - back;
            let length = std::mem::replace(&mut shape[dim], 1);
            let mean =
                target.zeros(name, &shape, "row_var and col_var should be defined when grad is multidimensional")?;
            let norm = ops::vector_norm(grad, 2.0, &[-(back as i64)], true, None)?;
            let program = &LINE_MEANS[usize::from(weight >= 0.5)];
            into_places(program, &[&norm, &mean], &[&mean], &[length as f64, weight], self.caller)?;
            Ok::<_, Error>(mean)
        };
        let (rows, columns) = (mean("row_var", 1)?, mean("col_var", 2)?);
        let (product, of_rows) = (ops::matmul(&rows, &columns)?, ops::mean(&rows, &[-2], true, None)?);
        let inputs = [product.array(), of_rows.array(), grad.array()];
        Ok(pointwise(&FACTORED, &inputs.each_ref().map(|a| &**a), &[eps.into(), (eps * eps).into()])?.into())
    }

    fn dense(&self, target: &mut Target<'_>, grad: &Tensor, weight: f64, eps: f64) -> Result<Tensor> {
        let variance = target.zeros("variance", &grad.size(), "variance should be defined when grad is a vector")?;
        let update = ops::clone(grad)?;
        let program = &DENSE[usize::from(weight >= 0.5)];
        into_places(program, &[grad, &variance], &[&variance, &update], &[weight, eps * eps], self.caller)?;
        Ok(update)
    }
}

impl Rule for AdafactorRule {
    fn check(&self, options: &Options) -> Result<()> {
        let at_least = |least: f64| move |x: f64| x >= least;
        options.check_as("lr", at_least(0.0), "Learning rate should be >= 0 but is")?;
        options.check_as("beta2_decay", |x| x <= 0.0, "beta2_decay should be <= 0 but is")?;
        for (i, eps) in epsilons(options)?.into_iter().enumerate() {
            let allowed =
                if eps == OptionValue::None { i == 0 } else { eps.clone().as_f64().is_some_and(|x| x >= 0.0) };
            check(allowed, || format!("epsilon{} should be >= 0 but is: {eps}", i + 1))?;
        }
        options.check_as("d", at_least(1.0), "Clipping threshold d should be >= 1 but is")?;
        options.check_as("weight_decay", at_least(0.0), "weight_decay should be >= 0 but is")
    }

    fn update(&self, mut step: Step<'_>) -> Result<()> {
        let [eps, least] = epsilons(step.options)?.map(OptionValue::as_f64);
        let [beta2_decay, d, weight_decay] = step.options.numbers(["beta2_decay", "d", "weight_decay"])?;
        let numbers = Numbers {
            lr: step.options.rate("lr")?,
            beta2_decay,
            d,
            weight_decay,
            least: least.unwrap_or(0.0),
            maximize: step.options.flag("maximize")?,
            caller: step.caller,
        };
        // As in PyTorch, the dtype of the first parameter decides for all.
        let mut first = eps;
        for target in &mut step.targets {
            let eps = *first.get_or_insert_with(|| finfo(target.param.dtype()).eps);
            numbers.update(target, eps)?;
        }
        Ok(())
    }
}
