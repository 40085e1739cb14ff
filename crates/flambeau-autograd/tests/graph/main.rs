//! Custom functions, saved-tensor hooks, checkpoints and hooks of tensors, beside PyTorch: `goldens/graph.py` has each case under
//! the same name.

mod checkpoints;
mod functions;
mod hooks;
mod many;
mod measured;
mod saved;

#[path = "../golden/mod.rs"]
mod golden;

use flambeau_autograd::{Result, Tensor, from_vec, grad};
use flambeau_tensor::DType;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A case: its text, or the message it fails with.
type Case = fn() -> Result<String>;

pub(crate) fn leaf(values: &[f64]) -> Tensor {
    from_vec(values.to_vec(), [values.len()]).requires_grad_(true)
}

pub(crate) fn x3() -> Tensor {
    leaf(&[1.0, -2.0, 3.0])
}

pub(crate) fn show_option(tensor: Option<&Tensor>) -> String {
    match tensor {
        None => "None".into(),
        Some(t) => {
            let digits = if t.dtype() == DType::F32 { 4 } else { 9 };
            let values = t.detach().double().reshape(-1).to_vec::<f64>();
            let values: Vec<String> = values.iter().map(|v| format!("{v:.digits$}")).collect();
            format!("[{}]", values.join(", "))
        }
    }
}

/// Values with nine digits, of float32 with four; a list for each tensor.
pub(crate) fn show(tensors: &[&Tensor]) -> String {
    tensors.iter().map(|t| show_option(Some(t))).collect::<Vec<_>>().join(" ")
}

pub(crate) fn gradient(x: &Tensor) -> String {
    show_option(x.grad().as_ref())
}

pub(crate) fn flag(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

pub(crate) fn name(tensor: &Tensor) -> &'static str {
    tensor.grad_fn().expect("the tensor was recorded").name()
}

/// What hooks and functions note.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(crate) fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub(crate) fn all(&self, between: &str) -> String {
        self.0.lock().unwrap().join(between)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// `autograd::grad` of a sum for one input.
pub(crate) fn grad_of(y: &Tensor, x: &Tensor, create_graph: bool) -> Result<Tensor> {
    Ok(grad(&[&y.sum()], &[x], &[None], false, create_graph, false)?.remove(0).expect("the input was used"))
}

pub(crate) fn backward(y: &Tensor) -> Result<()> {
    flambeau_autograd::backward(&[y], &[None], false, false)
}

pub(crate) fn backward_kept(y: &Tensor) -> Result<()> {
    flambeau_autograd::backward(&[y], &[None], true, false)
}

/// The text, or the message of the error or the panic.
pub(crate) fn outcome(case: impl FnOnce() -> Result<String>) -> Result<String, String> {
    match catch_unwind(AssertUnwindSafe(case)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(payload) => Err(match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload.downcast::<&str>().map_or_else(|_| "no message".into(), |m| (*m).to_owned()),
        }),
    }
}

/// The default generator is one for all threads, so tests of this program take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn everything_is_as_in_pytorch() {
    let _turn = turn();
    let tables: [&[(&str, Case)]; 4] = [functions::CASES, saved::CASES, checkpoints::CASES, hooks::CASES];
    let table: BTreeMap<&str, Case> = tables.into_iter().flatten().copied().collect();
    let cases = golden::cases("graph.jsonl.gz");
    assert!(cases.len() >= 103, "{} cases", cases.len());
    assert_eq!(cases.len(), table.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let name = golden::text(case, "case").unwrap();
        let found = outcome(table[name]);
        // Ours goes on with the line of a write.
        let same = match (&found, golden::text(case, "text"), golden::text(case, "error")) {
            (Ok(found), Some(text), _) => found == text,
            (Err(found), _, Some(error)) => {
                found == error || found.contains("modified by an inplace operation") && found.starts_with(error)
            }
            _ => false,
        };
        if !same {
            wrong.push(format!("{name}\n  gives    {found:?}\n  expected {:?} {:?}", case["text"], case["error"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
