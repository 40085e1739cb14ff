//! Special values beside PyTorch: random calls with NaN, infinities, zeros of both signs, kinks, ties and empty tensors, on the
//! CPU and on a GPU. `FLAMBEAU_OPS=median,amax` runs only these operations.

use std::collections::BTreeMap;

use flambeau_tensor::Device;
use flambeau_testkit::golden::{Case, load_special};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops::{all, only_special};
use flambeau_testkit::runner::run_goldens;
use flambeau_testkit::work::{GPU, OnGpu};

/// The groups of goldens, and how many cases each has at least.
const GROUPS: &[(&str, usize)] =
    &[("activations", 700), ("losses", 820), ("promotion", 720), ("order", 700), ("statistics", 410)];

/// A case that differs on purpose: its group, its operation, its number among the operation's cases of the group, and why.
type Differs = (&'static str, &'static str, usize, &'static str);

/// What differs on every device.
const DIFFERS: &[Differs] = &[];

/// What differs on a GPU only.
const GPU_DIFFERS: &[Differs] = &[];

/// Runs all groups on a device; returns how many cases agree.
fn run(device: Device, lists: &[&[Differs]]) -> usize {
    let only = std::env::var("FLAMBEAU_OPS").ok();
    let named = |name: &str| only.as_deref().is_none_or(|list| list.split(',').any(|n| n == name));
    let rows: BTreeMap<&str, OpInfo> =
        all().into_iter().chain(only_special().iter().copied()).map(|op| (op.name, op)).collect();
    let (mut passed, mut failed, mut inexpressible) = (0, 0, 0);
    for &(group, at_least) in GROUPS {
        let cases = load_special(group).unwrap_or_else(|e| panic!("{e}"));
        assert!(cases.len() >= at_least, "{group} has {} cases", cases.len());
        let mut by_op: BTreeMap<String, Vec<Case>> = BTreeMap::new();
        for case in cases {
            by_op.entry(case.op.clone()).or_default().push(case);
        }
        for (name, cases) in by_op.iter().filter(|(name, _)| named(name)) {
            let row = rows.get(name.as_str()).unwrap_or_else(|| panic!("{name} has no row"));
            // What the row lists are cases of its own goldens.
            let row = OpInfo { differs: &[], ..*row };
            let report = run_goldens(&row, cases, device);
            let listed =
                |i: usize| lists.iter().any(|list| list.iter().any(|d| (d.0, d.1, d.2) == (group, name.as_str(), i)));
            passed += report.passed;
            inexpressible += report.not_expressible;
            for (i, what) in report.failures.iter().filter(|(i, _)| !listed(*i)) {
                println!("    {group}: {name} {i} of {}: {what}", cases.len());
                failed += 1;
            }
            let differing = report.failures.iter().filter(|(i, _)| listed(*i)).count();
            let expected = (0..cases.len()).filter(|&i| listed(i)).count();
            assert_eq!(differing, expected, "{group}: {name} has cases that are listed and agree");
        }
    }
    assert_eq!(failed, 0, "{failed} cases of special values differ from PyTorch, {passed} agree");
    assert_eq!(inexpressible, 0, "calls without a form in Rust");
    passed
}

#[test]
fn special_values_on_the_cpu_are_pytorchs() {
    let passed = run(Device::Cpu, &[DIFFERS]);
    println!("count: {passed} golden cases of special values agree with PyTorch");
}

#[test]
fn special_values_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    let passed = run(GPU, &[DIFFERS, GPU_DIFFERS]);
    println!("count: {passed} GPU cases of special values agree with PyTorch");
}
