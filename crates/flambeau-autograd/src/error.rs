//! The error of tensors with gradients.

use std::panic::Location;

/// What went wrong, in PyTorch's words where it has some.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// From the array floor.
    #[error(transparent)]
    Array(#[from] flambeau_tensor::Error),
    /// `backward()` without a gradient on a tensor of several elements.
    #[error("grad can be implicitly created only for scalar outputs")]
    NonScalarBackward,
    /// `backward()` on a tensor without a graph.
    #[error("element 0 of tensors does not require grad and does not have a grad_fn")]
    NoGraph,
    /// The graph's saved tensors are gone.
    #[error(
        "Trying to backward through the graph a second time (or directly access saved tensors after they have already been \
         freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify \
         retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors \
         after calling backward."
    )]
    GraphFreed,
    /// A saved tensor was written to.
    #[error(
        "one of the variables needed for gradient computation has been modified by an inplace operation: [{kind} \
         {shape}]{what} is at version {version}; expected version {expected} instead. Hint: enable anomaly detection to find \
         the operation that failed to compute its gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False).{writer}"
    )]
    ModifiedInPlace {
        /// `torch.FloatTensor`.
        kind: &'static str,
        /// `[3, 2]`.
        shape: String,
        /// `, which is output 0 of Exp,`, or nothing for a leaf.
        what: String,
        /// Its version now.
        version: u64,
        /// Its version when it was saved.
        expected: u64,
        /// ` The last in-place write was made at src/main.rs:7:5.`
        writer: String,
    },
    /// A saved tensor was taken out of the graph.
    #[error(
        "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_().This is not supported, please use \
         out-of-place `.detach()` instead"
    )]
    Detached,
    /// An in-place operation on a leaf.
    #[error("a leaf Variable that requires grad is being used in an in-place operation.")]
    LeafInPlace,
    /// An in-place operation on a view of a leaf.
    #[error("a view of a leaf Variable that requires grad is being used in an in-place operation.")]
    LeafViewInPlace,
    /// An in-place operation on an output of `split` or its kin, on a view made under `no_grad`, or on what such a view shows.
    #[error("{0}")]
    ViewInPlace(String),
    /// An input of `grad` that the outputs do not depend on.
    #[error(
        "The differentiated Tensor at index {0} appears to not have been used in the graph. Set allow_unused=True if this is the \
         desired behavior."
    )]
    UnusedInput(usize),
    /// An argument that came as data is missing, or of another kind than the operation takes.
    #[error("{0}")]
    Argument(String),
    /// The second run of a checkpoint is not like the first.
    #[error("{0}")]
    Checkpoint(String),
    /// `gradcheck` found a wrong derivative.
    #[error("{0}")]
    GradCheck(String),
}

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// A `RuntimeError` with these words.
    pub fn runtime(message: impl Into<String>) -> Self {
        flambeau_tensor::Error::runtime(message).into()
    }

    /// An `IndexError` with these words.
    pub fn index(message: impl Into<String>) -> Self {
        flambeau_tensor::Error::Index(message.into()).into()
    }

    /// A `ValueError` with these words.
    pub fn value(message: impl Into<String>) -> Self {
        flambeau_tensor::Error::Value(message.into()).into()
    }

    /// A `TypeError` with these words.
    pub fn type_error(message: impl Into<String>) -> Self {
        flambeau_tensor::Error::Type(message.into()).into()
    }

    /// A `CheckpointError` with these words.
    pub(crate) fn checkpoint(message: impl Into<String>) -> Self {
        Error::Checkpoint(message.into())
    }

    /// The class of the exception that PyTorch raises for this.
    pub fn python_type(&self) -> &'static str {
        match self {
            Error::Array(e) => e.python_type(),
            Error::Checkpoint(_) => "CheckpointError",
            _ => "RuntimeError",
        }
    }

    pub(crate) fn writer(location: Option<&'static Location<'static>>) -> String {
        location.map_or_else(String::new, |l| format!(" The last in-place write was made at {l}."))
    }
}

/// The result of a tensor function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Turns a failed operation into a panic at the caller's line, with PyTorch's message: a wrong shape is a bug in the
/// program, as an index out of bounds is. Whoever wants a `Result` calls the function in [`crate::ops`].
pub trait OrPanic<T> {
    /// The value, or a panic with the error's message.
    fn or_panic(self) -> T;
}

impl<T, E: std::fmt::Display> OrPanic<T> for Result<T, E> {
    #[inline]
    #[track_caller]
    fn or_panic(self) -> T {
        match self {
            Ok(value) => value,
            Err(error) => crate::caller::raise(error.to_string()),
        }
    }
}
