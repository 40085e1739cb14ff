//! Lines, rectangles and discs on an RGB image, pixel by pixel as Pillow's `ImageDraw` sets them.

use crate::image::Image;

/// What a pixel becomes.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    /// The colour.
    Solid([u8; 3]),
    /// The colour over what is there, with this much of 255.
    Veil([u8; 3], u8),
}

impl Ink {
    fn apply(self, pixel: &mut [u8]) {
        match self {
            Ink::Solid(rgb) => pixel.copy_from_slice(&rgb),
            Ink::Veil(rgb, alpha) => pixel.iter_mut().zip(rgb).for_each(|(v, ink)| {
                let alpha = u32::from(alpha);
                let mixed = u32::from(*v) * (255 - alpha) + u32::from(ink) * alpha + 128;
                *v = (((mixed >> 8) + mixed) >> 8) as u8;
            }),
        }
    }
}

/// The pixels of row `y` from `x0` to `x1`, as far as they are on the image.
fn row(image: &mut Image, x0: i64, y: i64, x1: i64, ink: Ink) {
    let (width, height) = (image.width() as i64, image.height() as i64);
    if !(0..height).contains(&y) {
        return;
    }
    for x in x0.max(0)..=x1.min(width - 1) {
        let at = (y * width + x) as usize * 3;
        ink.apply(&mut image.pixels_mut()[at..at + 3]);
    }
}

fn point(image: &mut Image, x: i64, y: i64, ink: Ink) {
    row(image, x, y, x, ink);
}

/// All pixels of a box, its last row and column too.
pub(super) fn fill_rectangle(image: &mut Image, [x0, y0, x1, y1]: [i64; 4], ink: Ink) {
    let height = image.height() as i64;
    (y0.max(0)..=y1.min(height - 1)).for_each(|y| row(image, x0, y, x1, ink));
}

/// The border of a box, inwards.
pub(super) fn outline_rectangle(image: &mut Image, [x0, y0, x1, y1]: [i64; 4], width: i64, ink: Ink) {
    // Where the box is lower than two borders, the sides run upwards.
    let (from, to) = (y0 + width, y1 - width + 1);
    let side = if from <= to { from..to } else { to + 1..from + 1 };
    let (columns, rows) = (image.width() as i64, image.height() as i64);
    let side = side.start.max(0)..side.end.min(rows);
    // Beyond these no border is on the image.
    let most = (rows - y0).max(y1 + 1).max(columns - x0).max(x1 + 1);
    for i in 0..width.max(1).min(most) {
        row(image, x0, y0 + i, x1, ink);
        row(image, x0, y1 - i, x1, ink);
        for y in side.clone() {
            point(image, x1 - i, y, ink);
            point(image, x0 + i, y, ink);
        }
    }
}

/// A disc around a pixel.
pub(super) fn disc(image: &mut Image, [cx, cy]: [i64; 2], radius: i64, ink: Ink) {
    // Of radius 0 Pillow draws nothing.
    if radius <= 0 {
        return;
    }
    // Bresenham: of the next points up, left and between, the one nearest to the circle.
    let off = |x: i64, y: i64| (x * x + y * y - radius * radius).abs();
    let (mut x, mut y, mut done) = (radius, 0, -1);
    loop {
        if y > done {
            row(image, cx - x, cy - y, cx + x, ink);
            row(image, cx - x, cy + y, cx + x, ink);
            done = y;
        }
        if x == 0 && y == radius {
            return;
        }
        let mut next = (x, y + 1);
        if x > 0 {
            for other in [(x - 1, y + 1), (x - 1, y)] {
                if off(next.0, next.1) > off(other.0, other.1) {
                    next = other;
                }
            }
        }
        (x, y) = next;
    }
}

/// A line from one pixel to another.
pub(super) fn line(image: &mut Image, from: [i64; 2], to: [i64; 2], width: i64, ink: Ink) {
    if width <= 1 {
        thin_line(image, from, to, ink);
    } else {
        wide_line(image, from, to, width, ink);
    }
}

