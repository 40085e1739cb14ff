//! The schedules, each one formula.

use super::{LRScheduler, Lambda, Moment, Schedule};
use crate::error::{Error, Result, check};
use crate::handle::handle;
use crate::optimizer::Optimizer;
use flambeau_autograd::arguments::{Int, Number};
use flambeau_autograd::{OrPanic, options};
use std::f64::consts::PI;
use std::sync::Arc;

handle! {
    /// lr · gamma every `step_size` epochs: `torch.optim.lr_scheduler.StepLR`. It is an [`LRScheduler`] and has all of its
    /// methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::StepLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = StepLR::new(&optimizer, 2, 0.5);
    /// let rates: Vec<f64> = (0..5).map(|_| {
    ///     let rate = scheduler.get_last_lr()[0];
    ///     optimizer.step();
    ///     scheduler.step();
    ///     rate
    /// }).collect();
    /// assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.25]);
    /// StepLR::with(&optimizer, 2, |o| o.gamma(0.7)); // the default of gamma is 0.1
    /// ```
    StepLR(LRScheduler)
}

options! {
    /// Options of [`StepLR`].
    #[derive(Clone, Debug)]
    StepLROptions {
        /// The factor (0.1).
        gamma: f64 = 0.1,
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl StepLR {
    /// Multiplies by `gamma` every `step_size` epochs: `StepLR(optimizer, step_size, gamma)`.
    ///
    /// # Panics
    /// When `step_size` is 0.
    #[track_caller]
    pub fn new(optimizer: &Optimizer, step_size: impl Int, gamma: impl Number) -> Self {
        Self::with(optimizer, step_size, |o| o.gamma(gamma.to_f64()))
    }

    /// With options: `gamma`, `last_epoch`.
    ///
    /// # Panics
    /// As [`StepLR::new`]; with a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        step_size: impl Int,
        options: impl FnOnce(StepLROptions) -> StepLROptions,
    ) -> Self {
        let StepLROptions { gamma, last_epoch } = options(StepLROptions::default());
        let step_size = step_size.to_i64();
        assert!(step_size != 0, "integer modulo by zero");
        let schedule = Schedule::new([("step_size", step_size.into()), ("gamma", gamma.into())], |s, m| {
            let [step_size, gamma] = s.options.numbers(["step_size", "gamma"])?;
            // A loaded state may hold what `new` refuses.
            let step_size = step_size as i64;
            if step_size == 0 {
                return Err(Error::Value("integer modulo by zero".into()));
            }
            Ok(if m.epoch == 0 || m.epoch % step_size != 0 { m.lr } else { m.lr * gamma })
        });
        StepLR(LRScheduler::new(optimizer, schedule, last_epoch))
    }
}

handle! {
    /// lr · gamma at each of the given epochs: `torch.optim.lr_scheduler.MultiStepLR`. It is an [`LRScheduler`] and has all of
    /// its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::MultiStepLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = MultiStepLR::new(&optimizer, [1, 3], 0.5);
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.5]);
    /// ```
    MultiStepLR(LRScheduler)
}

