//! Gradients against finite differences, to second order, on the golden samples in float64.

use flambeau_autograd::{GradCheckOptions, Tensor, gradcheck, gradgradcheck};
use flambeau_tensor::{DType, Device};
use flambeau_testkit::args::{Args, CallError};
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{Case, CaseKind, load_op};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops::all;
use flambeau_testkit::work::{GPU, OnGpu, watch};

/// A check costs two calls per element, and one backward per element of the result.
const MAX_ELEMENTS: usize = 30;
const MAX_CASES: usize = 3;

/// The first `most` samples of float64 with gradients, small enough.
fn samples(op: &OpInfo, most: usize) -> Vec<Case> {
    let cases = load_op(op.name).unwrap_or_else(|e| panic!("{e}"));
    let fits = |case: &Case| {
        let leaves = case.leaves();
        let elements = |shape: &[usize]| shape.iter().product::<usize>();
        matches!(case.kind, CaseKind::Sample | CaseKind::Strided)
            && case.grads.is_some()
            && leaves.iter().all(|t| t.dtype == DType::F64)
            && (1..=MAX_ELEMENTS).contains(&leaves.iter().map(|t| elements(&t.shape)).sum::<usize>())
            && case.outputs.iter().map(|t| elements(&t.shape)).sum::<usize>() <= MAX_ELEMENTS
    };
    cases.into_iter().filter(fits).take(most).collect()
}

type Check = fn(
    &dyn Fn(&[Tensor]) -> flambeau_autograd::Result<Vec<Tensor>>,
    &[Tensor],
    GradCheckOptions,
) -> flambeau_autograd::Result<()>;

fn check(op: &OpInfo, case: &Case, device: Device, check: Check) -> Result<(), String> {
    let args = Args::of(case, device).map_err(|e| e.to_string())?;
    if let Err(CallError::NotExpressible(_)) = op.run(&args) {
        return Ok(());
    }
    let function = |leaves: &[Tensor]| {
        let args = args.with_leaves(leaves);
        let (outputs, work) = watch(device, || op.run(&args));
        assert!(device.is_cpu() || work.cpu_kernels == 0, "{} kernels ran on the CPU", work.cpu_kernels);
        outputs.map_err(|e| match e {
            CallError::Op(error) => error,
            other => flambeau_autograd::Error::runtime(other.to_string()),
        })
    };
    let run = || check(&function, args.leaves(), GradCheckOptions::default()).map_err(|e| e.to_string());
    catch(run).unwrap_or_else(|panic| Err(format!("panic: {panic}")))
}

/// A way to check gradients, and which rows it does not apply to.
struct Way {
    name: &'static str,
    skip: fn(&OpInfo) -> Option<&'static str>,
    check: Check,
}

const FIRST: Way = Way { name: "gradcheck", skip: |op| op.skip_gradcheck, check: gradcheck };
const SECOND: Way = Way { name: "gradgradcheck", skip: |op| op.skip_gradgradcheck, check: gradgradcheck };

/// Checks up to `most` samples of each row, and returns how many that were.
fn check_all(way: &Way, device: Device, most: usize) -> usize {
    let only = std::env::var("FLAMBEAU_OPS").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|list| list.split(',').any(|n| n == name));
    let (mut checked, mut ops, mut failures) = (0, 0, Vec::new());
    for op in all().iter().filter(|op| wanted(op.name) && (way.skip)(op).is_none()) {
        let samples = samples(op, most);
        ops += usize::from(!samples.is_empty());
        for case in &samples {
            checked += 1;
            if let Err(error) = check(op, case, device, way.check) {
                failures.push(format!("{}: {error}", op.name));
            }
        }
    }
    println!("{} on {device}: {checked} cases of {ops} operations, {} fail", way.name, failures.len());
    for failure in &failures {
        println!("    {failure}");
    }
    assert!(failures.is_empty(), "{} of {checked} cases fail", failures.len());
    assert!(only.is_some() || ops > 150, "only {ops} operations have a sample");
    assert!(only.is_some() || checked >= ops, "only {checked} cases of {ops} operations");
    checked
}

#[test]
fn gradients_are_those_of_finite_differences() {
    println!("count: {} gradcheck cases", check_all(&FIRST, Device::Cpu, MAX_CASES));
}

#[test]
fn second_gradients_are_those_of_finite_differences() {
    println!("count: {} gradgradcheck cases", check_all(&SECOND, Device::Cpu, MAX_CASES));
}

#[test]
fn gradients_on_a_gpu_are_those_of_finite_differences() {
    let _gpu = OnGpu::new();
    let checked = check_all(&FIRST, GPU, 1) + check_all(&SECOND, GPU, 1);
    println!("count: {checked} GPU cases: gradients of first and second order are those of finite differences");
}
