//! Means, sums and extremes of a stream of values.

use crate::metric::scalar;
use flambeau_autograd::{AsTensor, Tensor, warn};
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

/// What becomes of values that are no numbers: the option `nan_strategy`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NanStrategy {
    /// They panic.
    Error,
    /// They are left out, with a warning.
    Warn,
    /// They are left out.
    Ignore,
    /// They count.
    Disable,
    /// They are taken for this number.
    Replace(f64),
}

impl From<&str> for NanStrategy {
    #[track_caller]
    fn from(name: &str) -> Self {
        match name {
            "error" => NanStrategy::Error,
            "warn" => NanStrategy::Warn,
            "ignore" => NanStrategy::Ignore,
            "disable" => NanStrategy::Disable,
            _ => panic!(
                "Arg `nan_strategy` should either be a float or one of ('error', 'warn', 'ignore', 'disable') but got {name}."
            ),
        }
    }
}

impl From<f64> for NanStrategy {
    fn from(number: f64) -> Self {
        NanStrategy::Replace(number)
    }
}

/// Options of the metrics of a stream under torchmetrics' names.
#[derive(Clone, Copy, Debug)]
pub struct AggregateOptions {
    nan_strategy: NanStrategy,
}

impl AggregateOptions {
    /// What becomes of values that are no numbers: `"error"`, `"warn"`, `"ignore"`, `"disable"`, or a number in their place. Default:
    /// `"warn"`.
    #[track_caller]
    #[must_use]
    pub fn nan_strategy(mut self, strategy: impl Into<NanStrategy>) -> Self {
        self.nan_strategy = strategy.into();
        self
    }
}

/// What a metric makes of values and their weights.
pub trait Aggregator: Send + Sync + 'static {
    /// What there is before the first value.
    const START: (f64, f64);
    /// Adds a value.
    fn add(state: &mut (f64, f64), value: f64, weight: f64);
    /// The metric's value.
    fn value(state: (f64, f64)) -> f64;
}

/// The kinds of aggregates.
pub(crate) mod kinds {
    use super::Aggregator;

    /// The weighted mean.
    pub struct Mean;
    /// The sum.
    pub struct Sum;
    /// The largest.
    pub struct Max;
    /// The least.
    pub struct Min;

    impl Aggregator for Mean {
        const START: (f64, f64) = (0.0, 0.0);
        fn add(state: &mut (f64, f64), value: f64, weight: f64) {
            state.0 += value * weight;
            state.1 += weight;
        }
        fn value(state: (f64, f64)) -> f64 {
            state.0 / state.1
        }
    }
    impl Aggregator for Sum {
        const START: (f64, f64) = (0.0, 0.0);
        fn add(state: &mut (f64, f64), value: f64, _: f64) {
            state.0 += value;
        }
        fn value(state: (f64, f64)) -> f64 {
            state.0
        }
    }
    impl Aggregator for Max {
        const START: (f64, f64) = (f64::NEG_INFINITY, 0.0);
        fn add(state: &mut (f64, f64), value: f64, _: f64) {
            state.0 = if value > state.0 || value.is_nan() { value } else { state.0 };
        }
        fn value(state: (f64, f64)) -> f64 {
            state.0
        }
    }
    impl Aggregator for Min {
        const START: (f64, f64) = (f64::INFINITY, 0.0);
        fn add(state: &mut (f64, f64), value: f64, _: f64) {
            state.0 = if value < state.0 || value.is_nan() { value } else { state.0 };
        }
        fn value(state: (f64, f64)) -> f64 {
            state.0
        }
    }
}

/// A metric of a stream of values: [`MeanMetric`] and the others are names of it.
pub struct Aggregate<A> {
    nan_strategy: NanStrategy,
    state: Mutex<(f64, f64)>,
    kind: PhantomData<A>,
}

/// The mean of values, each with a weight: `torchmetrics.MeanMetric`. NaN before the first value.
///
/// ```
/// use torch::metrics::MeanMetric;
/// let mean = MeanMetric::new();
/// mean.update(1.0);
/// mean.update(torch::tensor([2.0, 3.0]));
/// assert_eq!(mean.compute().item(), 2.0);
/// mean.update_weighted(10.0, 3.0);
/// assert_eq!(mean.compute().item(), 6.0);
/// ```
pub type MeanMetric = Aggregate<kinds::Mean>;
/// The sum of values: `torchmetrics.SumMetric`.
pub type SumMetric = Aggregate<kinds::Sum>;
/// The largest value: `torchmetrics.MaxMetric`.
pub type MaxMetric = Aggregate<kinds::Max>;
/// The least value: `torchmetrics.MinMetric`.
pub type MinMetric = Aggregate<kinds::Min>;

