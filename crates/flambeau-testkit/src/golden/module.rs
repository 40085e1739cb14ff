//! Cases of modules, losses and initialisers.

use std::collections::BTreeMap;

use flambeau_tensor::DType;
use serde_json::{Map, Value};

use super::case::{ExpectedError, named_args, nullable_tensor};
use super::value::{Arg, GoldenTensor, Tolerance, dtype, float, int, size};
use super::{GoldenError, Parsed, data_dir, field, list, load, optional, pairs, string};

/// One forward and backward pass.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleRun {
    /// How the forward pass fails, if it does; there is nothing else then.
    pub error: Option<ExpectedError>,
    /// How the backward pass fails, if it does; there are no gradients then.
    pub backward_error: Option<ExpectedError>,
    /// The results.
    pub outputs: Vec<GoldenTensor>,
    /// `type(out.grad_fn).__name__`.
    pub grad_fn: Option<String>,
    /// The gradient of `Σ out · cotangent` by each input that requires one.
    pub grads: Vec<Option<GoldenTensor>>,
    /// The same by each parameter, in the order of `named_parameters()`.
    pub param_grads: Vec<(String, Option<GoldenTensor>)>,
}

/// A module, built after `manual_seed(seed)` in float32 and then moved to `dtype`.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleCase {
    /// The class in `torch.nn`.
    pub module: String,
    /// The dtype that parameters and inputs have in the runs.
    pub dtype: DType,
    /// The seed before construction.
    pub seed: u64,
    /// The constructor's positional arguments.
    pub args: Vec<Arg>,
    /// The constructor's keyword arguments.
    pub kwargs: BTreeMap<String, Arg>,
    /// How the constructor fails, if it does; what follows is empty then.
    pub error: Option<ExpectedError>,
    /// What `repr` and `print` show.
    pub repr: String,
    /// The same after all runs, of lazy modules, which print otherwise then.
    pub repr_after: Option<String>,
    /// `state_dict()` with every bit: after construction, in float32; of a random configuration what is loaded, in `dtype`.
    pub state: Vec<(String, GoldenTensor)>,
    /// The inputs of both runs.
    pub inputs: Vec<GoldenTensor>,
    /// The first run, in training mode. Absent where it draws random numbers (dropout), and of random configurations where it
    /// is as the second.
    pub train: Option<ModuleRun>,
    /// `state_dict()` after the training run, in `dtype`.
    pub state_after: Option<Vec<(String, GoldenTensor)>>,
    /// The second run, of the same module after `eval()`.
    pub eval: Option<ModuleRun>,
    /// `state_dict()` after the second run, where that writes to it (an embedding with `max_norm`).
    pub state_after_eval: Option<Vec<(String, GoldenTensor)>>,
    /// For both runs.
    pub tolerance: Tolerance,
}

/// A function of `torch.nn.init` on an empty tensor after `manual_seed(seed)`.
#[derive(Clone, Debug, PartialEq)]
pub struct InitCase {
    /// The function's name: `xavier_uniform_`.
    pub init: String,
    /// The tensor's shape.
    pub shape: Vec<usize>,
    /// The tensor's dtype.
    pub dtype: DType,
    /// The seed.
    pub seed: u64,
    /// The function's keyword arguments.
    pub kwargs: BTreeMap<String, Arg>,
    /// The first 24 elements (all, if there are fewer) with every bit.
    pub first: GoldenTensor,
    /// The sum of all elements in float64.
    pub sum: f64,
}

fn seed(v: &Value) -> Parsed<u64> {
    int(v).map(|s| s as u64)
}

fn run(v: &Value) -> Parsed<ModuleRun> {
    let map = v.as_object().ok_or_else(|| format!("{v} is not a run"))?;
    let error = optional(map, "error", ExpectedError::parse)?;
    let outputs = optional(map, "out", list(GoldenTensor::parse))?;
    if error.is_some() == outputs.is_some() {
        return Err("neither or both of out and error".into());
    }
    Ok(ModuleRun {
        error,
        backward_error: optional(map, "backward_error", ExpectedError::parse)?,
        outputs: outputs.unwrap_or_default(),
        grad_fn: optional(map, "grad_fn", string)?,
        grads: optional(map, "grads", list(nullable_tensor))?.unwrap_or_default(),
        param_grads: optional(map, "param_grads", pairs(nullable_tensor))?.unwrap_or_default(),
    })
}

