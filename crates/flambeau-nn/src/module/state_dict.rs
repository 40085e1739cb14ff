//! Saving and loading a module's tensors by name.

use super::hooks::{self, Hook};
use super::{Field, FieldKind, LoadProgress, Memo, Module, join};
use crate::error::{Error, Result};
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops, options};
use std::fmt;
use std::ops::Index;

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

options! {
    /// Options of [`Module::load_state_dict_with`].
    #[derive(Clone)]
    LoadStateDictOptions {
        /// Whether keys that are missing or unexpected are an error (true).
        strict: bool = true,
        /// Whether the parameters take over the state's memory, dtype and device, in place of copies of its numbers (false).
        assign: bool = false,
    }
}

/// Tensors by name, in a fixed order: what `module.state_dict()` returns, whose tensors share the module's memory. It may also
/// know the version of each module's part, PyTorch's `_metadata`, which tells what an older file lacks.
///
/// `clone` copies the tensors, as Python's `copy.deepcopy(state_dict)` does, so that it keeps what they hold now: the way to
/// remember the best weights and train on.
#[derive(Default)]
pub struct StateDict {
    entries: Vec<(String, Tensor)>,
    /// By the module's dotted name; `None` for a plain collection of tensors.
    versions: Option<Vec<(String, i64)>>,
}

impl Clone for StateDict {
    /// A copy with memory of its own. What is one tensor under two names stays one.
    ///
    /// # Panics
    /// When a device has no memory left.
    fn clone(&self) -> Self {
        let mut out: Vec<(String, Tensor)> = Vec::with_capacity(self.entries.len());
        for (i, (key, tensor)) in self.entries.iter().enumerate() {
            let before = self.entries[..i].iter().position(|(_, other)| other.array().same_view(&tensor.array()));
            let copy = match before {
                Some(at) => out[at].1.shallow_clone(),
                None => copied(tensor),
            };
            out.push((key.clone(), copy));
        }
        StateDict { entries: out, versions: self.versions.clone() }
    }
}

#[track_caller]
fn copied(tensor: &Tensor) -> Tensor {
    if tensor.is_uninitialized() {
        let parameter = tensor.is_parameter().then(|| tensor.requires_grad());
        return Tensor::uninitialized(tensor.dtype(), tensor.device(), parameter);
    }
    ops::clone(&tensor.detach()).or_panic().requires_grad_(tensor.requires_grad())
}

/// So that [`deepcopy`](super::deepcopy) takes a state dict; in a module's field it is plain data.
impl Field for StateDict {
    const KIND: FieldKind = FieldKind::Plain;
    fn deepcopy_in(&self, _memo: &mut Memo) -> Self {
        self.clone()
    }
}

