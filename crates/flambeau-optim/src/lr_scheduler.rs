//! Learning rates that change: `torch.optim.lr_scheduler`.
//!
//! Most schedulers compute the next learning rate from the present one, as PyTorch's chainable forms do, so several of them
//! may act on one optimizer. `new` takes what nearly every program gives, `with` what PyTorch requires, and the rest by
//! setters. A scheduler of your own implements [`Schedule`].

mod composed;
mod cosine;
mod custom;
mod cyclic;
mod factor;
mod groups;
mod lambda;
mod number;
mod one_cycle;
mod plateau;
mod rule;
mod state;
mod steps;
pub(crate) mod swa;

pub use composed::{ChainedScheduler, ChainedSchedulerOptions, SchedulerList, SequentialLR, SequentialLROptions};
pub use cosine::{
    CosineAnnealingLR, CosineAnnealingLROptions, CosineAnnealingWarmRestarts, CosineAnnealingWarmRestartsOptions,
};
pub use custom::{LRSchedulerOptions, Schedule};
pub use cyclic::{CyclicLR, CyclicLROptions};
pub use factor::{ConstantLR, ConstantLROptions, LinearLR, LinearLROptions, PolynomialLR, PolynomialLROptions};
pub use groups::{Metric, PerGroup};
pub use lambda::{LambdaLR, LambdaLROptions, MultiplicativeLR, MultiplicativeLROptions};
pub use one_cycle::{OneCycleLR, OneCycleLROptions};
pub use plateau::{ReduceLROnPlateau, ReduceLROnPlateauOptions};
pub use state::{SchedulerState, SchedulerValue};
pub use steps::{ExponentialLR, ExponentialLROptions, MultiStepLR, MultiStepLROptions, StepLR, StepLROptions};

use crate::error::{Error, Result};
use crate::optimizer::Optimizer;
use flambeau_autograd::{AsState, OrPanic, warn};
use flambeau_tensor::Scalar;
use rule::Rule;
use std::fmt;
use std::sync::{Arc, Mutex};

/// Any scheduler: `torch.optim.lr_scheduler.LRScheduler`. [`StepLR`] and the others are one each: what takes `&LRScheduler`
/// takes a reference to each of them, and `into()` makes this type of them. It is a cheap handle that shares its optimizer
/// and borrows nothing. [`LRScheduler::new`] makes one of a [`Schedule`] of your own.
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
pub struct LRScheduler(Arc<Shared>);

struct Shared {
    optimizer: Optimizer,
    rule: Box<dyn Rule>,
    /// What Python keeps in the scheduler's `__dict__`, by PyTorch's names. It is locked for single reads and writes only: a
    /// rule, or what a user wrote, may ask the scheduler while it computes.
    fields: Mutex<SchedulerState>,
}

impl LRScheduler {
    /// Sets the next learning rates; call it after the optimizer's steps of an epoch: `scheduler.step()`. Warns where the
    /// optimizer has not stepped yet, as PyTorch does.
    ///
    /// # Panics
    /// In PyTorch's words, when the schedule has no next learning rate: past the last step of a [`OneCycleLR`], where a number
    /// would be divided by zero, where a group was added that has no learning rate to start from; and for a
    /// [`ReduceLROnPlateau`] that was taken for any scheduler, since its `step` needs a metric.
    #[track_caller]
    pub fn step(&self) {
        self.try_step(None).or_panic();
    }

    /// Goes to an epoch: `scheduler.step(epoch)`. Where the scheduler knows its learning rate at any epoch it is set to that,
    /// else the schedule goes one step from the present learning rate. [`CosineAnnealingWarmRestarts`] takes a fraction of an
    /// epoch: `scheduler.step_epoch(epoch + i / iters)`. The others warn that PyTorch will do away with it.
    ///
    /// # Panics
    /// As [`LRScheduler::step`].
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::StepLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = StepLR::new(&optimizer, 10, 0.5);
    /// optimizer.step();
    /// scheduler.step_epoch(25);
    /// assert_eq!(scheduler.get_last_lr(), [0.25]);
    /// ```
    #[track_caller]
    pub fn step_epoch(&self, epoch: impl Into<Scalar>) {
        self.try_step(Some(epoch.into())).or_panic();
    }

    /// Each group's learning rate: `scheduler.get_last_lr()`.
    ///
    /// # Panics
    /// When the state has none.
    #[track_caller]
    pub fn get_last_lr(&self) -> Vec<f64> {
        self.floats("_last_lr").or_panic()
    }

