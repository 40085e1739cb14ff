//! Learning rates by functions of the user.

use super::rule::{Rule, same_length};
use super::state::{SchedulerState, SchedulerValue};
use super::{BASE_LRS, LAST, LRScheduler};
use crate::error::{Error, Result, check};
use crate::handle::handle;
use crate::optimizer::Optimizer;
use flambeau_autograd::{OrPanic, options};
use flambeau_tensor::Scalar;
use std::sync::Arc;

/// A function of the epoch that a user wrote.
type Lambda = Arc<dyn Fn(i64) -> f64 + Send + Sync>;

handle! {
    /// base_lr times a function of the epoch: `torch.optim.lr_scheduler.LambdaLR`. It is an [`LRScheduler`] and has all of its
    /// methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::LambdaLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = LambdaLR::new(&optimizer, |epoch| 0.5_f64.powi(epoch as i32));
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.5]);
    /// ```
    LambdaLR(LRScheduler)
}

handle! {
    /// lr times a function of the epoch, every epoch: `torch.optim.lr_scheduler.MultiplicativeLR`. It is an [`LRScheduler`]
    /// and has all of its methods.
    ///
    /// ```
    /// use flambeau_optim::{SGD, lr_scheduler::MultiplicativeLR};
    ///
    /// let w = flambeau_autograd::ones([2]).requires_grad_(true);
    /// let optimizer = SGD::new([&w], 1.0);
    /// let scheduler = MultiplicativeLR::new(&optimizer, |_epoch| 0.5);
    /// optimizer.step();
    /// scheduler.step();
    /// assert_eq!(scheduler.get_last_lr(), [0.5]);
    /// ```
    MultiplicativeLR(LRScheduler)
}

/// Gives a scheduler whose rule is functions of the epoch its options and its constructors: `$x` is what a function multiplies.
macro_rules! of_functions {
    ($class:ident, $options:ident, $rule:ident, $x:literal) => {
        options! {
            #[doc = concat!("Options of [`", stringify!($class), "`].")]
            #[derive(Clone, Debug)]
            $options {
                /// How many times the schedule has stepped already, less one; -1 starts it (-1).
                last_epoch: i64 = -1,
            }
        }

        impl $class {
            #[doc = concat!($x, " · `lr_lambda(epoch)`, one function for all groups: `", stringify!($class), "(optimizer, lr_lambda)`.")]
            #[track_caller]
            pub fn new(optimizer: &Optimizer, lr_lambda: impl Fn(i64) -> f64 + Send + Sync + 'static) -> Self {
                Self::with(optimizer, lr_lambda, |o| o)
            }

            /// With options: `last_epoch`.
            ///
            /// # Panics
            /// With a `last_epoch` when the optimizer's groups have no `initial_lr`.
            #[track_caller]
            pub fn with(
                optimizer: &Optimizer,
                lr_lambda: impl Fn(i64) -> f64 + Send + Sync + 'static,
                options: impl FnOnce($options) -> $options,
            ) -> Self {
                let $options { last_epoch } = options($options::default());
                let rule = $rule(for_all(optimizer, lr_lambda));
                $class(LRScheduler::build(optimizer, rule, SchedulerState::default(), last_epoch).or_panic())
            }

            #[doc = concat!($x, " · `lr_lambdas[group](epoch)`: `", stringify!($class), "(optimizer, [lambda1, lambda2])`.")]
            ///
            /// # Panics
            /// When there are not as many functions as groups.
            #[track_caller]
            pub fn with_groups(optimizer: &Optimizer, lr_lambdas: Vec<Box<dyn Fn(i64) -> f64 + Send + Sync>>) -> Self {
                Self::with_groups_with(optimizer, lr_lambdas, |o| o)
            }

            #[doc = concat!("[`", stringify!($class), "::with_groups`] with options: `last_epoch`.")]
            ///
            /// # Panics
            /// When there are not as many functions as groups; with a `last_epoch` when the groups have no `initial_lr`.
            #[track_caller]
            pub fn with_groups_with(
                optimizer: &Optimizer,
                lr_lambdas: Vec<Box<dyn Fn(i64) -> f64 + Send + Sync>>,
                options: impl FnOnce($options) -> $options,
            ) -> Self {
                let $options { last_epoch } = options($options::default());
                let rule = $rule(for_each(optimizer, lr_lambdas).or_panic());
                $class(LRScheduler::build(optimizer, rule, SchedulerState::default(), last_epoch).or_panic())
            }
        }
    };
}

of_functions!(LambdaLR, LambdaLROptions, LambdaRule, "base_lr");
of_functions!(MultiplicativeLR, MultiplicativeLROptions, MultiplicativeRule, "lr");

/// One function for all groups.
fn for_all(optimizer: &Optimizer, factor: impl Fn(i64) -> f64 + Send + Sync + 'static) -> Vec<Lambda> {
    let factor: Lambda = Arc::new(factor);
    vec![factor; optimizer.param_groups().len()]
}

/// One function for each group.
fn for_each(optimizer: &Optimizer, lambdas: Vec<Box<dyn Fn(i64) -> f64 + Send + Sync>>) -> Result<Vec<Lambda>> {
    let groups = optimizer.param_groups().len();
    check(lambdas.len() == groups, || format!("Expected {groups} lr_lambdas, but got {}", lambdas.len()))?;
    Ok(lambdas.into_iter().map(Arc::from).collect())
}

const LAMBDAS: &str = "lr_lambdas";

/// Functions are not saved: in their places stands `None`.
fn save(lambdas: &[Lambda], state: &mut SchedulerState) {
    state.set(LAMBDAS, SchedulerValue::List(vec![SchedulerValue::None; lambdas.len()]));
}

fn load(state: &mut SchedulerState) -> Result<()> {
    state.remove(LAMBDAS).map(|_| ()).ok_or_else(|| Error::Key(LAMBDAS.to_owned()))
}

/// Each number times its function of the epoch.
fn scaled(s: &LRScheduler, lambdas: &[Lambda], numbers: Vec<Scalar>) -> Result<Vec<Scalar>> {
    let epoch = s.float(LAST)? as i64;
    let rates = lambdas.iter().zip(&numbers).map(|(lambda, x)| Scalar::Float(x.to_f64() * lambda(epoch))).collect();
    same_length(lambdas.len(), numbers.len())?;
    Ok(rates)
}

struct LambdaRule(Vec<Lambda>);

impl Rule for LambdaRule {
    fn name(&self) -> &str {
        "LambdaLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        scaled(s, &self.0, s.numbers(BASE_LRS)?)
    }

    fn save(&self, state: &mut SchedulerState) {
        save(&self.0, state);
    }

    fn load(&self, state: &mut SchedulerState) -> Result<()> {
        load(state)
    }
}

struct MultiplicativeRule(Vec<Lambda>);

impl Rule for MultiplicativeRule {
    fn name(&self) -> &str {
        "MultiplicativeLR"
    }

    fn get_lr(&self, s: &LRScheduler) -> Result<Vec<Scalar>> {
        let groups = s.of_groups("lr")?;
        if s.is_initial()? { Ok(groups) } else { scaled(s, &self.0, groups) }
    }

    fn save(&self, state: &mut SchedulerState) {
        save(&self.0, state);
    }

    fn load(&self, state: &mut SchedulerState) -> Result<()> {
        load(state)
    }
}
