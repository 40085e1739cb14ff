//! L-BFGS.

mod memory;
mod wolfe;

pub(crate) use memory::Memory;

use crate::class::optimizer;
use crate::error::{Error, Result, check};
use crate::number::Num;
use crate::optimizer::Optimizer;
use crate::options::{OptionValue, Options};
use crate::rule::{Rule, Search, Step};
use flambeau_autograd::{Tensor, ops};
use flambeau_tensor::Scalar;
use memory::Direction;

optimizer! {
    /// L-BFGS (Liu, Nocedal 1989): `torch.optim.LBFGS`, a quasi-Newton method over all parameters at once. A step evaluates the
    /// loss several times, so it takes a closure: [`Optimizer::step_closure`]. There is one group only.
    ///
    /// The direction is −H ∇, with an inverse Hessian H of the last `history_size` moves and differences of gradients; the step along
    /// it is `lr`, or what `line_search_fn` finds.
    ///
    /// ```
    /// use flambeau_optim::LBFGS;
    ///
    /// let w = flambeau_autograd::zeros([2]).requires_grad_(true);
    /// let target = flambeau_autograd::tensor([1.0, -2.0]);
    /// let optimizer = LBFGS::with([&w], 1, |o| o.line_search_fn("strong_wolfe"));
    /// let first = optimizer.step_closure(|| {
    ///     optimizer.zero_grad();
    ///     let loss = w.sub(&target).square().sum();
    ///     loss.backward();
    ///     loss
    /// });
    /// assert_eq!(first.item(), 5.0);
    /// assert!(w.detach().allclose(&target));
    /// ```
    LBFGS, LBFGSOptions, LBFGSRule {
        lr = 1,
        /// How many iterations a step has at most.
        max_iter: impl Into<Scalar> as Scalar = 20,
        /// How often a step evaluates the loss at most; None is 1.25 · `max_iter`.
        max_eval: impl Into<Scalar> as Scalar = OptionValue::None,
        /// The largest element of a gradient that is small enough to stop.
        tolerance_grad: impl Into<Scalar> as Scalar = 1e-7,
        /// The change of the parameters, or of the loss, that is small enough to stop.
        tolerance_change: impl Into<Scalar> as Scalar = 1e-9,
        /// How many moves are remembered.
        history_size: impl Into<Scalar> as Scalar = 100,
        /// The line search: `"strong_wolfe"`, or none.
        line_search_fn: &str = OptionValue::None,
        /// Whether to climb instead of descend.
        maximize: bool = false,
    }
    checked(lr)
    later()
}

struct LBFGSRule;

impl Rule for LBFGSRule {
    fn settle(&self, defaults: &mut Options) -> Result<()> {
        if defaults.get("max_eval") == Some(OptionValue::None) {
            let iterations = defaults.number("max_iter")?;
            let evaluations = match defaults.get("max_iter") {
                Some(OptionValue::Number(x)) if x.is_float() => (iterations * 5.0 / 4.0).floor().into(),
                _ => OptionValue::from((iterations as i64 * 5).div_euclid(4)),
            };
            defaults.set("max_eval", evaluations);
        }
        Ok(())
    }

    fn check_groups(&self, groups: usize) -> Result<()> {
        check(groups == 1, || "LBFGS doesn't support per-parameter options (parameter groups)".into())
    }

    fn search(&self) -> Option<Search> {
        Some(step)
    }

    fn update(&self, _step: Step<'_>) -> Result<()> {
        Err(Error::Type("LBFGS.step() missing 1 required positional argument: 'closure'".into()))
    }
}

fn step(optimizer: &Optimizer, evaluate: &mut dyn FnMut() -> Result<f64>) -> Result<()> {
    let (params, options) = optimizer.only_group()?;
    if params.is_empty() {
        return evaluate().map(drop);
    }
    let mut memory = optimizer.take_memory().unwrap_or_default();
    let result = Objective::new(params, &options, evaluate)
        .and_then(|mut objective| iterate(&mut objective, &options, &mut memory));
    optimizer.put_memory(memory);
    result
}

/// The loss as a function of all parameters.
struct Objective<'a> {
    params: Vec<Tensor>,
    maximize: bool,
    evaluate: &'a mut dyn FnMut() -> Result<f64>,
}

impl<'a> Objective<'a> {
    fn new(params: Vec<Tensor>, options: &Options, evaluate: &'a mut dyn FnMut() -> Result<f64>) -> Result<Self> {
        Ok(Objective { params, maximize: options.is_on("maximize"), evaluate })
    }

    /// The loss where the parameters are, and its gradient in one line.
    fn evaluate(&mut self) -> Result<(Num, Tensor)> {
        let loss = (self.evaluate)()?;
        let flat = |p: &Tensor| match p.grad() {
            None => ops::zeros(&[p.numel()], p.dtype(), p.device()),
            Some(grad) => ops::view(&grad.detach(), &[-1]),
        };
        let grads: Vec<Tensor> = self.params.iter().map(flat).collect::<Result<_, _>>()?;
        let grad = ops::cat(&grads, 0)?;
        Ok(if self.maximize { ((-loss).into(), ops::neg(&grad)?) } else { (loss.into(), grad) })
    }

    /// Moves the parameters by t · d.
    fn advance(&self, t: Num, d: &Tensor) -> Result<()> {
        let mut start = 0;
        for p in &self.params {
            let count = p.numel() as i64;
            let part = ops::view_as(&ops::narrow(d, 0, start, count)?, p)?;
            ops::add_(&p.detach(), &part, t.to_f64())?;
            start += count;
        }
        Ok(())
    }

