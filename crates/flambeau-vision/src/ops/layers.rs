//! The blocks that torchvision's models are made of.

use crate::sequential::{SequentialKind, SequentialOf};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{Setting, Tensor};
use flambeau_nn::{self as nn, Forward, Lengths, Module, ModuleState, Padding, forward};
use std::sync::Arc;

/// What makes a normalisation of so many channels: Python's `norm_layer`.
pub type NormLayer = Arc<dyn Fn(usize) -> Box<dyn Forward> + Send + Sync>;
/// What makes an activation, which may write to its input (`inplace`): Python's `activation_layer`.
pub type ActivationLayer = Arc<dyn Fn(bool) -> Box<dyn Forward> + Send + Sync>;

/// A `norm_layer` of a function of the number of channels.
pub(crate) fn norm_layer<M: Forward>(make: impl Fn(usize) -> M + Send + Sync + 'static) -> NormLayer {
    Arc::new(move |channels| Box::new(make(channels)))
}

/// An `activation_layer` of a function of `inplace`.
pub(crate) fn activation_layer<M: Forward>(make: impl Fn(bool) -> M + Send + Sync + 'static) -> ActivationLayer {
    Arc::new(move |inplace| Box::new(make(inplace)))
}

/// torchvision's default `norm_layer`.
pub(crate) fn batch_norm() -> NormLayer {
    norm_layer(nn::BatchNorm2d::new)
}

/// torchvision's default `activation_layer`.
pub(crate) fn relu() -> ActivationLayer {
    activation_layer(|inplace| nn::ReLU::with(|o| o.inplace(inplace)))
}

/// The kind of a [`Conv2dNormActivation`].
pub struct Conv2dNormActivationKind;
impl SequentialKind for Conv2dNormActivationKind {
    const NAME: &'static str = "Conv2dNormActivation";
}

/// The kind of a [`Conv3dNormActivation`].
pub struct Conv3dNormActivationKind;
impl SequentialKind for Conv3dNormActivationKind {
    const NAME: &'static str = "Conv3dNormActivation";
}

/// Options of [`Conv2dNormActivation`] and [`Conv3dNormActivation`], by the number of dimensions.
pub struct ConvNormActivationOptions<const D: usize = 2> {
    kernel_size: Lengths<D>,
    stride: Lengths<D>,
    padding: Option<Padding<D>>,
    groups: usize,
    norm_layer: Option<NormLayer>,
    activation_layer: Option<ActivationLayer>,
    dilation: Lengths<D>,
    inplace: bool,
    bias: Option<bool>,
}

impl<const D: usize> Default for ConvNormActivationOptions<D> {
    fn default() -> Self {
        ConvNormActivationOptions {
            kernel_size: Lengths::Same(3),
            stride: Lengths::Same(1),
            padding: None,
            groups: 1,
            norm_layer: Some(norm_layer(nn::BatchNorm::<D>::new)),
            activation_layer: Some(relu()),
            dilation: Lengths::Same(1),
            inplace: true,
            bias: None,
        }
    }
}

impl<const D: usize> ConvNormActivationOptions<D> {
    /// The kernel's size (3).
    #[must_use]
    pub fn kernel_size(mut self, kernel_size: impl Into<Lengths<D>>) -> Self {
        self.kernel_size = kernel_size.into();
        self
    }

