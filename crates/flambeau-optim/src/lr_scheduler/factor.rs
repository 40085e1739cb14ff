//! Learning rates times a factor of the epoch.

use super::number::{div, pow};
use super::rule::Rule;
use super::state::entries;
use super::{LAST, LRScheduler};
use crate::error::{Error, Result, check};
use crate::handle::handle;
use crate::optimizer::Optimizer;
use flambeau_autograd::{OrPanic, options};
use flambeau_tensor::Scalar;

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
        let fields = entries([("factor", factor.into()), ("total_iters", total_iters.into())]);
        ConstantLR(LRScheduler::build(optimizer, ConstantRule, fields, last_epoch).or_panic())
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
        let fields = entries([
            ("start_factor", start_factor.into()),
            ("end_factor", end_factor.into()),
            ("total_iters", total_iters.into()),
        ]);
        LinearLR(LRScheduler::build(optimizer, LinearRule, fields, last_epoch).or_panic())
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
        let fields = entries([("total_iters", total_iters.into()), ("power", power.into())]);
        PolynomialLR(LRScheduler::build(optimizer, PolynomialRule, fields, last_epoch).or_panic())
    }
}

struct ConstantRule;

impl Rule for ConstantRule {
    fn name(&self) -> &str {
        "ConstantLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let (epoch, factor) = (s.float(LAST)?, s.float("factor")?);
        if epoch == 0.0 {
            s.scale_groups(factor)
        } else if epoch == s.float("total_iters")? {
            s.scale_groups(div(1.0, factor)?)
        } else {
            s.of_groups("lr")
        }
    }

    fn closed_form(&self, s: &LRScheduler) -> Option<Result<Vec<Scalar>>> {
        let rates = || {
            let factor = s.float("factor")?;
            let over = f64::from(s.float(LAST)? >= s.float("total_iters")?);
            s.scale_bases(factor + over * (1.0 - factor))
        };
        Some(rates())
    }
}

struct LinearRule;

impl LinearRule {
    /// Start, end, the number of epochs between them, and the epoch.
    fn numbers(s: &LRScheduler) -> Result<[f64; 4]> {
        Ok([s.float("start_factor")?, s.float("end_factor")?, s.float("total_iters")?, s.float(LAST)?])
    }
}

impl Rule for LinearRule {
    fn name(&self) -> &str {
        "LinearLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let [start, end, total, epoch] = Self::numbers(s)?;
        if epoch == 0.0 {
            return s.scale_groups(start);
        }
        if s.is_initial()? || epoch > total {
            return s.of_groups("lr");
        }
        s.scale_groups(1.0 + div(end - start, total * start + (epoch - 1.0) * (end - start))?)
    }

    fn closed_form(&self, s: &LRScheduler) -> Option<Result<Vec<Scalar>>> {
        let rates = || {
            let [start, end, total, epoch] = Self::numbers(s)?;
            s.scale_bases(start + div((end - start) * total.min(epoch), total)?)
        };
        Some(rates())
    }
}

struct PolynomialRule;

impl Rule for PolynomialRule {
    fn name(&self) -> &str {
        "PolynomialLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let (epoch, total) = (s.float(LAST)?, s.float("total_iters")?);
        if s.is_initial()? || epoch > total {
            return s.of_groups("lr");
        }
        let shares = div(1.0 - quotient(epoch, total)?, 1.0 - quotient(epoch - 1.0, total)?)?;
        s.scale_groups(pow(shares, s.float("power")?)?)
    }

    fn closed_form(&self, s: &LRScheduler) -> Option<Result<Vec<Scalar>>> {
        let rates = || {
            let (epoch, total) = (s.float(LAST)?, s.float("total_iters")?);
            s.scale_bases(pow(1.0 - quotient(total.min(epoch), total)?, s.float("power")?)?)
        };
        Some(rates())
    }
}

/// The quotient of two numbers of epochs.
fn quotient(epochs: f64, total: f64) -> Result<f64> {
    div(epochs, total).map_err(|_| Error::Value("division by zero".into()))
}
