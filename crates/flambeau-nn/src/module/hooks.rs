//! The hooks of a module: one list for all kinds.

use super::{LoadProgress, LoadReport, Module, ModuleHandle, ModuleState, StateDict, Value, carrier};
use flambeau_autograd::Tensor;
use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

/// Gradients of a module's inputs or outputs, side by side; `None` where there is none.
pub type HookGrads = Vec<Option<Tensor>>;

type ErasedBefore = dyn Fn(&dyn Module, &Value) -> Option<Value> + Send + Sync;
type ErasedAfter = dyn Fn(&dyn Module, &Value, &Value) -> Option<Value> + Send + Sync;
type TypedBefore = dyn Fn(&dyn Module, &dyn Any) -> Option<Box<dyn Any>> + Send + Sync;
type TypedAfter = dyn Fn(&dyn Module, &dyn Any, &dyn Any) -> Option<Box<dyn Any>> + Send + Sync;
pub(super) type Backward =
    Arc<dyn Fn(&ModuleHandle, &[Option<Tensor>], &[Option<Tensor>]) -> Option<HookGrads> + Send + Sync>;
pub(super) type BackwardPre = Arc<dyn Fn(&ModuleHandle, &[Option<Tensor>]) -> Option<HookGrads> + Send + Sync>;

type StateDictPre = dyn Fn(&dyn Module, &str, bool) + Send + Sync;
type StateDictPost = dyn Fn(&dyn Module, &mut StateDict, &str) + Send + Sync;
type LoadPre = dyn Fn(&dyn Module, &mut StateDict, &mut LoadProgress<'_>) + Send + Sync;
type LoadPost = dyn Fn(&dyn Module, &mut LoadReport) + Send + Sync;

/// A hook. Those that know the module's signature get its inputs and outputs as they are, the others as [`Value`]s.
#[derive(Clone)]
pub(super) enum Hook {
    BeforeTyped(Arc<TypedBefore>),
    BeforeErased(Arc<ErasedBefore>),
    AfterTyped(Arc<TypedAfter>),
    AfterErased(Arc<ErasedAfter>),
    Backward(Backward),
    BackwardPre(BackwardPre),
    StateDictPre(Arc<StateDictPre>),
    StateDictPost(Arc<StateDictPost>),
    LoadPre(Arc<LoadPre>),
    LoadPost(Arc<LoadPost>),
}

/// The hooks of one module.
#[derive(Default)]
pub(super) struct Hooks {
    next: AtomicU64,
    list: RwLock<Vec<(u64, Hook)>>,
}

impl Hooks {
    pub(super) fn add(self: &Arc<Self>, hook: Hook) -> HookHandle {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.list.write().unwrap_or_else(PoisonError::into_inner).push((id, hook));
        HookHandle { hooks: Arc::downgrade(self), id }
    }

    /// The hooks now. None runs under the lock, so that a hook may add or remove hooks.
    pub(super) fn snapshot(&self) -> Vec<Hook> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, h)| h.clone()).collect()
    }

    /// The same hooks in a list of their own, as Python's `copy.deepcopy` makes it of a dict of functions.
    pub(super) fn copy(&self) -> Hooks {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner).clone();
        Hooks { next: AtomicU64::new(self.next.load(Ordering::Relaxed)), list: RwLock::new(list) }
    }
}

/// The hooks of a module, if it has any.
#[inline]
pub(super) fn of(module: &dyn Module, state: Option<&ModuleState>) -> Option<Arc<Hooks>> {
    match state {
        Some(state) => state.hooks().cloned(),
        None => carrier::hooks(module),
    }
}

/// The hooks of a module on its state dict, mostly none.
pub(super) fn snapshot(module: &dyn Module) -> Vec<Hook> {
    of(module, module.state()).map_or(Vec::new(), |hooks| hooks.snapshot())
}

/// Whether a module or one in it has a hook on its calls.
pub(crate) fn on_calls(module: &dyn Module) -> bool {
    let calls = |hook: &Hook| !matches!(hook, Hook::Backward(_) | Hook::BackwardPre(_));
    let has = |m: &&dyn Module| of(*m, m.state()).is_some_and(|hooks| hooks.snapshot().iter().any(calls));
    module.modules().iter().any(has)
}

/// Adds a hook to a module.
///
/// # Panics
/// When the module has no place for it.
#[track_caller]
pub(super) fn add(module: &dyn Module, hook: Hook) -> HookHandle {
    let hooks = match module.state() {
        Some(state) => Some(state.hooks_or_new().clone()),
        None => carrier::hooks_or_new(module),
    };
    match hooks {
        Some(hooks) => hooks.add(hook),
        None => panic!(
            "{} has no parameter, buffer or layer of its own that could carry a hook: give it a field of type \
             nn::ModuleState",
            module.type_name()
        ),
    }
}

/// Takes a hook away again; dropping the handle leaves the hook in place.
pub struct HookHandle {
    hooks: Weak<Hooks>,
    id: u64,
}

impl HookHandle {
    /// Removes the hook: `handle.remove()`.
    pub fn remove(self) {
        if let Some(hooks) = self.hooks.upgrade() {
            let mut list = hooks.list.write().unwrap_or_else(PoisonError::into_inner);
            let removed = list.iter().position(|(id, _)| *id == self.id).map(|at| list.remove(at));
            // What the hook captured may touch the module when it is dropped: not under the lock.
            drop(list);
            drop(removed);
        }
    }
}
