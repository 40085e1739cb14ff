//! Holds every distribution, transform, constraint and divergence against what PyTorch 2.15 made of random configurations:
//! `goldens/make_goldens.py`.

mod spec;

use flambeau_autograd::{Tensor, gradients, ops};
use flambeau_distributions::constraints::{self as C, Constraint};
use flambeau_distributions::{Distribution, biject_to, kl_divergence, transform_to};
use serde_json::Value as Json;
use spec::{Built, build, caught, lines, tensor_of, transform_of};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What went wrong, and how much was compared.
struct Report {
    wrong: String,
    compared: usize,
    _alone: MutexGuard<'static, ()>,
}

/// Tests draw from the one default generator, so only one runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

impl Report {
    fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Report { wrong: String::new(), compared: 0, _alone: alone }
    }

    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.compared += 1;
        if !holds {
            let _ = writeln!(self.wrong, "{}", what());
        }
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, found: &T, expected: &T, at: &str) {
        self.check(found == expected, || format!("{at}: {found:?}, PyTorch {expected:?}"));
    }

    #[track_caller]
    fn finish(self, least: usize) {
        assert!(self.wrong.is_empty(), "{}", self.wrong);
        assert!(self.compared >= least, "only {} comparisons", self.compared);
    }
}

/// Where PyTorch's own code fails on what is right, and this one does not.
fn pytorchs_own_fault(error: &str) -> bool {
    // `isclose` of a double tensor and a float one; a view of a number as a batch; masks written to after they were saved, and masks
    // that would have to broadcast.
    error == "Double did not match Float"
        || error.starts_with("shape '[")
        || error.contains("modified by an inplace operation")
        || error.starts_with("The shape of the mask")
}

fn close(found: f64, expected: f64, tolerance: f64) -> bool {
    if found.is_nan() || expected.is_nan() {
        return found.is_nan() && expected.is_nan();
    }
    found == expected || (found - expected).abs() <= tolerance * (1.0 + expected.abs())
}

fn elements(x: &Tensor) -> Vec<f64> {
    x.detach().to(flambeau_tensor::DType::F64).to_vec()
}

fn compare(report: &mut Report, found: &Tensor, expected: &Json, at: &str, scale: f64) {
    let expected = tensor_of(expected);
    report.same(&found.size(), &expected.size(), &format!("{at}: size"));
    report.same(&found.dtype(), &expected.dtype(), &format!("{at}: dtype"));
    if found.size() != expected.size() {
        return;
    }
    let tolerance = scale * if expected.dtype() == flambeau_tensor::DType::F64 { 1e-9 } else { 2e-5 };
    let (a, b) = (elements(found), elements(&expected));
    let all = a.iter().zip(&b).all(|(a, b)| close(*a, *b, tolerance));
    report.check(all, || format!("{at}: {a:?}, PyTorch {b:?}"));
}

fn weights(x: &Tensor) -> Tensor {
    let w: Vec<f64> = (0..x.numel()).map(|i| (i as f64 * 0.37).sin()).collect();
    let shape: Vec<i64> = x.size().iter().map(|&n| n as i64).collect();
    flambeau_autograd::from_vec(w, shape).to(x.dtype()) + 1.1
}

