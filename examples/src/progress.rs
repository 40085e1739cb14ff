//! A progress bar on a terminal, nothing in a pipe; and the lines and points of losses that a training leaves.

use crate::options::Training;
use crate::plot;
use indicatif::{ProgressBar, ProgressStyle};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt::Display;
use std::io::IsTerminal;
use torch::Tensor;

/// A bar over `steps` steps of one epoch; hidden where standard error is no terminal.
pub fn bar(steps: usize, epoch: usize, epochs: usize) -> ProgressBar {
    named(format!("Epoch [{epoch}/{epochs}]"), steps)
}

/// A bar over `steps` steps of what `prefix` names; hidden where standard error is no terminal.
pub fn named(prefix: impl Into<Cow<'static, str>>, steps: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len} {elapsed}").expect("the template is valid");
    ProgressBar::new(steps as u64).with_style(style).with_prefix(prefix)
}

/// Prints a line above the bar.
pub fn say(bar: &ProgressBar, line: impl Display) {
    bar.suspend(|| println!("{line}"));
}

/// The losses of a training, as lines and as points.
pub struct Log<'a> {
    options: &'a Training,
    /// Samples of a set, and of a batch.
    samples: [usize; 2],
    place: Cell<[usize; 2]>,
    bar: RefCell<ProgressBar>,
    losses: RefCell<Vec<(f64, f64)>>,
}

impl<'a> Log<'a> {
    /// Of a training with batches of `batch_size` out of `samples` samples.
    pub fn new(options: &'a Training, samples: usize, batch_size: usize) -> Self {
        Log {
            options,
            samples: [samples, batch_size],
            place: Cell::default(),
            bar: RefCell::new(ProgressBar::hidden()),
            losses: RefCell::default(),
        }
    }

    /// The batches of one pass, no more than `--steps`; a bar advances with them.
    pub fn epoch<B>(&self, epoch: usize, batches: impl IntoIterator<Item = B>) -> impl Iterator<Item = B> {
        let all = self.samples[0].div_ceil(self.samples[1]);
        let steps = self.options.steps.map_or(all, |steps| steps.min(all));
        *self.bar.borrow_mut() = bar(steps, epoch, self.options.epochs);
        batches.into_iter().take(steps).enumerate().map(move |(i, batch)| {
            self.place.set([epoch, i]);
            self.bar.borrow().set_position(i as u64);
            batch
        })
    }

    /// Says and keeps the loss of the batch at hand, where its turn has come.
    pub fn loss(&self, loss: &Tensor) {
        let [epoch, batch] = self.place.get();
        if batch % self.options.log_interval == 0 {
            let [samples, size] = self.samples;
            let loss = loss.item();
            self.say(format!("Train Epoch: {epoch} [{}/{samples}]\tLoss: {loss:.7}", batch * size));
            let before = (epoch - 1) * samples.div_ceil(size);
            self.losses.borrow_mut().push(((before + batch) as f64, loss));
        }
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: impl Display) {
        say(&self.bar.borrow(), line);
    }

    /// Draws the losses where `--plot` asks for it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn plot(self) -> Result<(), Box<dyn Error>> {
        let Some(path) = &self.options.common.plot else { return Ok(()) };
        plot::curves(path, "Loss", "step", vec![("train", self.losses.into_inner())])?;
        println!("Drew the losses to {}", path.display());
        Ok(())
    }
}
