//! How much memory a pickle may ask for. A reference of two bytes can repeat a large object, and a compressed pickle can be a
//! thousand times its file, so a small file could otherwise fill the memory.

use super::unpickler::Node;
use crate::{Error, Result, Value};
use std::path::Path;

/// What every file may have: enough for half a million values that are only references.
const BASE: u64 = 64 << 20;

/// What was taken so far. All of it is held against what was read of the pickle, or the file's length if that is less.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    values: usize,
    copies: usize,
}

impl Budget {
    /// Counts a value of the finished tree. Each that is no repetition took a byte of the pickle.
    pub fn value(&mut self, read: u64, path: &Path) -> Result<()> {
        self.values += size_of::<Value>();
        within(self.values, size_of::<Value>() as u64 + 8, read, path)
    }

    /// Counts bytes that are copied: texts, lists of references, shapes.
    pub fn copy(&mut self, bytes: usize, read: u64, path: &Path) -> Result<()> {
        self.copies = self.copies.saturating_add(bytes);
        within(self.copies, 16, read, path)
    }
}

/// Errors where the machine holds more objects and references than the bytes that it has read can make.
pub(crate) fn check_machine(nodes: usize, references: usize, read: u64, path: &Path) -> Result<()> {
    let (node, reference) = (size_of::<Node>(), size_of::<usize>());
    within(nodes * node + references * reference, (node + reference) as u64, read, path)
}

fn within(spent: usize, factor: u64, read: u64, path: &Path) -> Result<()> {
    if spent as u64 > read.saturating_mul(factor).saturating_add(BASE) {
        return Err(Error::corrupt(path, "its pickle repeats shared objects until they fill the memory"));
    }
    Ok(())
}
