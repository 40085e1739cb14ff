//! Learning rates that change: `torch.optim.lr_scheduler`.
//!
//! Every scheduler computes the next learning rate from the present one, as PyTorch's chainable forms do, so several of
//! them may act on one optimizer.

mod schedules;

pub use schedules::{
    ConstantLR, CosineAnnealingLR, ExponentialLR, LambdaLR, LinearLR, MultiStepLR, MultiplicativeLR, PolynomialLR,
    StepLR,
};

use crate::error::{Error, Result};
use crate::optimizer::Optimizer;
use crate::options::OptionValue;
use flambeau_autograd::OrPanic;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a schedule sees of one group.
pub(crate) struct Moment {
    /// How many times the scheduler has stepped; 0 when it is made.
    pub epoch: i64,
    /// The group's present learning rate.
    pub lr: f64,
    /// The group's learning rate before the scheduler was made.
    pub base_lr: f64,
    /// The group's number.
    pub group: usize,
}

/// The next learning rate of a group.
pub(crate) type Schedule = Box<dyn Fn(&Moment) -> f64 + Send + Sync>;

struct Inner {
    optimizer: Optimizer,
    schedule: Schedule,
    state: SchedulerState,
}

/// What a scheduler knows besides its own formula: `scheduler.state_dict()`.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerState {
    /// How many times the scheduler has stepped.
    pub last_epoch: i64,
    /// Each group's learning rate before the scheduler was made.
    pub base_lrs: Vec<f64>,
    /// Each group's learning rate after the last step.
    pub last_lr: Vec<f64>,
}

/// A learning-rate scheduler: a cheap handle that shares its optimizer and borrows nothing. [`StepLR`] and the others
/// make one.
#[derive(Clone)]
pub struct LRScheduler(Arc<Mutex<Inner>>);

impl LRScheduler {
    #[track_caller]
    pub(crate) fn new(optimizer: &Optimizer, schedule: impl Fn(&Moment) -> f64 + Send + Sync + 'static) -> Self {
        let base = |group: crate::ParamGroupRef| {
            let initial = match group.get("initial_lr") {
                Some(OptionValue::Number(lr)) => lr.to_f64(),
                _ => group.lr(),
            };
            group.set("initial_lr", initial);
            initial
        };
        let base_lrs = optimizer.param_groups().into_iter().map(base).collect();
        let state = SchedulerState { last_epoch: -1, base_lrs, last_lr: Vec::new() };
        let inner = Inner { optimizer: optimizer.clone(), schedule: Box::new(schedule), state };
        let scheduler = LRScheduler(Arc::new(Mutex::new(inner)));
        scheduler.step();
        scheduler
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the next learning rates; call it after the optimizer's steps of an epoch: `scheduler.step()`.
    ///
    /// # Panics
    /// When groups were added to the optimizer since, or a group's `lr` is no number.
    #[track_caller]
    pub fn step(&self) {
        self.lock().step().or_panic();
    }

    /// Each group's learning rate: `scheduler.get_last_lr()`.
    pub fn get_last_lr(&self) -> Vec<f64> {
        self.lock().state.last_lr.clone()
    }

    /// How many times the scheduler has stepped: `scheduler.last_epoch`.
    pub fn last_epoch(&self) -> i64 {
        self.lock().state.last_epoch
    }

    /// The scheduler's state; the learning rates themselves are in the optimizer's.
    pub fn state_dict(&self) -> SchedulerState {
        self.lock().state.clone()
    }

    /// Takes over a state. Make the scheduler first, then load the optimizer's state, since making one sets learning rates.
    ///
    /// # Errors
    /// When the state is of an optimizer with another number of groups.
    pub fn load_state_dict(&self, state: &SchedulerState) -> Result<()> {
        let mut inner = self.lock();
        let groups = inner.state.base_lrs.len();
        crate::error::check(state.base_lrs.len() == groups && state.last_lr.len() == groups, || {
            format!(
                "loaded state dict has learning rates of {} groups, the optimizer has {groups}",
                state.base_lrs.len()
            )
        })?;
        inner.state = state.clone();
        Ok(())
    }
}

impl Inner {
    fn step(&mut self) -> Result<()> {
        let groups = self.optimizer.param_groups();
        if groups.len() != self.state.base_lrs.len() {
            return Err(Error::Value(format!(
                "the optimizer has {} parameter groups, but had {} when the scheduler was made",
                groups.len(),
                self.state.base_lrs.len()
            )));
        }
        self.state.last_epoch += 1;
        let epoch = self.state.last_epoch;
        let next = |(i, group): (usize, &crate::ParamGroupRef)| {
            let moment = Moment { epoch, lr: group.lr(), base_lr: self.state.base_lrs[i], group: i };
            (self.schedule)(&moment)
        };
        let lrs: Vec<f64> = groups.iter().enumerate().map(next).collect();
        groups.iter().zip(&lrs).for_each(|(group, lr)| group.set_lr(*lr));
        self.state.last_lr = lrs;
        Ok(())
    }
}

impl fmt::Debug for LRScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LRScheduler({:?})", self.lock().state)
    }
}