    fn copies(&self) -> Result<Vec<Tensor>> {
        Ok(self.params.iter().map(|p| ops::clone(&p.detach())).collect::<Result<_, _>>()?)
    }

    fn restore(&self, copies: &[Tensor]) -> Result<()> {
        for (p, copy) in self.params.iter().zip(copies) {
            ops::copy_(&p.detach(), copy)?;
        }
        Ok(())
    }
}

fn dot(a: &Tensor, b: &Tensor) -> Result<Num> {
    Num::of(&ops::dot(a, b)?)
}

/// The largest size of an element.
fn largest(x: &Tensor) -> Result<Num> {
    Num::of(&ops::max(&ops::abs(x)?)?)
}

/// Up to `max_iter` iterations of one step.
fn iterate(objective: &mut Objective<'_>, options: &Options, memory: &mut Memory) -> Result<()> {
    let lr = options.rate("lr")?;
    let [max_iter, max_eval, history] = options.numbers(["max_iter", "max_eval", "history_size"])?.map(|x| x as i64);
    let [tolerance_grad, tolerance_change] = options.numbers(["tolerance_grad", "tolerance_change"])?;
    let (mut loss, mut grad) = objective.evaluate()?;
    let mut evaluations = 1;
    memory.func_evals += 1;
    let small = Num::from(tolerance_grad);
    if largest(&grad)? <= small {
        return Ok(());
    }
    let mut now = memory.direction();
    for n in 1..=max_iter {
        memory.n_iter += 1;
        now.update(&grad, memory, history as usize)?;
        let previous = loss;
        now.remember(&grad, loss)?;
        let t = if memory.n_iter == 1 {
            Num::from(1.0).min(1.0 / Num::of(&ops::sum(&ops::abs(&grad)?, &[], false, None)?)?) * lr
        } else {
            lr
        };
        now.t = Some(t);
        let d = now.d()?.shallow_clone();
        let slope = dot(&grad, &d)?;
        if slope > Num::from(-tolerance_change) {
            break;
        }
        let mut met = false;
        let mut used = 0;
        match options.get("line_search_fn") {
            Some(OptionValue::Text(name)) if name == "strong_wolfe" => {
                let start = wolfe::Start { copies: objective.copies()?, d: &d, loss, grad: &grad, slope };
                let found = wolfe::search(objective, &start, t, max_eval - evaluations)?;
                (loss, grad, used) = (found.point.loss, found.point.grad.shallow_clone(), found.evaluations);
                now.t = Some(found.point.t);
                objective.advance(found.point.t, &d)?;
                met = largest(&grad)? <= small;
            }
            None | Some(OptionValue::None) => {
                objective.advance(t, &d)?;
                // After the last iteration nobody asks.
                if n != max_iter {
                    (loss, grad) = objective.evaluate()?;
                    met = largest(&grad)? <= small;
                    used = 1;
                }
            }
            Some(_) => return Err(Error::Runtime("only 'strong_wolfe' is supported".into())),
        }
        evaluations += used;
        memory.func_evals += used;
        let moved = |t: Num| largest(&ops::mul(&d, t.to_f64())?);
        let change = Num::from(tolerance_change);
        if n == max_iter
            || evaluations >= max_eval
            || met
            || moved(now.t.unwrap_or(t))? <= change
            || (loss - previous).abs() < change
        {
            break;
        }
    }
    memory.store(now);
    Ok(())
}

impl Direction {
    /// The next direction by the gradient, and what it takes into the history.
    fn update(&mut self, grad: &Tensor, memory: &mut Memory, history: usize) -> Result<()> {
        if memory.n_iter == 1 {
            self.d = Some(ops::neg(grad)?);
            self.history.clear();
            self.scale = Some(Num::Number(Scalar::Int(1)));
            return Ok(());
        }
        let (Some(d), Some(t), Some(former)) = (&self.d, self.t, &self.grad) else {
            return Err(Error::Type("a state of LBFGS has no direction".into()));
        };
        let (y, s) = (ops::sub(grad, former, 1)?, ops::mul(d, t.to_f64())?);
        let ys = dot(&y, &s)?;
        if ys > Num::from(1e-10) {
            if self.history.len() == history {
                self.history.remove(0);
            }
            self.scale = Some(ys / dot(&y, &y)?);
            self.history.push(memory::Move { y, s, ro: 1.0 / ys });
        }
        // Two loops over the history, on one vector.
        let al = memory.al(history);
        let q = ops::neg(grad)?;
        for (i, m) in self.history.iter().enumerate().rev() {
            let a = dot(&m.s, &q)? * m.ro;
            al[i] = Some(a);
            ops::add_(&q, &m.y, (-a).to_f64())?;
        }
        let r = ops::mul(&q, self.scale.map_or(1.0, Num::to_f64))?;
        for (m, a) in self.history.iter().zip(al.iter()) {
            let be = dot(&m.y, &r)? * m.ro;
            ops::add_(&r, &m.s, a.map_or(0.0, |a| (a - be).to_f64()))?;
        }
        self.d = Some(r);
        Ok(())
    }

    /// Keeps the gradient and the loss for the next iteration.
    fn remember(&mut self, grad: &Tensor, loss: Num) -> Result<()> {
        match &self.grad {
            None => self.grad = Some(ops::clone(grad)?),
            Some(kept) => drop(ops::copy_(kept, grad)?),
        }
        self.loss = Some(loss);
        Ok(())
    }

    fn d(&self) -> Result<&Tensor> {
        self.d.as_ref().ok_or_else(|| Error::Type("a state of LBFGS has no direction".into()))
    }
}
