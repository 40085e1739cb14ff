//! The crate's error type.

use std::fmt;

/// What can go wrong while data are found, fetched and read.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
}
