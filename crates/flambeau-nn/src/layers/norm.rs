//! Normalisation within each example.

use super::{Place, py_bool, py_tuple};
use crate::{Module, ModuleState, Parameter, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::ops::IntoShape;
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Result, Tensor, ops};
use flambeau_tensor::print::py_float;
use flambeau_tensor::{DType, Device};

options! {
    /// Options of [`LayerNorm`].
    #[derive(Clone)]
    LayerNormOptions {
        /// What is added to the variance (1e-5).
        eps: f64 = 1e-5,
        /// Whether a scale and a shift are learned (true).
        elementwise_affine: bool = true,
        /// Whether the shift is learned where the scale is (true).
        bias: bool = true,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
    }
}

/// (x − mean) / √(variance + eps) · weight + bias over the last dimensions: `nn.LayerNorm(normalized_shape)`.
#[derive(Module)]
#[module(extra_repr)]
pub struct LayerNorm {
    normalized_shape: Vec<usize>,
    options: LayerNormOptions,
    /// The scale, of the normalised shape.
    pub weight: Option<Parameter>,
    /// The shift, of the normalised shape.
    pub bias: Option<Parameter>,
    state: ModuleState,
}

/// The shape as lengths.
#[track_caller]
fn lengths(shape: impl IntoShape) -> Vec<usize> {
    let dims = shape.into_dims();
    assert!(dims.iter().all(|&n| n >= 0), "Trying to create tensor with negative dimension: {dims:?}");
    dims.iter().map(|&n| n as usize).collect()
}

impl LayerNorm {
    /// Over the last dimension of a length, or over the last dimensions of a shape.
    #[track_caller]
    pub fn new(normalized_shape: impl IntoShape) -> Self {
        Self::with(normalized_shape, |o| o)
    }

    /// With options: `eps`, `elementwise_affine`, `bias`, `dtype`, `device`.
    #[track_caller]
    pub fn with(normalized_shape: impl IntoShape, options: impl FnOnce(LayerNormOptions) -> LayerNormOptions) -> Self {
        let (shape, options) = (lengths(normalized_shape), options(LayerNormOptions::default()));
        let place = Place::new(options.dtype, options.device);
        let affine = options.elementwise_affine;
        LayerNorm {
            weight: affine.then(|| Parameter::new(place.ones(&shape))),
            bias: (affine && options.bias).then(|| Parameter::new(place.zeros(&shape))),
            normalized_shape: shape,
            options,
            state: ModuleState::new(),
        }
    }

    fn extra_repr(&self) -> String {
        format!(
            "{}, eps={}, elementwise_affine={}, bias={}",
            py_tuple(&self.normalized_shape),
            py_float(self.options.eps),
            py_bool(self.options.elementwise_affine),
            py_bool(self.bias.is_some())
        )
    }
}

impl LayerNorm {
    /// What is added to the variance.
    pub(super) fn eps(&self) -> f64 {
        self.options.eps
    }

    /// The layer without its hooks.
    pub(super) fn normalize(&self, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        ops::layer_norm(x, &self.normalized_shape, weight, bias, self.options.eps)
    }
}

#[forward]
impl LayerNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.normalize(x).or_panic()
    }
}

options! {
    /// Options of [`GroupNorm`].
    #[derive(Clone)]
    GroupNormOptions {
        /// What is added to the variance (1e-5).
        eps: f64 = 1e-5,
        /// Whether a scale and a shift are learned for each channel (true).
        affine: bool = true,
        /// Whether the shift is learned where the scale is (true).
        bias: bool = true,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
    }
}

/// (x − mean) / √(variance + eps) over groups of channels, · weight + bias by channel: `nn.GroupNorm(num_groups,
/// num_channels)`.
#[derive(Module)]
#[module(extra_repr)]
pub struct GroupNorm {
    num_groups: usize,
    num_channels: usize,
    options: GroupNormOptions,
    /// The scale, `[channels]`.
    pub weight: Option<Parameter>,
    /// The shift, `[channels]`.
    pub bias: Option<Parameter>,
    state: ModuleState,
}

