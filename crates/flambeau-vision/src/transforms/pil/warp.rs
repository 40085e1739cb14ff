//! Affine and perspective maps, as `Image.transform` and `Image.rotate` do them.

use super::{premultiplied, rotate_quarters, unpremultiplied};
use crate::error::{Error, Result};
use crate::image::{Image, Mode};
use crate::transforms::InterpolationMode;

/// Where an output pixel's centre (x, y) lies on the source.
type Map<'a> = &'a dyn Fn(f64, f64) -> (f64, f64);

/// The value of each band at a place on the source, written to the pixel; nothing outside.
type Sampler = fn(&Image, f64, f64, &mut [u8]);

fn sampler(mode: InterpolationMode) -> Result<Sampler> {
    match mode {
        InterpolationMode::Nearest | InterpolationMode::NearestExact => Ok(nearest),
        InterpolationMode::Bilinear => {
            Ok(|image, x, y, to| interpolated(image, x, y, to, [0, 1], |v, d| v[0] + (v[1] - v[0]) * d))
        }
        InterpolationMode::Bicubic => Ok(|image, x, y, to| interpolated(image, x, y, to, [-1, 0, 1, 2], cubic)),
        InterpolationMode::Box | InterpolationMode::Hamming | InterpolationMode::Lanczos => {
            let name = ["BOX", "HAMMING", "LANCZOS"][match mode {
                InterpolationMode::Box => 0,
                InterpolationMode::Hamming => 1,
                _ => 2,
            }];
            Err(Error::Value(format!(
                "Image.Resampling.{name} cannot be used. Use Image.Resampling.NEAREST (0), Image.Resampling.BILINEAR (2) or \
                 Image.Resampling.BICUBIC (3)"
            )))
        }
    }
}

fn inside(image: &Image, x: f64, y: f64) -> bool {
    x >= 0.0 && x < image.width() as f64 && y >= 0.0 && y < image.height() as f64
}

fn nearest(image: &Image, x: f64, y: f64, to: &mut [u8]) {
    if inside(image, x, y) {
        to.copy_from_slice(image.pixel(x as usize, y as usize));
    }
}

/// The cubic through four neighbours, a = −1.
fn cubic(v: [f64; 4], d: f64) -> f64 {
    let slope = -v[0] + v[2];
    let square = 2.0 * (v[0] - v[1]) + v[2] - v[3];
    let cube = -v[0] + v[1] - v[2] + v[3];
    v[1] + d * (slope + d * (square + d * cube))
}

/// A curve through N columns in each of N rows, then one through the rows. Columns outside are the outermost, a row outside
/// is the row before it; the first row is clamped.
fn interpolated<const N: usize>(
    image: &Image,
    x: f64,
    y: f64,
    to: &mut [u8],
    steps: [i64; N],
    curve: fn([f64; N], f64) -> f64,
) {
    if !inside(image, x, y) {
        return;
    }
    let (x, y) = (x - 0.5, y - 0.5);
    let (column, row) = (x.floor(), y.floor());
    let (dx, dy) = (x - column, y - row);
    let (last_column, last_row) = (image.width() as i64 - 1, image.height() as i64 - 1);
    let columns = steps.map(|step| (column as i64 + step).clamp(0, last_column) as usize);
    let rows = steps.map(|step| row as i64 + step);
    for (band, value) in to.iter_mut().enumerate() {
        let along = |row: i64| curve(columns.map(|x| f64::from(image.pixel(x, row as usize)[band])), dx);
        let mut before = along(rows[0].clamp(0, last_row));
        let mut values = [before; N];
        for (slot, &row) in values.iter_mut().zip(&rows).skip(1) {
            if (0..=last_row).contains(&row) {
                before = along(row);
            }
            *slot = before;
        }
        // Casts clamp to 0 … 255 and cut what is after the point.
        *value = curve(values, dy) as u8;
    }
}

/// `image.transform(size, …)`: what `map` finds on the source, over an image of the fill's colour.
fn warped(image: &Image, size: (usize, usize), map: Map<'_>, mode: InterpolationMode, fill: &[u8]) -> Result<Image> {
    let sampler = sampler(mode)?;
    let blended = image.mode() == Mode::RGBA && !mode.is_nearest();
    let source = if blended { &premultiplied(image) } else { image };
    let mut out = Image::filled(image.mode(), size, fill);
    for (i, to) in out.pixels_mut().chunks_exact_mut(image.bands()).enumerate() {
        let (x, y) = map((i % size.0) as f64 + 0.5, (i / size.0) as f64 + 0.5);
        sampler(source, x, y, to);
    }
    Ok(if blended { unpremultiplied(&out) } else { out })
}

