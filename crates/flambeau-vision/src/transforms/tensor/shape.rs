//! Which pixels stand where: crops, flips, padding, resizing.

use super::{as_float_batch, dimensions};
use crate::error::{Error, Result};
use crate::transforms::{InterpolationMode, PaddingMode};
use flambeau_autograd::ops::{InterpolateOptions, PadMode, PadOptions};
use flambeau_autograd::{Tensor, from_slice, ops};
use flambeau_tensor::DType;

/// Top and bottom exchanged.
pub(crate) fn vflip(x: &Tensor) -> Result<Tensor> {
    dimensions(x)?;
    Ok(ops::flip(x, &[-2])?)
}

/// Left and right exchanged.
pub(crate) fn hflip(x: &Tensor) -> Result<Tensor> {
    dimensions(x)?;
    Ok(ops::flip(x, &[-1])?)
}

/// Rows `top …` and columns `left …` of what lies inside.
fn part(x: &Tensor, [top, bottom]: [i64; 2], [left, right]: [i64; 2]) -> Result<Tensor> {
    let rows = ops::narrow(x, -2, top, (bottom - top).max(0))?;
    Ok(ops::narrow(&rows, -1, left, (right - left).max(0))?)
}

/// The box with its upper left corner in row `top` and column `left`; zeros outside the image.
pub(crate) fn crop(x: &Tensor, top: i64, left: i64, height: i64, width: i64) -> Result<Tensor> {
    let [_, h, w] = dimensions(x)?.map(|n| n as i64);
    let (right, bottom) = (left + width, top + height);
    if left >= 0 && top >= 0 && right <= w && bottom <= h {
        return part(x, [top, bottom], [left, right]);
    }
    let sides = [
        (-left + right.min(0)).max(0),
        (-top + bottom.min(0)).max(0),
        (right - w.max(left)).max(0),
        (bottom - h.max(top)).max(0),
    ];
    // A box that ends above or left of the image is cut as Python's slices are, from the end: so does torchvision.
    let end = |n: i64, length: i64| if n < 0 { (length + n).max(0) } else { n.min(length) };
    let rows = [top.clamp(0, h), end(bottom, h)];
    let columns = [left.clamp(0, w), end(right, w)];
    pad(&part(x, rows, columns)?, sides, 0.0, PaddingMode::Constant)
}

/// `[left, top, right, bottom]` pixels on the sides; negative ones are cut off.
pub(crate) fn pad(x: &Tensor, sides: [i64; 4], fill: f64, mode: PaddingMode) -> Result<Tensor> {
    let [left, top, right, bottom] = sides;
    let [_, h, w] = dimensions(x)?.map(|n| n as i64);
    let mode = match mode {
        PaddingMode::Symmetric => return symmetric(x, sides, [h, w]),
        PaddingMode::Constant => PadMode::Constant,
        PaddingMode::Edge => PadMode::Replicate,
        PaddingMode::Reflect => PadMode::Reflect,
    };
    let single = x.dim() < 4;
    let batch = if single { x.unsqueeze(0) } else { x.shallow_clone() };
    let options = PadOptions::default().mode(mode).value(fill);
    let out = ops::pad(&batch, &[left, right, top, bottom], &options)?;
    Ok(if single { out.squeeze_dim(0) } else { out })
}

fn symmetric(x: &Tensor, sides: [i64; 4], [h, w]: [i64; 2]) -> Result<Tensor> {
    if x.dim() != 3 && x.dim() != 4 {
        return Err(Error::Value("Symmetric padding of N-D tensors are not supported yet".into()));
    }
    let [left, top, right, bottom] = sides;
    let cut = |n: i64| (-n).max(0);
    let x = part(x, [cut(top), h - cut(bottom)], [cut(left), w - cut(right)])?;
    let places = |before: i64, length: i64, after: i64, dim: i64| -> Result<Tensor> {
        let length = length - cut(before) - cut(after);
        let (before, after) = (before.max(0), after.max(0));
        // torchvision mirrors once.
        if before > length || after > length {
            let n = before.max(after) - 1;
            return Err(Error::Value(format!("index {n} is out of bounds for dimension {dim} with size {length}")));
        }
        let all: Vec<i64> = (-before..length + after).map(|i| PaddingMode::Symmetric.source(i, length)).collect();
        Ok(from_slice(&all, [all.len()]).to(x.device()))
    };
    let rows = ops::index_select(&x, -2, &places(top, h, bottom, x.dim() as i64 - 2)?)?;
    Ok(ops::index_select(&rows, -1, &places(left, w, right, x.dim() as i64 - 1)?)?)
}

/// The image with `[height, width]` pixels.
pub(crate) fn resize(x: &Tensor, size: [i64; 2], mode: InterpolationMode, antialias: bool) -> Result<Tensor> {
    dimensions(x)?;
    let smooth = matches!(mode, InterpolationMode::Bilinear | InterpolationMode::Bicubic);
    let dtype = if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    as_float_batch(x, dtype, |batch| {
        let mut options = InterpolateOptions::default().size(size).antialias(antialias && smooth);
        options.mode = mode.name().parse()?;
        options.align_corners = smooth.then_some(false);
        let out = ops::interpolate(batch, &options)?;
        // A cubic overshoots.
        let bytes = mode == InterpolationMode::Bicubic && x.dtype() == DType::U8;
        Ok(if bytes { out.clamp(0, 255) } else { out })
    })
}

/// The image with `v`, broadcast, in the box of height h and width w at row i, column j.
pub(crate) fn erase(x: &Tensor, [i, j, h, w]: [i64; 4], v: &Tensor, inplace: bool) -> Result<Tensor> {
    let [_, height, width] = dimensions(x)?.map(|n| n as i64);
    let out = if inplace { x.shallow_clone() } else { x.clone() };
    part(&out, [i.min(height), (i + h).min(height)], [j.min(width), (j + w).min(width)])?.copy_(v);
    Ok(out)
}
