//! Random schedulers against PyTorch's: learning rates, groups, state dicts, messages.
//! `goldens/random_sched.py` of flambeau-testkit drew and ran them.

mod build;
mod tensors;
mod text;

use build::{Any, Row};
use flambeau_optim::{Optimizer, ParamGroup};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Makes a call; a panic's message comes back.
fn catch<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text").to_owned()
    })
}

fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flambeau-testkit/goldens/data/random_sched.jsonl.gz");
    let file = std::fs::File::open(path).expect("goldens of schedulers");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
    text.lines().map(|line| Row(serde_json::from_str(line).expect("JSON"))).collect()
}

/// Panics unless a failure is in PyTorch's words; Python prints a KeyError with its class.
fn same_error(ours: &str, theirs: &Value) {
    let (class, message) = (theirs["type"].as_str().unwrap(), theirs["message"].as_str().unwrap());
    let known = match class {
        "KeyError" => ours == format!("KeyError: '{message}'") || ours == message,
        "NotImplementedError" => ours == "NotImplementedError",
        // Python's class and the part of the message that names its integers and floats apart.
        "ZeroDivisionError" => ours == message || (ours.ends_with("by zero") && message.ends_with("division by zero")),
        _ => ours == message,
    };
    assert!(known, "fails with {ours:?}, PyTorch with {theirs}");
}

/// Panics unless optimizer and scheduler are where PyTorch's are.
fn same(optimizer: &Optimizer, scheduler: &Any, expected: &Value) {
    let groups = optimizer.param_groups();
    let lrs: Vec<String> = groups.iter().map(|g| g.get("lr").expect("a learning rate").to_string()).collect();
    let check = |name: &str, ours: String| {
        if let Some(theirs) = expected[name].as_str() {
            text::same(&ours, theirs).unwrap_or_else(|e| panic!("{name}: {e}\nours   {ours}\ntheirs {theirs}"));
        }
    };
    check("lrs", format!("[{}]", lrs.join(", ")));
    check("last", scheduler.base().get("_last_lr").expect("last rates").to_string());
    check("state", scheduler.base().state_dict().to_string());
    check("repr", optimizer.to_string());
}

/// Runs a row. Returns what it did.
fn run(row: &Row) -> Vec<String> {
    let optimizer = row.optimizer();
    let made = catch(|| row.scheduler(&optimizer));
    if let Some(error) = row.0.get("error") {
        match made {
            Ok(_) => panic!("the constructor does not fail: {error}"),
            Err(ours) => same_error(&ours, error),
        }
        return vec!["refused".into()];
    }
    let scheduler = made.unwrap_or_else(|e| panic!("constructor: {e}"));
    same(&optimizer, &scheduler, &row.0["made"]);
    let (mut optimizer, mut scheduler, mut done) = (optimizer, scheduler, Vec::new());
    for (i, step) in row.0["steps"].as_array().unwrap().iter().enumerate() {
        let action = step["do"].as_array().unwrap();
        let name = action[0].as_str().unwrap();
        let result = catch(|| {
            if name == "reload" {
                (optimizer, scheduler) = reload(row, &optimizer, &scheduler);
                return None;
            }
            optimizer.step();
            act(name, &action[1..], &optimizer, &scheduler)
        });
        let outcome = catch(|| match (result, step.get("error")) {
            (Err(ours), Some(theirs)) => same_error(&ours, theirs),
            (Err(ours), None) => panic!("fails: {ours}"),
            (Ok(_), Some(theirs)) => panic!("does not fail: {theirs}"),
            (Ok(result), None) => {
                if let Some(theirs) = step["result"].as_str() {
                    let ours = result.expect("a result");
                    text::near(&ours, theirs).unwrap_or_else(|e| panic!("{ours}, PyTorch {theirs}: {e}"));
                }
                same(&optimizer, &scheduler, step);
            }
        });
        outcome.unwrap_or_else(|e| panic!("step {i} {action:?}: {e}"));
        done.push(if step.get("error").is_some() { "failed".into() } else { name.to_owned() });
    }
    same(&optimizer, &scheduler, &row.0["final"]);
    done
}

/// A second optimizer and a second scheduler that load what the first ones save.
fn reload(row: &Row, optimizer: &Optimizer, scheduler: &Any) -> (Optimizer, Any) {
    let second = row.optimizer();
    let other = row.scheduler(&second);
    second.load_state_dict(&optimizer.state_dict()).expect("the same groups");
    other.base().load_state_dict(&scheduler.base().state_dict()).expect("the same class");
    (second, other)
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn act(name: &str, arguments: &[Value], optimizer: &Optimizer, scheduler: &Any) -> Option<String> {
    let base = scheduler.base();
    let list = |rates: Vec<f64>| Some(format!("{rates:?}"));
    match (name, arguments) {
        ("step", _) => base.step(),
        // What Python takes for a metric.
        ("epoch", [epoch]) if matches!(scheduler, Any::Plateau(_)) => scheduler.plateau().step(float(epoch)),
        ("epoch", [epoch]) => base.step_epoch(build::scalar(epoch)),
        ("metric", [metric]) => scheduler.plateau().step(float(metric)),
        ("metric_epoch", [metric, epoch]) => scheduler.plateau().step_epoch(float(metric), build::scalar(epoch)),
        ("set_lr", [i, lr]) => {
            let groups = optimizer.param_groups();
            groups[i.as_u64().unwrap() as usize % groups.len()].set_lr(build::scalar(lr));
        }
        ("add_group", [lr]) => {
            let param = flambeau_autograd::zeros([1]).requires_grad_(true);
            optimizer.add_param_group(ParamGroup::new([param]).lr(build::scalar(lr)));
        }
        ("get_lr", _) => return list(base.get_lr()),
        ("base_lrs", _) => return list(base.base_lrs()),
        ("last_epoch", _) => return Some(base.last_epoch().to_string()),
        other => panic!("{other:?}"),
    }
    None
}

#[test]
fn random_schedulers_are_pytorchs() {
    let (mut failures, mut done) = (Vec::new(), BTreeMap::<String, usize>::new());
    let rows = rows();
    std::panic::set_hook(Box::new(|_| {}));
    for (i, row) in rows.iter().enumerate() {
        match catch(|| run(row)) {
            Ok(did) => did.into_iter().for_each(|what| *done.entry(what).or_default() += 1),
            Err(what) => {
                failures.push(format!("{i} {} {} {}: {what}", row.0["optimizer"], row.0["groups"], row.0["scheduler"]))
            }
        }
    }
    let _ = std::panic::take_hook();
    let shown = failures.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failures.is_empty(), "{} of {} failed:\n{shown}", failures.len(), rows.len());
    println!("count: {} random schedulers agree with PyTorch: {done:?}", rows.len());
    let at_least = |what: &str, n: usize| assert!(done.get(what).is_some_and(|&k| k >= n), "{what}: {done:?}");
    at_least("step", 5000);
    at_least("refused", 150);
    at_least("failed", 300);
    at_least("reload", 200);
    at_least("metric_epoch", 10);
    for what in ["epoch", "metric", "get_lr", "set_lr", "add_group"] {
        at_least(what, 100);
    }
}
