//! Borders around an image.

use super::crop;
use super::place::gather;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::transforms::PaddingMode;

/// `functional_pil.pad`: `[left, top, right, bottom]` pixels on the sides; negative ones are cut off.
pub(crate) fn pad(image: &Image, sides: [i64; 4], fill: &[f64], mode: PaddingMode) -> Result<Image> {
    let [left, top, right, bottom] = sides;
    let (width, height) = (image.width() as i64, image.height() as i64);
    let size = (width + left + right, height + top + bottom);
    let (Ok(w), Ok(h)) = (usize::try_from(size.0), usize::try_from(size.1)) else {
        return Err(Error::Value("Width and height must be >= 0".into()));
    };
    if mode == PaddingMode::Constant {
        let mut out = Image::filled(image.mode(), (w, h), &image.colour(fill)?);
        let bands = image.bands();
        for (i, to) in out.pixels_mut().chunks_exact_mut(bands).enumerate() {
            let (x, y) = ((i % w) as i64 - left, (i / w) as i64 - top);
            if (0..width).contains(&x) && (0..height).contains(&y) {
                to.copy_from_slice(image.pixel(x as usize, y as usize));
            }
        }
        return Ok(out);
    }
    let cut = sides.map(|n| (-n).max(0));
    let (w_left, h_left) = (width - cut[0] - cut[2], height - cut[1] - cut[3]);
    if w_left <= 0 || h_left <= 0 {
        return Err(Error::Value("can't extend empty axis 0 using modes other than 'constant' or 'empty'".into()));
    }
    let inner = crop(image, cut[1], cut[0], h_left as usize, w_left as usize);
    let (left, top) = (left.max(0), top.max(0));
    Ok(gather(&inner, (w, h), |x, y| (mode.source(x as i64 - left, w_left), mode.source(y as i64 - top, h_left))))
}
