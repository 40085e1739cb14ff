//! The transforms as functions: `torchvision.transforms.functional`.
//!
//! Each takes an [`Image`], a [`Tensor`] `[…, c, h, w]` or a [`Sample`](super::Sample), owned or borrowed, and gives the same
//! kind back; what only one of them can do says so. A wrong argument panics at the caller's line with torchvision's message.
//!
//! ```
//! use flambeau_autograd::rand;
//! use flambeau_vision::transforms::functional as F;
//!
//! let x = rand([3, 8, 6]);
//! assert_eq!(F::resize(&x, 3).size(), [3, 4, 3]);
//! assert_eq!(F::rotate_with(&x, 90, |o| o.expand(true)).size(), [3, 6, 8]);
//! assert_eq!(F::to_pil_image(F::hflip(x)).size(), (6, 8));
//! ```

use super::attempt;
use super::options::{
    AffineOptions, BlurOptions, GammaOptions, GrayscaleOptions, ImageOptions, PadOptions, PerspectiveOptions,
    ResizeOptions, RotateOptions, TenCropOptions,
};
use super::picture::Picture;
use super::{pil, tensor};
use crate::image::Image;
use crate::options::{Integers, Numbers};
use flambeau_autograd::arguments::{Int, Number};
use flambeau_autograd::{AsTensor, OrPanic, Tensor};
use flambeau_tensor::DType;

/// Channels, height and width of an image or tensor.
#[track_caller]
pub fn get_dimensions<P: Picture>(img: P) -> [usize; 3] {
    img.view().dimensions().or_panic()
}

/// Width and height of an image or tensor.
#[track_caller]
pub fn get_image_size<P: Picture>(img: P) -> [usize; 2] {
    let [_, h, w] = get_dimensions(img);
    [w, h]
}

/// How many channels an image or tensor has.
#[track_caller]
pub fn get_image_num_channels<P: Picture>(img: P) -> usize {
    get_dimensions(img)[0]
}

/// An image as a tensor `[c, h, w]` of floats from 0 to 1.
#[track_caller]
pub fn to_tensor<P: Picture>(pic: P) -> P::AsTensor {
    P::wrap_tensor(attempt::to_tensor(pic.view()).or_panic())
}

/// An image as a tensor `[c, h, w]` of its bytes.
#[track_caller]
pub fn pil_to_tensor<P: Picture>(pic: P) -> P::AsTensor {
    P::wrap_tensor(attempt::pil_to_tensor(pic.view()).or_panic())
}

/// A tensor of bytes, or of floats from 0 to 1, as an image; the mode follows from the channels.
#[track_caller]
pub fn to_pil_image<P: Picture>(pic: P) -> P::AsImage {
    P::wrap_image(attempt::to_pil_image(pic.view(), None).or_panic())
}

/// [`to_pil_image`] with the option `mode`.
#[track_caller]
pub fn to_pil_image_with<P: Picture>(pic: P, options: impl FnOnce(ImageOptions) -> ImageOptions) -> P::AsImage {
    P::wrap_image(attempt::to_pil_image(pic.view(), options(ImageOptions::default()).mode).or_panic())
}

/// A tensor in another dtype, in which white is white: 255 of uint8 is 1 of float32.
#[track_caller]
pub fn convert_image_dtype(image: impl AsTensor, dtype: DType) -> Tensor {
    tensor::convert_image_dtype(image.as_tensor(), dtype).or_panic()
}

/// (x − mean) / std for each channel of a float tensor.
#[track_caller]
pub fn normalize(x: impl AsTensor, mean: impl Numbers, std: impl Numbers) -> Tensor {
    attempt::normalize(x.as_tensor(), &mean.numbers(), &std.numbers()).or_panic()
}

/// The image with `size` pixels: (height, width), or one integer for the shorter edge. Tensors are interpolated as
/// `F::interpolate` does, images by Pillow's filters.
#[track_caller]
pub fn resize<P: Picture>(img: P, size: impl Integers) -> P::Owned {
    resize_with(img, size, |o| o)
}

/// [`resize`] with options: `interpolation`, `max_size`, `antialias`.
#[track_caller]
pub fn resize_with<P: Picture>(
    img: P,
    size: impl Integers,
    options: impl FnOnce(ResizeOptions) -> ResizeOptions,
) -> P::Owned {
    attempt::resize(&img, &size.integers(), &options(ResizeOptions::default())).or_panic()
}

