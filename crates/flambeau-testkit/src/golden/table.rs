//! Tables of words.

use std::collections::BTreeMap;

use super::{GoldenError, data_dir, field, load, string};

/// A file of pairs, by its name: what stands under `key`, and under `value`, of each line of `goldens/data/<name>.jsonl.gz`.
pub fn load_table(name: &str, key: &str, value: &str) -> Result<BTreeMap<String, String>, GoldenError> {
    let pairs = load(&data_dir().join(format!("{name}.jsonl.gz")), |map| {
        Ok((field(map, key, string)?, field(map, value, string)?))
    })?;
    Ok(pairs.into_iter().collect())
}
