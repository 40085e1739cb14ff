//! Learning rates that fall in steps.

use super::number::{bisect_right, floor_div, modulo, pow};
use super::rule::Rule;
use super::state::{SchedulerValue, entries};
use super::{LAST, LRScheduler};
use crate::error::Result;
use crate::handle::handle;
use crate::optimizer::Optimizer;
use flambeau_autograd::arguments::{Int, Number};
use flambeau_autograd::{OrPanic, options};
use flambeau_tensor::Scalar;

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
    /// Where `step` is called, when `step_size` is 0.
    #[track_caller]
    pub fn new(optimizer: &Optimizer, step_size: impl Int, gamma: impl Number) -> Self {
        Self::with(optimizer, step_size, |o| o.gamma(gamma.to_f64()))
    }

    /// With options: `gamma`, `last_epoch`.
    ///
    /// # Panics
    /// With a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        step_size: impl Int,
        options: impl FnOnce(StepLROptions) -> StepLROptions,
    ) -> Self {
        let StepLROptions { gamma, last_epoch } = options(StepLROptions::default());
        let step_size = step_size.to_i64();
        let fields = entries([("step_size", step_size.into()), ("gamma", gamma.into())]);
        StepLR(LRScheduler::build(optimizer, StepRule, fields, last_epoch).or_panic())
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
        let fields = entries([("milestones", SchedulerValue::Counter(counts)), ("gamma", gamma.into())]);
        MultiStepLR(LRScheduler::build(optimizer, MultiStepRule, fields, last_epoch).or_panic())
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
        let fields = entries([("gamma", gamma.to_f64().into())]);
        ExponentialLR(LRScheduler::build(optimizer, ExponentialRule, fields, last_epoch).or_panic())
    }
}

struct StepRule;

impl Rule for StepRule {
    fn name(&self) -> &str {
        "StepLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let epoch = s.number(LAST)?;
        if epoch.to_f64() == 0.0 || modulo(epoch, s.number("step_size")?)?.to_f64() != 0.0 {
            return s.of_groups("lr");
        }
        s.scale_groups(s.float("gamma")?)
    }

    fn closed_form(&self, s: &LRScheduler) -> Option<Result<Vec<Scalar>>> {
        let rates = || s.scale_bases(pow(s.float("gamma")?, floor_div(s.number(LAST)?, s.number("step_size")?)?)?);
        Some(rates())
    }
}

struct MultiStepRule;

/// The epochs, and how often each is named.
fn milestones(s: &LRScheduler) -> Result<Vec<(i64, i64)>> {
    Ok(if let SchedulerValue::Counter(counts) = s.value("milestones")? { counts } else { Vec::new() })
}

impl Rule for MultiStepRule {
    fn name(&self) -> &str {
        "MultiStepLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let epoch = s.float(LAST)?;
        match milestones(s)?.iter().find(|(milestone, _)| *milestone as f64 == epoch) {
            None => s.of_groups("lr"),
            Some((_, times)) => s.scale_groups(pow(s.float("gamma")?, *times as f64)?),
        }
    }

    fn closed_form(&self, s: &LRScheduler) -> Option<Result<Vec<Scalar>>> {
        let rates = || {
            let named = milestones(s)?.into_iter();
            let mut epochs: Vec<i64> =
                named.flat_map(|(epoch, times)| std::iter::repeat_n(epoch, times.max(0) as usize)).collect();
            epochs.sort_unstable();
            s.scale_bases(pow(s.float("gamma")?, bisect_right(&epochs, s.float(LAST)?) as f64)?)
        };
        Some(rates())
    }
}

struct ExponentialRule;

impl Rule for ExponentialRule {
    fn name(&self) -> &str {
        "ExponentialLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        if s.is_initial()? { s.of_groups("lr") } else { s.scale_groups(s.float("gamma")?) }
    }

    fn closed_form(&self, s: &LRScheduler) -> Option<Result<Vec<Scalar>>> {
        let rates = || s.scale_bases(pow(s.float("gamma")?, s.float(LAST)?)?);
        Some(rates())
    }
}
