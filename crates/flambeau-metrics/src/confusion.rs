//! Confusion matrices.

use crate::labels::{Reading, Task};
use crate::metric::{Metric, Rule, add_to};
use crate::scores::threshold;
use flambeau_autograd::{Tensor, from_vec};

flambeau_autograd::options! {
    /// Options of [`ConfusionMatrix`] under torchmetrics' names.
    #[derive(Clone, Debug)]
    ConfusionMatrixOptions {
        /// The number of classes of the task `multiclass`. Default: none, which `multiclass` refuses.
        num_classes: Option<i64> = None,
        /// The number of labels of the task `multilabel`. Default: none, which `multilabel` refuses.
        num_labels: Option<i64> = None,
        /// `"true"`: shares of each class of targets; `"pred"`: of each class of predictions; `"all"`: of all; `"none"`: counts. Default:
        /// `"none"`.
        normalize: String = "none".to_owned(),
        /// The chance above which a label counts as predicted. Default: 0.5.
        threshold: f64 = 0.5,
        /// A target that is left out. Default: none.
        ignore_index: Option<i64> = None,
    }
}

/// The rule of confusion matrices.
pub struct Confusion {
    reading: Reading,
    normalize: String,
}

/// How often each class was taken for which: `torchmetrics.ConfusionMatrix`. Rows are targets, columns predictions; of labels there is a
/// matrix of two by two for each. Counts are int64.
///
/// ```
/// use torch::metrics::ConfusionMatrix;
/// let matrix = ConfusionMatrix::with("multiclass", |o| o.num_classes(3));
/// matrix.update(torch::tensor([2, 1, 0, 1]), torch::tensor([2, 1, 0, 0]));
/// assert_eq!(matrix.compute().tolist::<Vec<Vec<i64>>>(), [[1, 1, 0], [0, 1, 0], [0, 0, 1]]);
/// ```
pub type ConfusionMatrix = Metric<Confusion>;

impl Metric<Confusion> {
    /// A matrix of the task `"binary"`; the others need the number of classes or labels.
    ///
    /// # Panics
    /// For another task, as it needs an option.
    #[track_caller]
    pub fn new(task: &str) -> Self {
        Self::with(task, |o| o)
    }

    /// [`ConfusionMatrix::new`] with torchmetrics' keywords: `num_classes`, `num_labels`, `normalize`, `threshold`, `ignore_index`.
    ///
    /// # Panics
    /// When there is no such task or norm, or the number of classes or labels is missing.
    #[track_caller]
    pub fn with(task: &str, options: impl FnOnce(ConfusionMatrixOptions) -> ConfusionMatrixOptions) -> Self {
        let o = options(ConfusionMatrixOptions::default());
        assert!(
            ["true", "pred", "all", "none"].contains(&&o.normalize[..]),
            "Expected argument `normalize` to be one of ('true', 'pred', 'all', 'none', None), but got {}.",
            o.normalize
        );
        threshold(o.threshold);
        let task = Task::new(task, o.num_classes, o.num_labels);
        let ignore_index = o.ignore_index;
        let reading =
            Reading { task, threshold: o.threshold, top_k: 1, ignore_index, ignore_first: true, exact: false };
        Metric::of(Confusion { reading, normalize: o.normalize })
    }
}

impl Confusion {
    /// How many matrices of how many rows there are.
    fn shape(&self) -> (usize, usize) {
        match self.reading.task {
            Task::Binary => (1, 2),
            Task::Multiclass(n) => (1, n),
            Task::Multilabel(n) => (n, 2),
        }
    }
}

impl Rule for Confusion {
    /// The matrices' numbers.
    type State = Vec<f64>;

    #[track_caller]
    fn observe(&self, preds: &Tensor, target: &Tensor) -> Vec<f64> {
        let (matrices, n) = self.shape();
        let mut counts = vec![0.0; matrices * n * n];
        for pair in self.reading.pairs(preds, target) {
            counts[(pair.label * n + pair.target) * n + pair.pred] += 1.0;
        }
        counts
    }

    fn merge(&self, all: &mut Vec<f64>, more: Vec<f64>) {
        add_to(all, &more);
    }

    fn value(&self, state: &Vec<f64>) -> Tensor {
        let (matrices, n) = self.shape();
        let mut counts = state.clone();
        counts.resize(matrices * n * n, 0.0);
        let shape: &[i64] = match self.reading.task {
            Task::Multilabel(_) => &[matrices as i64, 2, 2],
            _ => &[n as i64, n as i64],
        };
        if self.normalize == "none" {
            return from_vec(counts.iter().map(|&n| n as i64).collect(), shape);
        }
        let share = |(i, count): (usize, &f64)| {
            let (matrix, row, column) = (i / (n * n) * n * n, i / n % n, i % n);
            let sum: f64 = match &self.normalize[..] {
                "true" => (0..n).map(|k| counts[matrix + row * n + k]).sum(),
                "pred" => (0..n).map(|k| counts[matrix + k * n + column]).sum(),
                _ => counts[matrix..matrix + n * n].iter().sum(),
            };
            crate::metric::divide(*count, sum, 0.0) as f32
        };
        from_vec(counts.iter().enumerate().map(share).collect(), shape)
    }
}
