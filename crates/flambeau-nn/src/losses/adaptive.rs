//! Softmax over many classes, of which a few are frequent.

use crate::layers::{ModuleList, Sequential};
use crate::{Linear, Module, ModuleState, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::ops::IntoDims;
use flambeau_autograd::{Error, OrPanic, Result, Tensor, ops, options};
use flambeau_tensor::{DType, Device};

options! {
    /// Options of [`AdaptiveLogSoftmaxWithLoss`].
    #[derive(Clone)]
    AdaptiveLogSoftmaxWithLossOptions {
        /// By how much each cluster has fewer features than the one before (4).
        div_value: f64 = 4.0,
        /// Whether the head has a bias (false).
        head_bias: bool = false,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
    }
}

/// log-softmax over classes that are sorted by frequency, and its loss (arXiv 1609.04309):
/// `nn.AdaptiveLogSoftmaxWithLoss(in_features, n_classes, cutoffs)`.
///
/// The classes before the first cutoff are in the head, beside one output for each cluster of those behind it; a cluster has fewer
/// features, and only those are computed that a target is in. A call gives each sample's log-probability of its target, and the
/// mean loss.
///
/// ```
/// use flambeau_autograd::{randn, tensor};
/// use flambeau_nn as nn;
/// let softmax = nn::AdaptiveLogSoftmaxWithLoss::new(16, 20, [5, 10]);
/// let x = randn([3, 16]);
/// let (output, loss) = softmax.call(&x, tensor([0, 7, 19]));
/// assert!(loss.allclose(&output.mean().neg()));
/// assert_eq!((softmax.log_prob(&x).size(), softmax.predict(&x).size()), (randn([3, 20]).size(), output.size()));
/// ```
#[derive(Module)]
pub struct AdaptiveLogSoftmaxWithLoss {
    n_classes: usize,
    /// Where each cluster begins, and the number of classes.
    cutoffs: Vec<usize>,
    /// From the features to the frequent classes and the clusters.
    pub head: Linear,
    /// For each cluster, from the features to fewer, and to its classes.
    pub tail: ModuleList<Sequential>,
    state: ModuleState,
}

impl AdaptiveLogSoftmaxWithLoss {
    /// With PyTorch's defaults.
    ///
    /// # Panics
    /// When the cutoffs are not positive, increasing and below the number of classes.
    #[track_caller]
    pub fn new(in_features: impl Int, n_classes: impl Int, cutoffs: impl IntoDims) -> Self {
        Self::with(in_features, n_classes, cutoffs, |o| o)
    }

    /// With options: `div_value`, `head_bias`, `device`, `dtype`.
    ///
    /// # Panics
    /// As [`AdaptiveLogSoftmaxWithLoss::new`].
    #[track_caller]
    pub fn with(
        in_features: impl Int,
        n_classes: impl Int,
        cutoffs: impl IntoDims,
        options: impl FnOnce(AdaptiveLogSoftmaxWithLossOptions) -> AdaptiveLogSoftmaxWithLossOptions,
    ) -> Self {
        let (in_features, n_classes, given) = (in_features.to_usize(), n_classes.to_usize(), cutoffs.into_dims());
        assert!(!given.is_empty(), "cutoffs should be a sequence of length larger than 0");
        assert!(
            given[0] > 0 && given.windows(2).all(|w| w[0] < w[1]) && given[given.len() - 1] < n_classes as i64,
            "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value is between 1 \
             and n_classes-1"
        );
        let o = options(AdaptiveLogSoftmaxWithLossOptions::default());
        let cutoffs: Vec<usize> = given.iter().map(|&c| c as usize).chain([n_classes]).collect();
        let linear = |inputs: usize, outputs: usize, bias: bool| {
            Linear::with(inputs, outputs, |l| l.bias(bias).dtype(o.dtype).device(o.device))
        };
        let head = linear(in_features, cutoffs[0] + cutoffs.len() - 1, o.head_bias);
        let mut tail = ModuleList::default();
        for (i, ends) in cutoffs.windows(2).enumerate() {
            let hidden = (in_features as f64 / o.div_value.powi(i as i32 + 1)).floor() as usize;
            tail.push(crate::sequential![linear(in_features, hidden, false), linear(hidden, ends[1] - ends[0], false)]);
        }
        AdaptiveLogSoftmaxWithLoss { n_classes, cutoffs, head, tail, state: ModuleState::new() }
    }

    /// How many classes are in the head.
    fn shortlist(&self) -> usize {
        self.cutoffs[0]
    }

    /// Each sample's log-probability of its target, in the target's shape, and the mean of the negatives.
    #[track_caller]
    fn outputs(&self, input: &Tensor, target: &Tensor) -> Result<(Tensor, Tensor)> {
        let n = target.size()[0];
        let output = ops::zeros(&[n], input.dtype(), input.device())?;
        // The head's output for each sample: its class, or its cluster.
        let in_head = ops::zeros(&[n], target.dtype(), target.device())?;
        let mut found = 0;
        let starts = std::iter::once(0).chain(self.cutoffs.iter().copied());
        for (i, (low, high)) in starts.zip(&self.cutoffs).enumerate() {
            let within = ops::logical_and(&ops::ge(target, low as i64)?, &ops::lt(target, *high as i64)?)?;
            let rows = ops::squeeze(&ops::nonzero(&within)?, Some(&[1]))?;
            if rows.numel() == 0 {
                continue;
            }
            found += rows.numel();
            let of_target = ops::index_select(target, 0, &rows)?;
            if i == 0 {
                ops::index_copy_(&in_head, 0, &rows, &of_target)?;
                continue;
            }
            let within = ops::unsqueeze(&ops::sub(&of_target, low as i64, 1)?, 1)?;
            let log_probs = ops::log_softmax(&self.tail[i - 1].call(ops::index_select(input, 0, &rows)?), 1, None)?;
            ops::index_fill_(&in_head, 0, &rows, (self.shortlist() + i - 1) as i64)?;
            ops::index_copy_(&output, 0, &rows, &ops::squeeze(&ops::gather(&log_probs, 1, &within)?, Some(&[1]))?)?;
        }
        if found != n {
            let all = target.array().to_vec::<i64>()?;
            let (least, most) = (all.iter().min().copied().unwrap_or(0), all.iter().max().copied().unwrap_or(0));
            return Err(Error::runtime(format!(
                "Target values should be in [0, {}], but values in range [{least}, {most}] were found. ",
                self.n_classes - 1
            )));
        }
        let log_probs = ops::log_softmax(&self.head.call(input), 1, None)?;
        let of_head = ops::gather(&log_probs, 1, &ops::unsqueeze(&in_head, 1)?)?;
        ops::add_(&output, &ops::squeeze(&of_head, Some(&[1]))?, 1)?;
        let loss = ops::mean(&ops::neg(&output)?, &[], false, None)?;
        Ok((output, loss))
    }

    /// The log-probabilities of all classes, of the head's outputs.
    #[track_caller]
    fn full_log_prob(&self, input: &Tensor, head: &Tensor) -> Result<Tensor> {
        let out = ops::empty(&[head.size()[0], self.n_classes], input.dtype(), input.device())?;
        let log_probs = ops::log_softmax(head, 1, None)?;
        let shortlist = self.shortlist() as i64;
        ops::copy_(&ops::narrow(&out, 1, 0, shortlist)?, &ops::narrow(&log_probs, 1, 0, shortlist)?)?;
        for (i, ends) in self.cutoffs.windows(2).enumerate() {
            let within = ops::log_softmax(&self.tail[i].call(input), 1, None)?;
            let of_cluster = ops::add(&within, &ops::narrow(&log_probs, 1, shortlist + i as i64, 1)?, 1)?;
            ops::copy_(&ops::narrow(&out, 1, ends[0] as i64, (ends[1] - ends[0]) as i64)?, &of_cluster)?;
        }
        Ok(out)
    }

    /// The log-probabilities of all classes, `[n, n_classes]`: `log_prob(input)`.
    #[track_caller]
    pub fn log_prob(&self, input: impl crate::Arg<Tensor>) -> Tensor {
        let input = input.arg();
        self.full_log_prob(input, &self.head.call(input)).or_panic()
    }

    /// The most probable class of each sample, `[n]`: `predict(input)`.
    #[track_caller]
    pub fn predict(&self, input: impl crate::Arg<Tensor>) -> Tensor {
        let input = input.arg();
        let head = self.head.call(input);
        let output = ops::argmax(&head, Some(1), false).or_panic();
        let elsewhere = ops::ge(&output, self.shortlist() as i64).or_panic();
        let rows = ops::squeeze(&ops::nonzero(&elsewhere).or_panic(), Some(&[1])).or_panic();
        if rows.numel() == 0 {
            return output;
        }
        // Where a cluster is more probable than each class of the head, one of its classes need not be.
        let some = |x: &Tensor| ops::index_select(x, 0, &rows);
        let log_probs = self.full_log_prob(&some(input).or_panic(), &some(&head).or_panic()).or_panic();
        ops::index_copy_(&output, 0, &rows, &ops::argmax(&log_probs, Some(1), false).or_panic()).or_panic()
    }
}

#[forward]
impl AdaptiveLogSoftmaxWithLoss {
    /// Each sample's log-probability of its target, and the mean loss, for inputs `[n, in_features]` and targets `[n]`, or
    /// `[in_features]` and one target.
    ///
    /// # Panics
    /// When the shapes do not fit, or a target is no class.
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> (Tensor, Tensor) {
        match (target.dim(), input.dim()) {
            (1, n) => {
                let same = n > 0 && input.size()[0] == target.size()[0];
                assert!(same, "Input and target should have the same size in the batch dimension.");
                assert!(
                    n == 2,
                    "1D target tensor expects 2D input tensors, but found inputs with size {}",
                    input.size()
                );
            }
            (0, n) => {
                assert!(
                    n == 1,
                    "0D target tensor expects 1D input tensors, but found inputs with size {}",
                    input.size()
                );
            }
            _ => panic!("0D or 1D target tensor expected, multi-target not supported"),
        }
        if target.dim() == 1 {
            return self.outputs(input, target).or_panic();
        }
        let row = |x: &Tensor| ops::unsqueeze(x, 0).or_panic();
        let (output, loss) = self.outputs(&row(input), &row(target)).or_panic();
        (ops::squeeze(&output, Some(&[0])).or_panic(), loss)
    }
}
