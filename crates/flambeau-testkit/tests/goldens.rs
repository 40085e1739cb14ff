//! Every golden case of every operation that has a row.

use flambeau_testkit::golden::load_op;
use flambeau_testkit::ops::all;
use flambeau_testkit::runner::{Report, run_goldens};

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
    // `cargo xtask test` adds up lines of this form.
    println!("count: {} golden cases of operations agree with PyTorch", total.passed);
    println!("count: {} golden cases skipped: no form in Rust (dtype formats, out=, overloads)", total.not_expressible);
    println!("count: {} golden cases differ on purpose, each with its reason in the row", total.differ);
    assert!(total.failures.is_empty(), "{} cases differ from PyTorch", total.failures.len());
}
