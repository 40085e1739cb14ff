//! Pooling over windows.

use super::{Lengths, py_bool};
use crate::{Module, ModuleState, forward};
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Tensor, ops};

options! {
    /// Options of max pooling.
    #[derive(Clone)]
    MaxPoolOptions<const D: usize> {
        /// Step between windows (the window's size).
        stride: Option<Lengths<D>> = None,
        /// What is added on both sides; it never wins (0).
        padding: Lengths<D> = Lengths::Same(0),
        /// Step between elements of a window (1).
        dilation: Lengths<D> = Lengths::Same(1),
        /// Whether a last window that only partly fits counts (false).
        ceil_mode: bool = false,
    }
}

/// The largest element of each window: [`MaxPool1d`], [`MaxPool2d`], [`MaxPool3d`]. With `INDICES`, which
/// [`MaxPool::return_indices`] sets, also where it lies.
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct MaxPool<const D: usize, const INDICES: bool = false> {
    kernel_size: Lengths<D>,
    options: MaxPoolOptions<D>,
    state: ModuleState,
}

/// The largest element of each window of [n, channels, length]: `nn.MaxPool1d`.
pub type MaxPool1d = MaxPool<1>;
/// The largest element of each window of [n, channels, height, width]: `nn.MaxPool2d`.
pub type MaxPool2d = MaxPool<2>;
/// The largest element of each window of [n, channels, depth, height, width]: `nn.MaxPool3d`.
pub type MaxPool3d = MaxPool<3>;

/// One number per dimension, as operations take them.
fn signed<const D: usize>(lengths: Lengths<D>) -> [i64; D] {
    lengths.each().map(|n| n as i64)
}

impl<const D: usize> MaxPool<D> {
    /// Windows side by side.
    #[track_caller]
    pub fn new(kernel_size: impl Into<Lengths<D>>) -> Self {
        Self::with(kernel_size, |o| o)
    }

    /// With options: `stride`, `padding`, `dilation`, `ceil_mode`.
    #[track_caller]
    pub fn with(
        kernel_size: impl Into<Lengths<D>>,
        options: impl FnOnce(MaxPoolOptions<D>) -> MaxPoolOptions<D>,
    ) -> Self {
        const { assert!(D >= 1 && D <= 3, "pooling has one to three dimensions") };
        let options = options(MaxPoolOptions::default());
        MaxPool { kernel_size: kernel_size.into(), options, state: ModuleState::new() }
    }

    /// The same layer, which returns the largest elements and where they lie in each plane: `return_indices=True`.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Call};
    /// let pool = nn::MaxPool1d::new(2).return_indices();
    /// let (values, indices) = pool.call(flambeau_autograd::tensor([[1.0, 3.0, 4.0, 2.0]]));
    /// assert_eq!(values.to_vec::<f32>(), [3.0, 4.0]);
    /// assert_eq!(indices.to_vec::<i64>(), [1, 2]);
    /// ```
    #[must_use]
    pub fn return_indices(self) -> MaxPool<D, true> {
        MaxPool { kernel_size: self.kernel_size, options: self.options, state: ModuleState::new() }
    }
}

impl<const D: usize, const INDICES: bool> MaxPool<D, INDICES> {
    fn type_name(&self) -> &'static str {
        ["MaxPool1d", "MaxPool2d", "MaxPool3d"][D - 1]
    }

    fn extra_repr(&self) -> String {
        let (k, o) = (self.kernel_size, &self.options);
        let stride = o.stride.unwrap_or(k);
        let ceil = py_bool(o.ceil_mode);
        format!("kernel_size={k}, stride={stride}, padding={}, dilation={}, ceil_mode={ceil}", o.padding, o.dilation)
    }

    fn call_options(&self) -> ops::MaxPoolOptions {
        let o = &self.options;
        ops::MaxPoolOptions::default()
            .stride(o.stride.unwrap_or(self.kernel_size).each())
            .padding(o.padding.each())
            .dilation(o.dilation.each())
            .ceil_mode(o.ceil_mode)
    }

    /// The largest elements and where they lie in each plane: the layer with `return_indices=True`.
    #[track_caller]
    pub fn forward_with_indices(&self, x: &Tensor) -> (Tensor, Tensor) {
        let pool = [ops::max_pool1d_with_indices, ops::max_pool2d_with_indices, ops::max_pool3d_with_indices][D - 1];
        pool(x, &signed(self.kernel_size), &self.call_options()).or_panic()
    }
}

