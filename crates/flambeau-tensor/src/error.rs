//! The error of this floor: what PyTorch would say, as a value.

use crate::{DType, Device};

/// What went wrong. The text is PyTorch's wherever PyTorch has one, so that a ported program fails with the same words.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two shapes do not broadcast.
    #[error("The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton dimension {dim}")]
    Broadcast {
        /// Length in the first shape.
        a: usize,
        /// Length in the second shape.
        b: usize,
        /// Where they differ, counted from the front of the result.
        dim: usize,
    },
    /// A dimension that the array does not have.
    #[error("Dimension out of range (expected to be in range of [{min}, {max}], but got {dim})")]
    DimOutOfRange {
        /// Smallest valid dimension.
        min: i64,
        /// Largest valid dimension.
        max: i64,
        /// What was asked for.
        dim: i64,
    },
    /// A shape whose number of elements is not the array's.
    #[error("shape '{shape}' is invalid for input of size {numel}")]
    InvalidShape {
        /// The shape, as PyTorch prints it: `[2, -1]`.
        shape: String,
        /// The array's number of elements.
        numel: usize,
    },
    /// Operands on two devices.
    #[error("Expected all tensors to be on the same device, but found at least two devices, {a} and {b}!")]
    DeviceMismatch {
        /// The first operand's device.
        a: Device,
        /// The device that differs from it.
        b: Device,
    },
    /// An in-place result that the target's dtype cannot hold.
    #[error("result type {from} can't be cast to the desired output type {to}", from = from.scalar_type_name(), to = to.scalar_type_name())]
    ResultCast {
        /// The computed dtype.
        from: DType,
        /// The target's dtype.
        to: DType,
    },
    /// An operation that a device does not have for a dtype.
    #[error("\"{op}\" not implemented for '{dtype}'", dtype = dtype.scalar_type_name())]
    NotImplementedFor {
        /// The operation.
        op: &'static str,
        /// The dtype it lacks.
        dtype: DType,
    },
    /// A storage is borrowed by a slice or ndarray guard.
    #[error("{wanted} of a tensor's memory at the same time as the guard taken at {guard}: drop that guard first")]
    Borrowed {
        /// What the operation wanted: `read` or `write`.
        wanted: &'static str,
        /// File, line and column of the guard.
        guard: String,
    },
    /// No memory for a storage.
    #[error("{device}: out of memory: you tried to allocate {bytes} bytes. Free some tensors or use a smaller batch")]
    OutOfMemory {
        /// Where.
        device: Device,
        /// How much was asked for.
        bytes: usize,
    },
    /// A device that this build or machine does not have.
    #[error("{0}")]
    Device(String),
    /// PyTorch's `IndexError`.
    #[error("{0}")]
    Index(String),
    /// PyTorch's `ValueError`.
    #[error("{0}")]
    Value(String),
    /// PyTorch's `TypeError`.
    #[error("{0}")]
    Type(String),
    /// PyTorch's `NotImplementedError`.
    #[error("{0}")]
    NotImplemented(String),
    /// From the random number generator.
    #[error(transparent)]
    Random(#[from] crate::random::RandomError),
    /// PyTorch's `RuntimeError`.
    #[error("{0}")]
    Runtime(String),
}

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// A `RuntimeError`.
    pub fn runtime(message: impl Into<String>) -> Self {
        Error::Runtime(message.into())
    }

    /// The class of the exception that PyTorch raises for this.
    pub fn python_type(&self) -> &'static str {
        match self {
            Error::DimOutOfRange { .. } | Error::Index(_) => "IndexError",
            Error::Value(_) => "ValueError",
            Error::Type(_) => "TypeError",
            Error::NotImplementedFor { .. } | Error::NotImplemented(_) => "NotImplementedError",
            _ => "RuntimeError",
        }
    }
}

/// The result of an array function.
pub type Result<T, E = Error> = std::result::Result<T, E>;
