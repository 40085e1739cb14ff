//! The crate's error type.

use std::fmt;
use std::io;
#[cfg(feature = "vision")]
use std::path::Path;
use std::path::PathBuf;

/// What can go wrong while data are found, fetched and read.
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
    /// PyTorch's `ValueError`: a sample that is not there, samples that do not fit together.
    #[error("{0}")]
    Value(String),
    /// From a tensor operation.
    #[error(transparent)]
    Tensor(#[from] flambeau_autograd::Error),
    /// A sample of a batch does not fit the batch's first; the loader makes [`Error::Sample`] of it.
    #[error("{source}")]
    Entry {
        /// The sample's place in the batch.
        entry: usize,
        /// How it does not fit.
        source: Box<Error>,
    },
    /// A sample of a batch does not fit the batch's first.
    #[error("{source}\n  entry 0 is sample {first} and entry {entry} is sample {index} of the dataset {dataset}")]
    Sample {
        /// The first sample's number.
        first: usize,
        /// The sample's place in the batch.
        entry: usize,
        /// The sample's number.
        index: usize,
        /// The dataset's type.
        dataset: String,
        /// How it does not fit.
        source: Box<Error>,
    },
    /// A loader's worker failed or panicked while it made a batch.
    #[error("Caught an error in DataLoader worker thread {worker}: {message}")]
    Worker {
        /// The worker's number, from 0.
        worker: usize,
        /// The error's or the panic's message.
        message: String,
    },
    /// A loader's workers made no batch in the time that they have.
    #[error("DataLoader timed out after {seconds} seconds")]
    Timeout {
        /// The loader's `timeout`.
        seconds: f64,
    },
    /// From a dataset of the user's own.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
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
            other => flambeau_autograd::Error::runtime(other.to_string()),
        }
    }
}

impl From<flambeau_tensor::Error> for Error {
    fn from(error: flambeau_tensor::Error) -> Self {
        Error::Tensor(error.into())
    }
}

impl Error {
    /// Any error, or a message, of a dataset of the user's own.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Other(error.into())
    }

    /// Names the sample, of a batch of these samples, that does not fit.
    pub(crate) fn of_batch<D>(self, indices: &[usize]) -> Self {
        let Error::Entry { entry, source } = self else { return self };
        match (indices.first(), indices.get(entry)) {
            (Some(&first), Some(&index)) => {
                Error::Sample { first, entry, index, dataset: crate::dataset::short_name::<D>(), source }
            }
            _ => *source,
        }
    }

    /// An operating system's error with the path that it is about.
    #[cfg(feature = "vision")]
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// A broken file format: `what` says which rule.
    #[cfg(feature = "vision")]
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