/// Compares a result and its gradients with an answer of the file.
fn ask(report: &mut Report, answer: &Json, inputs: &[Tensor], at: &str, scale: f64, f: impl FnOnce() -> Tensor) {
    let found = caught(f);
    if let Some(error) = answer["error"].as_str() {
        if pytorchs_own_fault(error) {
            return;
        }
        match found {
            Ok(value) => report.check(false, || format!("{at}: {value}, PyTorch refuses: {error}")),
            Err(message) if error.is_empty() => {
                report.check(message.starts_with("NotImplementedError"), || format!("{at}: {message}"));
            }
            Err(message) => report.same(&message.as_str(), &error, at),
        }
        return;
    }
    let found = match found {
        Ok(found) => found,
        Err(message) => return report.check(false, || format!("{at} panics: {message}")),
    };
    compare(report, &found, &answer["value"], at, scale);
    if answer["grads"]["error"].as_str().is_some_and(pytorchs_own_fault) {
        return;
    }
    if let Some(error) = answer["grads"]["error"].as_str() {
        let total = (&found * weights(&found)).sum();
        match caught(|| gradients::grad_allow_unused(&total, inputs, |o| o.retain_graph(true))) {
            Ok(_) => report.check(false, || format!("{at}: a gradient, PyTorch refuses: {error}")),
            Err(message) => report.check(message.contains(error), || format!("{at}: {message}, PyTorch {error}")),
        }
        return;
    }
    let Some(expected) = answer["grads"].as_array() else {
        return report.check(!found.requires_grad(), || format!("{at} requires a gradient"));
    };
    if !found.requires_grad() {
        return report.check(false, || format!("{at} has no gradient"));
    }
    let finite = ops::isfinite(&found.detach()).unwrap();
    let kept = ops::where_(&finite, &found, found.zeros_like()).unwrap();
    let total = (kept * weights(&found)).sum();
    let grads = match caught(|| gradients::grad_allow_unused(&total, inputs, |o| o.retain_graph(true))) {
        Ok(grads) => grads,
        Err(message) => return report.check(false, || format!("{at}: backward panics: {message}")),
    };
    for (i, (found, expected)) in grads.iter().zip(expected).enumerate() {
        let at = format!("{at}: gradient {i}");
        match (found, expected.is_null()) {
            (Some(found), false) => compare(report, found, expected, &at, 20.0 * scale),
            (None, true) => report.compared += 1,
            // A zero gradient, and none.
            (Some(found), true) => {
                report.check(elements(found).iter().all(|&g| g == 0.0), || format!("{at}: PyTorch has none"));
            }
            (None, false) => {
                let zeros = elements(&tensor_of(expected)).iter().all(|&g| g == 0.0);
                report.check(zeros, || format!("{at}: none, PyTorch {expected}"));
            }
        }
    }
}

/// A text with at most six decimals in its numbers.
fn short(text: &str) -> String {
    let mut decimals = 0;
    let keep = |c: &char| {
        decimals = match c {
            '.' => 1,
            c if c.is_ascii_digit() && decimals > 0 => decimals + 1,
            _ => 0,
        };
        decimals <= 7
    };
    text.chars().filter(keep).collect()
}