impl StateDict {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tensor under a name.
    pub fn get(&self, key: &str) -> Option<&Tensor> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, t)| t)
    }

    /// Whether there is a tensor under the name.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Puts a tensor under a name, in the place of the one that stood there; returns that one.
    pub fn insert(&mut self, key: impl Into<String>, tensor: Tensor) -> Option<Tensor> {
        let key = key.into();
        match self.entries.iter_mut().find(|(k, _)| *k == key) {
            Some((_, slot)) => Some(std::mem::replace(slot, tensor)),
            None => {
                self.entries.push((key, tensor));
                None
            }
        }
    }

    /// Takes the tensor under a name out.
    pub fn remove(&mut self, key: &str) -> Option<Tensor> {
        let at = self.entries.iter().position(|(k, _)| k == key)?;
        Some(self.entries.remove(at).1)
    }

    /// The names in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(k, _)| k.as_str())
    }

    /// The tensors in order.
    pub fn values(&self) -> impl Iterator<Item = &Tensor> {
        self.entries.iter().map(|(_, t)| t)
    }

    /// Names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries.iter().map(|(k, t)| (k.as_str(), t))
    }

    /// The version that the part of a module has, by the module's dotted name: `_metadata[module]["version"]`.
    pub fn version(&self, module: &str) -> Option<i64> {
        self.versions.as_ref()?.iter().find(|(name, _)| name == module).map(|&(_, version)| version)
    }

    /// Modules and the versions of their parts, in order; `None` where the state dict has none, as one that was collected from
    /// names and tensors.
    pub fn versions(&self) -> Option<&[(String, i64)]> {
        self.versions.as_deref()
    }

    /// Gives the parts of modules versions, by the modules' dotted names.
    pub fn set_versions(&mut self, versions: impl IntoIterator<Item = (String, i64)>) {
        self.versions = Some(versions.into_iter().collect());
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl StateDict {
    /// Of entries whose names are known to differ.
    #[doc(hidden)]
    pub fn from_entries(entries: Vec<(String, Tensor)>) -> Self {
        StateDict { entries, ..StateDict::default() }
    }

    /// The same tensors under the names that begin so, in a state dict of their own.
    fn under(&self, start: &str) -> StateDict {
        let entries = self.entries.iter().filter(|(key, _)| key.starts_with(start));
        StateDict {
            entries: entries.map(|(key, tensor)| (key.clone(), tensor.shallow_clone())).collect(),
            versions: self.versions.clone(),
        }
    }
}

impl Index<&str> for StateDict {
    type Output = Tensor;
    #[track_caller]
    fn index(&self, key: &str) -> &Tensor {
        self.get(key).unwrap_or_else(|| panic!("KeyError: '{key}'"))
    }
}

/// Names and tensors in order: `for (name, tensor) in &state_dict`.
impl<'a> IntoIterator for &'a StateDict {
    type Item = (&'a str, &'a Tensor);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (String, Tensor)>, fn(&'a (String, Tensor)) -> Self::Item>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

impl fmt::Display for StateDict {
    /// As `print(state_dict)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("OrderedDict()");
        }
        f.write_str("OrderedDict([")?;
        for (i, (name, tensor)) in self.iter().enumerate() {
            write!(f, "{}('{name}', {tensor})", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("])")
    }
}

impl fmt::Debug for StateDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl IntoIterator for StateDict {
    type Item = (String, Tensor);
    type IntoIter = std::vec::IntoIter<(String, Tensor)>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl FromIterator<(String, Tensor)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(items: I) -> Self {
        let mut out = StateDict::new();
        for (key, tensor) in items {
            out.insert(key, tensor);
        }
        out
    }
}

impl Extend<(String, Tensor)> for StateDict {
    fn extend<I: IntoIterator<Item = (String, Tensor)>>(&mut self, items: I) {
        for (key, tensor) in items {
            self.insert(key, tensor);
        }
    }
}

/// The keys in which a state dict and a module differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// What the module has and the state dict has not.
    pub missing_keys: Vec<String>,
    /// What the state dict has and the module has not.
    pub unexpected_keys: Vec<String>,
}

/// A module's own parameters and persistent buffers.
fn local_state(module: &dyn Module) -> Vec<(String, Tensor)> {
    let members = module.members();
    let parameters = members.parameters.iter().map(|(name, p)| (name.to_string(), p.shallow_clone()));
    let buffers = members.buffers.iter().filter(|(_, b)| b.is_persistent());
    parameters.chain(buffers.map(|(name, b)| (name.to_string(), b.shallow_clone()))).collect()
}

pub(super) fn of(module: &dyn Module, options: &StateDictOptions) -> StateDict {
    let mut state = StateDict { entries: Vec::new(), versions: Some(Vec::new()) };
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

struct Loader {
    assign: bool,
    report: LoadReport,
    problems: Vec<String>,
    /// Whether a tensor without a shape was to be loaded into one that has a shape.
    unknown: bool,
}

impl Loader {
    fn module(&mut self, module: &dyn Module, prefix: &str, state: &StateDict) {
        let hooks = hooks::snapshot(module);
        let start = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
        let mut own = None;
        for hook in &hooks {
            let Hook::LoadPre(hook) = hook else { continue };
            let own = own.get_or_insert_with(|| state.under(&start));
            let mut progress = LoadProgress {
                prefix: &start,
                version: own.version(prefix),
                missing_keys: &mut self.report.missing_keys,
                unexpected_keys: &mut self.report.unexpected_keys,
                error_msgs: &mut self.problems,
            };
            hook(module, own, &mut progress);
        }
        let state = own.as_ref().unwrap_or(state);
        let local = local_state(module);
        let children = module.members().children;
        let added = module.added_since(state.version(prefix));
        for (name, target) in &local {
            let key = join(prefix, name);
            match state.get(&key) {
                None if added.contains(&name.as_str()) => {}
                None => self.report.missing_keys.push(key),
                Some(source) => self.tensor(&key, target, source),
            }
        }
        self.extra(module, &start, state);
        for key in state.keys() {
            let Some(rest) = key.strip_prefix(&start).filter(|rest| *rest != EXTRA_STATE) else { continue };
            let known = match rest.split_once('.') {
                Some((first, _)) => children.iter().any(|(name, _)| name == first),
                None => local.iter().any(|(name, _)| name == rest),
            };
            if !known {
                self.report.unexpected_keys.push(key.to_owned());
            }
        }
        for (name, child) in children {
            self.module(child, &join(prefix, &name), state);
        }
        for hook in &hooks {
            if let Hook::LoadPost(hook) = hook {
                hook(module, &mut self.report);
            }
        }
    }

    fn extra(&mut self, module: &dyn Module, start: &str, state: &StateDict) {
        let key = format!("{start}{EXTRA_STATE}");
        match (state.get(&key), module.get_extra_state()) {
            (Some(extra), Some(_)) => module.set_extra_state(extra),
            (None, Some(_)) => self.report.missing_keys.push(key),
            (Some(_), None) => self.report.unexpected_keys.push(key),
            (None, None) => {}
        }
    }

    fn tensor(&mut self, key: &str, target: &Tensor, source: &Tensor) {
        match (target.is_uninitialized(), source.is_uninitialized()) {
            (false, false) => {}
            (true, false) => target.materialize(&source.size()),
            (false, true) => {
                self.unknown = true;
                return;
            }
            (true, true) => return self.both_unknown(key, target),
        }
        // Files of PyTorch before 0.4 hold scalars as one element.
        let source =
            if target.dim() == 0 && source.size() == [1] { source.select(0, 0) } else { source.shallow_clone() };
        if source.size() != target.size() {
            self.problems.push(format!(
                "size mismatch for {key}: copying a param with shape {} from checkpoint, the shape in current model is {}.",
                source.size(),
                target.size()
            ));
            return;
        }
        if self.assign {
            // The tensor stays the same one, so that whoever holds it sees the new memory.
            return target.set_data(&source.data());
        }
        let _guard = no_grad();
        if let Err(error) = ops::copy_(target, &source) {
            self.problems.push(format!(
                "While copying the parameter named \"{key}\", whose dimensions in the model are {} and whose dimensions in \
                 the checkpoint are {}, an exception occurred : ('{error}',).",
                target.size(),
                source.size()
            ));
        }
    }

    /// Neither has a shape: nothing is copied, and PyTorch cannot assign one.
    fn both_unknown(&mut self, key: &str, target: &Tensor) {
        if self.assign {
            let (size, why) = (target.size(), target.uninitialized_message("requires_grad_"));
            self.problems.push(format!(
                "While copying the parameter named \"{key}\", whose dimensions in the model are {size} and whose dimensions in \
                 the checkpoint are {size}, an exception occurred : (\"{why}\",)."
            ));
        }
    }
}

/// The state under the names that the module's tensors have now, where it has former ones.
fn renamed(module: &dyn Module, state: &StateDict) -> Option<StateDict> {
    let mut renamed: Option<StateDict> = None;
    super::walk::walk(module, "", &mut |prefix, module| {
        for (name, _, derived) in &module.members().derived {
            let names = derived.former_names(name);
            let names = names.into_iter().map(|(old, new)| (join(prefix, &old), join(prefix, &new)));
            let names: Vec<_> = names.collect();
            if names.is_empty() || !names.iter().all(|(old, _)| state.contains_key(old)) {
                continue;
            }
            let entries = || state.entries.iter().map(|(k, t)| (k.clone(), t.shallow_clone())).collect();
            let renamed =
                renamed.get_or_insert_with(|| StateDict { entries: entries(), versions: state.versions.clone() });
            for (old, new) in names {
                if let Some(tensor) = renamed.remove(&old) {
                    renamed.insert(new, tensor);
                }
            }
        }
    });
    renamed
}

pub(super) fn load(module: &dyn Module, state: &StateDict, options: &LoadStateDictOptions) -> Result<LoadReport> {
    let strict = options.strict;
    let renamed = renamed(module, state);
    let state = renamed.as_ref().unwrap_or(state);
    let (report, problems) = (LoadReport::default(), Vec::new());
    let mut loader = Loader { assign: options.assign, report, problems, unknown: false };
    loader.module(module, "", state);
    if loader.unknown {
        return Err(flambeau_autograd::Error::runtime(Tensor::uninitialized_shape_message()).into());
    }
    let Loader { report, problems, .. } = loader;
    let list = |what: &str, keys: &[String]| {
        let quoted: Vec<String> = keys.iter().map(|k| format!("\"{k}\"")).collect();
        (strict && !keys.is_empty()).then(|| format!("{what} key(s) in state_dict: {}. ", quoted.join(", ")))
    };
    let keys = [list("Missing", &report.missing_keys), list("Unexpected", &report.unexpected_keys)];
    let problems: Vec<String> = keys.into_iter().flatten().chain(problems).collect();
    if problems.is_empty() {
        Ok(report)
    } else {
        Err(Error::StateDict { module: super::repr::class_name(module), problems })
    }
}