    /// The step between outputs (1).
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Lengths<D>>) -> Self {
        self.stride = stride.into();
        self
    }

    /// What is added on both sides (as much as keeps the size at stride 1).
    #[must_use]
    #[track_caller]
    pub fn padding(mut self, padding: impl Setting<Padding<D>>) -> Self {
        self.padding = Some(padding.setting());
        self
    }

    /// Independent groups of channels (1).
    #[must_use]
    #[track_caller]
    pub fn groups(mut self, groups: impl Int) -> Self {
        self.groups = groups.to_usize();
        self
    }

    /// What makes the normalisation of the output's channels ([`nn::BatchNorm`]).
    #[must_use]
    pub fn norm_layer<M: Forward>(self, norm: impl Fn(usize) -> M + Send + Sync + 'static) -> Self {
        self.norm(Some(norm_layer(norm)))
    }

    /// No normalisation: `norm_layer=None`. The convolution has a bias then.
    #[must_use]
    pub fn without_norm(self) -> Self {
        self.norm(None)
    }

    /// What makes the activation, given whether it may write to its input ([`nn::ReLU`]).
    #[must_use]
    pub fn activation_layer<M: Forward>(self, activation: impl Fn(bool) -> M + Send + Sync + 'static) -> Self {
        self.activation(Some(activation_layer(activation)))
    }

    /// No activation: `activation_layer=None`.
    #[must_use]
    pub fn without_activation(self) -> Self {
        self.activation(None)
    }

    /// The step between kernel elements (1).
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Lengths<D>>) -> Self {
        self.dilation = dilation.into();
        self
    }

    /// Whether the activation writes to its input (true).
    #[must_use]
    pub fn inplace(mut self, inplace: bool) -> Self {
        self.inplace = inplace;
        self
    }

    /// Whether the convolution has a bias (where there is no normalisation).
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = Some(bias);
        self
    }

    pub(crate) fn norm(mut self, norm: Option<NormLayer>) -> Self {
        self.norm_layer = norm;
        self
    }

    pub(crate) fn activation(mut self, activation: Option<ActivationLayer>) -> Self {
        self.activation_layer = activation;
        self
    }

    /// The layers, for kinds of sequences that are such a block too.
    #[track_caller]
    pub(crate) fn layers(self, in_channels: usize, out_channels: usize) -> nn::Sequential {
        let (kernel, dilation): ([usize; D], [usize; D]) = (self.kernel_size.each(), self.dilation.each());
        let same: [usize; D] = std::array::from_fn(|d| (kernel[d].max(1) - 1) / 2 * dilation[d]);
        let padding = self.padding.unwrap_or_else(|| Padding::Lengths(same.into()));
        let bias = self.bias.unwrap_or(self.norm_layer.is_none());
        let mut layers = nn::Sequential::default();
        layers.push(nn::Conv::<D>::with(in_channels, out_channels, self.kernel_size, |o| {
            o.stride(self.stride).padding(padding).dilation(self.dilation).groups(self.groups).bias(bias)
        }));
        if let Some(norm) = &self.norm_layer {
            layers.push(norm(out_channels));
        }
        if let Some(activation) = &self.activation_layer {
            layers.push(activation(self.inplace));
        }
        layers
    }
}

/// A convolution, a normalisation and an activation: `torchvision.ops.Conv2dNormActivation(in_channels, out_channels)`.
///
/// ```
/// use torch::nn;
/// use torch::vision::ops::Conv2dNormActivation;
/// let block = Conv2dNormActivation::with(3, 8, |o| o.kernel_size(5).stride(2).activation_layer(|_| nn::SiLU::new()));
/// assert_eq!(block.call(torch::ones([1, 3, 8, 8])).size(), [1, 8, 4, 4]);
/// ```
pub type Conv2dNormActivation = SequentialOf<Conv2dNormActivationKind>;

impl Conv2dNormActivation {
    /// With a kernel of 3, [`nn::BatchNorm2d`] and [`nn::ReLU`].
    #[track_caller]
    pub fn new(in_channels: impl Int, out_channels: impl Int) -> Self {
        Self::with(in_channels, out_channels, |o| o)
    }

    /// With options: `kernel_size`, `stride`, `padding`, `groups`, `norm_layer`, `activation_layer`, `dilation`, `inplace`,
    /// `bias`.
    ///
    /// # Panics
    /// As [`nn::Conv2d::with`].
    #[track_caller]
    pub fn with(
        in_channels: impl Int,
        out_channels: impl Int,
        options: impl FnOnce(ConvNormActivationOptions) -> ConvNormActivationOptions,
    ) -> Self {
        let options = options(ConvNormActivationOptions::default());
        Self::of(options.layers(in_channels.to_usize(), out_channels.to_usize()))
    }
}

