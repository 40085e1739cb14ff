//! State dicts of optimizers and schedulers, to and from files, in PyTorch's structure.

use crate::{Dict, DictKind, FromValue, Result, Save, Value};
use flambeau_autograd::Tensor;
use flambeau_optim::lr_scheduler::SchedulerState;
use flambeau_optim::{GroupState, OptionValue, ScalerState, StateDict, StateValue};
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
        match *self {
            OptionValue::None => Value::None,
            OptionValue::Number(x) => number(x),
            OptionValue::Pair(a, b) => Value::Tuple(vec![Value::Float(a), Value::Float(b)]),
        }
    }
}

impl FromValue for OptionValue {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        match value {
            Value::None => Ok(OptionValue::None),
            // A learning rate may be a tensor in PyTorch.
            Value::Tensor(x) if x.dim() == 0 => Ok(x.item().into()),
            Value::Tuple(pair) | Value::List(pair) => match &pair[..] {
                [a, b] => Ok((a.extract()?, b.extract()?).into()),
                _ => Err(value.unexpected("a pair of floats")),
            },
            _ => scalar(value).map(Into::into).ok_or_else(|| value.unexpected("an optimizer's option")),
        }
    }
}

impl Save for StateValue {
    fn to_value(&self) -> Value<Tensor> {
        match self {
            StateValue::None => Value::None,
            StateValue::Number(x) => number(*x),
            StateValue::Tensor(x) => x.to_value(),
        }
    }
}

impl FromValue for StateValue {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        match value {
            Value::None => Ok(StateValue::None),
            Value::Tensor(x) => Ok(StateValue::Tensor(x.shallow_clone())),
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
        // Names of parameters, which an optimizer over `named_parameters()` keeps, are no option.
        let options = value.items().filter(|(name, _)| !matches!(name.as_str(), Some("params" | "param_names")));
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

impl Save for SchedulerState {
    fn to_value(&self) -> Value<Tensor> {
        let mut items: Vec<(&str, Value<Tensor>)> = Vec::new();
        if let Some(milestones) = &self.milestones {
            let counts = milestones.iter().map(|(epoch, times)| (Value::Int(*epoch), Value::Int(*times)));
            let counts = Dict { kind: DictKind::Counter, items: counts.collect(), attributes: Vec::new() };
            items.push((MILESTONES, Value::Dict(counts)));
        }
        items.extend(self.options.iter().map(|(name, value)| (name.as_str(), value.to_value())));
        items.extend([
            ("base_lrs", self.base_lrs.to_value()),
            ("last_epoch", Value::Int(self.last_epoch)),
            ("_step_count", Value::Int(self.step_count)),
            ("_is_initial", Value::Bool(false)),
            ("_get_lr_called_within_step", Value::Bool(false)),
            ("_last_lr", self.last_lr.to_value()),
        ]);
        if self.lambdas > 0 {
            items.push((LAMBDAS, Value::List((0..self.lambdas).map(|_| Value::None).collect())));
        }
        Value::dict(items)
    }
}

/// `{'scale': 65536.0, 'growth_factor': 2.0, …}`; nothing of a scaler that is not enabled.
impl Save for ScalerState {
    fn to_value(&self) -> Value<Tensor> {
        Value::dict(self.entries.iter().map(|(name, value)| (name.as_str(), value.to_value())))
    }
}

/// What [`crate::load`] read as a scaler's state: `scaler.load_state_dict(torch.load(path))`.
impl FromValue for ScalerState {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let dict = value.as_dict().ok_or_else(|| value.unexpected("a scaler's state_dict"))?;
        let entries = dict.iter().map(|(name, value)| Ok((name.extract()?, value.extract()?)));
        Ok(ScalerState { entries: entries.collect::<Result<_>>()? })
    }
}

const MILESTONES: &str = "milestones";
const LAMBDAS: &str = "lr_lambdas";

/// What [`crate::load`] read as a scheduler's state: `scheduler.load_state_dict(torch.load(path))`.
impl FromValue for SchedulerState {
    fn from_value(value: &Value<Tensor>) -> Result<Self> {
        let mut state = SchedulerState { step_count: 1, ..SchedulerState::default() };
        if value.get("last_epoch").is_none() {
            return Err(value.unexpected("a scheduler's state_dict, with 'last_epoch'"));
        }
        for (name, value) in value.items() {
            match name.extract::<String>()?.as_str() {
                "base_lrs" => state.base_lrs = value.extract()?,
                "last_epoch" => state.last_epoch = value.extract()?,
                "_step_count" => state.step_count = value.extract()?,
                "_last_lr" => state.last_lr = value.extract()?,
                LAMBDAS => state.lambdas = value.as_slice().map_or(0, <[_]>::len),
                MILESTONES => {
                    let counts = value.items().map(|(epoch, times)| Ok((epoch.extract()?, times.extract()?)));
                    state.milestones = Some(counts.collect::<Result<_>>()?);
                }
                // What only matters while a step is under way.
                name if name.starts_with('_') => {}
                name => state.options.push((name.to_owned(), value.extract()?)),
            }
        }
        Ok(state)
    }
}
