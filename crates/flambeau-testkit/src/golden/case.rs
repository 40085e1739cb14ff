//! Cases of ops.

use std::collections::BTreeMap;

use flambeau_tensor::DType;
use serde_json::{Map, Value};

use super::value::{Arg, GoldenTensor, Tolerance};
use super::{GoldenError, Parsed, data_dir, field, list, load, optional, string};

/// Why a case exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaseKind {
    /// From PyTorch's own OpInfo database.
    Sample,
    /// A sample whose tensors are transposed, stepped or expanded views.
    Strided,
    /// Special values, ties, empty and 0-dim tensors.
    Edge,
    /// A pair of dtypes: what counts is the result's dtype.
    Promotion,
    /// Shapes that broadcast.
    Broadcast,
    /// A call that fails.
    Error,
}

/// How a call fails in PyTorch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedError {
    /// Python's exception type: `RuntimeError`, `IndexError`, `ValueError`, …
    pub exception: String,
    /// The first line of the message.
    pub message: String,
}

impl ExpectedError {
    pub(super) fn parse(v: &Value) -> Parsed<Self> {
        let map = v.as_object().ok_or_else(|| format!("{v} is not an error"))?;
        Ok(ExpectedError { exception: field(map, "type", string)?, message: field(map, "message", string)? })
    }
}

/// One call of an op, and what PyTorch answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The op's name in PyTorch's OpInfo database, with its variant: `max.reduction_with_dim`.
    pub op: String,
    /// Why the case exists.
    pub kind: CaseKind,
    /// Positional arguments, the input first.
    pub args: Vec<Arg>,
    /// Keyword arguments.
    pub kwargs: BTreeMap<String, Arg>,
    /// The results as a flat list, in the order of the tuple that PyTorch returns; a Python number as a 0-dim tensor (bool, int64 or float64).
    /// Empty for [`CaseKind::Error`].
    pub outputs: Vec<GoldenTensor>,
    /// `type(out.grad_fn).__name__` of the first output that requires a gradient.
    pub grad_fn: Option<String>,
    /// The gradients of `Σ out · cotangent` ([`super::cotangent`], over the outputs that require one) by every tensor of [`Case::leaves`];
    /// `None` within for a leaf that gets none. Absent if this case does not check gradients.
    pub grads: Option<Vec<Option<GoldenTensor>>>,
    /// For outputs and gradients.
    pub tolerance: Tolerance,
    /// How the call fails, if it does.
    pub error: Option<ExpectedError>,
}

impl Case {
    pub(super) fn parse(map: &Map<String, Value>) -> Parsed<Self> {
        let error = optional(map, "error", ExpectedError::parse)?;
        let outputs = optional(map, "out", list(GoldenTensor::parse))?;
        if error.is_some() == outputs.is_some() {
            return Err("neither or both of out and error".into());
        }
        let case = Case {
            op: field(map, "op", string)?,
            kind: field(map, "kind", kind)?,
            args: field(map, "args", list(Arg::parse))?,
            kwargs: optional(map, "kwargs", named_args)?.unwrap_or_default(),
            outputs: outputs.unwrap_or_default(),
            grad_fn: optional(map, "grad_fn", string)?,
            grads: optional(map, "grads", list(nullable_tensor))?,
            tolerance: Tolerance::of(map)?,
            error,
        };
        match &case.grads {
            Some(grads) if grads.len() != case.leaves().len() => {
                Err(format!("{} gradients for {} leaves", grads.len(), case.leaves().len()))
            }
            _ => Ok(case),
        }
    }

    /// Every tensor argument that requires a gradient: args from left to right, then kwargs by name.
    pub fn leaves(&self) -> Vec<&GoldenTensor> {
        let all = self.args.iter().chain(self.kwargs.values());
        all.flat_map(Arg::tensors_within).filter(|t| t.requires_grad).collect()
    }