options! {
    /// Options of [`MultiStepLR`].
    #[derive(Clone, Debug)]
    MultiStepLROptions {
        /// The factor (0.1).
        gamma: f64 = 0.1,
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl MultiStepLR {
    /// Multiplies by `gamma` at each milestone, twice where it is named twice: `MultiStepLR(optimizer, milestones, gamma)`.
    #[track_caller]
    pub fn new<N: Int>(optimizer: &Optimizer, milestones: impl IntoIterator<Item = N>, gamma: impl Number) -> Self {
        Self::with(optimizer, milestones, |o| o.gamma(gamma.to_f64()))
    }

    /// With options: `gamma`, `last_epoch`.
    ///
    /// # Panics
    /// With a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with<N: Int>(
        optimizer: &Optimizer,
        milestones: impl IntoIterator<Item = N>,
        options: impl FnOnce(MultiStepLROptions) -> MultiStepLROptions,
    ) -> Self {
        let MultiStepLROptions { gamma, last_epoch } = options(MultiStepLROptions::default());
        // Python's Counter, in the order in which the epochs are named.
        let mut counts: Vec<(i64, i64)> = Vec::new();
        for epoch in milestones.into_iter().map(Int::to_i64) {
            match counts.iter_mut().find(|(known, _)| *known == epoch) {
                Some((_, times)) => *times += 1,
                None => counts.push((epoch, 1)),
            }
        }
        let mut schedule = Schedule::new([("gamma", gamma.into())], |s, m| {
            let times = s.milestones.iter().flatten().find(|(epoch, _)| *epoch == m.epoch).map(|&(_, times)| times);
            let gamma = s.options.number("gamma")?;
            Ok(times.map_or(m.lr, |times| m.lr * gamma.powf(times as f64)))
        });
        schedule.milestones = Some(counts);
        MultiStepLR(LRScheduler::new(optimizer, schedule, last_epoch))
    }
}

handle! {
    /// lr · gamma every epoch: `torch.optim.lr_scheduler.ExponentialLR`. It is an [`LRScheduler`] and has all of its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::ExponentialLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = ExponentialLR::new(&optimizer, 0.5);
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.5]);
    /// ```
    ExponentialLR(LRScheduler)
}

