//! Learning rates that go up and down.

use super::groups::{PerGroup, set_momentum, uses_beta1};
use super::number::{div, pow};
use super::rule::{Rule, same_length};
use super::state::{SchedulerState, SchedulerValue, entries};
use super::{BASE_LRS, LAST, LRScheduler};
use crate::error::{Error, Result, check};
use crate::handle::handle;
use crate::optimizer::Optimizer;
use flambeau_autograd::{OrPanic, Setting};
use flambeau_tensor::Scalar;
use std::sync::Arc;

handle! {
    /// The learning rate goes from `base_lr` to `max_lr` and back, over and over: `torch.optim.lr_scheduler.CyclicLR`. It is an
    /// [`LRScheduler`] and has all of its methods; `step` is called after each batch.
    ///
    /// With `cycle_momentum`, which is PyTorch's default, the momentum goes the other way; an optimizer without momentum needs
    /// `cycle_momentum(false)`.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::CyclicLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::with([&w], 0.1, |o| o.momentum(0.9));
    /// let scheduler = CyclicLR::with(&optimizer, 0.0, 1.0, |o| o.step_size_up(2).mode("triangular2"));
    /// let rates: Vec<f64> = (0..7).map(|_| {
    ///     let rate = scheduler.get_last_lr()[0];
    ///     optimizer.step();
    ///     scheduler.step();
    ///     rate
    /// }).collect();
    /// assert_eq!(rates, [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5]);
    /// ```
    CyclicLR(LRScheduler)
}

/// A function that scales a cycle.
type Scale = Arc<dyn Fn(f64) -> f64 + Send + Sync>;

/// Options of [`CyclicLR`].
#[derive(Clone)]
pub struct CyclicLROptions {
    step_size_up: f64,
    step_size_down: Option<f64>,
    mode: String,
    gamma: f64,
    scale_fn: Option<Scale>,
    scale_mode: String,
    cycle_momentum: bool,
    base_momentum: PerGroup,
    max_momentum: PerGroup,
    last_epoch: i64,
}

impl Default for CyclicLROptions {
    fn default() -> Self {
        CyclicLROptions {
            step_size_up: 2000.0,
            step_size_down: None,
            mode: "triangular".into(),
            gamma: 1.0,
            scale_fn: None,
            scale_mode: "cycle".into(),
            cycle_momentum: true,
            base_momentum: PerGroup::All(0.8.into()),
            max_momentum: PerGroup::All(0.9.into()),
            last_epoch: -1,
        }
    }
}

/// Setters of options, each by what it takes.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $t:ty;)*) => {
        impl CyclicLROptions {$(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $name: impl Setting<$t>) -> Self {
                self.$name = $name.setting();
                self
            }
        )*}
    };
}

setters! {
    /// In how many steps the learning rate rises (2000).
    step_size_up: f64;
    /// In how many steps it falls; `None` for as many as it rises in (`None`).
    step_size_down: Option<f64>;
    /// `"triangular"`, `"triangular2"` (each cycle half as high as the one before) or `"exp_range"` (times gamma to the number
    /// of steps) ("triangular").
    mode: String;
    /// The factor of `"exp_range"` (1).
    gamma: f64;
    /// What `scale_fn` is given: with `"cycle"` the number of the cycle, which starts at 1, with `"iterations"` that of steps
    /// ("cycle").
    scale_mode: String;
    /// Whether the momentum, or the first of the betas, cycles too, against the learning rate (true).
    cycle_momentum: bool;
    /// The least momentum, or one for each group (0.8).
    base_momentum: PerGroup;
    /// The largest momentum, or one for each group (0.9).
    max_momentum: PerGroup;
    /// How many times the schedule has stepped already, less one; -1 starts it (-1).
    last_epoch: i64;
}

impl CyclicLROptions {
    /// A function that scales the height of a cycle, in the place of `mode`'s (`None`).
    #[must_use]
    pub fn scale_fn(mut self, scale_fn: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        self.scale_fn = Some(Arc::new(scale_fn));
        self
    }
}

impl CyclicLR {
    /// Up in 2000 steps and down in 2000: `CyclicLR(optimizer, base_lr, max_lr)`. The rates are numbers, or lists of one for
    /// each group.
    ///
    /// # Panics
    /// As [`CyclicLR::with`].
    #[track_caller]
    pub fn new(optimizer: &Optimizer, base_lr: impl Setting<PerGroup>, max_lr: impl Setting<PerGroup>) -> Self {
        Self::with(optimizer, base_lr, max_lr, |o| o)
    }

    /// With options: `step_size_up`, `step_size_down`, `mode`, `gamma`, `scale_fn`, `scale_mode`, `cycle_momentum`,
    /// `base_momentum`, `max_momentum`, `last_epoch`.
    ///
    /// # Panics
    /// In PyTorch's words: when a list has not one number for each group, the mode is unknown, the optimizer has no momentum
    /// to cycle; with a `last_epoch` when its groups have no `initial_lr`.
    #[track_caller]
    pub fn with(
        optimizer: &Optimizer,
        base_lr: impl Setting<PerGroup>,
        max_lr: impl Setting<PerGroup>,
        options: impl FnOnce(CyclicLROptions) -> CyclicLROptions,
    ) -> Self {
        let options = options(CyclicLROptions::default());
        CyclicLR(build(optimizer, base_lr.setting(), max_lr.setting(), options).or_panic())
    }
}

