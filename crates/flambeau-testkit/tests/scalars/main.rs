//! Numbers that meet a dtype, special values of functions of floats, and which operation takes which dtype: 56,000 calls
//! beside PyTorch (`goldens/scalars.py`), on the CPU and, for a part of them, on a GPU.

mod rows;

use flambeau_tensor::Device;
use flambeau_testkit::golden::{Case, load_cases};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::runner::run_goldens;
use flambeau_testkit::work::{GPU, OnGpu};

/// What this library rounds, refuses or says otherwise, each with its reason; the cases are told by the operation and a
/// part of what the comparison says.
type Differs<'a> = &'a [(&'static str, &'static str, &'static str)];

/// Runs the cases of a file that `keep` picks, by their operations; returns how many agree.
fn run(file: &str, device: Device, differs: Differs<'_>, keep: impl Fn(usize, &Case) -> bool) -> usize {
    let cases: Vec<Case> = load_cases(file).unwrap_or_else(|e| panic!("{e}"));
    let cases: Vec<Case> = cases.into_iter().enumerate().filter(|(i, c)| keep(*i, c)).map(|(_, c)| c).collect();
    let rows = rows::all();
    let only = std::env::var("FLAMBEAU_OPS").ok();
    let (mut passed, mut failing) = (0, 0);
    for group in cases.chunk_by(|a, b| a.op == b.op) {
        let name = &group[0].op;
        if only.as_deref().is_some_and(|list| !list.split(',').any(|n| n == name)) {
            continue;
        }
        let row: &OpInfo = rows.iter().find(|r| r.name == name).unwrap_or_else(|| panic!("no row for {name}"));
        let mut report = run_goldens(row, group, device);
        passed += report.passed;
        assert_eq!(report.not_expressible, 0, "{name}: a call has no form in Rust");
        report
            .failures
            .retain(|(_, what)| !differs.iter().any(|(op, part, _)| (op == name || *op == "*") && what.contains(part)));
        failing += report.failures.len();
        for (i, what) in report.failures.iter().take(40) {
            let case = &group[*i];
            println!("    {name} {:?} {:?}: {what}", dtype(case), case.args.get(1));
        }
    }
    println!("count: {passed} cases of {file} agree with PyTorch on {device}");
    assert_eq!(failing, 0, "{failing} cases differ from PyTorch");
    passed
}

fn dtype(case: &Case) -> Option<flambeau_tensor::DType> {
    case.args.first().and_then(|a| a.as_tensor()).map(|t| t.dtype)
}

/// Half products: PyTorch rounds α · b, or the sum, on its way; here the result is rounded once.
const ROUNDED: &str = "one rounding instead of two";
/// PyTorch's loop for less than a vector keeps a float exponent in float64; its vectors round it, as here.
const SHORT: &str = "less than a vector";
/// PyTorch's vectorised fmod is NaN where the quotient overflows; the exact remainder is C99's, and that of its short loops.
const EXACT: &str = "exact where the quotient overflows";
/// PyTorch's loop for less than a vector keeps the sign of a number that shrinks to zero; its vectors give 0, as here.
const SHORT_SHRINK: &str = "less than a vector";
/// The sign of a gradient that is zero: PyTorch multiplies in another order.
const ZERO_GRADIENT: &str = "the sign of a zero gradient";
/// ELU at 0 is exp(0) − 1 times α here, 0 in PyTorch: they differ where α is not finite.
const ZERO: &str = "0 times an infinite slope";

const NUMBERS_DIFFER: Differs<'_> = &[
    ("add_number_alpha", "expected -inf", ROUNDED),
    ("addmm_beta", "is 65504.0, expected inf", ROUNDED),
    ("addbmm_beta", "is 65504.0, expected inf", ROUNDED),
    ("baddbmm_beta", "is 65504.0, expected inf", ROUNDED),
    ("hardtanh", "type int64_t without overflow", "the bounds are f64 here: the largest int64 is none"),
    ("hardtanh", "is 9007199254740992, expected 9007199254740993", "the bounds are f64 here"),
    ("hardtanh_low", "is -9223372036854775807, expected -92233", "the bounds are f64 here"),
    ("sub_alpha", "is -2.305843009213694e19", "PyTorch adds minus α, which wraps for the smallest int64"),
    ("rsub_alpha", "is -2.305843009213694e19", "PyTorch adds minus α, which wraps for the smallest int64"),
    ("pow", "element 0 is", SHORT),
    ("pow", "element 4 is 1.0, expected 0.0", SHORT),
    ("pow_", "element 0 is", SHORT),
    ("softshrink", "element 0 is 0.0, expected -0.0", SHORT_SHRINK),
    ("elu", "element 3 is NaN, expected 0.0", ZERO),
    ("celu", "element 3 is NaN, expected 0.0", ZERO),
];

const SPECIAL_DIFFER: Differs<'_> = &[
    ("fmod", "expected NaN", EXACT),
    ("remainder", "expected NaN", EXACT),
    ("hypot", "gradient 0: element 230", "the digits of a result below the normal numbers"),
    ("pow", "gradient 0: element 10 is 8.318", "the digits of a base below the normal numbers"),
    ("atan2", "is -0.0, expected 0.0", ZERO_GRADIENT),
    ("atan2", "is 0.0, expected -0.0", ZERO_GRADIENT),
    ("pow", "is 0.0, expected -0.0", ZERO_GRADIENT),
    ("pow", "is -0.0, expected 0.0", ZERO_GRADIENT),
    ("rpow", "gradient 0: element 0 is 0.0, expected -0.0", ZERO_GRADIENT),
    (
        "logit",
        "gradient 0: element 0 is inf, expected -inf",
        "PyTorch's f32 divisor has another sign at -0 than its f64's",
    ),
    ("pow", "(1 of 17 differ)", "PyTorch's f16 has no vectorised square root"),
    ("pow", "(2 of 17 differ)", "PyTorch's f16 has no vectorised square root"),
];

