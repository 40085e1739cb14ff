//! Several metrics at once.

use crate::PairMetric;
use flambeau_autograd::{AsTensor, Tensor};
use std::collections::BTreeMap;

flambeau_autograd::options! {
    /// Options of [`MetricCollection`] under torchmetrics' names.
    #[derive(Clone, Debug)]
    MetricCollectionOptions {
        /// What stands before each name in what is computed. Default: nothing.
        prefix: String = String::new(),
        /// What stands after each name in what is computed. Default: nothing.
        postfix: String = String::new(),
    }
}

/// Metrics that are updated together: `torchmetrics.MetricCollection`.
///
/// ```
/// use torch::metrics::{Accuracy, F1Score, MetricCollection};
/// let metrics = MetricCollection::with(|o| o.prefix("val/"))
///     .add("accuracy", Accuracy::with("multiclass", |o| o.num_classes(3)))
///     .add("f1", F1Score::with("multiclass", |o| o.num_classes(3).average("macro")));
/// metrics.update(torch::tensor([2, 1, 0, 1]), torch::tensor([2, 1, 0, 0]));
/// assert_eq!(metrics.compute()["val/accuracy"].item(), 0.75);
/// metrics.reset();
/// ```
#[derive(Default)]
pub struct MetricCollection {
    metrics: Vec<(String, Box<dyn PairMetric>)>,
    options: MetricCollectionOptions,
}

impl MetricCollection {
    /// An empty collection.
    pub fn new() -> Self {
        MetricCollection::default()
    }

    /// [`MetricCollection::new`] with torchmetrics' keywords: `prefix`, `postfix`.
    #[track_caller]
    pub fn with(options: impl FnOnce(MetricCollectionOptions) -> MetricCollectionOptions) -> Self {
        MetricCollection { metrics: Vec::new(), options: options(MetricCollectionOptions::default()) }
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

    fn name(&self, own: &str) -> String {
        format!("{}{own}{}", self.options.prefix, self.options.postfix)
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
    #[track_caller]
    pub fn forward(&self, preds: impl AsTensor, target: impl AsTensor) -> BTreeMap<String, Tensor> {
        // A loop, as what a closure calls does not know the caller's line.
        let (preds, target, mut values) = (preds.as_tensor(), target.as_tensor(), BTreeMap::new());
        for (own, metric) in &self.metrics {
            values.insert(self.name(own), metric.forward(preds, target));
        }
        values
    }

    /// [`MetricCollection::forward`] under the name of modules' calls.
    ///
    /// # Panics
    /// As the metrics do.
    #[track_caller]
    pub fn call(&self, preds: impl AsTensor, target: impl AsTensor) -> BTreeMap<String, Tensor> {
        self.forward(preds, target)
    }

    /// The values by name: `metrics.compute()`.
    ///
    /// # Panics
    /// As the metrics do.
    #[track_caller]
    pub fn compute(&self) -> BTreeMap<String, Tensor> {
        let mut values = BTreeMap::new();
        for (own, metric) in &self.metrics {
            values.insert(self.name(own), metric.compute());
        }
        values
    }

    /// Forgets all batches: `metrics.reset()`.
    pub fn reset(&self) {
        self.metrics.iter().for_each(|(_, metric)| metric.reset());
    }
}
