//! Loading a module's tensors by name, with PyTorch's report.

use super::{EXTRA_STATE, StateDict, local_state};
use crate::error::{Error, Result};
use crate::module::hooks::{self, Hook};
use crate::module::walk::walk;
use crate::module::{LoadProgress, Module, join, repr};
use flambeau_autograd::{Tensor, no_grad, ops, options};
use flambeau_tensor::print::py_str;
use std::fmt;

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

/// The keys in which a state dict and a module differ. It prints as PyTorch's: `<All keys matched successfully>`, or the keys.
///
/// ```
/// use flambeau_nn::{self as nn, Module};
/// let (layer, state) = (nn::Linear::new(1, 1), nn::Linear::with(1, 1, |o| o.bias(false)).state_dict());
/// let report = layer.load_state_dict_with(&state, |o| o.strict(false))?;
/// assert_eq!(report.to_string(), "_IncompatibleKeys(missing_keys=['bias'], unexpected_keys=[])");
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// What the module has and the state dict has not.
    pub missing_keys: Vec<String>,
    /// What the state dict has and the module has not.
    pub unexpected_keys: Vec<String>,
}

impl fmt::Display for LoadReport {
    /// As `print(model.load_state_dict(state_dict))`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.missing_keys.is_empty() && self.unexpected_keys.is_empty() {
            return f.write_str("<All keys matched successfully>");
        }
        let list = |keys: &[String]| keys.iter().map(|key| py_str(key)).collect::<Vec<_>>().join(", ");
        let (missing, unexpected) = (list(&self.missing_keys), list(&self.unexpected_keys));
        write!(f, "_IncompatibleKeys(missing_keys=[{missing}], unexpected_keys=[{unexpected}])")
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
                None if self.other(&key, state) => {}
                None if added.contains(&name.as_str()) => {}
                None => self.report.missing_keys.push(key),
                Some(source) => self.tensor(&key, target, source),
            }
        }
        self.extra(module, &start, state);
        for key in state.all_keys() {
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

    /// Reports an entry that the module has a tensor for and the file something else; whether there is one.
    fn other(&mut self, key: &str, state: &StateDict) -> bool {
        let Some(other) = state.others.iter().find(|other| other.name == key) else { return false };
        self.problems.push(format!(
            "While copying the parameter named \"{key}\", expected torch.Tensor or Tensor-like object from checkpoint but received \
             {}",
            other.class
        ));
        true
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
    walk(module, "", &mut |prefix, module| {
        for (name, _, derived) in &module.members().derived {
            let names = derived.former_names(name);
            let names = names.into_iter().map(|(old, new)| (join(prefix, &old), join(prefix, &new)));
            let names: Vec<_> = names.collect();
            if names.is_empty() || !names.iter().all(|(old, _)| state.contains_key(old)) {
                continue;
            }
            let renamed = renamed.get_or_insert_with(|| state.shallow());
            for (old, new) in names {
                if let Some(tensor) = renamed.remove(&old) {
                    renamed.insert(new, tensor);
                }
            }
        }
    });
    renamed
}

pub(in crate::module) fn load(
    module: &dyn Module,
    state: &StateDict,
    options: &LoadStateDictOptions,
) -> Result<LoadReport> {
    let strict = options.strict;
    let renamed = renamed(module, state);
    let state = renamed.as_ref().unwrap_or(state);
    let (report, problems) = (LoadReport::default(), Vec::new());
    let mut loader = Loader { assign: options.assign, report, problems, unknown: false };
    loader.module(module, "", state);
    if loader.unknown {
        return Err(flambeau_autograd::Error::runtime(Tensor::uninitialized_shape_message()).into());
    }
    let Loader { report, mut problems, .. } = loader;
    if strict {
        let keys = [("Missing", &report.missing_keys), ("Unexpected", &report.unexpected_keys)];
        let lines = keys.into_iter().filter(|(_, keys)| !keys.is_empty()).map(|(what, keys)| {
            let quoted: Vec<String> = keys.iter().map(|k| format!("\"{k}\"")).collect();
            format!("{what} key(s) in state_dict: {}. ", quoted.join(", "))
        });
        problems.splice(0..0, lines);
        problems.extend(remedy(&report, state));
    }
    if problems.is_empty() { Ok(report) } else { Err(Error::StateDict { module: repr::class_name(module), problems }) }
}

/// What to do about names that all differ in one way, which PyTorch's report leaves to the reader.
fn remedy(report: &LoadReport, state: &StateDict) -> Option<String> {
    let (missing, unexpected) = (&report.missing_keys, &report.unexpected_keys);
    // Most names of one side are those of the other behind a prefix.
    let prefix = |longer: &[String], shorter: &[String]| -> Option<String> {
        let first = shorter.first()?;
        let prefix = longer.iter().find_map(|name| name.strip_suffix(first.as_str()).filter(|p| p.ends_with('.')))?;
        let known = |name: &&String| longer.iter().any(|long| long.strip_prefix(prefix) == Some(name.as_str()));
        (shorter.iter().filter(known).count() * 2 > shorter.len()).then(|| prefix.to_owned())
    };
    if let Some(prefix) = prefix(unexpected, missing) {
        let who = if prefix == "module." { ", as nn.DataParallel writes them" } else { "" };
        return Some(format!(
            "The names in the state_dict begin with \"{prefix}\"{who}: \
             nn::utils::consume_prefix_in_state_dict_if_present(&mut state_dict, \"{prefix}\") takes that away."
        ));
    }
    if let Some(prefix) = prefix(missing, unexpected) {
        let path = prefix.trim_end_matches('.');
        return Some(format!(
            "The state_dict is one of the model's part \"{path}\": model.{path}.load_state_dict(…) takes it."
        ));
    }
    let within = state.others.iter().find(|other| other.is_state && unexpected.contains(&other.name))?;
    (!missing.is_empty()).then(|| {
        format!(
            "The state_dict seems to be a checkpoint that has one: load_state_dict(&checkpoint[\"{}\"]).",
            within.name
        )
    })
}
