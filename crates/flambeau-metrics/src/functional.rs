//! Metrics of one batch: `torchmetrics.functional`.
//!
//! ```
//! use torch::metrics::functional::{accuracy_with, mean_squared_error};
//! let (preds, target) = (torch::tensor([2, 1, 0, 1]), torch::tensor([2, 1, 0, 0]));
//! assert_eq!(accuracy_with(preds, target, "multiclass", |o| o.num_classes(3)).item(), 0.75);
//! assert_eq!(mean_squared_error(torch::tensor([1.0]), torch::tensor([3.0])).item(), 4.0);
//! ```

use crate::{
    AUROC, Accuracy, AveragePrecision, ConfusionMatrix, ConfusionMatrixOptions, CurveOptions, F1Score,
    MeanAbsoluteError, MeanSquaredError, Precision, R2Score, R2ScoreOptions, Recall, RegressionOptions, ScoreOptions,
    Specificity,
};
use flambeau_autograd::{AsTensor, Tensor};

macro_rules! of_tasks {
    ($($name:ident $with:ident $metric:ident $options:ident: $text:literal;)*) => {$(
        #[doc = $text]
        ///
        /// # Panics
        /// As the metric.
        #[track_caller]
        pub fn $name(preds: impl AsTensor, target: impl AsTensor, task: &str) -> Tensor {
            $metric::new(task).forward(preds, target)
        }

        #[doc = concat!("[`", stringify!($name), "`] with the options of [`", stringify!($metric), "`].")]
        ///
        /// # Panics
        /// As the metric.
        #[track_caller]
        pub fn $with(
            preds: impl AsTensor,
            target: impl AsTensor,
            task: &str,
            options: impl FnOnce($options) -> $options,
        ) -> Tensor {
            $metric::with(task, options).forward(preds, target)
        }
    )*};
}

macro_rules! of_numbers {
    ($($name:ident $with:ident $metric:ident $options:ident: $text:literal;)*) => {$(
        #[doc = $text]
        ///
        /// # Panics
        /// As the metric.
        #[track_caller]
        pub fn $name(preds: impl AsTensor, target: impl AsTensor) -> Tensor {
            $metric::new().forward(preds, target)
        }

        #[doc = concat!("[`", stringify!($name), "`] with the options of [`", stringify!($metric), "`].")]
        ///
        /// # Panics
        /// As the metric.
        #[track_caller]
        pub fn $with(
            preds: impl AsTensor,
            target: impl AsTensor,
            options: impl FnOnce($options) -> $options,
        ) -> Tensor {
            $metric::with(options).forward(preds, target)
        }
    )*};
}

of_tasks! {
    accuracy accuracy_with Accuracy ScoreOptions: "The share of predictions that are right.";
    precision precision_with Precision ScoreOptions: "The share of what is predicted that is right.";
    recall recall_with Recall ScoreOptions: "The share of what is right that is predicted.";
    f1_score f1_score_with F1Score ScoreOptions: "The harmonic mean of precision and recall.";
    specificity specificity_with Specificity ScoreOptions: "The share of what is wrong that is not predicted.";
    confusion_matrix confusion_matrix_with ConfusionMatrix ConfusionMatrixOptions: "How often each class was taken for which.";
    auroc auroc_with AUROC CurveOptions: "The area under the ROC curve.";
    average_precision average_precision_with AveragePrecision CurveOptions: "The area under precision over recall.";
}

of_numbers! {
    mean_squared_error mean_squared_error_with MeanSquaredError RegressionOptions: "The mean of squared differences.";
    mean_absolute_error mean_absolute_error_with MeanAbsoluteError RegressionOptions: "The mean of differences without their signs.";
    r2_score r2_score_with R2Score R2ScoreOptions: "How much of the targets' variance is explained.";
}
