//! The crate's error type.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a chart is not there.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be drawn.
    #[error("cannot draw the chart: {0}")]
    Draw(String),
    /// The file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Files are SVG or PNG.
    #[error("{}: a chart is saved as .svg or .png", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
}

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
