//! Options of the example programs: what is out of range is refused in one line, before anything runs.

use crate::digits::{self, Digits};
use clap::error::ErrorKind;
use clap::{Args, Parser};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use torch::Device;

/// What every program that learns can be told.
#[derive(Args)]
pub struct Common {
    /// Seed of the initial weights and of all that is drawn.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute.
    #[arg(long, default_value = "cpu")]
    pub device: Device,
    /// Draw the losses into this SVG or PNG file.
    #[arg(long)]
    pub plot: Option<PathBuf>,
}

impl Common {
    /// Finds out now, not after the training, what cannot be done, and seeds the generators.
    ///
    /// # Errors
    /// When the device is not there, or the plot cannot be written.
    pub fn start(&self) -> Result<(), Box<dyn Error>> {
        torch::check_device(self.device)?;
        if let Some(plot) = &self.plot {
            writable("--plot", plot)?;
        }
        torch::manual_seed(self.seed);
        Ok(())
    }
}

/// What the programs that learn in passes over a training set can be told.
#[derive(Args)]
pub struct Training {
    /// Passes over the training set.
    #[arg(long, default_value_t = 5, value_parser = at_least_one)]
    pub epochs: usize,
    /// End each pass after so many steps.
    #[arg(long, value_parser = at_least_one)]
    pub steps: Option<usize>,
    /// Steps between two lines.
    #[arg(long, default_value_t = 10, value_parser = at_least_one)]
    pub log_interval: usize,
    /// Seed, device and plot.
    #[command(flatten)]
    pub common: Common,
}

/// What the programs that learn from digits can be told.
#[derive(Args)]
pub struct OnDigits {
    /// Folder with the IDX files of MNIST or FashionMNIST, gzip or not; `synthetic` for digits that the library draws.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Test on so many images at most.
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one)]
    pub test_images: usize,
    /// Passes, steps, and what every program has.
    #[command(flatten)]
    pub training: Training,
}

impl std::ops::Deref for OnDigits {
    type Target = Training;
    fn deref(&self) -> &Training {
        &self.training
    }
}

impl OnDigits {
    /// Training and test images; what cannot be done is found out before they are made, and the generators are seeded after.
    ///
    /// # Errors
    /// When the device or the images are not there, or the plot cannot be written.
    pub fn start(&self) -> Result<[Digits; 2], Box<dyn Error>> {
        self.common.start()?;
        let parts = digits::find(self.data.as_deref())?;
        torch::manual_seed(self.common.seed);
        Ok(parts)
    }
}

/// Runs a program with its options; an error is one line on standard error, and status 1.
pub fn run<T: Parser>(program: impl FnOnce(&T) -> Result<(), Box<dyn Error>>) -> ExitCode {
    match program(&parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", T::command().get_name());
            ExitCode::FAILURE
        }
    }
}

/// The program's options. On a wrong one it prints one line and ends the process with status 2.
pub fn parse<T: Parser>() -> T {
    T::try_parse().unwrap_or_else(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            error.exit();
        }
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        eprintln!("{}: {}", T::command().get_name(), line.strip_prefix("error: ").unwrap_or(line));
        std::process::exit(2);
    })
}

/// A number of things, of which there is at least one.
///
/// # Errors
/// When the text is something else.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(n) if n > isize::MAX as usize => Err("is too large".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("must be a whole number of at least 1".into()),
    }
}

/// A learning rate: finite and not negative.
///
/// # Errors
/// When the text is something else.
pub fn learning_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(lr) if lr.is_finite() && lr >= 0.0 => Ok(lr),
        _ => Err("must be a finite number that is not negative".into()),
    }
}

/// Whether a file can be written at `path`; what stands there stays as it is.
///
/// # Errors
/// When not, in one line that names the option and the path.
pub fn writable(option: &str, path: &Path) -> Result<(), String> {
    let refuse = |why: &dyn std::fmt::Display| Err(format!("cannot write {option} {}: {why}", path.display()));
    if path.is_dir() {
        return refuse(&"it is a folder");
    }
    let Some(name) = path.file_name() else { return refuse(&"it names no file") };
    // Files are written under a temporary name in the same folder, then renamed; so is this one, and removed.
    let probe = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    match std::fs::File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe)) {
        Ok(()) => Ok(()),
        Err(error) => refuse(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!((at_least_one("1"), at_least_one("64")), (Ok(1), Ok(64)));
        for text in ["0", "-1", "1.5", "", "x", "18446744073709551615", "99999999999999999999"] {
            assert!(at_least_one(text).is_err(), "{text}");
        }
        assert_eq!((learning_rate("0"), learning_rate("1e-3")), (Ok(0.0), Ok(1e-3)));
        for text in ["nan", "-1e-3", "inf", "-inf", "", "x", "1e999"] {
            assert!(learning_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_found_and_nothing_is_left() {
        let folder = std::env::temp_dir().join(format!("flambeau-options-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("weights.pth");
        assert_eq!(writable("--out", &file), Ok(()));
        std::fs::write(&file, "old").unwrap();
        assert_eq!(writable("--out", &file), Ok(()));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
        for path in [folder.clone(), folder.join("missing/weights.pth"), file.join("below"), "".into(), "/".into()] {
            let message = writable("--out", &path).unwrap_err();
            assert!(message.starts_with("cannot write --out ") && !message.contains('\n'), "{message}");
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "only the file itself is there");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
