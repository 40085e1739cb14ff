//! Several metrics at once.

use crate::PairMetric;
use flambeau_autograd::{AsTensor, Tensor};
use std::collections::BTreeMap;

/// Metrics that are updated together: `torchmetrics.MetricCollection`.
///
/// ```
/// use torch::metrics::{Accuracy, F1Score, MetricCollection};
/// let metrics = MetricCollection::new()
///     .prefix("val/")
///     .add("accuracy", Accuracy::with("multiclass", |o| o.num_classes(3)))
///     .add("f1", F1Score::with("multiclass", |o| o.num_classes(3).average("macro")));
/// metrics.update(torch::tensor([2, 1, 0, 1]), torch::tensor([2, 1, 0, 0]));
/// assert_eq!(metrics.compute()["val/accuracy"].item(), 0.75);
/// metrics.reset();
/// ```
#[derive(Default)]
pub struct MetricCollection {
    metrics: Vec<(String, Box<dyn PairMetric>)>,
    prefix: String,
    postfix: String,
}

impl MetricCollection {
    /// An empty collection.
    pub fn new() -> Self {
        MetricCollection::default()
    }

    /// Adds a metric under a name.
    ///
    /// # Panics
    /// When the name is taken.
    #[track_caller]
    #[must_use]
    pub fn add(mut self, name: &str, metric: impl PairMetric + 'static) -> Self {
        assert!(self.metrics.iter().all(|(known, _)| known != name), "Encountered two metrics both named {name}");
        self.metrics.push((name.to_owned(), Box::new(metric)));
        self
    }

    /// What stands before each name in what is computed.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.to_owned();
        self
    }

    /// What stands after each name in what is computed.
    #[must_use]
    pub fn postfix(mut self, postfix: &str) -> Self {
        self.postfix = postfix.to_owned();
        self
    }

    fn of(&self, value: impl Fn(&dyn PairMetric) -> Tensor) -> BTreeMap<String, Tensor> {
        let name = |name: &str| format!("{}{name}{}", self.prefix, self.postfix);
        self.metrics.iter().map(|(own, metric)| (name(own), value(metric.as_ref()))).collect()
    }

    /// Adds a batch to each: `metrics.update(preds, target)`.
    ///
    /// # Panics
    /// As the metrics do.
    #[track_caller]
    pub fn update(&self, preds: impl AsTensor, target: impl AsTensor) {
        for (_, metric) in &self.metrics {
            metric.update(preds.as_tensor(), target.as_tensor());
        }
    }

    /// Adds a batch to each, and gives the values of this batch alone: `metrics(preds, target)`.
    ///
    /// # Panics
    /// As the metrics do.
    pub fn forward(&self, preds: impl AsTensor, target: impl AsTensor) -> BTreeMap<String, Tensor> {
        self.of(|metric| metric.forward(preds.as_tensor(), target.as_tensor()))
    }

    /// The values by name: `metrics.compute()`.
    ///
    /// # Panics
    /// As the metrics do.
    pub fn compute(&self) -> BTreeMap<String, Tensor> {
        self.of(|metric| metric.compute())
    }

    /// Forgets all batches: `metrics.reset()`.
    pub fn reset(&self) {
        self.metrics.iter().for_each(|(_, metric)| metric.reset());
    }
}
