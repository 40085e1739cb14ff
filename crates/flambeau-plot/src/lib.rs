//! Charts of a training, as SVG and as PNG, and the learning-rate range test.
//!
//! ```
//! use torch::plot::Chart;
//!
//! let loss = vec![(1.0, 2.3), (2.0, 0.9), (3.0, 0.4)];
//! let chart = Chart::curves("Loss", "epoch", [("train", loss)]);
//! let path = std::env::temp_dir().join(format!("flambeau-chart-{}.svg", std::process::id()));
//! chart.save(&path)?; // or .png
//! # std::fs::remove_file(path).unwrap();
//! # Ok::<(), torch::plot::Error>(())
//! ```
//!
//! [`Chart::figure`] is what `SummaryWriter::add_figure` takes.

mod axis;
mod canvas;
mod chart;
mod error;
mod lr_finder;
mod matrix;
mod panels;

pub use chart::{Chart, Epoch, Score};
pub use error::{Error, Result};
pub use lr_finder::{LrFinder, LrFinderOptions, lr_finder, lr_finder_with};
