//! Precision over recall.

use super::{EventOptions, floats, metadata, tensor_value};
use crate::wire::Message;
use crate::{Numbers, SummaryWriter, Values};
use flambeau_autograd::Setting;
use flambeau_autograd::arguments::{Int, OptInt};
use flambeau_tensor::DType;

/// More thresholds break what TensorBoard reads, says PyTorch.
const MOST_THRESHOLDS: i64 = 127;

/// Options of [`SummaryWriter::add_pr_curve_with`] under PyTorch's names.
#[derive(Clone, Debug)]
pub struct PrCurveOptions {
    num_thresholds: i64,
    weights: Option<Numbers>,
    walltime: Option<f64>,
}

impl PrCurveOptions {
    /// How many thresholds there are, at most 127. Default: 127.
    #[track_caller]
    #[must_use]
    pub fn num_thresholds(mut self, thresholds: impl Int) -> Self {
        self.num_thresholds = thresholds.to_i64();
        self
    }

    /// What each element counts for; broadcast to the labels. Default: 1.
    #[track_caller]
    #[must_use]
    pub fn weights(mut self, weights: impl Values) -> Self {
        self.weights = Some(weights.numbers());
        self
    }

    /// Seconds since 1970, in the place of the present time. Default: none.
    #[must_use]
    pub fn walltime(mut self, walltime: impl Setting<Option<f64>>) -> Self {
        self.walltime = walltime.setting();
        self
    }
}

/// What is known for each threshold: the arguments of [`SummaryWriter::add_pr_curve_raw`].
#[derive(Clone, Debug)]
pub struct PrCurveRaw<V> {
    /// How many are found that are true.
    pub true_positive_counts: V,
    /// How many are found that are not true.
    pub false_positive_counts: V,
    /// How many are not found and not true.
    pub true_negative_counts: V,
    /// How many are not found that are true.
    pub false_negative_counts: V,
    /// The share of what is found that is true.
    pub precision: V,
    /// The share of what is true that is found.
    pub recall: V,
}

/// The weights of elements of this shape: NumPy's broadcast.
#[track_caller]
fn spread(weights: &Numbers, shape: &[usize]) -> Vec<f64> {
    let dims = shape.len().max(weights.shape.len());
    let padded = |shape: &[usize]| [vec![1; dims - shape.len()], shape.to_vec()].concat();
    let (to, from) = (padded(shape), padded(&weights.shape));
    let tuple = |shape: &[usize]| {
        let list: Vec<String> = shape.iter().map(usize::to_string).collect();
        format!("({}{})", list.join(","), if shape.len() == 1 { "," } else { "" })
    };
    assert!(
        to.iter().zip(&from).all(|(&to, &from)| to == from || to == 1 || from == 1),
        "operands could not be broadcast together with shapes {} {} ",
        tuple(shape),
        tuple(&weights.shape)
    );
    let fits = dims == shape.len() && to.iter().zip(&from).all(|(&to, &from)| to == from || from == 1);
    assert!(fits, "weights should have the same shape as a.");
    let weight = |mut i: usize| {
        let (mut at, mut step) = (0, 1);
        for (&to, &from) in to.iter().zip(&from).rev() {
            at += step * (i % to % from);
            (i, step) = (i / to, step * from);
        }
        weights.data[at]
    };
    (0..shape.iter().product()).map(weight).collect()
}

/// Counts for each threshold: true positives, false positives, true negatives, false negatives, precision, recall.
#[track_caller]
fn curve(labels: &Numbers, predictions: &Numbers, thresholds: i64, weights: Option<&Numbers>) -> [Vec<f64>; 6] {
    const MINIMUM_COUNT: f64 = 1e-7;
    let n = usize::try_from(thresholds).unwrap_or(0);
    assert!(n > 1, "num_thresholds must be at least 2, got {thresholds}");
    let weights = weights.map(|weights| spread(weights, &labels.shape));
    assert!(labels.shape == predictions.shape, "weights should have the same shape as a.");
    let [mut hits, mut misses] = [vec![0.0; n], vec![0.0; n]];
    for (i, (&label, &prediction)) in labels.data.iter().zip(&predictions.data).enumerate() {
        // NumPy multiplies in the array's own precision.
        let scaled = match predictions.dtype {
            DType::F32 => f64::from(prediction as f32 * (n - 1) as f32),
            _ => prediction * (n - 1) as f64,
        };
        let weight = weights.as_ref().map_or(1.0, |weights| weights[i]);
        let at = scaled.floor();
        if at >= 0.0 && at < n as f64 {
            hits[at as usize] += label * weight;
            misses[at as usize] += (1.0 - label) * weight;
        }
    }
    // What is above a threshold is found.
    for buckets in [&mut hits, &mut misses] {
        for i in (0..n - 1).rev() {
            buckets[i] += buckets[i + 1];
        }
    }
    let (tp, fp) = (hits, misses);
    let tn: Vec<f64> = fp.iter().map(|x| fp[0] - x).collect();
    let fn_: Vec<f64> = tp.iter().map(|x| tp[0] - x).collect();
    let share = |other: &[f64]| tp.iter().zip(other).map(|(t, o)| t / (t + o).max(MINIMUM_COUNT)).collect();
    let (precision, recall) = (share(&fp), share(&fn_));
    [tp, fp, tn, fn_, precision, recall]
}

