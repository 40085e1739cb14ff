//! Blocks of an image as columns, and channels as pixels.

use super::Lengths;
use crate::{Module, ModuleState, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::ops::{self, UnfoldOptions};
use flambeau_autograd::{OrPanic, Tensor, options};

options! {
    /// Options of [`Unfold`] and [`Fold`].
    #[derive(Clone)]
    FoldOptions {
        /// Step between elements of a block (1).
        dilation: Lengths<2> = Lengths::Same(1),
        /// Zeros added on both sides (0).
        padding: Lengths<2> = Lengths::Same(0),
        /// Step between blocks (1).
        stride: Lengths<2> = Lengths::Same(1),
    }
}

impl FoldOptions {
    fn of_call(&self) -> UnfoldOptions {
        UnfoldOptions::default().dilation(self.dilation.each()).padding(self.padding.each()).stride(self.stride.each())
    }

    fn repr(&self) -> String {
        format!("dilation={}, padding={}, stride={}", self.dilation, self.padding, self.stride)
    }
}

/// One number per dimension, as operations take them.
fn signed(lengths: Lengths<2>) -> [i64; 2] {
    lengths.each().map(|n| n as i64)
}

/// Each block of [n, channels, height, width] as a column: `nn.Unfold(kernel_size)`.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let unfold = nn::Unfold::with((2, 3), |o| o.stride(2));
/// assert_eq!(unfold.call(flambeau_autograd::ones([1, 2, 4, 5])).size(), [1, 12, 4]);
/// assert_eq!(unfold.to_string(), "Unfold(kernel_size=(2, 3), dilation=1, padding=0, stride=2)");
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct Unfold {
    kernel_size: Lengths<2>,
    options: FoldOptions,
    state: ModuleState,
}

impl Unfold {
    /// Blocks at every place.
    #[track_caller]
    pub fn new(kernel_size: impl Into<Lengths<2>>) -> Self {
        Self::with(kernel_size, |o| o)
    }

    /// With options: `dilation`, `padding`, `stride`.
    #[track_caller]
    pub fn with(kernel_size: impl Into<Lengths<2>>, options: impl FnOnce(FoldOptions) -> FoldOptions) -> Self {
        let options = options(FoldOptions::default());
        Unfold { kernel_size: kernel_size.into(), options, state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        format!("kernel_size={}, {}", self.kernel_size, self.options.repr())
    }
}

#[forward]
impl Unfold {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::im2col(x, &signed(self.kernel_size), &self.options.of_call()).or_panic()
    }
}

/// Adds columns up to images, the transpose of [`Unfold`]: `nn.Fold(output_size, kernel_size)`.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let fold = nn::Fold::new((2, 3), 2);
/// let image = fold.call(flambeau_autograd::ones([1, 4, 2]));
/// assert_eq!(image.to_vec::<f32>(), [1.0, 2.0, 1.0, 1.0, 2.0, 1.0]);
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct Fold {
    output_size: Lengths<2>,
    kernel_size: Lengths<2>,
    options: FoldOptions,
    state: ModuleState,
}

impl Fold {
    /// Blocks at every place.
    #[track_caller]
    pub fn new(output_size: impl Into<Lengths<2>>, kernel_size: impl Into<Lengths<2>>) -> Self {
        Self::with(output_size, kernel_size, |o| o)
    }

    /// With options: `dilation`, `padding`, `stride`.
    #[track_caller]
    pub fn with(
        output_size: impl Into<Lengths<2>>,
        kernel_size: impl Into<Lengths<2>>,
        options: impl FnOnce(FoldOptions) -> FoldOptions,
    ) -> Self {
        let (output_size, kernel_size) = (output_size.into(), kernel_size.into());
        Fold { output_size, kernel_size, options: options(FoldOptions::default()), state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        format!("output_size={}, kernel_size={}, {}", self.output_size, self.kernel_size, self.options.repr())
    }
}

#[forward]
impl Fold {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::col2im(x, &signed(self.output_size), &signed(self.kernel_size), &self.options.of_call()).or_panic()
    }
}

/// [n, c·r², h, w] as [n, c, h·r, w·r]: `nn.PixelShuffle(upscale_factor)`.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// assert_eq!(nn::PixelShuffle::new(2).call(flambeau_autograd::ones([1, 8, 3, 3])).size(), [1, 2, 6, 6]);
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct PixelShuffle {
    upscale_factor: i64,
    state: ModuleState,
}

impl PixelShuffle {
    /// With the factor r.
    #[track_caller]
    pub fn new(upscale_factor: impl Int) -> Self {
        PixelShuffle { upscale_factor: upscale_factor.to_i64(), state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        format!("upscale_factor={}", self.upscale_factor)
    }
}

#[forward]
impl PixelShuffle {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::pixel_shuffle(x, self.upscale_factor).or_panic()
    }
}

/// [n, c, h·r, w·r] as [n, c·r², h, w]: `nn.PixelUnshuffle(downscale_factor)`.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// assert_eq!(nn::PixelUnshuffle::new(2).call(flambeau_autograd::ones([1, 2, 6, 6])).size(), [1, 8, 3, 3]);
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct PixelUnshuffle {
    downscale_factor: i64,
    state: ModuleState,
}

impl PixelUnshuffle {
    /// With the factor r.
    #[track_caller]
    pub fn new(downscale_factor: impl Int) -> Self {
        PixelUnshuffle { downscale_factor: downscale_factor.to_i64(), state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        format!("downscale_factor={}", self.downscale_factor)
    }
}

#[forward]
impl PixelUnshuffle {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::pixel_unshuffle(x, self.downscale_factor).or_panic()
    }
}

/// Channels split into groups and dealt out, one of each group in turn: `nn.ChannelShuffle(groups)`.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let x = flambeau_autograd::arange(4.0).view([1, 4, 1]);
/// assert_eq!(nn::ChannelShuffle::new(2).call(x).to_vec::<f32>(), [0.0, 2.0, 1.0, 3.0]);
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct ChannelShuffle {
    groups: i64,
    state: ModuleState,
}

impl ChannelShuffle {
    /// With so many groups.
    #[track_caller]
    pub fn new(groups: impl Int) -> Self {
        ChannelShuffle { groups: groups.to_i64(), state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        format!("groups={}", self.groups)
    }
}

#[forward]
impl ChannelShuffle {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::channel_shuffle(x, self.groups).or_panic()
    }
}
