//! Normalisation over batches and over instances.

use super::lazy::length;
use super::{Lazy, LazyLayer, Place, py_bool};
use crate::{Buffer, Module, ModuleState, Parameter, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops, warn};
use flambeau_tensor::print::py_float;
use flambeau_tensor::{DType, Device};
use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

options! {
    /// Options of [`BatchNorm`] and [`InstanceNorm`].
    #[derive(Clone)]
    BatchNormOptions {
        /// What is added to the variance (1e-5).
        eps: f64 = 1e-5,
        /// The new batch's share in the running statistics; `None` for the mean of all batches (0.1).
        momentum: Option<f64> = Some(0.1),
        /// Whether a scale and a shift are learned (true; false for instances).
        affine: bool = true,
        /// Whether statistics are kept for evaluation (true; false for instances).
        track_running_stats: bool = true,
        /// Whether the shift is learned where the scale is (true).
        bias: bool = true,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
    }
}

/// What batch and instance normalisation differ in.
pub trait NormKind: Send + Sync + 'static {
    /// The layers' names in prints, for one to three spatial dimensions.
    const NAMES: [&'static str; 3];
    /// Whether the layers learn and keep statistics by default.
    const FULL: bool;
    /// Whether each instance is normalised by itself.
    const INSTANCES: bool;
    /// Whether any number of spatial dimensions will do.
    const ANY_DIMENSIONS: bool = false;
}

/// A [`NormKind`] whose layers have lazy forms.
pub trait LazyNormKind: NormKind {
    /// The lazy forms' names in prints.
    const LAZY_NAMES: [&'static str; 3];
}

/// The kind of [`BatchNorm`].
pub struct OverBatch;
/// The kind of [`InstanceNorm`].
pub struct OverInstance;

impl NormKind for OverBatch {
    const NAMES: [&'static str; 3] = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"];
    const FULL: bool = true;
    const INSTANCES: bool = false;
}

impl NormKind for OverInstance {
    const NAMES: [&'static str; 3] = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"];
    const FULL: bool = false;
    const INSTANCES: bool = true;
}

impl LazyNormKind for OverBatch {
    const LAZY_NAMES: [&'static str; 3] = ["LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d"];
}

impl LazyNormKind for OverInstance {
    const LAZY_NAMES: [&'static str; 3] = ["LazyInstanceNorm1d", "LazyInstanceNorm2d", "LazyInstanceNorm3d"];
}

/// (x − mean) / √(variance + eps) · weight + bias for each channel. In training mode the statistics are the input's, and
/// the running ones move towards them; in evaluation they are the running ones, where the layer keeps them.
#[derive(Module)]
#[module(type_name, extra_repr, versions)]
pub struct ChannelNorm<K: NormKind, const D: usize> {
    num_features: usize,
    options: BatchNormOptions,
    /// The scale, `[channels]`.
    pub weight: Option<Parameter>,
    /// The shift, `[channels]`.
    pub bias: Option<Parameter>,
    /// `[channels]`.
    pub running_mean: Option<Buffer>,
    /// `[channels]`.
    pub running_var: Option<Buffer>,
    /// How many batches the running statistics have seen; int64.
    pub num_batches_tracked: Option<Buffer>,
    cumulative: Cumulative,
    kind: PhantomData<K>,
    state: ModuleState,
}

/// Whether the statistics are the mean of all batches for a while, whatever the momentum: `update_bn` sets `momentum = None`.
#[derive(Default)]
struct Cumulative(AtomicBool);

impl Clone for Cumulative {
    fn clone(&self) -> Self {
        Cumulative(AtomicBool::new(self.0.load(Relaxed)))
    }
}

/// Normalisation over a batch, for `D` spatial dimensions.
pub type BatchNorm<const D: usize> = ChannelNorm<OverBatch, D>;
/// Over [n, channels] or [n, channels, length]: `nn.BatchNorm1d(num_features)`.
pub type BatchNorm1d = BatchNorm<1>;
/// Over [n, channels, height, width]: `nn.BatchNorm2d(num_features)`.
pub type BatchNorm2d = BatchNorm<2>;
/// Over [n, channels, depth, height, width]: `nn.BatchNorm3d(num_features)`.
pub type BatchNorm3d = BatchNorm<3>;
/// Normalisation over each instance, for `D` spatial dimensions.
pub type InstanceNorm<const D: usize> = ChannelNorm<OverInstance, D>;
/// Over the length of [n, channels, length]: `nn.InstanceNorm1d(num_features)`.
pub type InstanceNorm1d = InstanceNorm<1>;
/// Over the plane of [n, channels, height, width]: `nn.InstanceNorm2d(num_features)`.
pub type InstanceNorm2d = InstanceNorm<2>;
/// Over the volume of [n, channels, depth, height, width]: `nn.InstanceNorm3d(num_features)`.
pub type InstanceNorm3d = InstanceNorm<3>;

impl<K: NormKind, const D: usize> ChannelNorm<K, D> {
    /// The same parameters and statistics in a layer of another kind.
    pub(super) fn shared<K2: NormKind, const D2: usize>(&self) -> ChannelNorm<K2, D2> {
        let state = ModuleState::new();
        state.set_training(self.state.training());
        ChannelNorm {
            num_features: self.num_features,
            options: self.options.clone(),
            cumulative: self.cumulative.clone(),
            weight: self.weight.as_ref().map(Parameter::share),
            bias: self.bias.as_ref().map(Parameter::share),
            running_mean: self.running_mean.as_ref().map(Buffer::share),
            running_var: self.running_var.as_ref().map(Buffer::share),
            num_batches_tracked: self.num_batches_tracked.as_ref().map(Buffer::share),
            kind: PhantomData,
            state,
        }
    }

