//! The error of modules.

/// What went wrong with a module, in PyTorch's words where it has some.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `load_state_dict` with keys or shapes that the module does not have; every matching key was loaded.
    #[error("Error(s) in loading state_dict for {module}:\n\t{}", .problems.join("\n\t"))]
    StateDict {
        /// The module's type.
        module: &'static str,
        /// The missing keys, the unexpected keys and each mismatch, a line each.
        problems: Vec<String>,
    },
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

/// The result of a module's function.
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
