//! Keyword arguments of convolutions.

use crate::ops::nn::window::{Padding, Sizes};
use crate::ops::{IntoDims, IntoPadding};
use smallvec::smallvec;

/// Keyword arguments of `F.conv1d`, `F.conv2d` and `F.conv3d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    /// Step between outputs, in input elements.
    pub stride: Sizes,
    /// Zeros before and after each spatial dimension.
    pub padding: Padding,
    /// Step between kernel elements, in input elements.
    pub dilation: Sizes,
    /// Independent groups that both channels are split in.
    pub groups: i64,
}

impl Default for ConvOptions {
    fn default() -> Self {
        ConvOptions { stride: smallvec![1], padding: Padding::Sizes(smallvec![0]), dilation: smallvec![1], groups: 1 }
    }
}

impl ConvOptions {
    /// Step between outputs; 1 by default.
    #[must_use]
    pub fn stride(mut self, stride: impl IntoDims) -> Self {
        self.stride = stride.into_dims();
        self
    }

    /// Zeros on both sides, or `"same"`, or `"valid"`; 0 by default.
    #[must_use]
    pub fn padding(mut self, padding: impl IntoPadding) -> Self {
        self.padding = padding.into_padding();
        self
    }

    /// Step between kernel elements; 1 by default.
    #[must_use]
    pub fn dilation(mut self, dilation: impl IntoDims) -> Self {
        self.dilation = dilation.into_dims();
        self
    }

    /// Independent groups of channels; 1 by default.
    #[must_use]
    pub fn groups(mut self, groups: i64) -> Self {
        self.groups = groups;
        self
    }
}

/// Keyword arguments of `F.conv_transpose1d`, `F.conv_transpose2d` and `F.conv_transpose3d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvTransposeOptions {
    /// Step between the outputs of neighbouring inputs.
    pub stride: Sizes,
    /// What is cut off before and after each spatial dimension of the output.
    pub padding: Sizes,
    /// What is added at the end of each spatial dimension of the output.
    pub output_padding: Sizes,
    /// Independent groups that both channels are split in.
    pub groups: i64,
    /// Step between kernel elements, in output elements.
    pub dilation: Sizes,
}

impl Default for ConvTransposeOptions {
    fn default() -> Self {
        let (one, zero): (Sizes, Sizes) = (smallvec![1], smallvec![0]);
        ConvTransposeOptions {
            stride: one.clone(),
            padding: zero.clone(),
            output_padding: zero,
            groups: 1,
            dilation: one,
        }
    }
}

impl ConvTransposeOptions {
    /// Step between the outputs of neighbouring inputs; 1 by default.
    #[must_use]
    pub fn stride(mut self, stride: impl IntoDims) -> Self {
        self.stride = stride.into_dims();
        self
    }

    /// What is cut off on both sides of the output; 0 by default.
    #[must_use]
    pub fn padding(mut self, padding: impl IntoDims) -> Self {
        self.padding = padding.into_dims();
        self
    }

    /// What is added at the end of the output, less than stride or dilation; 0 by default.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl IntoDims) -> Self {
        self.output_padding = output_padding.into_dims();
        self
    }

    /// Independent groups of channels; 1 by default.
    #[must_use]
    pub fn groups(mut self, groups: i64) -> Self {
        self.groups = groups;
        self
    }

    /// Step between kernel elements; 1 by default.
    #[must_use]
    pub fn dilation(mut self, dilation: impl IntoDims) -> Self {
        self.dilation = dilation.into_dims();
        self
    }
}
