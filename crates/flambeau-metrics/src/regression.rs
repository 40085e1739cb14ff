//! Errors of numbers.

use crate::metric::{Metric, Rule, add_to, same_shape, scalar, vector};
use flambeau_autograd::{Tensor, warn};
use std::marker::PhantomData;

flambeau_autograd::options! {
    /// Options of [`MeanSquaredError`] and [`MeanAbsoluteError`] under torchmetrics' names.
    #[derive(Clone, Debug)]
    RegressionOptions {
        /// How many numbers there are for a sample: 1 takes all as one list. Default: 1.
        num_outputs: i64 = 1,
        /// Whether the mean squared error is given, or its root. Default: true.
        squared: bool = true,
    }
}

flambeau_autograd::options! {
    /// Options of [`R2Score`] under torchmetrics' names.
    #[derive(Clone, Debug)]
    R2ScoreOptions {
        /// The number of independent regressors that the score is corrected for. Default: 0.
        adjusted: i64 = 0,
        /// `"uniform_average"`, `"raw_values"` or `"variance_weighted"`: what becomes of several numbers for a sample. Default:
        /// `"uniform_average"`.
        multioutput: String = "uniform_average".to_owned(),
    }
}

/// What an error costs.
pub trait Loss: Send + Sync + 'static {
    /// The cost of a difference.
    fn cost(difference: f64) -> f64;
}

/// Its square.
pub struct Squared;
/// Its size.
pub struct Absolute;

impl Loss for Squared {
    fn cost(difference: f64) -> f64 {
        difference * difference
    }
}

impl Loss for Absolute {
    fn cost(difference: f64) -> f64 {
        difference.abs()
    }
}

/// The rule of mean errors.
pub struct Errors<L> {
    outputs: usize,
    squared: bool,
    loss: PhantomData<L>,
}

/// The mean of squared differences: `torchmetrics.MeanSquaredError`.
///
/// ```
/// use torch::metrics::MeanSquaredError;
/// let mse = MeanSquaredError::new();
/// mse.update(torch::tensor([3.0, 5.0]), torch::tensor([2.0, 7.0]));
/// assert_eq!(mse.compute().item(), 2.5);
/// let rmse = MeanSquaredError::with(|o| o.squared(false));
/// assert_eq!(rmse.call(torch::tensor([3.0]), torch::tensor([0.0])).item(), 3.0);
/// ```
pub type MeanSquaredError = Metric<Errors<Squared>>;
/// The mean of differences without their signs: `torchmetrics.MeanAbsoluteError`.
pub type MeanAbsoluteError = Metric<Errors<Absolute>>;

impl<L: Loss> Metric<Errors<L>> {
    /// A metric of one number for a sample.
    #[allow(clippy::new_without_default, reason = "no other constructor has a Default")]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// [`Metric::new`](Self::new) with torchmetrics' keywords: `num_outputs`, and `squared` of [`MeanSquaredError`].
    ///
    /// # Panics
    /// When there are no outputs.
    #[track_caller]
    pub fn with(options: impl FnOnce(RegressionOptions) -> RegressionOptions) -> Self {
        let o = options(RegressionOptions::default());
        let n = o.num_outputs;
        assert!(n > 0, "Expected num_outputs to be a positive integer but got {n}");
        Metric::of(Errors { outputs: n as usize, squared: o.squared, loss: PhantomData })
    }
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.detach().cpu().double().to_vec()
}

impl<L: Loss> Rule for Errors<L> {
    /// The costs of each output, and the number of samples.
    type State = Vec<f64>;

    #[track_caller]
    fn observe(&self, preds: &Tensor, target: &Tensor) -> Vec<f64> {
        same_shape(preds, target);
        let (p, t, n) = (numbers(preds), numbers(target), self.outputs);
        assert!(
            n == 1 || (preds.dim() == 2 && preds.size_dim(1) == n),
            "expected predictions of shape (N, {n}), got torch.Size({:?})",
            preds.size().to_vec()
        );
        let mut sums = vec![0.0; n + 1];
        p.iter().zip(&t).enumerate().for_each(|(i, (p, t))| sums[i % n] += L::cost(p - t));
        sums[n] = (p.len() / n) as f64;
        sums
    }

    fn merge(&self, all: &mut Vec<f64>, more: Vec<f64>) {
        add_to(all, &more);
    }

    fn value(&self, state: &Vec<f64>) -> Tensor {
        let samples = state.last().copied().unwrap_or(0.0);
        let mean = |i: usize| state.get(i).copied().unwrap_or(0.0) / samples;
        let given = |i: usize| if self.squared { mean(i) } else { mean(i).sqrt() };
        let all: Vec<f64> = (0..self.outputs).map(given).collect();
        if self.outputs == 1 { scalar(all[0]) } else { vector(&all) }
    }
}