/// Black around the image: one width for all sides, (left and right, top and bottom), or (left, top, right, bottom).
#[track_caller]
pub fn pad<P: Picture>(img: P, padding: impl Integers) -> P::Owned {
    pad_with(img, padding, |o| o)
}

/// [`pad`] with options: `fill`, `padding_mode`.
#[track_caller]
pub fn pad_with<P: Picture>(
    img: P,
    padding: impl Integers,
    options: impl FnOnce(PadOptions) -> PadOptions,
) -> P::Owned {
    attempt::pad(&img, &padding.integers(), &options(PadOptions::default())).or_panic()
}

/// The box of a height and width whose upper left corner is in row `top` and column `left`; black outside the image.
#[track_caller]
pub fn crop<P: Picture>(img: P, top: impl Int, left: impl Int, height: impl Int, width: impl Int) -> P::Owned {
    attempt::crop(&img, top.to_i64(), left.to_i64(), height.to_i64(), width.to_i64()).or_panic()
}

/// The middle of the image, (height, width) or a square; black where the image is smaller.
#[track_caller]
pub fn center_crop<P: Picture>(img: P, output_size: impl Integers) -> P::Owned {
    attempt::center_crop(&img, &output_size.integers()).or_panic()
}

/// [`crop`], then [`resize`].
#[track_caller]
pub fn resized_crop<P: Picture>(
    img: P,
    top: impl Int,
    left: impl Int,
    height: impl Int,
    width: impl Int,
    size: impl Integers,
) -> P::Owned {
    resized_crop_with(img, top, left, height, width, size, |o| o)
}

/// [`resized_crop`] with options: `interpolation`, `antialias`.
#[track_caller]
pub fn resized_crop_with<P: Picture>(
    img: P,
    top: impl Int,
    left: impl Int,
    height: impl Int,
    width: impl Int,
    size: impl Integers,
    options: impl FnOnce(ResizeOptions) -> ResizeOptions,
) -> P::Owned {
    let cut = attempt::crop(&img, top.to_i64(), left.to_i64(), height.to_i64(), width.to_i64()).or_panic();
    resize_with(cut, size, options)
}

/// Left and right exchanged.
#[track_caller]
pub fn hflip<P: Picture>(img: P) -> P::Owned {
    attempt::flip(&img, false).or_panic()
}

/// Top and bottom exchanged.
#[track_caller]
pub fn vflip<P: Picture>(img: P) -> P::Owned {
    attempt::flip(&img, true).or_panic()
}

/// The four corners and the middle, each of (height, width): upper left, upper right, lower left, lower right, middle.
#[track_caller]
pub fn five_crop<P: Picture>(img: P, size: impl Integers) -> Vec<P::Owned> {
    attempt::five_crop(&img, &size.integers()).or_panic()
}

/// [`five_crop`] of the image and of the image flipped left to right.
#[track_caller]
pub fn ten_crop<P: Picture>(img: P, size: impl Integers) -> Vec<P::Owned> {
    ten_crop_with(img, size, |o| o)
}

/// [`ten_crop`] with the option `vertical_flip`.
#[track_caller]
pub fn ten_crop_with<P: Picture>(
    img: P,
    size: impl Integers,
    options: impl FnOnce(TenCropOptions) -> TenCropOptions,
) -> Vec<P::Owned> {
    let vertical_flip = options(TenCropOptions::default()).vertical_flip;
    attempt::ten_crop(&img, &size.integers(), vertical_flip).or_panic()
}

/// Brighter by a factor; 0 is black, 1 the image.
#[track_caller]
pub fn adjust_brightness<P: Picture>(img: P, factor: impl Number) -> P::Owned {
    let factor = factor.to_f64();
    img.map(|i| Ok(pil::adjust_brightness(i, factor)), |x| tensor::adjust_brightness(x, factor)).or_panic()
}

/// More contrast by a factor; 0 is grey, 1 the image.
#[track_caller]
pub fn adjust_contrast<P: Picture>(img: P, factor: impl Number) -> P::Owned {
    let factor = factor.to_f64();
    img.map(|i| Ok(pil::adjust_contrast(i, factor)), |x| tensor::adjust_contrast(x, factor)).or_panic()
}

