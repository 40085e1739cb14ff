//! Convolutions.

use super::{
    Lazy, LazyLayer, Lengths, Padding, PaddingMode, Place, materialize, py_tuple, weight_and_bias,
    weight_and_bias_to_come,
};
use crate::{Module, ModuleState, Parameter, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_tensor::{DType, Device};

options! {
    /// Options of convolutions.
    #[derive(Clone)]
    ConvOptions<const D: usize> {
        /// Step between outputs, in input elements (1).
        stride: Lengths<D> = Lengths::Same(1),
        /// What is added on both sides, or `"same"`, or `"valid"` (0).
        padding: Padding<D> = Padding::Lengths(Lengths::Same(0)),
        /// Step between kernel elements (1).
        dilation: Lengths<D> = Lengths::Same(1),
        /// Whether a bias is added (true).
        bias: bool = true,
        /// What the padding is made of (`"zeros"`).
        padding_mode: PaddingMode = PaddingMode::Zeros,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
        /// Independent groups of channels (1).
        groups: usize = 1,
    }
}

/// A convolution over `D` dimensions: [`Conv1d`], [`Conv2d`], [`Conv3d`].
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct Conv<const D: usize> {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    kernel_size: [usize; D],
    options: ConvOptions<D>,
    /// [out_channels, in_channels / groups, kernel…].
    pub weight: Parameter,
    /// `[out_channels]`.
    pub bias: Option<Parameter>,
    state: ModuleState,
}

/// A convolution over [n, channels, length]: `nn.Conv1d`.
pub type Conv1d = Conv<1>;
/// A convolution over [n, channels, height, width]: `nn.Conv2d`.
pub type Conv2d = Conv<2>;
/// A convolution over [n, channels, depth, height, width]: `nn.Conv3d`.
pub type Conv3d = Conv<3>;

/// The checks that convolutions share, in PyTorch's words.
#[track_caller]
pub(super) fn check_groups(in_channels: usize, out_channels: usize, groups: usize) {
    assert!(groups > 0, "groups must be a positive integer");
    assert!(in_channels.is_multiple_of(groups), "in_channels must be divisible by groups");
    assert!(out_channels.is_multiple_of(groups), "out_channels must be divisible by groups");
}

impl<const D: usize> ConvOptions<D> {
    #[track_caller]
    fn check(&self, in_channels: usize, out_channels: usize) {
        check_groups(in_channels, out_channels, self.groups);
        assert!(
            self.padding != Padding::Same || self.stride.each() == [1; D],
            "padding='same' is not supported for strided convolutions"
        );
    }
}

impl<const D: usize> Conv<D> {
    /// With stride 1, no padding and a bias.
    #[track_caller]
    pub fn new(in_channels: impl Int, out_channels: impl Int, kernel_size: impl Into<Lengths<D>>) -> Self {
        Self::with(in_channels, out_channels, kernel_size, |o| o)
    }

    /// With options: `stride`, `padding`, `dilation`, `groups`, `bias`, `padding_mode`, `dtype`, `device`.
    ///
    /// # Panics
    /// When the groups do not divide both channels, or `"same"` padding comes with strides.
    #[track_caller]
    pub fn with(
        in_channels: impl Int,
        out_channels: impl Int,
        kernel_size: impl Into<Lengths<D>>,
        options: impl FnOnce(ConvOptions<D>) -> ConvOptions<D>,
    ) -> Self {
        let in_channels = in_channels.to_usize();
        let out_channels = out_channels.to_usize();
        const { assert!(D >= 1 && D <= 3, "convolutions have one to three dimensions") };
        let options = options(ConvOptions::default());
        options.check(in_channels, out_channels);
        let kernel_size = kernel_size.into().each();
        let shape = [&[out_channels, in_channels / options.groups][..], &kernel_size].concat();
        let place = Place::new(options.dtype, options.device);
        let (weight, bias) = weight_and_bias(&shape, options.bias.then_some(out_channels), place);
        Conv { in_channels, out_channels, kernel_size, options, weight, bias, state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        ["Conv1d", "Conv2d", "Conv3d"][D - 1]
    }

    fn extra_repr(&self) -> String {
        let o = &self.options;
        let mut s = format!("{}, {}, kernel_size={}", self.in_channels, self.out_channels, py_tuple(&self.kernel_size));
        s += &format!(", stride={}", o.stride.tuple());
        match o.padding {
            Padding::Lengths(lengths) if lengths.each() == [0; D] => {}
            Padding::Lengths(lengths) => s += &format!(", padding={}", lengths.tuple()),
            Padding::Same => s += ", padding=same",
            Padding::Valid => s += ", padding=valid",
        }
        if o.dilation.each() != [1; D] {
            s += &format!(", dilation={}", o.dilation.tuple());
        }
        if o.groups != 1 {
            s += &format!(", groups={}", o.groups);
        }
        if self.bias.is_none() {
            s += ", bias=False";
        }
        if o.padding_mode != PaddingMode::Zeros {
            s += &format!(", padding_mode={}", o.padding_mode.name());
        }
        s
    }

    /// What is added before and after each dimension, the last one first, as `F.pad` takes it.
    fn pad_list(&self) -> Vec<i64> {
        let mut out = Vec::with_capacity(2 * D);
        for d in (0..D).rev() {
            let (before, after) = match self.options.padding {
                Padding::Lengths(lengths) => (lengths.each()[d], lengths.each()[d]),
                Padding::Valid => (0, 0),
                Padding::Same => {
                    let total = self.options.dilation.each()[d] * (self.kernel_size[d] - 1);
                    (total / 2, total - total / 2)
                }
            };
            out.extend([before as i64, after as i64]);
        }
        out
    }
}

#[forward]
impl<const D: usize> Conv<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let o = &self.options;
        let options =
            ops::ConvOptions::default().stride(o.stride.each()).dilation(o.dilation.each()).groups(o.groups as i64);
        let conv = [ops::conv1d, ops::conv2d, ops::conv3d][D - 1];
        let bias = self.bias.as_deref();
        if o.padding_mode != PaddingMode::Zeros {
            let mode = ops::PadOptions::default().mode(o.padding_mode.name());
            let padded = ops::pad(x, &self.pad_list(), &mode).or_panic();
            return conv(&padded, &self.weight, bias, &options).or_panic();
        }
        let options = match o.padding {
            Padding::Lengths(lengths) => options.padding(lengths.each()),
            Padding::Same => options.padding("same"),
            Padding::Valid => options.padding("valid"),
        };
        conv(x, &self.weight, bias, &options).or_panic()
    }
}

