//! Cases of random optimizers: groups, options that change between steps, state dicts, errors.

use std::collections::BTreeMap;

use flambeau_tensor::DType;
use serde_json::{Map, Value};

use super::case::{ExpectedError, named_args, nullable_tensor};
use super::value::{Arg, GoldenTensor, Tolerance, dtype, size};
use super::{GoldenError, Parsed, data_dir, field, list, load, optional, pairs, string};

/// A group as the constructor or `add_param_group` gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerGroup {
    /// Its parameters, by their number in [`RandomOptimizerCase::params`].
    pub params: Vec<usize>,
    /// Its own options in their order.
    pub options: Vec<(String, Arg)>,
}

/// A `state_dict()`.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerSnapshot {
    /// Each parameter's entries in their order, by its id; parameters without state are left out.
    pub state: Vec<(usize, Vec<(String, GoldenTensor)>)>,
    /// Each group's options in their order; `params` is the list of ids.
    pub param_groups: Vec<Vec<(String, Arg)>>,
}

/// One `step()` and what comes before it.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomOptimizerStep {
    /// Options that a group is given: its number, names and values.
    pub set: Option<(usize, Vec<(String, Arg)>)>,
    /// A group that is added.
    pub add: Option<OptimizerGroup>,
    /// How adding it fails, if it does.
    pub add_error: Option<ExpectedError>,
    /// The gradients to set, one per parameter.
    pub grads: Vec<Option<GoldenTensor>>,
    /// How the step fails, if it does; it is the last then.
    pub error: Option<ExpectedError>,
    /// The parameters after it.
    pub params: Vec<GoldenTensor>,
}

/// An optimizer with options, groups and gradients drawn by `goldens/random_optim.py`.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomOptimizerCase {
    /// The class in `torch.optim`.
    pub optimizer: String,
    /// The dtype of the parameters.
    pub dtype: DType,
    /// The constructor's keyword arguments besides the parameters.
    pub kwargs: BTreeMap<String, Arg>,
    /// The parameters, and whether each is a leaf.
    pub params: Vec<(GoldenTensor, bool)>,
    /// The parameters' names, where the constructor gets them too.
    pub names: Option<Vec<String>>,
    /// Whether the parameters of the first group only have them.
    pub half_named: bool,
    /// The plain list of parameters that the constructor gets where there are no groups; one may stand twice.
    pub order: Vec<usize>,
    /// The groups, if there are some.
    pub groups: Option<Vec<OptimizerGroup>>,
    /// How the constructor fails, if it does; what follows is empty then.
    pub error: Option<ExpectedError>,
    /// Whether it warns of duplicate parameters.
    pub duplicates: bool,
    /// What `repr` shows.
    pub repr: String,
    /// `defaults` in their order.
    pub defaults: Vec<(String, Arg)>,
    /// The state dict before the first step.
    pub initial: Option<OptimizerSnapshot>,
    /// The steps.
    pub steps: Vec<RandomOptimizerStep>,
    /// The state dict after the last step, unless that failed.
    pub last: Option<OptimizerSnapshot>,
    /// For parameters and state.
    pub tolerance: Tolerance,
}

fn object(v: &Value) -> Parsed<&Map<String, Value>> {
    v.as_object().ok_or_else(|| format!("{v} is not an object"))
}

fn group(v: &Value) -> Parsed<OptimizerGroup> {
    let map = object(v)?;
    Ok(OptimizerGroup { params: field(map, "params", list(size))?, options: field(map, "options", pairs(Arg::parse))? })
}

/// `[number, value]`
fn numbered<T>(parse: impl Fn(&Value) -> Parsed<T>) -> impl Fn(&Value) -> Parsed<(usize, T)> {
    move |v| match v.as_array().map(Vec::as_slice) {
        Some([number, value]) => Ok((size(number)?, parse(value)?)),
        _ => Err(format!("{v} is not a pair")),
    }
}

