//! Flips, quarter turns and crops.

use crate::image::Image;

/// An image of `size` whose pixel (x, y) is the source's `at(x, y)`, black where that lies outside.
pub(super) fn gather(image: &Image, size: (usize, usize), at: impl Fn(usize, usize) -> (i64, i64)) -> Image {
    let (width, height) = (image.width() as i64, image.height() as i64);
    let mut out = Image::filled(image.mode(), size, &vec![0; image.bands()]);
    let bands = image.bands();
    for (i, to) in out.pixels_mut().chunks_exact_mut(bands).enumerate() {
        let (x, y) = at(i % size.0, i / size.0);
        if (0..width).contains(&x) && (0..height).contains(&y) {
            to.copy_from_slice(image.pixel(x as usize, y as usize));
        }
    }
    out
}

/// Left and right exchanged.
pub(crate) fn hflip(image: &Image) -> Image {
    gather(image, image.size(), |x, y| ((image.width() - 1 - x) as i64, y as i64))
}

/// Top and bottom exchanged.
pub(crate) fn vflip(image: &Image) -> Image {
    gather(image, image.size(), |x, y| (x as i64, (image.height() - 1 - y) as i64))
}

/// Turned by quarters, counterclockwise.
pub(crate) fn rotate_quarters(image: &Image, quarters: usize) -> Image {
    let (w, h) = image.size();
    let (last_x, last_y) = (w as i64 - 1, h as i64 - 1);
    match quarters % 4 {
        0 => image.clone(),
        1 => gather(image, (h, w), |x, y| (last_x - y as i64, x as i64)),
        2 => gather(image, (w, h), |x, y| (last_x - x as i64, last_y - y as i64)),
        _ => gather(image, (h, w), |x, y| (y as i64, last_y - x as i64)),
    }
}

/// The box with its upper left corner in row `top` and column `left`; black outside the image.
pub(crate) fn crop(image: &Image, top: i64, left: i64, height: usize, width: usize) -> Image {
    gather(image, (width, height), |x, y| (left + x as i64, top + y as i64))
}
