//! Pictures of another size, with Pillow's Lanczos filter and its whole numbers.

use super::Picture;
use std::f64::consts::PI;

const SUPPORT: f64 = 3.0;
/// Pillow's weights are multiples of 2⁻²².
const BITS: u32 = 22;

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) }
}

fn filter(x: f64) -> f64 {
    if (-SUPPORT..SUPPORT).contains(&x) { sinc(x) * sinc(x / SUPPORT) } else { 0.0 }
}

/// Where a new pixel's sources begin, and their weights.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<i64>)> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = SUPPORT * stretch;
    let of_pixel = |i: usize| {
        let center = (i as f64 + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let raw: Vec<f64> = (first..end).map(|x| filter((x as f64 - center + 0.5) / stretch)).collect();
        let total: f64 = raw.iter().sum();
        let total = if total == 0.0 { 1.0 } else { total };
        (first, raw.iter().map(|w| (w / total * f64::from(1 << BITS)).round() as i64).collect())
    };
    (0..to).map(of_pixel).collect()
}

/// Lines of another length: `count` lines of `from` points, each point `step` bytes.
fn resample(
    data: &[u8],
    lines: usize,
    from: usize,
    to: usize,
    at: impl Fn(usize, usize) -> usize,
    put: impl Fn(usize, usize) -> usize,
) -> Vec<u8> {
    let mut out = vec![0; lines * to];
    for (i, (first, weights)) in weights(from, to).iter().enumerate() {
        for line in 0..lines {
            let sum = weights.iter().zip(*first..).map(|(w, x)| w * i64::from(data[at(line, x)])).sum::<i64>();
            out[put(line, i)] = ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8;
        }
    }
    out
}

/// `Image.resize((width, height), LANCZOS)`.
pub(crate) fn lanczos(picture: &Picture, height: usize, width: usize) -> Picture {
    let (h, w, c) = (picture.height, picture.width, picture.channels);
    let mut data = picture.data.clone();
    if width != w {
        let at = |width: usize| move |line: usize, x: usize| (line / c * width + x) * c + line % c;
        data = resample(&data, h * c, w, width, at(w), at(width));
    }
    if height != h {
        let row = width * c;
        let at = |line: usize, y: usize| y * row + line;
        data = resample(&data, row, h, height, at, at);
    }
    Picture { height, width, channels: c, data }
}
