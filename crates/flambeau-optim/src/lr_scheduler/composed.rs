//! Schedulers that run others.

use super::groups::number;
use super::number::bisect_right;
use super::plateau;
use super::rule::Rule;
use super::state::{SchedulerState, entries};
use super::{LAST, LRScheduler};
use crate::error::{Error, Result, check};
use crate::handle::handle;
use crate::optimizer::Optimizer;
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{OrPanic, options, settings};
use flambeau_tensor::Scalar;

/// The schedulers that another one runs: a tuple of any of them, or a list of [`LRScheduler`]s.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of schedulers",
    label = "a tuple is expected here, `(warmup, cosine)`, or a list of `LRScheduler`s, `[warmup.into(), cosine.into()]`"
)]
pub trait SchedulerList {
    /// The schedulers.
    fn into_schedulers(self) -> Vec<LRScheduler>;
}

impl<const N: usize> SchedulerList for [LRScheduler; N] {
    fn into_schedulers(self) -> Vec<LRScheduler> {
        self.into()
    }
}

impl SchedulerList for Vec<LRScheduler> {
    fn into_schedulers(self) -> Vec<LRScheduler> {
        self
    }
}

impl SchedulerList for &[LRScheduler] {
    fn into_schedulers(self) -> Vec<LRScheduler> {
        self.to_vec()
    }
}

/// Tuples of these lengths.
macro_rules! tuples {
    ($(($($item:ident: $t:ident),+);)+) => {$(
        impl<$($t: Into<LRScheduler>),+> SchedulerList for ($($t,)+) {
            fn into_schedulers(self) -> Vec<LRScheduler> {
                let ($($item,)+) = self;
                vec![$($item.into()),+]
            }
        }
    )+};
}
tuples! {
    (a: A);
    (a: A, b: B);
    (a: A, b: B, c: C);
    (a: A, b: B, c: C, d: D);
    (a: A, b: B, c: C, d: D, e: E);
    (a: A, b: B, c: C, d: D, e: E, f: F);
}

impl From<&LRScheduler> for LRScheduler {
    fn from(scheduler: &LRScheduler) -> Self {
        scheduler.clone()
    }
}

/// PyTorch's checks of the schedulers that another one, `class`, is to run.
fn check_parts(class: &str, schedulers: &[LRScheduler], optimizer: &Optimizer) -> Result<()> {
    for (i, scheduler) in schedulers.iter().enumerate() {
        let name = scheduler.rule().name();
        check(name != plateau::NAME, || {
            format!(
                "{class} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be specified when \
                 calling `step`, but got one at index {i} in the given schedulers sequence."
            )
        })?;
        let own = scheduler.optimizer();
        check(own.is_same(optimizer), || {
            let other = optimizer.class_name();
            format!(
                "{class} expects all schedulers to belong to the same optimizer, but got scheduler {name} at index {i} has \
                 {own}, which is different from {other}."
            )
        })?;
    }
    Ok(())
}

handle! {
    /// One scheduler after the other: `torch.optim.lr_scheduler.SequentialLR`. The scheduler `i` begins anew at the epoch
    /// `milestones[i - 1]`. It is an [`LRScheduler`] and has its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::{ConstantLR, ExponentialLR, SequentialLR}};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let warmup = ConstantLR::with(&optimizer, |o| o.factor(0.25).total_iters(9));
    /// let decay = ExponentialLR::new(&optimizer, 0.5);
    /// let scheduler = SequentialLR::new(&optimizer, (warmup, decay), [2]);
    /// let rates: Vec<f64> = (0..4).map(|_| {
    ///     let rate = scheduler.get_last_lr()[0];
    ///     optimizer.step();
    ///     scheduler.step();
    ///     rate
    /// }).collect();
    /// assert_eq!(rates, [0.25, 0.25, 1.0, 0.5]);
    /// ```
    SequentialLR(LRScheduler)
}

options! {
    /// Options of [`SequentialLR`].
    #[derive(Clone, Debug)]
    SequentialLROptions {
        /// How many times the schedule has stepped already, less one; -1 starts it (-1).
        last_epoch: i64 = -1,
    }
}