/// More colour by a factor; 0 is black and white, 1 the image.
#[track_caller]
pub fn adjust_saturation<P: Picture>(img: P, factor: impl Number) -> P::Owned {
    let factor = factor.to_f64();
    img.map(|i| Ok(pil::adjust_saturation(i, factor)), |x| tensor::adjust_saturation(x, factor)).or_panic()
}

/// Sharper by a factor; 0 is blurred, 1 the image.
#[track_caller]
pub fn adjust_sharpness<P: Picture>(img: P, factor: impl Number) -> P::Owned {
    let factor = factor.to_f64();
    img.map(|i| Ok(pil::adjust_sharpness(i, factor)), |x| tensor::adjust_sharpness(x, factor)).or_panic()
}

/// Hues turned by a part of the full circle, within ±½. Images go through Pillow's HSV mode, tensors through floats.
#[track_caller]
pub fn adjust_hue<P: Picture>(img: P, hue_factor: impl Number) -> P::Owned {
    attempt::adjust_hue(&img, hue_factor.to_f64()).or_panic()
}

/// x^gamma, on values from 0 to 1.
#[track_caller]
pub fn adjust_gamma<P: Picture>(img: P, gamma: impl Number) -> P::Owned {
    adjust_gamma_with(img, gamma, |o| o)
}

/// [`adjust_gamma`] with the option `gain`.
#[track_caller]
pub fn adjust_gamma_with<P: Picture>(
    img: P,
    gamma: impl Number,
    options: impl FnOnce(GammaOptions) -> GammaOptions,
) -> P::Owned {
    attempt::adjust_gamma(&img, gamma.to_f64(), options(GammaOptions::default()).gain).or_panic()
}

/// Black and white, in one channel.
#[track_caller]
pub fn rgb_to_grayscale<P: Picture>(img: P) -> P::Owned {
    rgb_to_grayscale_with(img, |o| o)
}

/// [`rgb_to_grayscale`] with the option `num_output_channels`, 1 or 3.
#[track_caller]
pub fn rgb_to_grayscale_with<P: Picture>(
    img: P,
    options: impl FnOnce(GrayscaleOptions) -> GrayscaleOptions,
) -> P::Owned {
    attempt::rgb_to_grayscale(&img, options(GrayscaleOptions::default()).num_output_channels).or_panic()
}

/// [`rgb_to_grayscale`] of an image.
#[track_caller]
pub fn to_grayscale(img: &Image) -> Image {
    rgb_to_grayscale(img)
}

/// [`to_grayscale`] with the option `num_output_channels`, 1 or 3.
#[track_caller]
pub fn to_grayscale_with(img: &Image, options: impl FnOnce(GrayscaleOptions) -> GrayscaleOptions) -> Image {
    rgb_to_grayscale_with(img, options)
}

/// The image turned counterclockwise by an angle in degrees, around its middle, into its own size.
#[track_caller]
pub fn rotate<P: Picture>(img: P, angle: impl Number) -> P::Owned {
    rotate_with(img, angle, |o| o)
}

/// [`rotate`] with options: `interpolation`, `expand`, `center`, `fill`.
#[track_caller]
pub fn rotate_with<P: Picture>(
    img: P,
    angle: impl Number,
    options: impl FnOnce(RotateOptions) -> RotateOptions,
) -> P::Owned {
    attempt::rotate(&img, angle.to_f64(), &options(RotateOptions::default())).or_panic()
}

/// The image turned (clockwise, degrees), shifted (pixels to the right and down), scaled and sheared (degrees along x and y).
#[track_caller]
pub fn affine<P: Picture>(
    img: P,
    angle: impl Number,
    translate: impl Numbers,
    scale: impl Number,
    shear: impl Numbers,
) -> P::Owned {
    affine_with(img, angle, translate, scale, shear, |o| o)
}

