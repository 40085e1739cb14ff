//! Files that appear whole or not at all.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File, OpenOptions},
    io::{Error as IoError, ErrorKind},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Why a file was not written.
#[derive(Debug)]
pub struct Refused {
    /// What was attempted: `create`, `write`, `rename a temporary file to`.
    pub action: &'static str,
    /// The operating system's reason.
    pub source: IoError,
}

impl Refused {
    fn to(action: &'static str) -> impl FnOnce(IoError) -> Refused {
        move |source| Refused { action, source }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} the file: {}", self.action, self.source)
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Creates `path` with what `fill` writes: under a temporary name in the same folder, then, once the data is on the disk,
/// by a rename. If anything fails, the temporary file is removed and `path` is as before. A link stays one, and a file keeps its
/// permissions; what is no file, as a device, is written to as it is.
///
/// # Errors
/// What `fill` returns, and what the operating system refuses.
pub fn write_whole<E: Into<IoError>>(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), Refused> {
    let real;
    let (mut path, mut permissions) = (path, None);
    if let Ok(known) = fs::metadata(path) {
        if !known.is_file() {
            let mut device = OpenOptions::new().write(true).open(path).map_err(Refused::to("open"))?;
            return fill(&mut device).map_err(|error| Refused::to("write")(error.into()));
        }
        permissions = Some(known.permissions());
        if fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink()) {
            real = fs::canonicalize(path).map_err(Refused::to("open"))?;
            path = &real;
        }
    }
    let (mut file, temporary) = create_beside(path).map_err(Refused::to("create"))?;
    let written = fill(&mut file).map_err(E::into).and_then(|()| {
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.sync_all()
    });
    drop(file); // Windows renames no open file
    let outcome = written
        .map_err(Refused::to("write"))
        .and_then(|()| fs::rename(&temporary, path).map_err(Refused::to("rename a temporary file to")));
    if outcome.is_err() {
        // The error at hand says more than a failure to clean up would.
        let _ = fs::remove_file(&temporary);
    }
    outcome
}

/// A new file `.<name>.<process>.<number>.tmp` in the folder of `path`.
fn create_beside(path: &Path) -> Result<(File, PathBuf), IoError> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = path.file_name().ok_or_else(|| IoError::new(ErrorKind::InvalidInput, "the path names no file"))?;
    loop {
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}.{}.tmp", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let temporary = path.with_file_name(temporary);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (file, temporary)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pth");
        write_whole(&path, |file| file.write_all(b"old")).unwrap();
        let failure = write_whole(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(IoError::other("disk full"))
        });
        assert_eq!(failure.unwrap_err().to_string(), "cannot write the file: disk full");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write_whole(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
    }
}
