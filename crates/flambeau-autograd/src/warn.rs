//! Warnings.

use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// What was warned of, and where.
static SHOWN: Mutex<BTreeSet<(String, &'static str, u32)>> = Mutex::new(BTreeSet::new());

/// Prints `UserWarning: message` to standard error the first time that the caller's line warns in these words, as Python does;
/// tells whether it did.
#[track_caller]
pub fn warn(message: &str) -> bool {
    let place = Location::caller();
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let new = shown.insert((message.to_owned(), place.file(), place.line()));
    if new {
        eprintln!("UserWarning: {message}");
    }
    new
}

/// How many places have warned in these words.
pub fn warned(message: &str) -> usize {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    shown.iter().filter(|(words, ..)| words == message).count()
}

#[cfg(test)]
mod tests {
    use super::warn;

    #[test]
    fn a_place_warns_once_in_the_same_words() {
        let warned: Vec<bool> = (0..3).map(|_| warn("again")).collect();
        assert_eq!(warned, [true, false, false]);
        assert_eq!((super::warned("again"), super::warned("never said")), (1, 0));
        let other_words: Vec<bool> = (0..2).map(|i| warn(&format!("number {i}"))).collect();
        assert_eq!(other_words, [true, true]);
        assert!(warn("again"), "another place");
    }
}
