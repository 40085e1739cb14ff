//! Saving and loading a module's tensors by name.

mod dict;
mod load;

pub use dict::StateDict;
pub(super) use load::load;
pub use load::{LoadReport, LoadStateDictOptions};

use super::Module;
use super::hooks::{self, Hook};
use flambeau_autograd::{Tensor, options};

options! {
    /// Options of [`Module::named_parameters_with`] and [`Module::named_buffers_with`].
    #[derive(Clone)]
    NamedOptions {
        /// What stands, with a dot, before each name (nothing).
        prefix: String = String::new(),
        /// Whether the tensors of the modules within count (true).
        recurse: bool = true,
        /// Whether a tensor that is held in several places stands under its first name only (true).
        remove_duplicate: bool = true,
    }
}

options! {
    /// Options of [`Module::state_dict_with`].
    #[derive(Clone)]
    StateDictOptions {
        /// What stands before each name (nothing).
        prefix: String = String::new(),
        /// Whether the tensors are the module's own and not detached from the graph (false).
        keep_vars: bool = false,
    }
}

/// A module's own parameters and persistent buffers.
fn local_state(module: &dyn Module) -> Vec<(String, Tensor)> {
    let members = module.members();
    let parameters = members.parameters.iter().map(|(name, p)| (name.to_string(), p.shallow_clone()));
    let buffers = members.buffers.iter().filter(|(_, b)| b.is_persistent());
    parameters.chain(buffers.map(|(name, b)| (name.to_string(), b.shallow_clone()))).collect()
}

pub(super) fn of(module: &dyn Module, options: &StateDictOptions) -> StateDict {
    let mut state = StateDict { versions: Some(Vec::new()), ..StateDict::new() };
    collect(module, options, &options.prefix, &mut state);
    state
}

/// The key of a module's extra state, behind its prefix.
const EXTRA_STATE: &str = "_extra_state";

fn collect(module: &dyn Module, options: &StateDictOptions, prefix: &str, state: &mut StateDict) {
    let hooks = hooks::snapshot(module);
    let name = prefix.strip_suffix('.').unwrap_or(prefix).to_owned();
    state.versions.get_or_insert_default().push((name, module.version()));
    for hook in &hooks {
        if let Hook::StateDictPre(hook) = hook {
            hook(module, prefix, options.keep_vars);
        }
    }
    let kept = |t: Tensor| if options.keep_vars || t.is_uninitialized() { t } else { t.detach() };
    state.entries.extend(local_state(module).into_iter().map(|(name, t)| (format!("{prefix}{name}"), kept(t))));
    if let Some(extra) = module.get_extra_state() {
        state.entries.push((format!("{prefix}{EXTRA_STATE}"), extra));
    }
    for (name, child) in module.members().children {
        collect(child, options, &format!("{prefix}{name}."), state);
    }
    for hook in &hooks {
        if let Hook::StateDictPost(hook) = hook {
            hook(module, state, prefix);
        }
    }
}
