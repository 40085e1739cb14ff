//! Every golden case of every operation that has a row.

use flambeau_tensor::Device;
use flambeau_testkit::runner::run_rows;

#[test]
fn operations_agree_with_pytorch() {
    let total = run_rows(Device::Cpu, |_, _| {});
    // `cargo xtask test` adds up lines of this form.
    println!("count: {} golden cases of operations agree with PyTorch", total.passed);
    println!("count: {} golden cases skipped: no form in Rust (dtype formats, out=, overloads)", total.not_expressible);
    println!("count: {} golden cases differ on purpose, each with its reason in the row", total.differ);
    assert!(total.failures.is_empty(), "{} cases differ from PyTorch", total.failures.len());
    assert!(total.passed >= 10_000 || std::env::var_os("FLAMBEAU_OPS").is_some(), "only {} cases ran", total.passed);
}
