//! One rise and one fall.

use super::cyclic::start_momentum;
use super::groups::{self, PerGroup, set_momentum, uses_beta1};
use super::number::div;
use super::rule::Rule;
use super::state::{SchedulerState, SchedulerValue, entries};
use super::{LAST, LRScheduler};
use crate::error::{Error, Result, check};
use crate::handle::handle;
use crate::optimizer::{Optimizer, ParamGroupRef};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{OrPanic, Setting, options};
use flambeau_tensor::Scalar;
use flambeau_tensor::print::py_float;
use std::f64::consts::PI;

handle! {
    /// The learning rate rises to `max_lr` and falls to nearly nothing, once: `torch.optim.lr_scheduler.OneCycleLR`. It is an
    /// [`LRScheduler`] and has all of its methods; `step` is called after each batch, `total_steps` times at most.
    ///
    /// With `cycle_momentum`, which is PyTorch's default, the momentum goes the other way; an optimizer without momentum needs
    /// `cycle_momentum(false)`.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::OneCycleLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::with([&w], 0.1, |o| o.momentum(0.9));
    /// let scheduler = OneCycleLR::with(&optimizer, 1.0, |o| o.epochs(2).steps_per_epoch(5).anneal_strategy("linear"));
    /// assert_eq!(scheduler.get_last_lr(), [0.04]);
    /// for _ in 0..2 {
    ///     optimizer.step();
    ///     scheduler.step();
    /// }
    /// assert_eq!(scheduler.get_last_lr(), [1.0]);
    /// let scheduler = OneCycleLR::new(&optimizer, 1.0, 10); // total_steps
    /// ```
    OneCycleLR(LRScheduler)
}

