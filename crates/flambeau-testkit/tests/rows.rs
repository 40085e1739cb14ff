//! Every operation with goldens has a row, or a reason why not.

use std::collections::{BTreeMap, BTreeSet};

use flambeau_testkit::golden::op_names;
use flambeau_testkit::ops::all;

/// Operations that have goldens and no row, each with its reason, beside those that `docs/compat.md` says are not there.
const NOT_YET: &[(&str, &str)] = &[];

/// The names that PyTorch has and flambeau has not.
fn not_there() -> BTreeSet<&'static str> {
    let table = include_str!("../../../docs/compat.md");
    let lines = table.lines().filter(|line| line.starts_with("Not there"));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_operation_has_a_row_or_a_reason() {
    let rows: Vec<&str> = all().iter().map(|op| op.name).collect();
    let unique: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(rows.len(), unique.len(), "a row appears twice");
    let excused: BTreeMap<&str, &str> = NOT_YET.iter().copied().collect();
    let names = op_names().unwrap();
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let not_there = not_there();
    assert!(not_there.len() > 100 && !not_there.contains("relu"), "{not_there:?}");
    let reason = |n: &str| excused.contains_key(n) || not_there.contains(n);
    let missing: Vec<_> = names.iter().filter(|n| !unique.contains(*n) && !reason(n)).collect();
    assert!(missing.is_empty(), "no row and no reason: {missing:?}");
    let stale: Vec<_> = excused.keys().filter(|n| unique.contains(*n) || !names.contains(*n)).collect();
    assert!(stale.is_empty(), "a reason for what has a row or no goldens: {stale:?}");
    let unknown: Vec<_> = unique.difference(&names).collect();
    assert!(unknown.is_empty(), "a row without goldens: {unknown:?}");
}
