//! The sizes of a convolution.

/// The sizes of a convolution of up to three spatial dimensions; fewer take leading ones (`[1, height, width]` in two, with
/// kernel 1, stride 1, padding 0 and dilation 1 in the missing dimensions). Tensors are dense: the input is
/// `[batch, in_channels, input…]`, the weight `[out_channels, in_channels / groups, kernel…]` and the output
/// `[batch, out_channels, output…]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Samples.
    pub batch: usize,
    /// Channels of the input, a multiple of `groups`.
    pub in_channels: usize,
    /// Channels of the output, a multiple of `groups`.
    pub out_channels: usize,
    /// Independent parts that the channels are divided into.
    pub groups: usize,
    /// Spatial size of the input.
    pub input: [usize; 3],
    /// Size of the kernel.
    pub kernel: [usize; 3],
    /// Input elements from one output position to the next.
    pub stride: [usize; 3],
    /// Zeros on both sides of the input.
    pub padding: [usize; 3],
    /// Input elements from one kernel element to the next.
    pub dilation: [usize; 3],
}

impl ConvShape {
    /// Spatial size of the output: `⌊(input + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1`, and 0 where the kernel
    /// exceeds the padded input.
    pub fn output(&self) -> [usize; 3] {
        std::array::from_fn(|d| {
            // What does not fit a number is more than there is; a stride of 0 counts as 1.
            let span = self.dilation[d].saturating_mul(self.kernel[d].max(1) - 1).saturating_add(1);
            let padded = self.input[d].saturating_add(self.padding[d].saturating_mul(2));
            if padded < span { 0 } else { (padded - span) / self.stride[d].max(1) + 1 }
        })
    }

    /// Elements of one channel of the input.
    pub(super) fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Elements of one channel of the output.
    pub(super) fn output_len(&self) -> usize {
        self.output().iter().product()
    }

    /// Elements of the kernel of one input channel.
    pub(super) fn kernel_len(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Input channels of a group.
    pub(super) fn group_inputs(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Output channels of a group.
    pub(super) fn group_outputs(&self) -> usize {
        self.out_channels / self.groups
    }

    /// Whether the columns of the input are the input itself: a kernel of one element that moves by one.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == [1; 3] && self.stride == [1; 3] && self.padding == [0; 3]
    }
}