/// A convolution, a normalisation and an activation of volumes: `torchvision.ops.Conv3dNormActivation(in_channels, out_channels)`.
///
/// ```
/// use torch::vision::ops::Conv3dNormActivation;
/// let block = Conv3dNormActivation::with(3, 8, |o| o.kernel_size((1, 3, 3)).stride((1, 2, 2)));
/// assert_eq!(block.call(torch::ones([1, 3, 4, 8, 8])).size(), [1, 8, 4, 4, 4]);
/// ```
pub type Conv3dNormActivation = SequentialOf<Conv3dNormActivationKind>;

impl Conv3dNormActivation {
    /// With a kernel of 3, [`nn::BatchNorm3d`] and [`nn::ReLU`].
    #[track_caller]
    pub fn new(in_channels: impl Int, out_channels: impl Int) -> Self {
        Self::with(in_channels, out_channels, |o| o)
    }

    /// With options, as [`Conv2dNormActivation::with`].
    ///
    /// # Panics
    /// As [`nn::Conv3d::with`].
    #[track_caller]
    pub fn with(
        in_channels: impl Int,
        out_channels: impl Int,
        options: impl FnOnce(ConvNormActivationOptions<3>) -> ConvNormActivationOptions<3>,
    ) -> Self {
        let options = options(ConvNormActivationOptions::default());
        Self::of(options.layers(in_channels.to_usize(), out_channels.to_usize()))
    }
}

/// Options of [`SqueezeExcitation`].
pub struct SqueezeExcitationOptions {
    activation: ActivationLayer,
    scale_activation: ActivationLayer,
}

impl SqueezeExcitationOptions {
    /// What makes the activation between both convolutions ([`nn::ReLU`]).
    #[must_use]
    pub fn activation<M: Forward>(mut self, make: impl Fn() -> M + Send + Sync + 'static) -> Self {
        self.activation = activation_layer(move |_| make());
        self
    }

    /// What makes the factors of what comes out ([`nn::Sigmoid`]).
    #[must_use]
    pub fn scale_activation<M: Forward>(mut self, make: impl Fn() -> M + Send + Sync + 'static) -> Self {
        self.scale_activation = activation_layer(move |_| make());
        self
    }
}

/// Scales each channel of `[n, channels, height, width]` by what two 1×1 convolutions make of all channels' means:
/// `torchvision.ops.SqueezeExcitation(input_channels, squeeze_channels)`.
#[derive(Module)]
pub struct SqueezeExcitation {
    /// The mean of each channel.
    pub avgpool: nn::AdaptiveAvgPool2d,
    /// To the squeezed channels.
    pub fc1: nn::Conv2d,
    /// Back to the input's channels.
    pub fc2: nn::Conv2d,
    /// Between both.
    pub activation: Box<dyn Forward>,
    /// After both.
    pub scale_activation: Box<dyn Forward>,
    state: ModuleState,
}

impl SqueezeExcitation {
    /// With [`nn::ReLU`] and [`nn::Sigmoid`].
    #[track_caller]
    pub fn new(input_channels: impl Int, squeeze_channels: impl Int) -> Self {
        Self::with(input_channels, squeeze_channels, |o| o)
    }

    /// With options: `activation`, `scale_activation`.
    #[track_caller]
    pub fn with(
        input_channels: impl Int,
        squeeze_channels: impl Int,
        options: impl FnOnce(SqueezeExcitationOptions) -> SqueezeExcitationOptions,
    ) -> Self {
        let (input, squeeze) = (input_channels.to_usize(), squeeze_channels.to_usize());
        let options = options(SqueezeExcitationOptions {
            activation: activation_layer(|_| nn::ReLU::new()),
            scale_activation: activation_layer(|_| nn::Sigmoid::new()),
        });
        SqueezeExcitation {
            avgpool: nn::AdaptiveAvgPool2d::new(1),
            fc1: nn::Conv2d::new(input, squeeze, 1),
            fc2: nn::Conv2d::new(squeeze, input, 1),
            activation: (options.activation)(false),
            scale_activation: (options.scale_activation)(false),
            state: ModuleState::new(),
        }
    }
}

#[forward]
impl SqueezeExcitation {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let scale = self.activation.call_ref(&self.fc1.call(self.avgpool.call(x)));
        let scale = self.scale_activation.call_ref(&self.fc2.call(scale));
        scale.mul(x)
    }
}
