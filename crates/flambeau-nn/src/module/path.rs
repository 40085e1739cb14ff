//! Which module runs: for the messages of errors, and for the modes that ask (anomaly detection and the profiler).

use super::Module;
use flambeau_autograd::mode::{self, ModuleScope};
use flambeau_autograd::{at_caller, name_places_by};
use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// A module's address and type: a struct may start where its first field does.
type Key = (usize, TypeId);

/// The modules within the outermost one that runs, by their dotted names.
#[derive(Default)]
struct Running {
    depth: usize,
    names: HashMap<Key, String>,
}

scoped_tls_hkt::scoped_thread_local! {
    /// The outermost module that runs in this thread.
    static ROOT: dyn Module
}

thread_local! {
    /// The innermost module with an address of its own that runs in this thread.
    static INNERMOST: Cell<Option<Key>> = const { Cell::new(None) };
    static RUNNING: RefCell<Running> = RefCell::default();
}

/// A module's forward, until this is dropped.
pub(super) struct Scope {
    _inner: ModuleScope,
}

impl Drop for Scope {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(|running| running.depth -= 1);
    }
}

/// A module that runs, until this is dropped; holds the one around it.
pub(super) struct Frame(Option<Key>);

impl Frame {
    #[inline]
    pub(super) fn enter(module: &dyn Module) -> Frame {
        let around = INNERMOST.get();
        if size_of_val(module) > 0 || around.is_none() {
            INNERMOST.set(Some(key(module)));
        }
        Frame(around)
    }

    /// Whether no module is around it.
    #[inline]
    pub(super) fn is_outermost(&self) -> bool {
        self.0.is_none()
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        INNERMOST.set(self.0);
    }
}

/// Runs the outermost module's forward, so that errors in it name the module within that fails.
#[track_caller]
pub(super) fn outermost<R>(module: &dyn Module, forward: impl FnOnce() -> R) -> R {
    name_places_by(failing);
    at_caller(|| ROOT.set(module, forward))
}

/// The module that runs, by its name in the outermost one: `encoder.layers.3.linear1 (Linear)`.
fn failing() -> Option<String> {
    let innermost = INNERMOST.get().filter(|_| ROOT.is_set())?;
    ROOT.with(|root| {
        let (name, module) = root.named_modules().into_iter().find(|(_, m)| key(*m) == innermost)?;
        (!name.is_empty()).then(|| format!("{name} ({})", module.type_name()))
    })
}

fn key(module: &dyn Module) -> Key {
    (std::ptr::from_ref(module).cast::<()>() as usize, module.type_id())
}

/// Tells the modes that the module's forward begins.
#[cold]
pub(super) fn enter(module: &dyn Module) -> Scope {
    let path = RUNNING.with_borrow_mut(|running| {
        if running.depth == 0 {
            let all = module.named_modules();
            // Modules without size have no address of their own.
            let own = all.into_iter().filter(|(_, m)| size_of_val(*m) > 0);
            running.names = own.map(|(name, m)| (key(m), name)).collect();
        }
        running.depth += 1;
        running.names.get(&key(module)).cloned()
    });
    Scope { _inner: mode::enter_module(path.unwrap_or_default(), module.type_name()) }
}
