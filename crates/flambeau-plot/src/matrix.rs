//! Confusion matrices as coloured squares.

use crate::panels::Drawn;
use flambeau_autograd::Tensor;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const FONT: &str = "sans-serif";
/// What the names take on the left, and on top with the title.
const MARGIN: i32 = 90;
/// The colour of the largest number.
const DARK: [f64; 3] = [8.0, 48.0, 107.0];

pub(crate) struct Matrix {
    rows: Vec<Vec<f64>>,
    classes: Vec<String>,
    /// Whether the numbers are counts.
    whole: bool,
}

impl Matrix {
    #[track_caller]
    pub(crate) fn new(matrix: &Tensor, mut classes: Vec<String>) -> Self {
        let shape = matrix.size().to_vec();
        assert!(
            shape.len() == 2 && shape[0] == shape[1] && shape[0] > 0,
            "a confusion matrix has the shape (C, C), got {shape:?}"
        );
        let n = shape[0];
        classes.extend((classes.len()..n).map(|i| i.to_string()));
        let numbers = matrix.detach().cpu().double().to_vec::<f64>();
        let rows = numbers.chunks(n).map(<[f64]>::to_vec).collect();
        Matrix { rows, classes, whole: !matrix.dtype().is_floating_point() }
    }

    /// A square's side in pixels.
    fn side(&self) -> i32 {
        (640 / self.rows.len() as i32).clamp(14, 80)
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        let squares = self.side() * self.rows.len() as i32;
        ((MARGIN + squares + 30) as u32, (MARGIN + squares + 30) as u32)
    }

    pub(crate) fn draw<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>) -> Drawn<B> {
        root.fill(&WHITE)?;
        let (side, n) = (self.side(), self.rows.len() as i32);
        let most = self.rows.iter().flatten().copied().filter(|x| x.is_finite()).fold(0.0, f64::max);
        let style = |size: i32, color: &RGBColor, horizontal: HPos| {
            (FONT, size).into_font().color(color).pos(Pos::new(horizontal, VPos::Center))
        };
        let middle = MARGIN + side * n / 2;
        root.draw(&Text::new("predicted", (middle, 24), style(18, &BLACK, HPos::Center)))?;
        let upright = style(18, &BLACK, HPos::Center).transform(FontTransform::Rotate270);
        root.draw(&Text::new("true", (20, middle), upright))?;
        for (i, name) in self.classes.iter().take(n as usize).enumerate() {
            let at = MARGIN + side * i as i32 + side / 2;
            root.draw(&Text::new(name.clone(), (at, MARGIN - 14), style(13, &BLACK, HPos::Center)))?;
            root.draw(&Text::new(name.clone(), (MARGIN - 8, at), style(13, &BLACK, HPos::Right)))?;
        }
        for (y, row) in self.rows.iter().enumerate() {
            for (x, &value) in row.iter().enumerate() {
                let share = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
                // Small numbers must still be told from none.
                let depth = if share > 0.0 { 0.06 + 0.94 * share } else { 0.0 };
                let [r, g, b] = DARK.map(|dark| (255.0 + (dark - 255.0) * depth) as u8);
                let (left, top) = (MARGIN + side * x as i32, MARGIN + side * y as i32);
                let corners = [(left, top), (left + side - 1, top + side - 1)];
                root.draw(&Rectangle::new(corners, RGBColor(r, g, b).filled()))?;
                if side < 28 {
                    continue;
                }
                let ink = if depth > 0.5 { WHITE } else { BLACK };
                let text = if self.whole { format!("{value:.0}") } else { format!("{value:.2}") };
                let at = (left + side / 2, top + side / 2);
                root.draw(&Text::new(text, at, style(14, &ink, HPos::Center)))?;
            }
        }
        let frame = [(MARGIN - 1, MARGIN - 1), (MARGIN + side * n, MARGIN + side * n)];
        root.draw(&Rectangle::new(frame, BLACK.stroke_width(1)))
    }
}
