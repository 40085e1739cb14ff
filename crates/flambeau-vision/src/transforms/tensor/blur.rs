//! Convolutions of each channel by itself.

use super::colour::blend;
use super::{as_float_batch, dimensions, float_of, grey_or_rgb};
use crate::error::Result;
use flambeau_autograd::ops::{ConvOptions, PadMode, PadOptions};
use flambeau_autograd::{Tensor, from_vec, ops};
use flambeau_tensor::{DType, Device};

/// The kernel `[kh, kw]` over each channel of a batch.
fn depthwise(batch: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let channels = batch.size_dim(1) as i64;
    let [h, w] = kernel.sizes();
    let kernel = kernel.expand((channels, 1, h as i64, w as i64));
    Ok(ops::conv2d(batch, &kernel, None, &ConvOptions::default().groups(channels))?)
}

/// A Gaussian over `size` pixels, of sum 1.
fn gaussian(size: i64, sigma: f64, dtype: DType, device: Device) -> Result<Tensor> {
    let half = (size - 1) as f64 * 0.5;
    let x = ops::linspace(-half, half, size as usize, dtype, device)?;
    let density = x.div(sigma).pow(2).mul(-0.5).exp();
    Ok(density.div(density.sum()))
}

/// `functional_tensor.gaussian_blur`; sizes and deviations are along x, then along y.
pub(crate) fn gaussian_blur(x: &Tensor, [kx, ky]: [i64; 2], [sx, sy]: [f64; 2]) -> Result<Tensor> {
    dimensions(x)?;
    let dtype = float_of(x);
    let (across, down) = (gaussian(kx, sx, dtype, x.device())?, gaussian(ky, sy, dtype, x.device())?);
    let kernel = ops::mm(&down.unsqueeze(1), &across.unsqueeze(0))?;
    as_float_batch(x, dtype, |batch| {
        let sides = [kx / 2, kx / 2, ky / 2, ky / 2];
        let padded = ops::pad(batch, &sides, &PadOptions::default().mode(PadMode::Reflect))?;
        depthwise(&padded, &kernel)
    })
}

/// `functional_tensor.adjust_sharpness`: between a blurred image and beyond the image itself.
pub(crate) fn adjust_sharpness(x: &Tensor, factor: f64) -> Result<Tensor> {
    if factor < 0.0 {
        let factor = flambeau_tensor::print::py_float(factor);
        return Err(crate::Error::Value(format!("sharpness_factor ({factor}) is not non-negative.")));
    }
    grey_or_rgb(x, "[1, 3]")?;
    let [_, h, w] = dimensions(x)?;
    if h <= 2 || w <= 2 {
        return Ok(x.shallow_clone());
    }
    blend(x, &smoothed(x, [h, w])?, factor)
}

/// Each inner pixel's mean with its neighbours, itself five times; the border as it is.
fn smoothed(x: &Tensor, [h, w]: [usize; 2]) -> Result<Tensor> {
    let dtype = float_of(x);
    let mut weights = vec![1.0f64; 9];
    weights[4] = 5.0;
    let kernel = ops::to_dtype(&from_vec(weights, [3, 3]), dtype)?.to(x.device());
    let kernel = kernel.div(kernel.sum());
    let inner = as_float_batch(x, dtype, |batch| depthwise(batch, &kernel))?;
    let out = x.clone();
    let rows = ops::narrow(&out, -2, 1, h as i64 - 2)?;
    ops::narrow(&rows, -1, 1, w as i64 - 2)?.copy_(&inner);
    Ok(out)
}
