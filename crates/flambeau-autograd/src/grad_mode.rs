//! Whether operations record a graph: `torch.no_grad`, `torch.enable_grad`.

use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations of this thread record a graph.
#[inline]
pub fn is_grad_enabled() -> bool {
    ENABLED.get()
}

/// Restores the former mode when it is dropped. Keep it in a variable: `let _guard = no_grad();`.
#[must_use = "the mode ends when the guard is dropped; write `let _guard = …`"]
pub struct GradModeGuard {
    former: bool,
    _not_send: PhantomData<*const ()>,
}

impl Drop for GradModeGuard {
    fn drop(&mut self) {
        ENABLED.set(self.former);
    }
}

/// Sets whether operations of this thread record a graph, until the guard is dropped: `torch.set_grad_enabled`.
pub fn set_grad_enabled(enabled: bool) -> GradModeGuard {
    GradModeGuard { former: ENABLED.replace(enabled), _not_send: PhantomData }
}

/// No graph is recorded until the guard is dropped: `with torch.no_grad():`.
pub fn no_grad() -> GradModeGuard {
    set_grad_enabled(false)
}

/// A graph is recorded until the guard is dropped, even inside [`no_grad`]: `with torch.enable_grad():`.
pub fn enable_grad() -> GradModeGuard {
    set_grad_enabled(true)
}