    /// With PyTorch's defaults.
    #[track_caller]
    pub fn new(num_features: impl Int) -> Self {
        Self::with(num_features, |o| o)
    }

    /// With options: `eps`, `momentum`, `affine`, `track_running_stats`, `bias`, `dtype`, `device`.
    #[track_caller]
    pub fn with(num_features: impl Int, options: impl FnOnce(BatchNormOptions) -> BatchNormOptions) -> Self {
        let num_features = num_features.to_usize();
        const { assert!(D >= 1 && D <= 3, "there are one to three spatial dimensions") };
        let options = options(BatchNormOptions::default().affine(K::FULL).track_running_stats(K::FULL));
        let place = Place::new(options.dtype, options.device);
        let shape = [num_features];
        let track = options.track_running_stats;
        ChannelNorm {
            num_features,
            weight: options.affine.then(|| Parameter::new(place.ones(&shape))),
            bias: (options.affine && options.bias).then(|| Parameter::new(place.zeros(&shape))),
            running_mean: track.then(|| Buffer::new(place.zeros(&shape))),
            running_var: track.then(|| Buffer::new(place.ones(&shape))),
            num_batches_tracked: track.then(|| Buffer::new(place.counter())),
            options,
            cumulative: Cumulative::default(),
            kind: PhantomData,
            state: ModuleState::new(),
        }
    }

    /// Forgets the running statistics, if the layer keeps some: `norm.reset_running_stats()`.
    ///
    /// ```
    /// use flambeau_nn as nn;
    /// let norm = nn::BatchNorm1d::new(2);
    /// norm.call(flambeau_autograd::ones([4, 2]));
    /// norm.reset_running_stats();
    /// assert_eq!(norm.running_mean.as_ref().unwrap().to_vec::<f32>(), [0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// When the memory is borrowed.
    #[track_caller]
    pub fn reset_running_stats(&self) {
        let statistics = [(&self.running_mean, 0.0), (&self.running_var, 1.0), (&self.num_batches_tracked, 0.0)];
        for (buffer, value) in statistics.into_iter().filter_map(|(buffer, value)| Some((buffer.as_ref()?, value))) {
            buffer.fill_(value);
        }
    }

    pub(super) fn set_cumulative(&self, cumulative: bool) {
        self.cumulative.0.store(cumulative, Relaxed);
    }

