//! Boxes in a picture, as Pillow draws them in red, two pixels wide, with their labels in black on red.

use super::{Picture, font};

impl Picture {
    /// Fills what of a rectangle is in the picture; both corners belong to it.
    fn fill(&mut self, (left, top): (i64, i64), (right, bottom): (i64, i64), color: [u8; 4]) {
        let (width, height, channels) = (self.width as i64, self.height as i64, self.channels);
        for y in top.max(0)..(bottom + 1).min(height) {
            for x in left.max(0)..(right + 1).min(width) {
                let at = (y * width + x) as usize * channels;
                self.data[at..at + channels].copy_from_slice(&color[..channels]);
            }
        }
    }
}

/// Draws boxes `[left, top, right, bottom]`, each with its label if there is one.
pub(crate) fn draw_boxes(picture: &mut Picture, boxes: &[[f64; 4]], labels: &[String]) {
    // Of two channels the second one is alpha; Pillow turns red into grey.
    let (red, black) =
        if picture.channels == 2 { ([76, 255, 0, 0], [0, 255, 0, 0]) } else { ([255, 0, 0, 255], [0, 0, 0, 255]) };
    for (i, corners) in boxes.iter().enumerate() {
        let [left, top, right, bottom] = corners.map(|x| x as i64);
        // A stroke of two pixels lies on one side of its points: where it leads down on the right, and so on.
        let mut vertical = |x: i64, from: i64, to: i64| {
            let x = if from < to { x } else { x - i64::from(from > to) };
            let wide = i64::from(from != to);
            picture.fill((x, from.min(to)), (x + wide, from.max(to)), red);
        };
        vertical(left, top, bottom);
        vertical(right, bottom, top);
        let mut horizontal = |y: i64, from: i64, to: i64| {
            let y = if from < to { y } else { y - i64::from(from > to) };
            let wide = i64::from(from != to);
            picture.fill((from.min(to), y), (from.max(to), y + wide), red);
        };
        horizontal(bottom, left, right);
        horizontal(top, right, left);
        let Some(label) = labels.get(i).filter(|label| !label.is_empty()) else { continue };
        // Each dot is two by two pixels.
        let (margin, dot) = (1, 2);
        let (width, height) = (font::width(label) * dot, font::HEIGHT * dot);
        picture.fill((left, bottom - height - 2 * margin), (left + width, bottom), red);
        let (x, y) = (left + margin, bottom - height - margin);
        font::dots(label, |dx, dy| {
            let (x, y) = (x + dx * dot, y + dy * dot);
            picture.fill((x, y), (x + 1, y + 1), black);
        });
    }
}
