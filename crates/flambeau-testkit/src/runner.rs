//! Runs the golden cases of a row.

use std::panic::{AssertUnwindSafe, catch_unwind};

use flambeau_autograd::Tensor;

use crate::args::{Args, CallError, tensor, values};
use crate::golden::{Case, GoldenTensor, Kind, Tolerance, Values, cotangent};
use crate::opinfo::OpInfo;

/// What became of one op's cases.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases that agree with PyTorch.
    pub passed: usize,
    /// Calls that Rust's types rule out, or that use what the row says is lacking.
    pub not_expressible: usize,
    /// Cases that differ on purpose.
    pub differ: usize,
    /// The number of each case that failed, from 0, and what differs.
    pub failures: Vec<(usize, String)>,
}

/// Holds an operation against PyTorch's results, gradients, `grad_fn` names and errors.
pub fn run_goldens(op: &OpInfo, cases: &[Case]) -> Report {
    let mut report = Report::default();
    for (i, case) in cases.iter().enumerate() {
        let outcome = catch_unwind(AssertUnwindSafe(|| run_case(op, case)));
        let outcome = outcome.unwrap_or_else(|panic| Err(format!("panic: {}", panic_message(&*panic))));
        if op.differs.iter().any(|(case, _)| *case == i) {
            match outcome {
                Err(_) => report.differ += 1,
                Ok(_) => report.failures.push((i, "said to differ from PyTorch, and agrees".into())),
            }
            continue;
        }
        match outcome {
            Ok(true) => report.passed += 1,
            Ok(false) => report.not_expressible += 1,
            Err(what) => report.failures.push((i, format!("{}: {what}", kind(case.kind)))),
        }
    }
    report
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Sample => "sample",
        Kind::Strided => "strided",
        Kind::Edge => "edge",
        Kind::Promotion => "promotion",
        Kind::Broadcast => "broadcast",
        Kind::Error => "error",
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text")
}

/// Whether the case passed (`true`) or cannot be written in Rust (`false`).
fn run_case(op: &OpInfo, case: &Case) -> Result<bool, String> {
    let args = match Args::of(case) {
        Ok(args) => args,
        // A tensor that PyTorch itself refuses to make: of more than 64 dimensions.
        Err(error) => return expect_error(op, case, &error),
    };
    let outputs = match op.run(&args) {
        Ok(outputs) => outputs,
        Err(error) => return expect_error(op, case, &error),
    };
    if let Some(expected) = &case.error {
        return Err(format!("no error, expected {}: {}", expected.exception, expected.message));
    }
    let unread = args.unread();
    if !unread.is_empty() {
        return Err(format!("the row ignores {unread:?}"));
    }
    if outputs.len() != case.outputs.len() {
        return Err(format!("{} outputs, expected {}", outputs.len(), case.outputs.len()));
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
        check_gradients(&differentiable, &args, grads, case.tolerance)?;
    }
    Ok(true)
}

fn expect_error(op: &OpInfo, case: &Case, error: &CallError) -> Result<bool, String> {
    let CallError::Op(error) = error else {
        let ruled_out = case.error.is_some() || op.partial.is_some();
        return if ruled_out { Ok(false) } else { Err(format!("error: {error}")) };
    };
    let Some(expected) = &case.error else { return Err(format!("error: {error}")) };
    let message = error.to_string();
    let first_line = message.lines().next().unwrap_or_default();
    // NotImplementedError is a RuntimeError.
    let same_type = error.python_type() == expected.exception
        || expected.exception == "RuntimeError" && error.python_type() == "NotImplementedError";
    if same_type && first_line == expected.message {
        return Ok(true);
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
) -> Result<(), String> {
    if outputs.is_empty() {
        return Err("no output requires a gradient".into());
    }
    let cotangents: Vec<Tensor> = outputs.iter().map(|t| cotangent_of(t)).collect::<Result<_, _>>()?;
    let cotangents: Vec<Option<&Tensor>> = cotangents.iter().map(Some).collect();
    let leaves: Vec<&Tensor> = args.leaves().iter().collect();
    let grads =
        flambeau_autograd::grad(outputs, &leaves, &cotangents, false, false, true).map_err(|e| e.to_string())?;
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
    Ok(())
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
    tensor(&golden).map_err(|e| e.to_string())
}
