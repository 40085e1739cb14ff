//! Adaptive pooling: windows that tile the input to a given number of outputs.

use super::max::{Picked, record_max};
use super::window::empty_dim;
use super::{average, fresh, planes, with_spatial};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::nn::loss::elementwise::any_element;
use crate::ops::{mean, squeeze, to_i64, unsqueeze};
use flambeau_macros::op;
use flambeau_tensor::backend::{Extremum, PoolGeometry};
use flambeau_tensor::calls::{AdaptiveAvgPool, AdaptiveAvgPoolBackward, PrimitiveCall};
use flambeau_tensor::ops::{arg_reduce, fill, gather, index_select, pointwise};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

type Lengths = SmallVec<[usize; 3]>;

/// The mean of each of `output_size` windows that tile `[n, c, l]` or `[c, l]`, window i of o from ⌊i·l/o⌋ to ⌈(i+1)·l/o⌉:
/// `F.adaptive_avg_pool1d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 3.0, 5.0, 7.0]]);
/// assert_eq!(F::adaptive_avg_pool1d(&x, 2).to_vec::<f32>(), [2.0, 6.0]);
/// ```
///
/// # Errors
/// When the sizes do not fit.
#[op(torch, functional)]
pub fn adaptive_avg_pool1d(x: &Tensor, output_size: &[Option<i64>]) -> Result<Tensor> {
    check_1d(x, "adaptive_avg_pool1d", output_size)?;
    let out = adaptive_avg_pool2d(&unsqueeze(x, -2)?, &[Some(1), output_size[0]])?;
    squeeze(&out, Some(&[-2]))
}

/// [`adaptive_avg_pool1d`] over height and width; `None` keeps a length: `F.adaptive_avg_pool2d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::ones([1, 3, 8, 10]);
/// assert_eq!(F::adaptive_avg_pool2d(&x, 4).size(), [1, 3, 4, 4]);
/// assert_eq!(F::adaptive_avg_pool2d(&x, [Some(2), None]).size(), [1, 3, 2, 10]);
/// ```
#[op(functional)]
pub fn adaptive_avg_pool2d(x: &Tensor, output_size: &[Option<i64>]) -> Result<Tensor> {
    adaptive_average(x, output_size, 2, "AdaptiveAvgPool2DBackward0", "adaptive_avg_pool2d")
}

/// [`adaptive_avg_pool1d`] over depth, height and width; `None` keeps a length: `F.adaptive_avg_pool3d`.
///
/// ```
/// use torch::nn::functional as F;
/// let y = F::adaptive_avg_pool3d(&torch::ones([1, 3, 4, 8, 10]), [2, 4, 5]);
/// assert_eq!(y.size(), [1, 3, 2, 4, 5]);
/// ```
#[op(functional, cast_cpu = Float32)]
pub fn adaptive_avg_pool3d(x: &Tensor, output_size: &[Option<i64>]) -> Result<Tensor> {
    adaptive_average(x, output_size, 3, "AdaptiveAvgPool3DBackward0", "adaptive_avg_pool3d")
}

/// [`average::check_1d`] of an output size.
fn check_1d(x: &Tensor, function: &str, output_size: &[Option<i64>]) -> Result<()> {
    let lengths: SmallVec<[i64; 3]> = output_size.iter().map(|n| n.unwrap_or(0)).collect();
    average::check_1d(x, function, [("output_size", &lengths)])
}

fn adaptive_average(
    x: &Tensor,
    output_size: &[Option<i64>],
    ndim: usize,
    name: &'static str,
    function: &'static str,
) -> Result<Tensor> {
    let lengths = wanted_lengths(x, output_size, ndim)?;
    if lengths.len() != ndim {
        return Err(Error::runtime(format!("{function}: output_size must be {ndim}")));
    }
    if lengths.iter().any(|&n| n < 0) {
        let list = match *lengths {
            [a, b, c] => format!("{a}, {b},{c}"),
            _ => lengths.iter().map(i64::to_string).collect::<Vec<_>>().join(", "),
        };
        return Err(Error::runtime(format!(
            "{function}: elements of output_size must be greater than or equal to 0 but received {{{list}}}"
        )));
    }
    if lengths.iter().all(|&n| n == 1) {
        let dims: SmallVec<[i64; 3]> = (1..=ndim as i64).map(|d| -d).collect();
        return mean(x, &dims, true, None);
    }
    let shape = x.size();
    if shape.len() != ndim + 1 && shape.len() != ndim + 2 {
        return Err(wrong_dims(function, "got", ndim, &shape));
    }
    empty_dim(function, "input", &shape, if ndim == 2 { shape.len() - 2 } else { 1 })?;
    if !x.is_floating_point() {
        let op = if ndim == 2 { "adaptive_avg_pool2d" } else { "adaptive_avg_pool3d_cpu" };
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: x.dtype() }.into());
    }
    let lengths: Lengths = lengths.iter().map(|&n| n as usize).collect();
    tiled_means(x, &lengths, name)
}

