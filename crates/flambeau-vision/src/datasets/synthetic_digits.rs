//! Handwritten-looking digits, drawn by the library itself: a data set without files and without a network.
//!
//! An image is a digit's strokes (a few ways of writing each digit), whose points tremble and whose shape is
//! bent, slanted, turned, stretched and shifted at random, drawn with a pen of random thickness and ink. As in MNIST,
//! the digit is 28×28 grey values, white (255) on black (0), about 20 pixels high, its centre of mass near the middle.
//!
//! Image `index` of a `seed` is always the same, alone or in bulk, on every platform: all of it is integer hashing and
//! IEEE `+ − × ÷ √`. The train and the test half are different streams of the same distribution.

mod glyphs;
mod pen;
mod rng;

use std::num::NonZero;
use std::ops::Range;
use std::thread;

use glyphs::{GLYPHS, Point, Style};
use pen::{Dot, SIDE, Segment, draw, trace};
use rng::SplitMix64;

/// Bytes of one image: 28 rows of 28 grey values.
pub const PIXELS: usize = SIDE * SIDE;

/// The least distance in pixels from the middle of a stroke to the border: room for the pen's thickness.
const MARGIN: f32 = 2.5;

/// Draws image `index` of the train or test stream of `seed`: its pixels row by row, and its label.
pub fn generate(seed: u64, train: bool, index: u64) -> ([u8; PIXELS], u8) {
    let mut rng = SplitMix64::keyed([seed, u64::from(train), index]);
    let label = rng.below(GLYPHS.len() as u64);
    let segments = write(pick(GLYPHS[label as usize], &mut rng), &mut rng);
    (ink(&segments, &mut rng), label as u8)
}

/// Draws the images `indices` of a stream on all processors: pixels of all images in a row, and labels.
///
/// Equal to [`generate`] for each index, whatever the number of threads.
pub fn generate_many(seed: u64, train: bool, indices: Range<u64>) -> (Vec<u8>, Vec<u8>) {
    let count = indices.end.saturating_sub(indices.start) as usize;
    let (mut pixels, mut labels) = (vec![0; count * PIXELS], vec![0; count]);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = count.div_ceil(threads).max(1);
    thread::scope(|scope| {
        let parts = pixels.chunks_mut(share * PIXELS).zip(labels.chunks_mut(share));
        for (first, (pixels, labels)) in (indices.start..).step_by(share).zip(parts) {
            scope.spawn(move || {
                for (index, (image, label)) in (first..).zip(pixels.as_chunks_mut().0.iter_mut().zip(labels)) {
                    (*image, *label) = generate(seed, train, index);
                }
            });
        }
    });
    (pixels, labels)
}

