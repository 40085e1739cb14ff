//! Options of convolutions.

use crate::ops::nn::window::{Padding, Sizes};
use crate::options;
use smallvec::smallvec;

options! {
    /// Options of `F::conv1d`, `F::conv2d` and `F::conv3d`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    ConvOptions {
        /// Independent groups that both channels are split in (1).
        groups: i64 = 1,
        /// Step between outputs, in input elements (1).
        stride: Sizes = smallvec![1],
        /// Step between kernel elements, in input elements (1).
        dilation: Sizes = smallvec![1],
        /// Zeros before and after each spatial dimension, or `"same"`, or `"valid"` (0).
        padding: Padding = Padding::Sizes(smallvec![0]),
    }
}

options! {
    /// Options of `F::conv_transpose1d`, `F::conv_transpose2d` and `F::conv_transpose3d`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    ConvTransposeOptions {
        /// Independent groups that both channels are split in (1).
        groups: i64 = 1,
        /// Step between the outputs of neighbouring inputs (1).
        stride: Sizes = smallvec![1],
        /// What is cut off before and after each spatial dimension of the output (0).
        padding: Sizes = smallvec![0],
        /// What is added at the end of each spatial dimension of the output, less than stride or dilation (0).
        output_padding: Sizes = smallvec![0],
        /// Step between kernel elements, in output elements (1).
        dilation: Sizes = smallvec![1],
    }
}
