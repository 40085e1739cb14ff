//! What a module keeps beside its tensors: whether it trains, and its hooks.

use super::carrier::Carrier;
use super::{Hooks, Memo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A module's training flag and hooks. Every layer has one. A struct of the user's needs such a field only where it holds
/// neither parameters nor buffers nor layers of its own, which carry its flag and hooks otherwise.
///
/// ```
/// use flambeau_autograd::{Tensor, ones};
/// use flambeau_nn::{self as nn, Call, Forward, Module, functional as F};
///
/// #[derive(Module)]
/// struct DropPath {
///     p: f64,
///     state: nn::ModuleState,
/// }
///
/// impl Forward for DropPath {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         F::dropout(x, self.p, self.training())
///     }
/// }
///
/// let net = nn::sequential![DropPath { p: 1.0, state: nn::ModuleState::new() }];
/// net.eval();
/// assert_eq!(net.call(ones([2])).to_vec::<f32>(), [1.0, 1.0]);
/// ```
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

    pub(crate) fn set_training(&self, mode: bool) {
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
        // The state is one level below its module, of which it is the same part as a parameter.
        let carrier = memo.carrier(&self.carrier, memo.level().saturating_sub(1));
        ModuleState { carrier, ..self.copy_own() }
    }

    /// The state of what a module becomes: the same flag, the same hooks, and what it carries for others.
    pub(crate) fn succeed(&self) -> Self {
        let hooks = OnceLock::new();
        if let Some(own) = self.hooks.get() {
            let _ = hooks.set(own.clone());
        }
        let carrier = self.carrier.copy(u32::MAX, Arc::clone);
        ModuleState { training: AtomicBool::new(self.training()), hooks, carrier }
    }

    /// The same flag and hooks, without what it carries for others.
    pub(super) fn copy_own(&self) -> Self {
        let hooks = OnceLock::new();
        if let Some(own) = self.hooks.get() {
            let _ = hooks.set(Arc::new(own.copy()));
        }
        ModuleState { training: AtomicBool::new(self.training()), hooks, carrier: Carrier::new() }
    }
}
