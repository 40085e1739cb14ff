//! Tensors by name: what a module's state is.

use crate::module::{Field, FieldKind, Memo};
use flambeau_autograd::{AsState, AsTensor, OrPanic, Tensor, ops};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::{Index, IndexMut};

/// Tensors by name, in a fixed order: what `module.state_dict()` returns, whose tensors share the module's memory. It may also
/// know the version of each module's part, PyTorch's `_metadata`, which tells what an older file lacks.
///
/// `clone` copies the tensors, as Python's `copy.deepcopy(state_dict)` does, so that it keeps what they hold now: the way to
/// remember the best weights and train on.
///
/// ```
/// use flambeau_nn::{self as nn, Module, StateDict};
/// let mut state = nn::Linear::new(2, 1).state_dict();
/// state.pop("bias");
/// // {"fc." + k: v for k, v in state.items()}
/// let renamed: StateDict = state.items().map(|(k, v)| (format!("fc.{k}"), v)).collect();
/// assert_eq!(renamed.keys().collect::<Vec<_>>(), ["fc.weight"]);
/// ```
#[derive(Default)]
pub struct StateDict {
    pub(super) entries: Vec<(String, Tensor)>,
    /// By the module's dotted name; `None` for a plain collection of tensors.
    pub(super) versions: Option<Vec<(String, i64)>>,
    /// What a file's dictionary has beside tensors, for `load_state_dict` to report.
    pub(super) others: Vec<Other>,
}

/// An entry that is no tensor.
#[derive(Clone)]
pub(super) struct Other {
    pub name: String,
    /// How many tensors stand before it.
    pub at: usize,
    /// The Python class, as `type(value)` prints it.
    pub class: String,
    /// Whether it is a state dict itself.
    pub is_state: bool,
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
        StateDict { entries: out, versions: self.versions.clone(), others: self.others.clone() }
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

/// So that [`deepcopy`](crate::deepcopy) takes a state dict; in a module's field it is plain data.
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

    /// Puts a tensor under a name, in the place of the one that stood there; returns that one. `state[name] = tensor` does the same.
    pub fn insert(&mut self, name: impl Into<String>, tensor: impl AsTensor) -> Option<Tensor> {
        let (name, tensor) = (name.into(), tensor.as_tensor().shallow_clone());
        match self.entries.iter_mut().find(|(k, _)| *k == name) {
            Some((_, slot)) => Some(std::mem::replace(slot, tensor)),
            None => {
                self.entries.push((name, tensor));
                None
            }
        }
    }

    /// Takes the tensor under a name out, if there is one: `state.pop(name, None)`.
    pub fn remove(&mut self, key: &str) -> Option<Tensor> {
        let at = self.entries.iter().position(|(k, _)| k == key)?;
        Some(self.entries.remove(at).1)
    }

    /// Takes the tensor under a name out: `state.pop(name)`.
    ///
    /// # Panics
    /// With Python's `KeyError` when there is none; [`StateDict::remove`] does not.
    #[track_caller]
    pub fn pop(&mut self, name: &str) -> Tensor {
        match self.remove(name) {
            Some(tensor) => tensor,
            None => panic!("KeyError: '{name}'"),
        }
    }

