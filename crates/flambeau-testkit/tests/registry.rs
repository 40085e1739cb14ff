//! What holds for every operation of the registry, without a line per operation.

use flambeau_autograd::{Tensor, grad, ops, registry};
use flambeau_tensor::Device;
use flambeau_testkit::args::{Args, tensor, values};
use flambeau_testkit::golden::{Arg, Case, GoldenTensor, Values, cotangent, load_op};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops::all;
use std::collections::{BTreeMap, BTreeSet};

/// Operations without a row of goldens, each with what tests it.
const NO_ROW: &[(&str, &str)] = &[];

#[test]
fn every_operation_has_a_row_or_a_reason() {
    let rows: BTreeSet<&str> = all().iter().map(|row| OpInfo::registered_name(row.name)).collect();
    // Variants of PyTorch's database: `max.reduction_with_dim`.
    let bases: BTreeSet<&str> = rows.iter().filter_map(|name| name.split('.').next()).collect();
    let excused: BTreeMap<&str, &str> = NO_ROW.iter().copied().collect();
    let has_row = |op: &registry::Op| std::iter::once(&op.name).chain(op.aliases).any(|n| bases.contains(n));
    let missing: Vec<_> =
        registry::all().filter(|op| !has_row(op) && !excused.contains_key(op.name)).map(|op| op.name).collect();
    assert!(missing.is_empty(), "no row and no reason: {missing:?}");
    let stale: Vec<_> = excused.keys().filter(|name| registry::find(name).is_none_or(has_row)).collect();
    assert!(stale.is_empty(), "a reason for what has a row, or is no operation: {stale:?}");
    println!("count: {} operations in the registry", registry::all().count());
}

#[test]
fn names_are_unique() {
    let mut seen = BTreeMap::new();
    for op in registry::all() {
        let in_place = op.forms.iter().chain(op.aliases).filter(|_| op.in_place).map(|name| format!("{name}_"));
        let names = op.forms.iter().chain(op.aliases).map(|name| (*name).to_owned()).chain(in_place);
        for name in names.collect::<BTreeSet<_>>() {
            if let Some(other) = seen.insert(name.clone(), op.name) {
                panic!("{name} is a form of {other} and of {}", op.name);
            }
        }
    }
}

/// What a golden case makes of an in-place form: `None` where the case is not one of it.
fn in_place_case(op: &registry::Op, case: &Case) -> Option<Result<(), String>> {
    let (call, golden) = (op.call_in_place?, case.outputs.first()?);
    let [Arg::Tensor(first), ..] = &case.args[..] else { return None };
    // The result must fit into the first tensor, which nothing else may look at.
    if case.error.is_some() || first.view.is_some() || (first.dtype, &first.shape) != (golden.dtype, &golden.shape) {
        return None;
    }
    Some(run_in_place(call, case, golden))
}

fn run_in_place(call: registry::Call, case: &Case, golden: &GoldenTensor) -> Result<(), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let args = Args::of(case, Device::Cpu).map_err(|e| text(&e))?;
    let leaf = args.x().map_err(|e| text(&e))?;
    // Not the leaf itself, which must not be written to.
    let x = ops::clone(leaf).map_err(|e| text(&e))?;
    let version = x.version();
    let outputs = match call(&args.with_first(x.clone())) {
        // What data cannot say is no case of it.
        Err(flambeau_autograd::Error::Argument(_)) => return Ok(()),
        outputs => outputs.map_err(|e| text(&e))?,
    };
    let [out] = &outputs[..] else { return Err(format!("{} outputs", outputs.len())) };
    if !out.array().storage().ptr_eq(x.array().storage()) {
        return Err("the result is not the tensor that was written to".into());
    }
    if x.numel() > 0 && x.version() == version {
        return Err("the write was not counted".into());
    }
    let found = values(out).map_err(|e| text(&e))?;
    golden.compare(out.dtype(), &out.size(), &found, case.tolerance).map_err(|e| format!("value: {e}"))?;
    let Some(expected) = &case.grads else { return Ok(()) };
    if !out.requires_grad() {
        return Err("the result requires no gradient".into());
    }
    let seed = GoldenTensor {
        values: Values::Float(cotangent(out.numel())),
        view: None,
        requires_grad: false,
        ..golden.clone()
    };
    let seed = tensor(&seed, Device::Cpu).map_err(|e| text(&e))?;
    let leaves: Vec<&Tensor> = args.leaves().iter().collect();
    let grads = grad(&[out], &leaves, &[Some(&seed)], false, false, true).map_err(|e| text(&e))?;
    for (i, (found, expected)) in grads.iter().zip(expected).enumerate() {
        match (found, expected) {
            (Some(found), Some(expected)) => {
                let numbers = values(found).map_err(|e| text(&e))?;
                let compared = expected.compare(found.dtype(), &found.size(), &numbers, case.tolerance);
                compared.map_err(|e| format!("gradient {i}: {e}"))?;
            }
            (None, None) => {}
            (found, _) => {
                return Err(format!("gradient {i}: {} there is one", if found.is_some() { "" } else { "not" }));
            }
        }
    }
    Ok(())
}

/// The in-place form of each operation gives what PyTorch's operation gives, and its gradients, on every golden that fits.
#[test]
fn in_place_forms_are_the_operations() {
    let (mut cases, mut failures) = (0, Vec::new());
    let mut tested = BTreeSet::new();
    for row in all() {
        let Some(op) = registry::find(OpInfo::registered_name(row.name)).filter(|op| op.in_place) else { continue };
        for (i, case) in load_op(row.name).unwrap().iter().enumerate() {
            if row.differs.iter().any(|(number, _)| *number == i) {
                continue;
            }
            match in_place_case(op, case) {
                None => {}
                Some(Ok(())) => {
                    cases += 1;
                    tested.insert(op.name);
                }
                Some(Err(what)) => failures.push(format!("{}_ {i}: {what}", op.name)),
            }
        }
    }
    assert!(failures.is_empty(), "{} of {cases} fail:\n{}", failures.len(), failures.join("\n"));
    println!("count: {cases} in-place cases");
    let untested: Vec<_> =
        registry::all().filter(|op| op.in_place && !tested.contains(op.name)).map(|op| op.name).collect();
    assert!(untested.is_empty(), "in-place forms without a case: {untested:?}");
}