impl SequentialLR {
    /// The schedulers, which are given as a tuple or a list, in turn: `SequentialLR(optimizer, schedulers, milestones)`.
    ///
    /// # Panics
    /// In PyTorch's words: without a scheduler, with a [`super::ReduceLROnPlateau`], with one of another optimizer, when there
    /// is not one milestone less than schedulers.
    #[track_caller]
    pub fn new<N: Int>(
        optimizer: &Optimizer,
        schedulers: impl SchedulerList,
        milestones: impl IntoIterator<Item = N>,
    ) -> Self {
        Self::with(optimizer, schedulers, milestones, |o| o)
    }

    /// With options: `last_epoch`.
    ///
    /// # Panics
    /// As [`SequentialLR::new`].
    #[track_caller]
    pub fn with<N: Int>(
        optimizer: &Optimizer,
        schedulers: impl SchedulerList,
        milestones: impl IntoIterator<Item = N>,
        options: impl FnOnce(SequentialLROptions) -> SequentialLROptions,
    ) -> Self {
        let SequentialLROptions { last_epoch } = options(SequentialLROptions::default());
        let milestones = milestones.into_iter().map(Int::to_i64).collect();
        SequentialLR(sequence(optimizer, schedulers.into_schedulers(), milestones, last_epoch).or_panic())
    }
}

fn sequence(
    optimizer: &Optimizer,
    schedulers: Vec<LRScheduler>,
    milestones: Vec<i64>,
    last_epoch: i64,
) -> Result<LRScheduler> {
    check(!schedulers.is_empty(), || "SequentialLR expects at least one scheduler, but got no scheduler.".into())?;
    check_parts("SequentialLR", &schedulers, optimizer)?;
    check(milestones.len() == schedulers.len() - 1, || {
        format!(
            "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone points, but \
             got number of schedulers {} and the number of milestones to be equal to {}",
            schedulers.len(),
            milestones.len()
        )
    })?;
    let first = bisect_right(&milestones, 0.0);
    let fields = entries([("_milestones", milestones.into()), (LAST, (last_epoch + 1).into())]);
    let scheduler = LRScheduler::bare(optimizer, SequentialRule(schedulers), fields);
    // What the schedulers' making did is undone, and the first begins.
    for group in optimizer.param_groups() {
        group.assign("lr", number(&group, "initial_lr")?)?;
    }
    undo(&scheduler)?;
    let first = &scheduler.rule().parts()[first];
    first.initial_step()?;
    scheduler.set("_last_lr", first.value("_last_lr")?);
    Ok(scheduler)
}

/// Takes one epoch back from each scheduler that a scheduler runs, through all levels.
fn undo(scheduler: &LRScheduler) -> Result<()> {
    let parts = scheduler.rule().parts();
    if parts.is_empty() {
        let last = scheduler.number(LAST)?;
        let before = last.as_int().map_or_else(|| Scalar::Float(last.to_f64() - 1.0), |last| Scalar::Int(last - 1));
        scheduler.set(LAST, before);
    }
    parts.iter().try_for_each(undo)
}

struct SequentialRule(Vec<LRScheduler>);

impl Rule for SequentialRule {
    fn name(&self) -> &str {
        "SequentialLR"
    }

    fn get_lr(&self, _: &LRScheduler) -> Result<Vec<Scalar>> {
        Err(Error::Value("NotImplementedError".into()))
    }

    fn warns(&self) -> bool {
        false
    }

    fn step(&self, s: &LRScheduler, epoch: Option<Scalar>) -> Option<Result<()>> {
        let step = || {
            no_epoch("SequentialLR", epoch)?;
            s.set(LAST, s.next_epoch()?);
            let last = s.float(LAST)?;
            let milestones: Vec<i64> = s.floats("_milestones")?.into_iter().map(|m| m as i64).collect();
            let at = bisect_right(&milestones, last);
            let scheduler = self.0.get(at).ok_or_else(|| Error::Value("list index out of range".into()))?;
            if at > 0 && milestones[at - 1] as f64 == last {
                scheduler.update_lr(Some(Scalar::Int(0)))?;
            } else {
                scheduler.try_step(None)?;
            }
            s.set("_last_lr", scheduler.value("_last_lr")?);
            Ok(())
        };
        Some(step())
    }

