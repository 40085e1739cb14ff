//! Fractional max pooling: windows whose steps are drawn at random (arXiv 1412.6071).

use super::adaptive::first_largest;
use super::max::{Picked, record_max};
use super::{fresh, with_spatial};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::make::scalars_on;
use crate::ops::nn::window::{Sizes, per_dim};
use crate::ops::{Scales, arange, map, rand, to_dtype, to_i64};
use crate::{is_grad_enabled, no_grad, ops, options};
use flambeau_macros::op;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::ops::gather;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::SmallVec;
use std::sync::LazyLock;

options! {
    /// Options of `F::fractional_max_pool2d` and `F::fractional_max_pool3d`, of which `output_size` or `output_ratio` must be given.
    #[derive(Clone)]
    FractionalMaxPoolOptions {
        /// The result's spatial lengths, one for all or one per dimension.
        output_size: Option<Sizes> = None,
        /// The result's lengths over the input's, one for all or one per dimension, between 0 and 1.
        output_ratio: Option<Scales> = None,
        /// Where the windows of each plane start, in `[0, 1)`: `[n, channels, spatial dimensions]` (drawn uniformly).
        _random_samples: Option<Tensor> = None,
    }
}

/// The largest value of windows of `kernel_size` over `[n, c, h, w]` or `[c, h, w]` whose steps are drawn at random such that
/// `output_size` of them cover the input: `F.fractional_max_pool2d`. Options: `output_size` or `output_ratio`, and
/// `_random_samples`. NaN wins.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::randn([2, 3, 7, 6]);
/// assert_eq!(F::fractional_max_pool2d(&x, 2, |o| o.output_size((3, 4))).size(), [2, 3, 3, 4]);
/// assert_eq!(F::fractional_max_pool2d(&x, [2, 3], |o| o.output_ratio(0.5)).size(), [2, 3, 3, 3]);
/// ```
///
/// # Errors
/// Without a size, and when windows or samples do not fit.
#[op(functional, cast_cpu = Float32, forms(
    fractional_max_pool2d(kernel_size: &[i64], options: FractionalMaxPoolOptions) = (kernel_size, options),
))]
pub fn fractional_max_pool2d(x: &Tensor, kernel_size: &[i64], options: &FractionalMaxPoolOptions) -> Result<Tensor> {
    Ok(fractional(x, kernel_size, options, 2)?.0)
}

/// [`fractional_max_pool2d`] and the flat index (int64) of each value within its plane:
/// `F.fractional_max_pool2d(…, return_indices=True)`. The first of equal values wins.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 3.0], [7.0, 5.0]]]);
/// let (y, indices) = F::fractional_max_pool2d_with_indices(&x, 1, |o| o.output_size(2));
/// assert_eq!((y.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![1.0, 3.0, 7.0, 5.0], vec![0, 1, 2, 3]));
/// ```
#[op(functional, cast_cpu = Float32, forms(
    fractional_max_pool2d_with_indices(kernel_size: &[i64], options: FractionalMaxPoolOptions) = (kernel_size, options),
))]
pub fn fractional_max_pool2d_with_indices(
    x: &Tensor,
    kernel_size: &[i64],
    options: &FractionalMaxPoolOptions,
) -> Result<(Tensor, Tensor)> {
    fractional(x, kernel_size, options, 2)
}

/// [`fractional_max_pool2d`] over depth, height and width, of `[n, c, d, h, w]` or `[c, d, h, w]`: `F.fractional_max_pool3d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::randn([3, 6, 7, 8]);
/// assert_eq!(F::fractional_max_pool3d(&x, 2, |o| o.output_size(4)).size(), [3, 4, 4, 4]);
/// ```
#[op(functional, cast_cpu = Float32, forms(
    fractional_max_pool3d(kernel_size: &[i64], options: FractionalMaxPoolOptions) = (kernel_size, options),
))]
pub fn fractional_max_pool3d(x: &Tensor, kernel_size: &[i64], options: &FractionalMaxPoolOptions) -> Result<Tensor> {
    Ok(fractional(x, kernel_size, options, 3)?.0)
}

/// [`fractional_max_pool3d`] and the flat index (int64) of each value within its volume:
/// `F.fractional_max_pool3d(…, return_indices=True)`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::arange(8).float().view([1, 2, 2, 2]);
/// let (y, indices) = F::fractional_max_pool3d_with_indices(&x, [1, 1, 1], |o| o.output_size(1));
/// assert_eq!((y.item(), indices.item_as::<i64>()), (7.0, 7));
/// ```
#[op(functional, cast_cpu = Float32, forms(
    fractional_max_pool3d_with_indices(kernel_size: &[i64], options: FractionalMaxPoolOptions) = (kernel_size, options),
))]
pub fn fractional_max_pool3d_with_indices(
    x: &Tensor,
    kernel_size: &[i64],
    options: &FractionalMaxPoolOptions,
) -> Result<(Tensor, Tensor)> {
    fractional(x, kernel_size, options, 3)
}