fn snapshot(v: &Value) -> Parsed<OptimizerSnapshot> {
    let map = object(v)?;
    Ok(OptimizerSnapshot {
        state: field(map, "state", list(numbered(pairs(GoldenTensor::parse))))?,
        param_groups: field(map, "param_groups", list(pairs(Arg::parse)))?,
    })
}

fn step(v: &Value) -> Parsed<RandomOptimizerStep> {
    let map = object(v)?;
    Ok(RandomOptimizerStep {
        set: optional(map, "set", numbered(pairs(Arg::parse)))?,
        add: optional(map, "add", group)?,
        add_error: optional(map, "add_error", ExpectedError::parse)?,
        grads: field(map, "grads", list(nullable_tensor))?,
        error: optional(map, "error", ExpectedError::parse)?,
        params: optional(map, "params", list(GoldenTensor::parse))?.unwrap_or_default(),
    })
}

fn param(v: &Value) -> Parsed<(GoldenTensor, bool)> {
    Ok((GoldenTensor::parse(v)?, !object(v)?.contains_key("leaf")))
}

fn case(map: &Map<String, Value>) -> Parsed<RandomOptimizerCase> {
    Ok(RandomOptimizerCase {
        optimizer: field(map, "optimizer", string)?,
        dtype: field(map, "dtype", dtype)?,
        kwargs: field(map, "kwargs", named_args)?,
        params: field(map, "params", list(param))?,
        names: optional(map, "names", list(string))?,
        half_named: map.get("half_named").and_then(Value::as_bool).unwrap_or(false),
        order: field(map, "order", list(size))?,
        groups: optional(map, "groups", list(group))?,
        error: optional(map, "error", ExpectedError::parse)?,
        duplicates: map.get("duplicates").and_then(Value::as_bool).unwrap_or(false),
        repr: optional(map, "repr", string)?.unwrap_or_default(),
        defaults: optional(map, "defaults", pairs(Arg::parse))?.unwrap_or_default(),
        initial: optional(map, "initial", snapshot)?,
        steps: optional(map, "steps", list(step))?.unwrap_or_default(),
        last: optional(map, "final", snapshot)?,
        tolerance: Tolerance::of(map)?,
    })
}

/// All cases of a file like `goldens/data/random_optim.jsonl.gz`, by its name without the endings.
pub fn load_random_optimizers(name: &str) -> Result<Vec<RandomOptimizerCase>, GoldenError> {
    load(&data_dir().join(format!("{name}.jsonl.gz")), case)
}

/// What a state of LBFGS holds under a name.
#[derive(Clone, Debug, PartialEq)]
pub enum StateEntry {
    /// A number, or `None`.
    Number(Arg),
    /// A tensor.
    Tensor(GoldenTensor),
    /// A list of such.
    List(Vec<StateEntry>),
}

/// One step of LBFGS.
#[derive(Clone, Debug, PartialEq)]
pub struct LbfgsStep {
    /// How it fails, if it does; the rest is empty then.
    pub error: Option<ExpectedError>,
    /// The loss that it returned.
    pub loss: f64,
    /// How often its closure and those of the steps before were called.
    pub calls: usize,
    /// The parameters after it.
    pub params: Vec<GoldenTensor>,
    /// Each parameter's entries in their order, by its id.
    pub state: Vec<(usize, Vec<(String, StateEntry)>)>,
    /// Each group's options in their order.
    pub param_groups: Vec<Vec<(String, Arg)>>,
}