fn build(optimizer: &Optimizer, base_lr: PerGroup, max_lr: PerGroup, options: CyclicLROptions) -> Result<LRScheduler> {
    let starts = options.last_epoch == -1;
    let groups = optimizer.param_groups();
    let base_lrs = base_lr.of("base_lr", optimizer)?;
    if starts {
        groups.iter().zip(&base_lrs).try_for_each(|(group, lr)| group.assign("lr", *lr))?;
    }
    let max_lrs = max_lr.of("max_lr", optimizer)?;
    let up = options.step_size_up;
    let total = up + options.step_size_down.unwrap_or(up);
    let ratio = div(up, total)?;
    let known = scale_mode(&options.mode);
    check(known.is_some() || options.scale_fn.is_some(), || "mode is invalid and scale_fn is None".into())?;
    let scale_mode = match known {
        Some(mode) if options.scale_fn.is_none() => mode.into(),
        _ => options.scale_mode.into(),
    };
    let mut fields = entries([
        ("max_lrs", max_lrs.into()),
        ("total_size", total.into()),
        ("step_ratio", ratio.into()),
        ("mode", options.mode.into()),
        ("gamma", options.gamma.into()),
        ("scale_mode", scale_mode),
        ("cycle_momentum", options.cycle_momentum.into()),
    ]);
    if options.cycle_momentum {
        let use_beta1 = uses_beta1(optimizer)?;
        let least = options.base_momentum.of("base_momentum", optimizer)?;
        let most = options.max_momentum.of("max_momentum", optimizer)?;
        if starts {
            start_momentum(optimizer, use_beta1, &least, &most);
        }
        fields.set("use_beta1", use_beta1);
        fields.set("base_momentums", least);
        fields.set("max_momentums", most);
    }
    let scheduler = LRScheduler::build(optimizer, CyclicRule(options.scale_fn), fields, options.last_epoch)?;
    scheduler.set(BASE_LRS, base_lrs);
    Ok(scheduler)
}

/// Sets the groups' momentum to the largest, and notes the bounds in the groups.
pub(super) fn start_momentum(optimizer: &Optimizer, use_beta1: bool, least: &[Scalar], most: &[Scalar]) {
    for (group, (least, most)) in optimizer.param_groups().iter().zip(least.iter().zip(most)) {
        set_momentum(group, use_beta1, *most);
        group.set("max_momentum", *most);
        group.set("base_momentum", *least);
    }
}

/// What a mode's own function of scale is given.
fn scale_mode(mode: &str) -> Option<&'static str> {
    match mode {
        "triangular" | "triangular2" => Some("cycle"),
        "exp_range" => Some("iterations"),
        _ => None,
    }
}

struct CyclicRule(Option<Scale>);

const CUSTOM: &str = "_scale_fn_custom";

impl CyclicRule {
    fn scale(&self, s: &LRScheduler, x: f64) -> Result<f64> {
        match (&self.0, s.text("mode")?.as_str()) {
            (Some(scale), _) => Ok(scale(x)),
            (None, "triangular") => Ok(1.0),
            (None, "triangular2") => div(1.0, pow(2.0, x - 1.0)?),
            (None, _) => pow(s.float("gamma")?, x),
        }
    }
}

impl Rule for CyclicRule {
    fn name(&self) -> &str {
        "CyclicLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let (epoch, ratio) = (s.float(LAST)?, s.float("step_ratio")?);
        let turns = div(epoch, s.float("total_size")?)?;
        let cycle = (1.0 + turns).floor();
        let x = 1.0 + turns - cycle;
        let share = if x <= ratio { div(x, ratio)? } else { div(x - 1.0, ratio - 1.0)? };
        let at = if s.text("scale_mode")? == "cycle" { cycle } else { epoch };
        // The scale is asked for anew for each group, as in PyTorch: a user's function may count its calls.
        let heights = |low: &str, high: &str| -> Result<Vec<[f64; 3]>> {
            let pairs = s.floats(low)?.into_iter().zip(s.floats(high)?);
            pairs.map(|(low, high)| Ok([low, high, (high - low) * share * self.scale(s, at)?])).collect()
        };
        let rates = heights(BASE_LRS, "max_lrs")?.into_iter().map(|[low, _, height]| (low + height).into()).collect();
        if s.flag("cycle_momentum")? {
            let use_beta1 = s.flag("use_beta1")?;
            let momentums = heights("base_momentums", "max_momentums")?;
            let groups = s.optimizer().param_groups();
            for (group, [_, high, height]) in groups.iter().zip(&momentums) {
                set_momentum(group, use_beta1, (high - height).into());
            }
            same_length(groups.len(), momentums.len())?;
        }
        Ok(rates)
    }

    fn save(&self, state: &mut SchedulerState) {
        state.set(CUSTOM, SchedulerValue::None);
    }

    fn load(&self, state: &mut SchedulerState) -> Result<()> {
        state.remove(CUSTOM).ok_or_else(|| Error::Key(CUSTOM.to_owned()))?;
        let mode = state.get("mode").and_then(SchedulerValue::as_str).and_then(scale_mode);
        if let (None, Some(scale_mode)) = (&self.0, mode) {
            state.set("scale_mode", scale_mode);
        }
        Ok(())
    }
}