/// One of `styles`, by weight.
fn pick(styles: &'static [Style], rng: &mut SplitMix64) -> &'static Style {
    let mut left = rng.uniform() * styles.iter().map(|style| style.weight).sum::<f32>();
    let chosen = styles.iter().find(|style| {
        left -= style.weight;
        left < 0.0
    });
    chosen.unwrap_or(&styles[styles.len() - 1])
}

/// Writes the digit by a hand of its own: the segments of its strokes, in pixels.
fn write(style: &Style, rng: &mut SplitMix64) -> Vec<Segment> {
    let hand = Hand::new(style.width, rng);
    let mut segments = Vec::with_capacity(128);
    for stroke in style.strokes {
        let points: Vec<Point> = stroke.iter().map(|&point| hand.place(point, rng)).collect();
        trace(&points, &mut segments);
    }
    fit(&mut segments, rng);
    segments
}

/// How one writer bends a digit.
struct Hand {
    tremor: f32,
    width: f32,
    /// Coefficients of a smooth distortion, quadratic in the place: bends and trapezoids.
    warp: [f32; 6],
    slant: f32,
    /// The sine of the angle by which the digit is turned.
    turn: f32,
}

impl Hand {
    fn new(width: f32, rng: &mut SplitMix64) -> Self {
        Self {
            tremor: rng.between(0.02, 0.065),
            width: width * rng.between(0.72, 1.45),
            warp: [(); 6].map(|()| rng.normal(0.17)),
            // Most people write slanted to the right.
            slant: 0.15 + rng.normal(0.22),
            turn: rng.normal(0.12),
        }
    }

    /// Where a glyph's point comes to lie, around the origin.
    fn place(&self, point: Point, rng: &mut SplitMix64) -> Point {
        let x = point.x - 0.5 + rng.normal(self.tremor);
        let y = point.y - 0.5 + rng.normal(self.tremor);
        let [a, b, c, d, e, f] = self.warp;
        let (x, y) = (x + a * y * y + b * x * y + c * x * x, y + d * x * x + e * x * y + f * y * y);
        let (x, y) = (x * self.width - self.slant * y, y);
        let (sin, cos) = (self.turn, (1.0 - self.turn * self.turn).sqrt());
        Point { x: cos * x - sin * y, y: sin * x + cos * y, corner: point.corner }
    }
}

/// Scales the digit to about 20 pixels on its longer side and moves its centre of mass near the image's middle, but
/// never over the border.
fn fit(segments: &mut [Segment], rng: &mut SplitMix64) {
    let extent = |along: fn(Dot) -> f32| {
        let places = segments.iter().flat_map(|s| [along(s.from), along(s.to)]);
        places.fold((f32::MAX, f32::MIN), |(low, high), place| (low.min(place), high.max(place)))
    };
    let (left, right) = extent(|dot| dot.x);
    let (top, bottom) = extent(|dot| dot.y);
    let scale = rng.between(15.5, 19.5) / (right - left).max(bottom - top);
    let (mut mass, mut x, mut y) = (0.0, 0.0, 0.0);
    for Segment { from, to } in segments.iter() {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let length = (dx * dx + dy * dy).sqrt();
        mass += length;
        x += length * 0.5 * (from.x + to.x);
        y += length * 0.5 * (from.y + to.y);
    }
    let mut shift = |centre: f32, low: f32, high: f32| {
        let last = (SIDE - 1) as f32;
        let wanted = 0.5 * last + rng.normal(0.8) - scale * centre;
        wanted.max(MARGIN - scale * low).min(last - MARGIN - scale * high)
    };
    let (right, down) = (shift(x / mass, left, right), shift(y / mass, top, bottom));
    for dot in segments.iter_mut().flat_map(|s| [&mut s.from, &mut s.to]) {
        *dot = Dot { x: scale * dot.x + right, y: scale * dot.y + down };
    }
}

/// Draws the strokes with a pen of random thickness, pressure and ink.
fn ink(segments: &[Segment], rng: &mut SplitMix64) -> [u8; PIXELS] {
    let thickness = rng.between(0.6, 1.65);
    let softness = rng.between(1.1, 1.6);
    let strength = rng.between(0.9, 1.4);
    let grain = rng.between(0.0, 0.12);
    // The pressure changes along the way: a line between two random values.
    let (start, end) = (1.0 + rng.normal(0.13), 1.0 + rng.normal(0.13));
    let last = segments.len() as f32;
    let pressure = |i: usize| thickness * (start + (end - start) * (i as f32 / last));
    // Where there is ink it is grainy; the paper stays clean, as MNIST's does, but for a few specks.
    draw(segments, pressure, softness).map(|share| {
        let speck = if rng.uniform() < 0.002 { rng.between(0.0, 0.5) } else { 0.0 };
        let value = (share * strength * (1.0 + rng.normal(grain))).max(speck);
        (255.0 * value.clamp(0.0, 1.0) + 0.5) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_depends_on_seed_stream_and_index_alone() {
        let (pixels, labels) = generate_many(7, true, 3..40);
        for (i, index) in (3..40).enumerate() {
            let (image, label) = generate(7, true, index);
            assert_eq!((&pixels[i * PIXELS..(i + 1) * PIXELS], labels[i]), (&image[..], label));
        }
        let image = |seed, train, index| generate(seed, train, index).0;
        for other in [image(8, true, 3), image(7, false, 3), image(7, true, 4)] {
            assert_ne!(image(7, true, 3), other);
        }
        assert_eq!(generate_many(7, true, 5..5), (vec![], vec![]));
    }

    #[test]
    fn the_bytes_are_the_same_on_every_platform() {
        let (pixels, labels) = generate_many(0, true, 0..1000);
        // FNV-1a over all bytes; computed on x86-64. It changes only with a deliberate change of the pictures.
        let hash = pixels
            .iter()
            .chain(&labels)
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        assert_eq!(hash, 0x9fd5_0bb6_814a_f4e4);
    }

    #[test]
    fn intensities_and_labels_are_spread_as_in_mnist() {
        let (pixels, labels) = generate_many(1, false, 0..2000);
        let n = pixels.len() as f64;
        let mean = pixels.iter().map(|&v| f64::from(v) / 255.0).sum::<f64>() / n;
        let deviation = (pixels.iter().map(|&v| (f64::from(v) / 255.0 - mean).powi(2)).sum::<f64>() / n).sqrt();
        // MNIST: mean 0.1307, standard deviation 0.3081.
        assert!((mean - 0.1307).abs() < 0.02 && (deviation - 0.3081).abs() < 0.03, "{mean} {deviation}");
        for digit in 0..10 {
            let count = labels.iter().filter(|&&label| label == digit).count();
            assert!((150..250).contains(&count), "{count} images of {digit}");
        }
    }

    #[test]
    fn digits_stay_on_the_paper() {
        let (pixels, _) = generate_many(2, true, 0..2000);
        let images = pixels.as_chunks::<PIXELS>().0;
        let last = SIDE - 1;
        let border = |image: &[u8; PIXELS]| {
            (0..SIDE).any(|i| [i, last * SIDE + i, i * SIDE, i * SIDE + last].iter().any(|&at| image[at] > 128))
        };
        let touching = images.iter().filter(|image| border(image)).count();
        assert!(touching < 20, "{touching} of 2000 touch the border");
        assert!(images.iter().all(|image| image.iter().filter(|&&v| v > 128).count() > 15));
    }
}
