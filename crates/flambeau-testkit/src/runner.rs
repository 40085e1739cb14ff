//! Runs the golden cases of a row.

use flambeau_autograd::Tensor;
use flambeau_tensor::Device;

use crate::args::{Args, CallError, tensor, values};
use crate::catch::catch;
use crate::golden::{Case, CaseKind, GoldenTensor, Tolerance, Values, cotangent};
use crate::opinfo::OpInfo;
use crate::work::{DefaultDevice, Work, watch};

/// What became of one op's cases.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases that agree with PyTorch.
    pub passed: usize,
    /// Calls that Rust's types rule out, or that use what the row says is lacking.
    pub not_expressible: usize,
    /// Cases that differ on purpose.
    pub differ: usize,
    /// Indices outside their dimension that a GPU reported when the result was read, as PyTorch's do: among those that passed.
    pub late_errors: usize,
    /// The number of each case that failed, from 0, and what differs.
    pub failures: Vec<(usize, String)>,
    /// The work of each case that computed a result.
    pub work: Vec<CaseWork>,
}

impl Report {
    /// Adds another op's report, except its work.
    fn add(&mut self, other: &Report) {
        self.passed += other.passed;
        self.not_expressible += other.not_expressible;
        self.differ += other.differ;
        self.late_errors += other.late_errors;
        self.failures.extend(other.failures.iter().cloned());
    }
}

/// Runs every row on a device, prints each failure, and calls `visit` with each row's report. `FLAMBEAU_OPS=add,mul`
/// runs only these.
///
/// # Panics
/// When a golden file cannot be read.
pub fn run_rows(device: Device, mut visit: impl FnMut(&OpInfo, &mut Report)) -> Report {
    let only = std::env::var("FLAMBEAU_OPS").ok();
    let named = |name: &str| only.as_deref().is_none_or(|list| list.split(',').any(|n| n == name));
    let (mut total, mut failing) = (Report::default(), 0);
    for op in crate::ops::all().iter().filter(|op| named(op.name)) {
        let cases = crate::golden::load_op(op.name).unwrap_or_else(|e| panic!("{e}"));
        let mut report = run_goldens(op, &cases, device);
        visit(op, &mut report);
        total.add(&report);
        failing += usize::from(!report.failures.is_empty());
        for (i, what) in &report.failures {
            println!("    {} {i} of {}: {what}", op.name, cases.len());
        }
    }
    println!(
        "{} cases pass, {} have no form in Rust, {} differ on purpose, {} fail in {failing} operations",
        total.passed,
        total.not_expressible,
        total.differ,
        total.failures.len()
    );
    total
}

/// The work of one case.
#[derive(Clone, Copy, Debug)]
pub struct CaseWork {
    /// The case's number, from 0.
    pub case: usize,
    /// What ran, forward and backward.
    pub work: Work,
    /// Whether every output is a view of an input or has no elements, so that there was nothing to compute.
    pub nothing_to_compute: bool,
}

/// How a case ended well.
enum Outcome {
    Passed(Work, bool),
    Error,
    LateError,
    NotExpressible,
}

/// Holds an operation on a device against PyTorch's results, gradients, `grad_fn` names and errors.
pub fn run_goldens(op: &OpInfo, cases: &[Case], device: Device) -> Report {
    let mut report = Report::default();
    for (i, case) in cases.iter().enumerate() {
        let outcome = catch(|| run_case(op, case, device));
        let outcome = outcome.unwrap_or_else(|panic| Err(format!("panic: {panic}")));
        if op.differs.iter().any(|(case, _)| *case == i) {
            match outcome {
                Err(_) => report.differ += 1,
                Ok(_) => report.failures.push((i, "said to differ from PyTorch, and agrees".into())),
            }
            continue;
        }
        match outcome {
            Ok(Outcome::NotExpressible) => report.not_expressible += 1,
            Ok(passed) => {
                report.passed += 1;
                match passed {
                    Outcome::Passed(work, nothing_to_compute) => {
                        report.work.push(CaseWork { case: i, work, nothing_to_compute });
                    }
                    Outcome::LateError => report.late_errors += 1,
                    Outcome::Error | Outcome::NotExpressible => {}
                }
            }
            Err(what) => report.failures.push((i, format!("{}: {what}", kind(case.kind)))),
        }
    }
    report
}

fn kind(kind: CaseKind) -> &'static str {
    match kind {
        CaseKind::Sample => "sample",
        CaseKind::Strided => "strided",
        CaseKind::Edge => "edge",
        CaseKind::Promotion => "promotion",
        CaseKind::Broadcast => "broadcast",
        CaseKind::Error => "error",
    }
}