    /// Keeps the entries for which `keep(name, tensor)` is true.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let mut state = nn::Linear::new(2, 1).state_dict();
    /// state.retain(|name, _| !name.starts_with("bias"));
    /// assert_eq!(state.len(), 1);
    /// ```
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Tensor) -> bool) {
        self.entries.retain(|(name, tensor)| keep(name, tensor));
    }

    /// Puts every entry of another state dict, or of a list or map of tensors by name, into this one: `state.update(other)`.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let (mut state, other) = (nn::Linear::new(2, 1).state_dict(), nn::Linear::new(2, 1).state_dict());
    /// state.update(other.items().filter(|(name, _)| name.ends_with("bias")));
    /// assert_eq!(state["bias"].item(), other["bias"].item());
    /// ```
    pub fn update<K: Into<String>, T: AsTensor>(&mut self, other: impl IntoIterator<Item = (K, T)>) {
        for (name, tensor) in other {
            self.insert(name, tensor);
        }
    }

    /// The names in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(k, _)| k.as_str())
    }

    /// The tensors in order.
    pub fn values(&self) -> impl Iterator<Item = &Tensor> {
        self.entries.iter().map(|(_, t)| t)
    }

    /// Names and tensors in order: `state.items()`.
    pub fn items(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.iter()
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

    /// Notes that a file's dictionary has under `name`, behind `at` tensors, what is no tensor, of the Python class that `class`
    /// prints.
    #[doc(hidden)]
    pub fn note_other(&mut self, name: &str, at: usize, class: String, is_state: bool) {
        self.others.push(Other { name: name.to_owned(), at, class, is_state });
    }

    /// The same tensors in a state dict of its own.
    pub(super) fn shallow(&self) -> StateDict {
        self.under("")
    }

    /// The same tensors under the names that begin so, in a state dict of their own.
    pub(super) fn under(&self, start: &str) -> StateDict {
        let entries = self.entries.iter().filter(|(key, _)| key.starts_with(start));
        StateDict {
            entries: entries.map(|(key, tensor)| (key.clone(), tensor.shallow_clone())).collect(),
            versions: self.versions.clone(),
            others: self.others.iter().filter(|other| other.name.starts_with(start)).cloned().collect(),
        }
    }

    /// The names of tensors and of other entries, in order.
    pub(super) fn all_keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = self.keys().collect();
        for (before, other) in self.others.iter().enumerate() {
            keys.insert((other.at + before).min(keys.len()), &other.name);
        }
        keys
    }

    /// Takes `prefix` away from the names that begin with it; they move to the end.
    pub(crate) fn without_prefix(&mut self, prefix: &str) {
        let starts = |name: &str| name.starts_with(prefix);
        let (renamed, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.entries).into_iter().partition(|(name, _)| starts(name));
        self.entries = kept;
        self.update(renamed.iter().map(|(name, tensor)| (&name[prefix.len()..], tensor)));
        let Some(versions) = &mut self.versions else { return };
        // The module within is called as the prefix without its dot; the nameless entry is the wrapper's, which gives way.
        let inner = prefix.replace('.', "");
        let rest =
            |name: &str| (starts(name) || name == inner).then(|| name.get(prefix.len()..).unwrap_or("").to_owned());
        let (renamed, kept): (Vec<_>, Vec<_>) =
            std::mem::take(versions).into_iter().partition(|(name, _)| !name.is_empty() && rest(name).is_some());
        *versions = kept;
        for (name, version) in renamed {
            let name = rest(&name).unwrap_or_default();
            match versions.iter_mut().find(|(known, _)| *known == name) {
                Some(slot) => slot.1 = version,
                None => versions.push((name, version)),
            }
        }
    }
}

impl<Q: AsRef<str>> Index<Q> for StateDict {
    type Output = Tensor;
    #[track_caller]
    fn index(&self, name: Q) -> &Tensor {
        let name = name.as_ref();
        match self.get(name) {
            Some(tensor) => tensor,
            None => panic!("KeyError: '{name}'"),
        }
    }
}

/// `state[name] = tensor`, also of a new name, where an empty tensor stands until then.
impl<Q: AsRef<str>> IndexMut<Q> for StateDict {
    fn index_mut(&mut self, name: Q) -> &mut Tensor {
        let name = name.as_ref();
        let at = self.entries.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.entries.push((name.to_owned(), flambeau_autograd::zeros([0])));
            self.entries.len() - 1
        });
        &mut self.entries[at].1
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

/// `{name: tensor for …}`: of tensors or references to them, which stay the same tensors. A later name counts.
impl<K: Into<String>, T: AsTensor> FromIterator<(K, T)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(items: I) -> Self {
        let mut out = StateDict::new();
        out.update(items);
        out
    }
}

impl<K: Into<String>, T: AsTensor> Extend<(K, T)> for StateDict {
    fn extend<I: IntoIterator<Item = (K, T)>>(&mut self, items: I) {
        self.update(items);
    }
}

impl AsState<StateDict> for StateDict {
    fn as_state(&self) -> flambeau_autograd::Result<Cow<'_, StateDict>> {
        Ok(Cow::Borrowed(self))
    }
}

/// The tensors of a list or a map by name.
macro_rules! as_state {
    ($([$($generics:tt)*] $t:ty),+) => {$(
        impl<$($generics)*> AsState<StateDict> for $t {
            fn as_state(&self) -> flambeau_autograd::Result<Cow<'_, StateDict>> {
                Ok(Cow::Owned(self.iter().map(|(name, tensor)| (name.as_ref(), tensor)).collect()))
            }
        }
    )+};
}
as_state!(
    [K: AsRef<str>, T: AsTensor] [(K, T)],
    [K: AsRef<str>, T: AsTensor] Vec<(K, T)>,
    [K: AsRef<str>, T: AsTensor] BTreeMap<K, T>,
    [K: AsRef<str>, T: AsTensor, S] HashMap<K, T, S>
);
