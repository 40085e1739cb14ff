//! The index of the largest or smallest value along a dimension.

use crate::gpu::{Arg, Gpu};
use crate::lines::{Lines, key_dtype};
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::backend::Extremum;
use flambeau_tensor::calls::ArgReduce;
use flambeau_tensor::{Array, Result};

/// [`flambeau_tensor::Backend::arg_reduce`] on this device.
pub fn arg_reduce(call: &ArgReduce<'_>) -> Result<()> {
    let ArgReduce { which, src, dim, values, indices } = *call;
    let src = src.contiguous()?;
    let values = match values {
        Some(values) => values.clone(),
        None => Array::empty(src.backend(), src.device(), indices.shape(), src.dtype())?,
    };
    let lines = Lines::new(&src, dim);
    let place = lines.place();
    let kernel = Kernel::new("arg_reduce", src.dtype()).with_type("K", key_dtype(src.dtype()));
    let kernel = place.of(kernel.with("MIN", which == Extremum::Min));
    let params = |p: &mut Params| {
        lines.params(p).offsets([("x", &src), ("values", &values), ("indices", indices)]);
    };
    let args = [Arg::In(&src), Arg::Out(&values), Arg::Out(indices)];
    Gpu::of(indices)?.dispatch(&kernel, &args, &params, place.groups(lines.count))?;
    Ok(())
}