    fn parts(&self) -> &[LRScheduler] {
        &self.0
    }
}

/// Python's `TypeError` for an epoch where `step` takes none.
fn no_epoch(class: &str, epoch: Option<Scalar>) -> Result<()> {
    match epoch {
        None => Ok(()),
        Some(_) => Err(Error::Type(format!("{class}.step() takes 1 positional argument but 2 were given"))),
    }
}

handle! {
    /// Several schedulers that step together: `torch.optim.lr_scheduler.ChainedScheduler`. It is an [`LRScheduler`] and has its
    /// methods, but for those of an epoch, which it does not count.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::{ChainedScheduler, ConstantLR, ExponentialLR}};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let constant = ConstantLR::with(&optimizer, |o| o.factor(0.5).total_iters(9));
    /// let decay = ExponentialLR::new(&optimizer, 0.5);
    /// let scheduler = ChainedScheduler::new((constant, decay));
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.25]);
    /// ```
    ChainedScheduler(LRScheduler)
}

/// An optimizer, for an option that takes one.
#[derive(Clone, Debug)]
pub struct Chosen(Option<Optimizer>);

settings! {
    ['a] &'a Optimizer => Chosen: |optimizer| Chosen(Some(optimizer.clone()));
}

options! {
    /// Options of [`ChainedScheduler`].
    #[derive(Clone, Debug)]
    ChainedSchedulerOptions {
        /// The optimizer, if it is not to be the first scheduler's (`None`).
        optimizer: Chosen = Chosen(None),
    }
}

impl ChainedScheduler {
    /// The schedulers, which are given as a tuple or a list, together: `ChainedScheduler(schedulers)`.
    ///
    /// # Panics
    /// In PyTorch's words: without a scheduler, with a [`super::ReduceLROnPlateau`], with schedulers of several optimizers.
    #[track_caller]
    pub fn new(schedulers: impl SchedulerList) -> Self {
        Self::with(schedulers, |o| o)
    }

    /// With options: `optimizer`.
    ///
    /// # Panics
    /// As [`ChainedScheduler::new`].
    #[track_caller]
    pub fn with(
        schedulers: impl SchedulerList,
        options: impl FnOnce(ChainedSchedulerOptions) -> ChainedSchedulerOptions,
    ) -> Self {
        let options = options(ChainedSchedulerOptions::default());
        ChainedScheduler(chain(schedulers.into_schedulers(), options.optimizer.0).or_panic())
    }
}

fn chain(schedulers: Vec<LRScheduler>, optimizer: Option<Optimizer>) -> Result<LRScheduler> {
    let Some(first) = schedulers.first() else {
        let text = "ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.";
        return Err(Error::Value(text.into()));
    };
    let optimizer = optimizer.unwrap_or_else(|| first.optimizer().clone());
    check_parts("ChainedScheduler", &schedulers, &optimizer)?;
    let scheduler = LRScheduler::bare(&optimizer, ChainedRule(schedulers), SchedulerState::default());
    scheduler.note_rates()?;
    Ok(scheduler)
}

struct ChainedRule(Vec<LRScheduler>);

impl Rule for ChainedRule {
    fn name(&self) -> &str {
        "ChainedScheduler"
    }

    fn get_lr(&self, _: &LRScheduler) -> Result<Vec<Scalar>> {
        Err(Error::Value("NotImplementedError".into()))
    }

    fn warns(&self) -> bool {
        false
    }

    fn step(&self, s: &LRScheduler, epoch: Option<Scalar>) -> Option<Result<()>> {
        let step = || {
            no_epoch("ChainedScheduler", epoch)?;
            self.0.iter().try_for_each(|scheduler| scheduler.try_step(None))?;
            s.note_rates()
        };
        Some(step())
    }

    fn parts(&self) -> &[LRScheduler] {
        &self.0
    }
}
