//! Copies between views, with conversion.

use flambeau_tensor::pointwise::IDENTITY;
use flambeau_tensor::{Array, Result};

/// out = src, between any strides, converting the dtype; see [`flambeau_tensor::Backend::copy`].
pub(crate) fn copy(src: &Array, out: &Array) -> Result<()> {
    crate::pointwise::pointwise(&IDENTITY, out.dtype(), &[src], &[], &[out])
}
