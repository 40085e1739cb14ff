//! What can be wrong with a request for random numbers.

/// A refused fill or generator state; the text is PyTorch's.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RandomError(String);

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl std::fmt::Debug for RandomError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl RandomError {
    /// An error with this text.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// `Ok` where the condition holds, else the error with this text (`TORCH_CHECK`).
pub(super) fn check(condition: bool, message: impl FnOnce() -> String) -> Result<(), RandomError> {
    if condition { Ok(()) } else { Err(RandomError(message())) }
}
