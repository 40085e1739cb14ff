//! The crate's error type.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong while images are found, fetched, read and transformed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file was read, but its content is not what its format asks for.
    #[error("{}: corrupt file: {what}", path.display())]
    CorruptFile {
        /// The file.
        path: PathBuf,
        /// Which rule of the format the content breaks.
        what: String,
    },
    /// A mirror sent a whole file with another checksum than the expected one.
    #[error("{url}: the file's MD5 is {found}, expected {expected}")]
    Checksum {
        /// The address that sent the file.
        url: String,
        /// The MD5 that the file must have, in lower-case hex.
        expected: String,
        /// The MD5 of what arrived, in lower-case hex.
        found: String,
    },
    /// One address did not deliver its file.
    #[error("{url}: {what}")]
    Download {
        /// The address.
        url: String,
        /// The reason: the HTTP status, a timeout, a broken connection, ….
        what: String,
    },
    /// No mirror delivered a file; the message lists each mirror's reason.
    #[error("could not download {file} from any mirror:{}", Lines(attempts))]
    Mirrors {
        /// The file's name.
        file: String,
        /// One error for each mirror, in the order in which they were tried.
        attempts: Vec<Error>,
    },
    /// A data set's files are not there.
    #[error("{what} not found. {hint}")]
    NotFound {
        /// What was looked for, and where.
        what: String,
        /// What the user can do about it.
        hint: String,
    },
    /// A file holds no weights of the model that was asked for.
    #[error("{}: {what}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What its state dict lacks, has too much of, or has in another shape.
        what: String,
    },
    /// A file of weights cannot be read; the message names it.
    #[error(transparent)]
    Serialize(#[from] flambeau_serialize::Error),
    /// Python's `ValueError`: a sample that is not there, an image of the wrong shape.
    #[error("{0}")]
    Value(String),
    /// From a tensor operation.
    #[error(transparent)]
    Tensor(#[from] flambeau_autograd::Error),
    /// From a dataset or a loader.
    #[error(transparent)]
    Data(#[from] flambeau_data::Error),
}

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `Result` with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// So that a function which returns `torch::Result` can use `?` on it; the words stay.
impl From<Error> for flambeau_autograd::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Tensor(error) => error,
            Error::Data(error) => error.into(),
            other => flambeau_autograd::Error::runtime(other.to_string()),
        }
    }
}

/// So that datasets, whose samples come as `flambeau_data::Result`, can use `?` on it.
impl From<Error> for flambeau_data::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Tensor(error) => error.into(),
            Error::Data(error) => error,
            Error::Value(what) => flambeau_data::Error::Value(what),
            other => flambeau_data::Error::other(other),
        }
    }
}

impl From<flambeau_tensor::Error> for Error {
    fn from(error: flambeau_tensor::Error) -> Self {
        Error::Tensor(error.into())
    }
}

impl Error {
    /// An operating system's error with the path that it is about.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// A broken file format: `what` says which rule.
    pub(crate) fn corrupt(path: &Path, what: impl Into<String>) -> Self {
        Self::CorruptFile { path: path.to_owned(), what: what.into() }
    }
}

/// One error to a line, indented under its heading.
struct Lines<'a>(&'a [Error]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}
