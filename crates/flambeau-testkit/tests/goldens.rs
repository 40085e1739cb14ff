//! Every golden case of every operation that has a row.

use std::collections::{BTreeMap, BTreeSet};

use flambeau_testkit::golden::{load_op, op_names};
use flambeau_testkit::ops::all;
use flambeau_testkit::runner::{Report, run_goldens};

/// Operations that have goldens and no row, each with its reason.
const NOT_YET: &[(&str, &str)] = &[
    ("bincount", "no function yet"),
    ("bucketize", "no function yet"),
    ("diff", "no function yet"),
    ("eye", "only the square form exists, `torch::eye(n)`"),
    ("isin", "no function yet"),
    ("lgamma", "needs the scalar functions ln Γ and ψ in every backend"),
    ("nn.functional.interpolate.bicubic", "no primitive for cubic resampling yet"),
    ("nn.functional.unfold", "no row yet"),
    ("searchsorted", "no function yet"),
    ("unique", "no function yet"),
    ("unique_consecutive", "no function yet"),
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

/// `FLAMBEAU_OPS=add,mul` runs only these.
#[test]
fn operations_agree_with_pytorch() {
    let only = std::env::var("FLAMBEAU_OPS").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|list| list.split(',').any(|n| n == name));
    // Failing cases are reported below, all of them, so that their panics need not be.
    std::panic::set_hook(Box::new(|_| {}));
    let mut total = Report::default();
    let mut failing = 0;
    for op in all().iter().filter(|op| wanted(op.name)) {
        let cases = load_op(op.name).unwrap_or_else(|e| panic!("{e}"));
        let report = run_goldens(op, &cases);
        total.passed += report.passed;
        total.not_expressible += report.not_expressible;
        total.differ += report.differ;
        if report.failures.is_empty() {
            continue;
        }
        failing += 1;
        println!("{}: {} of {} cases fail", op.name, report.failures.len(), cases.len());
        for (i, what) in &report.failures {
            println!("    {} {i}: {what}", op.name);
        }
        total.failures.extend(report.failures);
    }
    drop(std::panic::take_hook());
    println!(
        "{} cases pass, {} have no form in Rust, {} differ on purpose, {} fail in {failing} operations",
        total.passed,
        total.not_expressible,
        total.differ,
        total.failures.len()
    );
    assert!(total.failures.is_empty(), "{} cases differ from PyTorch", total.failures.len());
}
