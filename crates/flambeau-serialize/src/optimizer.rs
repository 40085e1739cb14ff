//! State dicts of optimizers and schedulers, to and from files, in PyTorch's structure.

use crate::save::dict_of;
use crate::{Dict, DictKind, FromValue, Result, Save, Value};
use flambeau_autograd::{AsState, Tensor};
use flambeau_optim::lr_scheduler::{SchedulerState, SchedulerValue};
use flambeau_optim::{GroupState, OptionValue, ScalerState, StateDict, StateValue};
use flambeau_tensor::Scalar;
use std::borrow::Cow;

fn scalar(value: &Value<Tensor>) -> Option<Scalar> {
    match value {
        Value::Bool(x) => Some((*x).into()),
        Value::Int(x) => Some((*x).into()),
        Value::Float(x) => Some((*x).into()),
        _ => None,
    }
}

impl Save for OptionValue {
    fn to_value(&self) -> Value<Tensor> {
        let all = |items: &[OptionValue]| items.iter().map(Save::to_value).collect();
        match self {
            OptionValue::None => Value::None,
            OptionValue::Number(x) => x.to_value(),
            OptionValue::Pair(a, b) => Value::Tuple(vec![Value::Float(*a), Value::Float(*b)]),
            OptionValue::Text(text) => Value::Str(text.clone()),
            OptionValue::Tensor(x) => x.to_value(),
            OptionValue::Tuple(items) => Value::Tuple(all(items)),
            OptionValue::List(items) => Value::List(all(items)),
        }
    }
}

impl FromValue for OptionValue {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        match value {
            Value::None => Ok(OptionValue::None),
            // A learning rate may be a tensor in PyTorch, the optimizer's own.
            Value::Tensor(x) => Ok(x.detach().clone().into()),
            Value::Tuple(_) => Vec::<OptionValue>::from_value(value).map(OptionValue::tuple),
            Value::List(_) => Vec::from_value(value).map(OptionValue::List),
            _ => match (scalar(value), value.as_str()) {
                (Some(x), _) => Ok(x.into()),
                (_, Some(text)) => Ok(text.into()),
                _ => Err(value.unexpected("an optimizer's option")),
            },
        }
    }
}

impl Save for StateValue {
    fn to_value(&self) -> Value<Tensor> {
        match self {
            StateValue::None => Value::None,
            StateValue::Number(x) => x.to_value(),
            StateValue::Tensor(x) => x.to_value(),
            StateValue::List(items) => Value::List(items.iter().map(Save::to_value).collect()),
        }
    }
}

impl FromValue for StateValue {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        match value {
            Value::None => Ok(StateValue::None),
            Value::Tensor(x) => Ok(StateValue::Tensor(x.shallow_clone())),
            Value::List(_) => Vec::from_value(value).map(StateValue::List),
            _ => scalar(value).map(StateValue::Number).ok_or_else(|| value.unexpected("an optimizer's state")),
        }
    }
}

impl Save for GroupState {
    fn to_value(&self) -> Value<Tensor> {
        let options = self.options.iter().map(|(name, value)| (name.as_str(), value.to_value()));
        Value::dict(options.chain([("params", self.params.to_value())]))
    }
}

impl FromValue for GroupState {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let Some(params) = value.entry("params") else {
            return Err(value.unexpected("an optimizer's parameter group, with 'params'"));
        };
        let options =
            value.as_dict().into_iter().flat_map(Dict::iter).filter(|(name, _)| name.as_str() != Some("params"));
        let option = |(name, value): (&Value<Tensor>, &Value<Tensor>)| {
            Ok((String::from_value(name)?, OptionValue::from_value(value).map_err(|e| e.within(name))?))
        };
        Ok(GroupState { options: options.map(option).collect::<Result<_>>()?, params: params? })
    }
}

/// `{'state': {0: {'step': …}}, 'param_groups': [{'lr': …, 'params': [0]}]}`.
impl Save for StateDict {
    fn to_value(&self) -> Value<Tensor> {
        let entries = |(id, entries): &(usize, Vec<(String, StateValue)>)| (id.to_value(), dict_of(entries));
        let state = Value::from_items(self.state.iter().map(entries));
        Value::dict([("state", state), ("param_groups", self.param_groups.to_value())])
    }
}

