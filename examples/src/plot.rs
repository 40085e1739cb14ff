//! Loss and accuracy per epoch as an SVG: a test curve that turns away from the training curve shows overfitting, two low
//! curves underfitting.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::ops::Range;
use std::path::Path;

/// How good the model is on some images.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// Mean loss.
    pub loss: f64,
    /// The share of images that it names right.
    pub accuracy: f64,
}

/// One point of each curve.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    /// On the training images.
    pub train: Score,
    /// On the test images.
    pub test: Score,
}

const SIZE: (u32, u32) = (960, 400);
/// What the legend takes of the height, above both panels.
const LEGEND: u32 = 36;
const TRAIN: RGBColor = RGBColor(31, 119, 180);
const TEST: RGBColor = RGBColor(214, 39, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);
const FONT: &str = "sans-serif";

/// Writes two panels into an SVG file: the losses, and the accuracies.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(path: &Path, history: &[Epoch]) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, render(history)?).map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

fn render(history: &[Epoch]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (top, panels) = root.split_vertically(LEGEND);
        legend(&top)?;
        let (left, right) = panels.split_horizontally(SIZE.0 / 2);
        let curve = |pick: fn(&Epoch) -> f64| -> Vec<(f64, f64)> {
            let points = history.iter().enumerate().map(|(i, epoch)| ((i + 1) as f64, pick(epoch)));
            points.filter(|(_, value)| value.is_finite()).collect()
        };
        let losses = [curve(|e| e.train.loss), curve(|e| e.test.loss)];
        let top = losses.iter().flatten().map(|p| p.1).fold(0.0, f64::max);
        panel(&left, "Loss", history.len(), 0.0..if top > 0.0 { 1.08 * top } else { 1.0 }, &losses)?;
        let accuracies = [curve(|e| e.train.accuracy), curve(|e| e.test.accuracy)];
        let bottom = accuracies.iter().flatten().map(|p| p.1).fold(1.0, f64::min);
        let room = (0.08 * (1.0 - bottom)).max(0.005);
        panel(&right, "Accuracy", history.len(), (bottom - room).max(0.0)..1.0 + room, &accuracies)?;
        root.present()?;
    }
    Ok(svg)
}

/// The names of both curves, outside the panels, where they cover nothing.
fn legend(area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn Error>> {
    let (middle, y) = (SIZE.0 as i32 / 2, LEGEND as i32 / 2 + 4);
    for (name, color, x) in [("train", TRAIN, middle - 90), ("test", TEST, middle + 20)] {
        area.draw(&PathElement::new([(x, y), (x + 26, y)], color.stroke_width(2)))?;
        area.draw(&Circle::new((x + 13, y), 3, color.filled()))?;
        let style = (FONT, 15).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name, (x + 33, y), style))?;
    }
    Ok(())
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    epochs: usize,
    values: Range<f64>,
    [train, test]: &[Vec<(f64, f64)>; 2],
) -> Result<(), Box<dyn Error>> {
    let (last, bottom) = (epochs.max(1) as f64, values.start);
    let tick = (values.end - values.start) / 60.0;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 18))
        .margin(10)
        .margin_right(22)
        .x_label_area_size(38)
        .y_label_area_size(58)
        .build_cartesian_2d(Axis::epochs(last), Axis::values(values))?;
    let decimals = chart.as_coord_spec().y_spec().decimals;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .x_desc("epoch")
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 14))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.decimals$}"))
        .draw()?;
    // Epochs without a number, where there is no room for one, have a tick of their own.
    if epochs <= 100 {
        let ticks = (1..=epochs).map(|e| PathElement::new([(e as f64, bottom), (e as f64, bottom + tick)], BLACK));
        chart.draw_series(ticks)?;
    }
    for (points, color) in [(train, TRAIN), (test, TEST)] {
        chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
        let radius = if epochs <= 40 { 3 } else { 2 };
        chart.draw_series(points.iter().map(|&point| Circle::new(point, radius, color.filled())))?;
    }
    Ok(())
}

/// An axis with ticks at round numbers.
struct Axis {
    range: Range<f64>,
    ticks: Vec<f64>,
    /// The decimals that tell the ticks apart.
    decimals: usize,
}

