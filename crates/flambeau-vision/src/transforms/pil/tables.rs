//! Changes of each value by itself: `PIL.ImageOps` and `image.point`.

use crate::error::{Error, Result};
use crate::image::{Image, Mode};

/// What `ImageOps` does, which knows no alpha.
fn without_alpha(image: &Image, f: impl Fn(usize, u8) -> u8) -> Result<Image> {
    if image.mode() == Mode::RGBA { Err(image.unsupported()) } else { Ok(image.map_bytes(f)) }
}

/// `ImageOps.invert`.
pub(crate) fn invert(image: &Image) -> Result<Image> {
    without_alpha(image, |_, v| 255 - v)
}

/// `ImageOps.posterize`: the upper `bits` bits.
pub(crate) fn posterize(image: &Image, bits: i64) -> Result<Image> {
    if bits == 0 {
        return Err(Error::Value("bits must be between or equal to 1 and 8".into()));
    }
    let mask = !((1u32 << (8 - bits)) - 1) as u8;
    without_alpha(image, |_, v| v & mask)
}

/// `ImageOps.solarize`: values from the threshold on, inverted.
pub(crate) fn solarize(image: &Image, threshold: f64) -> Result<Image> {
    without_alpha(image, |_, v| if f64::from(v) < threshold { v } else { 255 - v })
}

/// One table for each band, from the band's histogram.
fn by_histogram(image: &Image, table: impl Fn([usize; 256]) -> [u8; 256]) -> Result<Image> {
    let tables: Vec<_> = (0..image.bands()).map(|band| table(image.histogram(band))).collect();
    without_alpha(image, |band, v| tables[band][usize::from(v)])
}

fn unchanged() -> [u8; 256] {
    std::array::from_fn(|v| v as u8)
}

/// `ImageOps.autocontrast`: each band stretched to 0 … 255.
pub(crate) fn autocontrast(image: &Image) -> Result<Image> {
    by_histogram(image, |counts| {
        let low = counts.iter().position(|&n| n > 0).unwrap_or(255);
        let high = counts.iter().rposition(|&n| n > 0).unwrap_or(0);
        if high <= low {
            return unchanged();
        }
        let scale = 255.0 / (high - low) as f64;
        let offset = -(low as f64) * scale;
        std::array::from_fn(|v| (v as f64 * scale + offset) as u8)
    })
}

/// `ImageOps.equalize`: about as many pixels of each value.
pub(crate) fn equalize(image: &Image) -> Result<Image> {
    by_histogram(image, |counts| {
        let mut used = counts.iter().filter(|&&n| n > 0);
        let last = used.next_back().copied().unwrap_or(0);
        let step = used.sum::<usize>() / 255;
        // `last` alone is a band of one value.
        if step == 0 {
            return unchanged();
        }
        debug_assert!(last > 0);
        let mut below = step / 2;
        counts.map(|n| {
            let value = below / step;
            below += n;
            value.min(255) as u8
        })
    })
}

/// `functional_pil.adjust_gamma`: 255 · gain · (v / 255)^gamma. An alpha band comes back opaque.
pub(crate) fn adjust_gamma(image: &Image, gamma: f64, gain: f64) -> Image {
    let table: [u8; 256] =
        std::array::from_fn(|v| ((255.0 + 1.0 - 1e-3) * gain * (v as f64 / 255.0).powf(gamma)) as u8);
    let rgb = if image.mode() == Mode::RGBA { &image.convert(Mode::RGB) } else { image };
    rgb.map_bytes(|_, v| table[usize::from(v)]).convert(image.mode())
}
