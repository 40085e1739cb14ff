//! Panics at the caller's line where `#[track_caller]` cannot carry it: through trait objects and closures.

use crate::error::{Error, Result};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::OnceLock;

thread_local! {
    /// How many calls of [`at_caller`] this thread is in.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The message of a failed operation on its way to the line that called into the library.
struct Deferred(String);

/// Runs `call`. An operation that fails in it at a line of the library, since the caller's was lost on the way, panics at the
/// line that called this function instead. Panics at the user's own lines pass as they are. Where panics abort, nothing is
/// caught, and the line is the library's.
#[track_caller]
pub fn at_caller<R>(call: impl FnOnce() -> R) -> R {
    if !cfg!(panic = "unwind") {
        return call();
    }
    let depth = DEPTH.replace(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(call));
    DEPTH.set(depth);
    match result {
        Ok(value) => value,
        Err(payload) => match payload.downcast::<Deferred>() {
            Ok(deferred) => fail(deferred.0),
            Err(payload) => resume_unwind(payload),
        },
    }
}

/// Says where in a program an error was raised, for its message: [`name_places_by`].
static PLACE: OnceLock<fn() -> Option<String>> = OnceLock::new();

/// Has the messages of failed operations name the place that `place` gives: nn's, the module that runs.
pub fn name_places_by(place: fn() -> Option<String>) {
    PLACE.get_or_init(|| place);
}

/// Panics with a failed operation's message and place, at a line as [`fail`] finds it.
#[cold]
#[track_caller]
pub(crate) fn raise(message: String) -> ! {
    match PLACE.get().and_then(|place| place()) {
        Some(place) => fail(format!("{message}\n  in {place}")),
        None => fail(message),
    }
}

/// Panics at the caller's line, or unwinds silently to the [`at_caller`] that knows a better one.
#[cold]
#[track_caller]
fn fail(message: String) -> ! {
    if DEPTH.get() > 0 && is_library(Location::caller().file()) {
        resume_unwind(Box::new(Deferred(message)));
    }
    panic!("{message}")
}

/// An error on its way through a user's code.
struct Raised(Error);

/// Unwinds silently to the [`catch_raised`] that made the user's code run. Where panics abort, nothing is caught, and it panics at
/// once.
#[cold]
#[track_caller]
pub(crate) fn raise_error(error: Error) -> ! {
    if cfg!(panic = "unwind") {
        resume_unwind(Box::new(Raised(error)));
    }
    panic!("{error}")
}

/// Runs a user's code and catches what [`raise_error`] raised in it. Panics pass as they are.
///
/// # Errors
/// What was raised.
pub(crate) fn catch_raised<R>(call: impl FnOnce() -> R) -> Result<R> {
    if !cfg!(panic = "unwind") {
        return Ok(call());
    }
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| match payload.downcast::<Raised>() {
        Ok(raised) => raised.0,
        Err(payload) => resume_unwind(payload),
    })
}

/// Whether a source file belongs to the crates through which a caller's line can be lost.
fn is_library(file: &str) -> bool {
    let parts: Vec<&str> = file.split(['/', '\\']).collect();
    let is_crate = |folder: &str, name: &str| {
        folder.strip_prefix(name).is_some_and(|version| version.is_empty() || version.starts_with("-0."))
    };
    let ours = |folder: &str| {
        ["flambeau-nn", "flambeau-autograd", "flambeau-distributions"].iter().any(|name| is_crate(folder, name))
    };
    parts.windows(2).any(|pair| ours(pair[0]) && pair[1] == "src")
}

#[cfg(test)]
mod tests {
    use super::is_library;

    #[test]
    fn the_librarys_files_are_told_from_others() {
        assert!(is_library(file!()));
        assert!(is_library("/home/me/.cargo/registry/src/index.crates.io-1/flambeau-nn-0.1.0/src/layers/linear.rs"));
        assert!(is_library(r"C:\cargo\flambeau-nn-0.1.0\src\layers\linear.rs"));
        assert!(!is_library("crates/flambeau-nn/tests/lines.rs"));
        assert!(!is_library("src/main.rs"));
        assert!(!is_library("/home/me/flambeau-nn-demo/src/main.rs"));
    }
}
