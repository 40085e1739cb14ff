//! Affine, perspective and elastic maps, by sampling at a grid.

use super::{as_float_batch, dimensions, float_of};
use crate::error::{Error, Result};
use crate::transforms::InterpolationMode;
use flambeau_autograd::ops::paths::torch::{cat, stack, where_};
use flambeau_autograd::{Tensor, from_vec, ops};
use flambeau_tensor::DType;

/// What torchvision checks before it samples.
fn check(x: &Tensor, mode: InterpolationMode, fill: Option<&[f64]>) -> Result<()> {
    let [channels, ..] = dimensions(x)?;
    if let Some(fill) = fill.filter(|fill| fill.len() > 1 && fill.len() != channels) {
        return Err(Error::Value(format!(
            "The number of elements in 'fill' cannot broadcast to match the number of channels of the image ({} != {channels})",
            fill.len()
        )));
    }
    if !matches!(mode, InterpolationMode::Nearest | InterpolationMode::Bilinear) {
        return Err(Error::Value(format!("Interpolation mode '{}' is unsupported with Tensor input", mode.name())));
    }
    Ok(())
}

/// The image at the places of `grid`, the fill where they lie outside.
fn sampled(x: &Tensor, grid: &Tensor, mode: InterpolationMode, fill: Option<&[f64]>) -> Result<Tensor> {
    as_float_batch(x, grid.dtype(), |batch| {
        let [n, c, h, w] = batch.sizes::<[usize; 4]>().map(|n| n as i64);
        let size = grid.size();
        let grid = grid.expand((n, size[1], size[2], 2));
        let Some(fill) = fill else {
            return Ok(ops::grid_sample(batch, &grid, mode.name(), "zeros", Some(false))?);
        };
        // A channel of ones goes along: what is left of it says how much of a pixel came from inside.
        let mask = ops::ones(&[n as usize, 1, h as usize, w as usize], batch.dtype(), batch.device())?;
        let sampled = ops::grid_sample(&cat((batch, &mask), 1), &grid, mode.name(), "zeros", Some(false))?;
        let (image, mask) = (sampled.narrow(1, 0, c), sampled.narrow(1, c, 1));
        let fill = ops::to_dtype(&from_vec(fill.to_vec(), [1, fill.len(), 1, 1]), batch.dtype())?.to(batch.device());
        let fill = fill.expand_as(&image);
        Ok(match mode {
            InterpolationMode::Nearest => where_(mask.lt(0.5), &fill, &image),
            _ => image.mul(&mask).add((1.0 - &mask).mul(&fill)),
        })
    })
}

/// The places `(x, y, 1)` of `[height, width]` pixels as rows, with the given first place in each direction.
fn places([h, w]: [usize; 2], [y0, x0]: [f64; 2], like: &Tensor) -> Result<Tensor> {
    let line = |start: f64, n: usize| ops::linspace(start, start + n as f64 - 1.0, n, DType::F32, like.device());
    let (dtype, size) = (like.dtype(), [h as i64, w as i64]);
    let x = ops::to_dtype(&line(x0, w)?, dtype)?.expand(size);
    let y = ops::to_dtype(&line(y0, h)?, dtype)?.unsqueeze(1).expand(size);
    let ones = ops::ones(&[h, w], dtype, like.device())?;
    Ok(stack((x, y, ones), -1).view((h * w, 3)))
}

fn matrix(values: &[f64], size: [usize; 2], like: &Tensor) -> Result<Tensor> {
    let values = from_vec(values.to_vec(), [size[0], size[1]]);
    Ok(ops::to_dtype(&values, float_of(like))?.to(like.device()))
}