/// [`affine`] with options: `interpolation`, `fill`, `center`.
#[track_caller]
pub fn affine_with<P: Picture>(
    img: P,
    angle: impl Number,
    translate: impl Numbers,
    scale: impl Number,
    shear: impl Numbers,
    options: impl FnOnce(AffineOptions) -> AffineOptions,
) -> P::Owned {
    let translate = match translate.numbers()[..] {
        [x, y] => [x, y],
        _ => panic!("Argument translate should be a sequence of length 2"),
    };
    let shear = match shear.numbers()[..] {
        [x] => [x, 0.0],
        [x, y] => [x, y],
        ref other => panic!("Shear should be a sequence containing two values. Got {other:?}"),
    };
    let options = options(AffineOptions::default());
    attempt::affine(&img, angle.to_f64(), translate, scale.to_f64(), shear, &options).or_panic()
}

/// The perspective that moves four corners `[x, y]` from the start points to the end points.
#[track_caller]
pub fn perspective<P: Picture>(img: P, startpoints: &[[i64; 2]], endpoints: &[[i64; 2]]) -> P::Owned {
    perspective_with(img, startpoints, endpoints, |o| o)
}

/// [`perspective`] with options: `interpolation`, `fill`.
#[track_caller]
pub fn perspective_with<P: Picture>(
    img: P,
    startpoints: &[[i64; 2]],
    endpoints: &[[i64; 2]],
    options: impl FnOnce(PerspectiveOptions) -> PerspectiveOptions,
) -> P::Owned {
    attempt::perspective(&img, startpoints, endpoints, &options(PerspectiveOptions::default())).or_panic()
}

/// Each pixel from the place `displacement` `[1, h, w, 2]` (x, y; 2 is the whole image) away from it.
#[track_caller]
pub fn elastic_transform<P: Picture>(img: P, displacement: impl AsTensor) -> P::Owned {
    elastic_transform_with(img, displacement, |o| o)
}

/// [`elastic_transform`] with options: `interpolation`, `fill`.
#[track_caller]
pub fn elastic_transform_with<P: Picture>(
    img: P,
    displacement: impl AsTensor,
    options: impl FnOnce(PerspectiveOptions) -> PerspectiveOptions,
) -> P::Owned {
    attempt::elastic_transform(&img, displacement.as_tensor(), &options(PerspectiveOptions::default())).or_panic()
}

/// The image blurred by a Gaussian over an odd number of pixels, one for both directions or (x, y).
#[track_caller]
pub fn gaussian_blur<P: Picture>(img: P, kernel_size: impl Integers) -> P::Owned {
    gaussian_blur_with(img, kernel_size, |o| o)
}

/// [`gaussian_blur`] with the option `sigma`.
#[track_caller]
pub fn gaussian_blur_with<P: Picture>(
    img: P,
    kernel_size: impl Integers,
    options: impl FnOnce(BlurOptions) -> BlurOptions,
) -> P::Owned {
    attempt::gaussian_blur(&img, &kernel_size.integers(), &options(BlurOptions::default())).or_panic()
}

/// White minus the image.
#[track_caller]
pub fn invert<P: Picture>(img: P) -> P::Owned {
    img.map(pil::invert, tensor::invert).or_panic()
}

/// The upper `bits` bits of each byte.
#[track_caller]
pub fn posterize<P: Picture>(img: P, bits: impl Int) -> P::Owned {
    attempt::posterize(&img, bits.to_i64()).or_panic()
}

/// Values from the threshold on, inverted.
#[track_caller]
pub fn solarize<P: Picture>(img: P, threshold: impl Number) -> P::Owned {
    let threshold = threshold.to_f64();
    img.map(|i| pil::solarize(i, threshold), |x| tensor::solarize(x, threshold)).or_panic()
}

/// Each channel stretched from black to white.
#[track_caller]
pub fn autocontrast<P: Picture>(img: P) -> P::Owned {
    img.map(pil::autocontrast, tensor::autocontrast).or_panic()
}

/// Each channel's histogram equalized; tensors are of bytes.
#[track_caller]
pub fn equalize<P: Picture>(img: P) -> P::Owned {
    img.map(pil::equalize, tensor::equalize).or_panic()
}

/// The tensor with `v`, broadcast, in the box of height h and width w at row i and column j.
#[track_caller]
pub fn erase(img: impl AsTensor, i: impl Int, j: impl Int, h: impl Int, w: impl Int, v: impl AsTensor) -> Tensor {
    let place = [i.to_i64(), j.to_i64(), h.to_i64(), w.to_i64()];
    tensor::erase(img.as_tensor(), place, v.as_tensor(), false).or_panic()
}
