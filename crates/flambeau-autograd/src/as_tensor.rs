//! What can stand where a tensor is asked for.

use crate::Tensor;
use flambeau_tensor::random::AsRngState;
use std::borrow::Cow;
use std::sync::Arc;

/// Whatever is a tensor: [`Tensor`], a parameter or a buffer of a module, and references and pointers to them. Arguments of
/// this trait take `x` and `&x` alike, so that results can be passed on without a `&`.
///
/// ```
/// use flambeau_autograd::{AsTensor, Tensor, ones};
/// fn total(x: impl AsTensor) -> f64 {
///     x.as_tensor().sum().item()
/// }
/// let x = ones([3]);
/// assert_eq!((total(&x), total(&&x), total(x.neg())), (3.0, 3.0, -3.0));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tensor",
    label = "expected `Tensor`, `&Tensor`, `Parameter` or `&Parameter`",
    note = "a number becomes a tensor with `torch::tensor(…)`; an `Option` needs `.as_ref().unwrap()`"
)]
pub trait AsTensor {
    /// The tensor itself.
    fn as_tensor(&self) -> &Tensor;
}

impl AsTensor for Tensor {
    #[inline]
    fn as_tensor(&self) -> &Tensor {
        self
    }
}

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<T: AsTensor + ?Sized> AsTensor for $pointer {
            #[inline]
            fn as_tensor(&self) -> &Tensor {
                (**self).as_tensor()
            }
        }
    )*};
}
pointers!(&T, &mut T, Box<T>, Arc<T>);

/// A tensor of bytes, as PyTorch has the state of a generator.
///
/// # Panics
/// When the dtype is another.
impl AsRngState for Tensor {
    #[track_caller]
    fn as_rng_state(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.to_vec::<u8>())
    }
}
