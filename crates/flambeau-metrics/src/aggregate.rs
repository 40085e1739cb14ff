//! Means, sums and extremes of a stream of values.

use crate::metric::scalar;
use flambeau_autograd::{AsTensor, Tensor, from_vec, warn};
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
    /// They count, and each value's weight is 1.
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
    /// What becomes of values that are no numbers: `"error"`, `"warn"`, `"ignore"`, `"disable"`, or a number in their place. As in
    /// torchmetrics, `"disable"` takes all weights for 1. Default: `"warn"`.
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
    /// The numbers, float64 on the CPU.
    fn into_values(self) -> Tensor;
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl IntoValues for $t {
            fn into_values(self) -> Tensor {
                from_vec(vec![self as f64], [0i64; 0])
            }
        }
    )*};
}
numbers!(f32, f64, i32, i64, u32, u64, usize);

impl IntoValues for Tensor {
    fn into_values(self) -> Tensor {
        (&self).into_values()
    }
}

impl IntoValues for &Tensor {
    fn into_values(self) -> Tensor {
        self.as_tensor().detach().cpu().double()
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
        self.add(value.into_values(), 1.0.into_values());
    }

    /// Adds values, and gives their own value: `metric(value)`.
    ///
    /// # Panics
    /// As [`Aggregate::update`].
    #[track_caller]
    pub fn forward(&self, value: impl IntoValues) -> Tensor {
        self.add(value.into_values(), 1.0.into_values())
    }

    /// [`Aggregate::forward`] under the name of modules' calls.
    ///
    /// # Panics
    /// As [`Aggregate::update`].
    #[track_caller]
    pub fn call(&self, value: impl IntoValues) -> Tensor {
        self.forward(value)
    }

    /// Adds weighted values, and gives their own value.
    #[track_caller]
    fn add(&self, value: Tensor, weight: Tensor) -> Tensor {
        let values = self.clean(&value, &weight);
        let (mut alone, mut all) = (A::START, self.state.lock().unwrap_or_else(PoisonError::into_inner));
        for (value, weight) in values {
            A::add(&mut alone, value, weight);
            A::add(&mut all, value, weight);
        }
        scalar(A::value(alone))
    }

    #[track_caller]
    fn clean(&self, value: &Tensor, weight: &Tensor) -> Vec<(f64, f64)> {
        let values: Vec<f64> = value.to_vec();
        let mut weights: Vec<f64> = weight.to_vec();
        // The weights themselves first, as an error names their type; then which weight is whose.
        let _ = weight.float().expand(value.size().to_vec());
        let places = from_vec((0..weights.len() as i64).collect(), weight.size().to_vec());
        let places: Vec<i64> = places.expand(value.size().to_vec()).to_vec();
        let places: Vec<usize> = places.into_iter().map(|place| place as usize).collect();
        if self.nan_strategy == NanStrategy::Disable {
            // torchmetrics forgets the weights with the checks.
            return values.into_iter().map(|value| (value, 1.0)).collect();
        }
        let wrong: Vec<bool> = values.iter().zip(&places).map(|(v, &at)| v.is_nan() || weights[at].is_nan()).collect();
        if wrong.contains(&true) {
            match self.nan_strategy {
                NanStrategy::Error => panic!("Encountered `nan` values in tensor"),
                NanStrategy::Warn => {
                    warn("Encountered `nan` values in tensor. Will be removed.");
                }
                // A weight of several values counts 1 for all of them if it does for one.
                NanStrategy::Replace(_) => {
                    wrong.iter().zip(&places).filter(|(wrong, _)| **wrong).for_each(|(_, &at)| weights[at] = 1.0);
                }
                _ => {}
            }
        }
        let pair = |((value, at), wrong): ((f64, usize), bool)| match (wrong, self.nan_strategy) {
            (false, _) => Some((value, weights[at])),
            (true, NanStrategy::Replace(number)) => Some((number, weights[at])),
            (true, _) => None,
        };
        values.into_iter().zip(places).zip(wrong).filter_map(pair).collect()
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

impl MeanMetric {
    /// Adds values with weights that are broadcast to them: `metric.update(value, weight)`.
    ///
    /// # Panics
    /// When the weights cannot be broadcast to the values, and for what is no number, if it was asked for.
    #[track_caller]
    pub fn update_weighted(&self, value: impl IntoValues, weight: impl IntoValues) {
        self.add(value.into_values(), weight.into_values());
    }

    /// Adds values with weights, and gives their own mean: `metric(value, weight)`.
    ///
    /// ```
    /// # use torch::metrics::MeanMetric;
    /// let mean = MeanMetric::new();
    /// mean.update(1.0);
    /// assert_eq!(mean.forward_weighted(torch::tensor([[1.0, 2.0], [3.0, 4.0]]), torch::tensor([3.0, 1.0])).item(), 2.25);
    /// ```
    ///
    /// # Panics
    /// As [`MeanMetric::update_weighted`].
    #[track_caller]
    pub fn forward_weighted(&self, value: impl IntoValues, weight: impl IntoValues) -> Tensor {
        self.add(value.into_values(), weight.into_values())
    }

    /// [`MeanMetric::forward_weighted`] under the name of modules' calls.
    ///
    /// # Panics
    /// As [`MeanMetric::update_weighted`].
    #[track_caller]
    pub fn call_weighted(&self, value: impl IntoValues, weight: impl IntoValues) -> Tensor {
        self.forward_weighted(value, weight)
    }
}
