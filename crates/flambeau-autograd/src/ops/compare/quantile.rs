//! Quantiles.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::make::scalars_on;
use crate::ops::index::lines::tensor_or_number;
use crate::ops::shape::view::named_squeeze;
use crate::ops::{
    Operand, any, bitwise_not, ceil, floor, full_like, gather, isnan, lerp, masked_fill, mul, reshape, round, sort,
    sub, sum, to_dtype, to_i64, transpose, unsqueeze,
};
use flambeau_macros::op;
use flambeau_tensor::DType;
use flambeau_tensor::dims::wrap_dim;

/// The quantiles of a vector or along a dimension, as `at::native::quantile_impl` finds them.
fn find(
    x: &Tensor,
    q: &Operand<'_>,
    dim: Option<i64>,
    keepdim: bool,
    interpolation: &str,
    ignore_nan: bool,
) -> Result<Tensor> {
    let number = match tensor_or_number(q) {
        Ok(_) => None,
        Err(s) => Some(s.to_f64()),
    };
    if let Some(q) = number.filter(|q| !(0.0..=1.0).contains(q)) {
        let q = flambeau_tensor::print::cpp_double(q);
        return Err(Error::runtime(format!("quantile() q must be in the range [0, 1] but got {q}")));
    }
    let d = dim.map(|d| wrap_dim(d, x.dim())).transpose()?;
    if x.numel() == 0 {
        return Err(Error::runtime("quantile() input tensor must be non-empty"));
    }
    let owned;
    let q = match tensor_or_number(q) {
        Ok(q) => q,
        Err(s) => {
            owned = scalars_on(&[s], &[], if x.is_floating_point() { x.dtype() } else { DType::F32 }, x.device())?;
            &owned
        }
    };
    if q.dim() > 1 {
        return Err(Error::runtime("quantile() q must be a scalar or 1D tensor"));
    }
    if !matches!(x.dtype(), DType::F32 | DType::F64) {
        return Err(Error::runtime("quantile() input tensor must be either float or double dtype"));
    }
    if q.dtype() != x.dtype() {
        return Err(Error::runtime("quantile() q tensor must be same dtype as the input tensor"));
    }
    if !["linear", "lower", "higher", "midpoint", "nearest"].contains(&interpolation) {
        return Err(Error::runtime(format!(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )));
    }
    let within = |x: &Tensor| -> Result<bool> {
        Ok(x.array().to_dtype(DType::F64)?.to_vec::<f64>()?.iter().all(|q| (0.0..=1.0).contains(q)))
    };
    if number.is_none() && q.device().is_host() && !within(q)? {
        return Err(Error::runtime("quantile() q values must be in the range [0, 1]"));
    }
    let mut shape = to_i64(&x.size());
    match d {
        Some(d) if x.dim() > 0 && keepdim => shape[d] = 1,
        Some(d) if x.dim() > 0 => drop(shape.remove(d)),
        Some(_) => {}
        None if keepdim => shape.iter_mut().for_each(|n| *n = 1),
        None => shape.clear(),
    }
    // Sorted along the last dimension, which the quantiles take the place of.
    let lines = match d {
        None => reshape(x, &[-1])?,
        Some(d) if d + 1 == x.dim() => x.shallow_clone(),
        Some(d) => transpose(&unsqueeze(x, -1)?, d as i64, -1)?,
    };
    let sorted = sort(&lines, -1, false, None)?.0;
    let column = reshape(q, &[-1])?;
    let last = sorted.size().last().map_or(0, |&n| n as i64 - 1);
    let ranks = match ignore_nan {
        true => {
            let count = sum(&bitwise_not(&isnan(&sorted)?)?, &[-1], true, None)?;
            let ranks = mul(&column, &sub(&count, 1, 1)?)?;
            // NaN stays where all numbers are NaN: −0 does too.
            masked_fill(&ranks, &crate::ops::lt(&ranks, 0)?, 0)?
        }
        false => {
            let has_nan = any(&isnan(&sorted)?, Some(&[-1]), true)?;
            let ranks = mul(&column, last)?;
            let ranks = crate::ops::expand(&ranks, &{
                let mut size = to_i64(&sorted.size());
                if let Some(n) = size.last_mut() {
                    *n = column.numel() as i64;
                }
                size
            })?;
            masked_fill(&ranks, &has_nan, last)?
        }
    };
    let ranks = match interpolation {
        "lower" => floor(&ranks)?,
        "higher" => ceil(&ranks)?,
        "nearest" => round(&ranks)?,
        _ => ranks,
    };
    let below = to_dtype(&ranks, DType::I64)?;
    let mut values = gather(&sorted, -1, &below)?;
    if matches!(interpolation, "linear" | "midpoint") {
        let weights = match interpolation {
            "midpoint" => full_like(&ranks, 0.5, None, None)?,
            _ => sub(&ranks, &below, 1)?,
        };
        let above = gather(&sorted, -1, &to_dtype(&ceil(&ranks)?, DType::I64)?)?;
        values = lerp(&values, &above, &weights)?;
    }
    if q.dim() > 0 {
        shape.insert(0, q.numel() as i64);
        values = transpose(&unsqueeze(&values, 0)?, 0, -1)?;
    }
    named_squeeze("SqueezeBackward4", &values, &shape)
}

