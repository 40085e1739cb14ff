//! PNG, by the crate `png`.

use super::ImageReadMode;
use super::orientation;
use super::pixels::Pixels;
use crate::error::{Error, Result};
use ::png::{BitDepth, ColorType, Decoder, DeflateCompression, Encoder, Filter, Transformations};
use std::io::Cursor;

/// What the decoder says, as an error about the file.
fn damaged(error: ::png::DecodingError) -> Error {
    Error::Value(match error {
        ::png::DecodingError::IoError(_) => {
            "Out of bound read in decode_png. Probably, the input image is corrupted".to_owned()
        }
        other => other.to_string(),
    })
}

/// Reads all pixels; palettes become colours, unless their indices are wanted.
fn read(data: &[u8], indices: bool) -> Result<Pixels> {
    if !data.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Err(Error::Value("Content is not png!".into()));
    }
    let mut decoder = Decoder::new(Cursor::new(data));
    decoder.set_transformations(if indices { Transformations::IDENTITY } else { Transformations::EXPAND });
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    let (width, height) = (info.width as usize, info.height as usize);
    let (kind, depth) = (info.color_type, info.bit_depth);
    let turned = info.exif_metadata.as_deref().map_or(1, orientation::of_tiff);
    let too_large = || Error::Value(format!("an image of {width}x{height} pixels is too large"));
    // Deflate makes at most 1032 bytes of one: a header alone cannot make a huge buffer.
    let row = width.saturating_mul(kind.samples() * depth as usize).div_ceil(8);
    if data.len().saturating_mul(1100) < height.saturating_mul(1 + row) {
        return Err(damaged(::png::DecodingError::IoError(std::io::ErrorKind::UnexpectedEof.into())));
    }
    let mut buffer = vec![0; reader.output_buffer_size().ok_or_else(too_large)?];
    let frame = reader.next_frame(&mut buffer).map_err(damaged)?;
    buffer.truncate(frame.buffer_size());
    let mut pixels = if indices && depth != BitDepth::Eight {
        Pixels::of_bytes(width, height, 1, &unpacked(&buffer, width, frame.line_size, depth as usize))
    } else if frame.bit_depth == BitDepth::Sixteen {
        let values = buffer.as_chunks::<2>().0.iter().map(|&b| u16::from_be_bytes(b)).collect();
        Pixels { width, height, channels: frame.color_type.samples(), values, bits: 16, orientation: 1 }
    } else {
        Pixels::of_bytes(width, height, frame.color_type.samples(), &buffer)
    };
    pixels.orientation = turned;
    // A colour that is to be transparent is not alpha for torchvision; only a palette's is.
    let transparent_colour = match kind {
        ColorType::Grayscale => pixels.channels == 2,
        ColorType::Rgb => pixels.channels == 4,
        _ => false,
    };
    Ok(match (transparent_colour, kind) {
        (true, ColorType::Grayscale) => pixels.converted(ImageReadMode::Gray),
        (true, _) => pixels.converted(ImageReadMode::Rgb),
        _ => pixels,
    })
}

/// Indices of 1, 2 or 4 bits as bytes.
fn unpacked(buffer: &[u8], width: usize, line: usize, depth: usize) -> Vec<u8> {
    let mask = (1u16 << depth) - 1;
    let value = |row: &[u8], x: usize| {
        let bit = x * depth;
        (u16::from(row[bit / 8]) >> (8 - depth - bit % 8) & mask) as u8
    };
    buffer.chunks_exact(line.max(1)).flat_map(|row| (0..width).map(move |x| value(row, x))).collect()
}

/// The pixels of a PNG file, with the channels of a mode. Unchanged, a palette gives its indices.
pub(super) fn decode(data: &[u8], mode: ImageReadMode) -> Result<Pixels> {
    // The colour type is the 26th byte.
    let palette = data.get(25) == Some(&3);
    Ok(read(data, palette && mode == ImageReadMode::Unchanged)?.converted(mode))
}

/// The pixels of a PNG file as colours, also of a palette.
pub(super) fn decode_colours(data: &[u8]) -> Result<Pixels> {
    read(data, false)
}

/// A PNG file of pixels of 1, 3 or 4 channels.
pub(super) fn encode(pixels: &Pixels, level: u8) -> Result<Vec<u8>> {
    let size = (u32::try_from(pixels.width), u32::try_from(pixels.height));
    let (Ok(width), Ok(height)) = size else { return Err(Error::Value("the image is too large for PNG".into())) };
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, width, height);
    encoder.set_color(match pixels.channels {
        1 => ColorType::Grayscale,
        3 => ColorType::Rgb,
        _ => ColorType::Rgba,
    });
    encoder.set_depth(BitDepth::Eight);
    encoder.set_deflate_compression(DeflateCompression::Level(level));
    encoder.set_filter(Filter::Adaptive);
    let failed = |e: ::png::EncodingError| Error::Value(e.to_string());
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&pixels.bytes()).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}