/// The entries of one parameter's state, by name.
struct OfParameter(Vec<(String, StateValue)>);

impl FromValue for OfParameter {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        value.collect_entries("a dict of a parameter's state").map(OfParameter)
    }
}

/// The states of the parameters, by their positions.
struct OfParameters(Vec<(usize, OfParameter)>);

impl FromValue for OfParameters {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        value.collect_entries("a dict of the parameters' states").map(OfParameters)
    }
}

/// What [`crate::load`] read as an optimizer's state.
impl FromValue for StateDict {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let (Some(state), Some(groups)) = (value.entry::<OfParameters>("state"), value.entry("param_groups")) else {
            return Err(value.unexpected("an optimizer's state_dict, with 'state' and 'param_groups'"));
        };
        let state = state?.0.into_iter().map(|(id, entries)| (id, entries.0)).collect();
        Ok(StateDict { state, param_groups: groups? })
    }
}

/// `load_state_dict(&checkpoint["…"])` of what is not a module.
macro_rules! as_state {
    ($($t:ty),+) => {$(
        impl AsState<$t> for Value<Tensor> {
            fn as_state(&self) -> flambeau_autograd::Result<Cow<'_, $t>> {
                Ok(Cow::Owned(self.extract::<$t>()?))
            }
        }
    )+};
}
as_state!(StateDict, SchedulerState, ScalerState);

impl Save for SchedulerValue {
    fn to_value(&self) -> Value<Tensor> {
        match self {
            SchedulerValue::None => Value::None,
            SchedulerValue::Number(x) => x.to_value(),
            SchedulerValue::Str(text) => text.to_value(),
            SchedulerValue::List(list) => Value::List(list.iter().map(Save::to_value).collect()),
            SchedulerValue::Counter(counts) => {
                let items = counts.iter().map(|(epoch, times)| (Value::Int(*epoch), Value::Int(*times)));
                Value::Dict(Dict { kind: DictKind::Counter, items: items.collect(), attributes: Vec::new() })
            }
            SchedulerValue::Dict(dict) => dict.to_value(),
        }
    }
}

impl FromValue for SchedulerValue {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        Ok(match value {
            Value::None => SchedulerValue::None,
            Value::Str(text) => SchedulerValue::Str(text.clone()),
            // A learning rate may be a tensor in PyTorch.
            Value::Tensor(x) if x.dim() == 0 => SchedulerValue::Number(x.item().into()),
            Value::List(_) | Value::Tuple(_) => SchedulerValue::List(Vec::from_value(value)?),
            Value::Dict(dict) if dict.kind == DictKind::Counter => {
                SchedulerValue::Counter(value.collect_entries("a Counter")?)
            }
            Value::Dict(_) => SchedulerValue::Dict(state_of(value)?),
            _ => {
                let number = scalar(value).map(SchedulerValue::Number);
                number.ok_or_else(|| value.unexpected("an entry of a scheduler's state"))?
            }
        })
    }
}

impl Save for SchedulerState {
    fn to_value(&self) -> Value<Tensor> {
        Value::dict(self.iter().map(|(name, value)| (name, value.to_value())))
    }
}

fn state_of(value: &Value<Tensor>) -> Result<SchedulerState> {
    value.collect_entries::<String, SchedulerValue, _>("a scheduler's state_dict")
}

/// `{'scale': 65536.0, 'growth_factor': 2.0, …}`; nothing of a scaler that is not enabled.
impl Save for ScalerState {
    fn to_value(&self) -> Value<Tensor> {
        dict_of(&self.entries)
    }
}

/// What [`crate::load`] read as a scaler's state.
impl FromValue for ScalerState {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        Ok(ScalerState { entries: value.collect_entries("a scaler's state_dict")? })
    }
}

/// What [`crate::load`] read as a scheduler's state.
impl FromValue for SchedulerState {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let known = ["last_epoch", "_schedulers"].iter().any(|name| value.contains_key(name));
        if !known {
            return Err(value.unexpected("a scheduler's state_dict, with 'last_epoch'"));
        }
        state_of(value)
    }
}
