//! Where the hooks of a struct without a [`ModuleState`](super::ModuleState) lie: in its parts.
//!
//! A derive cannot add a field, and a table by address would lose the hooks when the module moves, or give them to whatever
//! lies there next. But a module owns its parts, and they move with it: so each parameter, buffer and layer in it carries a
//! handle of the hooks' list, marked with the owner's type and how many modules stand between. Parts behind an `Arc` carry
//! none, since they may have several owners. Programs without such hooks pay one load of a flag per call.

use super::{Hooks, Module};
use std::any::{Any, TypeId};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What is called with each carrier of a module and how many modules up the module is.
#[doc(hidden)]
pub type Visit<'a> = dyn FnMut(&Carrier, u32) -> ControlFlow<()> + 'a;

/// Whether any part of any module carries hooks.
static CARRIED: AtomicBool = AtomicBool::new(false);

/// What a part carries for the modules that own it.
#[doc(hidden)]
#[derive(Default)]
pub struct Carrier(OnceLock<Box<RwLock<Vec<Carried>>>>);

/// The hooks of one owner.
#[derive(Clone)]
struct Carried {
    owner: TypeId,
    /// How many modules up the owner is.
    depth: u32,
    hooks: Arc<Hooks>,
}

impl Carrier {
    pub(super) const fn new() -> Self {
        Carrier(OnceLock::new())
    }

    fn get(&self, owner: TypeId, depth: u32) -> Option<Arc<Hooks>> {
        let list = self.0.get()?.read().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|c| c.owner == owner && c.depth == depth).map(|c| c.hooks.clone())
    }

    fn add(&self, carried: Carried) {
        self.0.get_or_init(Box::default).write().unwrap_or_else(PoisonError::into_inner).push(carried);
    }

    /// What the part of a copy carries: the hooks of owners that were copied with it, which are at most `levels` up.
    pub(super) fn copy(&self, levels: u32, mut copy: impl FnMut(&Arc<Hooks>) -> Arc<Hooks>) -> Carrier {
        let out = Carrier::new();
        if let Some(list) = self.0.get() {
            let list = list.read().unwrap_or_else(PoisonError::into_inner).clone();
            for carried in list.iter().filter(|c| c.depth <= levels) {
                out.add(Carried { hooks: copy(&carried.hooks), ..*carried });
            }
        }
        out
    }
}

/// The hooks that a module's parts carry for it.
pub(super) fn find(module: &dyn Module) -> Option<Arc<Hooks>> {
    if !CARRIED.load(Ordering::Relaxed) {
        return None;
    }
    let owner = (module as &dyn Any).type_id();
    let mut found = None;
    let _ = module.carriers(1, &mut |carrier, depth| {
        found = carrier.get(owner, depth);
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// The hooks of a module without a state, laid into its parts if there were none; `None` if it has no parts of its own.
pub(super) fn find_or_make(module: &dyn Module) -> Option<Arc<Hooks>> {
    if let Some(hooks) = find(module) {
        return Some(hooks);
    }
    let (hooks, owner) = (Arc::<Hooks>::default(), (module as &dyn Any).type_id());
    let mut laid = false;
    let _ = module.carriers(1, &mut |carrier, depth| {
        laid = true;
        carrier.add(Carried { owner, depth, hooks: hooks.clone() });
        ControlFlow::Continue(())
    });
    CARRIED.fetch_or(laid, Ordering::Relaxed);
    laid.then_some(hooks)
}
