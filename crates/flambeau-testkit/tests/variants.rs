//! Every operation in other shapes, layouts and zeros than its samples', beside PyTorch: empty and 0-dimensional tensors, expanded
//! and stepped ones, zeros of both signs. `FLAMBEAU_OPS=median,amax` runs only these operations.

use std::collections::BTreeMap;

use flambeau_tensor::Device;
use flambeau_testkit::golden::{Case, load_cases};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops::all;
use flambeau_testkit::runner::run_goldens;

/// How many cases of an operation differ on purpose, and why.
const DIFFERS: &[(&str, usize, &str)] = &[];

#[test]
fn every_operation_in_other_shapes_layouts_and_zeros_is_pytorchs() {
    let only = std::env::var("FLAMBEAU_OPS").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|list| list.split(',').any(|n| n == name));
    let mut by_op: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in load_cases("variants").unwrap() {
        by_op.entry(case.op.clone()).or_default().push(case);
    }
    let (mut passed, mut inexpressible, mut differing, mut wrong, mut missing) = (0, 0, 0, 0, Vec::new());
    for row in all().iter().filter(|row| wanted(row.name)) {
        let Some(cases) = by_op.get(row.name) else {
            missing.push(row.name);
            continue;
        };
        // What the row lists are cases of its own goldens.
        let report = run_goldens(&OpInfo { differs: &[], ..*row }, cases, Device::Cpu);
        passed += report.passed;
        inexpressible += report.not_expressible;
        let expected = DIFFERS.iter().find(|d| d.0 == row.name).map_or(0, |d| d.1);
        if report.failures.len() == expected {
            differing += expected;
            continue;
        }
        wrong += 1;
        println!("    {}: {} cases differ, {expected} are expected to", row.name, report.failures.len());
        report.failures.iter().for_each(|(i, what)| println!("        {i} of {}: {what}", cases.len()));
    }
    println!("count: {passed} golden cases in other shapes, layouts and zeros agree with PyTorch");
    println!("count: {inexpressible} of them skipped: no form in Rust");
    println!("count: {differing} of them differ on purpose, each with its reason");
    println!("without such a case: {missing:?}");
    assert_eq!(wrong, 0, "operations that differ from PyTorch otherwise than expected");
    assert!(passed > 5_000 || only.is_some(), "only {passed} cases ran");
}
