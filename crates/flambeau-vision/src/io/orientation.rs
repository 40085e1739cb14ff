//! How a camera was held: EXIF's tag 0x0112.

use super::pixels::Pixels;

/// The orientation, 1 to 8, in EXIF data, which are a TIFF header and its first directory; 1 where they say nothing.
pub(super) fn of_tiff(data: &[u8]) -> u8 {
    find(data).filter(|n| (1..=8).contains(n)).unwrap_or(1)
}

fn find(data: &[u8]) -> Option<u8> {
    let data = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
    let big = match data.get(..2)? {
        b"MM" => true,
        b"II" => false,
        _ => return None,
    };
    let number = |at: usize, n: usize| -> Option<usize> {
        let bytes = data.get(at..at.checked_add(n)?)?;
        let fold = |value: usize, &byte: &u8| value << 8 | usize::from(byte);
        Some(if big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    };
    let directory = number(4, 4)?;
    let count = number(directory, 2)?;
    let mut entries = (0..count).map(|i| directory + 2 + 12 * i);
    let entry = entries.find(|&at| number(at, 2) == Some(0x0112))?;
    number(entry + 8, 2).map(|n| n as u8)
}

/// The pixels upright.
pub(super) fn applied(pixels: Pixels) -> Pixels {
    let (w, h, c) = (pixels.width, pixels.height, pixels.channels);
    let turned = pixels.orientation >= 5;
    let (width, height) = if turned { (h, w) } else { (w, h) };
    let source = |x: usize, y: usize| match pixels.orientation {
        2 => (w - 1 - x, y),
        3 => (w - 1 - x, h - 1 - y),
        4 => (x, h - 1 - y),
        5 => (y, x),
        6 => (y, h - 1 - x),
        7 => (w - 1 - y, h - 1 - x),
        8 => (w - 1 - y, x),
        _ => (x, y),
    };
    let mut values = Vec::with_capacity(pixels.values.len());
    for y in 0..height {
        for x in 0..width {
            let (x, y) = source(x, y);
            values.extend(&pixels.values[(y * w + x) * c..][..c]);
        }
    }
    Pixels { width, height, values, orientation: 1, ..pixels }
}
