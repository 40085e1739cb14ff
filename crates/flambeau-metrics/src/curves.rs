//! Areas under curves over all thresholds, exactly.

use crate::labels::{Task, chances, check_scores, classes, keep, zeros_and_ones};
use crate::metric::{Metric, Rule, divide, same_shape, scalar, vector};
use crate::scores::average;
use flambeau_autograd::Tensor;
use std::marker::PhantomData;

flambeau_autograd::options! {
    /// Options of [`AUROC`] and [`AveragePrecision`] under torchmetrics' names.
    #[derive(Clone, Debug)]
    CurveOptions {
        /// The number of classes of the task `multiclass`. Default: none, which `multiclass` refuses.
        num_classes: Option<i64> = None,
        /// The number of labels of the task `multilabel`. Default: none, which `multilabel` refuses.
        num_labels: Option<i64> = None,
        /// `"macro"`: the mean of the classes; `"weighted"`: that, weighted by the classes' targets; `"none"`: a number for each class;
        /// `"micro"`, of labels only: of all at once. Default: `"macro"`.
        average: String = "macro".to_owned(),
        /// A target that is left out. Default: none.
        ignore_index: Option<i64> = None,
        /// The false positive rate up to which the area counts. Without a meaning for `multiclass` and `multilabel`. Default: none.
        max_fpr: Option<f64> = None,
    }
}

/// What area is asked for.
pub trait Curve: Send + Sync + 'static {
    /// The area of scores of which some are right.
    #[doc(hidden)]
    fn area(ranked: &Ranked, max_fpr: Option<f64>) -> f64;
}

/// True and false positives at each score, from the highest score on.
#[doc(hidden)]
pub struct Ranked {
    tps: Vec<f64>,
    fps: Vec<f64>,
    /// Whether recall is 1 by definition, as torchmetrics has it where all targets are 0.
    all_zero: bool,
}

impl Ranked {
    fn new(mut scored: Vec<(f64, bool)>, all_zero: bool) -> Self {
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut tps, mut fps, mut right) = (Vec::new(), Vec::new(), 0.0);
        for (i, (score, hit)) in scored.iter().enumerate() {
            right += f64::from(u8::from(*hit));
            // Equal scores fall together.
            if scored.get(i + 1).is_none_or(|next| next.0 != *score) {
                tps.push(right);
                fps.push((i + 1) as f64 - right);
            }
        }
        Ranked { tps, fps, all_zero }
    }
}

/// The area under true positives over false ones.
pub struct Roc;
/// The area under precision over recall, in steps.
pub struct Steps;

fn trapezoids(x: &[f64], y: &[f64]) -> f64 {
    x.windows(2).zip(y.windows(2)).map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0).sum()
}

impl Curve for Roc {
    fn area(ranked: &Ranked, max_fpr: Option<f64>) -> f64 {
        let rates = |counts: &[f64]| {
            let last = counts.last().copied().unwrap_or(0.0);
            let rate = |count: &f64| divide(*count, last, 0.0);
            [0.0].into_iter().chain(counts.iter().map(rate)).collect::<Vec<f64>>()
        };
        let (mut fpr, mut tpr) = (rates(&ranked.fps), rates(&ranked.tps));
        let flat = |rates: &[f64]| rates.iter().sum::<f64>() == 0.0;
        let Some(most) = max_fpr.filter(|&most| most != 1.0 && !flat(&fpr) && !flat(&tpr)) else {
            return trapezoids(&fpr, &tpr);
        };
        let stop = fpr.partition_point(|&rate| rate <= most);
        let share = (most - fpr[stop - 1]) / (fpr[stop] - fpr[stop - 1]);
        let end = tpr[stop - 1] + share * (tpr[stop] - tpr[stop - 1]);
        for (rates, last) in [(&mut fpr, most), (&mut tpr, end)] {
            rates.truncate(stop);
            rates.push(last);
        }
        let least = 0.5 * most * most;
        0.5 * (1.0 + (trapezoids(&fpr, &tpr) - least) / (most - least))
    }
}