options! {
    /// Options of [`ExponentialLR`].
    #[derive(Clone, Debug)]
    ExponentialLROptions {
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl ExponentialLR {
    /// Multiplies by `gamma` every epoch: `ExponentialLR(optimizer, gamma)`.
    #[track_caller]
    pub fn new(optimizer: &Optimizer, gamma: impl Number) -> Self {
        Self::with(optimizer, gamma, |o| o)
    }

    /// With options: `last_epoch`.
    ///
    /// # Panics
    /// With a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        gamma: impl Number,
        options: impl FnOnce(ExponentialLROptions) -> ExponentialLROptions,
    ) -> Self {
        let ExponentialLROptions { last_epoch } = options(ExponentialLROptions::default());
        let schedule = Schedule::new([("gamma", gamma.to_f64().into())], |s, m| {
            Ok(if m.initial { m.lr } else { m.lr * s.options.number("gamma")? })
        });
        ExponentialLR(LRScheduler::new(optimizer, schedule, last_epoch))
    }
}

handle! {
    /// lr · factor for the first epochs: `torch.optim.lr_scheduler.ConstantLR`. It is an [`LRScheduler`] and has all of its
    /// methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::ConstantLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = ConstantLR::with(&optimizer, |o| o.factor(0.5).total_iters(2));
    /// assert_eq!(scheduler.get_last_lr(), [0.5]);
    /// ```
    ConstantLR(LRScheduler)
}

options! {
    /// Options of [`ConstantLR`].
    #[derive(Clone, Debug)]
    ConstantLROptions {
        /// The factor (1/3).
        factor: f64 = 1.0 / 3.0,
        /// For how many epochs (5).
        total_iters: i64 = 5,
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl ConstantLR {
    /// Multiplies by 1/3 until 5 epochs have passed: `ConstantLR(optimizer)`.
    #[track_caller]
    pub fn new(optimizer: &Optimizer) -> Self {
        Self::with(optimizer, |o| o)
    }

    /// With options: `factor`, `total_iters`, `last_epoch`.
    ///
    /// # Panics
    /// When the factor is not between 0 and 1; with a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(optimizer: &Optimizer, options: impl FnOnce(ConstantLROptions) -> ConstantLROptions) -> Self {
        let ConstantLROptions { factor, total_iters, last_epoch } = options(ConstantLROptions::default());
        let message = || "Constant multiplicative factor expected to be between 0 and 1.".to_owned();
        check((0.0..=1.0).contains(&factor), message).or_panic();
        let schedule = Schedule::new([("factor", factor.into()), ("total_iters", total_iters.into())], |s, m| {
            let [factor, total] = s.options.numbers(["factor", "total_iters"])?;
            Ok(match m.epoch {
                0 => m.lr * factor,
                epoch if epoch == total as i64 => m.lr * (1.0 / factor),
                _ => m.lr,
            })
        });
        ConstantLR(LRScheduler::new(optimizer, schedule, last_epoch))
    }
}

handle! {
    /// lr times a factor that moves in a straight line: `torch.optim.lr_scheduler.LinearLR`. It is an [`LRScheduler`] and has
    /// all of its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::LinearLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let warmup = LinearLR::with(&optimizer, |o| o.start_factor(0.5).total_iters(2));
    /// optimizer.step();
    /// warmup.step();
    /// assert_eq!(warmup.get_last_lr(), [0.75]);
    /// ```
    LinearLR(LRScheduler)
}

options! {
    /// Options of [`LinearLR`].
    #[derive(Clone, Debug)]
    LinearLROptions {
        /// The factor at first (1/3).
        start_factor: f64 = 1.0 / 3.0,
        /// The factor at the end (1).
        end_factor: f64 = 1.0,
        /// After how many epochs the end is reached (5).
        total_iters: i64 = 5,
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl LinearLR {
    /// The factor goes from 1/3 to 1 in 5 epochs: `LinearLR(optimizer)`.
    #[track_caller]
    pub fn new(optimizer: &Optimizer) -> Self {
        Self::with(optimizer, |o| o)
    }

    /// With options: `start_factor`, `end_factor`, `total_iters`, `last_epoch`.
    ///
    /// # Panics
    /// When a factor is not between 0 and 1; with a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(optimizer: &Optimizer, options: impl FnOnce(LinearLROptions) -> LinearLROptions) -> Self {
        let LinearLROptions { start_factor, end_factor, total_iters, last_epoch } = options(LinearLROptions::default());
        check(start_factor > 0.0 && start_factor <= 1.0, || {
            "Starting multiplicative factor expected to be greater than 0 and less or equal to 1.".into()
        })
        .or_panic();
        check((0.0..=1.0).contains(&end_factor), || {
            "Ending multiplicative factor expected to be between 0 and 1.".into()
        })
        .or_panic();
        let numbers = [
            ("start_factor", start_factor.into()),
            ("end_factor", end_factor.into()),
            ("total_iters", total_iters.into()),
        ];
        let schedule = Schedule::new(numbers, |s, m| {
            let [start, end, total] = s.options.numbers(["start_factor", "end_factor", "total_iters"])?;
            let (epoch, way) = (m.epoch as f64, end - start);
            Ok(match m.epoch {
                0 => m.lr * start,
                _ if m.initial || epoch > total => m.lr,
                _ => m.lr * (1.0 + way / (total * start + (epoch - 1.0) * way)),
            })
        });
        LinearLR(LRScheduler::new(optimizer, schedule, last_epoch))
    }
}

handle! {
    /// lr times a power of the share of epochs left: `torch.optim.lr_scheduler.PolynomialLR`. It is an [`LRScheduler`] and has
    /// all of its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::PolynomialLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = PolynomialLR::with(&optimizer, |o| o.total_iters(4));
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.75]);
    /// ```
    PolynomialLR(LRScheduler)
}

options! {
    /// Options of [`PolynomialLR`].
    #[derive(Clone, Debug)]
    PolynomialLROptions {
        /// After how many epochs the learning rate is 0 (5).
        total_iters: i64 = 5,
        /// The power (1).
        power: f64 = 1.0,
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl PolynomialLR {
    /// base_lr · (1 − epoch / 5): `PolynomialLR(optimizer)`.
    #[track_caller]
    pub fn new(optimizer: &Optimizer) -> Self {
        Self::with(optimizer, |o| o)
    }

    /// With options: `total_iters`, `power`, `last_epoch`.
    ///
    /// # Panics
    /// With a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(optimizer: &Optimizer, options: impl FnOnce(PolynomialLROptions) -> PolynomialLROptions) -> Self {
        let PolynomialLROptions { total_iters, power, last_epoch } = options(PolynomialLROptions::default());
        let schedule = Schedule::new([("total_iters", total_iters.into()), ("power", power.into())], |s, m| {
            let [total, power] = s.options.numbers(["total_iters", "power"])?;
            let epoch = m.epoch as f64;
            if m.initial || epoch > total {
                return Ok(m.lr);
            }
            Ok(m.lr * ((1.0 - epoch / total) / (1.0 - (epoch - 1.0) / total)).powf(power))
        });
        PolynomialLR(LRScheduler::new(optimizer, schedule, last_epoch))
    }
}

handle! {
    /// Half a cosine from the base learning rate to `eta_min`: `torch.optim.lr_scheduler.CosineAnnealingLR`. It is an
    /// [`LRScheduler`] and has all of its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::CosineAnnealingLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = CosineAnnealingLR::with(&optimizer, 1, |o| o.eta_min(0.25));
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.25]);
    /// ```
    CosineAnnealingLR(LRScheduler)
}