fn module_case(map: &Map<String, Value>) -> Parsed<ModuleCase> {
    let error = optional(map, "error", ExpectedError::parse)?;
    let eval = optional(map, "eval", run)?;
    if error.is_some() == eval.is_some() {
        return Err("neither or both of eval and error".into());
    }
    Ok(ModuleCase {
        module: field(map, "module", string)?,
        dtype: field(map, "dtype", dtype)?,
        seed: field(map, "seed", seed)?,
        args: field(map, "args", list(Arg::parse))?,
        kwargs: field(map, "kwargs", named_args)?,
        error,
        repr: optional(map, "repr", string)?.unwrap_or_default(),
        repr_after: optional(map, "repr_after", string)?,
        state: optional(map, "state", pairs(GoldenTensor::parse))?.unwrap_or_default(),
        inputs: optional(map, "inputs", list(GoldenTensor::parse))?.unwrap_or_default(),
        train: optional(map, "train", run)?,
        state_after: optional(map, "state_after", pairs(GoldenTensor::parse))?,
        eval,
        state_after_eval: optional(map, "state_after_eval", pairs(GoldenTensor::parse))?,
        tolerance: Tolerance::of(map)?,
    })
}

fn init_case(map: &Map<String, Value>) -> Parsed<InitCase> {
    Ok(InitCase {
        init: field(map, "init", string)?,
        shape: field(map, "shape", list(size))?,
        dtype: field(map, "dtype", dtype)?,
        seed: field(map, "seed", seed)?,
        kwargs: field(map, "kwargs", named_args)?,
        first: field(map, "first", GoldenTensor::parse)?,
        sum: field(map, "sum", float)?,
    })
}

/// All cases of a file of modules, by its name: `"modules"` for `goldens/data/modules.jsonl.gz`, and `"random_attn"` for what
/// `goldens/random_attn.py` draws.
pub fn load_module_file(name: &str) -> Result<Vec<ModuleCase>, GoldenError> {
    load(&data_dir().join(format!("{name}.jsonl.gz")), module_case)
}

/// All cases of `goldens/data/init.jsonl.gz`.
pub fn load_init() -> Result<Vec<InitCase>, GoldenError> {
    load(&data_dir().join("init.jsonl.gz"), init_case)
}

#[cfg(test)]
mod tests {
    use super::super::value::Values;
    use super::*;

    #[test]
    fn module_cases_are_whole() {
        let cases = load_module_file("modules").unwrap();
        for name in ["Linear", "Conv2d", "BatchNorm2d", "Embedding", "CrossEntropyLoss", "HingeEmbeddingLoss"] {
            assert!(cases.iter().any(|c| c.module == name), "{name}");
        }
        for c in &cases {
            assert!(c.repr.starts_with(&format!("{}(", c.module)), "{}", c.repr);
            assert_eq!(c.train.is_some(), c.state_after.is_some());
            let eval = c.eval.as_ref().expect("every module runs");
            assert!(!eval.outputs.is_empty() && !c.inputs.is_empty());
            let of_params = |s: &[(String, GoldenTensor)]| s.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>();
            assert!(eval.param_grads.iter().all(|(k, _)| of_params(&c.state).contains(k)), "{c:?}");
        }
        let linear = &cases[0];
        assert_eq!(linear.repr, "Linear(in_features=4, out_features=3, bias=True)");
        assert_eq!(
            linear.state.iter().map(|(k, t)| (k.as_str(), &t.shape[..])).collect::<Vec<_>>(),
            [("weight", &[3, 4][..]), ("bias", &[3][..])]
        );
    }

    #[test]
    fn random_configurations_are_many_and_of_every_kind() {
        let cases = load_module_file("random_modules").unwrap();
        assert!(cases.len() >= 3500, "{}", cases.len());
        let refused = cases.iter().filter(|c| c.error.is_some()).count();
        let runs: Vec<&ModuleRun> = cases.iter().flat_map(|c| c.train.iter().chain(&c.eval)).collect();
        let failing = runs.iter().filter(|r| r.error.is_some()).count();
        let learning = runs.iter().filter(|r| !r.grads.is_empty()).count();
        assert!(refused >= 40 && failing >= 700 && learning >= 2000, "{refused} {failing} {learning}");
        let dtypes = [DType::F16, DType::BF16, DType::F32, DType::F64];
        assert!(dtypes.iter().all(|d| cases.iter().filter(|c| c.dtype == *d).count() >= 100));
    }

    #[test]
    fn init_cases_hold_their_sum() {
        for c in load_init().unwrap() {
            let Values::Float(first) = &c.first.values else { panic!("{c:?}") };
            if c.shape.iter().product::<usize>() <= 24 {
                assert!((first.iter().sum::<f64>() - c.sum).abs() < 1e-9, "{c:?}");
            } else {
                assert_eq!(first.len(), 24);
            }
        }
    }
}
