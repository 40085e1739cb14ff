//! Loss and accuracy per epoch as an SVG: a test curve that turns away from the training curve shows overfitting, two low
//! curves underfitting.

use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

/// One point of each curve.
pub struct Epoch {
    /// Mean training loss.
    pub loss: f64,
    /// Accuracy on the training images.
    pub train_accuracy: f64,
    /// Accuracy on the test images.
    pub test_accuracy: f64,
}

/// Draws two panels: the loss, and both accuracies.
pub fn draw(path: &Path, history: &[Epoch]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (900, 400)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(450);
    let curve = |pick: fn(&Epoch) -> f64| -> Vec<(f64, f64)> {
        history.iter().enumerate().map(|(i, e)| ((i + 1) as f64, pick(e))).collect()
    };
    let loss = curve(|e| e.loss);
    let top = loss.iter().map(|p| p.1).fold(0.0, f64::max) * 1.05;
    panel(&left, "mean loss", 0.0..top, &[("train", RED, loss)])?;
    let (train, test) = (curve(|e| e.train_accuracy), curve(|e| e.test_accuracy));
    let bottom = train.iter().chain(&test).map(|p| p.1).fold(1.0, f64::min);
    panel(&right, "accuracy", (bottom - 0.02).max(0.0)..1.0, &[("train", RED, train), ("test", BLUE, test)])?;
    root.present()?;
    Ok(())
}

type Curve = (&'static str, RGBColor, Vec<(f64, f64)>);

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    values: std::ops::Range<f64>,
    curves: &[Curve],
) -> Result<(), Box<dyn Error>> {
    let epochs = curves[0].2.len().max(2) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(44)
        .build_cartesian_2d(1.0..epochs, values)?;
    chart.configure_mesh().x_desc("epoch").x_label_formatter(&|x| format!("{x:.0}")).draw()?;
    for (name, color, points) in curves {
        let color = *color;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    Ok(())
}
