//! Files out of the archives that data sets come in.

use crate::error::{Error, Result};
use flambeau_tensor::file::write_whole;
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Unpacks a `.tar.gz` into `folder`: plain files, whose names may not lead out of it.
///
/// # Errors
/// When the archive is damaged, or a file cannot be written.
pub(super) fn untar(archive: &Path, folder: &Path) -> Result<()> {
    let file = File::open(archive).map_err(|e| Error::io(archive, e))?;
    let mut input = MultiGzDecoder::new(std::io::BufReader::new(file));
    loop {
        let mut header = [0; 512];
        if read_full(&mut input, &mut header, archive)? < header.len() || header.iter().all(|&b| b == 0) {
            return Ok(());
        }
        let text = |range: std::ops::Range<usize>| {
            let field = &header[range];
            let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
            String::from_utf8_lossy(&field[..end]).trim().to_owned()
        };
        let damaged = |what: &str| Error::corrupt(archive, format!("damaged archive: {what}"));
        let size = u64::from_str_radix(&text(124..136), 8).map_err(|_| damaged("a file's size is no number"))?;
        let prefix = if &header[257..262] == b"ustar" { text(345..500) } else { String::new() };
        let name = if prefix.is_empty() { text(0..100) } else { format!("{prefix}/{}", text(0..100)) };
        let mut content = Content { input: (&mut input).take(size), left: size, failure: None };
        let done = if matches!(header[156], b'0' | 0) && !name.ends_with('/') {
            let path = inside(folder, &name).ok_or_else(|| damaged("a name leads out of the folder"))?;
            write(&path, &mut content)
        } else {
            std::io::copy(&mut content, &mut std::io::sink()).map(drop).map_err(|e| Error::io(archive, e))
        };
        // What is wrong with the archive says more than that a file could not be written.
        if let Some(what) = content.failure {
            return Err(Error::corrupt(archive, what));
        }
        done?;
        let mut padding = [0; 512];
        read_full(&mut input, &mut padding[..(size.next_multiple_of(512) - size) as usize], archive)?;
    }
}

/// `name` below `folder`, if it stays there.
fn inside(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    use std::path::Component;
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    Path::new(name).components().all(plain).then(|| folder.join(name))
}

/// One file of an archive, read piece by piece; it remembers what was wrong with the archive.
struct Content<R> {
    input: R,
    left: u64,
    failure: Option<String>,
}

impl<R: Read> Read for Content<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let outcome = self.input.read(buffer);
        match &outcome {
            Ok(0) if self.left > 0 && !buffer.is_empty() => {
                self.failure = Some("damaged archive: it ends within a file".into());
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            Ok(n) => self.left -= *n as u64,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => self.failure = Some(format!("damaged archive: {e}")),
        }
        outcome
    }
}

/// A file of what `content` gives, with the folders above it.
fn write(path: &Path, content: &mut impl Read) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    let written = write_whole(path, |file| std::io::copy(content, file).map(drop));
    written.map_err(|refused| Error::io(path, refused.source))
}

/// Fills the buffer as far as the input goes.
fn read_full(input: &mut impl Read, buffer: &mut [u8], archive: &Path) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::corrupt(archive, format!("damaged archive: {e}"))),
        }
    }
    Ok(filled)
}

/// The entries of a `.zip` whose names (without folders) are wanted, into `folder`.
///
/// # Errors
/// When the archive is damaged or lacks one of them, or a file cannot be written.
pub(super) fn unzip(archive: &Path, folder: &Path, wanted: &[&str]) -> Result<()> {
    let damaged = |e: zip::result::ZipError| Error::corrupt(archive, e.to_string());
    let file = File::open(archive).map_err(|e| Error::io(archive, e))?;
    let mut zip = zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(damaged)?;
    for name in wanted {
        let ends = |entry: &str| entry.rsplit('/').next() == Some(*name);
        let index =
            (0..zip.len()).find(|&i| zip.name_for_index(i).is_some_and(|entry| entry.is_ok_and(|entry| ends(&entry))));
        let index = index.ok_or_else(|| Error::corrupt(archive, format!("it has no file {name}")))?;
        let input = zip.by_index(index).map_err(damaged)?;
        let mut content = Content { left: input.size(), input, failure: None };
        let written = write(&folder.join(name), &mut content);
        if let Some(what) = content.failure {
            return Err(Error::corrupt(archive, what));
        }
        written?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    /// A tar entry: header, content, padding.
    fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        bytes[156] = kind;
        bytes[257..262].copy_from_slice(b"ustar");
        bytes.extend(content);
        bytes.resize(bytes.len().div_ceil(512) * 512, 0);
        bytes
    }

    fn archive(folder: &Path, entries: &[Vec<u8>]) -> std::path::PathBuf {
        let path = folder.join("a.tar.gz");
        let mut gz = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
        entries.iter().for_each(|entry| gz.write_all(entry).unwrap());
        gz.write_all(&[0; 1024]).unwrap();
        gz.finish().unwrap();
        path
    }

    #[test]
    fn a_tar_archive_is_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..700u32).map(|i| i as u8).collect();
        let entries =
            [entry("set/", b'5', b""), entry("set/one.bin", b'0', &content), entry("set/sub/two", b'0', b"2")];
        untar(&archive(folder.path(), &entries), folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("set/one.bin")).unwrap(), content);
        assert_eq!(fs::read(folder.path().join("set/sub/two")).unwrap(), b"2");
    }

    #[test]
    fn damaged_and_malicious_archives_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let message = |entries: &[Vec<u8>]| {
            let path = archive(folder.path(), entries);
            untar(&path, folder.path()).unwrap_err().to_string()
        };
        for name in ["../out", "/tmp/out", "set/../../out"] {
            assert!(message(&[entry(name, b'0', b"x")]).contains("a name leads out of the folder"), "{name}");
        }
        let mut wrong = entry("a", b'0', b"x");
        wrong[124] = b'z';
        assert!(message(&[wrong]).contains("a file's size is no number"));
        let mut long = entry("a", b'0', b"x");
        long[124..135].copy_from_slice(b"00000177777");
        assert!(message(&[long]).contains("it ends within a file"));
        let path = archive(folder.path(), &[entry("a", b'0', &[7; 5000])]);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(untar(&path, folder.path()).unwrap_err().to_string().contains("damaged archive"));
    }

    #[test]
    fn wanted_entries_of_a_zip_archive_are_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        for (name, content) in [("gzip/one.gz", b"one"), ("gzip/two.gz", b"two")] {
            zip.start_file(name, options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
        unzip(&path, folder.path(), &["two.gz"]).unwrap();
        assert_eq!(fs::read(folder.path().join("two.gz")).unwrap(), b"two");
        assert!(!folder.path().join("one.gz").exists());
        assert!(
            unzip(&path, folder.path(), &["three.gz"]).unwrap_err().to_string().contains("it has no file three.gz")
        );
    }
}
