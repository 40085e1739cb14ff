//! Programs of `torch.nn.utils`: steps on a layer, and what is to be seen after each.

use std::collections::BTreeMap;

use serde_json::Value;

use super::case::named_args;
use super::value::{Arg, GoldenTensor};
use super::{GoldenError, Parsed, data_dir, field, list, load, optional, pairs, string};

/// One step of a program, and the layer after it.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramStep {
    /// What is called.
    pub call: String,
    /// Its keywords.
    pub kwargs: BTreeMap<String, Arg>,
    /// How it fails, if it does; the program ends there.
    pub error: Option<String>,
    /// The output of a forward.
    pub out: Option<GoldenTensor>,
    /// The gradients after its backward.
    pub grads: Vec<(String, GoldenTensor)>,
    /// What is read as `module.weight`, first of all.
    pub weight: Option<GoldenTensor>,
    /// The print.
    pub repr: String,
    /// The state dict.
    pub state: Vec<(String, GoldenTensor)>,
    /// The names of all parameters.
    pub parameters: Vec<String>,
    /// The names of all modules.
    pub modules: Vec<String>,
}

/// A random program, drawn by `goldens/random_utils.py`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramCase {
    /// The layer's class.
    pub module: String,
    /// What the generator is seeded with before the layer is made.
    pub seed: u64,
    /// The layer's arguments.
    pub args: Vec<Arg>,
    /// The layer's keywords.
    pub kwargs: BTreeMap<String, Arg>,
    /// What the layer is called with.
    pub input: GoldenTensor,
    /// The steps.
    pub steps: Vec<ProgramStep>,
}

fn step(v: &Value) -> Parsed<ProgramStep> {
    let map = v.as_object().ok_or_else(|| format!("{v} is not an object"))?;
    Ok(ProgramStep {
        call: field(map, "call", string)?,
        kwargs: field(map, "kwargs", named_args)?,
        error: optional(map, "error", string)?,
        out: optional(map, "out", GoldenTensor::parse)?,
        grads: optional(map, "grads", pairs(GoldenTensor::parse))?.unwrap_or_default(),
        weight: optional(map, "weight", GoldenTensor::parse)?,
        repr: optional(map, "repr", string)?.unwrap_or_default(),
        state: optional(map, "state", pairs(GoldenTensor::parse))?.unwrap_or_default(),
        parameters: optional(map, "parameters", list(string))?.unwrap_or_default(),
        modules: optional(map, "modules", list(string))?.unwrap_or_default(),
    })
}

/// The programs of `goldens/data/random_utils.jsonl.gz`.
pub fn load_programs() -> Result<Vec<ProgramCase>, GoldenError> {
    load(&data_dir().join("random_utils.jsonl.gz"), |map| {
        Ok(ProgramCase {
            module: field(map, "module", string)?,
            seed: field(map, "seed", |v| v.as_u64().ok_or_else(|| format!("{v} is no seed")))?,
            args: field(map, "args", list(Arg::parse))?,
            kwargs: field(map, "kwargs", named_args)?,
            input: field(map, "input", GoldenTensor::parse)?,
            steps: field(map, "steps", list(step))?,
        })
    })
}
