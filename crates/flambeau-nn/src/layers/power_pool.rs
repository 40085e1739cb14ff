//! Power-average pooling.

use super::{Lengths, py_bool, py_number};
use crate::{Module, ModuleState, forward};
use flambeau_autograd::ops::{self, LpPoolOptions};
use flambeau_autograd::{OrPanic, Tensor, options};
use flambeau_tensor::Scalar;
use flambeau_tensor::print::py_float;

options! {
    /// Options of power-average pooling.
    #[derive(Clone)]
    LPPoolOptions<const D: usize> {
        /// Step between windows (the window's size).
        stride: Option<Lengths<D>> = None,
        /// Whether a last window that only partly fits counts (false).
        ceil_mode: bool = false,
    }
}

/// (Σ xᵖ)^(1/p) over each window: [`LPPool1d`], [`LPPool2d`], [`LPPool3d`].
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct LPPool<const D: usize> {
    norm_type: Scalar,
    kernel_size: Lengths<D>,
    options: LPPoolOptions<D>,
    state: ModuleState,
}

/// The p-norm of each window of [n, channels, length]: `nn.LPPool1d(norm_type, kernel_size)`.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let pool = nn::LPPool1d::new(2, 2);
/// assert!(pool.call(flambeau_autograd::tensor([[3.0, 4.0]])).allclose(&flambeau_autograd::tensor([[5.0]])));
/// assert_eq!(pool.to_string(), "LPPool1d(norm_type=2, kernel_size=2, stride=None, ceil_mode=False)");
/// ```
pub type LPPool1d = LPPool<1>;
/// The p-norm of each window of [n, channels, height, width]: `nn.LPPool2d(norm_type, kernel_size)`.
pub type LPPool2d = LPPool<2>;
/// The p-norm of each window of [n, channels, depth, height, width]: `nn.LPPool3d(norm_type, kernel_size)`.
pub type LPPool3d = LPPool<3>;

impl<const D: usize> LPPool<D> {
    /// The `norm_type`-norm of windows side by side.
    ///
    /// # Panics
    /// Where `norm_type` is zero.
    #[track_caller]
    pub fn new(norm_type: impl Into<Scalar>, kernel_size: impl Into<Lengths<D>>) -> Self {
        Self::with(norm_type, kernel_size, |o| o)
    }

    /// With options: `stride`, `ceil_mode`.
    ///
    /// # Panics
    /// Where `norm_type` is zero.
    #[track_caller]
    pub fn with(
        norm_type: impl Into<Scalar>,
        kernel_size: impl Into<Lengths<D>>,
        options: impl FnOnce(LPPoolOptions<D>) -> LPPoolOptions<D>,
    ) -> Self {
        const { assert!(D >= 1 && D <= 3, "pooling has one to three dimensions") };
        let norm_type = norm_type.into();
        let zero = norm_type.to_f64() == 0.0;
        assert!(!zero, "norm_type must be a non-zero value, but got {}", py_number(norm_type));
        let options = options(LPPoolOptions::default());
        LPPool { norm_type, kernel_size: kernel_size.into(), options, state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        ["LPPool1d", "LPPool2d", "LPPool3d"][D - 1]
    }

    fn extra_repr(&self) -> String {
        let o = &self.options;
        let p = self.norm_type.to_f64();
        let norm = if p.is_infinite() { py_float(p) } else { py_number(self.norm_type) };
        let stride = o.stride.map_or("None".to_owned(), |s| s.to_string());
        format!(
            "norm_type={norm}, kernel_size={}, stride={stride}, ceil_mode={}",
            self.kernel_size,
            py_bool(o.ceil_mode)
        )
    }
}

#[forward]
impl<const D: usize> LPPool<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let signed = |lengths: Lengths<D>| lengths.each().map(|n| n as i64);
        let mut options = LpPoolOptions::default().ceil_mode(self.options.ceil_mode);
        options.stride = self.options.stride.map(|s| signed(s).into_iter().collect());
        let pool = [ops::lp_pool1d, ops::lp_pool2d, ops::lp_pool3d][D - 1];
        // PyTorch's layer makes a float of it.
        pool(x, Scalar::Float(self.norm_type.to_f64()), &signed(self.kernel_size), &options).or_panic()
    }
}
