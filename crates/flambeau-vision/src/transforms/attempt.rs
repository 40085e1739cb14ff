//! The functions of `torchvision.transforms.functional` on images and tensors, with `Result`s: what the transforms call, and
//! what [`functional`](super::functional) unwraps at the caller's line.

use super::options::{AffineOptions, BlurOptions, PadOptions, PerspectiveOptions, ResizeOptions, RotateOptions};
use super::picture::{Picture, View};
use super::sizes::{self, crop_size};
use super::{PaddingMode, pil, tensor};
use crate::error::{Error, Result};
use crate::image::{Image, Mode};
use flambeau_autograd::{Tensor, from_slice, ops};
use flambeau_tensor::DType;

/// The bytes of an image as `[c, h, w]`.
pub(crate) fn pil_to_tensor(pic: View<'_>) -> Result<Tensor> {
    let View::Image(image) = pic else {
        return Err(Error::Value("pic should be PIL Image. Got <class 'torch.Tensor'>".into()));
    };
    let (bands, plane) = (image.bands(), image.width() * image.height());
    let mut planes = vec![0u8; bands * plane];
    for (i, pixel) in image.pixels().chunks_exact(bands).enumerate() {
        for (band, &v) in pixel.iter().enumerate() {
            planes[band * plane + i] = v;
        }
    }
    Ok(from_slice(&planes, [bands, image.height(), image.width()]))
}

/// The bytes of an image as `[c, h, w]` floats from 0 to 1, in the default dtype.
pub(crate) fn to_tensor(pic: View<'_>) -> Result<Tensor> {
    if let View::Tensor(_) = pic {
        return Err(Error::Value("pic should be PIL Image or ndarray. Got <class 'torch.Tensor'>".into()));
    }
    Ok(ops::to_dtype(&pil_to_tensor(pic)?, flambeau_tensor::default_dtype())?.div(255))
}

/// An image of a tensor `[h, w]` or `[c, h, w]` of bytes, or of floats from 0 to 1.
pub(crate) fn to_pil_image(pic: View<'_>, mode: Option<Mode>) -> Result<Image> {
    let x = match pic {
        View::Image(_) => {
            return Err(Error::Value("pic should be Tensor or ndarray. Got <class 'PIL.Image.Image'>.".into()));
        }
        View::Tensor(x) => x,
    };
    let n = x.dim();
    if n != 2 && n != 3 {
        return Err(Error::Value(format!("pic should be 2/3 dimensional. Got {n} dimensions.")));
    }
    let [channels, h, w] = tensor::dimensions(x)?;
    if channels > 4 {
        return Err(Error::Value(format!("pic should not have > 4 channels. Got {channels} channels.")));
    }
    let Some(found) = Mode::of_bands(channels) else {
        return Err(Error::Value(format!(
            "an image of {channels} channels is not supported: only modes L, RGB and RGBA"
        )));
    };
    if let Some(wanted) = mode.filter(|&mode| mode != found) {
        let wanted = wanted.name();
        return Err(Error::Value(match channels {
            1 => format!("Incorrect mode ({wanted}) supplied for input type <class 'numpy.dtype'>. Should be L"),
            3 => "Only modes ['RGB', 'YCbCr', 'HSV'] are supported for 3D inputs".to_owned(),
            _ => "Only modes ['RGBA', 'CMYK', 'RGBX'] are supported for 4D inputs".to_owned(),
        }));
    }
    let x = x.detach().cpu();
    // A float is cut, not rounded, and wraps, as NumPy's cast does.
    let x = if x.is_floating_point() { x.mul(255).to(DType::I64).bitwise_and(255).to(DType::U8) } else { x };
    if x.dtype() != DType::U8 {
        return Err(Error::Value(format!("Input type {} is not supported", x.dtype())));
    }
    let x = if n == 3 { x.permute([1, 2, 0]).contiguous() } else { x.contiguous() };
    Ok(Image::new(found, (w, h), x.to_vec::<u8>()))
}