fn thin_line(image: &mut Image, from: [i64; 2], to: [i64; 2], ink: Ink) {
    let distance = [0, 1].map(|axis| (to[axis] - from[axis]).abs());
    let step = [0, 1].map(|axis| (to[axis] - from[axis]).signum());
    // One step for each pixel of the longer way, as far as it is on the image.
    let main = usize::from(distance[1] >= distance[0]);
    let (long, short) = (distance[main], distance[1 - main]);
    let size = [image.width() as i64, image.height() as i64][main];
    let on_image =
        if step[main] >= 0 { [-from[main], size - 1 - from[main]] } else { [from[main] - size + 1, from[main]] };
    for i in on_image[0].max(0)..=on_image[1].min(long) {
        // Bresenham's steps aside, halves counted.
        let aside = if long == 0 {
            0
        } else {
            (2 * i128::from(short) * i128::from(i) + i128::from(long)) / (2 * i128::from(long))
        };
        let mut place = [0; 2];
        place[main] = from[main] + step[main] * i;
        place[1 - main] = from[1 - main] + step[1 - main] * aside as i64;
        point(image, place[0], place[1], ink);
    }
}

/// Halves away from zero, and towards it.
fn round_up(v: f64) -> i64 {
    if v >= 0.0 { (v + 0.5).floor() as i64 } else { -((v.abs() + 0.5).floor() as i64) }
}

fn round_down(v: f64) -> i64 {
    if v >= 0.0 { (v - 0.5).ceil() as i64 } else { -((v.abs() - 0.5).ceil() as i64) }
}

fn wide_line(image: &mut Image, [x0, y0]: [i64; 2], [x1, y1]: [i64; 2], width: i64, ink: Ink) {
    let (dx, dy) = (x1 - x0, y1 - y0);
    if dx == 0 && dy == 0 {
        return point(image, x0, y0, ink);
    }
    let length = (dx as f64).hypot(dy as f64);
    let half = (width - 1) as f64 / 2.0;
    let (most, least) = (round_up(half) as f64 / length, round_down(half) as f64 / length);
    let (left, right) = (round_down(least * dy as f64), round_down(most * dy as f64));
    let (above, below) = (round_down(least * dx as f64), round_down(most * dx as f64));
    let corners =
        [[x0 - left, y0 + below], [x1 - left, y1 + below], [x1 + right, y1 - above], [x0 + right, y0 - above]];
    polygon(image, &corners, ink);
}

/// A side of a polygon, from above to below.
struct Side {
    start: [f32; 2],
    slope: f32,
    top: i64,
    bottom: i64,
}

impl Side {
    fn x(&self, y: i64) -> f32 {
        (y as f32 - self.start[1]) * self.slope + self.start[0]
    }

    fn ends(&self, y: i64) -> bool {
        (y == self.top || y == self.bottom) && self.slope != 0.0
    }

    /// Where the side meets row `y`, drawn to the next row's end of another side that it forms a corner with.
    fn corner(&self, y: i64, others: &[Side]) -> f32 {
        let x = self.x(y);
        let next = if y == self.bottom { y - 1 } else { y + 1 };
        for other in others.iter().filter(|other| other.ends(y) && other.x(y).round() == x.round()) {
            if next < other.top || next > other.bottom {
                continue;
            }
            let (a, b) = (self.x(next), other.x(next));
            if x > a + 1.0 && x > b + 1.0 {
                return a.max(b).round() + 1.0;
            }
            if x < a - 1.0 && x < b - 1.0 {
                return a.min(b).round() - 1.0;
            }
            break;
        }
        x
    }
}

fn polygon(image: &mut Image, corners: &[[i64; 2]], ink: Ink) {
    let mut sides = Vec::new();
    let (mut top, mut bottom) = (image.height() as i64 - 1, 0);
    for (i, &[x0, y0]) in corners.iter().enumerate() {
        let [x1, y1] = corners[(i + 1) % corners.len()];
        (top, bottom) = (top.min(y0.min(y1)), bottom.max(y0.max(y1)));
        if y0 == y1 {
            row(image, x0.min(x1), y0, x0.max(x1), ink);
        } else {
            let slope = (x1 - x0) as f32 / (y1 - y0) as f32;
            sides.push(Side { start: [x0 as f32, y0 as f32], slope, top: y0.min(y1), bottom: y0.max(y1) });
        }
    }
    for y in top.max(0)..=bottom.min(image.height() as i64) {
        let mut places = Vec::new();
        for (i, side) in sides.iter().enumerate().filter(|(_, side)| side.top <= y && y <= side.bottom) {
            if y == side.bottom && y < bottom {
                places.extend([side.x(y); 2]);
            } else if side.ends(y) {
                places.push(side.corner(y, &sides[..i]));
            } else {
                places.push(side.x(y));
            }
        }
        places.sort_by(f32::total_cmp);
        for pair in places.as_chunks::<2>().0 {
            row(image, round_up(f64::from(pair[0])), y, round_down(f64::from(pair[1])), ink);
        }
    }
}
