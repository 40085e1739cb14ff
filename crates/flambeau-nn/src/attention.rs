//! `torch.nn.attention`: which implementation `scaled_dot_product_attention` takes. There is one for each device here, with the
//! same digits for every choice, so that all are accepted.

use std::marker::PhantomData;

/// The implementations that PyTorch has: `torch.nn.attention.SDPBackend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "PyTorch's names")]
#[non_exhaustive]
pub enum SDPBackend {
    /// None that PyTorch could name.
    ERROR = -1,
    /// Products and a softmax.
    MATH = 0,
    /// Flash attention.
    FLASH_ATTENTION = 1,
    /// Memory-efficient attention.
    EFFICIENT_ATTENTION = 2,
    /// cuDNN's.
    CUDNN_ATTENTION = 3,
    /// That of another device.
    OVERRIDEABLE = 4,
}

/// One backend, or several.
pub trait IntoBackends {
    /// The backends in order.
    fn into_backends(self) -> Vec<SDPBackend>;
}

impl IntoBackends for SDPBackend {
    fn into_backends(self) -> Vec<SDPBackend> {
        vec![self]
    }
}

impl IntoBackends for &[SDPBackend] {
    fn into_backends(self) -> Vec<SDPBackend> {
        self.to_vec()
    }
}

impl IntoBackends for Vec<SDPBackend> {
    fn into_backends(self) -> Vec<SDPBackend> {
        self
    }
}

impl<const N: usize> IntoBackends for [SDPBackend; N] {
    fn into_backends(self) -> Vec<SDPBackend> {
        self.to_vec()
    }
}

/// What [`sdpa_kernel`] returns: Python's `with` ends where it is dropped.
#[must_use = "the choice ends where this is dropped"]
pub struct SdpaKernelGuard(PhantomData<*const ()>);

/// `torch.nn.attention.sdpa_kernel(backends)`: the implementations that attention may take. All compute the same here.
///
/// ```
/// use flambeau_autograd::randn;
/// use flambeau_nn::attention::{SDPBackend, sdpa_kernel};
/// use flambeau_nn::functional as F;
/// let x = randn([1, 2, 3, 4]);
/// let _kernel = sdpa_kernel([SDPBackend::FLASH_ATTENTION, SDPBackend::MATH]);
/// assert_eq!(F::scaled_dot_product_attention(&x, &x, &x).size(), [1, 2, 3, 4]);
/// ```
///
/// # Panics
/// When there is none.
#[track_caller]
pub fn sdpa_kernel(backends: impl IntoBackends) -> SdpaKernelGuard {
    assert!(!backends.into_backends().is_empty(), "No viable backend for scaled_dot_product_attention was found.");
    SdpaKernelGuard(PhantomData)
}