fn wrong_dims(function: &str, got: &str, ndim: usize, shape: &[usize]) -> Error {
    Error::runtime(format!("{function}(): Expected {}D or {}D tensor, but {got} {shape:?}", ndim + 1, ndim + 2))
}

/// An output size with the input's lengths for `None`, as PyTorch's Python resolves it; one number stands for all.
fn wanted_lengths(x: &Tensor, output_size: &[Option<i64>], ndim: usize) -> Result<SmallVec<[i64; 3]>> {
    let shape = x.size();
    if let [Some(one)] = *output_size {
        return Ok(SmallVec::from_elem(one, ndim));
    }
    let all = match *output_size {
        [None] => &[None; 3][..ndim],
        _ => output_size,
    };
    if shape.len() <= all.len() {
        return Err(Error::value(format!("Input dimension should be at least {}", all.len() + 1)));
    }
    let own = &shape[shape.len() - all.len()..];
    Ok(all.iter().zip(own).map(|(size, &n)| size.unwrap_or(n as i64)).collect())
}

fn tiled_means(x: &Tensor, lengths: &[usize], name: &'static str) -> Result<Tensor> {
    let ndim = lengths.len();
    let out = fresh(x, &with_spatial(&x.size(), lengths), x.dtype())?;
    if out.numel() > 0 {
        let src = planes(&x.array(), ndim)?;
        AdaptiveAvgPool { src: &src, out: &planes(&out, ndim)? }.run()?;
    }
    Ok(record(name, &[x], &[Save::Tensor("self", x)], out, move |c| {
        let spatial: Lengths = c.saved(0)?.size()[c.saved(0)?.dim() - ndim..].into();
        let function = if ndim == 2 { "adaptive_avg_pool2d_backward" } else { "adaptive_avg_pool3d_backward" };
        empty_dim(function, "grad_output", &c.grad(0)?.size(), 1)?;
        Ok(smallvec![Some(tiled_means_transpose(&c.grad(0)?, &spatial, name)?)])
    }))
}

fn tiled_means_transpose(grad: &Tensor, spatial: &[usize], name: &'static str) -> Result<Tensor> {
    let ndim = spatial.len();
    let out = fresh(grad, &with_spatial(&grad.size(), spatial), grad.dtype())?;
    if grad.numel() > 0 {
        let src = planes(&grad.array(), ndim)?;
        AdaptiveAvgPoolBackward { grad: &src, out: &planes(&out, ndim)? }.run()?;
    } else {
        fill(&out, Scalar::Int(0))?;
    }
    let pooled: Lengths = grad.size()[grad.dim() - ndim..].into();
    Ok(record("AdaptiveAvgPoolBackwardBackward0", &[grad], &[], out, move |c| {
        Ok(smallvec![Some(tiled_means(&c.grad(0)?, &pooled, name)?)])
    }))
}

/// The largest value of each of `output_size` windows that tile `[n, c, l]` or `[c, l]`, as in [`adaptive_avg_pool1d`]:
/// `F.adaptive_max_pool1d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 3.0, 7.0, 5.0]]);
/// assert_eq!(F::adaptive_max_pool1d(&x, 2).to_vec::<f32>(), [3.0, 7.0]);
/// ```
///
/// # Errors
/// When the sizes do not fit.
#[op(functional)]
pub fn adaptive_max_pool1d(x: &Tensor, output_size: &[Option<i64>]) -> Result<Tensor> {
    Ok(adaptive_max_pool1d_with_indices(x, output_size)?.0)
}

/// [`adaptive_max_pool1d`] and the index (int64) of each value within its line:
/// `F.adaptive_max_pool1d(…, return_indices=True)`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 3.0, 7.0, 5.0]]);
/// let (y, indices) = F::adaptive_max_pool1d_with_indices(&x, 2);
/// assert_eq!((y.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![3.0, 7.0], vec![1, 2]));
/// ```
#[op(functional)]
pub fn adaptive_max_pool1d_with_indices(x: &Tensor, output_size: &[Option<i64>]) -> Result<(Tensor, Tensor)> {
    check_1d(x, "adaptive_max_pool1d", output_size)?;
    empty_dim("adaptive_max_pool1d", "input", &x.size(), 1)?;
    let (values, indices) = adaptive_max_pool2d_with_indices(&unsqueeze(x, -2)?, &[Some(1), output_size[0]])?;
    Ok((squeeze(&values, Some(&[-2]))?, squeeze(&indices, Some(&[-2]))?))
}

