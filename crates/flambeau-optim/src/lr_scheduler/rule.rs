//! What all schedulers share: Python's base class.

use super::state::SchedulerState;
use super::{
    BASE_LRS, BEFORE_OPTIMIZER, COUNT, EPOCH_DEPRECATION, LAST, LRScheduler, SchedulerValue, Shared, WITHIN, groups,
};
use crate::error::{Error, Result, check};
use crate::optimizer::Optimizer;
use flambeau_autograd::warn;
use flambeau_tensor::Scalar;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a scheduler computes learning rates: what a subclass of PyTorch's `LRScheduler` overrides. Its numbers are in the
/// scheduler's fields.
pub(crate) trait Rule: Send + Sync {
    /// PyTorch's class name.
    fn name(&self) -> &str;

    /// Each group's next learning rate.
    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>>;

    /// Each group's learning rate at the scheduler's epoch, if the rule knows it: `_get_closed_form_lr`.
    fn closed_form(&self, _: &LRScheduler) -> Option<Result<Vec<Scalar>>> {
        None
    }

    /// The step of a rule that does not take the base class's.
    fn step(&self, _: &LRScheduler, _epoch: Option<Scalar>) -> Option<Result<()>> {
        None
    }

    /// Whether `get_lr` warns outside of a step.
    fn warns(&self) -> bool {
        true
    }

    /// The schedulers that this one runs: `_schedulers`.
    fn parts(&self) -> &[LRScheduler] {
        &[]
    }

    /// Puts what stands for functions into a state.
    fn save(&self, _: &mut SchedulerState) {}

    /// Takes it out again.
    fn load(&self, _: &mut SchedulerState) -> Result<()> {
        Ok(())
    }
}

const INITIAL: &str = "initial_lr";

const NO_INITIAL: &str =
    "param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch >= 0.
This typically happens when:
1. You're trying to resume training from a checkpoint but haven't properly loaded the optimizer state
2. You're using last_epoch >= 0 for a fresh training run (not recommended)";

impl LRScheduler {
    /// A scheduler that has stepped `last_epoch` + 1 times; with -1 it starts. `fields` are the attributes that its class sets
    /// before the base class's.
    pub(crate) fn build(
        optimizer: &Optimizer,
        rule: impl Rule + 'static,
        fields: SchedulerState,
        last_epoch: i64,
    ) -> Result<Self> {
        for (i, group) in optimizer.param_groups().iter().enumerate() {
            if group.get(INITIAL).is_none() {
                check(last_epoch == -1, || NO_INITIAL.replace("{i}", &i.to_string()))?;
                group.set(INITIAL, groups::first_rate(group)?);
            }
        }
        let scheduler = Self::bare(optimizer, rule, fields);
        scheduler.set(BASE_LRS, scheduler.of_groups(INITIAL)?);
        scheduler.set(LAST, last_epoch);
        optimizer.watch();
        scheduler.initial_step()?;
        Ok(scheduler)
    }

    /// A scheduler that has done nothing yet.
    pub(crate) fn bare(optimizer: &Optimizer, rule: impl Rule + 'static, fields: SchedulerState) -> Self {
        let (optimizer, rule) = (optimizer.clone(), Box::new(rule));
        LRScheduler(Arc::new(Shared { optimizer, rule, fields: Mutex::new(fields) }))
    }

    pub(crate) fn fields(&self) -> MutexGuard<'_, SchedulerState> {
        self.0.fields.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rule(&self) -> &dyn Rule {
        &*self.0.rule
    }

    /// The step that making a scheduler takes, and a sequence when its turn comes.
    pub(crate) fn initial_step(&self) -> Result<()> {
        self.set(COUNT, 0);
        self.set("_is_initial", true);
        let stepped = self.try_step(None);
        self.set("_is_initial", false);
        stepped
    }

    #[track_caller]
    pub(crate) fn try_step(&self, epoch: Option<Scalar>) -> Result<()> {
        if let Some(stepped) = self.rule().step(self, epoch) {
            return stepped;
        }
        let count = self.float(COUNT)? as i64;
        if count == 1 && !self.optimizer().called() {
            warn(BEFORE_OPTIMIZER);
        }
        self.set(COUNT, count + 1);
        if epoch.is_some() {
            warn(EPOCH_DEPRECATION);
        }
        self.update_lr(epoch)
    }

    /// Goes to the next epoch, or to the given one, and sets its learning rates: `_update_lr`.
    pub(crate) fn update_lr(&self, epoch: Option<Scalar>) -> Result<()> {
        match epoch {
            None => self.set(LAST, self.next_epoch()?),
            Some(epoch) => self.set(LAST, epoch),
        }
        let closed = |_| self.rule().closed_form(self);
        let rates = self.within(|| epoch.and_then(closed).unwrap_or_else(|| self.rule().get_lr(self)))?;
        self.set_rates(&rates)
    }

