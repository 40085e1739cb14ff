//! What can be drawn, and where it goes.

use crate::canvas::Canvas;
use crate::error::{Error, Result};
use crate::lr_finder::LrFinder;
use crate::matrix::Matrix;
use crate::panels::{Panel, Panels};
use flambeau_autograd::AsTensor;
use flambeau_tensor::file::write_whole;
use flambeau_tensorboard::Figure;
use plotters::prelude::*;
use std::io::Write;
use std::path::Path;

/// How good a model is on some images.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// Mean loss.
    pub loss: f64,
    /// The share that it names right.
    pub accuracy: f64,
}

/// One point of each curve of [`Chart::training`].
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    /// On the training set.
    pub train: Score,
    /// On the test set.
    pub test: Score,
}

/// A chart, to be saved as SVG or PNG.
pub struct Chart(Kind);

enum Kind {
    Panels(Panels),
    Matrix(Matrix),
}

impl Chart {
    /// Curves over `axis` (steps, epochs), whose values begin at zero or below.
    ///
    /// ```
    /// use torch::plot::Chart;
    /// let curves = [("train", vec![(1.0, 0.9), (2.0, 0.5)]), ("test", vec![(1.0, 1.0), (2.0, 0.7)])];
    /// assert!(Chart::curves("Loss", "epoch", curves).svg()?.contains("train"));
    /// # Ok::<(), torch::plot::Error>(())
    /// ```
    pub fn curves<S: Into<String>>(
        title: &str,
        axis: &str,
        curves: impl IntoIterator<Item = (S, Vec<(f64, f64)>)>,
    ) -> Self {
        let curves = curves.into_iter().map(|(name, points)| (name.into(), points)).collect();
        Chart(Kind::Panels(Panels::new(axis, vec![Panel::from_zero(title, curves)])))
    }

    /// Loss and accuracy per epoch, side by side: a test curve that turns away from the training curve shows overfitting, two poor
    /// curves underfitting.
    pub fn training(history: &[Epoch]) -> Self {
        let both = |pick: fn(&Score) -> f64| {
            let at = |part: fn(&Epoch) -> &Score| {
                history.iter().enumerate().map(move |(i, epoch)| ((i + 1) as f64, pick(part(epoch)))).collect()
            };
            vec![("train".to_owned(), at(|e| &e.train)), ("test".to_owned(), at(|e| &e.test))]
        };
        let panels =
            vec![Panel::from_zero("Loss", both(|s| s.loss)), Panel::up_to_one("Accuracy", both(|s| s.accuracy))];
        Chart(Kind::Panels(Panels::new("epoch", panels)))
    }

    /// A confusion matrix, counts or shares, rows for the targets: the darker, the more. Classes without a name have their number.
    ///
    /// # Panics
    /// When the tensor is no square.
    ///
    /// ```
    /// use torch::plot::Chart;
    /// let chart = Chart::confusion_matrix(torch::tensor([[8, 2], [1, 9]]), ["cat", "dog"]);
    /// assert!(chart.svg()?.contains("dog"));
    /// # Ok::<(), torch::plot::Error>(())
    /// ```
    #[track_caller]
    pub fn confusion_matrix<S: Into<String>>(matrix: impl AsTensor, classes: impl IntoIterator<Item = S>) -> Self {
        Chart(Kind::Matrix(Matrix::new(matrix.as_tensor(), classes.into_iter().map(Into::into).collect())))
    }

    /// The learning rates of a schedule, step by step.
    pub fn lr_schedule(rates: &[f64]) -> Self {
        let points = rates.iter().enumerate().map(|(i, &rate)| (i as f64, rate)).collect();
        Chart::curves("Learning rate", "step", [("lr", points)])
    }

    /// The losses of a learning-rate range test over the rates, with the suggestion as a dot.
    pub fn lr_finder(found: &LrFinder) -> Self {
        let points: Vec<(f64, f64)> = found.lrs.iter().copied().zip(found.losses.iter().copied()).collect();
        let mut curves = vec![("loss".to_owned(), points.clone())];
        if let Some(point) = found.suggestion.and_then(|lr| points.iter().find(|point| point.0 == lr)) {
            curves.push((format!("{:.1e}", point.0), vec![*point]));
        }
        let panel = Panel::around("Learning-rate range test", curves).logarithmic();
        Chart(Kind::Panels(Panels::new("learning rate", vec![panel])))
    }

    fn size(&self) -> (u32, u32) {
        match &self.0 {
            Kind::Panels(_) => (960, 400),
            Kind::Matrix(matrix) => matrix.size(),
        }
    }

    fn draw<B: DrawingBackend>(&self, backend: B) -> Result<()> {
        let root = backend.into_drawing_area();
        let drawn = match &self.0 {
            Kind::Panels(panels) => panels.draw(&root),
            Kind::Matrix(matrix) => matrix.draw(&root),
        };
        drawn.and_then(|()| root.present()).map_err(|error| Error::Draw(error.to_string()))
    }

    /// The chart as an SVG file.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(SVGBackend::with_string(&mut svg, self.size()))?;
        Ok(svg)
    }

    /// The chart for TensorBoard, of pixels.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let (width, height) = self.size();
        let (canvas, pixels) = Canvas::new((width, height));
        self.draw(canvas)?;
        let pixels = pixels.take();
        Ok(Figure::rgb(width as usize, height as usize, pixels))
    }

    /// The chart as a PNG file. Texts are in letters of dots, since no font is needed for them.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn png(&self) -> Result<Vec<u8>> {
        Ok(self.figure()?.content().to_vec())
    }

    /// Writes the chart into a file, as its name ends: `.svg` or `.png`.
    ///
    /// # Errors
    /// When the name ends otherwise, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        let content = match &ending[..] {
            "svg" => self.svg()?.into_bytes(),
            "png" => self.png()?,
            _ => return Err(Error::Kind { path: path.to_owned() }),
        };
        let written = write_whole(path, |file| file.write_all(&content));
        written.map_err(|refused| Error::Io { path: path.to_owned(), source: refused.source })
    }
}