/// An LBFGS over a loss that `goldens/lbfgs.py` names.
#[derive(Clone, Debug, PartialEq)]
pub struct LbfgsCase {
    /// The dtype of the parameters.
    pub dtype: DType,
    /// The constructor's keyword arguments besides the parameters.
    pub kwargs: BTreeMap<String, Arg>,
    /// The loss.
    pub loss: String,
    /// Whether the closure returns a number.
    pub float: bool,
    /// Whether each parameter has a group of its own.
    pub groups: bool,
    /// The parameters.
    pub params: Vec<GoldenTensor>,
    /// How the constructor fails, if it does; what follows is empty then.
    pub error: Option<ExpectedError>,
    /// What `repr` shows.
    pub repr: String,
    /// `defaults` in their order.
    pub defaults: Vec<(String, Arg)>,
    /// The steps.
    pub steps: Vec<LbfgsStep>,
}

fn state_entry(v: &Value) -> Parsed<StateEntry> {
    let map = object(v)?;
    match map.iter().next().map(|(kind, v)| (kind.as_str(), v)) {
        Some(("number", v)) => Arg::parse(v).map(StateEntry::Number),
        Some(("tensor", v)) => GoldenTensor::parse(v).map(StateEntry::Tensor),
        Some(("list", v)) => list(state_entry)(v).map(StateEntry::List),
        _ => Err(format!("{v} is no entry of a state")),
    }
}

fn lbfgs_step(v: &Value) -> Parsed<LbfgsStep> {
    let map = object(v)?;
    let error = optional(map, "error", ExpectedError::parse)?;
    let none = Map::new();
    let state = if error.is_some() { &none } else { object(map.get("snapshot").unwrap_or(&Value::Null))? };
    Ok(LbfgsStep {
        error,
        loss: optional(map, "loss", Arg::parse)?.and_then(|loss| loss.as_float()).unwrap_or_default(),
        calls: optional(map, "calls", size)?.unwrap_or_default(),
        params: optional(map, "params", list(GoldenTensor::parse))?.unwrap_or_default(),
        state: optional(state, "state", list(numbered(pairs(state_entry))))?.unwrap_or_default(),
        param_groups: optional(state, "param_groups", list(pairs(Arg::parse)))?.unwrap_or_default(),
    })
}

fn lbfgs_case(map: &Map<String, Value>) -> Parsed<LbfgsCase> {
    Ok(LbfgsCase {
        dtype: field(map, "dtype", dtype)?,
        kwargs: field(map, "kwargs", named_args)?,
        loss: field(map, "loss", string)?,
        float: map.get("float").and_then(Value::as_bool).unwrap_or(false),
        groups: map.get("groups").and_then(Value::as_bool).unwrap_or(false),
        params: field(map, "params", list(GoldenTensor::parse))?,
        error: optional(map, "error", ExpectedError::parse)?,
        repr: optional(map, "repr", string)?.unwrap_or_default(),
        defaults: optional(map, "defaults", pairs(Arg::parse))?.unwrap_or_default(),
        steps: optional(map, "steps", list(lbfgs_step))?.unwrap_or_default(),
    })
}

/// All cases of `goldens/data/lbfgs.jsonl.gz`.
pub fn load_lbfgs() -> Result<Vec<LbfgsCase>, GoldenError> {
    load(&data_dir().join("lbfgs.jsonl.gz"), lbfgs_case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_optimizers_are_many_and_of_every_kind() {
        let cases = load_random_optimizers("random_optim").unwrap();
        for name in ["SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "NAdam"] {
            assert!(cases.iter().filter(|c| c.optimizer == name).count() >= 150, "{name}");
        }
        let count = |holds: &dyn Fn(&RandomOptimizerCase) -> bool| cases.iter().filter(|c| holds(c)).count();
        assert!(count(&|c| c.error.is_some()) >= 80);
        assert!(count(&|c| c.groups.is_some()) >= 250);
        assert!(count(&|c| c.duplicates) >= 50);
        assert!(count(&|c| c.steps.iter().any(|s| s.set.is_some())) >= 100);
        assert!(count(&|c| c.steps.iter().any(|s| s.add.is_some())) >= 15);
        assert!(cases.iter().all(|c| c.error.is_some() == c.steps.is_empty()));
    }
}