    pub(crate) fn next_epoch(&self) -> Result<Scalar> {
        let last = self.number(LAST)?;
        Ok(last.as_int().map_or_else(|| Scalar::Float(last.to_f64() + 1.0), |last| Scalar::Int(last + 1)))
    }

    /// Runs a part of a step, in which `get_lr` does not warn.
    pub(crate) fn within<R>(&self, part: impl FnOnce() -> R) -> R {
        /// Ends the part, also where a user's function panics in it.
        struct Part<'a>(&'a LRScheduler);
        impl Drop for Part<'_> {
            fn drop(&mut self) {
                self.0.set(WITHIN, false);
            }
        }
        self.set(WITHIN, true);
        let _part = Part(self);
        part()
    }

    /// Sets each group's learning rate.
    pub(crate) fn set_rates(&self, rates: &[Scalar]) -> Result<()> {
        let groups = self.optimizer().param_groups();
        for (group, &rate) in groups.iter().zip(rates) {
            group.assign("lr", rate)?;
        }
        same_length(groups.len(), rates.len())?;
        self.note_rates()
    }

    /// Notes the groups' learning rates as the last ones.
    pub(crate) fn note_rates(&self) -> Result<()> {
        self.set("_last_lr", self.of_groups("lr")?);
        Ok(())
    }

    fn missing(&self, name: &str) -> Error {
        Error::Value(format!("'{}' object has no attribute '{name}'", self.rule().name()))
    }

    /// An attribute.
    ///
    /// # Errors
    /// Python's `AttributeError`.
    pub(crate) fn value(&self, name: &str) -> Result<SchedulerValue> {
        self.get(name).ok_or_else(|| self.missing(name))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Scalar> {
        match self.value(name)? {
            SchedulerValue::Number(x) => Ok(x),
            value => Err(Error::Type(format!("the scheduler's {name} is {value}, it must be a number"))),
        }
    }

    pub(crate) fn float(&self, name: &str) -> Result<f64> {
        self.number(name).map(Scalar::to_f64)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        self.number(name).map(Scalar::to_bool)
    }

    /// The numbers of a list.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<Scalar>> {
        let wrong = |value: &SchedulerValue| {
            Error::Type(format!("the scheduler's {name} is {value}, it must be a list of numbers"))
        };
        let value = self.value(name)?;
        let list = value.as_slice().ok_or_else(|| wrong(&value))?;
        let number = |x: &SchedulerValue| if let SchedulerValue::Number(x) = x { Ok(*x) } else { Err(wrong(&value)) };
        list.iter().map(number).collect()
    }

    pub(crate) fn floats(&self, name: &str) -> Result<Vec<f64>> {
        Ok(self.numbers(name)?.into_iter().map(Scalar::to_f64).collect())
    }

    /// The string under a name.
    pub(crate) fn text(&self, name: &str) -> Result<String> {
        let value = self.value(name)?;
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| Error::Type(format!("the scheduler's {name} is {value}, it must be a string")))
    }

    /// A number of every group.
    pub(crate) fn of_groups(&self, name: &str) -> Result<Vec<Scalar>> {
        self.optimizer().param_groups().iter().map(|group| groups::number(group, name)).collect()
    }

    /// Every group's learning rate times a factor.
    pub(crate) fn scale_groups(&self, factor: f64) -> Result<Vec<Scalar>> {
        Ok(self.of_groups("lr")?.into_iter().map(|lr| Scalar::Float(lr.to_f64() * factor)).collect())
    }

    /// Every base learning rate, changed.
    pub(crate) fn map_bases(&self, next: impl Fn(f64) -> f64) -> Result<Vec<Scalar>> {
        Ok(self.floats(BASE_LRS)?.into_iter().map(|base| Scalar::Float(next(base))).collect())
    }

    /// Every base learning rate times a factor.
    pub(crate) fn scale_bases(&self, factor: f64) -> Result<Vec<Scalar>> {
        self.map_bases(|base| base * factor)
    }

    /// Whether the scheduler is being made, or its turn in a sequence begins.
    pub(crate) fn is_initial(&self) -> Result<bool> {
        self.flag("_is_initial")
    }
}

/// Python's `zip(a, b, strict=True)`.
///
/// # Errors
/// Its `ValueError`.
pub(crate) fn same_length(first: usize, second: usize) -> Result<()> {
    let relation = if second < first { "shorter" } else { "longer" };
    check(first == second, || format!("zip() argument 2 is {relation} than argument 1"))
}
