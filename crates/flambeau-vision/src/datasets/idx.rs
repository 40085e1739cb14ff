//! The IDX format, in which MNIST and its successors store images and labels.
//!
//! An IDX file is `00 00 TYPE NDIM`, then `NDIM` sizes as big-endian `u32`, then the elements in row-major order.
//! Read are `TYPE = 08` (unsigned bytes) and `0C` (int32, QMNIST's labels), the types that these data sets use. A file may be
//! gzip-compressed; that is told from its first bytes, never from its name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const UNSIGNED_BYTE: u8 = 0x08;
const INT32: u8 = 0x0c;
/// DEFLATE cannot expand a byte to more than 1032 bytes, so a header that promises more than that is wrong.
const MAX_GZIP_RATIO: u64 = 1032;
/// The first allocation; the buffer then grows with what is really read, never with what a header claims.
const FIRST_CAPACITY: u64 = 1 << 16;

/// The content of an IDX file of unsigned bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The size of each dimension; the first one counts the items.
    pub dims: Vec<usize>,
    /// The elements in row-major order: the product of `dims` many.
    pub data: Vec<u8>,
}

/// Reads the IDX file at `path`, gzip-compressed or plain.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::CorruptFile`] if it is no IDX file of unsigned bytes, is
/// truncated, has bytes after its end, or is a damaged gzip file.
pub fn read(path: impl AsRef<Path>) -> Result<Idx> {
    read_of(path.as_ref(), UNSIGNED_BYTE)
}

/// Reads an IDX file of int32 elements, gzip-compressed or plain: its dimensions, and its elements in row-major order.
///
/// # Errors
/// As [`read`].
pub fn read_ints(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<i32>)> {
    let Idx { dims, data } = read_of(path.as_ref(), INT32)?;
    Ok((dims, data.as_chunks::<4>().0.iter().map(|&bytes| i32::from_be_bytes(bytes)).collect()))
}

fn read_of(path: &Path, element: u8) -> Result<Idx> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let metadata = file.metadata().map_err(|e| Error::io(path, e))?;
    parse(BufReader::with_capacity(1 << 16, file), metadata.is_file().then_some(metadata.len()), path, element)
}

/// Reads IDX data from memory, gzip-compressed or plain; `name` stands for the path in errors.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Idx> {
    parse(bytes, Some(bytes.len() as u64), Path::new(name), UNSIGNED_BYTE)
}

/// `stored` is the length of the stored form, where that is known: it bounds what a header may claim.
fn parse(mut input: impl BufRead, stored: Option<u64>, path: &Path, element: u8) -> Result<Idx> {
    let start = input.fill_buf().map_err(|e| Error::io(path, e))?;
    if start.starts_with(&GZIP_MAGIC) {
        parse_plain(MultiGzDecoder::new(input), stored.map(|n| n.saturating_mul(MAX_GZIP_RATIO)), path, element)
    } else {
        parse_plain(input, stored, path, element)
    }
}

fn parse_plain(mut input: impl Read, available: Option<u64>, path: &Path, wanted: u8) -> Result<Idx> {
    let corrupt = |what: String| Error::corrupt(path, what);
    let header = take(&mut input, 4, path)?;
    let &[0, 0, element, ndim] = header.as_slice() else {
        return Err(corrupt(match header.len() {
            4 => format!("not an IDX file: it starts with {header:02x?}, expected 00 00 and a type"),
            n => format!("truncated: an IDX header has at least 4 bytes, the file {n}"),
        }));
    };
    let (name, size) = if wanted == INT32 { ("int32", 4) } else { ("unsigned byte", 1) };
    if element != wanted {
        return Err(corrupt(format!("IDX element type 0x{element:02x}; only 0x{wanted:02x} ({name}) is supported")));
    }
    if ndim == 0 {
        return Err(corrupt("an IDX header without dimensions".into()));
    }
    let sizes = take(&mut input, 4 * u64::from(ndim), path)?;
    if sizes.len() != 4 * usize::from(ndim) {
        return Err(corrupt(format!("truncated in the sizes of its {ndim} dimensions")));
    }
    let dims: Vec<u64> = sizes.as_chunks().0.iter().map(|&size| u64::from(u32::from_be_bytes(size))).collect();
    let expected = product(&dims)
        .and_then(|count| count.checked_mul(size))
        .filter(|&bytes| usize::try_from(bytes).is_ok())
        .ok_or_else(|| corrupt(format!("dimensions {dims:?} hold more bytes than this machine can address")))?;
    if let Some(available) = available.filter(|&available| available < expected) {
        let what = format!("truncated: dimensions {dims:?} need {expected} bytes, the file holds at most {available}");
        return Err(corrupt(what));
    }
    let data = take(&mut input, expected, path)?;
    if data.len() as u64 != expected {
        let found = data.len();
        return Err(corrupt(format!("truncated: dimensions {dims:?} need {expected} bytes, found {found}")));
    }
    // Reading on to the end also makes the gzip decoder verify its checksum.
    if !take(&mut input, 1, path)?.is_empty() {
        return Err(corrupt(format!("bytes after the end: dimensions {dims:?} need only {expected} bytes")));
    }
    Ok(Idx { dims: dims.into_iter().map(|d| d as usize).collect(), data })
}

