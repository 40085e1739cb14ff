//! The learning rate of weight averaging.

use super::groups::{self, PerGroup};
use super::rule::Rule;
use super::state::entries;
use super::{COUNT, LRScheduler};
use crate::error::{Result, check};
use crate::handle::handle;
use crate::optimizer::{Optimizer, ParamGroupRef};
use flambeau_autograd::{OrPanic, Setting, options};
use flambeau_tensor::Scalar;
use std::f64::consts::PI;

handle! {
    /// The learning rate goes to `swa_lr` and stays there: `torch.optim.swa_utils.SWALR`. It is an
    /// [`LRScheduler`](crate::lr_scheduler::LRScheduler) and has all of its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, swa_utils::SWALR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = SWALR::with(&optimizer, 0.5, |o| o.anneal_epochs(2).anneal_strategy("linear"));
    /// let rates: Vec<f64> = (0..4).map(|_| {
    ///     let rate = scheduler.get_last_lr()[0];
    ///     optimizer.step();
    ///     scheduler.step();
    ///     rate
    /// }).collect();
    /// assert_eq!(rates, [1.0, 0.75, 0.5, 0.5]);
    /// ```
    SWALR(LRScheduler)
}

options! {
    /// Options of [`SWALR`].
    #[derive(Clone, Debug)]
    SWALROptions {
        /// In how many epochs `swa_lr` is reached (10).
        anneal_epochs: i64 = 10,
        /// `"cos"` or `"linear"` ("cos").
        anneal_strategy: String = "cos".to_owned(),
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl SWALR {
    /// On a cosine in 10 epochs: `SWALR(optimizer, swa_lr)`. `swa_lr` is a number, or a list of one for each group.
    ///
    /// # Panics
    /// As [`SWALR::with`].
    #[track_caller]
    pub fn new(optimizer: &Optimizer, swa_lr: impl Setting<PerGroup>) -> Self {
        Self::with(optimizer, swa_lr, |o| o)
    }

    /// With options: `anneal_epochs`, `anneal_strategy`, `last_epoch`.
    ///
    /// # Panics
    /// In PyTorch's words: when a list has not one number for each group, the strategy is unknown, `anneal_epochs` is negative;
    /// with a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        swa_lr: impl Setting<PerGroup>,
        options: impl FnOnce(SWALROptions) -> SWALROptions,
    ) -> Self {
        SWALR(build(optimizer, swa_lr.setting(), options(SWALROptions::default())).or_panic())
    }
}

fn build(optimizer: &Optimizer, swa_lr: PerGroup, options: SWALROptions) -> Result<LRScheduler> {
    let rates = swa_lr.of("swa_lr", optimizer)?;
    optimizer.param_groups().iter().zip(rates).for_each(|(group, rate)| group.set("swa_lr", rate));
    let (strategy, epochs) = (options.anneal_strategy, options.anneal_epochs);
    check(matches!(strategy.as_str(), "cos" | "linear"), || {
        format!("anneal_strategy must be one of 'cos' or 'linear', instead got {strategy}")
    })?;
    check(epochs >= 0, || format!("anneal_epochs must be equal or greater than 0, got {epochs}"))?;
    let fields = entries([("_anneal_strategy", strategy.into()), ("anneal_epochs", epochs.into())]);
    LRScheduler::build(optimizer, SwaRule, fields, options.last_epoch)
}

struct SwaRule;

impl Rule for SwaRule {
    fn name(&self) -> &str {
        "SWALR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let epochs = s.float("anneal_epochs")?;
        let cosine = s.text("_anneal_strategy")? == "cos";
        let done = s.float(COUNT)? - 1.0;
        let done = if epochs == 0.0 { done.max(1.0) } else { done };
        // How much of `swa_lr` there is after so many steps.
        let share = |steps: f64| {
            let t = (steps / epochs.max(1.0)).clamp(0.0, 1.0);
            if cosine { (1.0 - (PI * t).cos()) / 2.0 } else { t }
        };
        let (before, now) = (share(done - 1.0), share(done));
        let next = |group: &ParamGroupRef| {
            let (lr, swa) = (groups::number(group, "lr")?.to_f64(), groups::number(group, "swa_lr")?.to_f64());
            let initial = if before == 1.0 { swa } else { (lr - before * swa) / (1.0 - before) };
            Ok(Scalar::Float(swa * now + initial * (1.0 - now)))
        };
        s.optimizer().param_groups().iter().map(next).collect()
    }
}
