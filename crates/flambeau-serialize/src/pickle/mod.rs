//! Python's pickle format, as far as `torch.save` uses it.
//!
//! A pickle is a program for a small stack machine, and in general it may call any Python function. This reader calls
//! none: it knows a closed table of names ([`globals`]), builds [`Value`]s for them, and refuses every other name, as
//! `torch.load(weights_only=True)` does. Tensors' bytes lie outside the pickle, in storages that it names by key.

mod globals;
mod opcode;
mod rebuild;
mod resolve;
mod unpickler;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use unpickler::{StorageEntry, load};
pub(crate) use writer::dump;

/// Containers nest at most this deep, in both directions: deeper values would overflow the stack of a small thread,
/// and Python's own pickler stops near here.
pub(crate) const MAX_DEPTH: usize = 256;
