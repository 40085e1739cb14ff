//! Where the state of a struct without a [`ModuleState`] field lies, its training flag and its hooks: in its parts.
//!
//! A derive cannot add a field, and a table by address would lose the state when the module moves, or give it to whatever
//! lies there next. But a module owns its parts, and they move with it: so each parameter, buffer and layer in it carries a
//! handle of the state, marked with the owner's type and how many modules stand between. Parts behind an `Arc` carry none,
//! since they may have several owners. A struct that was never set to evaluation and has no hooks has no state at all, and a
//! program without such hooks pays one load of a flag per call.

use super::{Hooks, Module, ModuleState};
use std::any::{Any, TypeId};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What is called with each carrier of a module and how many modules up the module is.
#[doc(hidden)]
pub type Visit<'a> = dyn FnMut(&Carrier, u32) -> ControlFlow<()> + 'a;

/// Whether any part of any module carries a state.
static CARRIED: AtomicBool = AtomicBool::new(false);

/// Whether any such state has hooks: what a call asks.
static HOOKED: AtomicBool = AtomicBool::new(false);

/// What a part carries for the modules that own it.
#[doc(hidden)]
#[derive(Default)]
pub struct Carrier(OnceLock<Box<RwLock<Vec<Carried>>>>);

/// The state of one owner.
#[derive(Clone)]
struct Carried {
    owner: TypeId,
    /// How many modules up the owner is.
    depth: u32,
    state: Arc<ModuleState>,
}

impl Carrier {
    pub(super) const fn new() -> Self {
        Carrier(OnceLock::new())
    }

    fn get(&self, owner: TypeId, depth: u32) -> Option<Arc<ModuleState>> {
        let list = self.0.get()?.read().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|c| c.owner == owner && c.depth == depth).map(|c| c.state.clone())
    }

    /// Lays a state in; what the part carried for such an owner is given back, to be dropped without the lock.
    fn put(&self, carried: Carried) -> Option<Arc<ModuleState>> {
        let mut list = self.0.get_or_init(Box::default).write().unwrap_or_else(PoisonError::into_inner);
        match list.iter_mut().find(|c| c.owner == carried.owner && c.depth == carried.depth) {
            Some(place) => Some(std::mem::replace(&mut place.state, carried.state)),
            None => {
                list.push(carried);
                None
            }
        }
    }

    /// What the part of a copy carries: the states of owners that were copied with it, which are at most `levels` up.
    pub(super) fn copy(&self, levels: u32, mut copy: impl FnMut(&Arc<ModuleState>) -> Arc<ModuleState>) -> Carrier {
        let out = Carrier::new();
        if let Some(list) = self.0.get() {
            let list = list.read().unwrap_or_else(PoisonError::into_inner).clone();
            for carried in list.iter().filter(|c| c.depth <= levels) {
                out.put(Carried { state: copy(&carried.state), ..*carried });
            }
        }
        out
    }
}

/// What a module's parts know of its state.
enum Found {
    State(Arc<ModuleState>),
    /// None was laid into them.
    Nothing,
    /// There are no parts that could carry one.
    NoParts,
}

fn find(module: &dyn Module) -> Found {
    let (carried, owner) = (CARRIED.load(Ordering::Relaxed), (module as &dyn Any).type_id());
    let mut found = Found::NoParts;
    let _ = module.carriers(1, &mut |carrier, depth| {
        found = if carried { carrier.get(owner, depth).map_or(Found::Nothing, Found::State) } else { Found::Nothing };
        let go_on = carried && matches!(found, Found::Nothing);
        if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found
}

/// Lays a state into all parts of its module, also those that were put in since.
fn lay(module: &dyn Module, state: &Arc<ModuleState>) {
    let owner = (module as &dyn Any).type_id();
    CARRIED.store(true, Ordering::Relaxed);
    let _ = module.carriers(1, &mut |carrier, depth| {
        if !carrier.get(owner, depth).is_some_and(|has| Arc::ptr_eq(&has, state)) {
            carrier.put(Carried { owner, depth, state: state.clone() });
        }
        ControlFlow::Continue(())
    });
}

/// Sets the mode of a module without a state of its own. One that has no parts forgets it, and panics when it is asked.
pub(super) fn set_training(module: &dyn Module, mode: bool) {
    let state = match find(module) {
        Found::State(state) => state,
        Found::Nothing if !mode => Arc::default(),
        Found::Nothing | Found::NoParts => return,
    };
    state.set_training(mode);
    lay(module, &state);
}

/// The mode of a module without a state of its own.
///
/// # Panics
/// When it has no parts that could carry it.
#[track_caller]
pub(super) fn training(module: &dyn Module) -> bool {
    match find(module) {
        Found::State(state) => state.training(),
        Found::Nothing => true,
        Found::NoParts => panic!(
            "{} has no parameter, buffer or layer of its own that could carry its training flag: give it a field of type \
             nn::ModuleState",
            module.type_name()
        ),
    }
}

/// The hooks that a module's parts carry for it.
#[inline]
pub(super) fn hooks(module: &dyn Module) -> Option<Arc<Hooks>> {
    if !HOOKED.load(Ordering::Relaxed) {
        return None;
    }
    if let Found::State(state) = find(module) { state.hooks().cloned() } else { None }
}

/// The hooks of a module without a state of its own, laid into its parts if there were none; `None` if it has no parts.
pub(super) fn hooks_or_new(module: &dyn Module) -> Option<Arc<Hooks>> {
    let state = match find(module) {
        Found::State(state) => state,
        Found::Nothing => Arc::default(),
        Found::NoParts => return None,
    };
    lay(module, &state);
    HOOKED.store(true, Ordering::Relaxed);
    Some(state.hooks_or_new().clone())
}
