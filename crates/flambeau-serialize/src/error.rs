//! The crate's error type.

use std::path::{Path, PathBuf};

/// What went wrong while a file was read or written. Each message names the file and says what to do about it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused: no such file, no permission, disk full.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted: `open`, `read`, `write`, `rename`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file claims a format and breaks its rules: truncated, overwritten, or made by a faulty writer.
    #[error("{} is corrupt: {what}; copy or download it again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The rule that it breaks.
        what: String,
    },
    /// The file may be fine, yet holds something that this crate does not read.
    #[error("cannot load {}: {what}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The format or object that is not supported, and the way around it.
        what: String,
    },
    /// The value that was to be saved cannot be: a programming error of the caller. No file was written.
    #[error("cannot save {}: {what}", path.display())]
    Invalid {
        /// The file that would have been written.
        path: PathBuf,
        /// The rule that the value breaks.
        what: String,
    },
    /// The file is fine, but its tensors cannot be made here.
    #[error("cannot load {}: {source}", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: flambeau_tensor::Error,
    },
    /// A value is not of the type that it was taken for.
    #[error("{}expected {expected}, but found {found}", place(.path))]
    Kind {
        /// The keys that lead to the value, as Python writes them: `['model']['fc.weight']`; nothing for the whole.
        path: String,
        /// What was asked for.
        expected: &'static str,
        /// What stands there instead.
        found: String,
    },
    /// A file has nothing under that name, or a tensor in it nothing at that index.
    #[error("{what} ({})", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What was asked for, and what there is.
        what: String,
    },
    /// An `.npy` file was taken for an archive, or an archive for an array.
    #[error("expected {expected}, but found {found}")]
    Numpy {
        /// What was asked for.
        expected: &'static str,
        /// What the file is.
        found: String,
    },
    /// A file's tensors do not fit the module that was to load them.
    #[error("cannot load {}: {what}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// PyTorch's report of the differences.
        what: String,
    },
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
        flambeau_autograd::Error::runtime(error.to_string())
    }
}

fn place(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("checkpoint{path}: ") }
}

/// A key of a dictionary, or a position in a list, as Python writes it between brackets.
pub(crate) trait Step {
    fn step(&self) -> String;
}

impl Step for usize {
    fn step(&self) -> String {
        self.to_string()
    }
}

impl Step for &str {
    fn step(&self) -> String {
        flambeau_tensor::print::py_str(self)
    }
}

impl Step for crate::Value<flambeau_autograd::Tensor> {
    fn step(&self) -> String {
        self.repr()
    }
}

impl Error {
    /// The same error about a part of a value, which stands there under `key`.
    pub(crate) fn within(self, key: &impl Step) -> Error {
        self.below(&format!("[{}]", key.step()))
    }

    /// The same error about a part of a value, to which `start` leads.
    pub(crate) fn below(self, start: &str) -> Error {
        match self {
            Error::Kind { path, expected, found } => Error::Kind { path: format!("{start}{path}"), expected, found },
            other => other,
        }
    }

    pub(crate) fn corrupt(path: &Path, what: impl Into<String>) -> Error {
        Error::Corrupt { path: path.to_owned(), what: what.into() }
    }

    pub(crate) fn unsupported(path: &Path, what: impl Into<String>) -> Error {
        Error::Unsupported { path: path.to_owned(), what: what.into() }
    }

    pub(crate) fn invalid(path: &Path, what: impl Into<String>) -> Error {
        Error::Invalid { path: path.to_owned(), what: what.into() }
    }

    /// For `map_err`: a failed read, which may tell of the file's content.
    pub(crate) fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
        move |e| if is_damage(&e) { Error::corrupt(path, e.to_string()) } else { Error::io("read", path)(e) }
    }

    /// For `map_err`: the operating system's error on `action` of `path`.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Error + 'a {
        move |source| Error::Io { action, path: path.to_owned(), source }
    }
}

/// Whether a failed read tells of the content and not of the system: a wrong checksum, a broken stream, an entry that is too short.
pub(crate) fn is_damage(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}