/// A tensor function on an image, through bytes.
fn through_tensor(image: &Image, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Image> {
    let out = f(&pil_to_tensor(View::Image(image))?)?;
    to_pil_image(View::Tensor(&out), Some(image.mode()))
}

pub(crate) fn normalize(x: &Tensor, mean: &[f64], std: &[f64]) -> Result<Tensor> {
    tensor::dimensions(x)?;
    if !x.is_floating_point() {
        return Err(Error::Value(format!("Input tensor should be a float tensor. Got {}.", x.dtype())));
    }
    if x.dim() < 3 {
        let what = "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = ";
        return Err(Error::Value(format!("{what}{}", x.size())));
    }
    let column = |values: &[f64]| -> Result<Tensor> {
        let values = flambeau_autograd::from_vec(values.to_vec(), [values.len(), 1, 1]);
        Ok(ops::to_dtype(&values, x.dtype())?.to(x.device()))
    };
    let std = column(std)?;
    if std.eq(0).any().item() != 0.0 {
        let dtype = x.dtype();
        return Err(Error::Value(format!(
            "std evaluated to zero after conversion to {dtype}, leading to division by zero."
        )));
    }
    Ok(ops::div(&ops::sub(x, &column(mean)?, 1)?, &std)?)
}

pub(crate) fn resize<P: Picture>(img: &P, size: &[i64], options: &ResizeOptions) -> Result<P::Owned> {
    let [_, h, w] = img.view().dimensions()?;
    let new = sizes::resized(h, w, size, options.max_size)?;
    if new == [h as i64, w as i64] {
        return Ok(img.keep());
    }
    let mode = options.interpolation;
    img.map(
        |image| {
            if new[0] <= 0 || new[1] <= 0 {
                return Err(Error::Value("height and width must be > 0".into()));
            }
            Ok(pil::resize(image, (new[1] as usize, new[0] as usize), mode))
        },
        |x| tensor::resize(x, new, mode, options.antialias),
    )
}

pub(crate) fn pad<P: Picture>(img: &P, padding: &[i64], options: &PadOptions) -> Result<P::Owned> {
    let sides = sizes::sides(padding)?;
    let (fill, mode) = (&options.fill, options.padding_mode);
    img.map(
        |image| pil::pad(image, sides, fill, mode),
        |x| match fill[..] {
            [] => tensor::pad(x, sides, 0.0, mode),
            [fill] => tensor::pad(x, sides, fill, mode),
            _ => Err(Error::Value("Got inappropriate fill arg".into())),
        },
    )
}

pub(crate) fn crop<P: Picture>(img: &P, top: i64, left: i64, height: i64, width: i64) -> Result<P::Owned> {
    img.map(
        |image| {
            let sizes = (usize::try_from(height), usize::try_from(width));
            let (Ok(h), Ok(w)) = sizes else {
                return Err(Error::Value("Coordinate 'right' is less than 'left'".into()));
            };
            Ok(pil::crop(image, top, left, h, w))
        },
        |x| tensor::crop(x, top, left, height, width),
    )
}

pub(crate) fn center_crop<P: Picture>(img: &P, size: &[i64]) -> Result<P::Owned> {
    let [height, width] = crop_size(size)?;
    let [_, h, w] = img.view().dimensions()?.map(|n| n as i64);
    let missing = |wanted: i64, there: i64| {
        let n = (wanted - there).max(0);
        [n / 2, (n + 1) / 2]
    };
    let ([left, right], [top, bottom]) = (missing(width, w), missing(height, h));
    let start = |there: i64, wanted: i64| ((there - wanted) as f64 / 2.0).round_ties_even() as i64;
    if right == 0 && bottom == 0 {
        return crop(img, start(h, height), start(w, width), height, width);
    }
    let padded = pad(img, &[left, top, right, bottom], &PadOptions::default())?;
    let (h, w) = (h + top + bottom, w + left + right);
    if (h, w) == (height, width) {
        return Ok(padded);
    }
    crop(&padded, start(h, height), start(w, width), height, width)
}

pub(crate) fn flip<P: Picture>(img: &P, vertical: bool) -> Result<P::Owned> {
    if vertical {
        img.map(|image| Ok(pil::vflip(image)), tensor::vflip)
    } else {
        img.map(|image| Ok(pil::hflip(image)), tensor::hflip)
    }
}

/// The upper left, upper right, lower left, lower right and middle part of `[height, width]` pixels.
pub(crate) fn five_crop<P: Picture>(img: &P, size: &[i64]) -> Result<Vec<P::Owned>> {
    let [height, width] = crop_size(size)?;
    let [_, h, w] = img.view().dimensions()?.map(|n| n as i64);
    if width > w || height > h {
        let sizes = format!("({height}, {width}) is bigger than input size ({h}, {w})");
        return Err(Error::Value(format!("Requested crop size {sizes}")));
    }
    let corners = [(0, 0), (0, w - width), (h - height, 0), (h - height, w - width)];
    let mut crops: Vec<P::Owned> =
        corners.into_iter().map(|(top, left)| crop(img, top, left, height, width)).collect::<Result<_>>()?;
    crops.push(center_crop(img, &[height, width])?);
    Ok(crops)
}

/// [`five_crop`] of the image, then of the flipped image.
pub(crate) fn ten_crop<P: Picture>(img: &P, size: &[i64], vertical_flip: bool) -> Result<Vec<P::Owned>> {
    let mut crops = five_crop(img, size)?;
    let flipped = flip(img, vertical_flip)?;
    crops.extend(five_crop(&flipped, size)?);
    Ok(crops)
}

pub(crate) fn rgb_to_grayscale<P: Picture>(img: &P, channels: i64) -> Result<P::Owned> {
    if channels != 1 && channels != 3 {
        return Err(Error::Value("num_output_channels should be either 1 or 3".into()));
    }
    img.map(|image| Ok(pil::to_grayscale(image, channels as usize)), |x| tensor::rgb_to_grayscale(x, channels))
}

pub(crate) fn adjust_hue<P: Picture>(img: &P, factor: f64) -> Result<P::Owned> {
    if !(-0.5..=0.5).contains(&factor) {
        let factor = flambeau_tensor::print::py_float(factor);
        return Err(Error::Value(format!("hue_factor ({factor}) is not in [-0.5, 0.5].")));
    }
    img.map(|image| Ok(pil::adjust_hue(image, factor)), |x| tensor::adjust_hue(x, factor))
}

pub(crate) fn adjust_gamma<P: Picture>(img: &P, gamma: f64, gain: f64) -> Result<P::Owned> {
    if gamma < 0.0 {
        return Err(Error::Value("Gamma should be a non-negative real number".into()));
    }
    img.map(|image| Ok(pil::adjust_gamma(image, gamma, gain)), |x| tensor::adjust_gamma(x, gamma, gain))
}

pub(crate) fn posterize<P: Picture>(img: &P, bits: i64) -> Result<P::Owned> {
    if !(0..=8).contains(&bits) {
        return Err(Error::Value(format!("The number if bits should be between 0 and 8. Got {bits}")));
    }
    img.map(|image| pil::posterize(image, bits), |x| tensor::posterize(x, bits))
}

pub(crate) fn rotate<P: Picture>(img: &P, angle: f64, options: &RotateOptions) -> Result<P::Owned> {
    let RotateOptions { interpolation, expand, center, fill } = options;
    img.map(
        |image| pil::rotate(image, angle, *interpolation, *expand, *center, fill.as_deref().unwrap_or(&[])),
        |x| {
            let middle = around_middle(x, *center)?;
            // Images turn counterclockwise, matrices clockwise.
            let matrix = sizes::inverse_affine(middle, -angle, [0.0; 2], 1.0, [0.0; 2]);
            tensor::rotate(x, matrix, *interpolation, *expand, fill.as_deref())
        },
    )
}

/// A centre in pixels as its distance from the image's middle.
fn around_middle(x: &Tensor, center: Option<[f64; 2]>) -> Result<[f64; 2]> {
    let [_, h, w] = tensor::dimensions(x)?;
    Ok(center.map_or([0.0; 2], |[cx, cy]| [cx - w as f64 * 0.5, cy - h as f64 * 0.5]))
}

pub(crate) fn affine<P: Picture>(
    img: &P,
    angle: f64,
    translate: [f64; 2],
    scale: f64,
    shear: [f64; 2],
    options: &AffineOptions,
) -> Result<P::Owned> {
    if scale <= 0.0 {
        return Err(Error::Value("Argument scale should be positive".into()));
    }
    let AffineOptions { interpolation, fill, center } = options;
    img.map(
        |image| {
            let middle = [image.width() as f64 * 0.5, image.height() as f64 * 0.5];
            let matrix = sizes::inverse_affine(center.unwrap_or(middle), angle, translate, scale, shear);
            pil::affine(image, matrix, *interpolation, fill.as_deref().unwrap_or(&[]))
        },
        |x| {
            let matrix = sizes::inverse_affine(around_middle(x, *center)?, angle, translate, scale, shear);
            tensor::affine(x, matrix, *interpolation, fill.as_deref())
        },
    )
}

pub(crate) fn perspective<P: Picture>(
    img: &P,
    start: &[[i64; 2]],
    end: &[[i64; 2]],
    options: &PerspectiveOptions,
) -> Result<P::Owned> {
    let a = sizes::perspective_coefficients(start, end)?;
    let PerspectiveOptions { interpolation, fill } = options;
    img.map(
        |image| pil::perspective(image, a, *interpolation, fill.as_deref().unwrap_or(&[])),
        |x| tensor::perspective(x, a, *interpolation, fill.as_deref()),
    )
}

pub(crate) fn gaussian_blur<P: Picture>(img: &P, kernel_size: &[i64], options: &BlurOptions) -> Result<P::Owned> {
    let n = kernel_size.len();
    let size = sizes::two(kernel_size, &format!("If kernel_size is a sequence its length should be 2. Got {n}"))?;
    if size.iter().any(|&k| k % 2 == 0 || k < 0) {
        let [x, y] = size;
        return Err(Error::Value(format!("kernel_size should have odd and positive integers. Got [{x}, {y}]")));
    }
    let sigma = match options.sigma.as_deref() {
        None => size.map(|k| k as f64 * 0.15 + 0.35),
        Some(&[s]) => [s, s],
        Some(&[x, y]) => [x, y],
        Some(list) => {
            return Err(Error::Value(format!("If sigma is a sequence, its length should be 2. Got {}", list.len())));
        }
    };
    if sigma.iter().any(|&s| s <= 0.0) {
        let [x, y] = sigma.map(flambeau_tensor::print::py_float);
        return Err(Error::Value(format!("sigma should have positive values. Got [{x}, {y}]")));
    }
    let blur = |x: &Tensor| tensor::gaussian_blur(x, size, sigma);
    img.map(|image| through_tensor(image, blur), blur)
}

pub(crate) fn elastic_transform<P: Picture>(
    img: &P,
    displacement: &Tensor,
    options: &PerspectiveOptions,
) -> Result<P::Owned> {
    let [_, h, w] = img.view().dimensions()?;
    if displacement.size() != [1, h, w, 2] {
        return Err(Error::Value(format!(
            "Argument displacement shape should be (1, {h}, {w}, 2), but given {}",
            displacement.size()
        )));
    }
    let warp = |x: &Tensor| tensor::elastic_transform(x, displacement, options.interpolation, options.fill.as_deref());
    img.map(|image| through_tensor(image, warp), warp)
}

pub(crate) fn erase<P: Picture>(img: &P, place: [i64; 4], v: &Tensor, inplace: bool) -> Result<P::Owned> {
    img.map(
        |_| Err(Error::Value("img should be Tensor Image. Got <class 'PIL.Image.Image'>".into())),
        |x| tensor::erase(x, place, v, inplace),
    )
}

/// Padding with the fill alone.
pub(crate) fn filled_pad<P: Picture>(img: &P, padding: &[i64], fill: &[f64], mode: PaddingMode) -> Result<P::Owned> {
    pad(img, padding, &PadOptions { fill: fill.to_vec(), padding_mode: mode })
}
