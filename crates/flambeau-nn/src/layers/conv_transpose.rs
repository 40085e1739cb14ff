//! Transposed convolutions.

use super::conv::{channels_of, check_groups};
use super::{
    Lazy, LazyLayer, Lengths, PaddingMode, Place, materialize, py_tuple, weight_and_bias, weight_and_bias_to_come,
};
use crate::{Module, ModuleState, Parameter, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_tensor::{DType, Device};

options! {
    /// Options of transposed convolutions.
    #[derive(Clone)]
    ConvTransposeOptions<const D: usize> {
        /// Step between the outputs of neighbouring inputs (1).
        stride: Lengths<D> = Lengths::Same(1),
        /// What is cut off on both sides of the output (0).
        padding: Lengths<D> = Lengths::Same(0),
        /// What is added at the end of the output (0).
        output_padding: Lengths<D> = Lengths::Same(0),
        /// Whether a bias is added (true).
        bias: bool = true,
        /// Step between kernel elements (1).
        dilation: Lengths<D> = Lengths::Same(1),
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
        /// Independent groups of channels (1).
        groups: usize = 1,
        /// What pads: only `"zeros"` (`"zeros"`).
        padding_mode: PaddingMode = PaddingMode::Zeros,
    }
}

/// A transposed convolution over `D` dimensions: [`ConvTranspose1d`], [`ConvTranspose2d`], [`ConvTranspose3d`].
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct ConvTranspose<const D: usize> {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    kernel_size: [usize; D],
    options: ConvTransposeOptions<D>,
    /// [in_channels, out_channels / groups, kernel…].
    pub weight: Parameter,
    /// `[out_channels]`.
    pub bias: Option<Parameter>,
    state: ModuleState,
}

/// The transpose of a convolution over [n, channels, length]: `nn.ConvTranspose1d`.
pub type ConvTranspose1d = ConvTranspose<1>;
/// The transpose of a convolution over [n, channels, height, width]: `nn.ConvTranspose2d`.
pub type ConvTranspose2d = ConvTranspose<2>;
/// The transpose of a convolution over [n, channels, depth, height, width]: `nn.ConvTranspose3d`.
pub type ConvTranspose3d = ConvTranspose<3>;

impl<const D: usize> ConvTransposeOptions<D> {
    #[track_caller]
    fn check(&self, in_channels: usize, out_channels: usize, layer: &str) {
        check_groups(in_channels, out_channels, self.groups);
        let zeros = self.padding_mode == PaddingMode::Zeros;
        assert!(zeros, "Only \"zeros\" padding mode is supported for {layer}");
    }
}

impl<const D: usize> ConvTranspose<D> {
    /// With stride 1, no padding and a bias.
    #[track_caller]
    pub fn new(in_channels: impl Int, out_channels: impl Int, kernel_size: impl Into<Lengths<D>>) -> Self {
        Self::with(in_channels, out_channels, kernel_size, |o| o)
    }

    /// With options: `stride`, `padding`, `output_padding`, `groups`, `bias`, `dilation`, `padding_mode`, `dtype`, `device`.
    ///
    /// # Panics
    /// When the groups do not divide both channels, and for another padding mode than zeros.
    #[track_caller]
    pub fn with(
        in_channels: impl Int,
        out_channels: impl Int,
        kernel_size: impl Into<Lengths<D>>,
        options: impl FnOnce(ConvTransposeOptions<D>) -> ConvTransposeOptions<D>,
    ) -> Self {
        let in_channels = in_channels.to_usize();
        let out_channels = out_channels.to_usize();
        const { assert!(D >= 1 && D <= 3, "convolutions have one to three dimensions") };
        let options = options(ConvTransposeOptions::default());
        options.check(in_channels, out_channels, &format!("ConvTranspose{D}d"));
        let kernel_size = kernel_size.into().each();
        let shape = [&[in_channels, out_channels / options.groups][..], &kernel_size].concat();
        let place = Place::new(options.dtype, options.device);
        let (weight, bias) = weight_and_bias(&shape, options.bias.then_some(out_channels), place);
        ConvTranspose { in_channels, out_channels, kernel_size, options, weight, bias, state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"][D - 1]
    }

    fn extra_repr(&self) -> String {
        let o = &self.options;
        let mut s = format!("{}, {}, kernel_size={}", self.in_channels, self.out_channels, py_tuple(&self.kernel_size));
        s += &format!(", stride={}", o.stride.tuple());
        for (name, lengths, default) in
            [("padding", o.padding, 0), ("dilation", o.dilation, 1), ("output_padding", o.output_padding, 0)]
        {
            if lengths.each() != [default; D] {
                s += &format!(", {name}={}", lengths.tuple());
            }
        }
        if o.groups != 1 {
            s += &format!(", groups={}", o.groups);
        }
        if self.bias.is_none() {
            s += ", bias=False";
        }
        s
    }

    /// The layer with an output of the given spatial lengths, which `output_padding` otherwise chooses among those that a
    /// stride leaves open: `forward(x, output_size)`.
    ///
    /// # Panics
    /// When the input cannot give such an output.
    #[track_caller]
    pub fn forward_to_size(&self, x: &Tensor, output_size: [usize; D]) -> Tensor {
        let (size, o) = (x.size(), &self.options);
        assert!(size.len() > D, "expected an input of {} or {} dimensions, but got {}", D + 1, D + 2, size.len());
        let spatial = &size[size.len() - D..];
        let smallest: Vec<i64> = (0..D)
            .map(|d| {
                let steps = (spatial[d] as i64 - 1) * o.stride.each()[d] as i64 - 2 * o.padding.each()[d] as i64;
                steps + (o.dilation.each()[d] * (self.kernel_size[d] - 1)) as i64 + 1
            })
            .collect();
        let largest: Vec<i64> = smallest.iter().zip(o.stride.each()).map(|(n, s)| n + s as i64 - 1).collect();
        let fits = (0..D).all(|d| (smallest[d]..=largest[d]).contains(&(output_size[d] as i64)));
        assert!(
            fits,
            "requested an output size of {output_size:?}, but valid sizes range from {smallest:?} to {largest:?} (for an input \
             of {})",
            flambeau_tensor::print::format_size(&size[2.min(size.len())..])
        );
        let mut extra = [0; D];
        (0..D).for_each(|d| extra[d] = output_size[d] - smallest[d] as usize);
        self.run(x, extra)
    }

    #[track_caller]
    fn run(&self, x: &Tensor, output_padding: [usize; D]) -> Tensor {
        let o = &self.options;
        let options = ops::ConvTransposeOptions::default()
            .stride(o.stride.each())
            .padding(o.padding.each())
            .output_padding(output_padding)
            .groups(o.groups as i64)
            .dilation(o.dilation.each());
        let conv = [ops::conv_transpose1d, ops::conv_transpose2d, ops::conv_transpose3d][D - 1];
        conv(x, &self.weight, self.bias.as_deref(), &options).or_panic()
    }
}

#[forward]
impl<const D: usize> ConvTranspose<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.run(x, self.options.output_padding.each())
    }
}

