//! Resizing with Pillow's filters, in its 22-bit fixed point.

use super::place::gather;
use super::{premultiplied, unpremultiplied};
use crate::image::{Image, Mode};
use crate::transforms::InterpolationMode;
use std::f64::consts::PI;

/// Bits after the point of a weight: an accumulator of 32 bits, less 8 for the value and 2 for overshooting filters.
const PRECISION: u32 = 32 - 8 - 2;

/// A filter's reach in source pixels at scale 1, and its weight at a distance.
struct Kernel {
    support: f64,
    weight: fn(f64) -> f64,
}

fn kernel(mode: InterpolationMode) -> Option<Kernel> {
    let (support, weight): (f64, fn(f64) -> f64) = match mode {
        InterpolationMode::Nearest | InterpolationMode::NearestExact => return None,
        InterpolationMode::Box => (0.5, |x| f64::from(u8::from(x > -0.5 && x <= 0.5))),
        InterpolationMode::Bilinear => (1.0, |x| (1.0 - x.abs()).max(0.0)),
        InterpolationMode::Hamming => (1.0, hamming),
        InterpolationMode::Bicubic => (2.0, bicubic),
        InterpolationMode::Lanczos => (3.0, |x| if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }),
    };
    Some(Kernel { support, weight })
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) }
}

fn hamming(x: f64) -> f64 {
    let x = x.abs();
    if x == 0.0 {
        1.0
    } else if x >= 1.0 {
        0.0
    } else {
        let x = x * PI;
        x.sin() / x * (0.54 + 0.46 * x.cos())
    }
}

/// Keys' cubic with a = −½.
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// The source pixels of one output pixel: the first of them, and a weight for each.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

fn taps(length: usize, out: usize, kernel: &Kernel) -> Vec<Taps> {
    let scale = length as f64 / out as f64;
    let stretch = scale.max(1.0);
    let support = kernel.support * stretch;
    let one = f64::from(1u32 << PRECISION);
    let at = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        // Casts cut towards zero and at zero.
        let first = (centre - support + 0.5) as usize;
        let end = ((centre + support + 0.5) as usize).min(length);
        let inverse = 1.0 / stretch;
        let weights: Vec<f64> = (first..end).map(|x| (kernel.weight)((x as f64 - centre + 0.5) * inverse)).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |w: &f64| {
            let w = if sum == 0.0 { *w } else { w / sum } * one;
            (w + 0.5f64.copysign(w)) as i32
        };
        Taps { first, weights: weights.iter().map(fixed).collect() }
    };
    (0..out).map(at).collect()
}

fn rounded(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The image with another width.
fn across(image: &Image, width: usize, kernel: &Kernel) -> Image {
    let bands = image.bands();
    let taps = taps(image.width(), width, kernel);
    let mut out = Image::filled(image.mode(), (width, image.height()), &vec![0; bands]);
    for (y, row) in out.pixels_mut().chunks_exact_mut(width * bands).enumerate() {
        let from = image.row(y);
        for (to, taps) in row.chunks_exact_mut(bands).zip(&taps) {
            for (band, v) in to.iter_mut().enumerate() {
                let values = from[taps.first * bands + band..].iter().step_by(bands);
                let sum: i32 = values.zip(&taps.weights).map(|(&v, w)| i32::from(v) * w).sum();
                *v = rounded(sum + (1 << (PRECISION - 1)));
            }
        }
    }
    out
}

/// The image with another height.
fn down(image: &Image, height: usize, kernel: &Kernel) -> Image {
    let length = image.width() * image.bands();
    let taps = taps(image.height(), height, kernel);
    let mut out = Image::filled(image.mode(), (image.width(), height), &vec![0; image.bands()]);
    let mut sums = vec![0; length];
    for (row, taps) in out.pixels_mut().chunks_exact_mut(length).zip(&taps) {
        sums.fill(1 << (PRECISION - 1));
        for (y, w) in (taps.first..).zip(&taps.weights) {
            sums.iter_mut().zip(image.row(y)).for_each(|(sum, &v)| *sum += i32::from(v) * w);
        }
        row.iter_mut().zip(&sums).for_each(|(v, &sum)| *v = rounded(sum));
    }
    out
}

/// `image.resize(size, resample)`; the size is not empty.
pub(crate) fn resize(image: &Image, size: (usize, usize), mode: InterpolationMode) -> Image {
    if size == image.size() {
        return image.clone();
    }
    let Some(kernel) = kernel(mode) else { return nearest(image, size) };
    if image.mode() == Mode::RGBA {
        return unpremultiplied(&filtered(&premultiplied(image), size, &kernel));
    }
    filtered(image, size, &kernel)
}

fn filtered(image: &Image, (width, height): (usize, usize), kernel: &Kernel) -> Image {
    let (w, h) = (image.width() as i64, image.height() as i64);
    // Each pass rounds, so their order shows. Found by trying sizes with Pillow 13, which takes rows first where that saves most.
    if (height as i64) < h && 2 * (w - width as i64) < h - height as i64 {
        return wider(&taller(image, height, kernel), width, kernel);
    }
    taller(&wider(image, width, kernel), height, kernel)
}

fn wider(image: &Image, width: usize, kernel: &Kernel) -> Image {
    if width == image.width() { image.clone() } else { across(image, width, kernel) }
}

fn taller(image: &Image, height: usize, kernel: &Kernel) -> Image {
    if height == image.height() { image.clone() } else { down(image, height, kernel) }
}

/// Each output pixel's centre, on the source.
fn nearest(image: &Image, size: (usize, usize)) -> Image {
    // The places are summed up step by step, as Pillow does, which rounds otherwise than a product.
    let places = |length: usize, out: usize| -> Vec<i64> {
        let step = length as f64 / out as f64;
        let mut place = step * 0.5;
        let next = |_| {
            let at = place as i64;
            place += step;
            at
        };
        (0..out).map(next).collect()
    };
    let (xs, ys) = (places(image.width(), size.0), places(image.height(), size.1));
    gather(image, size, |x, y| (xs[x], ys[y]))
}