/// A number, or a tensor's numbers.
pub trait IntoValues {
    /// The numbers.
    fn into_values(self) -> Vec<f64>;
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl IntoValues for $t {
            fn into_values(self) -> Vec<f64> {
                vec![self as f64]
            }
        }
    )*};
}
numbers!(f32, f64, i32, i64, u32, u64, usize);

impl IntoValues for Tensor {
    fn into_values(self) -> Vec<f64> {
        (&self).into_values()
    }
}

impl IntoValues for &Tensor {
    fn into_values(self) -> Vec<f64> {
        self.as_tensor().detach().cpu().double().to_vec()
    }
}

impl<A: Aggregator> Default for Aggregate<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Aggregator> Aggregate<A> {
    /// A metric that has seen nothing.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// [`Aggregate::new`] with torchmetrics' keyword `nan_strategy`.
    pub fn with(options: impl FnOnce(AggregateOptions) -> AggregateOptions) -> Self {
        let o = options(AggregateOptions { nan_strategy: NanStrategy::Warn });
        Aggregate { nan_strategy: o.nan_strategy, state: Mutex::new(A::START), kind: PhantomData }
    }

    /// Adds a value, or all of a tensor: `metric.update(value)`.
    ///
    /// # Panics
    /// For what is no number, if it was asked for.
    #[track_caller]
    pub fn update(&self, value: impl IntoValues) {
        self.update_weighted(value, 1.0);
    }

    /// Adds values with weights, one for all or one for each: `metric.update(value, weight)` of the mean.
    ///
    /// # Panics
    /// When there are neither one nor as many weights, and for what is no number, if it was asked for.
    #[track_caller]
    pub fn update_weighted(&self, value: impl IntoValues, weight: impl IntoValues) {
        let more = self.clean(&value.into_values(), &weight.into_values());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        more.into_iter().for_each(|(value, weight)| A::add(&mut state, value, weight));
    }

    /// Adds values, and gives their own value: `metric(value)`.
    ///
    /// # Panics
    /// As [`Aggregate::update`].
    #[track_caller]
    pub fn forward(&self, value: impl IntoValues) -> Tensor {
        let values = self.clean(&value.into_values(), &[1.0]);
        let (mut alone, mut all) = (A::START, self.state.lock().unwrap_or_else(PoisonError::into_inner));
        for (value, weight) in values {
            A::add(&mut alone, value, weight);
            A::add(&mut all, value, weight);
        }
        scalar(A::value(alone))
    }

    #[track_caller]
    fn clean(&self, values: &[f64], weights: &[f64]) -> Vec<(f64, f64)> {
        assert!(
            weights.len() == 1 || weights.len() == values.len(),
            "{} weights cannot be broadcast to {} values",
            weights.len(),
            values.len()
        );
        let all = values.iter().enumerate().map(|(i, &value)| (value, weights[if weights.len() == 1 { 0 } else { i }]));
        let wrong = |pair: &(f64, f64)| pair.0.is_nan() || pair.1.is_nan();
        let all: Vec<(f64, f64)> = all.collect();
        if self.nan_strategy == NanStrategy::Disable || !all.iter().any(wrong) {
            return all;
        }
        match self.nan_strategy {
            NanStrategy::Error => panic!("Encountered `nan` values in tensor"),
            NanStrategy::Replace(number) => {
                all.into_iter().map(|pair| if wrong(&pair) { (number, 1.0) } else { pair }).collect()
            }
            strategy => {
                if strategy == NanStrategy::Warn {
                    warn("Encountered `nan` values in tensor. Will be removed.");
                }
                all.into_iter().filter(|pair| !wrong(pair)).collect()
            }
        }
    }

    /// The value of all so far: `metric.compute()`.
    pub fn compute(&self) -> Tensor {
        scalar(A::value(*self.state.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Forgets all values: `metric.reset()`.
    pub fn reset(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = A::START;
    }
}
