//! LBFGS against PyTorch's: what closures return, how often they are called, parameters, the whole state, errors.

use flambeau_autograd::{Tensor, arange, ops};
use flambeau_optim::{LBFGS, Optimizer, OptionValue, ParamGroup, StateValue};
use flambeau_tensor::Device;
use flambeau_testkit::catch::catch;
use flambeau_testkit::golden::{Arg, LbfgsCase, LbfgsStep, StateEntry, Tolerance, load_lbfgs};
use flambeau_testkit::work::{GPU, OnGpu};
use std::cell::Cell;

use crate::{compare, option, tensor};

/// A relative and an absolute difference.
type Near = (f64, f64);

fn close((rtol, atol): Near) -> Tolerance {
    Tolerance::Close { rtol, atol }
}

/// The losses of `goldens/lbfgs.py`.
fn loss(kind: &str, w: &Tensor, b: &Tensor) -> Tensor {
    let x = ops::cat(&[&w.reshape(-1), b], 0).unwrap();
    let scale = || arange((1, 8)).to(&x);
    let (rest, head) = (|| x.slice(0, 1, None, 1), || x.slice(0, None, -1, 1));
    match kind {
        "quadratic" => scale().mul(x.sub(0.5).square()).sum(),
        "rosenbrock" => (100.0 * rest().sub(head().square()).square() + (1.0 - head()).square()).sum(),
        "logistic" => (1.0 + scale().neg().mul(&x).exp()).log().sum() + 0.01 * x.square().sum(),
        "quartic" => x.sub(1.0).pow(4).sum() + 0.5 * (x.select(0, 0) * x.select(0, 1)),
        "linear" => scale().mul(&x).sum(),
        "first" => w.square().sum(),
        "flat" => (0.0 * &x).sum(),
        "root" => x.sub(1.0).sqrt().sum(),
        other => panic!("the goldens have the loss {other}, which no test here knows"),
    }
}

fn build(case: &LbfgsCase, params: &[Tensor]) -> Optimizer {
    let get = |name: &str| case.kwargs.get(name).map(option);
    let scalar = |value: OptionValue| match value {
        OptionValue::Number(x) => x,
        other => panic!("{other} is no number"),
    };
    let groups = match case.groups {
        true => params.iter().map(|p| ParamGroup::new([p])).collect(),
        false => vec![ParamGroup::new(params)],
    };
    LBFGS::with(groups, get("lr").unwrap_or(1.into()), |mut o| {
        if let Some(n) = get("max_iter") {
            o = o.max_iter(scalar(n));
        }
        if let Some(n) = get("max_eval") {
            o = o.max_eval(scalar(n));
        }
        if let Some(n) = get("history_size") {
            o = o.history_size(scalar(n));
        }
        if let Some(x) = get("tolerance_grad") {
            o = o.tolerance_grad(scalar(x));
        }
        if let Some(x) = get("tolerance_change") {
            o = o.tolerance_change(scalar(x));
        }
        if let Some(on) = get("maximize") {
            o = o.maximize(on == true.into());
        }
        if let Some(Arg::Str(name)) = case.kwargs.get("line_search_fn") {
            o = o.line_search_fn(name);
        }
        o
    })
    .into()
}

/// One step, the loss that it returned, and how often its closure was called.
fn step(case: &LbfgsCase, optimizer: &Optimizer, params: &[Tensor]) -> Result<(f64, usize), String> {
    let calls = Cell::new(0);
    let evaluate = || {
        calls.set(calls.get() + 1);
        optimizer.zero_grad();
        let loss = loss(&case.loss, &params[0], &params[1]);
        loss.backward();
        loss
    };
    let loss = catch(|| match case.float {
        true => optimizer.step_closure(|| evaluate().item()),
        false => optimizer.step_closure(evaluate).item(),
    })?;
    Ok((loss, calls.get()))
}

