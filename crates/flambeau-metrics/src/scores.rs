//! Shares of what is right: accuracy, precision, recall and what is made of them.

use crate::labels::{Reading, Task};
use crate::metric::{Metric, Rule, add_to, divide, scalar, vector};
use flambeau_autograd::Tensor;
use flambeau_tensor::print::py_float;

flambeau_autograd::options! {
    /// Options of [`Accuracy`], [`Precision`], [`Recall`], [`F1Score`] and [`Specificity`] under torchmetrics' names.
    #[derive(Clone, Debug)]
    ScoreOptions {
        /// The number of classes of the task `multiclass`. Default: none, which `multiclass` refuses.
        num_classes: Option<i64> = None,
        /// The number of labels of the task `multilabel`. Default: none, which `multilabel` refuses.
        num_labels: Option<i64> = None,
        /// `"micro"`: of all samples; `"macro"`: the mean of the classes; `"weighted"`: that, weighted by the classes' targets; `"none"`: a
        /// number for each class. Without a meaning for `binary`. Default: `"micro"`.
        average: String = "micro".to_owned(),
        /// How many of the best classes count as a hit. Default: 1.
        top_k: i64 = 1,
        /// The chance above which a label counts as predicted. Default: 0.5.
        threshold: f64 = 0.5,
        /// A target that is left out. Default: none.
        ignore_index: Option<i64> = None,
        /// What a division by zero gives in precision, recall and F1, 0 or 1. Default: 0.
        zero_division: f64 = 0.0,
    }
}

/// True and false positives and negatives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    tp: f64,
    fp: f64,
    tn: f64,
    fn_: f64,
}

/// What makes a share of counts.
pub trait Score: Send + Sync + 'static {
    /// Numerator and denominator; `whole` tells that what is rightly not found counts too: two classes, or labels.
    fn parts(counts: &Counts, whole: bool) -> (f64, f64);
    /// Whether `zero_division` has a meaning.
    const ZERO_DIVISION: bool = true;
    /// Whether the mean over classes leaves those out that the target lacks, where several predictions count.
    const BY_TARGET: bool = true;
}

/// The kinds of shares.
pub mod rates {
    use super::{Counts, Score};

    /// What is right of all.
    pub struct Right;
    /// What is right of what is found.
    pub struct Found;
    /// What is found of what is right.
    pub struct Recalled;
    /// The harmonic mean of both.
    pub struct Harmonic;
    /// What is rightly not found.
    pub struct Excluded;

    impl Score for Right {
        fn parts(c: &Counts, whole: bool) -> (f64, f64) {
            match whole {
                true => (c.tp + c.tn, c.tp + c.tn + c.fp + c.fn_),
                false => (c.tp, c.tp + c.fn_),
            }
        }
        const ZERO_DIVISION: bool = false;
    }
    impl Score for Found {
        fn parts(c: &Counts, _: bool) -> (f64, f64) {
            (c.tp, c.tp + c.fp)
        }
    }
    impl Score for Recalled {
        fn parts(c: &Counts, _: bool) -> (f64, f64) {
            (c.tp, c.tp + c.fn_)
        }
    }
    impl Score for Harmonic {
        fn parts(c: &Counts, _: bool) -> (f64, f64) {
            (2.0 * c.tp, 2.0 * c.tp + c.fn_ + c.fp)
        }
        const BY_TARGET: bool = false;
    }
    impl Score for Excluded {
        fn parts(c: &Counts, _: bool) -> (f64, f64) {
            (c.tn, c.tn + c.fp)
        }
        const ZERO_DIVISION: bool = false;
        const BY_TARGET: bool = false;
    }
}

/// The rule of scores.
pub struct Scores<S> {
    reading: Reading,
    average: String,
    zero_division: f64,
    score: std::marker::PhantomData<S>,
}

/// The share of predictions that are right: `torchmetrics.Accuracy`. The task is `"binary"`, `"multiclass"` or `"multilabel"`.
///
/// Predictions are classes, chances or logits, (N, …) or for `multiclass` also (N, C, …); `multilabel` has (N, L, …) of both.
///
/// ```
/// use torch::metrics::Accuracy;
/// let accuracy = Accuracy::with("multiclass", |o| o.num_classes(3).average("none"));
/// accuracy.update(torch::tensor([2, 1, 0, 1]), torch::tensor([2, 1, 0, 0]));
/// assert_eq!(accuracy.compute().to_vec::<f32>(), [0.5, 1.0, 1.0]);
/// assert_eq!(Accuracy::new("binary").call(torch::tensor([0.2, 0.8]), torch::tensor([0, 0])).item(), 0.5);
/// ```
pub type Accuracy = Metric<Scores<rates::Right>>;
/// The share of what is predicted that is right: `torchmetrics.Precision`. Arguments are as [`Accuracy`]'s.
pub type Precision = Metric<Scores<rates::Found>>;
/// The share of what is right that is predicted: `torchmetrics.Recall`. Arguments are as [`Accuracy`]'s.
pub type Recall = Metric<Scores<rates::Recalled>>;
/// The harmonic mean of precision and recall: `torchmetrics.F1Score`. Arguments are as [`Accuracy`]'s.
pub type F1Score = Metric<Scores<rates::Harmonic>>;
/// The share of what is wrong that is not predicted: `torchmetrics.Specificity`. Arguments are as [`Accuracy`]'s.
pub type Specificity = Metric<Scores<rates::Excluded>>;

impl<S: Score> Metric<Scores<S>> {
    /// A metric of the task `"binary"`; the others need the number of classes or labels.
    ///
    /// # Panics
    /// For another task, as it needs an option.
    #[track_caller]
    pub fn new(task: &str) -> Self {
        Self::with(task, |o| o)
    }