/// Where the pixels of an output lie on an image of `[h, w]` pixels, from −1 to 1, both around their middles.
fn affine_grid(m: [f64; 6], [h, w]: [usize; 2], [out_h, out_w]: [usize; 2], like: &Tensor) -> Result<Tensor> {
    let theta = matrix(&m, [2, 3], like)?;
    let base = places([out_h, out_w], [-(out_h as f64) * 0.5 + 0.5, -(out_w as f64) * 0.5 + 0.5], &theta)?;
    let half = matrix(&[0.5 * w as f64, 0.5 * h as f64], [1, 2], like)?;
    let grid = ops::mm(&base, &theta.t().div(half))?;
    Ok(grid.view((1, out_h, out_w, 2)))
}

/// An affine map, given by the matrix from output places to source places, both around the middle.
pub(crate) fn affine(x: &Tensor, m: [f64; 6], mode: InterpolationMode, fill: Option<&[f64]>) -> Result<Tensor> {
    check(x, mode, fill)?;
    let [_, h, w] = dimensions(x)?;
    sampled(x, &affine_grid(m, [h, w], [h, w], x)?, mode, fill)
}

/// As [`affine`], onto an image that holds all of the turned one if `expand` is set.
pub(crate) fn rotate(
    x: &Tensor,
    m: [f64; 6],
    mode: InterpolationMode,
    expand: bool,
    fill: Option<&[f64]>,
) -> Result<Tensor> {
    check(x, mode, fill)?;
    let [_, h, w] = dimensions(x)?;
    let out = if expand { expanded_size(m, [h, w]) } else { [h, w] };
    sampled(x, &affine_grid(m, [h, w], out, x)?, mode, fill)
}

/// The size of the box around the turned image, in float32 as torchvision computes it.
fn expanded_size(m: [f64; 6], [h, w]: [usize; 2]) -> [usize; 2] {
    let m = m.map(|v| v as f32);
    let (x, y) = (0.5 * w as f32, 0.5 * h as f32);
    let corners = [[-x, -y], [-x, y], [x, y], [x, -y]];
    let extent = |row: usize, shift: f32| {
        let places = corners.map(|[x, y]| x * m[row] + y * m[row + 1] + m[row + 2]);
        let (low, high) = places.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
        // Four decimals, so that a rounding error is no pixel.
        let cut = |v: f32| ((v + shift) / 1e-4).trunc() * 1e-4;
        (cut(high).ceil() - cut(low).floor()) as usize
    };
    let width = extent(0, x);
    [extent(3, y), width]
}

/// A perspective map, given by its eight coefficients from output places to source places.
pub(crate) fn perspective(x: &Tensor, a: [f64; 8], mode: InterpolationMode, fill: Option<&[f64]>) -> Result<Tensor> {
    check(x, mode, fill)?;
    let [_, h, w] = dimensions(x)?;
    let above = matrix(&a[..6], [2, 3], x)?;
    let below = matrix(&[a[6], a[7], 1.0, a[6], a[7], 1.0], [2, 3], x)?;
    let base = places([h, w], [0.5, 0.5], &above)?;
    let half = matrix(&[0.5 * w as f64, 0.5 * h as f64], [1, 2], x)?;
    let grid = ops::mm(&base, &above.t().div(half))?.div(ops::mm(&base, &below.t())?).sub(1.0);
    sampled(x, &grid.view((1, h, w, 2)), mode, fill)
}

/// Each pixel from the place that `displacement` `[1, h, w, 2]` away from it, in halves of the image.
pub(crate) fn elastic_transform(
    x: &Tensor,
    displacement: &Tensor,
    mode: InterpolationMode,
    fill: Option<&[f64]>,
) -> Result<Tensor> {
    let [_, h, w] = dimensions(x)?;
    let line = |n: usize| {
        let s = n as f64;
        ops::linspace((-s + 1.0) / s, (s - 1.0) / s, n, DType::F32, x.device())
    };
    let size = [h as i64, w as i64];
    let grid = stack((line(w)?.expand(size), line(h)?.unsqueeze(1).expand(size)), -1).unsqueeze(0);
    sampled(x, &grid.add(displacement.to(x.device())), mode, fill)
}
