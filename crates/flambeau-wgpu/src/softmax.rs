//! softmax and its logarithm along a dimension, and their gradients.

use crate::gpu::{Arg, Gpu};
use crate::lines::Lines;
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::calls::{Softmax, SoftmaxBackward};
use flambeau_tensor::{Array, Error, Result};

/// [`flambeau_tensor::Backend::softmax`] on this device. A line that holds NaN or +∞, or only −∞, gives NaN.
///
/// # Errors
/// Where the dtype is no float.
pub fn softmax(call: &Softmax<'_>) -> Result<()> {
    let Softmax { src, dim, log, out } = *call;
    if !src.dtype().is_floating_point() {
        let op = if log { "log_softmax_kernel_impl" } else { "softmax_kernel_impl" };
        return Err(Error::NotImplementedFor { op, dtype: src.dtype() });
    }
    let src = src.contiguous()?;
    let lines = Lines::new(&src, dim);
    let place = lines.place();
    let kernel = place.of(Kernel::new("softmax", src.dtype()).with("LOG", log));
    let params = |p: &mut Params| {
        lines.params(p).offsets([("x", &src), ("y", out)]);
    };
    Gpu::of(out)?.dispatch(&kernel, &[Arg::In(&src), Arg::Out(out)], &params, place.groups(lines.count))?;
    Ok(())
}

/// [`flambeau_tensor::Backend::softmax_backward`] on this device.
pub fn softmax_backward(call: &SoftmaxBackward<'_>) -> Result<Array> {
    let SoftmaxBackward { grad, y, dim, log } = *call;
    let (grad, y) = (grad.contiguous()?, y.contiguous()?);
    let out = Array::empty(y.backend(), y.device(), y.shape(), y.dtype())?;
    let lines = Lines::new(&y, dim);
    let place = lines.place();
    let kernel = place.of(Kernel::new("softmax_backward", y.dtype()).with("LOG", log));
    let params = |p: &mut Params| {
        lines.params(p).offsets([("grad", &grad), ("y", &y), ("dx", &out)]);
    };
    let args = [Arg::In(&grad), Arg::In(&y), Arg::Out(&out)];
    Gpu::of(&out)?.dispatch(&kernel, &args, &params, place.groups(lines.count))?;
    Ok(out)
}