impl Curve for Steps {
    fn area(ranked: &Ranked, _: Option<f64>) -> f64 {
        let all = ranked.tps.last().copied().unwrap_or(0.0);
        let mut before = 0.0;
        let mut area = 0.0;
        for (tp, fp) in ranked.tps.iter().zip(&ranked.fps) {
            let recall = if ranked.all_zero { 1.0 } else { tp / all };
            area += (recall - before) * (tp / (tp + fp));
            before = recall;
        }
        area
    }
}

/// The rule of areas.
pub struct Curves<C> {
    task: Task,
    average: String,
    ignore_index: Option<i64>,
    max_fpr: Option<f64>,
    curve: PhantomData<C>,
}

/// The area under the ROC curve: `torchmetrics.AUROC`, over all thresholds. The task is `"binary"`, `"multiclass"` or `"multilabel"`;
/// predictions are chances or logits.
///
/// ```
/// use torch::metrics::AUROC;
/// let auroc = AUROC::new("binary");
/// auroc.update(torch::tensor([0.1, 0.4, 0.35, 0.8]), torch::tensor([0, 0, 1, 1]));
/// assert_eq!(auroc.compute().item(), 0.75);
/// ```
#[allow(clippy::upper_case_acronyms, reason = "torchmetrics' name")]
pub type AUROC = Metric<Curves<Roc>>;
/// The area under precision over recall: `torchmetrics.AveragePrecision`. Arguments are as [`AUROC`]'s, without `max_fpr`.
pub type AveragePrecision = Metric<Curves<Steps>>;

impl<C: Curve> Metric<Curves<C>> {
    /// A metric of the task `"binary"`; the others need the number of classes or labels.
    ///
    /// # Panics
    /// For another task, as it needs an option.
    #[track_caller]
    pub fn new(task: &str) -> Self {
        Self::with(task, |o| o)
    }

    /// [`Metric::new`](Self::new) with torchmetrics' keywords: `num_classes`, `num_labels`, `average`, `ignore_index`, `max_fpr`.
    ///
    /// # Panics
    /// When there is no such task or average, or the number of classes or labels is missing.
    #[track_caller]
    pub fn with(task: &str, options: impl FnOnce(CurveOptions) -> CurveOptions) -> Self {
        let o = options(CurveOptions::default());
        let task = Task::new(task, o.num_classes, o.num_labels);
        match task {
            Task::Multilabel(_) => average(&o.average, &["micro", "macro", "weighted", "none"]),
            _ => average(&o.average, &["macro", "weighted", "none"]),
        }
        let max_fpr = o.max_fpr.filter(|_| task == Task::Binary);
        if let Some(most) = max_fpr {
            assert!(
                most > 0.0 && most <= 1.0,
                "Arguments `max_fpr` should be a float in range (0, 1], but got: {most}"
            );
        }
        let CurveOptions { average, ignore_index, .. } = o;
        Metric::of(Curves { task, average, ignore_index, max_fpr, curve: PhantomData })
    }
}

impl<C: Curve> Rule for Curves<C> {
    /// Rows of scores, and their targets: a class, or zeros and ones.
    type State = (Vec<f64>, Vec<i64>);

