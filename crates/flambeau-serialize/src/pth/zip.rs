//! A zip archive of uncompressed entries, each of which starts at a multiple of some bytes.

use crc32fast::Hasher;
use std::io::{Error, Result, Seek, SeekFrom, Write};

/// Writes an archive entry by entry, straight to `out`. Entries beyond 4 GiB have zip64's fields.
pub(super) struct ZipWriter<W: Write + Seek> {
    out: W,
    /// How many bytes were written.
    at: u64,
    alignment: u64,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    checksum: u32,
    len: u64,
    start: u64,
}

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const END_64_PLACE: u32 = 0x0706_4b50;
/// The place of the checksum in an entry's header.
const CHECKSUM: u64 = 14;
/// The id of zip64's extra field, and the one that PyTorch gives to its padding.
const ZIP64: u16 = 1;
const PADDING: u16 = u16::from_le_bytes(*b"FB");
/// 1 January 1980, the first day that the format knows.
const DATE: u16 = 0x21;
/// What a field of 32 bits holds where zip64's has the number.
const BEYOND: u32 = u32::MAX;

fn is_beyond(n: u64) -> bool {
    n >= u64::from(BEYOND)
}

fn short(n: u64) -> u32 {
    n.min(u64::from(BEYOND)) as u32
}

/// The version of the format that a reader must know.
fn version(beyond: bool) -> u16 {
    if beyond { 45 } else { 20 }
}

/// Bytes in the order of the format.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn u16(&mut self, n: u16) -> &mut Self {
        self.0.extend(n.to_le_bytes());
        self
    }

    fn u32(&mut self, n: u32) -> &mut Self {
        self.0.extend(n.to_le_bytes());
        self
    }

    fn u64(&mut self, n: u64) -> &mut Self {
        self.0.extend(n.to_le_bytes());
        self
    }
}

impl<W: Write + Seek> ZipWriter<W> {
    pub(super) fn new(out: W, alignment: u64) -> Self {
        ZipWriter { out, at: 0, alignment, entries: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Writes an entry whole.
    pub(super) fn entry(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.start(name, crc32fast::hash(bytes), bytes.len() as u64)?;
        self.write(bytes)
    }

    /// Writes an entry of `len` bytes, which `fill` gives in parts, and returns their checksum.
    pub(super) fn entry_in_parts(
        &mut self,
        name: &str,
        len: u64,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>,
    ) -> Result<u32> {
        self.start(name, 0, len)?;
        let (start, mut checksum) = (self.at, Hasher::new());
        fill(&mut |part| {
            checksum.update(part);
            self.write(part)
        })?;
        if self.at - start != len {
            return Err(Error::other(format!("the entry {name} has {} bytes instead of {len}", self.at - start)));
        }
        let checksum = checksum.finalize();
        let Some(entry) = self.entries.last_mut() else { unreachable!("the entry was started") };
        entry.checksum = checksum;
        if len > 0 {
            // The header stands before the bytes that it sums up.
            self.out.seek(SeekFrom::Start(entry.start + CHECKSUM))?;
            self.out.write_all(&checksum.to_le_bytes())?;
            self.out.seek(SeekFrom::Start(self.at))?;
        }
        Ok(checksum)
    }

    fn start(&mut self, name: &str, checksum: u32, len: u64) -> Result<()> {
        let (start, beyond) = (self.at, is_beyond(len));
        let mut extra = Record::default();
        if beyond {
            extra.u16(ZIP64).u16(16).u64(len).u64(len);
        }
        // A field of padding has a head of four bytes.
        let head = start + 30 + (name.len() + extra.0.len()) as u64 + 4;
        let padding = head.next_multiple_of(self.alignment) - head;
        extra.u16(PADDING).u16(padding as u16).0.extend(std::iter::repeat_n(b'Z', padding as usize));
        let mut header = Record::default();
        header.u32(LOCAL).u16(version(beyond)).u16(0).u16(0).u16(0).u16(DATE);
        header.u32(checksum).u32(short(len)).u32(short(len)).u16(name.len() as u16).u16(extra.0.len() as u16);
        header.0.extend(name.bytes().chain(extra.0));
        self.entries.push(Entry { name: name.to_owned(), checksum, len, start });
        self.write(&header.0)
    }

    /// Writes the directory, and whatever is still in a buffer.
    pub(super) fn finish(mut self) -> Result<()> {
        let (directory, count) = (self.at, self.entries.len() as u64);
        for entry in std::mem::take(&mut self.entries) {
            let (long, far) = (is_beyond(entry.len), is_beyond(entry.start));
            let mut extra = Record::default();
            if long || far {
                extra.u16(ZIP64).u16(if long { 16 } else { 0 } + if far { 8 } else { 0 });
            }
            if long {
                extra.u64(entry.len).u64(entry.len);
            }
            if far {
                extra.u64(entry.start);
            }
            let mut record = Record::default();
            let version = version(long || far);
            record.u32(CENTRAL).u16(version).u16(version).u16(0).u16(0).u16(0).u16(DATE).u32(entry.checksum);
            record.u32(short(entry.len)).u32(short(entry.len));
            record.u16(entry.name.len() as u16).u16(extra.0.len() as u16).u16(0).u16(0).u16(0).u32(0);
            record.u32(short(entry.start)).0.extend(entry.name.bytes().chain(extra.0));
            self.write(&record.0)?;
        }
        let (end, len) = (self.at, self.at - directory);
        let mut record = Record::default();
        if count >= u64::from(u16::MAX) || is_beyond(directory) || is_beyond(len) {
            record.u32(END_64).u64(44).u16(45).u16(45).u32(0).u32(0).u64(count).u64(count).u64(len).u64(directory);
            record.u32(END_64_PLACE).u32(0).u64(end).u32(1);
        }
        let short_count = count.min(u64::from(u16::MAX)) as u16;
        record.u32(END).u16(0).u16(0).u16(short_count).u16(short_count).u32(short(len)).u32(short(directory)).u16(0);
        self.write(&record.0)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};

    #[test]
    fn another_reader_reads_the_archive() {
        let mut file = Vec::new();
        let mut zip = ZipWriter::new(Cursor::new(&mut file), 64);
        zip.entry("a/first", b"hello").unwrap();
        let sum = zip.entry_in_parts("a/parts", 5, |take| take(b"wor").and_then(|()| take(b"ld"))).unwrap();
        assert_eq!(sum, crc32fast::hash(b"world"));
        zip.entry_in_parts("a/empty", 0, |_| Ok(())).unwrap();
        assert!(zip.entry_in_parts("a/short", 3, |take| take(b"ab")).is_err());
        zip.entries.pop();
        zip.finish().unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(&file)).unwrap();
        for (name, content) in [("a/first", &b"hello"[..]), ("a/parts", b"world"), ("a/empty", b"")] {
            let mut entry = archive.by_name(name).unwrap();
            assert_eq!(entry.data_start().unwrap() % 64, 0, "{name}");
            let mut read = Vec::new();
            entry.read_to_end(&mut read).unwrap();
            assert_eq!(read, content, "{name}");
        }
        assert_eq!(archive.len(), 3);
    }
}