/// The quantiles q of the elements, or along a dimension (`quantile_dim`): `torch.quantile`. The quantile 0.5 is the median. q is
/// a number, or a tensor of several, whose quantiles stand along a new first dimension. Between two elements the result is
/// interpolated; `interpolation` may be `"lower"`, `"higher"`, `"midpoint"` or `"nearest"` in place of `"linear"`. NaN if there is one.
///
/// # Errors
/// For q outside [0, 1] or of another dtype, and inputs that are not float32 or float64.
///
/// ```
/// let x = torch::tensor([4.0, 1.0, 3.0, 2.0]);
/// assert_eq!(x.quantile(0.5).item(), 2.5);
/// assert_eq!(x.quantile(&torch::tensor([0.0, 1.0])).to_vec::<f32>(), [1.0, 4.0]);
/// assert_eq!(x.quantile_with(0.5, |o| o.dim(0).interpolation("lower")).item(), 2.0);
/// ```
#[op(torch, method, cast_cpu = Float32, forms(
    quantile(q: impl Into<Operand<'a>>) = (q, None, false, "linear"),
    quantile_dim(q: impl Into<Operand<'a>>, dim: Option<i64>, keepdim: bool) = (q, dim, keepdim, "linear"),
))]
pub fn quantile<'a>(
    x: &Tensor,
    q: impl Into<Operand<'a>>,
    dim: Option<i64>,
    keepdim: bool,
    interpolation: &str,
) -> Result<Tensor> {
    find(x, &q.into(), dim, keepdim, interpolation, false)
}

/// [`quantile`] of the elements that are not NaN: `torch.nanquantile`. NaN where there are no others.
///
/// # Errors
/// Those of [`quantile`].
///
/// ```
/// let x = torch::tensor([f64::NAN, 1.0, 3.0]);
/// assert_eq!(x.nanquantile(0.5).item(), 2.0);
/// ```
#[op(torch, method, cast_cpu = Float32, forms(
    nanquantile(q: impl Into<Operand<'a>>) = (q, None, false, "linear"),
    nanquantile_dim(q: impl Into<Operand<'a>>, dim: Option<i64>, keepdim: bool) = (q, dim, keepdim, "linear"),
))]
pub fn nanquantile<'a>(
    x: &Tensor,
    q: impl Into<Operand<'a>>,
    dim: Option<i64>,
    keepdim: bool,
    interpolation: &str,
) -> Result<Tensor> {
    find(x, &q.into(), dim, keepdim, interpolation, true)
}