    #[track_caller]
    fn observe(&self, preds: &Tensor, target: &Tensor) -> Self::State {
        assert!(
            preds.dtype().is_floating_point(),
            "Expected argument `preds` to be an floating tensor with probability/logit scores, but got tensor with dtype \
             torch.{}",
            preds.dtype().name()
        );
        let n = self.task.len();
        let rows = |x: &Tensor| if x.dim() > 2 { x.movedim(1, -1).reshape([-1, n as i64]) } else { x.shallow_clone() };
        let numbers = |x: &Tensor| x.double().to_vec::<f64>();
        match self.task {
            Task::Binary => {
                same_shape(preds, target);
                let mut targets = classes(target, self.ignore_index);
                zeros_and_ones("target", &targets, self.ignore_index);
                let preds = keep(&preds.flatten(0), &targets, self.ignore_index);
                targets.retain(|&t| Some(t) != self.ignore_index);
                (numbers(&chances(&preds, false)), targets)
            }
            Task::Multiclass(_) => {
                check_scores(preds, target, n);
                let mut targets = classes(target, self.ignore_index);
                let preds = keep(&rows(preds), &targets, self.ignore_index);
                targets.retain(|&t| Some(t) != self.ignore_index);
                let wrong = targets.iter().find(|&&t| t < 0 || t >= n as i64);
                assert!(wrong.is_none(), "`target` has the class {}, but there are {n} classes", wrong.unwrap_or(&0));
                (numbers(&chances(&preds, true)), targets)
            }
            Task::Multilabel(_) => {
                same_shape(preds, target);
                assert!(
                    preds.dim() >= 2 && preds.size_dim(1) == n,
                    "Expected both `target.shape[1]` and `preds.shape[1]` to be equal to the number of labels"
                );
                let targets = classes(&rows(target), self.ignore_index);
                zeros_and_ones("target", &targets, self.ignore_index);
                (numbers(&chances(&rows(preds), false)), targets)
            }
        }
    }

    fn merge(&self, all: &mut Self::State, more: Self::State) {
        all.0.extend(more.0);
        all.1.extend(more.1);
    }

    #[track_caller]
    fn value(&self, (scores, targets): &Self::State) -> Tensor {
        assert!(!targets.is_empty(), "No samples to concatenate");
        let n = self.task.len();
        let kept = |target: &i64| Some(*target) != self.ignore_index;
        let all_zero = |targets: &[i64]| targets.iter().all(|&t| t == 0);
        let area = |scored: Vec<(f64, bool)>, all_zero| C::area(&Ranked::new(scored, all_zero), self.max_fpr);
        let (areas, support): (Vec<f64>, Vec<f64>) = match self.task {
            Task::Binary => {
                let scored = scores.iter().zip(targets).map(|(s, t)| (*s, *t == 1)).collect();
                return scalar(area(scored, all_zero(targets)));
            }
            Task::Multilabel(_) if self.average == "micro" => {
                let pairs: Vec<(f64, i64)> =
                    scores.iter().zip(targets).filter(|(_, t)| kept(t)).map(|(s, t)| (*s, *t)).collect();
                let zero = pairs.iter().all(|pair| pair.1 == 0);
                return scalar(area(pairs.iter().map(|(s, t)| (*s, *t == 1)).collect(), zero));
            }
            Task::Multiclass(_) => {
                let zero = all_zero(targets);
                let class = |class: usize| {
                    let scored = targets.iter().enumerate().map(|(i, t)| (scores[i * n + class], *t == class as i64));
                    (area(scored.collect(), zero), targets.iter().filter(|&&t| t == class as i64).count() as f64)
                };
                (0..n).map(class).unzip()
            }
            Task::Multilabel(_) => {
                let label = |label: usize| {
                    let pairs: Vec<(f64, i64)> =
                        scores.iter().zip(targets).skip(label).step_by(n).map(|(s, t)| (*s, *t)).collect();
                    let pairs: Vec<(f64, i64)> = pairs.into_iter().filter(|(_, t)| kept(t)).collect();
                    let (zero, hits) = (pairs.iter().all(|p| p.1 == 0), pairs.iter().filter(|p| p.1 == 1).count());
                    (area(pairs.iter().map(|(s, t)| (*s, *t == 1)).collect(), zero), hits as f64)
                };
                (0..n).map(label).unzip()
            }
        };
        if self.average == "none" {
            return vector(&areas);
        }
        // Classes that have no area are left out.
        let known: Vec<(f64, f64)> = areas.into_iter().zip(support).filter(|(area, _)| !area.is_nan()).collect();
        let weight = |support: f64| if self.average == "weighted" { support } else { 1.0 };
        let total: f64 = known.iter().map(|(_, support)| weight(*support)).sum();
        let sum: f64 = known.iter().map(|(area, support)| area * weight(*support)).sum();
        scalar(if known.is_empty() && self.average == "macro" { f64::NAN } else { divide(sum, total, 0.0) })
    }
}
