//! Learning rates that change: `torch.optim.lr_scheduler`.
//!
//! Every scheduler computes the next learning rate from the present one, as PyTorch's chainable forms do, so several of
//! them may act on one optimizer. `new` takes what nearly every program gives, `with` what PyTorch requires, and the rest
//! by setters.

mod schedules;
mod state;

pub use schedules::{
    ConstantLR, ConstantLROptions, CosineAnnealingLR, CosineAnnealingLROptions, ExponentialLR, ExponentialLROptions,
    LambdaLR, LambdaLROptions, LinearLR, LinearLROptions, MultiStepLR, MultiStepLROptions, MultiplicativeLR,
    MultiplicativeLROptions, PolynomialLR, PolynomialLROptions, StepLR, StepLROptions,
};
pub use state::SchedulerState;

use crate::error::{Error, Result, check};
use crate::optimizer::Optimizer;
use crate::options::{OptionValue, Options};
use flambeau_autograd::{OrPanic, ops, warn};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a schedule sees of one group.
pub(crate) struct Moment {
    /// How many times the scheduler has stepped; 0 when it is made.
    pub epoch: i64,
    /// Whether the scheduler is being made.
    pub initial: bool,
    /// The group's present learning rate.
    pub lr: f64,
    /// The group's learning rate before the first scheduler was made.
    pub base_lr: f64,
    /// The group's number.
    pub group: usize,
}

/// A function of the epoch that a user wrote.
pub(crate) type Lambda = Arc<dyn Fn(i64) -> f64 + Send + Sync>;

/// How a scheduler computes a learning rate: a formula over numbers that its state dict holds.
pub(crate) struct Schedule {
    /// Its numbers, by PyTorch's names.
    pub options: Options,
    /// Epochs, and how often each is named: MultiStepLR's.
    pub milestones: Option<Vec<(i64, i64)>>,
    /// One function per group: LambdaLR's and MultiplicativeLR's.
    pub lambdas: Vec<Lambda>,
    pub formula: fn(&Schedule, &Moment) -> Result<f64>,
}

impl Schedule {
    pub fn new<const N: usize>(
        options: [(&str, OptionValue); N],
        formula: fn(&Schedule, &Moment) -> Result<f64>,
    ) -> Self {
        Schedule { options: Options::new(options), milestones: None, lambdas: Vec::new(), formula }
    }
}

struct Inner {
    optimizer: Optimizer,
    schedule: Schedule,
    base_lrs: Vec<f64>,
    last_epoch: i64,
    step_count: i64,
    last_lr: Vec<f64>,
}

/// Any scheduler: `torch.optim.lr_scheduler.LRScheduler`. [`StepLR`] and the others are one each: what takes `&LRScheduler`
/// takes a reference to each of them, and `into()` makes this type of them. It is a cheap handle that shares its optimizer
/// and borrows nothing.
///
/// ```
/// use flambeau_optim::{SGD, lr_scheduler::{ExponentialLR, LRScheduler, StepLR}};
///
/// fn end_of_epoch(scheduler: &LRScheduler) -> f64 {
///     scheduler.step();
///     scheduler.get_last_lr()[0]
/// }
///
/// let w = flambeau_autograd::ones([2]).requires_grad_(true);
/// let optimizer = SGD::new([&w], 1.0);
/// let schedulers: Vec<LRScheduler> =
///     vec![StepLR::new(&optimizer, 1, 0.5).into(), ExponentialLR::new(&optimizer, 0.5).into()];
/// optimizer.step();
/// assert_eq!(schedulers.iter().map(end_of_epoch).collect::<Vec<_>>(), [0.5, 0.25]);
/// ```
#[derive(Clone)]
pub struct LRScheduler(Arc<Mutex<Inner>>);