#[test]
fn numbers_meet_dtypes_as_in_pytorch() {
    assert!(
        run("scalars_numbers", Device::Cpu, NUMBERS_DIFFER, |_, _| true) > 50_000
            || std::env::var("FLAMBEAU_OPS").is_ok()
    );
}

#[test]
fn special_values_are_pytorchs() {
    assert!(
        run("scalars_special", Device::Cpu, SPECIAL_DIFFER, |_, _| true) > 990 || std::env::var("FLAMBEAU_OPS").is_ok()
    );
}

#[test]
fn operations_take_and_give_the_dtypes_that_pytorchs_do() {
    assert!(run("scalars_dtypes", Device::Cpu, &[], |_, _| true) > 3_500 || std::env::var("FLAMBEAU_OPS").is_ok());
}

#[test]
fn fourth_powers_are_within_one_ulp() {
    let numbers: Vec<f64> = (1..20_000).map(|i| (f64::from(i) * 0.618_033_988_7).fract() * 40.0 - 20.0).collect();
    let narrow: Vec<f32> = numbers.iter().map(|&x| x as f32).collect();
    let n = numbers.len();
    let got = flambeau_autograd::from_slice(&narrow, [n]).pow(4).to_vec::<f32>();
    for (&x, got) in narrow.iter().zip(got) {
        let truth = f64::from(x).powi(4);
        let ulp = f64::from(f32::from_bits((truth as f32).to_bits() + 1)) - f64::from(truth as f32);
        assert!((f64::from(got) - truth).abs() <= ulp, "{x}: {got}, {truth}");
    }
    let got = flambeau_autograd::from_slice(&numbers, [n]).pow(4).to_vec::<f64>();
    for (&x, got) in numbers.iter().zip(got) {
        // x² as a sum of two floats, squared.
        let (square, rest) = (x * x, x.mul_add(x, -(x * x)));
        let fourth = square * square;
        let error = square.mul_add(square, -fourth) + 2.0 * square * rest;
        let ulp = f64::from_bits(fourth.to_bits() + 1) - fourth;
        assert!((got - fourth - error).abs() <= ulp, "{x}: {got}, {fourth}");
    }
}

#[test]
fn random_fills_take_pytorchs_stream_in_every_layout() {
    assert!(run("scalars_random", Device::Cpu, &[], |_, _| true) > 1_500 || std::env::var("FLAMBEAU_OPS").is_ok());
}

#[test]
fn numbers_meet_dtypes_on_a_gpu() {
    let _gpu = OnGpu::new();
    // A division by an integer zero is found by the kernel, and told when the result is read.
    let differs = [NUMBERS_DIFFER, &[("*", "ZeroDivisionError", "told later on a GPU")]].concat();
    let passed = run("scalars_numbers", GPU, &differs, |i, case| i % 29 == 0 && case.op != "tensor");
    assert!(passed > 1_500 || std::env::var("FLAMBEAU_OPS").is_ok());
}

#[test]
fn special_values_on_a_gpu() {
    let _gpu = OnGpu::new();
    assert!(run("scalars_special", GPU, SPECIAL_DIFFER, |_, _| true) > 900 || std::env::var("FLAMBEAU_OPS").is_ok());
}
