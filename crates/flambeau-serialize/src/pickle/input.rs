//! The bytes of pickles, taken as they come: a file before PyTorch 1.6 is several pickles, one behind the other, and nothing
//! tells where one ends but its last opcode.

use crate::{Error, Result};
use std::{io::Read, path::Path};

/// How many bytes are read ahead.
const CHUNK: usize = 1 << 16;

/// A reader that hands out slices. What it holds is never more than the file has.
pub(crate) struct Input<'a> {
    reader: &'a mut dyn Read,
    pub path: &'a Path,
    /// What was read; `buffer[start..]` is not taken yet.
    buffer: Vec<u8>,
    start: usize,
    taken: u64,
    file_len: u64,
}

impl<'a> Input<'a> {
    /// Bytes of a file of `file_len` bytes, which may be fewer than the reader has where it decompresses.
    pub fn new(reader: &'a mut dyn Read, file_len: u64, path: &'a Path) -> Self {
        Input { reader, path, buffer: Vec::new(), start: 0, taken: 0, file_len }
    }

    /// How many bytes what was read may be held to have cost its writer.
    pub fn allowance(&self) -> u64 {
        self.taken.min(self.file_len)
    }

    /// How many bytes were taken so far.
    pub fn position(&self) -> u64 {
        self.taken
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&[u8]> {
        if self.buffer.len() - self.start < len && self.fill(len)? < len {
            return Err(self.ends());
        }
        Ok(self.advance(len))
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("take returns exactly N bytes"))
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// The bytes up to the next line feed, which is taken and left out.
    pub fn line(&mut self) -> Result<&[u8]> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.start..];
            if let Some(at) = rest[searched..].iter().position(|&b| b == b'\n') {
                let line = self.advance(searched + at + 1);
                return Ok(&line[..line.len() - 1]);
            }
            searched = rest.len();
            if self.fill(searched + 1)? == searched {
                return Err(self.ends());
            }
        }
    }

    fn advance(&mut self, len: usize) -> &[u8] {
        let taken = &self.buffer[self.start..self.start + len];
        self.start += len;
        self.taken += len as u64;
        taken
    }

    /// Reads on until `len` bytes wait, or to the end of the file: how many wait.
    fn fill(&mut self, len: usize) -> Result<usize> {
        self.buffer.drain(..self.start);
        self.start = 0;
        // The vector grows with what comes, so a length that lies takes no memory.
        let wanted = len.max(CHUNK) - self.buffer.len();
        (&mut self.reader).take(wanted as u64).read_to_end(&mut self.buffer).map_err(Error::io("read", self.path))?;
        Ok(self.buffer.len())
    }

    pub fn corrupt(&self, what: impl std::fmt::Display) -> Error {
        Error::corrupt(self.path, format!("{what} (byte {} of its pickle)", self.taken))
    }

    fn ends(&self) -> Error {
        self.corrupt("it ends too early")
    }
}