fn lengths(json: &Json) -> Vec<usize> {
    json.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

fn distribution(report: &mut Report, row: &Json) {
    let name = row["spec"]["class"].as_str().unwrap();
    let seed = row["seed"].as_u64().unwrap();
    let at = |what: &str| format!("{name} {seed} {what}");
    let built = caught(|| build(&row["spec"]));
    if let Some(error) = row["error"].as_str() {
        return report.same(&built.err().as_deref(), &Some(error), &at("error"));
    }
    let Built { distribution: d, leaves } = match built {
        Ok(built) => built,
        Err(message) => return report.check(false, || format!("{} panics: {message}", at("new"))),
    };
    let d: Arc<dyn Distribution> = d;
    report.same(&d.to_string().as_str(), &row["repr"].as_str().unwrap(), &at("repr"));
    report.same(&d.batch_shape().to_vec(), &lengths(&row["batch_shape"]), &at("batch_shape"));
    report.same(&d.event_shape().to_vec(), &lengths(&row["event_shape"]), &at("event_shape"));
    report.same(&Some(d.has_rsample()), &row["has_rsample"].as_bool(), &at("has_rsample"));
    let listed = row["has_enumerate_support"].as_bool();
    report.same(&Some(d.has_enumerate_support()), &listed, &at("has_enumerate_support"));
    report.same(&d.support().to_string().as_str(), &row["support"].as_str().unwrap(), &at("support"));
    let constraints: Vec<Json> =
        d.arg_constraints().into_iter().map(|(k, c)| serde_json::json!([k, c.to_string()])).collect();
    report.same(&Json::from(constraints), &row["constraints"], &at("arg_constraints"));
    let draws = lengths(&row["draws"]);
    let value = row.get("value").map(|v| {
        let value = tensor_of(v);
        if value.is_floating_point() && d.has_rsample() { value.requires_grad_(true) } else { value }
    });
    let mut inputs: Vec<Tensor> = leaves.iter().map(Tensor::shallow_clone).collect();
    inputs.extend(value.iter().filter(|v| v.requires_grad()).map(Tensor::shallow_clone));
    let value = value.unwrap_or_else(|| flambeau_autograd::tensor(0.0));
    let asks = row["asks"].as_object().unwrap();
    for (what, answer) in asks {
        let drawn = |seed: u64, f: &dyn Fn() -> Tensor| {
            flambeau_device::manual_seed(seed);
            f()
        };
        let (place, expand) = (at(what), || lengths(&row["expand"]));
        let leaf = &leaves[..];
        match what.as_str() {
            "mean" => ask(report, answer, leaf, &place, 1.0, || d.mean()),
            "mode" => ask(report, answer, leaf, &place, 1.0, || d.mode()),
            "variance" => ask(report, answer, leaf, &place, 10.0, || d.variance()),
            "stddev" => ask(report, answer, leaf, &place, 10.0, || d.stddev()),
            "entropy" => ask(report, answer, leaf, &place, 1.0, || d.entropy()),
            "perplexity" => ask(report, answer, leaf, &place, 10.0, || d.perplexity()),
            "enumerate_support" => ask(report, answer, leaf, &place, 1.0, || d.enumerate_support()),
            "enumerate_flat" => ask(report, answer, leaf, &place, 1.0, || d.enumerate_support_expand(false)),
            "sample" => {
                ask(report, answer, leaf, &place, 1.0, || drawn(seed + 1, &|| d.sample_shape(&draws[..])));
            }
            "rsample" => {
                ask(report, answer, leaf, &place, 5.0, || drawn(seed + 2, &|| d.rsample_shape(&draws[..])));
            }
            // The inverse of a sigmoid near 1 has few digits left.
            "log_prob" if name.contains("Relaxed") => {
                ask(report, answer, &inputs, &place, 500.0, || d.log_prob(&value));
            }
            "log_prob" => ask(report, answer, &inputs, &place, 5.0, || d.log_prob(&value)),
            "cdf" => ask(report, answer, &inputs, &place, 5.0, || d.cdf(&value)),
            // Numbers make floats, also where the probabilities are doubles.
            "icdf" if leaves.is_empty() => {
                ask(report, answer, leaf, &place, 5e4, || d.icdf(tensor_of(&row["p"])));
            }
            "icdf" => ask(report, answer, leaf, &place, 5.0, || d.icdf(tensor_of(&row["p"]))),
            "expanded" => ask(report, answer, &inputs, &place, 5.0, || d.expand_dyn(&expand()[..]).log_prob(&value)),
            "expanded_sample" => {
                ask(report, answer, &[], &place, 1.0, || drawn(seed + 4, &|| d.expand_dyn(&expand()[..]).sample()));
            }
            other => panic!("nobody asks for {other}"),
        }
    }
    // With what was computed meanwhile, whose last digits differ.
    let (found, expected) = (short(&d.to_string()), short(row["repr_after"].as_str().unwrap()));
    report.same(&found, &expected, &at("repr after"));
}

#[test]
fn distributions_of_floats() {
    let mut report = Report::new();
    lines("distributions32").iter().for_each(|row| distribution(&mut report, row));
    report.finish(5000);
}

#[test]
fn distributions_of_doubles() {
    let mut report = Report::new();
    lines("distributions64").iter().for_each(|row| distribution(&mut report, row));
    report.finish(5000);
}

#[test]
fn what_pytorch_refuses_is_refused_in_its_words() {
    let mut report = Report::new();
    for row in lines("refusals") {
        let expected = row["error"].as_str().unwrap();
        let at = format!("{} {}", row["spec"], row.get("value").unwrap_or(&Json::Null));
        let found = match row.get("value") {
            None => caught(|| drop(build(&row["spec"]))),
            Some(value) => {
                let d = build(&row["spec"]).distribution;
                caught(|| drop(d.log_prob(tensor_of(value))))
            }
        };
        report.same(&found.err().as_deref(), &Some(expected), &at);
    }
    report.finish(120);
}

#[test]
fn divergences() {
    let mut report = Report::new();
    for row in lines("kl") {
        let (p, q) = (build(&row["p"]), build(&row["q"]));
        let leaves: Vec<Tensor> = p.leaves.iter().chain(&q.leaves).map(Tensor::shallow_clone).collect();
        let at = format!("KL({} || {}) {} {}", p.distribution, q.distribution, row["p"], row["q"]);
        // A distribution of numbers only is one of floats, also beside doubles.
        let scale = if p.leaves.is_empty() || q.leaves.is_empty() { 5e4 } else { 5.0 };
        ask(&mut report, &row["answer"], &leaves, &at, scale, || kl_divergence(&*p.distribution, &*q.distribution));
    }
    report.finish(3000);
}

#[test]
fn transforms() {
    let mut report = Report::new();
    for row in lines("transforms") {
        let mut leaves = Vec::new();
        let f = transform_of(&row["spec"], &mut leaves);
        let name = row["repr"].as_str().unwrap();
        let at = |what: &str| format!("{name} {} {what}", row["spec"]);
        report.same(&f.to_string().as_str(), &name, &at("repr"));
        report.same(&Some(f.bijective()), &row["bijective"].as_bool(), &at("bijective"));
        report.same(&f.domain().to_string().as_str(), &row["domain"].as_str().unwrap(), &at("domain"));
        report.same(&f.codomain().to_string().as_str(), &row["codomain"].as_str().unwrap(), &at("codomain"));
        let x = tensor_of(&row["x"]).requires_grad_(true);
        let y = tensor_of(&row["yd"]).requires_grad_(true);
        let with = |more: &[&Tensor]| -> Vec<Tensor> {
            leaves.iter().chain(more.iter().copied()).map(Tensor::shallow_clone).collect()
        };
        ask(&mut report, &row["y"], &with(&[&x]), &at("call"), 1.0, || f.call(&x));
        ask(&mut report, &row["x_again"], &with(&[&y]), &at("inverse"), 20.0, || f.inv().call(&y));
        let both = with(&[&x, &y]);
        ask(&mut report, &row["log_det"], &both, &at("log_det"), 20.0, || f.log_abs_det_jacobian(&x, &y));
        report.same(&f.forward_shape(x.size()).to_vec(), &lengths(&row["forward_shape"]), &at("forward_shape"));
        report.same(&f.inverse_shape(y.size()).to_vec(), &lengths(&row["inverse_shape"]), &at("inverse_shape"));
        match (caught(|| f.sign()), row["sign"]["value"].is_null()) {
            (Ok(sign), false) => {
                let expected = elements(&tensor_of(&row["sign"]["value"]));
                let found = match sign {
                    flambeau_distributions::Value::Number(n) => vec![n.to_f64()],
                    flambeau_distributions::Value::Tensor(t) => elements(&t),
                };
                report.same(&found, &expected, &at("sign"));
            }
            (found, missing) => report.same(&found.is_err(), &missing, &at("sign")),
        }
    }
    report.finish(4000);
}

fn constraint(name: &str) -> Constraint {
    match name {
        "boolean" => C::boolean(),
        "one_hot" => C::one_hot(),
        "nonnegative_integer" => C::nonnegative_integer(),
        "positive_integer" => C::positive_integer(),
        "real" => C::real(),
        "real_vector" => C::real_vector(),
        "positive" => C::positive(),
        "nonnegative" => C::nonnegative(),
        "unit_interval" => C::unit_interval(),
        "simplex" => C::simplex(),
        "lower_triangular" => C::lower_triangular(),
        "lower_cholesky" => C::lower_cholesky(),
        "corr_cholesky" => C::corr_cholesky(),
        "square" => C::square(),
        "symmetric" => C::symmetric(),
        "positive_semidefinite" => C::positive_semidefinite(),
        "positive_definite" => C::positive_definite(),
        "integer_interval" => C::integer_interval(-1, 2),
        "greater_than" => C::greater_than(0.5),
        "greater_than_eq" => C::greater_than_eq(0.5),
        "less_than" => C::less_than(0.5),
        "interval" => C::interval(-1.0, 0.5),
        "half_open_interval" => C::half_open_interval(-1, 1),
        "multinomial" => C::multinomial(3),
        "independent" => C::independent(C::positive(), 1),
        "cat" => C::cat_lengths([C::positive(), C::real()], -1, [1, 2]),
        "stack" => C::stack([C::positive(), C::real(), C::less_than(1.0)], -1),
        "mixture" => C::MixtureSameFamilyConstraint(C::positive()),
        "dependent" => C::dependent(),
        other => panic!("no constraint {other}"),
    }
}

#[test]
fn constraints() {
    let mut report = Report::new();
    for row in lines("constraints") {
        let name = row["name"].as_str().unwrap();
        let c = constraint(name);
        report.same(&c.to_string().as_str(), &row["repr"].as_str().unwrap(), name);
        for check in row["checks"].as_array().unwrap() {
            let x = tensor_of(&check["x"]);
            let answer = serde_json::json!({"value": check["value"], "error": check["error"]});
            let answer = if check["error"].is_null() { serde_json::json!({"value": check["value"]}) } else { answer };
            ask(&mut report, &answer, &[], &format!("{name} of {x}"), 1.0, || c.check(&x));
        }
        match row["event_dim"].as_u64() {
            Some(n) => report.same(&c.event_dim(), &(n as usize), name),
            None => report.check(caught(|| c.event_dim()).is_err(), || format!("{name}: event_dim")),
        }
        match row["is_discrete"].as_bool() {
            Some(b) => report.same(&c.is_discrete(), &b, name),
            None => report.check(caught(|| c.is_discrete()).is_err(), || format!("{name}: is_discrete")),
        }
        let x = tensor_of(&row["x"]);
        ask(&mut report, &row["biject_to"], &[], &format!("biject_to {name}"), 1.0, || biject_to(&c).call(&x));
        ask(&mut report, &row["transform_to"], &[], &format!("transform_to {name}"), 1.0, || transform_to(&c).call(&x));
        if let Some(repr) = row["biject_to"]["repr"].as_str() {
            report.same(&biject_to(&c).to_string().as_str(), &repr, name);
        }
    }
    report.finish(500);
}

#[test]
fn functions_that_distributions_use() {
    let mut report = Report::new();
    for row in lines("functions") {
        let name = row["name"].as_str().unwrap();
        let inputs: Vec<Tensor> = row["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| tensor_of(x).requires_grad_(!row["grads"].is_null()))
            .collect();
        let numbers: Vec<f64> = row["numbers"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
        let truth = |i: usize| numbers[i] != 0.0;
        let like = tensor_of(&row["value"]);
        let fresh = || like.zeros_like();
        if let Some(seed) = row["seed"].as_u64() {
            flambeau_device::manual_seed(seed);
        }
        let wanted = |i: usize| row["grads"].get(i).is_none_or(|g| !g.is_null());
        if name == "gammainc" && !wanted(0) {
            inputs[0].requires_grad_(false);
        }
        let call = || match name {
            "lgamma" => inputs[0].lgamma(),
            "digamma" => inputs[0].digamma(),
            "polygamma" => ops::polygamma(numbers[0] as i64, &inputs[0]).unwrap(),
            "mvlgamma" => inputs[0].mvlgamma(numbers[0] as i64),
            "gammainc" => ops::gammainc(&inputs[0], &inputs[1]).unwrap(),
            "atanh" => inputs[0].atanh(),
            "cholesky" => ops::linalg_cholesky(&inputs[0]).unwrap(),
            "solve_triangular" => {
                ops::linalg_solve_triangular(&inputs[0], &inputs[1], truth(0), truth(1), truth(2)).unwrap()
            }
            "cholesky_solve" => ops::cholesky_solve(&inputs[0], &inputs[1]).unwrap(),
            "poisson" => ops::poisson(&inputs[0], None).unwrap(),
            "binomial" => ops::binomial(&inputs[0], &inputs[1], None).unwrap(),
            "_standard_gamma" => ops::_standard_gamma(&inputs[0], None).unwrap(),
            "_sample_dirichlet" => ops::_sample_dirichlet(&inputs[0], None).unwrap(),
            "cauchy_" => fresh().cauchy_(numbers[0], numbers[1]),
            "geometric_" => fresh().geometric_(numbers[0]),
            "log_normal_" => fresh().log_normal_(numbers[0], numbers[1]),
            other => panic!("no function {other}"),
        };
        let leaves: Vec<Tensor> = inputs.iter().filter(|x| x.requires_grad()).map(Tensor::shallow_clone).collect();
        let mut answer = row.clone();
        if name == "gammainc" {
            answer["grads"] = serde_json::json!([row["grads"][1]]);
        }
        ask(&mut report, &answer, &leaves, &format!("{name} {:?} {}", numbers, row["inputs"]), 5.0, call);
    }
    report.finish(900);
}

/// A value broadcasts with the batch in both directions.
#[test]
fn values_broadcast_with_the_batch() {
    use flambeau_distributions::Normal;
    let normal = |shape: &[usize]| {
        let zeros = ops::zeros(shape, flambeau_tensor::DType::F32, flambeau_tensor::Device::Cpu).unwrap();
        Normal::new(zeros, 1.0)
    };
    let value = |shape: &[usize]| ops::zeros(shape, flambeau_tensor::DType::F32, flambeau_tensor::Device::Cpu).unwrap();
    assert_eq!(normal(&[1]).log_prob(value(&[3])).size(), [3]);
    assert_eq!(normal(&[3]).log_prob(value(&[1])).size(), [3]);
    assert_eq!(normal(&[2, 1]).log_prob(value(&[3])).size(), [2, 3]);
    assert_eq!(normal(&[3]).cdf(value(&[4, 2, 3])).size(), [4, 2, 3]);
    assert!(caught(|| normal(&[3]).log_prob(value(&[2]))).is_err());
}