    /// The argument at position `i`, or else under `name`: PyTorch takes most either way. `None` if it was not given.
    pub fn arg(&self, i: usize, name: &str) -> Option<&Arg> {
        self.args.get(i).or_else(|| self.kwargs.get(name))
    }

    /// The tensor at position `i`.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn tensor(&self, i: usize) -> &GoldenTensor {
        self.args.get(i).and_then(Arg::as_tensor).unwrap_or_else(|| panic!("{}: argument {i} is no tensor", self.op))
    }

    /// The int under `name`, or `None` if it was not given or is Python's `None`.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn kwarg_int(&self, name: &str) -> Option<i64> {
        self.kwarg(name, "an int", Arg::as_int)
    }

    /// As [`Case::kwarg_int`], for ints and floats.
    #[track_caller]
    pub fn kwarg_float(&self, name: &str) -> Option<f64> {
        self.kwarg(name, "a number", Arg::as_float)
    }

    /// As [`Case::kwarg_int`], for bools.
    #[track_caller]
    pub fn kwarg_bool(&self, name: &str) -> Option<bool> {
        self.kwarg(name, "a bool", Arg::as_bool)
    }

    /// As [`Case::kwarg_int`], for strings.
    #[track_caller]
    pub fn kwarg_str(&self, name: &str) -> Option<&str> {
        self.kwarg(name, "a string", Arg::as_str)
    }

    /// As [`Case::kwarg_int`], for dtypes.
    #[track_caller]
    pub fn kwarg_dtype(&self, name: &str) -> Option<DType> {
        self.kwarg(name, "a dtype", Arg::as_dtype)
    }

    /// As [`Case::kwarg_int`], for one int or a list of ints.
    #[track_caller]
    pub fn kwarg_ints(&self, name: &str) -> Option<Vec<i64>> {
        self.kwarg(name, "a list of ints", Arg::as_ints)
    }

    /// As [`Case::kwarg_int`], for tensors.
    #[track_caller]
    pub fn kwarg_tensor(&self, name: &str) -> Option<&GoldenTensor> {
        self.kwarg(name, "a tensor", Arg::as_tensor)
    }

    #[track_caller]
    fn kwarg<'a, T>(&'a self, name: &str, what: &str, read: impl Fn(&'a Arg) -> Option<T>) -> Option<T> {
        match self.kwargs.get(name) {
            None | Some(Arg::None) => None,
            Some(arg) => Some(read(arg).unwrap_or_else(|| panic!("{}: {name} = {arg:?} is not {what}", self.op))),
        }
    }
}

fn kind(v: &Value) -> Parsed<CaseKind> {
    match v.as_str() {
        Some("sample") => Ok(CaseKind::Sample),
        Some("strided") => Ok(CaseKind::Strided),
        Some("edge") => Ok(CaseKind::Edge),
        Some("promotion") => Ok(CaseKind::Promotion),
        Some("broadcast") => Ok(CaseKind::Broadcast),
        Some("error") => Ok(CaseKind::Error),
        _ => Err(format!("{v} is not a kind")),
    }
}

pub(super) fn named_args(v: &Value) -> Parsed<BTreeMap<String, Arg>> {
    let map = v.as_object().ok_or_else(|| format!("{v} is not an object"))?;
    map.iter().map(|(k, v)| Ok((k.clone(), Arg::parse(v)?))).collect()
}

pub(super) fn nullable_tensor(v: &Value) -> Parsed<Option<GoldenTensor>> {
    if v.is_null() { Ok(None) } else { GoldenTensor::parse(v).map(Some) }
}

/// All cases of one op, by its name in PyTorch's OpInfo database: `goldens/data/ops/<op>.jsonl.gz`.
pub fn load_op(op: &str) -> Result<Vec<Case>, GoldenError> {
    load(&data_dir().join("ops").join(format!("{op}.jsonl.gz")), Case::parse)
}

/// All cases of a file of its own, by its name: `goldens/data/<name>.jsonl.gz`.
pub fn load_cases(name: &str) -> Result<Vec<Case>, GoldenError> {
    load(&data_dir().join(format!("{name}.jsonl.gz")), Case::parse)
}

