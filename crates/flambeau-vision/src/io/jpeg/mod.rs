//! JPEG: read here, value for value as libjpeg reads it; written by the crate `jpeg-encoder`.

mod bits;
mod decode;
mod scan;
mod standard;
mod transform;

use super::ImageReadMode;
use super::orientation;
use super::pixels::Pixels;
use crate::error::{Error, Result};
use decode::Picture;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// The pixels of a JPEG file, with the channels of a mode: grey, or RGB.
pub(super) fn decode(data: &[u8], mode: ImageReadMode) -> Result<Pixels> {
    if !data.starts_with(&[0xff, 0xd8]) {
        let [a, b] = [0, 1].map(|i| data.get(i).copied().unwrap_or(0));
        return Err(Error::Value(format!("Not a JPEG file: starts with 0x{a:02x} 0x{b:02x}")));
    }
    if matches!(mode, ImageReadMode::GrayAlpha | ImageReadMode::RgbAlpha) {
        return Err(Error::Value("The provided mode is not supported for JPEG files".into()));
    }
    let picture = decode::read(data).map_err(Error::Value)?;
    let (width, height) = (picture.width, picture.height);
    // As libjpeg guesses: JFIF is luma and differences, whatever else the file says.
    let stored_as_rgb = !picture.jfif && picture.adobe.map_or(picture.named_rgb, |transform| transform == 0);
    // The grey of a picture is its luma as it is stored.
    let luma = mode == ImageReadMode::Gray && !stored_as_rgb && picture.planes.len() == 3;
    let bytes = match &picture.planes[..] {
        [grey] => grey.clone(),
        [first, ..] if luma => first.clone(),
        // libjpeg's grey of stored RGB is Pillow's, not the one of PNGs.
        [_, _, _] if mode == ImageReadMode::Gray => {
            colours(&picture, stored_as_rgb).as_chunks::<3>().0.iter().map(|rgb| crate::image::luma(rgb)).collect()
        }
        _ => colours(&picture, stored_as_rgb),
    };
    let channels = bytes.len() / (width * height);
    let orientation = orientation::of_tiff(&picture.exif);
    let pixels = Pixels { orientation, ..Pixels::of_bytes(width, height, channels, &bytes) };
    Ok(pixels.converted(mode))
}

/// RGB of three planes, or of four with black.
fn colours(picture: &Picture, stored_as_rgb: bool) -> Vec<u8> {
    let planes = &picture.planes;
    let mut out = Vec::with_capacity(3 * picture.width * picture.height);
    for i in 0..picture.width * picture.height {
        let stored = [planes[0][i], planes[1][i], planes[2][i]];
        let Some(black) = planes.get(3) else {
            out.extend(if stored_as_rgb { stored } else { to_rgb(stored) });
            continue;
        };
        // Adobe stores inks inverted, 255 for none, and may store them as luma and differences.
        let light = match picture.adobe {
            Some(0) => stored,
            Some(_) => to_rgb(stored).map(|ink| 255 - ink),
            None => stored.map(|ink| 255 - ink),
        };
        let black = if picture.adobe.is_some() { black[i] } else { 255 - black[i] };
        out.extend(light.map(|v| ((u32::from(v) * u32::from(black) + 127) / 255) as u8));
    }
    out
}

/// Luma and two differences as RGB, in libjpeg's 16-bit fixed point.
fn to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let [y, cb, cr] = [i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128];
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|v| v.clamp(0, 255) as u8)
}

/// A JPEG file of pixels of 1, 3 or 4 channels; alpha is left out.
pub(super) fn encode(pixels: &Pixels, quality: u8) -> Result<Vec<u8>> {
    let size = (u16::try_from(pixels.width), u16::try_from(pixels.height));
    let (Ok(width), Ok(height)) = size else { return Err(Error::Value("the image is too large for JPEG".into())) };
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, quality);
    // As libjpeg does at every quality.
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    let kind = match pixels.channels {
        1 => ColorType::Luma,
        3 => ColorType::Rgb,
        _ => ColorType::Rgba,
    };
    encoder.encode(&pixels.bytes(), width, height, kind).map_err(|e| Error::Value(e.to_string()))?;
    Ok(out)
}
