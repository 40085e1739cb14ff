//! Learning rates that fall where a metric no longer gets better.

use super::groups::{Metric, PerGroup, number};
use super::rule::Rule;
use super::state::{SchedulerState, SchedulerValue, entries};
use super::{EPOCH_DEPRECATION, LAST, LRScheduler};
use crate::error::{Error, Result, check};
use crate::handle::handle;
use crate::optimizer::Optimizer;
use flambeau_autograd::{OrPanic, options, warn};
use flambeau_tensor::Scalar;

handle! {
    /// lr · factor where a metric has not got better for more than `patience` epochs:
    /// `torch.optim.lr_scheduler.ReduceLROnPlateau`. Its `step` takes the metric. It is an [`LRScheduler`] and has its other
    /// methods; `get("best")`, `get("num_bad_epochs")` and `get("cooldown_counter")` tell where it stands.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::ReduceLROnPlateau};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = ReduceLROnPlateau::with(&optimizer, |o| o.mode("min").factor(0.5).patience(1));
    /// for loss in [0.9, 0.8, 0.8, 0.8] {
    ///     scheduler.step(loss);
    /// }
    /// assert_eq!(scheduler.get_last_lr(), [0.5]);
    /// ```
    ReduceLROnPlateau(LRScheduler)
}

options! {
    /// Options of [`ReduceLROnPlateau`].
    #[derive(Clone, Debug)]
    ReduceLROnPlateauOptions {
        /// Whether a metric is better that is less, `"min"`, or greater, `"max"` ("min").
        mode: String = "min".to_owned(),
        /// The factor (0.1).
        factor: f64 = 0.1,
        /// How many epochs without a better metric are borne (10).
        patience: i64 = 10,
        /// By how much a metric must be better (1e-4).
        threshold: f64 = 1e-4,
        /// Whether the threshold is a share of the best metric, `"rel"`, or a difference, `"abs"` ("rel").
        threshold_mode: String = "rel".to_owned(),
        /// For how many epochs after a fall none is counted (0).
        cooldown: i64 = 0,
        /// The least learning rate, or one for each group (0).
        min_lr: PerGroup = PerGroup::All(0.into()),
        /// A fall by no more than this is not made (1e-8).
        eps: f64 = 1e-8,
    }
}

impl ReduceLROnPlateau {
    /// Multiplies by 0.1 after 10 epochs in which the metric was not less: `ReduceLROnPlateau(optimizer)`.
    #[track_caller]
    pub fn new(optimizer: &Optimizer) -> Self {
        Self::with(optimizer, |o| o)
    }

    /// With options: `mode`, `factor`, `patience`, `threshold`, `threshold_mode`, `cooldown`, `min_lr`, `eps`.
    ///
    /// # Panics
    /// In PyTorch's words, when the factor is not below 1, a mode is unknown, or `min_lr` has not one number for each group.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        options: impl FnOnce(ReduceLROnPlateauOptions) -> ReduceLROnPlateauOptions,
    ) -> Self {
        ReduceLROnPlateau(build(optimizer, options(ReduceLROnPlateauOptions::default())).or_panic())
    }

    /// Sees an epoch's metric, a number or a tensor of one element, and lowers the learning rates where it is time:
    /// `scheduler.step(val_loss)`.
    ///
    /// # Panics
    /// When groups were added and `min_lr` is a list, in PyTorch's words.
    #[track_caller]
    pub fn step(&self, metrics: impl Metric) {
        let epoch = self.next_epoch().or_panic();
        see(self, metrics.to_float(), epoch).or_panic();
    }

    /// [`ReduceLROnPlateau::step`] for an epoch: `scheduler.step(val_loss, epoch)`. It warns that PyTorch will do away with it.
    ///
    /// # Panics
    /// As [`ReduceLROnPlateau::step`].
    #[track_caller]
    pub fn step_epoch(&self, metrics: impl Metric, epoch: impl Into<Scalar>) {
        let metrics = metrics.to_float();
        warn(EPOCH_DEPRECATION);
        see(self, metrics, epoch.into()).or_panic();
    }

    /// Whether epochs are not counted, since the learning rate fell lately: `scheduler.in_cooldown`.
    pub fn in_cooldown(&self) -> bool {
        self.float("cooldown_counter").is_ok_and(|left| left > 0.0)
    }
}