/// [`adaptive_max_pool1d`] over height and width; `None` keeps a length: `F.adaptive_max_pool2d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 3.0], [7.0, 5.0]]]);
/// assert_eq!(F::adaptive_max_pool2d(&x, [None, Some(1)]).to_vec::<f32>(), [3.0, 7.0]);
/// ```
#[op(functional)]
pub fn adaptive_max_pool2d(x: &Tensor, output_size: &[Option<i64>]) -> Result<Tensor> {
    Ok(adaptive_max_pool2d_with_indices(x, output_size)?.0)
}

/// [`adaptive_max_pool2d`] and the flat index (int64) of each value within its plane:
/// `F.adaptive_max_pool2d(…, return_indices=True)`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 3.0], [7.0, 5.0]]]);
/// assert_eq!(F::adaptive_max_pool2d_with_indices(&x, 1).1.to_vec::<i64>(), [2]);
/// ```
#[op(functional)]
pub fn adaptive_max_pool2d_with_indices(x: &Tensor, output_size: &[Option<i64>]) -> Result<(Tensor, Tensor)> {
    let lengths = check_max(x, output_size, 2, "adaptive_max_pool2d")?;
    adaptive_max(x, &lengths, "AdaptiveMaxPool2DBackward0")
}

/// [`adaptive_max_pool1d`] over depth, height and width; `None` keeps a length: `F.adaptive_max_pool3d`.
///
/// ```
/// use torch::nn::functional as F;
/// assert_eq!(F::adaptive_max_pool3d(&torch::ones([2, 3, 4, 8, 10]), 2).size(), [2, 3, 2, 2, 2]);
/// ```
#[op(functional, cast_cpu = Float32)]
pub fn adaptive_max_pool3d(x: &Tensor, output_size: &[Option<i64>]) -> Result<Tensor> {
    Ok(adaptive_max_pool3d_with_indices(x, output_size)?.0)
}

/// [`adaptive_max_pool3d`] and the flat index (int64) of each value within its volume:
/// `F.adaptive_max_pool3d(…, return_indices=True)`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([1.0, 9.0, 3.0, 4.0]).view([1, 1, 2, 2]);
/// assert_eq!(F::adaptive_max_pool3d_with_indices(&x, 1).1.to_vec::<i64>(), [1]);
/// ```
#[op(functional, cast_cpu = Float32)]
pub fn adaptive_max_pool3d_with_indices(x: &Tensor, output_size: &[Option<i64>]) -> Result<(Tensor, Tensor)> {
    let lengths = check_max(x, output_size, 3, "adaptive_max_pool3d")?;
    adaptive_max(x, &lengths, "AdaptiveMaxPool3DBackward0")
}

static IS_NAN: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).is_nan()));
/// The place of what is marked, −1 elsewhere.
static PLACE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(0).select(b.input(1), -1)));
/// The second where the first is true, else the third.
static WINNER: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(0).select(b.input(1), b.input(2))));

/// Gathers each window's elements side by side (short windows repeat their last) and takes the first largest.
fn adaptive_max(x: &Tensor, lengths: &[usize], name: &'static str) -> Result<(Tensor, Tensor)> {
    let ndim = lengths.len();
    let shape = x.size();
    let spatial = &shape[shape.len() - ndim..];
    let array = x.array();
    let outer: usize = shape[..shape.len() - ndim].iter().product();
    let (windows, members) = window_positions(spatial, lengths);
    let out_shape = with_spatial(&shape, lengths);
    let geometry = covering_windows(spatial, lengths);
    if outer * windows.len() == 0 {
        let (values, indices) = (fresh(x, &out_shape, x.dtype())?, fresh(x, &out_shape, DType::I64)?);
        return Ok(record_max(name, x, values, indices, Picked::from_windows(geometry)));
    }
    let count = windows.len() / members;
    let at = Array::from_slice(array.backend(), array.device(), &windows, &[windows.len()])?;
    let lines = array.contiguous()?.view(&[outer as i64, spatial.iter().product::<usize>() as i64])?;
    let grouped = [outer as i64, count as i64, members as i64];
    let candidates = index_select(&lines, 1, &at)?.view(&grouped)?;
    let (values, winners) = first_largest(&candidates)?;
    let positions = at.view(&[1, count as i64, members as i64])?.expand(&grouped)?.contiguous()?;
    let indices = gather(&positions, 2, &winners)?;
    let to = to_i64(&out_shape);
    Ok(record_max(name, x, values.view(&to)?, indices.view(&to)?, Picked::from_windows(geometry)))
}

