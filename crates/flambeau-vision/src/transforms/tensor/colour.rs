//! Brightness, contrast, saturation, hue and what else changes values.

use super::{float_of, grey_or_rgb, is_integer, max_value, three_dims};
use crate::error::{Error, Result};
use flambeau_autograd::ops::paths::torch::{stack, where_};
use flambeau_autograd::{Tensor, ops};
use flambeau_tensor::DType;

/// An image in another dtype: white stays white. `functional_tensor.convert_image_dtype`.
pub(crate) fn convert_image_dtype(x: &Tensor, dtype: DType) -> Result<Tensor> {
    let from = x.dtype();
    if from == dtype {
        return Ok(x.shallow_clone());
    }
    let to_float = !is_integer(dtype) && dtype != DType::Bool;
    if x.is_floating_point() {
        if to_float {
            return Ok(ops::to_dtype(x, dtype)?);
        }
        let unsafe_cast = match from {
            DType::F32 => matches!(dtype, DType::I32 | DType::I64),
            DType::F64 => dtype == DType::I64,
            _ => false,
        };
        if unsafe_cast {
            return Err(Error::Value(format!("The cast from {from} to {dtype} cannot be performed safely.")));
        }
        // A little less than max + 1, so that each integer gets an equal share of 0 … 1.
        return Ok(ops::to_dtype(&x.mul(max_value(dtype) + 1.0 - 1e-3), dtype)?);
    }
    let (input_max, output_max) = (max_value(from), max_value(dtype));
    if to_float {
        return Ok(ops::to_dtype(x, dtype)?.div(input_max));
    }
    if input_max > output_max {
        let factor = ((input_max + 1.0) / (output_max + 1.0)).floor() as i64;
        return Ok(ops::to_dtype(&x.div_rounded(factor, "floor"), dtype)?);
    }
    let factor = ((output_max + 1.0) / (input_max + 1.0)).floor() as i64;
    Ok(ops::to_dtype(x, dtype)?.mul(factor))
}

/// The luma of an RGB image in one channel or three: `functional_tensor.rgb_to_grayscale`.
pub(crate) fn rgb_to_grayscale(x: &Tensor, channels: i64) -> Result<Tensor> {
    three_dims(x)?;
    let c = grey_or_rgb(x, "[1, 3]")?;
    if channels != 1 && channels != 3 {
        return Err(Error::Value("num_output_channels should be either 1 or 3".into()));
    }
    let grey = if c == 3 {
        let rgb = x.unbind_dim(-3);
        let luma = 0.2989 * &rgb[0] + 0.587 * &rgb[1] + 0.114 * &rgb[2];
        ops::to_dtype(&luma, x.dtype())?.unsqueeze(-3)
    } else {
        x.clone()
    };
    // torchvision's `expand(img.shape)`: a grey image stays one channel.
    Ok(if channels == 3 { grey.expand_as(x) } else { grey })
}

fn not_negative(name: &str, factor: f64) -> Result<()> {
    if factor < 0.0 {
        let factor = flambeau_tensor::print::py_float(factor);
        return Err(Error::Value(format!("{name} ({factor}) is not non-negative.")));
    }
    Ok(())
}

/// ratio · a + (1 − ratio) · b, within black and white, in a's dtype.
pub(super) fn blend(a: &Tensor, b: &Tensor, ratio: f64) -> Result<Tensor> {
    let bound = max_value(a.dtype());
    let mixed = a.mul(ratio).add(b.mul(1.0 - ratio)).clamp(0, bound);
    Ok(ops::to_dtype(&mixed, a.dtype())?)
}

/// `functional_tensor.adjust_brightness`.
pub(crate) fn adjust_brightness(x: &Tensor, factor: f64) -> Result<Tensor> {
    not_negative("brightness_factor", factor)?;
    grey_or_rgb(x, "[1, 3]")?;
    blend(x, &x.zeros_like(), factor)
}

/// `functional_tensor.adjust_contrast`.
pub(crate) fn adjust_contrast(x: &Tensor, factor: f64) -> Result<Tensor> {
    not_negative("contrast_factor", factor)?;
    let c = grey_or_rgb(x, "[3, 1]")?;
    let grey = if c == 3 { rgb_to_grayscale(x, 1)? } else { x.shallow_clone() };
    let mean = ops::to_dtype(&grey, float_of(x))?.mean_dim([-3, -2, -1], true);
    blend(x, &mean, factor)
}

/// `functional_tensor.adjust_saturation`.
pub(crate) fn adjust_saturation(x: &Tensor, factor: f64) -> Result<Tensor> {
    not_negative("saturation_factor", factor)?;
    if grey_or_rgb(x, "[1, 3]")? == 1 {
        return Ok(x.shallow_clone());
    }
    blend(x, &rgb_to_grayscale(x, 1)?, factor)
}

/// `functional_tensor.adjust_hue`; the factor is within ±½.
pub(crate) fn adjust_hue(x: &Tensor, factor: f64) -> Result<Tensor> {
    if grey_or_rgb(x, "[1, 3]")? == 1 {
        return Ok(x.shallow_clone());
    }
    let [h, s, v] = to_hsv(&convert_image_dtype(x, DType::F32)?);
    let h = h.add(factor).remainder(1.0);
    convert_image_dtype(&to_rgb(&h, &s, &v), x.dtype())
}

