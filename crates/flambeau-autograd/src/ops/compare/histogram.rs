//! Counts of numbers by where they lie.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::{aminmax, bincount, clamp_max, div, flatten, ge, le, logical_and, masked_select, mul, sub, to_dtype};
use flambeau_macros::op;
use flambeau_tensor::print::cpp_double;
use flambeau_tensor::{DType, Scalar};

/// How many elements lie in each of `bins` equal parts of the numbers from `min` to `max`, as floats: `torch.histc`. The last part
/// holds `max` itself; elements outside are not counted. Where both ends are equal, as PyTorch's defaults of 0 are, they are the
/// smallest and the largest element. PyTorch's default for `bins` is 100.
///
/// # Errors
/// For integers and bools, without bins, and where the ends are not finite or out of order.
///
/// ```
/// let x = torch::tensor([1.0, 2.0, 1.0, 9.0]);
/// assert_eq!(x.histc(4, 0, 3).to_vec::<f32>(), [0.0, 2.0, 1.0, 0.0]);
/// ```
#[op(torch, method, not_differentiable, positional, default(bins = 100, min = 0.0, max = 0.0))]
pub fn histc(x: &Tensor, bins: i64, min: f64, max: f64) -> Result<Tensor> {
    if bins <= 0 {
        return Err(Error::runtime(format!("torch.histogram(): bins must be > 0, but got {bins} for dimension 0")));
    }
    let dtype = x.dtype();
    if !x.is_floating_point() {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "histogram_cpu", dtype }.into());
    }
    let x = flatten(&x.detach(), 0, -1)?;
    let rounded = |v: f64| Scalar::Float(v).cast(dtype).to_f64();
    let (mut min, mut max) = (rounded(min), rounded(max));
    if min == max && x.numel() > 0 {
        let (low, high) = aminmax(&x, None, false)?;
        (min, max) = (low.array().item()?.to_f64(), high.array().item()?.to_f64());
    }
    if !(min.is_finite() && max.is_finite()) {
        let (min, max) = (cpp_double(min), cpp_double(max));
        return Err(Error::runtime(format!("torch.histc: range of [{min}, {max}] is not finite")));
    }
    if min == max {
        (min, max) = (rounded(min - 1.0), rounded(max + 1.0));
    }
    if min > max {
        return Err(Error::runtime("torch.histc: max must be larger than min"));
    }
    let inside = masked_select(&x, &logical_and(&ge(&x, min)?, &le(&x, max)?)?)?;
    let place = div(&mul(&sub(&inside, min, 1)?, bins)?, rounded(max - min))?;
    // The upper end belongs to the last part.
    let place = clamp_max(&to_dtype(&place, DType::I64)?, bins - 1)?;
    to_dtype(&bincount(&place, None, bins)?, dtype)
}