options! {
    /// Options of [`CosineAnnealingLR`].
    #[derive(Clone, Debug)]
    CosineAnnealingLROptions {
        /// The least learning rate (0).
        eta_min: f64 = 0.0,
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl CosineAnnealingLR {
    /// base_lr · (1 + cos(π · epoch / t_max)) / 2: `CosineAnnealingLR(optimizer, T_max)`.
    ///
    /// # Panics
    /// When `t_max` is 0.
    #[track_caller]
    pub fn new(optimizer: &Optimizer, t_max: impl Int) -> Self {
        Self::with(optimizer, t_max, |o| o)
    }

    /// With options: `eta_min`, `last_epoch`.
    ///
    /// # Panics
    /// As [`CosineAnnealingLR::new`]; with a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        t_max: impl Int,
        options: impl FnOnce(CosineAnnealingLROptions) -> CosineAnnealingLROptions,
    ) -> Self {
        let CosineAnnealingLROptions { eta_min, last_epoch } = options(CosineAnnealingLROptions::default());
        let t_max = t_max.to_i64();
        assert!(t_max != 0, "division by zero: t_max is 0");
        let schedule = Schedule::new([("T_max", t_max.into()), ("eta_min", eta_min.into())], |s, m| {
            let [period, eta_min] = s.options.numbers(["T_max", "eta_min"])?;
            let arc = |epoch: f64| 1.0 + (PI * epoch / period).cos();
            let epoch = m.epoch as f64;
            Ok(if m.initial {
                m.lr
            } else if (epoch - 1.0 - period) % (2.0 * period) == 0.0 {
                m.lr + (m.base_lr - eta_min) * (1.0 - (PI / period).cos()) / 2.0
            } else {
                arc(epoch) / arc(epoch - 1.0) * (m.lr - eta_min) + eta_min
            })
        });
        CosineAnnealingLR(LRScheduler::new(optimizer, schedule, last_epoch))
    }
}

handle! {
    /// base_lr times a function of the epoch: `torch.optim.lr_scheduler.LambdaLR`. It is an [`LRScheduler`] and has all of its
    /// methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::LambdaLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = LambdaLR::new(&optimizer, |epoch| 0.5_f64.powi(epoch as i32));
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.5]);
    /// ```
    LambdaLR(LRScheduler)
}

