//! What can go wrong on a GPU.

use flambeau_shaders::Missing;
use flambeau_tensor::{DType, Device};

/// An error of the GPU backend.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No adapter fits the request.
    #[error("no GPU adapter{wanted}. Found: {found}")]
    NoAdapter {
        /// What was asked for, after the words "no GPU adapter".
        wanted: String,
        /// The adapters of this machine, or how to get one.
        found: String,
    },
    /// The driver refused to open the device.
    #[error("{device}: the driver refused to open {name}: {reason}")]
    Open {
        /// The device.
        device: Device,
        /// The adapter's name.
        name: String,
        /// The driver's words.
        reason: String,
    },
    /// The device is gone; nothing works on it any more.
    #[error("{device} is lost ({reason}); tensors on it cannot be used any more. Restart the program")]
    Lost {
        /// The device.
        device: Device,
        /// The driver's words.
        reason: String,
    },
    /// wgpu found a call invalid: a bug in flambeau.
    #[error("{device}: an earlier operation was invalid; please report this: {reason}")]
    Validation {
        /// The device.
        device: Device,
        /// wgpu's words.
        reason: String,
    },
    /// No memory.
    #[error(
        "{device}: out of memory: you tried to allocate {bytes} bytes; {reason}. Free some tensors or use a smaller batch"
    )]
    OutOfMemory {
        /// The device.
        device: Device,
        /// How much was asked for.
        bytes: usize,
        /// What is known about it.
        reason: String,
    },
    /// One tensor is larger than the adapter lets a shader see.
    #[error(
        "{device}: a tensor of {bytes} bytes does not fit this adapter: its limit for one buffer is {limit} bytes. Split the \
         tensor or use the device \"cpu\""
    )]
    TooLarge {
        /// The device.
        device: Device,
        /// The tensor's bytes on the device.
        bytes: usize,
        /// `max_storage_buffer_binding_size` or `max_buffer_size`.
        limit: u64,
    },
    /// The adapter lacks a feature that a dtype needs.
    #[error("{device}: {missing}")]
    Missing {
        /// The device.
        device: Device,
        /// What it lacks, for what.
        missing: Missing,
    },
    /// The driver's arithmetic is wrong, so that nothing computed with it would be right.
    #[error(
        "{device}: {name} cannot be used for {dtype}: its driver computes wrong numbers: {wrong}. Update the driver, or use the \
         device \"cpu\""
    )]
    Arithmetic {
        /// The device.
        device: Device,
        /// The adapter's name.
        name: String,
        /// The dtype.
        dtype: DType,
        /// What it got wrong.
        wrong: String,
    },
    /// What a kernel found wrong with the elements that it got, such as an index outside its dimension.
    #[error("{found}")]
    Found {
        /// The device.
        device: Device,
        /// The operation's error.
        found: flambeau_tensor::Error,
    },
}

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl From<Error> for flambeau_tensor::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Found { found, .. } => found,
            other => flambeau_tensor::Error::Device(other.to_string()),
        }
    }
}

/// The result of a GPU function.
pub type Result<T, E = Error> = std::result::Result<T, E>;
