//! The pen: strokes become short line segments, segments become grey pixels.

use super::glyphs::Point;

/// The side of an image in pixels.
pub(super) const SIDE: usize = 28;

/// A place on the paper; after [`fit`](super::fit) in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dot {
    pub x: f32,
    pub y: f32,
}

impl Dot {
    fn lerp(self, other: Self, t: f32) -> Self {
        Self { x: self.x + (other.x - self.x) * t, y: self.y + (other.y - self.y) * t }
    }
}

/// A straight piece of a stroke.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub from: Dot,
    pub to: Dot,
}

/// Pieces between two points of a stroke: at 28 pixels a finer division changes nothing that can be seen.
const PIECES: usize = 6;

/// Appends the stroke through `points` to `segments`: a Catmull–Rom spline, cut at corners.
pub(super) fn trace(points: &[Point], segments: &mut Vec<Segment>) {
    let dot = |point: &Point| Dot { x: point.x, y: point.y };
    for (i, pair) in points.windows(2).enumerate() {
        let (a, b) = (dot(&pair[0]), dot(&pair[1]));
        // Beyond an end or a corner the line goes on as if mirrored.
        let before = if i == 0 || pair[0].corner { b.lerp(a, 2.0) } else { dot(&points[i - 1]) };
        let after = if i + 2 == points.len() || pair[1].corner { a.lerp(b, 2.0) } else { dot(&points[i + 2]) };
        let mut from = a;
        for step in 1..=PIECES {
            let t = step as f32 / PIECES as f32;
            let to = Dot {
                x: catmull_rom([before.x, a.x, b.x, after.x], t),
                y: catmull_rom([before.y, a.y, b.y, after.y], t),
            };
            segments.push(Segment { from, to });
            from = to;
        }
    }
}

/// The cubic from `p[1]` (t = 0) to `p[2]` (t = 1) with the slopes `(p[2] − p[0])/2` and `(p[3] − p[1])/2`.
fn catmull_rom(p: [f32; 4], t: f32) -> f32 {
    let linear = p[2] - p[0];
    let square = 2.0 * p[0] - 5.0 * p[1] + 4.0 * p[2] - p[3];
    let cubic = 3.0 * (p[1] - p[2]) + p[3] - p[0];
    p[1] + 0.5 * t * (linear + t * (square + t * cubic))
}

/// Draws `segments` with a round pen and returns each pixel's share of ink, 0 to 1.
///
/// The share falls from 1 to 0 over `softness` pixels around the distance `radius(i)` from segment `i`.
pub(super) fn draw(segments: &[Segment], radius: impl Fn(usize) -> f32, softness: f32) -> [f32; SIDE * SIDE] {
    let mut ink = [0.0f32; SIDE * SIDE];
    for (i, &Segment { from, to }) in segments.iter().enumerate() {
        let reach = radius(i) + 0.5 * softness;
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let length2 = dx * dx + dy * dy;
        let scale = if length2 > 0.0 { 1.0 / length2 } else { 0.0 };
        for row in pixels(from.y.min(to.y) - reach, from.y.max(to.y) + reach) {
            for column in pixels(from.x.min(to.x) - reach, from.x.max(to.x) + reach) {
                let (x, y) = (column as f32 - from.x, row as f32 - from.y);
                let t = ((x * dx + y * dy) * scale).clamp(0.0, 1.0);
                let (x, y) = (x - t * dx, y - t * dy);
                // Square roots, unlike sines and exponentials, are rounded alike on every platform.
                let share = ((reach - (x * x + y * y).sqrt()) / softness).clamp(0.0, 1.0);
                let pixel = &mut ink[row * SIDE + column];
                *pixel = pixel.max(share);
            }
        }
    }
    ink
}

/// The pixels whose centres lie from `low` to `high`, as far as they are on the paper.
fn pixels(low: f32, high: f32) -> std::ops::Range<usize> {
    low.ceil().clamp(0.0, SIDE as f32) as usize..(high.floor() + 1.0).clamp(0.0, SIDE as f32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_passes_its_points_and_has_no_gap() {
        let at = |x, y, corner| Point { x, y, corner };
        let points = [at(0.0, 0.0, false), at(1.0, 2.0, true), at(3.0, 1.0, false), at(5.0, 5.0, false)];
        let mut segments = Vec::new();
        trace(&points, &mut segments);
        assert_eq!(segments.len(), 3 * PIECES);
        assert!(segments.windows(2).all(|pair| pair[0].to == pair[1].from));
        for (i, point) in points[1..].iter().enumerate() {
            let end = segments[(i + 1) * PIECES - 1].to;
            assert!((end.x - point.x).abs() < 1e-5 && (end.y - point.y).abs() < 1e-5, "{end:?}");
        }
        // Between an end and a corner the line is straight.
        assert!(segments[..PIECES].iter().all(|s| (s.to.y - 2.0 * s.to.x).abs() < 1e-5));
    }

    #[test]
    fn ink_is_full_on_the_line_and_falls_off_beside_it() {
        let line = Segment { from: Dot { x: 5.0, y: 10.0 }, to: Dot { x: 20.0, y: 10.0 } };
        let ink = draw(&[line], |_| 1.0, 1.0);
        let at = |column: usize, row: usize| ink[row * SIDE + column];
        assert_eq!([at(12, 10), at(12, 11), at(12, 12), at(12, 8)], [1.0, 0.5, 0.0, 0.0]);
        assert_eq!([at(4, 10), at(3, 10), at(21, 10), at(22, 10)], [0.5, 0.0, 0.5, 0.0]);
    }

    #[test]
    fn what_leaves_the_paper_is_cut_off() {
        let line = Segment { from: Dot { x: -50.0, y: -3.0 }, to: Dot { x: 90.0, y: 33.0 } };
        let point = Segment { from: Dot { x: 40.0, y: 40.0 }, to: Dot { x: 40.0, y: 40.0 } };
        let ink = draw(&[line, point], |_| 2.0, 1.0);
        assert!(ink.iter().all(|share| (0.0..=1.0).contains(share)));
        assert!(ink.iter().sum::<f32>() > 50.0);
    }
}