fn names(all: &[(String, OptionValue)]) -> Vec<String> {
    all.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

fn expected_names(all: &[(String, Arg)]) -> Vec<String> {
    let all = all.iter().filter(|(name, _)| name != "params");
    all.map(|(name, value)| format!("{name}: {}", option(value))).collect()
}

fn same_entry(what: &str, ours: &StateValue, theirs: &StateEntry, tolerance: Near) {
    match (ours, theirs) {
        (StateValue::None, StateEntry::Number(Arg::None)) => {}
        (StateValue::Number(x), StateEntry::Number(y)) => {
            let OptionValue::Number(y) = option(y) else { panic!("{what}: {x} {y:?}") };
            let (a, b) = (x.to_f64(), y.to_f64());
            let near = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance.1 + tolerance.0 * b.abs();
            assert!(x.is_int() == y.is_int() && near, "{what}: {x} {y}");
        }
        (StateValue::Tensor(x), StateEntry::Tensor(y)) => compare(what, x, y, close(tolerance)),
        (StateValue::List(a), StateEntry::List(b)) => {
            assert_eq!(a.len(), b.len(), "{what}");
            a.iter().zip(b).enumerate().for_each(|(i, (a, b))| same_entry(&format!("{what}[{i}]"), a, b, tolerance));
        }
        _ => panic!("{what}: {ours:?} in place of {theirs:?}"),
    }
}

fn same_state(what: &str, optimizer: &Optimizer, step: &LbfgsStep, tolerance: Near) {
    let dict = optimizer.state_dict();
    assert_eq!(names(&dict.param_groups[0].options), expected_names(&step.param_groups[0]), "{what}");
    let ids = |all: &mut dyn Iterator<Item = usize>| all.collect::<Vec<_>>();
    assert_eq!(ids(&mut dict.state.iter().map(|s| s.0)), ids(&mut step.state.iter().map(|s| s.0)), "{what}");
    for ((_, ours), (_, theirs)) in dict.state.iter().zip(&step.state) {
        let keys = (ours.iter().map(|e| &e.0).collect::<Vec<_>>(), theirs.iter().map(|e| &e.0).collect::<Vec<_>>());
        assert_eq!(keys.0, keys.1, "{what}");
        for ((name, ours), (_, theirs)) in ours.iter().zip(theirs) {
            same_entry(&format!("{what}: {name}"), ours, theirs, tolerance);
        }
    }
}

fn check(case: &LbfgsCase, device: Device) {
    let params: Vec<Tensor> = case.params.iter().map(|p| tensor(p, device).requires_grad_(true)).collect();
    let built = catch(|| build(case, &params));
    if let Some(error) = &case.error {
        return assert_eq!(built.map(|o| o.to_string()).unwrap_err(), error.message);
    }
    let optimizer = built.unwrap();
    let defaults: Vec<(String, OptionValue)> = optimizer.defaults().iter().map(|(n, v)| (n.to_owned(), v)).collect();
    assert_eq!((optimizer.to_string(), names(&defaults)), (case.repr.clone(), expected_names(&case.defaults)));
    let double = params[0].dtype() == flambeau_tensor::DType::F64;
    // Searches make large numbers of small ones.
    let tolerance = if double { (1e-6, 1e-8) } else { (2e-3, 2e-4) };
    let mut calls = 0;
    for (i, expected) in case.steps.iter().enumerate() {
        let what = format!("step {i}");
        let result = step(case, &optimizer, &params);
        if let Some(error) = &expected.error {
            return assert_eq!(result.unwrap_err(), error.message, "{what}");
        }
        let (loss, called) = result.unwrap();
        calls += called;
        assert_eq!(calls, expected.calls, "{what}: calls");
        let near = (loss - expected.loss).abs() <= tolerance.1 + tolerance.0 * expected.loss.abs();
        assert!(near || loss.is_nan() && expected.loss.is_nan(), "{what}: {loss} {}", expected.loss);
        for (param, expected) in params.iter().zip(&expected.params) {
            compare(&what, param, expected, close(tolerance));
        }
        same_state(&what, &optimizer, expected, tolerance);
    }
    resumes(case, &optimizer, &params);
}

/// A new optimizer that loads the state takes the same step, to the bit, and has the same state after it.
fn resumes(case: &LbfgsCase, first: &Optimizer, params: &[Tensor]) {
    let copies: Vec<Tensor> = params.iter().map(|p| p.detach().clone().requires_grad_(true)).collect();
    let second: Optimizer = LBFGS::with(&copies, 0.125, |o| o.max_iter(3)).into();
    second.load_state_dict(&first.state_dict()).unwrap();
    let bits = |x: f64| x.to_bits();
    let (a, b) = (step(case, first, params).unwrap(), step(case, &second, &copies).unwrap());
    assert_eq!((bits(a.0), a.1), (bits(b.0), b.1), "a loaded optimizer evaluates another loss");
    for (a, b) in params.iter().zip(&copies) {
        let bits = |x: &Tensor| x.double().to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(a), bits(b), "a loaded optimizer goes another way");
    }
    assert_eq!(format!("{:?}", first.state_dict()), format!("{:?}", second.state_dict()), "states after loading");
}

fn run(device: Device) -> usize {
    let cases = load_lbfgs().unwrap();
    // A GPU's sums differ in the last digit, and a search makes decisions by digits: what must agree there are quadratics.
    let simple =
        |case: &&LbfgsCase| device.is_cpu() || matches!(case.loss.as_str(), "quadratic" | "first" | "flat" | "linear");
    let cases: Vec<&LbfgsCase> = cases.iter().filter(simple).collect();
    let mut failures = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        if let Err(what) = catch(|| check(case, device)) {
            failures.push(format!("{i} {} {} {:?}: {what}", case.dtype, case.loss, case.kwargs));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    cases.len()
}

#[test]
fn lbfgs_steps_as_pytorchs() {
    let ran = run(Device::Cpu);
    println!("count: {ran} runs of LBFGS agree with PyTorch");
    assert!(ran >= 120, "{ran}");
}

#[test]
fn lbfgs_on_a_gpu_steps_as_pytorchs() {
    let _gpu = OnGpu::new();
    let ran = run(GPU);
    println!("count: {ran} GPU cases: LBFGS agrees with PyTorch");
    assert!(ran >= 40, "{ran}");
}