/// [`ConvTranspose1d`] whose number of channels the first input tells: `nn.LazyConvTranspose1d(out_channels, kernel_size)`.
pub type LazyConvTranspose1d = Lazy<ConvTranspose1d>;
/// [`ConvTranspose2d`] whose number of channels the first input tells: `nn.LazyConvTranspose2d(out_channels, kernel_size)`.
///
/// ```
/// let layer = flambeau_nn::LazyConvTranspose2d::with(4, 3, |o| o.stride(2));
/// assert_eq!(layer.call(flambeau_autograd::ones([1, 2, 3, 3])).size(), [1, 4, 7, 7]);
/// assert_eq!(layer.to_string(), "ConvTranspose2d(2, 4, kernel_size=(3, 3), stride=(2, 2))");
/// ```
pub type LazyConvTranspose2d = Lazy<ConvTranspose2d>;
/// [`ConvTranspose3d`] whose number of channels the first input tells: `nn.LazyConvTranspose3d(out_channels, kernel_size)`.
pub type LazyConvTranspose3d = Lazy<ConvTranspose3d>;

impl<const D: usize> Lazy<ConvTranspose<D>> {
    /// With stride 1, no padding and a bias.
    #[track_caller]
    pub fn new(out_channels: impl Int, kernel_size: impl Into<Lengths<D>>) -> Self {
        Self::with(out_channels, kernel_size, |o| o)
    }

    /// With options: `stride`, `padding`, `output_padding`, `groups`, `bias`, `dilation`, `padding_mode`, `dtype`, `device`.
    ///
    /// # Panics
    /// When there are no groups, and for another padding mode than zeros.
    #[track_caller]
    pub fn with(
        out_channels: impl Int,
        kernel_size: impl Into<Lengths<D>>,
        options: impl FnOnce(ConvTransposeOptions<D>) -> ConvTransposeOptions<D>,
    ) -> Self {
        const { assert!(D >= 1 && D <= 3, "convolutions have one to three dimensions") };
        let options = options(ConvTransposeOptions::default());
        options.check(0, 0, &format!("LazyConvTranspose{D}d"));
        let (out_channels, kernel_size) = (out_channels.to_usize(), kernel_size.into().each());
        let (weight, bias) = weight_and_bias_to_come(options.bias, Place::new(options.dtype, options.device));
        let state = ModuleState::new();
        Lazy::of(ConvTranspose { in_channels: 0, out_channels, kernel_size, options, weight, bias, state })
    }

    /// [`ConvTranspose::forward_to_size`], whose input tells the number of channels.
    ///
    /// # Panics
    /// When the input cannot give such an output.
    #[track_caller]
    pub fn forward_to_size(&self, x: &Tensor, output_size: [usize; D]) -> Tensor {
        self.ready(x).forward_to_size(x, output_size)
    }
}

impl<const D: usize> LazyLayer for ConvTranspose<D> {
    fn lazy_name(&self) -> &'static str {
        ["LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d"][D - 1]
    }

    #[track_caller]
    fn inferred(&self, input: &Tensor) -> Self {
        let ConvTranspose { mut in_channels, out_channels, kernel_size, ref options, ref weight, ref bias, ref state } =
            *self;
        if weight.is_uninitialized() {
            in_channels = channels_of(input, D, self.lazy_name());
            assert!(in_channels.is_multiple_of(options.groups), "in_channels must be divisible by groups");
            let shape = [&[in_channels, out_channels / options.groups][..], &kernel_size].concat();
            materialize(weight, &shape, bias.as_ref().map(|bias| (bias, out_channels)));
        }
        let (options, state) = (options.clone(), state.succeed());
        let (weight, bias) = (weight.share(), bias.as_ref().map(Parameter::share));
        ConvTranspose { in_channels, out_channels, kernel_size, options, weight, bias, state }
    }
}