/// [`Conv1d`] whose number of channels the first input tells: `nn.LazyConv1d(out_channels, kernel_size)`.
pub type LazyConv1d = Lazy<Conv1d>;
/// [`Conv2d`] whose number of channels the first input tells: `nn.LazyConv2d(out_channels, kernel_size)`.
///
/// ```
/// use flambeau_nn as nn;
/// let layer = nn::LazyConv2d::with(4, 3, |o| o.padding(1));
/// assert_eq!(layer.to_string(), "LazyConv2d(0, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))");
/// assert_eq!(layer.call(flambeau_autograd::ones([1, 2, 5, 5])).size(), [1, 4, 5, 5]);
/// assert_eq!(layer.to_string(), "Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))");
/// ```
pub type LazyConv2d = Lazy<Conv2d>;
/// [`Conv3d`] whose number of channels the first input tells: `nn.LazyConv3d(out_channels, kernel_size)`.
pub type LazyConv3d = Lazy<Conv3d>;

/// The channels of an input with or without a batch.
#[track_caller]
pub(super) fn channels_of(input: &Tensor, spatial: usize, layer: &str) -> usize {
    let (size, n) = (input.size(), spatial + 1);
    assert!(
        size.len() == n || size.len() == n + 1,
        "Expected {n}D (unbatched) or {}D (batched) input to {layer}, but got input of size: {size}",
        n + 1
    );
    size[size.len() - n]
}

impl<const D: usize> Lazy<Conv<D>> {
    /// With stride 1, no padding and a bias.
    #[track_caller]
    pub fn new(out_channels: impl Int, kernel_size: impl Into<Lengths<D>>) -> Self {
        Self::with(out_channels, kernel_size, |o| o)
    }

    /// With options: `stride`, `padding`, `dilation`, `groups`, `bias`, `padding_mode`, `dtype`, `device`.
    ///
    /// # Panics
    /// When there are no groups, or `"same"` padding comes with strides.
    #[track_caller]
    pub fn with(
        out_channels: impl Int,
        kernel_size: impl Into<Lengths<D>>,
        options: impl FnOnce(ConvOptions<D>) -> ConvOptions<D>,
    ) -> Self {
        const { assert!(D >= 1 && D <= 3, "convolutions have one to three dimensions") };
        let options = options(ConvOptions::default());
        options.check(0, 0);
        let (out_channels, kernel_size) = (out_channels.to_usize(), kernel_size.into().each());
        let (weight, bias) = weight_and_bias_to_come(options.bias, Place::new(options.dtype, options.device));
        Lazy::of(Conv { in_channels: 0, out_channels, kernel_size, options, weight, bias, state: ModuleState::new() })
    }
}

impl<const D: usize> LazyLayer for Conv<D> {
    fn lazy_name(&self) -> &'static str {
        ["LazyConv1d", "LazyConv2d", "LazyConv3d"][D - 1]
    }

    #[track_caller]
    fn inferred(&self, input: &Tensor) -> Self {
        let Conv { mut in_channels, out_channels, kernel_size, ref options, ref weight, ref bias, ref state } = *self;
        if weight.is_uninitialized() {
            in_channels = channels_of(input, D, self.lazy_name());
            assert!(in_channels.is_multiple_of(options.groups), "in_channels must be divisible by groups");
            let shape = [&[out_channels, in_channels / options.groups][..], &kernel_size].concat();
            materialize(weight, &shape, bias.as_ref().map(|bias| (bias, out_channels)));
        }
        let (options, state) = (options.clone(), state.succeed());
        let (weight, bias) = (weight.share(), bias.as_ref().map(Parameter::share));
        Conv { in_channels, out_channels, kernel_size, options, weight, bias, state }
    }
}
