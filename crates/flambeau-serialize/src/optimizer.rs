//! State dicts of optimizers and schedulers, to and from files, in PyTorch's structure.

use crate::{Dict, DictKind, FromValue, Result, Save, Value};
use flambeau_autograd::Tensor;
use flambeau_optim::lr_scheduler::{SchedulerState, SchedulerValue};
use flambeau_optim::{GroupState, OptionValue, StateDict, StateValue};
use flambeau_tensor::Scalar;

fn number(x: Scalar) -> Value<Tensor> {
    match (x.is_bool(), x.as_int()) {
        (true, _) => Value::Bool(x.to_bool()),
        (_, Some(int)) => Value::Int(int),
        _ => Value::Float(x.to_f64()),
    }
}

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
            OptionValue::Number(x) => number(*x),
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
        let all = |items: &[Value<Tensor>]| items.iter().map(OptionValue::from_value).collect::<Result<Vec<_>>>();
        match value {
            Value::None => Ok(OptionValue::None),
            // A learning rate may be a tensor in PyTorch, the optimizer's own.
            Value::Tensor(x) => Ok(x.detach().clone().into()),
            Value::Tuple(items) => all(items).map(OptionValue::tuple),
            Value::List(items) => all(items).map(OptionValue::List),
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
            StateValue::Number(x) => number(*x),
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
            Value::List(items) => items.iter().map(StateValue::from_value).collect::<Result<_>>().map(StateValue::List),
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
        let params =
            value.get("params").ok_or_else(|| value.unexpected("an optimizer's parameter group"))?.extract()?;
        let options = value.items().filter(|(name, _)| name.as_str() != Some("params"));
        let options = options.map(|(name, value)| Ok((name.extract()?, value.extract()?))).collect::<Result<_>>()?;
        Ok(GroupState { options, params })
    }
}

/// `{'state': {0: {'step': …}}, 'param_groups': [{'lr': …, 'params': [0]}]}`.
impl Save for StateDict {
    fn to_value(&self) -> Value<Tensor> {
        let entries = |(id, entries): &(usize, Vec<(String, StateValue)>)| (id.to_value(), entries.to_value());
        let state = Value::from_items(self.state.iter().map(entries));
        Value::dict([("state", state), ("param_groups", self.param_groups.to_value())])
    }
}

/// What [`crate::load`] read as an optimizer's state: `optimizer.load_state_dict(torch.load(path))`.
impl FromValue for StateDict {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let (Some(state), Some(groups)) = (value.get("state"), value.get("param_groups")) else {
            return Err(value.unexpected("an optimizer's state_dict, with 'state' and 'param_groups'"));
        };
        let entry = |(name, value): (&Value<Tensor>, &Value<Tensor>)| Ok((name.extract()?, value.extract()?));
        let of_parameter = |(id, entries): (&Value<Tensor>, &Value<Tensor>)| {
            let dict = entries.as_dict().ok_or_else(|| entries.unexpected("a dict of a parameter's state"))?;
            Ok((id.extract()?, dict.iter().map(entry).collect::<Result<_>>()?))
        };
        Ok(StateDict {
            state: state.items().map(of_parameter).collect::<Result<_>>()?,
            param_groups: groups.extract()?,
        })
    }
}

impl Save for SchedulerValue {
    fn to_value(&self) -> Value<Tensor> {
        match self {
            SchedulerValue::None => Value::None,
            SchedulerValue::Number(x) => number(*x),
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
            Value::List(list) | Value::Tuple(list) => {
                SchedulerValue::List(list.iter().map(Value::extract).collect::<Result<_>>()?)
            }
            Value::Dict(dict) if dict.kind == DictKind::Counter => {
                let counts = dict.items.iter().map(|(epoch, times)| Ok((epoch.extract()?, times.extract()?)));
                SchedulerValue::Counter(counts.collect::<Result<_>>()?)
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
    value.items().map(|(name, value)| Ok((name.extract::<String>()?, value.extract::<SchedulerValue>()?))).collect()
}

/// What [`crate::load`] read as a scheduler's state: `scheduler.load_state_dict(torch.load(path))`.
impl FromValue for SchedulerState {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let known = ["last_epoch", "_schedulers"].iter().any(|name| value.get(name).is_some());
        if !known {
            return Err(value.unexpected("a scheduler's state_dict, with 'last_epoch'"));
        }
        state_of(value)
    }
}