fn run_case(op: &OpInfo, case: &Case, device: Device) -> Result<Outcome, String> {
    let args = match Args::of(case, device) {
        Ok(args) => args,
        // A tensor that PyTorch itself refuses to make: of more than 64 dimensions.
        Err(error) => return expect_error(op, case, &error),
    };
    let inputs = args.tensors_within();
    // Only a call without tensors is told where to compute; the others' constants must follow their tensors.
    let default_device = inputs.is_empty().then(|| DefaultDevice::set(device));
    let (outputs, mut work) = watch(device, || op.run(&args));
    drop(default_device);
    let outputs = match outputs {
        Ok(outputs) => outputs,
        Err(error) => return expect_error(op, case, &error),
    };
    if let Some(expected) = &case.error {
        let late = flambeau_device::backend(device).and_then(|b| b.synchronize(device));
        return match late {
            Err(error) if error.python_type() == expected.exception && error.to_string() == expected.message => {
                Ok(Outcome::LateError)
            }
            late => Err(format!("{late:?}, expected {}: {}", expected.exception, expected.message)),
        };
    }
    let unread = args.unread();
    if !unread.is_empty() {
        return Err(format!("the row ignores {unread:?}"));
    }
    if outputs.len() != case.outputs.len() {
        return Err(format!("{} outputs, expected {}", outputs.len(), case.outputs.len()));
    }
    if let Some(stray) = outputs.iter().find(|t| t.device() != device) {
        return Err(format!("an output is on {}", stray.device()));
    }
    for (i, (output, golden)) in outputs.iter().zip(&case.outputs).enumerate() {
        compare(output, golden, case.tolerance).map_err(|e| format!("output {i}: {e}"))?;
    }
    let differentiable: Vec<&Tensor> = outputs.iter().filter(|t| t.requires_grad()).collect();
    let name = differentiable.first().and_then(|t| t.grad_fn()).map(|f| f.name());
    if case.grad_fn.is_some() && name != case.grad_fn.as_deref() {
        return Err(format!(
            "grad_fn {}, expected {}",
            name.unwrap_or("none"),
            case.grad_fn.as_deref().unwrap_or("none")
        ));
    }
    if let Some(grads) = &case.grads {
        work += check_gradients(&differentiable, &args, grads, case.tolerance)?;
    }
    let is_view = |t: &Tensor| inputs.iter().any(|x| x.array().storage().ptr_eq(t.array().storage()));
    Ok(Outcome::Passed(work, outputs.iter().all(|t| t.numel() == 0 || is_view(t))))
}

fn expect_error(op: &OpInfo, case: &Case, error: &CallError) -> Result<Outcome, String> {
    let CallError::Op(error) = error else {
        let ruled_out = case.error.is_some() || op.partial.is_some();
        return if ruled_out { Ok(Outcome::NotExpressible) } else { Err(format!("error: {error}")) };
    };
    let Some(expected) = &case.error else { return Err(format!("error: {error}")) };
    let message = error.to_string();
    let first_line = message.lines().next().unwrap_or_default();
    // NotImplementedError is a RuntimeError.
    let same_type = error.python_type() == expected.exception
        || expected.exception == "RuntimeError" && error.python_type() == "NotImplementedError";
    if same_type && first_line == expected.message {
        return Ok(Outcome::Error);
    }
    Err(format!("{}: {first_line:?}, expected {}: {:?}", error.python_type(), expected.exception, expected.message))
}

fn compare(actual: &Tensor, golden: &GoldenTensor, tolerance: Tolerance) -> Result<(), String> {
    let values = values(actual).map_err(|e| e.to_string())?;
    golden.compare(actual.dtype(), &actual.size(), &values, tolerance).map_err(|e| e.to_string())
}

fn check_gradients(
    outputs: &[&Tensor],
    args: &Args,
    expected: &[Option<GoldenTensor>],
    tolerance: Tolerance,
) -> Result<Work, String> {
    if outputs.is_empty() {
        return Err("no output requires a gradient".into());
    }
    let cotangents: Vec<Tensor> = outputs.iter().map(|t| cotangent_of(t)).collect::<Result<_, _>>()?;
    let cotangents: Vec<Option<&Tensor>> = cotangents.iter().map(Some).collect();
    let leaves: Vec<&Tensor> = args.leaves().iter().collect();
    let device = outputs[0].device();
    let (grads, work) = watch(device, || flambeau_autograd::grad(outputs, &leaves, &cotangents, false, false, true));
    let grads = grads.map_err(|e| e.to_string())?;
    for (i, (actual, expected)) in grads.iter().zip(expected).enumerate() {
        match (actual, expected) {
            (Some(actual), Some(expected)) => {
                compare(actual, expected, tolerance).map_err(|e| format!("gradient {i}: {e}"))?;
            }
            (None, None) => {}
            (Some(_), None) => return Err(format!("gradient {i}: there is one, expected none")),
            (None, Some(_)) => return Err(format!("gradient {i}: none")),
        }
    }
    Ok(work)
}

/// The golden cotangent in an output's shape and dtype.
fn cotangent_of(output: &Tensor) -> Result<Tensor, String> {
    let golden = GoldenTensor {
        dtype: output.dtype(),
        shape: output.size().to_vec(),
        values: Values::Float(cotangent(output.numel())),
        view: None,
        requires_grad: false,
    };
    tensor(&golden, output.device()).map_err(|e| e.to_string())
}