impl LRScheduler {
    /// A scheduler that has stepped `last_epoch` + 1 times; with -1 it starts.
    #[track_caller]
    pub(crate) fn new(optimizer: &Optimizer, schedule: Schedule, last_epoch: i64) -> Self {
        let base_lrs = base_lrs(optimizer, last_epoch).or_panic();
        optimizer.watch();
        let optimizer = optimizer.clone();
        let mut inner = Inner { optimizer, schedule, base_lrs, last_epoch, step_count: 0, last_lr: Vec::new() };
        inner.step(true).or_panic();
        LRScheduler(Arc::new(Mutex::new(inner)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the next learning rates; call it after the optimizer's steps of an epoch: `scheduler.step()`. Warns where the
    /// optimizer has not stepped yet, as PyTorch does.
    ///
    /// # Panics
    /// When groups were added to the optimizer since, or a group's `lr` is no number.
    #[track_caller]
    pub fn step(&self) {
        let mut inner = self.lock();
        if inner.step_count == 1 && !inner.optimizer.called() {
            warn(BEFORE_OPTIMIZER);
        }
        inner.step(false).or_panic();
    }

    /// Each group's learning rate: `scheduler.get_last_lr()`.
    pub fn get_last_lr(&self) -> Vec<f64> {
        self.lock().last_lr.clone()
    }

    /// How many times the scheduler has stepped: `scheduler.last_epoch`.
    pub fn last_epoch(&self) -> i64 {
        self.lock().last_epoch
    }

    /// Each group's learning rate before the first scheduler was made: `scheduler.base_lrs`.
    pub fn base_lrs(&self) -> Vec<f64> {
        self.lock().base_lrs.clone()
    }

    /// The scheduler's state; the learning rates themselves are in the optimizer's: `scheduler.state_dict()`.
    pub fn state_dict(&self) -> SchedulerState {
        let inner = self.lock();
        SchedulerState {
            options: inner.schedule.options.iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            milestones: inner.schedule.milestones.clone(),
            base_lrs: inner.base_lrs.clone(),
            last_epoch: inner.last_epoch,
            step_count: inner.step_count,
            last_lr: inner.last_lr.clone(),
            lambdas: inner.schedule.lambdas.len(),
        }
    }

    /// Takes over a state, with its numbers (`gamma`, `step_size`, …), as PyTorch does. Make the scheduler first, then load
    /// the optimizer's state, since making one sets learning rates.
    ///
    /// # Errors
    /// When the state is of an optimizer with another number of groups.
    pub fn load_state_dict(&self, state: &SchedulerState) -> Result<()> {
        let mut inner = self.lock();
        let groups = inner.base_lrs.len();
        check(state.base_lrs.len() == groups && state.last_lr.len() == groups, || {
            format!(
                "loaded state dict has learning rates of {} groups, the optimizer has {groups}",
                state.base_lrs.len()
            )
        })?;
        state.options.iter().for_each(|(name, value)| inner.schedule.options.set(name, value.clone()));
        if let Some(milestones) = &state.milestones {
            inner.schedule.milestones = Some(milestones.clone());
        }
        inner.base_lrs = state.base_lrs.clone();
        inner.last_epoch = state.last_epoch;
        inner.step_count = state.step_count;
        inner.last_lr = state.last_lr.clone();
        Ok(())
    }
}

/// Each group's `initial_lr`, which the first scheduler sets.
fn base_lrs(optimizer: &Optimizer, last_epoch: i64) -> Result<Vec<f64>> {
    let base = |(i, group): (usize, crate::ParamGroupRef)| {
        if group.get(INITIAL).is_none() {
            check(last_epoch == -1, || NO_INITIAL.replace("{i}", &i.to_string()))?;
            // A tensor is copied: the scheduler writes to the group's own.
            let lr = group.get("lr").unwrap_or(OptionValue::None);
            group.set(INITIAL, if let OptionValue::Tensor(lr) = lr { ops::clone(&lr.detach())?.into() } else { lr });
        }
        let initial = group.get(INITIAL).and_then(OptionValue::as_f64);
        initial.ok_or_else(|| Error::Type(format!("the initial_lr of parameter group {i} is no number")))
    };
    optimizer.param_groups().into_iter().enumerate().map(base).collect()
}

const INITIAL: &str = "initial_lr";

const NO_INITIAL: &str =
    "param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch >= 0.
This typically happens when:
1. You're trying to resume training from a checkpoint but haven't properly loaded the optimizer state
2. You're using last_epoch >= 0 for a fresh training run (not recommended)";

const BEFORE_OPTIMIZER: &str = "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you \
                                should call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  \
                                Failure to do this will result in PyTorch skipping the first value of the learning rate \
                                schedule. See more details at \
                                https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate";

impl Inner {
    fn step(&mut self, initial: bool) -> Result<()> {
        let groups = self.optimizer.param_groups();
        check(groups.len() == self.base_lrs.len(), || {
            format!(
                "the optimizer has {} parameter groups, but had {} when the scheduler was made",
                groups.len(),
                self.base_lrs.len()
            )
        })?;
        let epoch = self.last_epoch + 1;
        let next = |(i, group): (usize, &crate::ParamGroupRef)| {
            let moment = Moment { epoch, initial, lr: group.number("lr")?, base_lr: self.base_lrs[i], group: i };
            (self.schedule.formula)(&self.schedule, &moment)
        };
        let lrs: Vec<f64> = groups.iter().enumerate().map(next).collect::<Result<_>>()?;
        groups.iter().zip(&lrs).try_for_each(|(group, lr)| group.assign("lr", *lr))?;
        (self.last_epoch, self.last_lr) = (epoch, lrs);
        self.step_count += 1;
        Ok(())
    }
}

impl fmt::Debug for LRScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LRScheduler({:?})", self.state_dict())
    }
}