/// i, s: where the i-th window starts: ⌊(i + s)·α⌋ − ⌊s·α⌋, the last one at the end.
static STARTS: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (i, s, alpha, last, end) = (b.input(0), b.input(1), b.scalar(0), b.scalar(1), b.scalar(2));
        let place = ((i + s).rounded() * alpha).rounded().trunc() - (s * alpha).rounded().trunc();
        i.eq(last).select(end, place)
    })
});

/// The geometry of a call, checked in PyTorch's order and words.
struct Call {
    kernel: Sizes,
    to: SmallVec<[usize; 3]>,
    samples: Tensor,
}

fn fractional(x: &Tensor, kernel: &[i64], options: &FractionalMaxPoolOptions, ndim: usize) -> Result<(Tensor, Tensor)> {
    let call = check(x, kernel, options, ndim)?;
    let shape = x.size();
    let out_shape = with_spatial(&shape, &call.to);
    let name = ["FractionalMaxPool2DBackward0", "FractionalMaxPool3DBackward0"][ndim - 2];
    let picked = Picked { ndim, windows: None };
    let array = x.array();
    let spatial = &shape[shape.len() - ndim..];
    let outer: usize = shape[..shape.len() - ndim].iter().product();
    let (count, members) = (call.to.iter().product::<usize>(), call.kernel.iter().product::<i64>());
    if outer * count == 0 {
        let (values, indices) = (fresh(x, &out_shape, x.dtype())?, fresh(x, &out_shape, DType::I64)?);
        return Ok(record_max(name, x, values, indices, picked));
    }
    let at = positions(&call, spatial, outer)?;
    let lines = array.contiguous()?.view(&[outer as i64, spatial.iter().product::<usize>() as i64])?;
    let candidates = gather(&lines, 1, &at.view(&[outer as i64, count as i64 * members])?)?;
    let (values, winners) = first_largest(&candidates.view(&[outer as i64, count as i64, members])?)?;
    let indices = gather(&at, 2, &winners)?;
    let to = to_i64(&out_shape);
    Ok(record_max(name, x, values.view(&to)?, indices.view(&to)?, picked))
}

/// The flat positions of each window's elements, `[planes, windows, members]`.
fn positions(call: &Call, spatial: &[usize], outer: usize) -> Result<Array> {
    let _guard = no_grad();
    let ndim = spatial.len();
    let (dtype, device) = (call.samples.dtype(), call.samples.device());
    let samples = ops::reshape(&call.samples, &[-1, ndim as i64])?;
    let samples = ops::narrow(&samples, 0, 0, outer as i64)?;
    let mut windows: Option<Tensor> = None;
    let mut members = vec![0i64];
    for (d, &n) in spatial.iter().enumerate() {
        let (n, k, o) = (n as i64, call.kernel[d], call.to[d] as i64);
        // Of planes the first sample is the width's.
        let sample = ops::narrow(&samples, 1, if ndim == 2 { 1 - d as i64 } else { d as i64 }, 1)?;
        let alpha = Scalar::Float(if o > 1 { (n - k) as f64 / (o - 1) as f64 } else { 0.0 }).cast(dtype);
        let scalars = [alpha, Scalar::Int(o - 1), Scalar::Int(n - k)];
        let i = arange(Scalar::Int(0), Scalar::Int(o), Scalar::Int(1), Some(DType::I64), device)?;
        let starts = map("", &STARTS, &[&to_dtype(&i, dtype)?, &sample], &scalars)?;
        let starts = to_dtype(&starts, DType::I64)?;
        windows = Some(match windows {
            None => starts,
            Some(before) => {
                let wide = ops::mul(&ops::unsqueeze(&before, -1)?, n)?;
                ops::reshape(&ops::add(&wide, &ops::unsqueeze(&starts, 1)?, 1)?, &[outer as i64, -1])?
            }
        });
        members = members.iter().flat_map(|&p| (0..k).map(move |j| p * n + j)).collect();
    }
    let windows = windows.expect("two or three dimensions");
    let members: Vec<Scalar> = members.into_iter().map(Scalar::Int).collect();
    let members = scalars_on(&members, &[members.len()], DType::I64, device)?;
    Ok(ops::add(&ops::unsqueeze(&windows, -1)?, &members, 1)?.array().clone())
}

