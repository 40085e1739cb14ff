//! Downloads of one file over several mirrors, verified by its MD5 as torchvision does.
//!
//! The bytes go to `NAME.part`, which becomes `NAME` by a rename once its checksum is right: a file under its final
//! name is always whole. A partial file is kept when a connection breaks, and the next attempt (of the same mirror,
//! of the next one, of the next run) asks only for the rest. A lock on the partial file keeps two processes apart.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use md5::{Digest, Md5};

use crate::error::{Error, Result};
#[cfg(feature = "download")]
use http::transfer;

#[cfg(feature = "download")]
mod http;

/// How often one mirror may break off and be resumed, as long as each attempt brings new bytes.
const MAX_RESUMES: usize = 8;
const CHUNK: usize = 1 << 16;

/// A file to download: its name below each mirror's address, and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteFile {
    /// The file's name, appended to a mirror's address and to the local directory.
    pub name: &'static str,
    /// The MD5 of its content, in lower-case hex.
    pub md5: &'static str,
}

/// How [`fetch_with`] downloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long resolving a name and connecting may take, each. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long a server may stay silent, in the header as in the body. Default: 30 s.
    pub read_timeout: Duration,
    /// Whether to report on standard error: a bar on a terminal, one line otherwise. Default: true.
    pub progress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), read_timeout: Duration::from_secs(30), progress: true }
    }
}

/// Downloads `file` into `directory` from the first of `mirrors` that has it, and returns the path.
///
/// A file that is there already with the right checksum is used as it is. Mirrors are addresses that end in `/`.
///
/// # Errors
/// [`Error::Mirrors`] with each mirror's reason if none delivers the file; [`Error::Io`] if it cannot be written.
pub fn fetch(file: &RemoteFile, mirrors: &[&str], directory: impl AsRef<Path>) -> Result<PathBuf> {
    fetch_with(file, mirrors, directory, &Options::default())
}

/// [`fetch`] with other timeouts, or without the progress bar.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_with(
    file: &RemoteFile,
    mirrors: &[&str],
    directory: impl AsRef<Path>,
    options: &Options,
) -> Result<PathBuf> {
    let directory = directory.as_ref();
    let target = directory.join(file.name);
    if is_whole(&target, file.md5)? {
        return Ok(target);
    }
    fs::create_dir_all(directory).map_err(|e| Error::io(directory, e))?;
    let mut part = Part::open(directory.join(format!("{}.part", file.name)))?;
    // Another process may have finished the file while this one waited for the lock.
    if is_whole(&target, file.md5)? {
        return Ok(target);
    }
    let mut attempts = Vec::new();
    for mirror in mirrors {
        let url = format!("{mirror}{}", file.name);
        match from_mirror(&url, file.md5, &mut part, options) {
            Ok(()) => {
                part.file.sync_all().map_err(|e| Error::io(&part.path, e))?;
                fs::rename(&part.path, &target).map_err(|e| Error::io(&target, e))?;
                return Ok(target);
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => attempts.push(error),
        }
    }
    Err(Error::Mirrors { file: file.name.to_owned(), attempts })
}

/// Whether `path` exists and has the checksum `md5`.
///
/// # Errors
/// [`Error::Io`] if the file exists and cannot be read.
pub fn is_whole(path: impl AsRef<Path>, md5: &str) -> Result<bool> {
    let path = path.as_ref();
    match File::open(path) {
        Ok(mut file) => Ok(md5_of(&mut file).map_err(|e| Error::io(path, e))? == md5),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io(path, e)),
    }
}

/// The MD5 of the rest of `input`, in lower-case hex.
fn md5_of(input: &mut impl Read) -> io::Result<String> {
    let mut hash = Md5::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            Ok(n) => hash.update(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The partial file, locked against other processes until it is dropped.
///
/// It is never deleted, only emptied: deleting it would take the lock's file away from a process that waits for it.
struct Part {
    file: File,
    path: PathBuf,
}

impl Part {
    fn open(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.and_then(|file| file.lock().map(|()| file)).map_err(|e| Error::io(&path, e))?;
        Ok(Self { file, path })
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|e| Error::io(&self.path, e))?.len())
    }

    /// Cuts the file to `len` bytes and stands at their end.
    fn cut(&mut self, len: u64) -> Result<()> {
        let done = self.file.set_len(len).and_then(|()| self.file.seek(SeekFrom::Start(len)));
        done.map(drop).map_err(|e| Error::io(&self.path, e))
    }

    fn md5(&mut self) -> Result<String> {
        let hash = self.file.seek(SeekFrom::Start(0)).and_then(|_| md5_of(&mut self.file));
        hash.map_err(|e| Error::io(&self.path, e))
    }
}

