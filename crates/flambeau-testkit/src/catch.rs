//! Panics as results, for tests that list all failures in the end.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Makes a call; a panic's message comes back instead of going to the terminal. Other threads' panics still print theirs.
///
/// # Errors
/// The panic's message.
pub fn catch<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                hook(info);
            }
        }));
    });
    // A call within a call stays quiet for the outer one.
    let before = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    QUIET.set(before);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::catch;

    #[test]
    fn a_panic_comes_back_as_its_message() {
        assert_eq!(catch(|| 3), Ok(3));
        assert_eq!(catch(|| panic!("number {}", 4)), Err::<(), _>("number 4".into()));
        assert_eq!(catch(|| panic!("plain")), Err::<(), _>("plain".into()));
    }
}