impl GroupNorm {
    /// With PyTorch's defaults.
    ///
    /// # Panics
    /// When the groups do not divide the channels.
    #[track_caller]
    pub fn new(num_groups: impl Int, num_channels: impl Int) -> Self {
        Self::with(num_groups, num_channels, |o| o)
    }

    /// With options: `eps`, `affine`, `bias`, `dtype`, `device`.
    ///
    /// # Panics
    /// When the groups do not divide the channels.
    #[track_caller]
    pub fn with(
        num_groups: impl Int,
        num_channels: impl Int,
        options: impl FnOnce(GroupNormOptions) -> GroupNormOptions,
    ) -> Self {
        let num_groups = num_groups.to_usize();
        let num_channels = num_channels.to_usize();
        assert!(num_groups > 0, "integer modulo by zero");
        assert!(
            num_channels.is_multiple_of(num_groups),
            "num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
        );
        let options = options(GroupNormOptions::default());
        let place = Place::new(options.dtype, options.device);
        GroupNorm {
            num_groups,
            num_channels,
            weight: options.affine.then(|| Parameter::new(place.ones(&[num_channels]))),
            bias: (options.affine && options.bias).then(|| Parameter::new(place.zeros(&[num_channels]))),
            options,
            state: ModuleState::new(),
        }
    }

    fn extra_repr(&self) -> String {
        format!(
            "{}, {}, eps={}, affine={}, bias={}",
            self.num_groups,
            self.num_channels,
            py_float(self.options.eps),
            py_bool(self.options.affine),
            py_bool(self.bias.is_some())
        )
    }
}

#[forward]
impl GroupNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        ops::group_norm(x, self.num_groups, weight, bias, self.options.eps).or_panic()
    }
}

options! {
    /// Options of [`RMSNorm`].
    #[derive(Clone)]
    RMSNormOptions {
        /// What is added to the mean square (the dtype's epsilon).
        eps: Option<f64> = None,
        /// Whether a scale is learned (true).
        elementwise_affine: bool = true,
        /// The scale's dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The scale's device (the default device).
        device: Option<Device> = None,
    }
}

/// x / √(mean x² + eps) · weight over the last dimensions: `nn.RMSNorm(normalized_shape)`.
#[derive(Module)]
#[module(extra_repr)]
pub struct RMSNorm {
    normalized_shape: Vec<usize>,
    options: RMSNormOptions,
    /// The scale, of the normalised shape.
    pub weight: Option<Parameter>,
    state: ModuleState,
}

impl RMSNorm {
    /// Over the last dimension of a length, or over the last dimensions of a shape.
    #[track_caller]
    pub fn new(normalized_shape: impl IntoShape) -> Self {
        Self::with(normalized_shape, |o| o)
    }

    /// With options: `eps`, `elementwise_affine`, `dtype`, `device`.
    #[track_caller]
    pub fn with(normalized_shape: impl IntoShape, options: impl FnOnce(RMSNormOptions) -> RMSNormOptions) -> Self {
        let (shape, options) = (lengths(normalized_shape), options(RMSNormOptions::default()));
        let place = Place::new(options.dtype, options.device);
        RMSNorm {
            weight: options.elementwise_affine.then(|| Parameter::new(place.ones(&shape))),
            normalized_shape: shape,
            options,
            state: ModuleState::new(),
        }
    }

    fn extra_repr(&self) -> String {
        format!(
            "{}, eps={}, elementwise_affine={}",
            py_tuple(&self.normalized_shape),
            self.options.eps.map_or("None".to_owned(), py_float),
            py_bool(self.options.elementwise_affine)
        )
    }
}

#[forward]
impl RMSNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::rms_norm(x, &self.normalized_shape, self.weight.as_deref(), self.options.eps).or_panic()
    }
}
