//! Schedulers that users write.

use super::LRScheduler;
use super::rule::Rule;
use super::state::SchedulerState;
use crate::error::Result;
use crate::optimizer::Optimizer;
use flambeau_autograd::{OrPanic, options};
use flambeau_tensor::Scalar;

/// How a scheduler of your own computes learning rates: what a subclass of `LRScheduler` writes in Python.
///
/// The scheduler that it gets has the base learning rates, the epoch and the optimizer; it may be asked anything.
///
/// ```
/// use flambeau_optim::{SGD, lr_scheduler::{LRScheduler, Schedule}};
///
/// struct Warmup {
///     steps: i64,
/// }
///
/// impl Schedule for Warmup {
///     fn get_lr(&self, scheduler: &LRScheduler) -> Vec<f64> {
///         let share = (scheduler.last_epoch() + 1).min(self.steps) as f64 / self.steps as f64;
///         scheduler.base_lrs().iter().map(|lr| lr * share).collect()
///     }
/// }
///
/// let w = flambeau_autograd::ones([2]).requires_grad_(true);
/// let optimizer = SGD::new([&w], 1.0);
/// let scheduler = LRScheduler::new(&optimizer, Warmup { steps: 4 });
/// assert_eq!(scheduler.get_last_lr(), [0.25]);
/// optimizer.step();
/// scheduler.step();
/// assert_eq!(optimizer.param_groups()[0].lr(), 0.5);
/// ```
pub trait Schedule: Send + Sync + 'static {
    /// Each group's learning rate at `scheduler.last_epoch()`.
    fn get_lr(&self, scheduler: &LRScheduler) -> Vec<f64>;

    /// The same, where it is known without the present learning rate: `_get_closed_form_lr`, which
    /// [`LRScheduler::step_epoch`] uses.
    fn get_closed_form_lr(&self, _scheduler: &LRScheduler) -> Option<Vec<f64>> {
        None
    }

    /// Attributes that the scheduler starts with. They are in its state dict; [`LRScheduler::get`] and [`LRScheduler::set`]
    /// reach them.
    fn attributes(&self) -> SchedulerState {
        SchedulerState::default()
    }
}

/// A user's schedule as a rule.
struct Custom<S> {
    name: String,
    schedule: S,
}

fn scalars(rates: Vec<f64>) -> Vec<Scalar> {
    rates.into_iter().map(Scalar::Float).collect()
}

impl<S: Schedule> Rule for Custom<S> {
    fn name(&self) -> &str {
        &self.name
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        Ok(scalars(self.schedule.get_lr(s)))
    }

    fn closed_form(&self, s: &LRScheduler) -> Option<Result<Vec<Scalar>>> {
        self.schedule.get_closed_form_lr(s).map(|rates| Ok(scalars(rates)))
    }

    /// PyTorch's own `get_lr` warn, a user's does not.
    fn warns(&self) -> bool {
        false
    }
}

options! {
    /// Options of [`LRScheduler::with`].
    #[derive(Clone, Debug)]
    LRSchedulerOptions {
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl LRScheduler {
    /// A scheduler of your own: [`Schedule`] says how it computes learning rates.
    ///
    /// # Panics
    /// When the schedule gives more or fewer learning rates than there are groups.
    #[track_caller]
    pub fn new(optimizer: &Optimizer, schedule: impl Schedule) -> Self {
        Self::with(optimizer, schedule, |o| o)
    }

    /// With options: `last_epoch`.
    ///
    /// # Panics
    /// As [`LRScheduler::new`]; with a `last_epoch` when the optimizer's groups have no `initial_lr`.
    #[track_caller]
    pub fn with<S: Schedule>(
        optimizer: &Optimizer,
        schedule: S,
        options: impl FnOnce(LRSchedulerOptions) -> LRSchedulerOptions,
    ) -> Self {
        let LRSchedulerOptions { last_epoch } = options(LRSchedulerOptions::default());
        let path = std::any::type_name::<S>();
        let path = path.split('<').next().unwrap_or(path);
        let name = path.rsplit("::").next().unwrap_or(path).to_owned();
        let fields = schedule.attributes();
        LRScheduler::build(optimizer, Custom { name, schedule }, fields, last_epoch).or_panic()
    }
}
