//! JSON files as Python's plain data, dicts in the order of the file.

use crate::error::{Error, Result};
use flambeau_autograd::Tensor;
use flambeau_serialize::{Dict, DictKind};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Python's plain data.
pub(super) type Value = flambeau_serialize::Value<Tensor>;

/// What a file holds.
pub(super) fn read(path: &Path) -> Result<Value> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let found: Found =
        serde_json::from_reader(BufReader::new(file)).map_err(|e| Error::corrupt(path, e.to_string()))?;
    Ok(found.0)
}

struct Found(Value);

struct AsValue;

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AsValue).map(Found)
    }
}

impl<'de> Visitor<'de> for AsValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }
    fn visit_bool<E>(self, x: bool) -> Result<Value, E> {
        Ok(Value::Bool(x))
    }
    fn visit_i64<E>(self, x: i64) -> Result<Value, E> {
        Ok(Value::Int(x))
    }
    fn visit_u64<E>(self, x: u64) -> Result<Value, E> {
        Ok(i64::try_from(x).map_or(Value::Float(x as f64), Value::Int))
    }
    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(Value::Float(x))
    }
    fn visit_str<E>(self, x: &str) -> Result<Value, E> {
        Ok(Value::Str(x.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        while let Some(Found(item)) = items.next_element()? {
            found.push(item);
        }
        Ok(Value::List(found))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let (mut found, mut places) = (Vec::new(), HashMap::new());
        while let Some((key, Found(value))) = items.next_entry::<String, Found>()? {
            // Of equal keys the later has the value, as in Python.
            match places.get(&key) {
                Some(&place) => found[place] = (Value::Str(key), value),
                None => {
                    places.insert(key.clone(), found.len());
                    found.push((Value::Str(key), value));
                }
            }
        }
        Ok(Value::Dict(Dict { kind: DictKind::Dict, items: found, attributes: Vec::new() }))
    }
}

/// An entry of a dict.
pub(super) fn entry<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Dict(dict) => dict.get(key),
        _ => None,
    }
}

/// The items of a list.
pub(super) fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::List(items) | Value::Tuple(items) => Some(items),
        _ => None,
    }
}

pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(x) => Some(*x),
        _ => None,
    }
}

pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Str(text) => Some(text),
        _ => None,
    }
}
