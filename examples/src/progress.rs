//! A progress bar on a terminal, nothing in a pipe.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// A bar over `steps` steps of one epoch; hidden where standard error is no terminal.
pub fn bar(steps: usize, epoch: usize, epochs: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len} {elapsed}").expect("the template is valid");
    ProgressBar::new(steps as u64).with_style(style).with_prefix(format!("Epoch [{epoch}/{epochs}]"))
}