/// The rule of the coefficient of determination.
pub struct R2 {
    adjusted: i64,
    multioutput: String,
}

/// How much of the targets' variance is explained: `torchmetrics.R2Score`. Samples are numbers, or rows of (N, outputs).
///
/// ```
/// use torch::metrics::R2Score;
/// let r2 = R2Score::new();
/// r2.update(torch::tensor([2.5, 0.0, 2.0, 8.0]), torch::tensor([3.0, -0.5, 2.0, 7.0]));
/// assert!((r2.compute().item() - 0.9486).abs() < 1e-4);
/// ```
pub type R2Score = Metric<R2>;

impl Metric<R2> {
    /// A metric with the mean of several outputs.
    #[allow(clippy::new_without_default, reason = "no other constructor has a Default")]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// [`R2Score::new`] with torchmetrics' keywords: `adjusted`, `multioutput`.
    ///
    /// # Panics
    /// When there is no such option.
    #[track_caller]
    pub fn with(options: impl FnOnce(R2ScoreOptions) -> R2ScoreOptions) -> Self {
        let R2ScoreOptions { adjusted, multioutput } = options(R2ScoreOptions::default());
        assert!(adjusted >= 0, "`adjusted` parameter should be an integer larger or equal to 0.");
        assert!(
            ["raw_values", "uniform_average", "variance_weighted"].contains(&&multioutput[..]),
            "Invalid input to argument `multioutput`. Choose one of the following: ('raw_values', 'uniform_average', \
             'variance_weighted')"
        );
        Metric::of(R2 { adjusted, multioutput })
    }
}

impl Rule for R2 {
    /// For each output the sums of targets, of their squares and of squared errors; the number of samples.
    type State = Vec<f64>;

    #[track_caller]
    fn observe(&self, preds: &Tensor, target: &Tensor) -> Vec<f64> {
        same_shape(preds, target);
        assert!(
            preds.dim() <= 2,
            "Expected both prediction and target to be 1D or 2D tensors, but received tensors with dimension torch.Size({:?})",
            preds.size().to_vec()
        );
        let (p, t) = (numbers(preds), numbers(target));
        let n = if preds.dim() == 2 { preds.size_dim(1) } else { 1 };
        let mut sums = vec![0.0; 3 * n + 1];
        for (i, (p, t)) in p.iter().zip(&t).enumerate() {
            let at = 3 * (i % n);
            sums[at] += t;
            sums[at + 1] += t * t;
            sums[at + 2] += (t - p) * (t - p);
        }
        sums[3 * n] = (p.len() / n.max(1)) as f64;
        sums
    }

    fn merge(&self, all: &mut Vec<f64>, more: Vec<f64>) {
        add_to(all, &more);
    }

    #[track_caller]
    fn value(&self, state: &Vec<f64>) -> Tensor {
        let samples = state.last().copied().unwrap_or(0.0);
        assert!(samples >= 2.0, "Needs at least two samples to calculate r2 score.");
        let (mut scores, mut spreads) = (Vec::new(), Vec::new());
        for [sum, squares, errors] in state.as_chunks::<3>().0 {
            let spread = squares - sum * sum / samples;
            // What is that small counts as nothing.
            let (wrong, spread_out) = (errors.abs() > 1e-4, spread.abs() > 1e-4);
            scores.push(match (wrong, spread_out) {
                (true, true) => 1.0 - errors / spread,
                (true, false) => 0.0,
                _ => 1.0,
            });
            spreads.push(spread);
        }
        let total: f64 = spreads.iter().sum();
        let values = match &self.multioutput[..] {
            "raw_values" => scores.clone(),
            "uniform_average" => vec![scores.iter().sum::<f64>() / scores.len() as f64],
            _ => vec![scores.iter().zip(&spreads).map(|(score, spread)| spread / total * score).sum()],
        };
        let left = samples - self.adjusted as f64 - 1.0;
        let adjust =
            |r2: f64| if self.adjusted > 0 && left > 0.0 { 1.0 - (1.0 - r2) * (samples - 1.0) / left } else { r2 };
        if self.adjusted > 0 && left < 0.0 {
            warn(
                "More independent regressions than data points in adjusted r2 score. Falls back to standard r2 score.",
            );
        } else if self.adjusted > 0 && left == 0.0 {
            warn("Division by zero in adjusted r2 score. Falls back to standard r2 score.");
        }
        let values: Vec<f64> = values.into_iter().map(adjust).collect();
        match self.multioutput == "raw_values" && scores.len() > 1 {
            true => vector(&values),
            false => scalar(values[0]),
        }
    }
}
