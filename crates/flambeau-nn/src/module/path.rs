//! Which module runs, for the modes that ask: anomaly detection and the profiler.

use super::Module;
use flambeau_autograd::mode::{self, ModuleScope};
use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;

/// A module's address and type: a struct may start where its first field does.
type Key = (usize, TypeId);

/// The modules within the outermost one that runs, by their dotted names.
#[derive(Default)]
struct Running {
    depth: usize,
    names: HashMap<Key, String>,
}

thread_local! {
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
