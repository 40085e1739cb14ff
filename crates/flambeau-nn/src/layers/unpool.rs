//! The inverse of max pooling.

use super::Lengths;
use crate::{Arg, Forward, Module, ModuleState, forward};
use flambeau_autograd::ops::{self, IntoDims, MaxUnpoolOptions};
use flambeau_autograd::{OrPanic, Tensor, options};

options! {
    /// Options of [`MaxUnpool`].
    #[derive(Clone)]
    UnpoolOptions<const D: usize> {
        /// Step between the pooling's windows (the window's size).
        stride: Option<Lengths<D>> = None,
        /// What the pooling added on both sides (0).
        padding: Lengths<D> = Lengths::Same(0),
    }
}

/// Puts the values of a max pooling back to where they came from, zeros elsewhere: [`MaxUnpool1d`], [`MaxUnpool2d`],
/// [`MaxUnpool3d`].
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct MaxUnpool<const D: usize> {
    kernel_size: Lengths<D>,
    options: UnpoolOptions<D>,
    state: ModuleState,
}

/// The inverse of [`MaxPool1d`](crate::MaxPool1d): `nn.MaxUnpool1d(kernel_size, stride, padding)`.
///
/// ```
/// use flambeau_nn as nn;
/// let pool = nn::MaxPool1d::new(2).return_indices();
/// let (y, indices) = pool.call(flambeau_autograd::tensor([[1.0, 3.0, 4.0, 2.0, 5.0]]));
/// let unpool = nn::MaxUnpool1d::new(2);
/// assert_eq!(unpool.call(&y, &indices).to_vec::<f32>(), [0.0, 3.0, 4.0, 0.0]);
/// // `unpool(y, indices, output_size=[5])`
/// assert_eq!(unpool.call_to(&y, &indices, [5]).to_vec::<f32>(), [0.0, 3.0, 4.0, 0.0, 0.0]);
/// ```
pub type MaxUnpool1d = MaxUnpool<1>;
/// The inverse of [`MaxPool2d`](crate::MaxPool2d): `nn.MaxUnpool2d(kernel_size, stride, padding)`.
pub type MaxUnpool2d = MaxUnpool<2>;
/// The inverse of [`MaxPool3d`](crate::MaxPool3d): `nn.MaxUnpool3d(kernel_size, stride, padding)`.
pub type MaxUnpool3d = MaxUnpool<3>;

impl<const D: usize> MaxUnpool<D> {
    /// Of a pooling whose windows lay side by side.
    #[track_caller]
    pub fn new(kernel_size: impl Into<Lengths<D>>) -> Self {
        Self::with(kernel_size, |o| o)
    }

    /// With options: `stride`, `padding`.
    #[track_caller]
    pub fn with(
        kernel_size: impl Into<Lengths<D>>,
        options: impl FnOnce(UnpoolOptions<D>) -> UnpoolOptions<D>,
    ) -> Self {
        const { assert!(D >= 1 && D <= 3, "pooling has one to three dimensions") };
        let options = options(UnpoolOptions::default());
        MaxUnpool { kernel_size: kernel_size.into(), options, state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        ["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"][D - 1]
    }

    fn extra_repr(&self) -> String {
        let (k, o) = (self.kernel_size, &self.options);
        let stride = o.stride.unwrap_or(k);
        format!("kernel_size={}, stride={}, padding={}", k.tuple(), stride.tuple(), o.padding.tuple())
    }

    /// [`MaxUnpool::call`] with the result's spatial lengths, or its whole shape: `unpool(x, indices, output_size)`. Several inputs
    /// of a pooling have results of one size; without it the smallest is assumed.
    ///
    /// # Panics
    /// When a pooling of that size does not give `x`'s.
    #[track_caller]
    pub fn call_to(&self, x: impl Arg<Tensor>, indices: impl Arg<Tensor>, output_size: impl IntoDims) -> Tensor {
        let size = output_size.into_dims();
        Forward::<(Tensor, Tensor, Vec<i64>), Tensor>::call_ref(self, (x.arg(), indices.arg(), &size[..]))
    }

    #[track_caller]
    fn unpool(&self, x: &Tensor, indices: &Tensor, output_size: Option<&[i64]>) -> Tensor {
        let signed = |lengths: Lengths<D>| lengths.each().map(|n| n as i64);
        let stride = self.options.stride.unwrap_or(self.kernel_size);
        let mut options = MaxUnpoolOptions::default().stride(stride.each()).padding(self.options.padding.each());
        options.output_size = output_size.map(Into::into);
        let unpool = [ops::max_unpool1d, ops::max_unpool2d, ops::max_unpool3d][D - 1];
        unpool(x, indices, &signed(self.kernel_size), &options).or_panic()
    }
}

#[forward]
impl<const D: usize> MaxUnpool<D> {
    #[track_caller]
    fn forward(&self, x: &Tensor, indices: &Tensor) -> Tensor {
        self.unpool(x, indices, None)
    }
}

impl<const D: usize> Forward<(Tensor, Tensor, Vec<i64>), Tensor> for MaxUnpool<D> {
    #[track_caller]
    fn forward(&self, (x, indices, output_size): (&Tensor, &Tensor, &[i64])) -> Tensor {
        self.unpool(x, indices, Some(output_size))
    }
}