/// `Summary.Value` of six rows of numbers.
#[track_caller]
fn value(tag: &str, rows: [Vec<f64>; 6], thresholds: i64) -> Message {
    let columns = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == columns), "all input arrays must have the same shape");
    let tensor = floats([6, columns], rows.iter().flatten().map(|&x| x as f32));
    tensor_value(tag, metadata("pr_curves", Message::new().int(2, thresholds)), tensor)
}

impl SummaryWriter {
    /// Adds the precision and the recall of predictions at each threshold: `writer.add_pr_curve(tag, labels, predictions, global_step)`.
    /// Labels are truth values or 0 and 1, predictions chances from 0 to 1.
    ///
    /// # Panics
    /// When labels and predictions differ in shape.
    ///
    /// ```
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-pr-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// writer.add_pr_curve("seven or not", torch::tensor([1, 0, 1]), torch::tensor([0.9, 0.2, 0.6]), 0);
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    #[track_caller]
    pub fn add_pr_curve(&self, tag: &str, labels: impl Values, predictions: impl Values, global_step: impl OptInt) {
        self.add_pr_curve_with(tag, labels, predictions, global_step, |o| o);
    }

    /// [`SummaryWriter::add_pr_curve`] with PyTorch's keywords: `num_thresholds`, `weights`, `walltime`.
    ///
    /// # Panics
    /// When labels and predictions differ in shape, or weights cannot be broadcast to it.
    #[track_caller]
    pub fn add_pr_curve_with(
        &self,
        tag: &str,
        labels: impl Values,
        predictions: impl Values,
        global_step: impl OptInt,
        options: impl FnOnce(PrCurveOptions) -> PrCurveOptions,
    ) {
        let o = options(PrCurveOptions { num_thresholds: MOST_THRESHOLDS, weights: None, walltime: None });
        let thresholds = o.num_thresholds.min(MOST_THRESHOLDS);
        let rows = curve(&labels.numbers(), &predictions.numbers(), thresholds, o.weights.as_ref());
        self.add_summary([value(tag, rows, thresholds)], global_step, o.walltime);
    }

    /// Adds a curve that was counted elsewhere, a number for each threshold: `writer.add_pr_curve_raw(tag, …, global_step)`.
    ///
    /// # Panics
    /// When there are not as many of each.
    #[track_caller]
    pub fn add_pr_curve_raw<V: Values>(
        &self,
        tag: &str,
        raw: PrCurveRaw<V>,
        num_thresholds: impl Int,
        global_step: impl OptInt,
    ) {
        self.add_pr_curve_raw_with(tag, raw, num_thresholds, global_step, |o| o);
    }

    /// [`SummaryWriter::add_pr_curve_raw`] with PyTorch's keyword `walltime`.
    ///
    /// # Panics
    /// When there are not as many of each.
    #[track_caller]
    pub fn add_pr_curve_raw_with<V: Values>(
        &self,
        tag: &str,
        raw: PrCurveRaw<V>,
        num_thresholds: impl Int,
        global_step: impl OptInt,
        options: impl FnOnce(EventOptions) -> EventOptions,
    ) {
        let PrCurveRaw { true_positive_counts, false_positive_counts, true_negative_counts, .. } = &raw;
        let counts = [true_positive_counts, false_positive_counts, true_negative_counts];
        let [tp, fp, tn] = counts.map(|row| row.numbers().data);
        let [fn_, precision, recall] =
            [&raw.false_negative_counts, &raw.precision, &raw.recall].map(|row| row.numbers().data);
        let thresholds = num_thresholds.to_i64().min(MOST_THRESHOLDS);
        let value = value(tag, [tp, fp, tn, fn_, precision, recall], thresholds);
        self.add_summary([value], global_step, options(EventOptions::default()).walltime);
    }
}
