//! What a module keeps beside its tensors: whether it trains, and its hooks.

use super::carrier::Carrier;
use super::{Hooks, Memo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A module's training flag and hooks. Every layer has one; a struct of the user's needs such a field only for a flag of its
/// own, or for hooks where it holds neither tensors nor layers: `#[derive(Module)] struct Net { …, state: nn::ModuleState }`.
pub struct ModuleState {
    training: AtomicBool,
    hooks: OnceLock<Arc<Hooks>>,
    carrier: Carrier,
}

impl Default for ModuleState {
    fn default() -> Self {
        Self::new()
    }
}

impl ModuleState {
    /// In training mode, without hooks.
    pub const fn new() -> Self {
        ModuleState { training: AtomicBool::new(true), hooks: OnceLock::new(), carrier: Carrier::new() }
    }

    /// Whether the module is in training mode.
    pub fn training(&self) -> bool {
        self.training.load(Ordering::Relaxed)
    }

    pub(super) fn set_training(&self, mode: bool) {
        self.training.store(mode, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn hooks(&self) -> Option<&Arc<Hooks>> {
        self.hooks.get()
    }

    pub(super) fn hooks_or_new(&self) -> &Arc<Hooks> {
        self.hooks.get_or_init(Arc::default)
    }

    pub(super) fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    pub(super) fn copy(&self, memo: &mut Memo) -> Self {
        let hooks = OnceLock::new();
        if let Some(own) = self.hooks.get() {
            let _ = hooks.set(memo.hooks(own));
        }
        // The state is one level below its module, of which it is the same part as a parameter.
        let levels = memo.level().saturating_sub(1);
        let carrier = self.carrier.copy(levels, |hooks| memo.hooks(hooks));
        ModuleState { training: AtomicBool::new(self.training()), hooks, carrier }
    }
}
