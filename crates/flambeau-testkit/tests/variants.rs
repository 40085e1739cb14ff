//! Every operation in other shapes, layouts and zeros than its samples', beside PyTorch: empty and 0-dimensional tensors, expanded
//! and stepped ones, zeros of both signs. `FLAMBEAU_OPS=median,amax` runs only these operations.

use std::collections::BTreeMap;

use flambeau_tensor::Device;
use flambeau_testkit::golden::{Case, load_cases};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops::all;
use flambeau_testkit::runner::run_goldens;

/// Not mended yet.
const SIGN: &str = "a zero of the other sign";
/// Not mended yet.
const WORDS: &str = "another error, or its words, where several things are wrong or the tensor has no dimensions";
/// Not mended yet.
const SIGN_AND_WORDS: &str = "a zero of the other sign; another error";
/// Not mended yet.
const NAME_AND_SIGN: &str = "the backward's name; a zero of the other sign";
/// Not mended yet.
const INFINITY: &str = "an infinite gradient of the other sign at −0";
const ARTIFACT: &str = "PyTorch looks into the memory around the view";
const OWN_SUM: &str = "PyTorch writes a zero into the weights' own sum, which may be a leaf";
const STREAM: &str = "dropout draws in another order where scores lie in memory as the expanded inputs do";
const UNINITIALISED: &str = "PyTorch's mean of no losses is what stood in memory";

/// How many cases of an operation differ, and why.
const DIFFERS: &[(&str, usize, &str)] = &[
    ("__rpow__", 3, SIGN),
    ("addbmm", 1, SIGN),
    ("addmm", 2, SIGN),
    ("as_strided", 1, ARTIFACT),
    ("atan2", 3, SIGN),
    ("clamp", 1, SIGN),
    ("clamp_max", 1, SIGN),
    ("clamp_min", 1, SIGN),
    ("constant_pad_nd", 3, WORDS),
    ("cov", 1, OWN_SUM),
    ("cross", 2, WORDS),
    ("cummax", 1, WORDS),
    ("cummin", 1, WORDS),
    ("cumsum", 1, SIGN),
    ("dist", 3, SIGN),
    ("expand", 1, WORDS),
    ("float_power", 1, SIGN),
    ("index_add", 4, WORDS),
    ("index_copy", 2, WORDS),
    ("index_put", 2, WORDS),
    ("inner", 1, SIGN),
    ("linalg.cross", 3, WORDS),
    ("linalg.norm", 1, WORDS),
    ("linalg.vector_norm", 1, WORDS),
    ("logit", 2, INFINITY),
    ("mT", 1, WORDS),
    ("matmul", 1, SIGN),
    ("max.binary", 3, SIGN),
    ("maximum", 3, SIGN),
    ("median", 7, NAME_AND_SIGN),
    ("min.binary", 3, SIGN),
    ("minimum", 3, SIGN),
    ("mv", 1, WORDS),
    ("nn.functional.avg_pool2d", 3, SIGN_AND_WORDS),
    ("nn.functional.avg_pool3d", 1, SIGN),
    ("nn.functional.batch_norm", 5, SIGN_AND_WORDS),
    ("nn.functional.bilinear", 4, WORDS),
    ("nn.functional.conv1d", 1, SIGN),
    ("nn.functional.conv2d", 1, SIGN),
    ("nn.functional.conv3d", 2, SIGN_AND_WORDS),
    ("nn.functional.cross_entropy", 1, SIGN),
    ("nn.functional.embedding", 3, WORDS),
    ("nn.functional.group_norm", 1, SIGN),
    ("nn.functional.instance_norm", 6, SIGN_AND_WORDS),
    ("nn.functional.interpolate.bicubic", 2, SIGN_AND_WORDS),
    ("nn.functional.interpolate.bilinear", 4, SIGN_AND_WORDS),
    ("nn.functional.interpolate.linear", 6, SIGN_AND_WORDS),
    ("nn.functional.interpolate.nearest", 6, SIGN_AND_WORDS),
    ("nn.functional.layer_norm", 1, SIGN),
    ("nn.functional.linear", 5, NAME_AND_SIGN),
    ("nn.functional.max_unpool1d", 4, WORDS),
    ("nn.functional.max_unpool2d", 4, WORDS),
    ("nn.functional.max_unpool3d", 4, WORDS),
    ("nn.functional.multi_margin_loss", 1, UNINITIALISED),
    ("nn.functional.rms_norm", 5, SIGN_AND_WORDS),
    ("nn.functional.scaled_dot_product_attention", 6, STREAM),
    ("nn.functional.softshrink", 3, SIGN),
    ("nn.functional.unfold", 2, WORDS),
    ("norm", 1, WORDS),
    ("norm.inf", 2, WORDS),
    ("pow", 1, SIGN),
    ("prod", 3, SIGN),
    ("put", 4, WORDS),
    ("repeat_interleave", 1, WORDS),
    ("searchsorted", 2, WORDS),
    ("select_scatter", 4, WORDS),
    ("take_along_dim", 3, WORDS),
    ("tensordot", 4, SIGN_AND_WORDS),
    ("unbind", 2, WORDS),
    ("unflatten", 2, WORDS),
];

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