fn build(optimizer: &Optimizer, options: ReduceLROnPlateauOptions) -> Result<LRScheduler> {
    // NaN passes, as in Python.
    let too_large = options.factor >= 1.0;
    check(!too_large, || "Factor should be < 1.0.".into())?;
    let groups = optimizer.param_groups().len();
    let (default, least) = match options.min_lr {
        PerGroup::All(x) => (x.into(), vec![x; groups]),
        PerGroup::Each(list) => {
            check(list.len() == groups, || format!("expected {groups} min_lrs, got {}", list.len()))?;
            (SchedulerValue::None, list)
        }
    };
    let fields = entries([
        ("factor", options.factor.into()),
        ("default_min_lr", default),
        ("min_lrs", least.into()),
        ("patience", options.patience.into()),
        ("cooldown", options.cooldown.into()),
        ("eps", options.eps.into()),
        (LAST, 0.into()),
    ]);
    let scheduler = LRScheduler::bare(optimizer, PlateauRule, fields);
    scheduler.note_rates()?;
    let worst = worst(&options.mode, &options.threshold_mode)?;
    let rest: [(&str, SchedulerValue); 7] = [
        ("mode_worse", worst.into()),
        ("mode", options.mode.into()),
        ("threshold", options.threshold.into()),
        ("threshold_mode", options.threshold_mode.into()),
        ("best", worst.into()),
        ("cooldown_counter", 0.into()),
        ("num_bad_epochs", 0.into()),
    ];
    rest.into_iter().for_each(|(name, value)| scheduler.set(name, value));
    Ok(scheduler)
}

/// What every metric is better than.
fn worst(mode: &str, threshold_mode: &str) -> Result<f64> {
    check(matches!(mode, "min" | "max"), || format!("mode {mode} is unknown!"))?;
    check(matches!(threshold_mode, "rel" | "abs"), || format!("threshold mode {threshold_mode} is unknown!"))?;
    Ok(if mode == "min" { f64::INFINITY } else { f64::NEG_INFINITY })
}

fn is_better(s: &LRScheduler, metric: f64) -> Result<bool> {
    let (best, threshold) = (s.float("best")?, s.float("threshold")?);
    Ok(match (s.text("mode")?.as_str(), s.text("threshold_mode")?.as_str()) {
        ("min", "rel") => metric < best * (1.0 - threshold),
        ("min", "abs") => metric < best - threshold,
        ("max", "rel") => metric > best * (threshold + 1.0),
        _ => metric > best + threshold,
    })
}

fn see(s: &LRScheduler, metric: f64, epoch: Scalar) -> Result<()> {
    s.set(LAST, epoch);
    let count = |name: &str| s.float(name).map(|x| x as i64);
    let mut bad = count("num_bad_epochs")? + 1;
    if is_better(s, metric)? {
        s.set("best", metric);
        bad = 0;
    }
    let cooldown = count("cooldown_counter")?;
    if cooldown > 0 {
        s.set("cooldown_counter", cooldown - 1);
        bad = 0;
    }
    s.set("num_bad_epochs", bad);
    if bad as f64 > s.float("patience")? {
        reduce(s)?;
        s.set("cooldown_counter", s.value("cooldown")?);
        s.set("num_bad_epochs", 0);
    }
    s.note_rates()
}

fn reduce(s: &LRScheduler) -> Result<()> {
    let groups = s.optimizer().param_groups();
    let known = s.numbers("min_lrs")?.len();
    if groups.len() != known {
        let default = s.value("default_min_lr")?;
        check(default != SchedulerValue::None, || {
            format!(
                "The number of param groups in the `optimizer` ({}) differs from when `ReduceLROnPlateau` was initialized \
                 ({known}), usually due to a new param group being added to the optimizer. Please modify the `min_lrs` field to \
                 match the length of the `optimizer` param groups.",
                groups.len()
            )
        })?;
        s.set("min_lrs", vec![default; groups.len()]);
    }
    let (factor, eps) = (s.float("factor")?, s.float("eps")?);
    for (group, least) in groups.iter().zip(s.numbers("min_lrs")?) {
        let old = number(group, "lr")?.to_f64();
        let lower = old * factor;
        let new = if least.to_f64() > lower { least } else { lower.into() };
        if old - new.to_f64() > eps {
            group.assign("lr", new)?;
        }
    }
    Ok(())
}

pub(super) struct PlateauRule;

/// PyTorch's class name, by which a sequence knows what it cannot run.
pub(super) const NAME: &str = "ReduceLROnPlateau";

impl Rule for PlateauRule {
    fn name(&self) -> &str {
        NAME
    }

    fn get_lr(&self, _: &LRScheduler) -> Result<Vec<Scalar>> {
        Err(Error::Value("NotImplementedError".into()))
    }

    fn warns(&self) -> bool {
        false
    }

    fn step(&self, _: &LRScheduler, _: Option<Scalar>) -> Option<Result<()>> {
        let text = "ReduceLROnPlateau.step() missing 1 required positional argument: 'metrics'";
        Some(Err(Error::Type(text.into())))
    }

    fn load(&self, state: &mut SchedulerState) -> Result<()> {
        let text = |name: &str| state.get(name).and_then(SchedulerValue::as_str);
        if let (Some(mode), Some(threshold_mode)) = (text("mode"), text("threshold_mode")) {
            let worst = worst(mode, threshold_mode)?;
            state.set("mode_worse", worst);
        }
        Ok(())
    }
}