/// The largest of the last dimension of `[a, b, members]`, and which member it is: of numbers the first largest, of several NaN
/// the last.
pub(super) fn first_largest(candidates: &Array) -> Result<(Array, Array)> {
    let (values, winners) = arg_reduce(Extremum::Max, candidates, 2)?;
    // On the CPU it is known whether there is a NaN.
    let device = candidates.device();
    let floats = candidates.dtype().is_floating_point();
    if !floats || device.is_cpu() && !any_element(&IS_NAN, &values.clone().into())? {
        return Ok((values, winners));
    }
    let members = candidates.shape()[2];
    let places: Vec<i64> = (0..members as i64).collect();
    let places = Array::from_slice(candidates.backend(), device, &places, &[1, 1, members])?;
    let is_nan = |a: &Array| pointwise(&IS_NAN, &[a], &[]);
    let last = arg_reduce(Extremum::Max, &pointwise(&PLACE, &[&is_nan(candidates)?, &places], &[])?, 2)?.1;
    let winners = pointwise(&WINNER, &[&is_nan(&values)?, &last, &winners], &[])?;
    Ok((values, winners))
}

/// The flat positions of each window's elements, window after window, all filled up to the size of the largest; and that
/// size.
fn window_positions(spatial: &[usize], lengths: &[usize]) -> (Vec<i64>, usize) {
    // Per dimension: each output's window, then combined from the first dimension to the last.
    let mut windows: Vec<Vec<i64>> = vec![vec![0]];
    for (&n, &o) in spatial.iter().zip(lengths) {
        let range = |i: usize| i * n / o..((i + 1) * n).div_ceil(o);
        let longest = (0..o).map(|i| range(i).len()).max().unwrap_or(0);
        let member = |i: usize, k: usize| range(i).start + k.min(range(i).len().saturating_sub(1));
        windows = windows
            .iter()
            .flat_map(|window| {
                (0..o).map(move |i| {
                    let all =
                        window.iter().flat_map(|&p| (0..longest).map(move |k| p * n as i64 + member(i, k) as i64));
                    all.collect()
                })
            })
            .collect();
    }
    let members = windows.first().map_or(0, Vec::len);
    (windows.concat(), members)
}

/// Evenly spaced windows of one size that cover the adaptive ones.
fn covering_windows(spatial: &[usize], lengths: &[usize]) -> PoolGeometry {
    let ndim = spatial.len();
    let mut g = PoolGeometry { ndim, kernel: [1; 3], stride: [1; 3], padding: [0; 3], dilation: [1; 3] };
    for (d, (&n, &o)) in (3 - ndim..).zip(spatial.iter().zip(lengths)) {
        let stride = n.checked_div(o).map_or(1, |s| s.max(1));
        let before = |i: usize| (i * stride).saturating_sub(i * n / o);
        let padding = (0..o).map(before).max().unwrap_or(0);
        let reach = |i: usize| ((i + 1) * n).div_ceil(o) + padding - i * stride;
        (g.stride[d], g.padding[d]) = (stride, padding);
        g.kernel[d] = (0..o).map(reach).max().unwrap_or(1);
    }
    g
}

/// The output's lengths of a maximum, or PyTorch's words.
fn check_max(x: &Tensor, output_size: &[Option<i64>], ndim: usize, name: &str) -> Result<Lengths> {
    let lengths = wanted_lengths(x, output_size, ndim)?;
    let shape = x.size();
    if shape.len() != ndim + 1 && shape.len() != ndim + 2 {
        return Err(wrong_dims(name, "got:", ndim, &shape));
    }
    empty_dim(name, "input", &shape, 1)?;
    if lengths.len() != ndim {
        return Err(Error::runtime(format!("{name}(): internal error: output_size.size() must be {ndim}")));
    }
    if let Some(n) = lengths.iter().find(|&&n| n < 0) {
        let outer = shape[..shape.len() - ndim].iter().map(|&n| n as i64);
        let all: Vec<i64> = outer.chain(lengths.iter().copied()).collect();
        return Err(Error::runtime(format!("Trying to create tensor with negative dimension {n}: {all:?}")));
    }
    if !x.is_floating_point() {
        let op = if ndim == 2 { "adaptive_max_pool2d" } else { "adaptive_max_pool3d_cpu" };
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: x.dtype() }.into());
    }
    Ok(lengths.iter().map(|&n| n as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covering_windows_hold_the_adaptive_ones() {
        for n in 1..20 {
            for o in 1..30 {
                let g = covering_windows(&[7, n], &[3, o]);
                for i in 0..o {
                    let start = (i * g.stride[2]) as i64 - g.padding[2] as i64;
                    let end = start + g.kernel[2] as i64;
                    let (first, last) = (i * n / o, ((i + 1) * n).div_ceil(o));
                    assert!(start <= first as i64 && last as i64 <= end, "window {i} of {o} over {n}: {g:?}");
                }
            }
        }
        // Even windows are themselves.
        let g = covering_windows(&[12], &[4]);
        assert_eq!((g.kernel, g.stride, g.padding), ([1, 1, 3], [1, 1, 3], [0; 3]));
    }
}