/// Fills `part` from `url` until its checksum is `md5`.
///
/// Broken connections are resumed while they bring bytes. If bytes that were there before spoil the checksum, the
/// download starts once more from nothing. A file that is wrong although it came whole from `url` is emptied.
fn from_mirror(url: &str, md5: &str, part: &mut Part, options: &Options) -> Result<()> {
    let mut own = false;
    let mut resumes = 0;
    loop {
        let before = part.len()?;
        own |= before == 0;
        match transfer(url, before, part, options) {
            Ok(()) => {
                let found = part.md5()?;
                if found == md5 {
                    return Ok(());
                }
                part.cut(0)?;
                if own {
                    return Err(Error::Checksum { url: url.to_owned(), expected: md5.to_owned(), found });
                }
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) if part.len()? <= before || resumes == MAX_RESUMES => return Err(error),
            Err(_) => resumes += 1,
        }
    }
}

/// Without the feature `download` nothing is transferred.
#[cfg(not(feature = "download"))]
fn transfer(url: &str, _from: u64, _part: &mut Part, _options: &Options) -> Result<()> {
    let what = "flambeau was built without its feature `download`; put the file into the folder by hand";
    Err(Error::Download { url: url.to_owned(), what: what.to_owned() })
}

#[cfg(all(test, feature = "download"))]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;

    /// What the test server does with one request.
    #[derive(Debug, Clone, Copy)]
    enum Reply {
        /// The whole file, or the range asked for.
        Ranges,
        /// The whole file, whatever is asked for.
        Whole,
        /// The range asked for, with a header that names another start.
        WrongRange,
        /// A status without a body.
        Status(u16),
        /// 200 with other bytes.
        Wrong,
        /// What `Ranges` sends, broken off after so many bytes.
        Truncated(usize),
        /// A header that promises the file, then silence.
        Silent,
    }

    /// A server that answers its requests in turn with `replies` (the last one for all that follow), and
    /// the `Range` headers that it saw.
    struct Server {
        address: String,
        ranges: Arc<Mutex<Vec<Option<u64>>>>,
    }

    impl Server {
        fn new(replies: &'static [Reply]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}/files/", listener.local_addr().unwrap());
            let ranges = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&ranges);
            thread::spawn(move || {
                for (i, stream) in listener.incoming().enumerate() {
                    let (seen, reply) = (Arc::clone(&seen), replies[i.min(replies.len() - 1)]);
                    thread::spawn(move || answer(stream.unwrap(), reply, &seen));
                }
            });
            Self { address, ranges }
        }

        fn ranges(&self) -> Vec<Option<u64>> {
            self.ranges.lock().unwrap().clone()
        }
    }

    fn answer(mut stream: TcpStream, reply: Reply, seen: &Mutex<Vec<Option<u64>>>) {
        let mut range = None;
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let line = line.unwrap().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("range: bytes=") {
                range = Some(value.trim_end_matches('-').parse::<usize>().unwrap());
            }
            if line.is_empty() {
                break;
            }
        }
        seen.lock().unwrap().push(range.map(|n| n as u64));
        let content = content();
        let total = content.len();
        let (status, start) = match (reply, range) {
            (Reply::Status(status), _) => (status, total),
            (Reply::Ranges | Reply::Truncated(_) | Reply::WrongRange, Some(n)) if n >= total => (416, total),
            (Reply::Ranges | Reply::Truncated(_) | Reply::WrongRange, Some(n)) => (206, n),
            _ => (200, 0),
        };
        let mut body = content[start..].to_vec();
        if matches!(reply, Reply::Wrong) {
            body[0] ^= 1;
        }
        let named = start + usize::from(matches!(reply, Reply::WrongRange));
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nContent-Range: bytes {named}-{}/{total}\r\nConnection: close\r\n\r\n",
            body.len(),
            total - 1,
        );
        let sent = match reply {
            Reply::Truncated(n) => &body[..n.min(body.len())],
            Reply::Silent => &[],
            _ => &body,
        };
        // The client may have hung up; that is its right.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
        if matches!(reply, Reply::Silent) {
            thread::sleep(Duration::from_secs(20));
        }
    }

    fn content() -> Vec<u8> {
        (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    /// `python3 -c "import hashlib; print(hashlib.md5(bytes((i*2654435761 & 0xffffffff) >> 24 for i in
    /// range(200000))).hexdigest())"`
    const FILE: RemoteFile = RemoteFile { name: "digits.gz", md5: "bc82f4f2ed9ad9079ae8dbdc03b049d8" };

    fn get(mirrors: &[&str], directory: &Path) -> Result<PathBuf> {
        let read_timeout = Duration::from_secs(2);
        fetch_with(&FILE, mirrors, directory, &Options { progress: false, read_timeout, ..Options::default() })
    }

    #[track_caller]
    fn assert_delivered(result: Result<PathBuf>, directory: &Path) {
        let path = result.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(path, directory.join(FILE.name));
        assert!(fs::read(&path).unwrap() == content(), "the file has other bytes");
        assert!(!directory.join("digits.gz.part").exists());
    }

    #[test]
    fn a_whole_file_arrives_and_is_not_fetched_twice() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::new(&[Reply::Ranges]);
        let directory = dir.path().join("new/folders");
        assert_delivered(get(&[&server.address], &directory), &directory);
        assert_delivered(get(&[&server.address], &directory), &directory);
        assert_eq!(server.ranges(), [None]);
    }

    #[test]
    fn a_file_with_a_wrong_checksum_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE.name), "stale").unwrap();
        let server = Server::new(&[Reply::Ranges]);
        assert_delivered(get(&[&server.address], dir.path()), dir.path());
    }

    #[test]
    fn a_partial_file_is_resumed() {
        for (reply, partial, expected) in [
            (Reply::Ranges, &content()[..70_000], vec![Some(70_000)]),
            // The server knows no ranges: the file comes whole.
            (Reply::Whole, &content()[..70_000], vec![Some(70_000)]),
            // The partial file is already whole: 416.
            (Reply::Ranges, &content()[..], vec![Some(200_000)]),
            // Too long, and so wrong: 416, then once more from nothing.
            (Reply::Ranges, &[content(), vec![1]].concat(), vec![Some(200_001), None]),
            // Wrong bytes in front: the checksum tells after the rest came, then once more from nothing.
            (Reply::Ranges, &[9; 1000], vec![Some(1000), None]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("digits.gz.part"), partial).unwrap();
            let server = Server::new(Box::leak(Box::new([reply])));
            assert_delivered(get(&[&server.address], dir.path()), dir.path());
            assert_eq!(server.ranges(), expected, "{reply:?} after {} bytes", partial.len());
        }
    }

    #[test]
    fn a_broken_connection_is_resumed_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::new(&[Reply::Truncated(50_000), Reply::Truncated(60_000), Reply::Ranges]);
        assert_delivered(get(&[&server.address], dir.path()), dir.path());
        assert_eq!(server.ranges(), [None, Some(50_000), Some(110_000)]);
    }

    #[test]
    fn the_next_mirror_goes_on_where_the_last_one_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let first = Server::new(&[Reply::Truncated(50_000), Reply::Status(503)]);
        let second = Server::new(&[Reply::Ranges]);
        assert_delivered(get(&[&first.address, &second.address], dir.path()), dir.path());
        assert_eq!(second.ranges(), [Some(50_000)]);
    }

    #[test]
    fn a_misplaced_range_is_not_appended() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("digits.gz.part"), &content()[..70_000]).unwrap();
        let first = Server::new(&[Reply::WrongRange]);
        let second = Server::new(&[Reply::Ranges]);
        assert_delivered(get(&[&first.address, &second.address], dir.path()), dir.path());
        assert_eq!(second.ranges(), [None]);
    }

    #[test]
    fn when_every_mirror_fails_the_error_lists_each_reason() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Server::new(&[Reply::Status(404)]);
        let wrong = Server::new(&[Reply::Wrong]);
        let silent = Server::new(&[Reply::Silent]);
        let broken = Server::new(&[Reply::Truncated(0)]);
        // A port that nobody listens on: bound for a moment, then closed.
        let closed = format!("http://{}/", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let mirrors = [&*missing.address, &*wrong.address, &*silent.address, &*broken.address, &*closed];
        let error = get(&mirrors, dir.path()).unwrap_err();
        let Error::Mirrors { file, attempts } = &error else { panic!("{error:?}") };
        assert_eq!((file.as_str(), attempts.len()), (FILE.name, 5));
        assert!(matches!(&attempts[1], Error::Checksum { expected, .. } if expected == FILE.md5), "{error}");
        let text = error.to_string();
        for part in [mirrors.as_slice(), &["HTTP status 404", "MD5", "timeout"]].concat() {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        assert!(!dir.path().join(FILE.name).exists());
    }

    #[test]
    fn two_at_once_do_not_mix_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::new(&[Reply::Ranges]);
        thread::scope(|scope| {
            let both = [(); 2].map(|()| scope.spawn(|| get(&[&server.address], dir.path())));
            for one in both {
                assert_delivered(one.join().unwrap(), dir.path());
            }
        });
        assert_eq!(server.ranges(), [None], "the second one waits for the first and uses its file");
    }
}
