//! Pixels to draw into, with letters of dots: no font is needed, and none is asked for.

use flambeau_tensorboard::pixel_font;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

type Outcome = Result<(), DrawingErrorKind<Infallible>>;

/// A picture of red, green and blue bytes.
pub(crate) struct Canvas {
    size: (u32, u32),
    pixels: Rc<RefCell<Vec<u8>>>,
}

impl Canvas {
    /// A white canvas, and its bytes.
    pub(crate) fn new(size: (u32, u32)) -> (Self, Rc<RefCell<Vec<u8>>>) {
        let pixels = Rc::new(RefCell::new(vec![255; size.0 as usize * size.1 as usize * 3]));
        (Canvas { size, pixels: pixels.clone() }, pixels)
    }
}

/// How many pixels a dot of a text of this size is wide.
fn dot(size: f64) -> i64 {
    ((size / 7.0).round() as i64).max(1)
}

impl DrawingBackend for Canvas {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Outcome {
        Ok(())
    }

    fn present(&mut self) -> Outcome {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Outcome {
        let (width, height) = self.size;
        if (0..width as i32).contains(&x) && (0..height as i32).contains(&y) {
            let at = (y as usize * width as usize + x as usize) * 3;
            let mut pixels = self.pixels.borrow_mut();
            let (r, g, b) = color.rgb;
            for (old, new) in pixels[at..at + 3].iter_mut().zip([r, g, b]) {
                *old = (f64::from(*old) * (1.0 - color.alpha) + f64::from(new) * color.alpha).round() as u8;
            }
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Outcome {
        let (dot, transform, color) = (dot(style.size()), style.transform(), style.color());
        // The gap after the last letter does not count.
        let (width, height) = (pixel_font::width(text) * dot - dot, pixel_font::HEIGHT * dot);
        let left = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => -width / 2,
            HPos::Right => -width,
        };
        let top = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => -height / 2,
            VPos::Bottom => -height,
        };
        let mut outcome = Ok(());
        pixel_font::dots(text, |x, y| {
            for (dx, dy) in (0..dot).flat_map(|dy| (0..dot).map(move |dx| (dx, dy))) {
                let (x, y) = transform.transform((left + x * dot + dx) as i32, (top + y * dot + dy) as i32);
                let drawn = self.draw_pixel((at.0 + x, at.1 + y), color);
                if outcome.is_ok() {
                    outcome = drawn;
                }
            }
        });
        outcome
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let dot = dot(style.size());
        Ok(((pixel_font::width(text) * dot) as u32, (pixel_font::HEIGHT * dot) as u32))
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Outcome {
        // Plotters' own way smooths lines along the axes away to grey.
        if style.stroke_width() == 1 && (from.0 == to.0 || from.1 == to.1) {
            let color = style.color();
            for x in from.0.min(to.0)..=from.0.max(to.0) {
                for y in from.1.min(to.1)..=from.1.max(to.1) {
                    self.draw_pixel((x, y), color)?;
                }
            }
            return Ok(());
        }
        plotters_backend::rasterizer::draw_line(self, from, to, style)
    }
}
