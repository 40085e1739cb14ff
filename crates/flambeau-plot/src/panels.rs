//! Curves in panels, side by side in one frame.

use crate::axis::Axis;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;

/// What the legend takes of the height, above all panels.
const LEGEND: u32 = 36;
/// What a curve takes of the legend's width.
const ENTRY: i32 = 130;
const COLORS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
];
const GRID: RGBColor = RGBColor(225, 225, 225);
const FONT: &str = "sans-serif";

/// A curve's name and its points.
pub(crate) type Curve = (String, Vec<(f64, f64)>);

/// What a backend refuses.
pub(crate) type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Curves in one frame.
pub(crate) struct Panel {
    title: String,
    values: Range<f64>,
    curves: Vec<Curve>,
    /// Whether abscissas are shown by their powers of ten; else they are whole numbers.
    logarithmic: bool,
}

/// The points of all curves that have a place.
fn finite(curves: &[Curve]) -> impl Iterator<Item = (f64, f64)> + '_ {
    curves.iter().flat_map(|(_, points)| points).copied().filter(|(x, value)| x.is_finite() && value.is_finite())
}

/// The least and the largest value, from where on nothing is.
fn extent(curves: &[Curve], from: (f64, f64)) -> (f64, f64) {
    finite(curves).fold(from, |(low, high), (_, y)| (low.min(y), high.max(y)))
}

impl Panel {
    fn new(title: &str, values: Range<f64>, curves: Vec<Curve>) -> Self {
        Panel { title: title.to_owned(), values, curves, logarithmic: false }
    }

    /// From zero, or from the lowest value where that is below, to the highest.
    pub(crate) fn from_zero(title: &str, curves: Vec<Curve>) -> Self {
        let (low, high) = extent(&curves, (0.0, 0.0));
        Panel::new(title, 1.08 * low..if high > low { 1.08 * high } else { 1.0 }, curves)
    }

    /// From the lowest value to one: shares.
    pub(crate) fn up_to_one(title: &str, curves: Vec<Curve>) -> Self {
        let bottom = extent(&curves, (1.0, 1.0)).0;
        let room = (0.08 * (1.0 - bottom)).max(0.005);
        Panel::new(title, (bottom - room).max(0.0)..1.0 + room, curves)
    }

    /// From the lowest to the highest value.
    pub(crate) fn around(title: &str, curves: Vec<Curve>) -> Self {
        let (low, high) = extent(&curves, (f64::INFINITY, f64::NEG_INFINITY));
        let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
        let room = 0.08 * (high - low);
        Panel::new(title, low - room..high + room, curves)
    }

    /// Over powers of ten.
    pub(crate) fn logarithmic(self) -> Self {
        Panel { logarithmic: true, ..self }
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, axis: &str) -> Drawn<B> {
        let place = |x: f64| if self.logarithmic { x.log10() } else { x };
        let abscissas = || finite(&self.curves).map(|p| place(p.0)).filter(|x| x.is_finite());
        let most = abscissas().fold(f64::NEG_INFINITY, f64::max);
        let (first, last) = match self.logarithmic {
            _ if most == f64::NEG_INFINITY => (1.0, 1.0),
            true => (abscissas().fold(f64::INFINITY, f64::min), most),
            false => (abscissas().fold(1.0, f64::min), most.max(1.0)),
        };
        let x_axis = if self.logarithmic { Axis::powers(first, last) } else { Axis::whole(first, last) };
        let bottom = self.values.start;
        let tick = (self.values.end - bottom) / 60.0;
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, (FONT, 18))
            .margin(10)
            .margin_right(22)
            .x_label_area_size(38)
            .y_label_area_size(58)
            .build_cartesian_2d(x_axis, Axis::values(self.values.clone()))?;
        let decimals = chart.as_coord_spec().y_spec().decimals;
        let label = |x: &f64| if self.logarithmic { format!("1e{x:.0}") } else { format!("{x:.0}") };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .x_desc(axis)
            .label_style((FONT, 13))
            .axis_desc_style((FONT, 14))
            .x_label_formatter(&label)
            .y_label_formatter(&|y| format!("{y:.decimals$}"))
            .draw()?;
        // Whole numbers without a label, where there is no room for one, have a tick of their own.
        if !self.logarithmic && last - first <= 100.0 {
            let all = (first as i64..=last as i64).map(|x| x as f64);
            chart.draw_series(all.map(|x| PathElement::new([(x, bottom), (x, bottom + tick)], BLACK)))?;
        }
        for (curve, color) in self.curves.iter().zip(COLORS.iter().cycle()) {
            let points: Vec<(f64, f64)> = finite(std::slice::from_ref(curve)).map(|(x, y)| (place(x), y)).collect();
            chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
            if points.len() <= 100 {
                let radius = match points.len() {
                    1 => 5,
                    2..=40 => 3,
                    _ => 2,
                };
                chart.draw_series(points.iter().map(|&point| Circle::new(point, radius, color.filled())))?;
            }
        }
        Ok(())
    }
}

/// Panels over the same kind of abscissa.
pub(crate) struct Panels {
    axis: String,
    panels: Vec<Panel>,
}

impl Panels {
    pub(crate) fn new(axis: &str, panels: Vec<Panel>) -> Self {
        Panels { axis: axis.to_owned(), panels }
    }

    pub(crate) fn draw<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>) -> Drawn<B> {
        root.fill(&WHITE)?;
        let (top, below) = root.split_vertically(LEGEND);
        if let Some(first) = self.panels.first() {
            legend(&top, &first.curves)?;
        }
        for (area, panel) in below.split_evenly((1, self.panels.len().max(1))).iter().zip(&self.panels) {
            panel.draw(area, &self.axis)?;
        }
        Ok(())
    }
}

/// The names of the curves, outside the panels, where they cover nothing.
fn legend<B: DrawingBackend>(area: &DrawingArea<B, Shift>, curves: &[Curve]) -> Drawn<B> {
    let width = area.dim_in_pixel().0 as i32;
    let (left, y) = ((width - ENTRY * curves.len() as i32) / 2 + 20, LEGEND as i32 / 2 + 4);
    for (i, ((name, _), color)) in curves.iter().zip(COLORS.iter().cycle()).enumerate() {
        let x = left + ENTRY * i as i32;
        area.draw(&PathElement::new([(x, y), (x + 26, y)], color.stroke_width(2)))?;
        area.draw(&Circle::new((x + 13, y), 3, color.filled()))?;
        let style = (FONT, 15).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name.clone(), (x + 33, y), style))?;
    }
    Ok(())
}
