//! What a module keeps beside its tensors: whether it trains, and its hooks.

use super::Module;
use flambeau_autograd::Tensor;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};

type PreHook = Arc<dyn Fn(&dyn Module, &Tensor) -> Option<Tensor> + Send + Sync>;
type PostHook = Arc<dyn Fn(&dyn Module, &Tensor, &Tensor) -> Option<Tensor> + Send + Sync>;

#[derive(Clone)]
enum Hook {
    Before(PreHook),
    After(PostHook),
}

#[derive(Default)]
struct Hooks {
    next: AtomicU64,
    list: RwLock<Vec<(u64, Hook)>>,
}

/// A module's training flag and hooks. Every layer has one; a struct of the user's needs such a field only for hooks of its
/// own or a flag of its own: `#[derive(Module)] struct Net { …, state: nn::ModuleState }`.
pub struct ModuleState {
    training: AtomicBool,
    hooks: OnceLock<Arc<Hooks>>,
}

impl Default for ModuleState {
    fn default() -> Self {
        Self::new()
    }
}

impl ModuleState {
    /// In training mode, without hooks.
    pub const fn new() -> Self {
        ModuleState { training: AtomicBool::new(true), hooks: OnceLock::new() }
    }

    /// Whether the module is in training mode.
    pub fn training(&self) -> bool {
        self.training.load(Ordering::Relaxed)
    }

    pub(super) fn set_training(&self, mode: bool) {
        self.training.store(mode, Ordering::Relaxed);
    }

    pub(super) fn has_hooks(&self) -> bool {
        self.hooks.get().is_some()
    }

    fn add(&self, hook: Hook) -> HookHandle {
        let hooks = self.hooks.get_or_init(Arc::default);
        let id = hooks.next.fetch_add(1, Ordering::Relaxed);
        hooks.list.write().unwrap_or_else(PoisonError::into_inner).push((id, hook));
        HookHandle { hooks: Arc::downgrade(hooks), id }
    }

    pub(super) fn add_before(&self, hook: PreHook) -> HookHandle {
        self.add(Hook::Before(hook))
    }

    pub(super) fn add_after(&self, hook: PostHook) -> HookHandle {
        self.add(Hook::After(hook))
    }

    /// Runs `forward` between the hooks. No lock is held while they run, so that a hook may add or remove hooks.
    pub(super) fn run_hooks(&self, module: &dyn Module, x: &Tensor, forward: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let hooks = self.hooks.get().map_or_else(Vec::new, |hooks| {
            hooks.list.read().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, h)| h.clone()).collect()
        });
        let mut x = x.shallow_clone();
        for hook in &hooks {
            if let Hook::Before(hook) = hook {
                x = hook(module, &x).unwrap_or(x);
            }
        }
        let mut y = forward(&x);
        for hook in &hooks {
            if let Hook::After(hook) = hook {
                y = hook(module, &x, &y).unwrap_or(y);
            }
        }
        y
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
