//! JPEG, by the crates `jpeg-decoder` and `jpeg-encoder`.

use super::ImageReadMode;
use super::orientation;
use super::pixels::Pixels;
use crate::error::{Error, Result};
use jpeg_decoder::{ColorTransform, Decoder, PixelFormat};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// The pixels of a JPEG file, with the channels of a mode: grey, or RGB.
pub(super) fn decode(data: &[u8], mode: ImageReadMode) -> Result<Pixels> {
    if !data.starts_with(&[0xff, 0xd8]) {
        let [a, b] = [0, 1].map(|i| data.get(i).copied().unwrap_or(0));
        return Err(Error::Value(format!("Not a JPEG file: starts with 0x{a:02x} 0x{b:02x}")));
    }
    // The decoder fills up what is missing at the end; libjpeg's caller in torchvision does not.
    if !data.windows(2).any(|pair| pair == [0xff, 0xd9]) {
        return Err(Error::Value("Image is incomplete or truncated".into()));
    }
    if matches!(mode, ImageReadMode::GrayAlpha | ImageReadMode::RgbAlpha) {
        return Err(Error::Value("The provided mode is not supported for JPEG files".into()));
    }
    let damaged = |e: jpeg_decoder::Error| Error::Value(e.to_string());
    let mut decoder = Decoder::new(data);
    decoder.read_info().map_err(damaged)?;
    let info = decoder.info().ok_or_else(|| Error::Value("the JPEG file has no header".into()))?;
    // Three channels are taken as they are stored and converted here: the decoder's own way is up to a level further from
    // libjpeg's. The grey of a picture is its stored luma.
    if info.pixel_format == PixelFormat::RGB24 {
        decoder.set_color_transform(ColorTransform::RGB);
    }
    let luma = mode == ImageReadMode::Gray && !stored_as_rgb(data);
    let bytes = decoder.decode().map_err(damaged)?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    let (channels, bytes) = match info.pixel_format {
        PixelFormat::L8 => (1, bytes),
        PixelFormat::RGB24 if luma => (1, bytes.into_iter().step_by(3).collect()),
        PixelFormat::RGB24 if stored_as_rgb(data) => (3, bytes),
        PixelFormat::RGB24 => (3, bytes.as_chunks::<3>().0.iter().flat_map(|&colour| to_rgb(colour)).collect()),
        PixelFormat::CMYK32 => (3, bytes.as_chunks::<4>().0.iter().flat_map(|&inks| without_black(inks)).collect()),
        PixelFormat::L16 => return Err(Error::Value("JPEG files of 16 bits are not supported".into())),
    };
    if bytes.len() != width * height * channels {
        return Err(Error::Value(format!("{} bytes for {width}x{height} pixels", bytes.len())));
    }
    let turned = decoder.exif_data().map_or(1, orientation::of_tiff);
    let pixels = Pixels { orientation: turned, ..Pixels::of_bytes(width, height, channels, &bytes) };
    Ok(pixels.converted(mode))
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

/// Whether three channels are RGB, not luma and differences: Adobe's marker says so, or the channels are named so.
fn stored_as_rgb(data: &[u8]) -> bool {
    let (mut at, mut jfif) = (2, false);
    while let Some(&[0xff, marker, high, low]) = data.get(at..at + 4) {
        let length = usize::from(high) << 8 | usize::from(low);
        let Some(segment) = data.get(at + 4..at + 2 + length) else { return false };
        match marker {
            0xe0 => jfif |= segment.starts_with(b"JFIF"),
            0xee if segment.starts_with(b"Adobe") => return segment.get(11) == Some(&0),
            // Frames, but for the tables among their numbers.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                let name = |i: usize| segment.get(6 + 3 * i).copied();
                return !jfif && [name(0), name(1), name(2)] == [Some(b'R'), Some(b'G'), Some(b'B')];
            }
            _ => {}
        }
        at += 2 + length;
    }
    false
}

/// The colour of light that printing inks leave, 255 for none of an ink's light absorbed.
fn without_black([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    [c, m, y].map(|ink| {
        let product = u32::from(ink) * u32::from(k);
        ((product + 127) / 255) as u8
    })
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
