//! State dicts of modules, to and from files.

use crate::{Dict, DictKind, FromValue, Result, Save, Value};
use flambeau_autograd::{AsState, Error, Tensor};
use flambeau_nn::StateDict;
use std::borrow::Cow;

/// The attribute in which PyTorch keeps the modules' versions.
const METADATA: &str = "_metadata";

impl Save for StateDict {
    fn to_value(&self) -> Value<Tensor> {
        let mut dict = Dict::new(DictKind::OrderedDict, self.iter().map(|(key, tensor)| (key, tensor.to_value())));
        if let Some(versions) = self.versions() {
            let of_module = |version: i64| Value::dict([("version", Value::Int(version))]);
            let all =
                Value::ordered_dict(versions.iter().map(|(module, version)| (module.as_str(), of_module(*version))));
            dict.attributes.push((METADATA.into(), all));
        }
        Value::Dict(dict)
    }
}

/// What [`crate::load`] read as a module's state.
impl FromValue for StateDict {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let mut state = StateDict::from_entries(value.collect_entries("a state_dict")?);
        if let Some(versions) = versions(value) {
            state.set_versions(versions);
        }
        Ok(state)
    }
}

/// `model.load_state_dict(&torch::load(path)?)`. What is no tensor is reported by the module, in PyTorch's words.
impl AsState<StateDict> for Value<Tensor> {
    fn as_state(&self) -> flambeau_autograd::Result<Cow<'_, StateDict>> {
        let dict = self
            .as_dict()
            .ok_or_else(|| Error::runtime(format!("Expected state_dict to be dict-like, got {}.", class(self))))?;
        let (mut state, mut others) = (Vec::with_capacity(dict.items.len()), Vec::new());
        for (key, value) in dict.iter() {
            let name = key.extract::<String>()?;
            match value {
                Value::Tensor(tensor) => state.push((name, tensor.shallow_clone())),
                other => others.push((state.len(), name, other)),
            }
        }
        let mut state = StateDict::from_entries(state);
        for (at, name, other) in others {
            let tensors = other.as_dict().filter(|dict| !dict.items.is_empty());
            let is_state = tensors.is_some_and(|dict| dict.iter().all(|(_, value)| value.as_tensor().is_some()));
            state.note_other(&name, at, class(other), is_state);
        }
        if let Some(versions) = versions(self) {
            state.set_versions(versions);
        }
        Ok(Cow::Owned(state))
    }
}

impl Value<Tensor> {
    /// The value as a module's state dict.
    ///
    /// # Errors
    /// `Kind` when this is no dictionary of tensors under string keys; it names what stands there instead, and where.
    pub fn into_state_dict(self) -> Result<StateDict> {
        self.extract()
    }
}

/// The class as Python's `type(value)` prints it.
fn class(value: &Value<Tensor>) -> String {
    let module = match value {
        Value::Dict(Dict { kind: DictKind::OrderedDict | DictKind::Counter, .. }) => "collections.",
        Value::Tensor(_) => "torch.",
        _ => "",
    };
    format!("<class '{module}{}'>", value.type_name())
}

/// The modules' versions, if the dictionary has them. A module without a version is left out, as PyTorch passes over it.
fn versions(value: &Value<Tensor>) -> Option<Vec<(String, i64)>> {
    let attributes = &value.as_dict()?.attributes;
    let (_, metadata) = attributes.iter().find(|(name, _)| name.as_str() == Some(METADATA))?;
    let entry = |(module, data): &(Value<Tensor>, Value<Tensor>)| {
        Some((module.as_str()?.to_owned(), data.get("version")?.as_i64()?))
    };
    Some(metadata.as_dict()?.items.iter().filter_map(entry).collect())
}