options! {
    /// Options of [`OneCycleLR`].
    #[derive(Clone, Debug)]
    OneCycleLROptions {
        /// The number of steps of the cycle; or `epochs` and `steps_per_epoch` (`None`).
        total_steps: Option<i64> = None,
        /// The number of epochs (`None`).
        epochs: Option<i64> = None,
        /// The number of steps in each epoch (`None`).
        steps_per_epoch: Option<i64> = None,
        /// The share of the cycle in which the learning rate rises (0.3).
        pct_start: f64 = 0.3,
        /// `"cos"` or `"linear"` ("cos").
        anneal_strategy: String = "cos".to_owned(),
        /// Whether the momentum, or the first of the betas, cycles too, against the learning rate (true).
        cycle_momentum: bool = true,
        /// The least momentum, or one for each group (0.85).
        base_momentum: PerGroup = PerGroup::All(0.85.into()),
        /// The largest momentum, or one for each group (0.95).
        max_momentum: PerGroup = PerGroup::All(0.95.into()),
        /// The first learning rate is `max_lr` / `div_factor` (25).
        div_factor: f64 = 25.0,
        /// The last learning rate is the first / `final_div_factor` (1e4).
        final_div_factor: f64 = 1e4,
        /// Whether the learning rate falls as long as it rose, and only then to the last one (false).
        three_phase: bool = false,
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl OneCycleLR {
    /// A cycle of `total_steps`: `OneCycleLR(optimizer, max_lr, total_steps)`. `max_lr` is a number, or a list of one for each
    /// group.
    ///
    /// # Panics
    /// As [`OneCycleLR::with`].
    #[track_caller]
    pub fn new(optimizer: &Optimizer, max_lr: impl Setting<PerGroup>, total_steps: impl Int) -> Self {
        Self::with(optimizer, max_lr, |o| o.total_steps(total_steps.to_i64()))
    }

    /// With options, of which `total_steps`, or `epochs` and `steps_per_epoch`, must be given: `pct_start`, `anneal_strategy`,
    /// `cycle_momentum`, `base_momentum`, `max_momentum`, `div_factor`, `final_div_factor`, `three_phase`, `last_epoch`.
    ///
    /// # Panics
    /// In PyTorch's words: without a number of steps, with one that is not positive, when a list has not one number for each
    /// group, when the optimizer has no momentum to cycle; with a `last_epoch` when its groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        max_lr: impl Setting<PerGroup>,
        options: impl FnOnce(OneCycleLROptions) -> OneCycleLROptions,
    ) -> Self {
        let options = options(OneCycleLROptions::default());
        OneCycleLR(build(optimizer, max_lr.setting(), options).or_panic())
    }
}

fn positive(name: &str, value: i64) -> Result<i64> {
    check(value > 0, || format!("Expected positive integer {name}, but got {value}")).map(|()| value)
}

fn total_steps(options: &OneCycleLROptions) -> Result<i64> {
    match (options.total_steps, options.epochs, options.steps_per_epoch) {
        (Some(total), ..) => positive("total_steps", total),
        (None, Some(epochs), Some(steps)) => Ok(positive("epochs", epochs)? * positive("steps_per_epoch", steps)?),
        _ => Err(Error::Value("You must define either total_steps OR (epochs AND steps_per_epoch)".into())),
    }
}

/// The cycle's phases: where each ends, and between which of a group's numbers it goes.
fn phases(options: &OneCycleLROptions, total: i64) -> Vec<SchedulerState> {
    let phase = |end: SchedulerValue, lrs: [&str; 2], momentums: [&str; 2]| {
        entries([
            ("end_step", end),
            ("start_lr", lrs[0].into()),
            ("end_lr", lrs[1].into()),
            ("start_momentum", momentums[0].into()),
            ("end_momentum", momentums[1].into()),
        ])
    };
    let (low, high) = ("base_momentum", "max_momentum");
    let share = options.pct_start * total as f64;
    let rise = phase((share - 1.0).into(), ["initial_lr", "max_lr"], [high, low]);
    let end = (total - 1).into();
    if options.three_phase {
        let fall = phase((2.0 * options.pct_start * total as f64 - 2.0).into(), ["max_lr", "initial_lr"], [low, high]);
        vec![rise, fall, phase(end, ["initial_lr", "min_lr"], [high, high])]
    } else {
        vec![rise, phase(end, ["max_lr", "min_lr"], [low, high])]
    }
}

fn build(optimizer: &Optimizer, max_lr: PerGroup, options: OneCycleLROptions) -> Result<LRScheduler> {
    let total = total_steps(&options)?;
    let phases = phases(&options, total);
    let share = options.pct_start;
    check((0.0..=1.0).contains(&share), || {
        format!("Expected float between 0 and 1 pct_start, but got {}", py_float(share))
    })?;
    let strategy = options.anneal_strategy;
    check(matches!(strategy.as_str(), "cos" | "linear"), || {
        format!("anneal_strategy must be one of 'cos' or 'linear', instead got {strategy}")
    })?;
    let starts = options.last_epoch == -1;
    let max_lrs = max_lr.of("max_lr", optimizer)?;
    if starts {
        for (group, max) in optimizer.param_groups().iter().zip(max_lrs) {
            let initial = div(max.to_f64(), options.div_factor)?;
            group.set("initial_lr", initial);
            group.set("max_lr", max);
            group.set("min_lr", div(initial, options.final_div_factor)?);
        }
    }
    let mut fields = entries([
        ("total_steps", total.into()),
        ("_schedule_phases", phases.into()),
        ("_anneal_func_type", strategy.into()),
        ("cycle_momentum", options.cycle_momentum.into()),
    ]);
    if options.cycle_momentum {
        let use_beta1 = uses_beta1(optimizer)?;
        let most = options.max_momentum.of("max_momentum", optimizer)?;
        let least = options.base_momentum.of("base_momentum", optimizer)?;
        if starts {
            start_momentum(optimizer, use_beta1, &least, &most);
        }
        fields.set("use_beta1", use_beta1);
    }
    LRScheduler::build(optimizer, OneCycleRule, fields, options.last_epoch)
}

struct OneCycleRule;

/// The phase that a step is in, and how far.
fn phase_of(step: f64, phases: &[SchedulerState]) -> Result<(&SchedulerState, f64)> {
    let mut start = 0.0;
    for (i, phase) in phases.iter().enumerate() {
        let end = phase.get("end_step").and_then(SchedulerValue::as_f64);
        let end = end.ok_or_else(|| Error::Key("end_step".into()))?;
        if step <= end || i + 1 == phases.len() {
            return Ok((phase, div(step - start, end - start)?));
        }
        start = end;
    }
    Err(Error::Value("the scheduler has no phases".into()))
}

impl Rule for OneCycleRule {
    fn name(&self) -> &str {
        "OneCycleLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let (step, total) = (s.number(LAST)?, s.number("total_steps")?);
        check(step.to_f64() <= total.to_f64(), || {
            format!("Tried to step {step} times. The specified number of total steps is {total}")
        })?;
        let listed = s.value("_schedule_phases")?;
        let listed = listed.as_slice().unwrap_or_default().iter().filter_map(SchedulerValue::as_dict);
        let phases: Vec<SchedulerState> = listed.cloned().collect();
        let strategy = s.text("_anneal_func_type")?;
        let cycle = s.flag("cycle_momentum")?;
        let next = |group: &ParamGroupRef| {
            let (phase, share) = phase_of(step.to_f64(), &phases)?;
            // The group's number whose name the phase has under `name`.
            let bound = |name: &str| {
                let name = phase.get(name).and_then(SchedulerValue::as_str).ok_or_else(|| Error::Key(name.into()))?;
                groups::number(group, name).map(Scalar::to_f64)
            };
            let between = |start: f64, end: f64| match strategy.as_str() {
                "cos" => Ok(end + (start - end) / 2.0 * ((PI * share).cos() + 1.0)),
                "linear" => Ok((end - start) * share + start),
                other => Err(Error::Value(format!("Unknown _anneal_func_type: {other}"))),
            };
            let lr = between(bound("start_lr")?, bound("end_lr")?)?;
            if cycle {
                let momentum = between(bound("start_momentum")?, bound("end_momentum")?)?;
                set_momentum(group, s.flag("use_beta1")?, momentum.into());
            }
            Ok(lr.into())
        };
        s.optimizer().param_groups().iter().map(next).collect()
    }
}
