//! Copies between views, with conversion.

use flambeau_tensor::calls::{CopyTo, Map};
use flambeau_tensor::pointwise::IDENTITY;
use flambeau_tensor::{Array, Result};

/// [`flambeau_tensor::Backend::copy`] on this device.
pub(crate) fn copy(call: &CopyTo<'_>) -> Result<()> {
    between(call.src, call.out)
}

/// out = src, between any strides, converting the dtype.
pub(crate) fn between(src: &Array, out: &Array) -> Result<()> {
    crate::pointwise::pointwise(&Map {
        program: &IDENTITY,
        compute: out.dtype(),
        inputs: &[src],
        scalars: &[],
        outs: &[out],
    })
}