/// The product of `dims`, or `None` if it overflows; a zero makes it 0 wherever it stands.
fn product(dims: &[u64]) -> Option<u64> {
    if dims.contains(&0) { Some(0) } else { dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d)) }
}

/// The next `n` bytes, or fewer where the input ends first.
fn take(input: &mut impl Read, n: u64, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(n.min(FIRST_CAPACITY) as usize);
    match input.take(n).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        // flate2 reports damaged data with these kinds; anything else is the file system's.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
            Err(Error::corrupt(path, format!("damaged gzip data: {e}")))
        }
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(Error::corrupt(path, "truncated gzip data")),
        Err(e) => Err(Error::io(path, e)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, UNSIGNED_BYTE, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn message(bytes: &[u8]) -> String {
        from_bytes(bytes, "file").unwrap_err().to_string()
    }

    #[test]
    fn plain_and_gzip_read_the_same() {
        let data: Vec<u8> = (0..24).collect();
        let plain = idx(&[2, 3, 4], &data);
        let expected = Idx { dims: vec![2, 3, 4], data };
        assert_eq!(from_bytes(&plain, "file").unwrap(), expected);
        assert_eq!(from_bytes(&gzip(&plain), "file").unwrap(), expected);
        // Members in a row are one gzip file (RFC 1952, 2.2).
        assert_eq!(from_bytes(&[gzip(&plain[..9]), gzip(&plain[9..])].concat(), "file").unwrap(), expected);
    }

    #[test]
    fn compression_is_told_from_content_not_from_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let plain_named_gz = dir.path().join("labels.gz");
        std::fs::write(&plain_named_gz, idx(&[3], &[7, 8, 9])).unwrap();
        let gzip_named_plain = dir.path().join("labels");
        std::fs::write(&gzip_named_plain, gzip(&idx(&[3], &[7, 8, 9]))).unwrap();
        for path in [plain_named_gz, gzip_named_plain] {
            assert_eq!(read(path).unwrap().data, [7, 8, 9]);
        }
    }

    #[test]
    fn an_empty_set_is_a_valid_file() {
        assert_eq!(from_bytes(&idx(&[0, 28, 28], &[]), "file").unwrap().dims, [0, 28, 28]);
    }

    #[test]
    fn every_prefix_is_an_error_and_so_is_a_byte_more() {
        for whole in [idx(&[4, 2], &[1; 8]), gzip(&idx(&[4, 2], &[1; 8]))] {
            for n in 0..whole.len() {
                assert!(matches!(from_bytes(&whole[..n], "file"), Err(Error::CorruptFile { .. })), "prefix of {n}");
            }
            assert!(matches!(from_bytes(&[&whole[..], &[5]].concat(), "file"), Err(Error::CorruptFile { .. })));
        }
        assert!(message(&idx(&[2], &[1, 2, 3])).contains("bytes after the end"));
        assert!(message(&gzip(&idx(&[2], &[1, 2, 3]))).contains("bytes after the end"));
    }

    #[test]
    fn a_wrong_header_says_what_is_wrong() {
        assert!(message(b"<html>not found</html>").contains("not an IDX file"));
        assert!(message(&[0, 0, 0x0d, 1, 0, 0, 0, 0]).contains("element type 0x0d"));
        assert!(message(&[0, 0, 8, 0]).contains("without dimensions"));
        assert!(message(&idx(&[u32::MAX; 3], &[])).contains("more bytes than this machine can address"));
        assert!(message(&idx(&[u32::MAX, 28, 28], &[0; 100])).contains("truncated: dimensions [4294967295, 28, 28]"));
    }

    #[test]
    fn no_header_makes_it_panic() {
        for good in [idx(&[2, 3], &[1; 6]), gzip(&idx(&[2, 3], &[1; 6]))] {
            for at in 0..good.len() {
                for byte in 0..=255 {
                    let mut bytes = good.clone();
                    bytes[at] = byte;
                    if let Ok(Idx { dims, data }) = from_bytes(&bytes, "file") {
                        assert_eq!(dims.iter().product::<usize>(), data.len());
                    }
                }
            }
        }
    }

    #[test]
    fn a_gzip_bomb_stops_at_the_size_in_its_header() {
        let bomb = gzip(&idx(&[10], &vec![0; 1 << 26]));
        assert!(bomb.len() < 1 << 17);
        assert!(message(&bomb).contains("bytes after the end"));
        assert!(message(&gzip(&idx(&[u32::MAX, 1 << 20], &[0; 1000]))).contains("the file holds at most"));
    }

    #[test]
    fn damaged_gzip_data_is_noticed() {
        let data: Vec<u8> = (0..4000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let good = gzip(&idx(&[4000], &data));
        for at in [12, good.len() / 2, good.len() - 6, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(matches!(from_bytes(&bad, "file"), Err(Error::CorruptFile { .. })), "byte {at}");
        }
    }

    #[test]
    fn a_missing_file_is_an_io_error_with_its_path() {
        let error = read("/no/such/file").unwrap_err();
        assert!(matches!(&error, Error::Io { path, .. } if path == Path::new("/no/such/file")), "{error}");
    }
}
