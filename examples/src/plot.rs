//! Curves as an SVG: of loss and accuracy per epoch a test curve that turns away from the training curve shows overfitting, two
//! low curves underfitting.

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
const COLORS: [RGBColor; 3] = [RGBColor(31, 119, 180), RGBColor(214, 39, 40), RGBColor(44, 160, 44)];
const GRID: RGBColor = RGBColor(225, 225, 225);
const FONT: &str = "sans-serif";

/// A curve's name and its points, whose abscissas are whole numbers.
pub type Curve<'a> = (&'a str, Vec<(f64, f64)>);

/// Curves side by side in one frame.
struct Panel<'a> {
    title: &'a str,
    values: Range<f64>,
    curves: Vec<Curve<'a>>,
}

/// Writes two panels into an SVG file: the losses, and the accuracies.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(path: &Path, history: &[Epoch]) -> Result<(), Box<dyn Error>> {
    write(path, &render_history(history)?)
}

/// Writes one panel into an SVG file: up to three curves over `axis` (steps, episodes), which begin at zero or below.
///
/// # Errors
/// When the file cannot be written.
pub fn curves(path: &Path, title: &str, axis: &str, curves: Vec<Curve<'_>>) -> Result<(), Box<dyn Error>> {
    let values = from_zero(&curves);
    write(path, &render(axis, &[Panel { title, values, curves }])?)
}

fn write(path: &Path, svg: &str) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, svg).map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

fn render_history(history: &[Epoch]) -> Result<String, Box<dyn Error>> {
    let both = |pick: fn(&Score) -> f64| {
        let at = |part: fn(&Epoch) -> &Score| {
            history.iter().enumerate().map(move |(i, epoch)| ((i + 1) as f64, pick(part(epoch)))).collect()
        };
        vec![("train", at(|e| &e.train)), ("test", at(|e| &e.test))]
    };
    let (losses, accuracies) = (both(|s| s.loss), both(|s| s.accuracy));
    let bottom = finite(&accuracies).map(|p| p.1).fold(1.0, f64::min);
    let room = (0.08 * (1.0 - bottom)).max(0.005);
    render(
        "epoch",
        &[
            Panel { title: "Loss", values: from_zero(&losses), curves: losses },
            Panel { title: "Accuracy", values: (bottom - room).max(0.0)..1.0 + room, curves: accuracies },
        ],
    )
}

/// The points of all curves that have a place.
fn finite<'a>(curves: &'a [Curve<'_>]) -> impl Iterator<Item = (f64, f64)> + 'a {
    curves.iter().flat_map(|(_, points)| points).copied().filter(|(_, value)| value.is_finite())
}

/// From zero, or from the lowest value where that is below, to the highest.
fn from_zero(curves: &[Curve<'_>]) -> Range<f64> {
    let (low, high) = finite(curves).fold((0.0, 0.0), |(low, high), (_, y)| (f64::min(low, y), f64::max(high, y)));
    1.08 * low..if high > low { 1.08 * high } else { 1.0 }
}

fn render(axis: &str, panels: &[Panel<'_>]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (top, below) = root.split_vertically(LEGEND);
        legend(&top, &panels[0].curves)?;
        for (area, panel) in below.split_evenly((1, panels.len())).iter().zip(panels) {
            draw_panel(area, axis, panel)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// The names of the curves, outside the panels, where they cover nothing.
fn legend(area: &DrawingArea<SVGBackend<'_>, Shift>, curves: &[Curve<'_>]) -> Result<(), Box<dyn Error>> {
    let (left, y) = ((SIZE.0 as i32 - 110 * curves.len() as i32) / 2 + 20, LEGEND as i32 / 2 + 4);
    for (i, ((name, _), color)) in curves.iter().zip(COLORS).enumerate() {
        let x = left + 110 * i as i32;
        area.draw(&PathElement::new([(x, y), (x + 26, y)], color.stroke_width(2)))?;
        area.draw(&Circle::new((x + 13, y), 3, color.filled()))?;
        let style = (FONT, 15).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(*name, (x + 33, y), style))?;
    }
    Ok(())
}

fn draw_panel(area: &DrawingArea<SVGBackend<'_>, Shift>, axis: &str, panel: &Panel<'_>) -> Result<(), Box<dyn Error>> {
    let abscissas = || panel.curves.iter().flat_map(|(_, points)| points).map(|p| p.0);
    let (first, last) = (abscissas().fold(1.0, f64::min), abscissas().fold(1.0, f64::max));
    let bottom = panel.values.start;
    let tick = (panel.values.end - bottom) / 60.0;
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, (FONT, 18))
        .margin(10)
        .margin_right(22)
        .x_label_area_size(38)
        .y_label_area_size(58)
        .build_cartesian_2d(Axis::whole(first, last), Axis::values(panel.values.clone()))?;
    let decimals = chart.as_coord_spec().y_spec().decimals;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .x_desc(axis)
        .label_style((FONT, 13))
        .axis_desc_style((FONT, 14))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.decimals$}"))
        .draw()?;
    // Whole numbers without a label, where there is no room for one, have a tick of their own.
    if last - first <= 100.0 {
        let all = (first as i64..=last as i64).map(|x| x as f64);
        chart.draw_series(all.map(|x| PathElement::new([(x, bottom), (x, bottom + tick)], BLACK)))?;
    }
    for (curve, color) in panel.curves.iter().zip(COLORS) {
        let points: Vec<(f64, f64)> = finite(std::slice::from_ref(curve)).collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
        if points.len() <= 100 {
            let radius = if points.len() <= 40 { 3 } else { 2 };
            chart.draw_series(points.iter().map(|&point| Circle::new(point, radius, color.filled())))?;
        }
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
    /// From `first` to `last`, half a unit more on either side, with a tick for each number or, of many, for every 2nd, 5th, ….
    fn whole(first: f64, last: f64) -> Self {
        let mut steps = (0..18).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
        let step = steps.find(|step| (last - first + 1.0) / step <= 12.0).unwrap_or(last);
        let from = (first / step).ceil() as i32;
        let ticks = (from..).map(|i| f64::from(i) * step).take_while(|&tick| tick <= last).collect();
        Axis { range: first - 0.5..last + 0.5, ticks, decimals: 0 }
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
            let svg = render_history(&history(epochs)).unwrap();
            let texts = texts(&svg);
            let labels = Axis::whole(1.0, epochs as f64).ticks;
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
        assert_eq!(render_history(&history).unwrap().matches("<circle").count(), 4 * 3 - 2 + 2);
        assert!(render_history(&[]).is_ok());
    }

    #[test]
    fn one_panel_has_its_own_names_and_numbers() {
        let points = |n: i32, y: f64| (0..n).map(|x| (f64::from(x), y * f64::from(x))).collect::<Vec<_>>();
        let curves = vec![("loss", points(2000, -1e-3)), ("validation", points(5, 1.0)), ("third", points(3, 1.0))];
        let values = from_zero(&curves);
        assert!(values.start < -1.999 && values.end > 4.0, "{values:?}");
        let svg = render("step", &[Panel { title: "Loss", values, curves }]).unwrap();
        let texts = texts(&svg);
        for text in ["loss", "validation", "third", "step", "Loss", "0", "200", "1800"] {
            assert!(texts.contains(&text.to_owned()), "{text}: {texts:?}");
        }
        assert_eq!(svg.matches("<circle").count(), 5 + 3 + 3, "a curve of 2000 points has no circles; the legend has");
    }
}
