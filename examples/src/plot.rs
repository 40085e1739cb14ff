//! Curves as files: what `--plot` draws.

use std::error::Error;
use std::path::Path;
use torch::plot::Chart;

pub use torch::plot::{Epoch, Score};

/// A curve's name and its points, whose abscissas are whole numbers.
pub type Curve<'a> = (&'a str, Vec<(f64, f64)>);

/// Writes two panels into an SVG or PNG file: the losses, and the accuracies.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(path: &Path, history: &[Epoch]) -> Result<(), Box<dyn Error>> {
    write(path, &Chart::training(history))
}

/// Writes one panel into an SVG or PNG file: curves over `axis` (steps, episodes), which begin at zero or below.
///
/// # Errors
/// When the file cannot be written.
pub fn curves(path: &Path, title: &str, axis: &str, curves: Vec<Curve<'_>>) -> Result<(), Box<dyn Error>> {
    write(path, &Chart::curves(title, axis, curves))
}

/// As its name ends, and as SVG where that says nothing.
fn write(path: &Path, chart: &Chart) -> Result<(), Box<dyn Error>> {
    match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        true => chart.save(path).map_err(Into::into),
        false => {
            let svg = chart.svg()?;
            std::fs::write(path, svg).map_err(|error| format!("cannot write {}: {error}", path.display()).into())
        }
    }
}
