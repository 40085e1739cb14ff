//! The crate's error type.

/// Why an optimizer or a scheduler refused, in PyTorch's words where it has some.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// PyTorch's `ValueError`: an option out of its range, a state that belongs to another optimizer.
    #[error("{0}")]
    Value(String),
    /// PyTorch's `TypeError`: tensors and groups mixed, an option of the wrong kind.
    #[error("{0}")]
    Type(String),
    /// PyTorch's `KeyError`: an option that a loaded state dict lacks, a running average that the first step did not make.
    #[error("KeyError: '{0}'")]
    Key(String),
    /// PyTorch's `RuntimeError`: options that exclude each other.
    #[error("{0}")]
    Runtime(String),
    /// PyTorch's `AssertionError`: an option that a device cannot do.
    #[error("{0}")]
    Assertion(String),
    /// From a tensor operation.
    #[error(transparent)]
    Tensor(#[from] flambeau_autograd::Error),
}

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// A result whose error is [`enum@Error`].
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

/// Refuses with a `ValueError` unless `holds`.
pub(crate) fn check(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Value(message())) }
}
