//! Pooling over windows whose steps are drawn at random.

use super::{Lengths, py_tuple};
use crate::{Buffer, Module, ModuleState, forward};
use flambeau_autograd::ops::{self, FractionalMaxPoolOptions, Scales};
use flambeau_autograd::{OrPanic, Tensor, options};
use flambeau_tensor::print::py_float;

options! {
    /// Options of [`FractionalMaxPool`], of which `output_size` or `output_ratio` must be given.
    #[derive(Clone)]
    FractionalPoolOptions<const D: usize> {
        /// The result's spatial lengths.
        output_size: Option<Lengths<D>> = None,
        /// The result's lengths over the input's, one for all or one per dimension, between 0 and 1.
        output_ratio: Option<Scales> = None,
        /// Where the windows of each plane start, [n, channels, dimensions] in [0, 1) (drawn at each call).
        _random_samples: Option<Tensor> = None,
    }
}

/// The largest element of windows whose steps are drawn at random (arXiv 1412.6071): [`FractionalMaxPool2d`],
/// [`FractionalMaxPool3d`]. With `INDICES`, which [`FractionalMaxPool::return_indices`] sets, also where it lies.
#[derive(Module)]
#[module(type_name)]
pub struct FractionalMaxPool<const D: usize, const INDICES: bool = false> {
    kernel_size: Lengths<D>,
    output_size: Option<Lengths<D>>,
    #[module(skip)]
    output_ratio: Option<Scales>,
    _random_samples: Option<Buffer>,
    state: ModuleState,
}

/// Over [n, channels, height, width]: `nn.FractionalMaxPool2d(kernel_size, output_size, output_ratio)`.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let pool = nn::FractionalMaxPool2d::with(3, |o| o.output_size((13, 12)));
/// assert_eq!(pool.call(flambeau_autograd::randn([2, 4, 50, 32])).size(), [2, 4, 13, 12]);
/// let pool = nn::FractionalMaxPool2d::with(3, |o| o.output_ratio(0.5)).return_indices();
/// assert_eq!(pool.call(flambeau_autograd::randn([2, 4, 50, 32])).1.size(), [2, 4, 25, 16]);
/// ```
pub type FractionalMaxPool2d = FractionalMaxPool<2>;
/// Over [n, channels, depth, height, width]: `nn.FractionalMaxPool3d(kernel_size, output_size, output_ratio)`.
pub type FractionalMaxPool3d = FractionalMaxPool<3>;

impl<const D: usize> FractionalMaxPool<D> {
    /// With options: `output_size` or `output_ratio`; `_random_samples`.
    ///
    /// # Panics
    /// When none or both of the sizes are given, or a ratio is not between 0 and 1.
    #[track_caller]
    pub fn with(
        kernel_size: impl Into<Lengths<D>>,
        options: impl FnOnce(FractionalPoolOptions<D>) -> FractionalPoolOptions<D>,
    ) -> Self {
        const { assert!(D == 2 || D == 3, "fractional pooling has two or three dimensions") };
        let kernel_size = kernel_size.into();
        let empty = D == 3 && kernel_size.each().contains(&0);
        assert!(!empty, "kernel_size must be greater than 0, but got {kernel_size}");
        let FractionalPoolOptions { output_size, output_ratio, _random_samples } =
            options(FractionalPoolOptions::default());
        assert!(
            output_size.is_some() || output_ratio.is_some(),
            "FractionalMaxPool{D}d requires specifying either an output size, or a pooling ratio"
        );
        assert!(
            output_size.is_none() || output_ratio.is_none(),
            "only one of output_size and output_ratio may be specified"
        );
        if let Some(ratio) = &output_ratio {
            let given = match &ratio[..] {
                [one] => py_float(*one),
                all => py_tuple(&all.iter().map(|&r| py_float(r)).collect::<Vec<_>>()),
            };
            let inside = ratio.iter().all(|&r| 0.0 < r && r < 1.0);
            assert!(inside, "output_ratio must be between 0 and 1 (got {given})");
        }
        FractionalMaxPool {
            kernel_size,
            output_size,
            output_ratio,
            _random_samples: _random_samples.as_ref().map(Buffer::new),
            state: ModuleState::new(),
        }
    }

    /// The same layer, which returns the largest elements and where they lie in each plane: `return_indices=True`.
    #[must_use]
    pub fn return_indices(self) -> FractionalMaxPool<D, true> {
        FractionalMaxPool {
            kernel_size: self.kernel_size,
            output_size: self.output_size,
            output_ratio: self.output_ratio,
            _random_samples: self._random_samples,
            state: ModuleState::new(),
        }
    }
}

impl<const D: usize, const INDICES: bool> FractionalMaxPool<D, INDICES> {
    fn type_name(&self) -> &'static str {
        ["FractionalMaxPool2d", "FractionalMaxPool3d"][D - 2]
    }

    /// The largest elements and where they lie in each plane: the layer with `return_indices=True`.
    #[track_caller]
    pub fn forward_with_indices(&self, x: &Tensor) -> (Tensor, Tensor) {
        let signed = |lengths: Lengths<D>| lengths.each().map(|n| n as i64);
        let options = FractionalMaxPoolOptions {
            output_size: self.output_size.map(|size| signed(size).into_iter().collect()),
            output_ratio: self.output_ratio.clone(),
            _random_samples: self._random_samples.as_ref().map(|samples| samples.shallow_clone()),
        };
        let pool = [ops::fractional_max_pool2d_with_indices, ops::fractional_max_pool3d_with_indices][D - 2];
        pool(x, &signed(self.kernel_size), &options).or_panic()
    }
}

#[forward]
impl<const D: usize> FractionalMaxPool<D, true> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> (Tensor, Tensor) {
        self.forward_with_indices(x)
    }
}

#[forward]
impl<const D: usize> FractionalMaxPool<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_with_indices(x).0
    }
}
