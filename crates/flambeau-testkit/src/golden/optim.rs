//! Cases of optimizers and learning-rate schedulers.

use std::collections::BTreeMap;

use flambeau_tensor::DType;
use serde_json::{Map, Value};

use super::case::{named_args, nullable_tensor};
use super::value::{Arg, GoldenTensor, Tolerance, dtype, float};
use super::{GoldenError, Parsed, data_dir, field, list, load, optional, string};

/// One `step()`.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerStep {
    /// The gradients to set before it, one per parameter; `None` for a parameter without one.
    pub grads: Vec<Option<GoldenTensor>>,
    /// The parameters after it.
    pub params: Vec<GoldenTensor>,
}

/// An optimizer over two parameters that takes five steps with given gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerCase {
    /// The class in `torch.optim`.
    pub optimizer: String,
    /// The dtype of the parameters.
    pub dtype: DType,
    /// The constructor's keyword arguments besides the parameters.
    pub kwargs: BTreeMap<String, Arg>,
    /// Options of each parameter's own group, where every parameter has one; else all parameters are in one group.
    pub groups: Option<Vec<BTreeMap<String, Arg>>>,
    /// What `repr` shows.
    pub repr: String,
    /// `defaults` without `foreach`, `fused`, `differentiable` and `capturable`.
    pub defaults: BTreeMap<String, Arg>,
    /// The parameters before the first step.
    pub params: Vec<GoldenTensor>,
    /// The steps.
    pub steps: Vec<OptimizerStep>,
    /// `state_dict()["state"]` after the last step, per parameter, by name (`exp_avg`, `step`, …); numbers as 0-dim float32 tensors.
    pub state: Vec<BTreeMap<String, GoldenTensor>>,
    /// For parameters and state.
    pub tolerance: Tolerance,
}

/// A scheduler over an SGD optimizer with one group per entry of `base_lrs`.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerCase {
    /// The class in `torch.optim.lr_scheduler`.
    pub scheduler: String,
    /// The constructor's keyword arguments besides the optimizer.
    pub kwargs: BTreeMap<String, Arg>,
    /// Each group's learning rate before construction, or with `start_lrs` its `initial_lr`.
    pub base_lrs: Vec<f64>,
    /// Each group's learning rate before construction, for a scheduler that is made with a `last_epoch`.
    pub start_lrs: Option<Vec<f64>>,
    /// What each `step(metric)` gets, for `ReduceLROnPlateau`.
    pub metrics: Option<Vec<f64>>,
    /// `lrs[k]`: each group's learning rate after `k` calls of `step()`.
    pub lrs: Vec<Vec<f64>>,
}

fn step(v: &Value) -> Parsed<OptimizerStep> {
    let map = v.as_object().ok_or_else(|| format!("{v} is not a step"))?;
    Ok(OptimizerStep {
        grads: field(map, "grads", list(nullable_tensor))?,
        params: field(map, "params", list(GoldenTensor::parse))?,
    })
}

fn named_tensors(v: &Value) -> Parsed<BTreeMap<String, GoldenTensor>> {
    let map = v.as_object().ok_or_else(|| format!("{v} is not an object"))?;
    map.iter().map(|(k, v)| Ok((k.clone(), GoldenTensor::parse(v)?))).collect()
}

fn optimizer_case(map: &Map<String, Value>) -> Parsed<OptimizerCase> {
    Ok(OptimizerCase {
        optimizer: field(map, "optimizer", string)?,
        dtype: field(map, "dtype", dtype)?,
        kwargs: field(map, "kwargs", named_args)?,
        groups: optional(map, "groups", list(named_args))?,
        repr: field(map, "repr", string)?,
        defaults: field(map, "defaults", named_args)?,
        params: field(map, "params", list(GoldenTensor::parse))?,
        steps: field(map, "steps", list(step))?,
        state: field(map, "state", list(named_tensors))?,
        tolerance: Tolerance::of(map)?,
    })
}

fn scheduler_case(map: &Map<String, Value>) -> Parsed<SchedulerCase> {
    Ok(SchedulerCase {
        scheduler: field(map, "scheduler", string)?,
        kwargs: field(map, "kwargs", named_args)?,
        base_lrs: field(map, "base_lrs", list(float))?,
        start_lrs: optional(map, "start_lrs", list(float))?,
        metrics: optional(map, "metrics", list(float))?,
        lrs: field(map, "lrs", list(list(float)))?,
    })
}

/// All cases of `goldens/data/optim.jsonl.gz`.
pub fn load_optimizers() -> Result<Vec<OptimizerCase>, GoldenError> {
    load(&data_dir().join("optim.jsonl.gz"), optimizer_case)
}

/// All cases of `goldens/data/schedulers.jsonl.gz`.
pub fn load_schedulers() -> Result<Vec<SchedulerCase>, GoldenError> {
    load(&data_dir().join("schedulers.jsonl.gz"), scheduler_case)
}

#[cfg(test)]
mod tests {
    use super::super::value::Values;
    use super::*;

    fn floats(t: &GoldenTensor) -> &[f64] {
        let Values::Float(v) = &t.values else { panic!("{t:?}") };
        v
    }

    #[test]
    fn plain_sgd_holds_in_plain_arithmetic() {
        let cases = load_optimizers().unwrap();
        let c = cases.iter().find(|c| c.optimizer == "SGD" && c.dtype == DType::F64 && c.kwargs.len() == 1).unwrap();
        let lr = c.kwargs["lr"].as_float().unwrap();
        let mut params: Vec<Vec<f64>> = c.params.iter().map(|p| floats(p).to_vec()).collect();
        assert_eq!(c.steps.len(), 5);
        for step in &c.steps {
            for ((p, g), after) in params.iter_mut().zip(&step.grads).zip(&step.params) {
                if let Some(g) = g {
                    p.iter_mut().zip(floats(g)).for_each(|(p, g)| *p -= lr * g);
                }
                after.compare(DType::F64, &after.shape, &Values::Float(p.clone()), c.tolerance).unwrap();
            }
        }
    }

    #[test]
    fn step_lr_holds_in_plain_arithmetic() {
        for c in load_schedulers().unwrap().iter().filter(|c| c.scheduler == "StepLR" && c.start_lrs.is_none()) {
            let gamma = c.kwargs.get("gamma").map_or(0.1, |g| g.as_float().unwrap());
            let every = c.kwargs["step_size"].as_int().unwrap();
            for (k, lrs) in c.lrs.iter().enumerate() {
                for (lr, base) in lrs.iter().zip(&c.base_lrs) {
                    assert!((lr - base * gamma.powi((k as i64 / every) as i32)).abs() < 1e-12, "{k} {c:?}");
                }
            }
        }
    }
}