    pub(crate) fn eps(&self) -> f64 {
        self.options.eps
    }

    pub(crate) fn num_features(&self) -> usize {
        self.num_features
    }

    fn type_name(&self) -> &'static str {
        K::NAMES[D - 1]
    }

    fn extra_repr(&self) -> String {
        let o = &self.options;
        format!(
            "{}, eps={}, momentum={}, affine={}, bias={}, track_running_stats={}",
            self.num_features,
            py_float(o.eps),
            o.momentum.map_or("None".to_owned(), py_float),
            py_bool(o.affine),
            py_bool(self.bias.is_some()),
            py_bool(o.track_running_stats)
        )
    }

    fn version(&self) -> i64 {
        2
    }

    /// Version 2 added the count of batches.
    fn added_since(&self, version: Option<i64>) -> &'static [&'static str] {
        if version.is_none_or(|v| v < 2) { &["num_batches_tracked"] } else { &[] }
    }

    #[track_caller]
    fn check_dim(&self, x: &Tensor) {
        let n = x.dim();
        if K::ANY_DIMENSIONS {
            assert!(n >= 2, "expected at least 2D input (got {n}D input)");
            return;
        }
        let fits = n == D + 2 || n == D + 1 && (D == 1 || K::INSTANCES);
        let wanted = match (D, K::INSTANCES) {
            (1, _) => "2D or 3D",
            (2, false) => "4D",
            (2, true) => "3D or 4D",
            (_, false) => "5D",
            (_, true) => "4D or 5D",
        };
        assert!(fits, "expected {wanted} input (got {n}D input)");
    }

    /// The new batch's share in the running statistics; counts the batch.
    #[track_caller]
    fn share(&self, training: bool) -> f64 {
        match (&self.num_batches_tracked, training) {
            (Some(count), true) => {
                count.add_(1);
                let momentum = self.options.momentum.filter(|_| !self.cumulative.0.load(Relaxed));
                momentum.unwrap_or_else(|| 1.0 / count.item())
            }
            _ => self.options.momentum.unwrap_or(0.0),
        }
    }

    #[track_caller]
    fn over_batch(&self, x: &Tensor) -> Tensor {
        let training = self.state.training();
        let share = self.share(training);
        let (mean, var) = (self.running_mean.as_deref(), self.running_var.as_deref());
        let of_input = training || mean.is_none();
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        ops::batch_norm(x, mean, var, weight, bias, of_input, share, self.options.eps).or_panic()
    }

