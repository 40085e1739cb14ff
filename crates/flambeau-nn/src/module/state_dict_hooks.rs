//! Hooks on state dicts: what runs when a module gives its state dict, or loads one.

use super::hooks::{self, Hook};
use super::{Call, HookHandle, LoadReport, Module, StateDict};
use std::sync::Arc;

/// How far the load of a state dict has come when a module's pre-hook is called, which may add to it.
pub struct LoadProgress<'a> {
    /// What stands before the module's names in the state dict, with its dot.
    pub prefix: &'a str,
    /// The version that the state dict says the module's part has.
    pub version: Option<i64>,
    /// Names that were missing so far.
    pub missing_keys: &'a mut Vec<String>,
    /// Names that were unexpected so far.
    pub unexpected_keys: &'a mut Vec<String>,
    /// What else was wrong so far.
    pub error_msgs: &'a mut Vec<String>,
}

/// Hooks on a module's state dicts, in the modules' order: what every module has, known by its type or as a `&dyn Module`.
///
/// ```
/// use flambeau_nn::{self as nn, Module, StateDictHooks};
/// let layer = nn::Linear::new(1, 1);
/// // A file of an older program has another name for the weight.
/// layer.register_load_state_dict_pre_hook(|_, state, progress| {
///     if let Some(old) = state.remove(&format!("{}kernel", progress.prefix)) {
///         state.insert(format!("{}weight", progress.prefix), old);
///     }
/// });
/// let mut state = layer.state_dict();
/// let weight = state.remove("weight").unwrap();
/// state.insert("kernel", weight);
/// assert!(layer.load_state_dict(&state).is_ok());
/// ```
pub trait StateDictHooks: Call {
    /// Calls `hook(module, prefix, keep_vars)` before the module's state dict is made: `register_state_dict_pre_hook`.
    ///
    /// # Panics
    /// When the module has neither a tensor nor a layer nor a [`super::ModuleState`] of its own.
    #[track_caller]
    fn register_state_dict_pre_hook(
        &self,
        hook: impl Fn(&dyn Module, &str, bool) + Send + Sync + 'static,
    ) -> HookHandle {
        hooks::add(self.as_module(), Hook::StateDictPre(Arc::new(hook)))
    }

    /// Calls `hook(module, state_dict, prefix)` when the module and all in it have put their tensors into the state dict, which it
    /// may change: `register_state_dict_post_hook`.
    ///
    /// # Panics
    /// As [`StateDictHooks::register_state_dict_pre_hook`].
    #[track_caller]
    fn register_state_dict_post_hook(
        &self,
        hook: impl Fn(&dyn Module, &mut StateDict, &str) + Send + Sync + 'static,
    ) -> HookHandle {
        hooks::add(self.as_module(), Hook::StateDictPost(Arc::new(hook)))
    }

    /// Calls `hook(module, state_dict, progress)` before the module loads its tensors. It may change the state dict, which is the
    /// module's own, of the names under its prefix: `register_load_state_dict_pre_hook`.
    ///
    /// # Panics
    /// As [`StateDictHooks::register_state_dict_pre_hook`].
    #[track_caller]
    fn register_load_state_dict_pre_hook(
        &self,
        hook: impl Fn(&dyn Module, &mut StateDict, &mut LoadProgress<'_>) + Send + Sync + 'static,
    ) -> HookHandle {
        hooks::add(self.as_module(), Hook::LoadPre(Arc::new(hook)))
    }

    /// Calls `hook(module, report)` when the module and all in it have loaded. What it takes out of the report is no error:
    /// `register_load_state_dict_post_hook`.
    ///
    /// # Panics
    /// As [`StateDictHooks::register_state_dict_pre_hook`].
    #[track_caller]
    fn register_load_state_dict_post_hook(
        &self,
        hook: impl Fn(&dyn Module, &mut LoadReport) + Send + Sync + 'static,
    ) -> HookHandle {
        hooks::add(self.as_module(), Hook::LoadPost(Arc::new(hook)))
    }
}

impl<M: Module + ?Sized> StateDictHooks for M {}