options! {
    /// Options of [`LambdaLR`].
    #[derive(Clone, Debug)]
    LambdaLROptions {
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

/// A schedule of functions of the epoch, one per group.
fn of_lambdas(lambdas: Vec<Lambda>, formula: fn(&Schedule, &Moment) -> Result<f64>) -> Schedule {
    Schedule { lambdas, ..Schedule::new([], formula) }
}

/// One function for all groups.
fn for_all(optimizer: &Optimizer, factor: impl Fn(i64) -> f64 + Send + Sync + 'static) -> Vec<Lambda> {
    let factor: Lambda = Arc::new(factor);
    vec![factor; optimizer.param_groups().len()]
}

impl LambdaLR {
    const FORMULA: fn(&Schedule, &Moment) -> Result<f64> = |s, m| Ok(m.base_lr * s.lambdas[m.group](m.epoch));

    /// base_lr · `lr_lambda(epoch)`, one function for all groups: `LambdaLR(optimizer, lr_lambda)`.
    #[track_caller]
    pub fn new(optimizer: &Optimizer, lr_lambda: impl Fn(i64) -> f64 + Send + Sync + 'static) -> Self {
        Self::with(optimizer, lr_lambda, |o| o)
    }

    /// With options: `last_epoch`.
    ///
    /// # Panics
    /// With a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        lr_lambda: impl Fn(i64) -> f64 + Send + Sync + 'static,
        options: impl FnOnce(LambdaLROptions) -> LambdaLROptions,
    ) -> Self {
        let LambdaLROptions { last_epoch } = options(LambdaLROptions::default());
        let schedule = of_lambdas(for_all(optimizer, lr_lambda), Self::FORMULA);
        LambdaLR(LRScheduler::new(optimizer, schedule, last_epoch))
    }

    /// base_lr · `lr_lambdas[group](epoch)`: `LambdaLR(optimizer, [lambda1, lambda2])`.
    ///
    /// # Panics
    /// When there are not as many functions as groups.
    #[track_caller]
    pub fn with_groups(optimizer: &Optimizer, lr_lambdas: Vec<Box<dyn Fn(i64) -> f64 + Send + Sync>>) -> Self {
        let groups = optimizer.param_groups().len();
        check(lr_lambdas.len() == groups, || format!("Expected {groups} lr_lambdas, but got {}", lr_lambdas.len()))
            .or_panic();
        let lambdas = lr_lambdas.into_iter().map(Arc::from).collect();
        LambdaLR(LRScheduler::new(optimizer, of_lambdas(lambdas, Self::FORMULA), -1))
    }
}

handle! {
    /// lr times a function of the epoch, every epoch: `torch.optim.lr_scheduler.MultiplicativeLR`. It is an [`LRScheduler`]
    /// and has all of its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::MultiplicativeLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = MultiplicativeLR::new(&optimizer, |_epoch| 0.5);
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.5]);
    /// ```
    MultiplicativeLR(LRScheduler)
}

options! {
    /// Options of [`MultiplicativeLR`].
    #[derive(Clone, Debug)]
    MultiplicativeLROptions {
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl MultiplicativeLR {
    /// lr · `lr_lambda(epoch)`, one function for all groups: `MultiplicativeLR(optimizer, lr_lambda)`.
    #[track_caller]
    pub fn new(optimizer: &Optimizer, lr_lambda: impl Fn(i64) -> f64 + Send + Sync + 'static) -> Self {
        Self::with(optimizer, lr_lambda, |o| o)
    }

    /// With options: `last_epoch`.
    ///
    /// # Panics
    /// With a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        lr_lambda: impl Fn(i64) -> f64 + Send + Sync + 'static,
        options: impl FnOnce(MultiplicativeLROptions) -> MultiplicativeLROptions,
    ) -> Self {
        let MultiplicativeLROptions { last_epoch } = options(MultiplicativeLROptions::default());
        let schedule = of_lambdas(for_all(optimizer, lr_lambda), |s, m| {
            Ok(if m.initial { m.lr } else { m.lr * s.lambdas[m.group](m.epoch) })
        });
        MultiplicativeLR(LRScheduler::new(optimizer, schedule, last_epoch))
    }
}