#[forward]
impl<const D: usize> MaxPool<D, true> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> (Tensor, Tensor) {
        self.forward_with_indices(x)
    }
}

#[forward]
impl<const D: usize> MaxPool<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let pool = [ops::max_pool1d, ops::max_pool2d, ops::max_pool3d][D - 1];
        pool(x, &signed(self.kernel_size), &self.call_options()).or_panic()
    }
}

options! {
    /// Options of average pooling.
    #[derive(Clone)]
    AvgPoolOptions<const D: usize> {
        /// Step between windows (the window's size).
        stride: Option<Lengths<D>> = None,
        /// Zeros added on both sides (0).
        padding: Lengths<D> = Lengths::Same(0),
        /// Whether a last window that only partly fits counts (false).
        ceil_mode: bool = false,
        /// Whether the zeros of the padding count as elements (true).
        count_include_pad: bool = true,
        /// What the sums are divided by (the window's size).
        divisor_override: Option<i64> = None,
    }
}

/// The mean of each window: [`AvgPool1d`], [`AvgPool2d`], [`AvgPool3d`].
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct AvgPool<const D: usize> {
    kernel_size: Lengths<D>,
    options: AvgPoolOptions<D>,
    state: ModuleState,
}

/// The mean of each window of [n, channels, length]: `nn.AvgPool1d`.
pub type AvgPool1d = AvgPool<1>;
/// The mean of each window of [n, channels, height, width]: `nn.AvgPool2d`.
pub type AvgPool2d = AvgPool<2>;
/// The mean of each window of [n, channels, depth, height, width]: `nn.AvgPool3d`.
pub type AvgPool3d = AvgPool<3>;

impl<const D: usize> AvgPool<D> {
    /// Windows side by side.
    #[track_caller]
    pub fn new(kernel_size: impl Into<Lengths<D>>) -> Self {
        Self::with(kernel_size, |o| o)
    }

    /// With options: `stride`, `padding`, `ceil_mode`, `count_include_pad`, `divisor_override`.
    #[track_caller]
    pub fn with(
        kernel_size: impl Into<Lengths<D>>,
        options: impl FnOnce(AvgPoolOptions<D>) -> AvgPoolOptions<D>,
    ) -> Self {
        const { assert!(D >= 1 && D <= 3, "pooling has one to three dimensions") };
        let options = options(AvgPoolOptions::default());
        AvgPool { kernel_size: kernel_size.into(), options, state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        ["AvgPool1d", "AvgPool2d", "AvgPool3d"][D - 1]
    }

    fn extra_repr(&self) -> String {
        let (k, o) = (self.kernel_size, &self.options);
        let stride = o.stride.unwrap_or(k);
        // PyTorch makes tuples of the one-dimensional layer's options only.
        match D {
            1 => format!("kernel_size={}, stride={}, padding={}", k.tuple(), stride.tuple(), o.padding.tuple()),
            _ => format!("kernel_size={k}, stride={stride}, padding={}", o.padding),
        }
    }
}

#[forward]
impl<const D: usize> AvgPool<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let o = &self.options;
        let options = ops::AvgPoolOptions::default()
            .stride(o.stride.unwrap_or(self.kernel_size).each())
            .padding(o.padding.each())
            .ceil_mode(o.ceil_mode)
            .count_include_pad(o.count_include_pad)
            .divisor_override(o.divisor_override);
        let pool = [ops::avg_pool1d, ops::avg_pool2d, ops::avg_pool3d][D - 1];
        pool(x, &signed(self.kernel_size), &options).or_panic()
    }
}
