//! What Pillow does to images of bytes, value for value.

mod colour;
mod edges;
mod place;
mod resample;
mod tables;
mod warp;

pub(crate) use colour::{
    adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, adjust_sharpness, to_grayscale,
};
pub(crate) use edges::pad;
pub(crate) use place::{crop, hflip, rotate_quarters, vflip};
pub(crate) use resample::resize;
pub(crate) use tables::{adjust_gamma, autocontrast, equalize, invert, posterize, solarize};
pub(crate) use warp::{affine, perspective, rotate};

use crate::image::Image;

/// Colours multiplied with alpha, as images are filtered that have one.
fn premultiplied(image: &Image) -> Image {
    through_pixels(image, |pixel| {
        let alpha = u32::from(pixel[3]);
        pixel[..3].iter_mut().for_each(|v| {
            let product = u32::from(*v) * alpha + 128;
            *v = (((product >> 8) + product) >> 8) as u8;
        });
    })
}

/// The inverse of [`premultiplied`].
fn unpremultiplied(image: &Image) -> Image {
    through_pixels(image, |pixel| {
        let alpha = u32::from(pixel[3]);
        if alpha != 0 && alpha != 255 {
            pixel[..3].iter_mut().for_each(|v| *v = (255 * u32::from(*v) / alpha).min(255) as u8);
        }
    })
}

fn through_pixels(image: &Image, f: impl Fn(&mut [u8])) -> Image {
    let mut out = image.clone();
    out.pixels_mut().chunks_exact_mut(4).for_each(f);
    out
}
