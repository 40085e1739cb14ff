//! A metric: a rule, and what it has seen.

use flambeau_autograd::{AsTensor, Tensor, from_vec};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a metric does with a batch, and what it makes of all batches.
pub trait Rule: Send + Sync + 'static {
    /// What is known of some batches.
    type State: Clone + Send + Default;

    /// What a batch adds.
    #[track_caller]
    fn observe(&self, preds: &Tensor, target: &Tensor) -> Self::State;

    /// Adds what is known of later batches to what is known of earlier ones.
    fn merge(&self, all: &mut Self::State, more: Self::State);

    /// The metric's value.
    #[track_caller]
    fn value(&self, state: &Self::State) -> Tensor;
}

/// A metric of predictions and targets: [`Accuracy`](crate::Accuracy) and the others are names of it. It is shared between threads as it is.
pub struct Metric<R: Rule> {
    pub(crate) rule: R,
    state: Mutex<R::State>,
}

impl<R: Rule> Metric<R> {
    pub(crate) fn of(rule: R) -> Self {
        Metric { rule, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, R::State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch: `metric.update(preds, target)`.
    ///
    /// # Panics
    /// When predictions and targets do not fit together, or the metric.
    #[track_caller]
    pub fn update(&self, preds: impl AsTensor, target: impl AsTensor) {
        self.add(preds.as_tensor(), target.as_tensor());
    }

    #[track_caller]
    fn add(&self, preds: &Tensor, target: &Tensor) -> R::State {
        let more = self.rule.observe(preds, target);
        self.rule.merge(&mut self.state(), more.clone());
        more
    }

    /// Adds a batch, and gives the value of this batch alone: `metric(preds, target)`.
    ///
    /// # Panics
    /// As [`Metric::update`] and [`Metric::compute`].
    #[track_caller]
    pub fn forward(&self, preds: impl AsTensor, target: impl AsTensor) -> Tensor {
        let more = self.add(preds.as_tensor(), target.as_tensor());
        let mut alone = R::State::default();
        self.rule.merge(&mut alone, more);
        self.rule.value(&alone)
    }

    /// [`Metric::forward`] under the name of modules' calls.
    ///
    /// # Panics
    /// As [`Metric::forward`].
    #[track_caller]
    pub fn call(&self, preds: impl AsTensor, target: impl AsTensor) -> Tensor {
        self.forward(preds, target)
    }

    /// The value for all batches since the beginning or the last reset: `metric.compute()`.
    ///
    /// # Panics
    /// When there is no value without a batch.
    #[track_caller]
    pub fn compute(&self) -> Tensor {
        let state = self.state().clone();
        self.rule.value(&state)
    }

    /// Forgets all batches: `metric.reset()`.
    pub fn reset(&self) {
        *self.state() = R::State::default();
    }
}

/// Any metric of predictions and targets, for lists of different ones.
pub trait PairMetric: Send + Sync {
    /// [`Metric::update`].
    #[track_caller]
    fn update(&self, preds: &Tensor, target: &Tensor);
    /// [`Metric::forward`].
    #[track_caller]
    fn forward(&self, preds: &Tensor, target: &Tensor) -> Tensor;
    /// [`Metric::compute`].
    #[track_caller]
    fn compute(&self) -> Tensor;
    /// [`Metric::reset`].
    fn reset(&self);
}

impl<R: Rule> PairMetric for Metric<R> {
    #[track_caller]
    fn update(&self, preds: &Tensor, target: &Tensor) {
        self.add(preds, target);
    }
    #[track_caller]
    fn forward(&self, preds: &Tensor, target: &Tensor) -> Tensor {
        Metric::forward(self, preds, target)
    }
    #[track_caller]
    fn compute(&self) -> Tensor {
        Metric::compute(self)
    }
    fn reset(&self) {
        Metric::reset(self);
    }
}

/// A 0-dimensional float32 tensor.
pub(crate) fn scalar(value: f64) -> Tensor {
    from_vec(vec![value as f32], [0i64; 0])
}

/// A float32 tensor of one dimension.
pub(crate) fn vector(values: &[f64]) -> Tensor {
    from_vec(values.iter().map(|&x| x as f32).collect(), [values.len() as i64])
}

/// `a / b`, or what there is for a division by zero.
pub(crate) fn divide(a: f64, b: f64, of_zero: f64) -> f64 {
    if b == 0.0 { of_zero } else { a / b }
}

/// Adds numbers to others, of which there may be none yet.
pub(crate) fn add_to(all: &mut Vec<f64>, more: &[f64]) {
    all.resize(more.len().max(all.len()), 0.0);
    all.iter_mut().zip(more).for_each(|(all, more)| *all += more);
}

/// torchmetrics' check of two shapes.
#[track_caller]
pub(crate) fn same_shape(preds: &Tensor, target: &Tensor) {
    let (a, b) = (preds.size(), target.size());
    assert!(
        a == b,
        "Predictions and targets are expected to have the same shape, but got torch.Size({:?}) and torch.Size({:?}).",
        a.to_vec(),
        b.to_vec()
    );
}