    #[track_caller]
    fn over_instance(&self, x: &Tensor) -> Tensor {
        let dim = x.dim() - (D + 1);
        let (channels, expected) = (x.size()[dim], self.num_features);
        assert!(
            channels == expected || !self.options.affine,
            "expected input's size at dim={dim} to match num_features ({expected}), but got: {channels}."
        );
        if channels != expected {
            warn(&format!(
                "input's size at dim={dim} does not match num_features. You can silence this warning by not passing in \
                 num_features, which is not used because affine=False"
            ));
        }
        let of_input = self.state.training() || !self.options.track_running_stats;
        let (mean, var) = (self.running_mean.as_deref(), self.running_var.as_deref());
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        let share = self.options.momentum.unwrap_or(0.0);
        let normalise =
            |x: &Tensor| ops::instance_norm(x, mean, var, weight, bias, of_input, share, self.options.eps).or_panic();
        if x.dim() == D + 1 { normalise(&x.unsqueeze(0)).squeeze_dim(0) } else { normalise(x) }
    }
}

#[forward]
impl<K: NormKind, const D: usize> ChannelNorm<K, D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.check_dim(x);
        if K::INSTANCES { self.over_instance(x) } else { self.over_batch(x) }
    }
}

/// [`BatchNorm1d`] whose number of features the first input tells: `nn.LazyBatchNorm1d()`.
pub type LazyBatchNorm1d = Lazy<BatchNorm1d>;
/// [`BatchNorm2d`] whose number of features the first input tells: `nn.LazyBatchNorm2d()`.
///
/// ```
/// use flambeau_nn::{self as nn, Module};
/// let layer = nn::LazyBatchNorm2d::new();
/// assert_eq!(layer.running_mean.as_ref().unwrap().to_string(), "<UninitializedBuffer>");
/// layer.call(flambeau_autograd::ones([2, 3, 4, 4]));
/// assert_eq!(layer.running_mean.as_ref().unwrap().size(), [3]);
/// ```
pub type LazyBatchNorm2d = Lazy<BatchNorm2d>;
/// [`BatchNorm3d`] whose number of features the first input tells: `nn.LazyBatchNorm3d()`.
pub type LazyBatchNorm3d = Lazy<BatchNorm3d>;
/// [`InstanceNorm1d`] whose number of features the first input tells: `nn.LazyInstanceNorm1d()`. As in PyTorch it learns and keeps
/// statistics if it is not told otherwise, and takes the dimension 1 for the features also of an input without a batch.
pub type LazyInstanceNorm1d = Lazy<InstanceNorm1d>;
/// [`InstanceNorm2d`] whose number of features the first input tells: `nn.LazyInstanceNorm2d()`; see [`LazyInstanceNorm1d`].
pub type LazyInstanceNorm2d = Lazy<InstanceNorm2d>;
/// [`InstanceNorm3d`] whose number of features the first input tells: `nn.LazyInstanceNorm3d()`; see [`LazyInstanceNorm1d`].
pub type LazyInstanceNorm3d = Lazy<InstanceNorm3d>;

impl<K: LazyNormKind, const D: usize> Default for Lazy<ChannelNorm<K, D>> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: LazyNormKind, const D: usize> Lazy<ChannelNorm<K, D>> {
    /// With PyTorch's defaults.
    #[track_caller]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `eps`, `momentum`, `affine`, `track_running_stats`, `bias`, `dtype`, `device`.
    #[track_caller]
    pub fn with(options: impl FnOnce(BatchNormOptions) -> BatchNormOptions) -> Self {
        const { assert!(D >= 1 && D <= 3, "there are one to three spatial dimensions") };
        let options = options(BatchNormOptions::default());
        let place = Place::new(options.dtype, options.device);
        let track = options.track_running_stats;
        Lazy::of(ChannelNorm {
            num_features: 0,
            weight: options.affine.then(|| place.parameter_to_come()),
            bias: (options.affine && options.bias).then(|| place.parameter_to_come()),
            running_mean: track.then(|| place.buffer_to_come()),
            running_var: track.then(|| place.buffer_to_come()),
            num_batches_tracked: track.then(|| Buffer::new(place.counter())),
            options,
            cumulative: Cumulative::default(),
            kind: PhantomData,
            state: ModuleState::new(),
        })
    }
}

impl<K: LazyNormKind, const D: usize> LazyLayer for ChannelNorm<K, D> {
    fn lazy_name(&self) -> &'static str {
        K::LAZY_NAMES[D - 1]
    }

    #[track_caller]
    fn inferred(&self, input: &Tensor) -> Self {
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        let (mean, var) = (self.running_mean.as_deref(), self.running_var.as_deref());
        let mut num_features = self.num_features;
        // Scales are ones, shifts zeros, in the same order as PyTorch's.
        let tensors = [(mean, 0.0), (var, 1.0), (weight, 1.0), (bias, 0.0)];
        if tensors.iter().any(|(x, _)| x.is_some_and(Tensor::is_uninitialized)) {
            num_features = length(input, 1);
            let _guard = no_grad();
            for (x, value) in tensors.into_iter().filter_map(|(x, value)| Some((x?, value))) {
                assert!(x.is_uninitialized(), "'Parameter' object has no attribute 'materialize'");
                x.materialize(&[num_features]);
                x.fill_(value);
            }
            if let Some(count) = &self.num_batches_tracked {
                count.zero_();
            }
        }
        ChannelNorm { num_features, state: self.state.succeed(), ..self.shared() }
    }
}