    /// [`Metric::new`](Self::new) with torchmetrics' keywords: `num_classes`, `num_labels`, `average`, `top_k`, `threshold`,
    /// `ignore_index`, `zero_division`.
    ///
    /// # Panics
    /// When there is no such task or average, or the number of classes or labels is missing.
    #[track_caller]
    pub fn with(task: &str, options: impl FnOnce(ScoreOptions) -> ScoreOptions) -> Self {
        let o = options(ScoreOptions::default());
        let task = Task::new(task, o.num_classes, o.num_labels);
        average(&o.average, &["micro", "macro", "weighted", "none"]);
        let top_k = o.top_k;
        assert!(top_k >= 1, "Expected argument `top_k` to be an integer larger than or equal to 1, but got {top_k}");
        if let Task::Multiclass(n) = task {
            assert!(
                top_k <= n as i64,
                "Expected argument `top_k` to be smaller or equal to `num_classes` but got {top_k} and {n}"
            );
        }
        threshold(o.threshold);
        let zero = o.zero_division;
        assert!(zero == 0.0 || zero == 1.0, "Expected argument `zero_division` to be 0 or 1, but got {zero}.");
        let ignore_index = o.ignore_index;
        let exact = o.average == "micro";
        let reading =
            Reading { task, threshold: o.threshold, top_k: top_k as usize, ignore_index, ignore_first: false, exact };
        let zero_division = if S::ZERO_DIVISION { zero } else { 0.0 };
        Metric::of(Scores { reading, average: o.average, zero_division, score: std::marker::PhantomData })
    }
}

/// Checks an average's name.
#[track_caller]
pub(crate) fn average(name: &str, known: &[&str]) {
    let list: Vec<String> = known.iter().map(|known| format!("'{known}'")).collect();
    assert!(
        known.contains(&name),
        "Expected argument `average` to be one of ({}, None), but got {name}",
        list.join(", ")
    );
}

#[track_caller]
pub(crate) fn threshold(threshold: f64) {
    assert!(
        (0.0..=1.0).contains(&threshold),
        "Expected argument `threshold` to be a float in the [0,1] range, but got {}.",
        py_float(threshold)
    );
}

impl<S: Score> Scores<S> {
    fn share(&self, counts: &Counts, whole: bool) -> f64 {
        let (a, b) = S::parts(counts, whole);
        divide(a, b, self.zero_division)
    }

    /// The classes' or labels' counts.
    fn split(&self, state: &[f64]) -> Vec<Counts> {
        let n = self.reading.task.len();
        let at = |kind: usize, i: usize| state.get(kind * n + i).copied().unwrap_or(0.0);
        (0..n).map(|i| Counts { tp: at(0, i), fp: at(1, i), tn: at(2, i), fn_: at(3, i) }).collect()
    }

    fn mean(&self, counts: &[Counts], shares: &[f64], multilabel: bool) -> f64 {
        let weight = |c: &Counts| {
            let support = c.tp + c.fn_;
            let known = if S::BY_TARGET && self.reading.top_k > 1 { support } else { support + c.fp };
            match &self.average[..] {
                "weighted" => support,
                _ if multilabel || known != 0.0 => 1.0,
                _ => 0.0,
            }
        };
        let weights: Vec<f64> = counts.iter().map(weight).collect();
        let sum: f64 = weights.iter().zip(shares).map(|(w, s)| w * s).sum();
        divide(sum, weights.iter().sum(), 0.0)
    }
}

impl<S: Score> Rule for Scores<S> {
    /// Of each kind the classes' counts, one kind after the other.
    type State = Vec<f64>;

    #[track_caller]
    fn observe(&self, preds: &Tensor, target: &Tensor) -> Vec<f64> {
        let (task, n) = (self.reading.task, self.reading.task.len());
        let pairs = self.reading.pairs(preds, target);
        let mut counts = vec![0.0; 4 * n];
        for pair in &pairs {
            if let Task::Multiclass(_) = task {
                match pair.pred == pair.target {
                    true => counts[pair.target] += 1.0,
                    false => {
                        counts[n + pair.pred] += 1.0;
                        counts[3 * n + pair.target] += 1.0;
                    }
                }
            } else {
                let kind = match (pair.pred, pair.target) {
                    (1, 1) => 0,
                    (1, _) => 1,
                    (_, 0) => 2,
                    _ => 3,
                };
                counts[kind * n + pair.label] += 1.0;
            }
        }
        if let Task::Multiclass(_) = task {
            for i in 0..n {
                counts[2 * n + i] = pairs.len() as f64 - counts[i] - counts[n + i] - counts[3 * n + i];
            }
        }
        counts
    }

    fn merge(&self, all: &mut Vec<f64>, more: Vec<f64>) {
        add_to(all, &more);
    }

    fn value(&self, state: &Vec<f64>) -> Tensor {
        let counts = self.split(state);
        let multilabel = matches!(self.reading.task, Task::Multilabel(_));
        match (self.reading.task, &self.average[..]) {
            (Task::Binary, _) => scalar(self.share(&counts[0], true)),
            (_, "micro") => {
                let sum = counts.iter().fold(Counts::default(), |a, b| Counts {
                    tp: a.tp + b.tp,
                    fp: a.fp + b.fp,
                    tn: a.tn + b.tn,
                    fn_: a.fn_ + b.fn_,
                });
                scalar(self.share(&sum, multilabel))
            }
            (_, average) => {
                let shares: Vec<f64> = counts.iter().map(|c| self.share(c, multilabel)).collect();
                match average {
                    "none" => vector(&shares),
                    _ => scalar(self.mean(&counts, &shares, multilabel)),
                }
            }
        }
    }
}
