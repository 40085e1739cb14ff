//! State dicts of modules, to and from files.

use crate::{Dict, DictKind, FromValue, Result, Save, Value};
use flambeau_autograd::Tensor;
use flambeau_nn::StateDict;

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

/// What [`crate::load`] read as a module's state: `model.load_state_dict(torch.load(path))`.
impl FromValue for StateDict {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let mut state: StateDict = value.named_tensors()?.into_iter().collect();
        if let Some(versions) = versions(value) {
            state.set_versions(versions);
        }
        Ok(state)
    }
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