/// The cases of special values of one group of operations, of many ops: `goldens/data/special/<group>.jsonl.gz`, written by
/// `goldens/special.py`.
pub fn load_special(group: &str) -> Result<Vec<Case>, GoldenError> {
    load(&data_dir().join("special").join(format!("{group}.jsonl.gz")), Case::parse)
}

/// The names of all ops that have goldens, sorted.
pub fn op_names() -> Result<Vec<String>, GoldenError> {
    let path = data_dir().join("ops");
    let io = |source| GoldenError::Io { path: path.clone(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        names.extend(name.to_str().and_then(|n| n.strip_suffix(".jsonl.gz")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::cotangent;
    use super::super::value::Values;
    use super::*;

    #[test]
    fn every_file_reads_and_its_cases_belong_to_it() {
        let names = op_names().unwrap();
        assert!(names.len() >= 300, "{}", names.len());
        let (mut cases, mut errors, mut grads) = (0, 0, 0);
        for name in &names {
            let op_cases = load_op(name).unwrap_or_else(|e| panic!("{e}"));
            assert!(op_cases.iter().any(|c| c.error.is_none()), "{name}");
            for c in &op_cases {
                assert_eq!(&c.op, name);
                assert_eq!(c.error.is_some(), c.kind == CaseKind::Error, "{c:?}");
                errors += usize::from(c.error.is_some());
                grads += usize::from(c.grads.is_some());
            }
            cases += op_cases.len();
        }
        println!("{} ops, {cases} cases, {grads} with gradients, {errors} errors", names.len());
        assert!(cases > 9000 && errors > 400 && grads > 2500, "{cases} {errors} {grads}");
    }

    /// The elements in row-major order, read through the view.
    fn elements(t: &GoldenTensor) -> Vec<f64> {
        let Values::Float(v) = &t.values else { panic!("{t:?}") };
        let Some(view) = &t.view else { return v.clone() };
        let mut offsets = vec![view.offset];
        for (n, stride) in t.shape.iter().zip(&view.strides) {
            offsets = offsets.iter().flat_map(|o| (0..*n).map(move |i| o + i * stride)).collect();
        }
        offsets.into_iter().map(|o| v[o]).collect()
    }

    #[test]
    fn square_holds_in_plain_arithmetic() {
        // Checks the encoding end to end: values through views, outputs, cotangents and gradients.
        let (mut seen, mut strided) = (0, 0);
        for c in load_op("square").unwrap() {
            if c.tensor(0).dtype != DType::F64 {
                continue;
            }
            let x = elements(c.tensor(0));
            let close = |t: &GoldenTensor, v: Vec<f64>| {
                t.compare(DType::F64, &c.tensor(0).shape, &Values::Float(v), c.tolerance).unwrap()
            };
            close(&c.outputs[0], x.iter().map(|x| x * x).collect());
            let grad = c.grads.as_ref().unwrap()[0].as_ref().unwrap();
            close(grad, x.iter().zip(cotangent(x.len())).map(|(x, g)| 2.0 * x * g).collect());
            assert_eq!(c.grad_fn.as_deref(), Some("PowBackward0"));
            seen += 1;
            strided += usize::from(c.tensor(0).view.is_some());
        }
        assert!(seen >= 3 && strided >= 1, "{seen} {strided}");
    }

    #[test]
    fn arguments_are_found_by_position_and_by_name() {
        let cases = load_op("sum").unwrap();
        let c = cases.iter().find(|c| c.kwargs.contains_key("keepdim")).unwrap();
        assert!(c.kwarg_bool("keepdim").is_some() && c.kwarg_ints("no_such").is_none());
        assert_eq!(c.arg(0, "input").and_then(Arg::as_tensor), Some(c.tensor(0)));
        assert!(std::panic::catch_unwind(|| c.kwarg_str("keepdim").is_some()).is_err());
    }
}
