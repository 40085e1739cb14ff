//! Every operation with goldens has a row, or a reason why not.

use std::collections::{BTreeMap, BTreeSet};

use flambeau_testkit::golden::op_names;
use flambeau_testkit::ops::all;

/// Operations that have goldens and no row, each with its reason.
const NOT_YET: &[(&str, &str)] = &[
    ("bucketize", "no function yet"),
    ("lgamma", "needs the scalar functions ln Γ and ψ in every backend"),
    ("nn.functional.interpolate.bicubic", "no primitive for cubic resampling yet"),
    ("searchsorted", "no function yet"),
];

#[test]
fn every_operation_has_a_row_or_a_reason() {
    let rows: Vec<&str> = all().iter().map(|op| op.name).collect();
    let unique: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(rows.len(), unique.len(), "a row appears twice");
    let excused: BTreeMap<&str, &str> = NOT_YET.iter().copied().collect();
    let names = op_names().unwrap();
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let missing: Vec<_> = names.iter().filter(|n| !unique.contains(*n) && !excused.contains_key(*n)).collect();
    assert!(missing.is_empty(), "no row and no reason: {missing:?}");
    let stale: Vec<_> = excused.keys().filter(|n| unique.contains(*n) || !names.contains(*n)).collect();
    assert!(stale.is_empty(), "a reason for what has a row or no goldens: {stale:?}");
    let unknown: Vec<_> = unique.difference(&names).collect();
    assert!(unknown.is_empty(), "a row without goldens: {unknown:?}");
}
