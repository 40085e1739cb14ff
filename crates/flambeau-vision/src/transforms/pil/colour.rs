//! Brightness, contrast, saturation, sharpness and hue, as `PIL.ImageEnhance` and the HSV mode change them.

use crate::image::{Image, Mode};

/// `Image.blend(from, to, factor)`: beyond 0 … 1 it goes on in the same direction.
fn blend(from: &Image, to: &Image, factor: f64) -> Image {
    let factor = factor as f32;
    let mut out = from.clone();
    for (v, &to) in out.pixels_mut().iter_mut().zip(to.pixels()) {
        let (a, b) = (i32::from(*v), i32::from(to));
        // The cast clamps to 0 … 255 and cuts what is after the point.
        *v = (a as f32 + factor * (b - a) as f32) as u8;
    }
    out
}

/// `ImageEnhance.Brightness(image).enhance(factor)`.
pub(crate) fn adjust_brightness(image: &Image, factor: f64) -> Image {
    let black = Image::filled(image.mode(), image.size(), &vec![0; image.bands()]);
    blend(&black.with_alpha_of(image), image, factor)
}

/// `ImageEnhance.Contrast(image).enhance(factor)`.
pub(crate) fn adjust_contrast(image: &Image, factor: f64) -> Image {
    let grey = image.convert(Mode::L);
    let sum: u64 = grey.pixels().iter().map(|&v| u64::from(v)).sum();
    let mean = (sum as f64 / grey.pixels().len() as f64 + 0.5) as u8;
    let flat = Image::filled(Mode::L, image.size(), &[mean]).convert(image.mode());
    blend(&flat.with_alpha_of(image), image, factor)
}

/// `ImageEnhance.Color(image).enhance(factor)`.
pub(crate) fn adjust_saturation(image: &Image, factor: f64) -> Image {
    let grey = image.convert(Mode::L).convert(image.mode());
    blend(&grey.with_alpha_of(image), image, factor)
}

/// `ImageEnhance.Sharpness(image).enhance(factor)`.
pub(crate) fn adjust_sharpness(image: &Image, factor: f64) -> Image {
    blend(&smoothed(image).with_alpha_of(image), image, factor)
}

/// `image.filter(ImageFilter.SMOOTH)`: each inner pixel's mean with its neighbours, itself five times.
fn smoothed(image: &Image) -> Image {
    let (width, height) = image.size();
    let bands = image.bands();
    let mut out = image.clone();
    if width < 3 || height < 3 {
        return out;
    }
    let (one, five) = (1.0f32 / 13.0, 5.0f32 / 13.0);
    let length = width * bands;
    for y in 1..height - 1 {
        let [above, here, below] = [y - 1, y, y + 1].map(|y| image.row(y));
        for i in bands..length - bands {
            let three = |row: &[u8], middle: f32| {
                let [a, b, c] = [i - bands, i, i + bands].map(|i| f32::from(row[i]));
                a * one + b * middle + c * one
            };
            let sum = 0.5 + three(below, one) + three(here, five) + three(above, one);
            out.pixels_mut()[y * length + i] = sum as u8;
        }
    }
    out
}

/// `functional_pil.to_grayscale`, with 1 or 3 equal channels.
pub(crate) fn to_grayscale(image: &Image, channels: usize) -> Image {
    let grey = image.convert(Mode::L);
    if channels == 1 { grey } else { grey.convert(Mode::RGB) }
}

/// The hue turned by `factor` of a full turn, in Pillow's HSV mode. Grey images stay as they are.
pub(crate) fn adjust_hue(image: &Image, factor: f64) -> Image {
    if image.mode() == Mode::L {
        return image.clone();
    }
    // Hues are bytes, which wrap around.
    let turn = (factor * 255.0) as i32 as u8;
    // As Pillow goes through HSV, an alpha band is lost there and comes back opaque.
    let mut out = image.convert(Mode::RGB);
    for pixel in out.pixels_mut().as_chunks_mut::<3>().0 {
        let [h, s, v] = to_hsv(*pixel);
        *pixel = to_rgb([h.wrapping_add(turn), s, v]);
    }
    out.convert(image.mode())
}

// Pillow computes in float32 and rounds to it after each step in float64, so these do.
fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let saturation = range / f32::from(most);
    let [rc, gc, bc] = [r, g, b].map(|v| f32::from(most - v) / range);
    let sector = |base: f64, plus: f32, minus: f32| (base + f64::from(plus) - f64::from(minus)) as f32;
    let hue = if r == most {
        bc - gc
    } else if g == most {
        sector(2.0, rc, bc)
    } else {
        sector(4.0, gc, rc)
    };
    let hue = ((f64::from(hue) / 6.0 + 1.0) % 1.0) as f32;
    let byte = |v: f32| (f64::from(v) * 255.0) as u8;
    [byte(hue), byte(saturation), most]
}

fn to_rgb([h, s, v]: [u8; 3]) -> [u8; 3] {
    if s == 0 {
        return [v; 3];
    }
    let place = f64::from(h) * 6.0 / 255.0;
    let sector = place.floor();
    let f = f64::from((place - sector) as f32);
    let s = f64::from((f64::from(s) / 255.0) as f32);
    let byte = |share: f64| (f64::from(v) * share).round() as u8;
    let (p, q, t) = (byte(1.0 - s), byte(1.0 - f64::from((s * f) as f32)), byte(1.0 - s * (1.0 - f)));
    match sector as i32 % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}
