//! What PyTorch's operations save for their backward.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::case::Case;
use super::{GoldenError, Parsed, data_dir, field, load, optional, string};

/// What PyTorch answers to a backward too many, and to writes between forward and backward: a message, or `None` where it computes.
#[derive(Clone, Debug)]
pub struct Answers {
    /// To a second backward.
    pub second: Option<String>,
    /// To a write to each tensor: an argument (`0`, `1`, …, in the order of `Args::tensors_within`) or a result (`out0`, …).
    pub written: BTreeMap<String, Option<String>>,
    /// Of an in-place form: to the backward of what had saved the tensor before.
    pub before: Option<String>,
}

/// A call of an operation.
#[derive(Clone, Debug)]
pub enum Called {
    /// Its golden case of this number.
    Golden(usize),
    /// A case of the table's own.
    Own(Box<Case>),
}

/// The answers to a call of an operation.
#[derive(Clone, Debug)]
pub struct SavedCase {
    /// The operation.
    pub op: String,
    /// Its call.
    pub case: Called,
    /// Out of place.
    pub answers: Answers,
    /// In place, on a copy of the first tensor, where PyTorch has such a form and the case is one of it.
    pub in_place: Option<Answers>,
}

impl SavedCase {
    fn parse(map: &Map<String, Value>) -> Parsed<Self> {
        let case = field(map, "case", |v| match (v.as_u64(), v.as_object()) {
            (Some(number), _) => Ok(Called::Golden(number as usize)),
            (None, Some(own)) => Case::parse(own).map(Box::new).map(Called::Own),
            (None, None) => Err(format!("{v} is no case")),
        })?;
        let in_place = optional(map, "in_place", |v| Answers::parse(v.as_object().ok_or("not an object")?))?;
        Ok(SavedCase { op: field(map, "op", string)?, case, answers: Answers::parse(map)?, in_place })
    }
}

impl Answers {
    fn parse(map: &Map<String, Value>) -> Parsed<Self> {
        let all = |v: &Value| {
            let map = v.as_object().ok_or_else(|| format!("{v} is not an object"))?;
            map.iter().map(|(key, v)| Ok((key.clone(), message(v)?))).collect()
        };
        let (second, before) = (field(map, "second", message)?, optional(map, "before", message)?.flatten());
        Ok(Answers { second, written: field(map, "written", all)?, before })
    }
}

fn message(v: &Value) -> Parsed<Option<String>> {
    if v.is_null() { Ok(None) } else { string(v).map(Some) }
}

/// The table of what operations save: `goldens/data/saved.jsonl.gz`, written by `goldens/saved.py`.
pub fn load_saved() -> Result<Vec<SavedCase>, GoldenError> {
    load(&data_dir().join("saved.jsonl.gz"), SavedCase::parse)
}
