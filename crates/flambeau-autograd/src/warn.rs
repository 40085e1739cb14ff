//! Warnings.

use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// Prints `UserWarning: message` to standard error the first time that the caller's line warns in these words, as Python does;
/// tells whether it did.
#[track_caller]
pub fn warn(message: &str) -> bool {
    static SHOWN: Mutex<BTreeSet<(String, &'static str, u32)>> = Mutex::new(BTreeSet::new());
    let place = Location::caller();
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let new = shown.insert((message.to_owned(), place.file(), place.line()));
    if new {
        eprintln!("UserWarning: {message}");
    }
    new
}

#[cfg(test)]
mod tests {
    use super::warn;

    #[test]
    fn a_place_warns_once_in_the_same_words() {
        let warned: Vec<bool> = (0..3).map(|_| warn("again")).collect();
        assert_eq!(warned, [true, false, false]);
        let other_words: Vec<bool> = (0..2).map(|i| warn(&format!("number {i}"))).collect();
        assert_eq!(other_words, [true, true]);
        assert!(warn("again"), "another place");
    }
}
