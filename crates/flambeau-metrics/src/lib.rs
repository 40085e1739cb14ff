//! Metrics that are collected over batches, as Python's package `torchmetrics` has them.
//!
//! A metric takes predictions and targets with [`update`](Metric::update), gives its value for all of them with
//! [`compute`](Metric::compute), and begins again after [`reset`](Metric::reset). [`forward`](Metric::forward) is an update that also gives
//! the batch's own value. [`functional`] has each as a function of one batch.
//!
//! ```
//! use torch::metrics::{Accuracy, MeanMetric};
//!
//! let accuracy = Accuracy::with("multiclass", |o| o.num_classes(3));
//! let mean_loss = MeanMetric::new();
//! for _batch in 0..2 {
//!     let (logits, labels) = (torch::tensor([[2., 0., 1.], [0., 1., 3.]]), torch::tensor([0, 1]));
//!     accuracy.update(&logits, &labels);
//!     mean_loss.update(0.25);
//! }
//! assert_eq!((accuracy.compute().item(), mean_loss.compute().item()), (0.5, 0.25));
//! accuracy.reset();
//! ```
//!
//! | Of | Metrics |
//! |---|---|
//! | classes, `"binary"`, `"multiclass"` or `"multilabel"` | [`Accuracy`], [`Precision`], [`Recall`], [`F1Score`], [`Specificity`], [`ConfusionMatrix`], [`AUROC`], [`AveragePrecision`] |
//! | numbers | [`MeanSquaredError`], [`MeanAbsoluteError`], [`R2Score`] |
//! | a stream of values | [`MeanMetric`], [`SumMetric`], [`MaxMetric`], [`MinMetric`] |
//!
//! Values are computed on the CPU in 64 bits and given in float32; torchmetrics computes in float32. The options `multidim_average`,
//! `thresholds` and `dist_sync_on_step` are not here.

mod aggregate;
mod collection;
mod confusion;
mod curves;
pub mod functional;
mod labels;
mod metric;
mod regression;
mod scores;

pub use aggregate::{
    Aggregate, AggregateOptions, Aggregator, MaxMetric, MeanMetric, MinMetric, NanStrategy, SumMetric,
};
pub use collection::{MetricCollection, MetricCollectionOptions};
pub use confusion::{ConfusionMatrix, ConfusionMatrixOptions};
pub use curves::{AUROC, AveragePrecision, CurveOptions};
pub use metric::{Metric, PairMetric};
pub use regression::{MeanAbsoluteError, MeanSquaredError, R2Score, R2ScoreOptions, RegressionOptions};
pub use scores::{Accuracy, F1Score, Precision, Recall, ScoreOptions, Specificity};

/// The parts of metrics: what they are generic over.
pub mod rules {
    pub use crate::confusion::Confusion;
    pub use crate::curves::{Curve, Curves};
    pub use crate::metric::Rule;
    pub use crate::regression::{Absolute, Errors, Loss, R2, Squared};
    pub use crate::scores::{Score, Scores, rates};
}