fn check(x: &Tensor, kernel: &[i64], options: &FractionalMaxPoolOptions, ndim: usize) -> Result<Call> {
    let name = ["fractional_max_pool2d", "fractional_max_pool3d"][ndim - 2];
    let kinds = ["a single Int or tuple of Ints", "a single Int or tuple of three Ints"][ndim - 2];
    let size_of = |d: i64| Ok::<usize, Error>(x.size()[wrap_dim(d, x.dim())?]);
    let size = match (&options.output_size, &options.output_ratio) {
        (Some(size), _) => size.clone(),
        (None, None) => {
            return Err(Error::value(format!("{name} requires specifying either an output_size or an output_ratio")));
        }
        (None, Some(ratio)) if ratio.len() != 1 && ratio.len() != ndim => {
            return Err(Error::value(format!("{name} requires output_ratio to either be {kinds}.")));
        }
        (None, Some(ratio)) => (0..ndim)
            .map(|d| Ok((size_of(d as i64 - ndim as i64)? as f64 * ratio[d.min(ratio.len() - 1)]) as i64))
            .collect::<Result<_>>()?,
    };
    let samples = match &options._random_samples {
        Some(samples) if samples.requires_grad() && is_grad_enabled() => {
            return Err(Error::runtime(format!(
                "The function '{name}' is not differentiable with respect to argument 'random_samples'. This input cannot have \
                 requires_grad True."
            )));
        }
        Some(samples) => samples.detach(),
        None => {
            let batch = if x.dim() == ndim + 1 { 1 } else { size_of(0)? };
            rand(&[batch, size_of(-1 - ndim as i64)?, ndim], x.dtype(), x.device(), None)?
        }
    };
    let list = |what: &str, sizes: &[i64]| per_dim(sizes, ndim, || format!("{name}: {what} must either be {kinds}"));
    let (kernel, size) = (list("kernel_size", kernel)?, list("output_size", &size)?);
    if kernel.iter().any(|&k| k <= 0) {
        let kernel: Vec<String> = kernel.iter().map(i64::to_string).collect();
        return Err(Error::runtime(format!(
            "{name}(): kernel size should be greater than zero, but got {}",
            kernel.join("x")
        )));
    }
    let shape = x.size();
    let whole = if ndim == 2 { name.to_owned() } else { format!("{name}_out") };
    if shape.len() != ndim + 1 && shape.len() != ndim + 2 {
        return Err(Error::runtime(format!(
            "{whole}(): Expected {}D or {}D tensor, but got: {:?}",
            ndim + 1,
            ndim + 2,
            &shape[..]
        )));
    }
    let first = shape.len() - ndim - 1;
    if let Some(d) = shape[first..].iter().position(|&n| n == 0) {
        return Err(Error::runtime(format!(
            "{whole}(): Expected input to have non-zero size for non-batch dimensions, but got{:?} with dimension {} being \
             empty.",
            &shape[..],
            d + first
        )));
    }
    let spatial = &shape[shape.len() - ndim..];
    let names = &["time", "height", "width"][3 - ndim..];
    let order: &[usize] = if ndim == 2 { &[0, 1] } else { &[0, 2, 1] };
    for &d in order {
        let what = names[d];
        // Volumes must be larger than planes by one.
        if size[d] + kernel[d] + ndim as i64 - 3 > spatial[d] as i64 {
            return Err(Error::runtime(format!(
                "{whole}(): pool {what} {} too large relative to input {what} {}",
                kernel[d], spatial[d]
            )));
        }
    }
    if let Some(n) = size.iter().find(|&&n| n < 0) {
        let outer = shape[..shape.len() - ndim].iter().map(|&n| n as i64);
        let all: Vec<i64> = outer.chain(size.iter().copied()).collect();
        return Err(Error::runtime(format!("Trying to create tensor with negative dimension {n}: {all:?}")));
    }
    check_samples(x, &samples, ndim)?;
    if !x.is_floating_point() {
        let op = ["fractional_max_pool2d_out_frame", "fractional_max_pool3d_out_frame"][ndim - 2];
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: x.dtype() }.into());
    }
    Ok(Call { kernel, to: size.iter().map(|&n| n as usize).collect(), samples })
}

fn check_samples(x: &Tensor, samples: &Tensor, ndim: usize) -> Result<()> {
    let refuse = |message: String| Err(Error::runtime(message));
    if samples.dtype() != x.dtype() {
        return refuse("Expect _random_samples to have the same dtype as input".to_owned());
    }
    let shape = samples.size();
    let &[n, c, d] = &shape[..] else {
        return refuse(format!("Expect _random_samples to have 3 dimensions, got {}", shape.len()));
    };
    let own = x.size();
    let (batch, channels) = if own.len() == ndim + 1 { (1, own[0]) } else { (own[0], own[1]) };
    if n < batch {
        return refuse("Expect _random_samples.size(0) no less then input batch size.".to_owned());
    }
    if c != channels {
        return refuse("Expect _random_samples.size(1) equals to input channel size.".to_owned());
    }
    if d != ndim {
        return refuse(format!("Expect _random_samples.size(2) equals to {ndim}; got {d}."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GradCheckOptions, arange, gradcheck, gradgradcheck};

    #[test]
    fn it_is_differentiable_twice() {
        let x = arange(40.0).double().mul(7).remainder(41).view([2, 1, 5, 4]).requires_grad_(true);
        let samples = arange(4.0).double().div(5.0).view([2, 1, 2]);
        let f = |x: &[Tensor]| -> Result<Vec<Tensor>> {
            let options = FractionalMaxPoolOptions::default().output_size((3, 2))._random_samples(&samples);
            Ok(vec![fractional_max_pool2d(&x[0], &[2], &options)?.square()])
        };
        gradcheck(&f, &[x.shallow_clone()], GradCheckOptions::default()).unwrap();
        gradgradcheck(&f, &[x], GradCheckOptions::default()).unwrap();
    }
}