impl Axis {
    /// From 1 to `last`, half an epoch more on either side, with a tick for each or, of many, for every 2nd, 5th, ….
    fn epochs(last: f64) -> Self {
        let mut steps = (0..18).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
        let step = steps.find(|step| last / step <= 12.0).unwrap_or(last);
        let ticks = (1..).map(|i| f64::from(i) * step).take_while(|&tick| tick <= last).collect();
        Axis { range: 0.5..last + 0.5, ticks, decimals: 0 }
    }

    /// Some five ticks at multiples of 1, 2 or 5 times a power of ten.
    fn values(range: Range<f64>) -> Self {
        let rough = (range.end - range.start) / 5.0;
        let magnitude = rough.log10().floor() as i32;
        let digit = rough / 10f64.powi(magnitude);
        let (digit, up) = if digit < 1.5 {
            (1, 0)
        } else if digit < 3.5 {
            (2, 0)
        } else if digit < 7.5 {
            (5, 0)
        } else {
            (1, 1)
        };
        // Whole multiples, so that no tick is 0.30000000000000004.
        let power = magnitude + up;
        let at = |i: i64| match power {
            0.. => (i * digit) as f64 * 10f64.powi(power),
            _ => (i * digit) as f64 / 10f64.powi(-power),
        };
        let first = (range.start / at(1)).ceil() as i64;
        let ticks = (first..).map(at).take_while(|&tick| tick <= range.end).collect();
        Axis { range, ticks, decimals: usize::try_from(-power).unwrap_or(0) }
    }
}

impl Ranged for Axis {
    type FormatOption = plotters::coord::ranged1d::DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(epochs: usize) -> Vec<Epoch> {
        let at = |e: f64| Score { loss: 0.4 / e, accuracy: 1.0 - 0.1 / e };
        (1..=epochs).map(|e| Epoch { train: at(e as f64), test: at(0.9 * e as f64) }).collect()
    }

    /// The texts of an SVG, in their order.
    fn texts(svg: &str) -> Vec<String> {
        let parts = svg.split("<text").skip(1).filter_map(|part| part.split_once('>')?.1.split_once("</text>"));
        parts.map(|(text, _)| text.trim().to_owned()).collect()
    }

    #[test]
    fn each_epoch_has_one_tick_and_each_value_a_point() {
        for epochs in [1, 2, 5, 12, 13, 30, 100] {
            let svg = render(&history(epochs)).unwrap();
            let texts = texts(&svg);
            let labels = Axis::epochs(epochs as f64).ticks;
            assert!(labels.len() <= 12 && (epochs > 12 || labels.len() == epochs), "{labels:?}");
            // Both panels number the epochs, each once.
            for label in &labels {
                let number = format!("{label:.0}");
                assert_eq!(texts.iter().filter(|t| **t == number).count(), 2, "{number} of {epochs}: {texts:?}");
            }
            assert_eq!(svg.matches("<circle").count(), 4 * epochs + 2, "two curves in two panels, and the legend");
            assert!(["train", "test", "Loss", "Accuracy"].iter().all(|t| texts.contains(&t.to_string())), "{texts:?}");
            // Grid lines are horizontal and few.
            assert!(svg.matches("#E1E1E1").count() <= 16, "{}", svg.matches("#E1E1E1").count());
        }
    }

    #[test]
    fn values_have_few_round_ticks() {
        for range in [0.0..0.43, 0.88..1.01, 0.0..2.5, 0.9985..1.005, 0.0..1e-6, 0.0..3e7] {
            let axis = Axis::values(range.clone());
            assert!((3..=9).contains(&axis.ticks.len()), "{range:?}: {:?}", axis.ticks);
            let mut texts: Vec<String> = axis.ticks.iter().map(|t| format!("{t:.*}", axis.decimals)).collect();
            texts.dedup();
            assert_eq!(texts.len(), axis.ticks.len(), "{texts:?}");
        }
    }

    #[test]
    fn a_run_that_diverged_is_drawn_too() {
        let mut history = history(3);
        history[1].train.loss = f64::NAN;
        history[2].test.loss = f64::INFINITY;
        assert_eq!(render(&history).unwrap().matches("<circle").count(), 4 * 3 - 2 + 2);
        assert!(render(&[]).is_ok());
    }
}
