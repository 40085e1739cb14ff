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
    &[("activations", 690), ("losses", 820), ("promotion", 720), ("order", 700), ("statistics", 410)];

/// Cases that differ on purpose: their group, their operation, their numbers among the operation's cases of the group, and why.
type Differs = (&'static str, &'static str, &'static [usize], &'static str);

/// σ of −100 and below.
const SIGMOID: &str = "1 / (1 + e^100) is 3.8e-44 here and 0 in PyTorch's vectors, which is NaN times an infinity";
/// Halves.
const HALVES: &str = "f16 and bf16 compute in f32 and round once, where PyTorch rounds each step: its 1e-8 is 0 in f16";
/// Zeros of both signs.
const ZEROS: &str = "which of the zeros of both signs an unordered search finds first";

/// What differs on the CPU.
const DIFFERS: &[Differs] = &[
    ("activations", "nn.functional.glu", &[0, 10, 13, 19], SIGMOID),
    ("activations", "nn.functional.mish", &[24, 25], HALVES),
    ("losses", "nn.functional.binary_cross_entropy_with_logits", &[9], SIGMOID),
    (
        "losses",
        "nn.functional.cross_entropy",
        &[90, 93, 99],
        "classes whose weight is 0: the gradient of log_softmax sums −0 from the first element in PyTorch, from 0 here",
    ),
    ("promotion", "nn.functional.binary_cross_entropy", &[23, 35], HALVES),
    ("promotion", "nn.functional.gaussian_nll_loss", &[24, 35], HALVES),
    ("promotion", "nn.functional.poisson_nll_loss", &[23, 35], HALVES),
    ("order", "median", &[1, 10, 12, 21, 26], ZEROS),
    ("order", "min.reduction_no_dim", &[13], ZEROS),
    (
        "statistics",
        "nn.functional.layer_norm",
        &[8, 15, 18, 35],
        "PyTorch adds a bias of 0 where there is none, which makes 0 of −0",
    ),
    ("statistics", "std_mean", &[33], "whether an infinite value makes the mean infinite or NaN depends on its place"),
];

const SELF_QUOTIENT: &str = "an NVIDIA driver takes g · t / t for g, also where t is zero or infinite";

/// Operations that differ further on a GPU: their group, how many cases may at most, and why.
const GPU_DIFFERS: &[(&str, &str, usize, &str)] = &[
    ("losses", "nn.functional.binary_cross_entropy", 10, "the range of input and target is checked on the CPU only"),
    (
        "losses",
        "nn.functional.binary_cross_entropy_with_logits",
        4,
        "GPUs flush 4e-44 to 0, which is NaN times an infinity",
    ),
    ("activations", "nn.functional.logsigmoid", 4, "an NVIDIA driver takes 0 − (−0) for 0"),
    ("activations", "nn.functional.relu6", 12, "NVIDIA cards compare subnormal numbers as zeros"),
    ("activations", "nn.functional.selu", 14, "NVIDIA cards compare subnormal numbers as zeros"),
    ("losses", "nn.functional.kl_div", 1, SELF_QUOTIENT),
    ("losses", "nn.functional.poisson_nll_loss", 4, SELF_QUOTIENT),
    ("promotion", "nn.functional.kl_div", 4, SELF_QUOTIENT),
    ("losses", "nn.functional.cross_entropy", 8, "the fused kernel takes a weight of 0 for an ignored line"),
    ("losses", "nn.functional.nll_loss", 14, "the fused kernel takes a weight of 0 for an ignored line"),
    ("losses", "nn.functional.multi_margin_loss", 42, "a driver takes 0 − s for −s, which is −0 where s is 0"),
    ("promotion", "nn.functional.multi_margin_loss", 17, "which dtypes lack a kernel is told of the CPU's"),
    ("order", "aminmax", 4, ZEROS),
    ("order", "amax", 4, ZEROS),
    ("order", "amin", 4, ZEROS),
    ("order", "max.reduction_no_dim", 4, ZEROS),
    ("order", "min.reduction_no_dim", 4, ZEROS),
    (
        "order",
        "kthvalue",
        40,
        "the first of equals is found, where PyTorch's CPU has the one that its partitioning leaves",
    ),
];

/// Runs all groups on a device; returns how many cases agree.
fn run(device: Device) -> usize {
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
            let report = run_goldens(&OpInfo { differs: &[], ..*row }, cases, device);
            passed += report.passed;
            inexpressible += report.not_expressible;
            let here = DIFFERS.iter().filter(|d| (d.0, d.1) == (group, name.as_str()));
            let listed: Vec<usize> = here.flat_map(|d| d.2).copied().collect();
            let (expected, unexpected): (Vec<_>, Vec<_>) =
                report.failures.iter().partition(|(case, _)| listed.contains(case));
            let further = GPU_DIFFERS.iter().find(|d| !device.is_cpu() && (d.0, d.1) == (group, name.as_str()));
            if device.is_cpu() && expected.len() < listed.len() {
                println!("    {group}: {name}: {} cases are listed and agree", listed.len() - expected.len());
                failed += 1;
            }
            if unexpected.len() > further.map_or(0, |d| d.2) {
                failed += unexpected.len();
                unexpected.iter().for_each(|(i, what)| println!("    {group}: {name} {i} of {}: {what}", cases.len()));
            }
        }
    }
    assert_eq!(failed, 0, "{failed} cases of special values differ from PyTorch, {passed} agree");
    assert_eq!(inexpressible, 0, "calls without a form in Rust");
    passed
}

#[test]
fn special_values_on_the_cpu_are_pytorchs() {
    let passed = run(Device::Cpu);
    assert!(passed >= 3300 || std::env::var_os("FLAMBEAU_OPS").is_some(), "only {passed} cases ran");
    println!("count: {passed} golden cases of special values agree with PyTorch");
}

#[test]
fn special_values_on_a_gpu_are_pytorchs() {
    let _gpu = OnGpu::new();
    let passed = run(GPU);
    assert!(passed >= 3100 || std::env::var_os("FLAMBEAU_OPS").is_some(), "only {passed} cases ran");
    println!("count: {passed} GPU cases of special values agree with PyTorch");
}