/// `image.transform(size, AFFINE, matrix)`; the matrix maps output places to source places.
fn transformed(
    image: &Image,
    size: (usize, usize),
    m: [f64; 6],
    mode: InterpolationMode,
    fill: &[u8],
) -> Result<Image> {
    if !mode.is_nearest() {
        return warped(image, size, &|x, y| (m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]), mode, fill);
    }
    let mut out = Image::filled(image.mode(), size, fill);
    let corners = [(0, 0), (size.0, 0), (0, size.1), size];
    let small = corners.iter().all(|&(x, y)| {
        let (x, y) = (x as f64, y as f64);
        (x * m[0] + y * m[1] + m[2]).abs() < 32768.0 && (x * m[3] + y * m[4] + m[5]).abs() < 32768.0
    });
    // Pillow's three ways for the nearest pixel, which round in three ways: tables of columns and rows where nothing turns,
    // fixed point, and sums of floats where fixed point would overflow.
    if m[1] == 0.0 && m[3] == 0.0 {
        let places = |count: usize, start: f64, step: f64| -> Vec<f64> {
            std::iter::successors(Some(start), |place| Some(place + step)).take(count).collect()
        };
        let xs = places(size.0, m[2] + m[0] * 0.5, m[0]);
        let ys = places(size.1, m[5] + m[4] * 0.5, m[4]);
        copy_each(image, &mut out, |x, y| (xs[x], ys[y]));
    } else if small {
        let fixed = |v: f64| (v * 65536.0 + 0.5).floor() as i64;
        let a = m.map(fixed);
        let (start_x, start_y) = (fixed(m[2] + m[0] * 0.5 + m[1] * 0.5), fixed(m[5] + m[3] * 0.5 + m[4] * 0.5));
        let whole = |v: i64| (v >> 16) as f64;
        copy_each(image, &mut out, |x, y| {
            let (x, y) = (x as i64, y as i64);
            (whole(start_x + x * a[0] + y * a[1]), whole(start_y + x * a[3] + y * a[4]))
        });
    } else {
        copy_each(image, &mut out, |x, y| {
            let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
            (m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5])
        });
    }
    Ok(out)
}

fn copy_each(image: &Image, out: &mut Image, at: impl Fn(usize, usize) -> (f64, f64)) {
    let (width, bands) = (out.width(), image.bands());
    for (i, to) in out.pixels_mut().chunks_exact_mut(bands).enumerate() {
        let (x, y) = at(i % width, i / width);
        nearest(image, x, y, to);
    }
}

/// An affine map of the image onto one of its size: `functional_pil.affine`.
pub(crate) fn affine(image: &Image, matrix: [f64; 6], mode: InterpolationMode, fill: &[f64]) -> Result<Image> {
    transformed(image, image.size(), matrix, mode, &image.colour(fill)?)
}

/// A perspective map given by its eight coefficients: `functional_pil.perspective`.
pub(crate) fn perspective(image: &Image, a: [f64; 8], mode: InterpolationMode, fill: &[f64]) -> Result<Image> {
    let map = |x: f64, y: f64| {
        let w = a[6] * x + a[7] * y + 1.0;
        ((a[0] * x + a[1] * y + a[2]) / w, (a[3] * x + a[4] * y + a[5]) / w)
    };
    warped(image, image.size(), &map, mode, &image.colour(fill)?)
}

/// A number as it is to 15 decimals.
fn to_15_decimals(v: f64) -> f64 {
    format!("{v:.15}").parse().unwrap_or(v)
}

/// `image.rotate(angle, resample, expand, center, fillcolor=fill)`: counterclockwise, in degrees.
pub(crate) fn rotate(
    image: &Image,
    angle: f64,
    mode: InterpolationMode,
    expand: bool,
    center: Option<[f64; 2]>,
    fill: &[f64],
) -> Result<Image> {
    let fill = image.colour(fill)?;
    let angle = angle.rem_euclid(360.0);
    let (width, height) = image.size();
    if center.is_none() {
        match angle {
            0.0 | 180.0 => return Ok(rotate_quarters(image, (angle / 90.0) as usize)),
            90.0 | 270.0 if expand || width == height => return Ok(rotate_quarters(image, (angle / 90.0) as usize)),
            _ => {}
        }
    }
    let (w, h) = (width as f64, height as f64);
    let [cx, cy] = center.unwrap_or([w / 2.0, h / 2.0]);
    let radians = -angle.to_radians();
    let (sin, cos) = (to_15_decimals(radians.sin()), to_15_decimals(radians.cos()));
    let mut m = [cos, sin, 0.0, to_15_decimals(-radians.sin()), cos, 0.0];
    let place = |m: &[f64; 6], x: f64, y: f64| (m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]);
    let (x, y) = place(&m, -cx, -cy);
    (m[2], m[5]) = (x + cx, y + cy);
    let mut size = (width, height);
    if expand {
        let corners = [(0.0, 0.0), (w, 0.0), (w, h), (0.0, h)].map(|(x, y)| place(&m, x, y));
        let extent = |values: [f64; 4]| {
            let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
            high.ceil() - low.floor()
        };
        let (new_w, new_h) = (extent(corners.map(|c| c.0)), extent(corners.map(|c| c.1)));
        (m[2], m[5]) = place(&m, -(new_w - w) / 2.0, -(new_h - h) / 2.0);
        size = (new_w as usize, new_h as usize);
    }
    transformed(image, size, m, mode, &fill)
}