/// Hue, saturation and value of float RGB, each 0 … 1.
fn to_hsv(x: &Tensor) -> [Tensor; 3] {
    let rgb = x.unbind_dim(-3);
    let (most, least) = (x.max_dim(-3, false).0, x.min_dim(-3, false).0);
    let flat = most.eq(&least);
    let range = most.sub(&least);
    let ones = most.ones_like();
    let s = range.div(where_(&flat, &ones, &most));
    let divisor = where_(&flat, &ones, &range);
    let share = |channel: &Tensor| most.sub(channel).div(&divisor);
    let [rc, gc, bc] = [share(&rgb[0]), share(&rgb[1]), share(&rgb[2])];
    let (is_r, is_g) = (most.eq(&rgb[0]), most.eq(&rgb[1]));
    let from_r = is_r.mul(bc.sub(&gc));
    let from_g = is_g.logical_and(is_r.logical_not()).mul((2.0 + &rc).sub(&bc));
    let from_b = is_g.logical_not().logical_and(is_r.logical_not()).mul((4.0 + &gc).sub(&rc));
    let h = from_r.add(from_g).add(from_b);
    [h.div(6.0).add(1.0).fmod(1.0), s, most]
}

/// The inverse of [`to_hsv`], channels third from the last.
fn to_rgb(h: &Tensor, s: &Tensor, v: &Tensor) -> Tensor {
    let turned = h.mul(6.0);
    let sector = turned.floor();
    let f = turned.sub(&sector);
    let i = sector.int().remainder(6);
    let p = v.mul(1.0 - s).clamp(0.0, 1.0);
    let q = v.mul(1.0 - s.mul(&f)).clamp(0.0, 1.0);
    let t = v.mul(1.0 - s.mul(1.0 - &f)).clamp(0.0, 1.0);
    // Which of the values each channel has in each of the six sectors.
    let choose = |table: [&Tensor; 6]| {
        let last = table[5].shallow_clone();
        (0..5).rev().fold(last, |rest, sector| where_(i.eq(sector), table[sector as usize], &rest))
    };
    let channels = [choose([v, &q, &p, &p, &t, v]), choose([&t, v, v, &q, &p, &p]), choose([&p, &p, &t, v, v, &q])];
    stack(channels, -3)
}

/// `functional_tensor.adjust_gamma`; gamma is not negative.
pub(crate) fn adjust_gamma(x: &Tensor, gamma: f64, gain: f64) -> Result<Tensor> {
    grey_or_rgb(x, "[1, 3]")?;
    let float = if x.is_floating_point() { x.shallow_clone() } else { convert_image_dtype(x, DType::F32)? };
    convert_image_dtype(&float.pow(gamma).mul(gain).clamp(0, 1), x.dtype())
}

/// White minus the image.
pub(crate) fn invert(x: &Tensor) -> Result<Tensor> {
    three_dims(x)?;
    grey_or_rgb(x, "[1, 3]")?;
    Ok(if x.is_floating_point() { 1.0 - x } else { max_value(x.dtype()) as i64 - x })
}

/// The upper `bits` bits of bytes.
pub(crate) fn posterize(x: &Tensor, bits: i64) -> Result<Tensor> {
    three_dims(x)?;
    bytes_only(x)?;
    grey_or_rgb(x, "[1, 3]")?;
    let step = 1i64 << (8 - bits);
    // `& -step` in a dtype that holds both.
    Ok(x.int().div_rounded(step, "floor").mul(step).to(DType::U8))
}

pub(super) fn bytes_only(x: &Tensor) -> Result<()> {
    if x.dtype() != DType::U8 {
        return Err(Error::Value(format!("Only torch.uint8 image tensors are supported, but found {}", x.dtype())));
    }
    Ok(())
}

/// Values from the threshold on, inverted.
pub(crate) fn solarize(x: &Tensor, threshold: f64) -> Result<Tensor> {
    three_dims(x)?;
    grey_or_rgb(x, "[1, 3]")?;
    if threshold > max_value(x.dtype()) {
        return Err(Error::Value("Threshold should be less than bound of img.".into()));
    }
    Ok(where_(x.ge(threshold), &invert(x)?, x))
}

/// Each channel stretched from black to white.
pub(crate) fn autocontrast(x: &Tensor) -> Result<Tensor> {
    three_dims(x)?;
    grey_or_rgb(x, "[1, 3]")?;
    let (bound, dtype) = (max_value(x.dtype()), float_of(x));
    let low = ops::to_dtype(&x.amin_dim([-2, -1], true), dtype)?;
    let high = ops::to_dtype(&x.amax_dim([-2, -1], true), dtype)?;
    let scale = bound / high.sub(&low);
    let flat = scale.isfinite().logical_not();
    let (low, scale) = (where_(&flat, &low.zeros_like(), &low), where_(&flat, &scale.ones_like(), &scale));
    Ok(ops::to_dtype(&x.sub(&low).mul(&scale).clamp(0, bound), x.dtype())?)
}
