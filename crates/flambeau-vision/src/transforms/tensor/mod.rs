//! What torchvision does to tensors `[…, c, h, w]`: its `functional_tensor`.

mod blur;
mod colour;
mod equalize;
mod shape;
mod warp;

pub(crate) use blur::{adjust_sharpness, gaussian_blur};
pub(crate) use colour::{
    adjust_brightness, adjust_contrast, adjust_gamma, adjust_hue, adjust_saturation, autocontrast, convert_image_dtype,
    invert, posterize, rgb_to_grayscale, solarize,
};
pub(crate) use equalize::equalize;
pub(crate) use shape::{crop, erase, hflip, pad, resize, vflip};
pub(crate) use warp::{affine, elastic_transform, perspective, rotate};

use crate::error::{Error, Result};
use flambeau_autograd::{Tensor, ops};
use flambeau_tensor::DType;

/// Channels, height and width.
pub(crate) fn dimensions(x: &Tensor) -> Result<[usize; 3]> {
    let size = x.size();
    match size[..] {
        [h, w] => Ok([1, h, w]),
        [.., c, h, w] => Ok([c, h, w]),
        _ => Err(Error::Value("Tensor is not a torch image.".into())),
    }
}

fn three_dims(x: &Tensor) -> Result<()> {
    let n = x.dim();
    if n < 3 {
        return Err(Error::Value(format!("Input image tensor should have at least 3 dimensions, but found {n}")));
    }
    Ok(())
}

/// Fails unless the image has 1 or 3 channels; torchvision lists them in one order or the other.
fn grey_or_rgb(x: &Tensor, permitted: &str) -> Result<usize> {
    let [c, ..] = dimensions(x)?;
    if c != 1 && c != 3 {
        return Err(Error::Value(format!(
            "Input image tensor permitted channel values are {permitted}, but found {c}"
        )));
    }
    Ok(c)
}

/// The largest value of a dtype, which is white; 1 for floats.
pub(crate) fn max_value(dtype: DType) -> f64 {
    match dtype {
        DType::U8 => 255.0,
        DType::I8 => 127.0,
        DType::I16 => 32767.0,
        DType::I32 => 2147483647.0,
        DType::I64 => 9223372036854775807.0,
        _ => 1.0,
    }
}

fn is_integer(dtype: DType) -> bool {
    matches!(dtype, DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::I64)
}

/// The dtype that an image is computed in: its own if that is a float, else float32.
fn float_of(x: &Tensor) -> DType {
    if x.is_floating_point() { x.dtype() } else { DType::F32 }
}

/// The image as a batch `[n, c, h, w]` of floats goes through `f`; integers are rounded afterwards.
fn as_float_batch(x: &Tensor, dtype: DType, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let single = x.dim() < 4;
    let batch = if single { x.unsqueeze(0) } else { x.shallow_clone() };
    let out = f(&ops::to_dtype(&batch, dtype)?)?;
    let out = if single { out.squeeze_dim(0) } else { out };
    if x.dtype() == dtype {
        return Ok(out);
    }
    let out = if is_integer(x.dtype()) { out.round() } else { out };
    Ok(ops::to_dtype(&out, x.dtype())?)
}