    /// Computes the next learning rates and sets nothing: `scheduler.get_lr()`. Warns outside of a step, as PyTorch does, since
    /// [`LRScheduler::get_last_lr`] is nearly always meant.
    ///
    /// # Panics
    /// As [`LRScheduler::step`].
    #[track_caller]
    pub fn get_lr(&self) -> Vec<f64> {
        if self.0.rule.warns() && !self.flag(WITHIN).unwrap_or(false) {
            warn(LAST_IS_MEANT);
        }
        self.0.rule.get_lr(self).or_panic().into_iter().map(Scalar::to_f64).collect()
    }

    /// How many times the scheduler has stepped: `scheduler.last_epoch`.
    ///
    /// # Panics
    /// For a [`ChainedScheduler`], which does not count.
    #[track_caller]
    pub fn last_epoch(&self) -> i64 {
        self.float(LAST).or_panic() as i64
    }

    /// Each group's learning rate before the first scheduler was made: `scheduler.base_lrs`.
    ///
    /// # Panics
    /// For [`ReduceLROnPlateau`], [`SequentialLR`] and [`ChainedScheduler`], which have none.
    #[track_caller]
    pub fn base_lrs(&self) -> Vec<f64> {
        self.floats(BASE_LRS).or_panic()
    }

    /// The optimizer: `scheduler.optimizer`.
    pub fn optimizer(&self) -> &Optimizer {
        &self.0.optimizer
    }

    /// An attribute by PyTorch's name: `scheduler.T_max`, `scheduler.num_bad_epochs`.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::CosineAnnealingLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let scheduler = CosineAnnealingLR::new(&SGD::new([&w], 1.0), 50);
    /// assert_eq!(scheduler.get("T_max").and_then(|t| t.as_i64()), Some(50));
    /// ```
    pub fn get(&self, name: &str) -> Option<SchedulerValue> {
        self.fields().get(name).cloned()
    }

    /// Sets an attribute by PyTorch's name: `scheduler.gamma = 0.5`. The next step computes with it.
    pub fn set(&self, name: &str, value: impl Into<SchedulerValue>) {
        self.fields().set(name, value);
    }

    /// The scheduler's state; the learning rates themselves are in the optimizer's: `scheduler.state_dict()`.
    pub fn state_dict(&self) -> SchedulerState {
        let mut state = self.fields().clone();
        self.0.rule.save(&mut state);
        let parts = self.0.rule.parts();
        if !parts.is_empty() {
            state.set(PARTS, parts.iter().map(LRScheduler::state_dict).collect::<Vec<_>>());
        }
        state
    }

    /// Takes over a state, with its numbers (`gamma`, `step_size`, …), as PyTorch does. Make the scheduler first, then load
    /// the optimizer's state, since making one sets learning rates. It takes what [`LRScheduler::state_dict`] gave, or a file's
    /// value: `scheduler.load_state_dict(&checkpoint["scheduler"])`.
    ///
    /// # Errors
    /// PyTorch's `KeyError` where the state has no entry for what this scheduler runs: its functions, its schedulers.
    pub fn load_state_dict(&self, state_dict: impl AsState<SchedulerState>) -> Result<()> {
        self.load_state(state_dict.as_state()?.into_owned())
    }

    fn load_state(&self, mut state: SchedulerState) -> Result<()> {
        self.0.rule.load(&mut state)?;
        let parts = self.0.rule.parts();
        let saved = match state.remove(PARTS) {
            Some(SchedulerValue::List(saved)) => saved,
            _ if parts.is_empty() => Vec::new(),
            _ => return Err(Error::Key(PARTS.to_owned())),
        };
        if saved.len() > parts.len() {
            return Err(Error::Value("list index out of range".into()));
        }
        self.fields().update(&state);
        let dicts = saved.iter().filter_map(SchedulerValue::as_dict);
        parts.iter().zip(dicts).try_for_each(|(part, saved)| part.load_state(saved.clone()))
    }
}

const WITHIN: &str = "_get_lr_called_within_step";
const LAST: &str = "last_epoch";
const BASE_LRS: &str = "base_lrs";
const COUNT: &str = "_step_count";
const PARTS: &str = "_schedulers";

const LAST_IS_MEANT: &str = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.";

const BEFORE_OPTIMIZER: &str = "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you \
                                should call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  \
                                Failure to do this will result in PyTorch skipping the first value of the learning rate \
                                schedule. See more details at \
                                https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate";

const EPOCH_DEPRECATION: &str = "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. \
                                 Please use `scheduler.step()` to step the scheduler. During the deprecation, if epoch is different \
                                 from None, the closed form is used instead of the new chainable form, where available. Please open \
                                 an issue if you are unable to replicate your use case: \
                                 https://github.com/pytorch/pytorch/issues/new/choose.";

impl fmt::Debug for LRScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.0.rule.name(), self.state_dict())
    }
}
