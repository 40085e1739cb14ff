//! Metrics beside torchmetrics: `goldens/metrics.py` has the configurations.

use flambeau_autograd::{Tensor, from_vec, tensor};
use flambeau_metrics::*;
use flambeau_tensor::DType;
use flate2::read::GzDecoder;
use serde_json::Value as Json;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Held by tests that set the hook of panics, which is the process's.
static HOOK: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn number(json: &Json) -> f64 {
    match json {
        Json::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

fn golden_tensor(json: &Json) -> Tensor {
    let shape: Vec<i64> = json["shape"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
    let data: Vec<f64> = json["data"].as_array().unwrap().iter().map(number).collect();
    let dtype = match json["dtype"].as_str().unwrap() {
        "float32" => DType::F32,
        "float64" => DType::F64,
        "float16" => DType::F16,
        "int32" => DType::I32,
        "int16" => DType::I16,
        "int8" => DType::I8,
        "uint8" => DType::U8,
        "bool" => DType::Bool,
        _ => DType::I64,
    };
    from_vec(data, &shape[..]).to(dtype)
}

fn score(o: ScoreOptions, kwargs: &Json) -> ScoreOptions {
    let o = o.num_classes(kwargs["num_classes"].as_i64()).num_labels(kwargs["num_labels"].as_i64());
    let o = o.ignore_index(kwargs["ignore_index"].as_i64()).average(kwargs["average"].as_str().unwrap_or("micro"));
    let o = o.top_k(kwargs["top_k"].as_i64().unwrap_or(1)).threshold(kwargs["threshold"].as_f64().unwrap_or(0.5));
    o.zero_division(kwargs["zero_division"].as_f64().unwrap_or(0.0))
}

fn curve(o: CurveOptions, kwargs: &Json) -> CurveOptions {
    let o = o.num_classes(kwargs["num_classes"].as_i64()).num_labels(kwargs["num_labels"].as_i64());
    let o = o.ignore_index(kwargs["ignore_index"].as_i64()).average(kwargs["average"].as_str().unwrap_or("macro"));
    o.max_fpr(kwargs["max_fpr"].as_f64())
}

fn pair(case: &Json) -> Box<dyn PairMetric> {
    let kwargs = &case["kwargs"];
    let task = kwargs["task"].as_str().unwrap_or_default();
    let errors = |o: RegressionOptions| {
        o.num_outputs(kwargs["num_outputs"].as_i64().unwrap_or(1)).squared(kwargs["squared"].as_bool().unwrap_or(true))
    };
    match case["metric"].as_str().unwrap() {
        "Accuracy" => Box::new(Accuracy::with(task, |o| score(o, kwargs))),
        "Precision" => Box::new(Precision::with(task, |o| score(o, kwargs))),
        "Recall" => Box::new(Recall::with(task, |o| score(o, kwargs))),
        "F1Score" => Box::new(F1Score::with(task, |o| score(o, kwargs))),
        "Specificity" => Box::new(Specificity::with(task, |o| score(o, kwargs))),
        "ConfusionMatrix" => Box::new(ConfusionMatrix::with(task, |o| {
            let o = o.num_classes(kwargs["num_classes"].as_i64()).num_labels(kwargs["num_labels"].as_i64());
            o.ignore_index(kwargs["ignore_index"].as_i64()).normalize(kwargs["normalize"].as_str().unwrap())
        })),
        "AUROC" => Box::new(AUROC::with(task, |o| curve(o, kwargs))),
        "AveragePrecision" => Box::new(AveragePrecision::with(task, |o| curve(o, kwargs))),
        "MeanSquaredError" => Box::new(MeanSquaredError::with(errors)),
        "MeanAbsoluteError" => Box::new(MeanAbsoluteError::with(errors)),
        "R2Score" => Box::new(R2Score::with(|o| {
            let o = o.adjusted(kwargs["adjusted"].as_i64().unwrap_or(0));
            o.multioutput(kwargs["multioutput"].as_str().unwrap_or("uniform_average"))
        })),
        other => panic!("{other} is not known"),
    }
}

fn same(ours: &Tensor, golden: &Json, what: &str) {
    let theirs = golden_tensor(golden);
    assert_eq!(ours.size().to_vec(), theirs.size().to_vec(), "{what}: {ours} {theirs}");
    assert_eq!(ours.dtype().is_floating_point(), theirs.dtype().is_floating_point(), "{what}");
    let half = golden["dtype"] == "float16";
    for (a, b) in ours.double().to_vec::<f64>().iter().zip(theirs.double().to_vec::<f64>()) {
        let near = (a - b).abs() <= if half { 2e-3 } else { 2e-6 } * b.abs().max(1.0);
        assert!(near || a == &b || (a.is_nan() && b.is_nan()), "{what}: {ours} {theirs}");
    }
}

fn stream<A: Aggregator>(metric: &Aggregate<A>, case: &Json) {
    values_of(metric, case, |batch| metric.forward(golden_tensor(&batch[0])));
}

fn mean(metric: &MeanMetric, case: &Json) {
    values_of(metric, case, |batch| match batch.get(1) {
        Some(weight) => metric.forward_weighted(golden_tensor(&batch[0]), golden_tensor(weight)),
        None => metric.forward(golden_tensor(&batch[0])),
    });
}

fn values_of<A: Aggregator>(metric: &Aggregate<A>, case: &Json, forward: impl Fn(&Json) -> Tensor) {
    for (i, batch) in case["batches"].as_array().unwrap().iter().enumerate() {
        let alone = forward(batch);
        if case["error"].is_null() {
            same(&alone, &case["forward"][i], "forward");
        }
    }
    let all = metric.compute();
    if case["error"].is_null() {
        same(&all, &case["compute"], "compute");
    }
}

fn check(case: &Json) {
    let strategy = |o: AggregateOptions| match &case["kwargs"]["nan_strategy"] {
        Json::String(name) => o.nan_strategy(&name[..]),
        value => o.nan_strategy(number(value)),
    };
    match case["metric"].as_str().unwrap() {
        "MeanMetric" => return mean(&MeanMetric::with(strategy), case),
        "SumMetric" => return stream(&SumMetric::with(strategy), case),
        "MaxMetric" => return stream(&MaxMetric::with(strategy), case),
        "MinMetric" => return stream(&MinMetric::with(strategy), case),
        _ => {}
    }
    let (metric, again) = (pair(case), pair(case));
    for (i, batch) in case["batches"].as_array().unwrap().iter().enumerate() {
        let (preds, target) = (golden_tensor(&batch[0]), golden_tensor(&batch[1]));
        let alone = metric.forward(&preds, &target);
        if case["error"].is_null() {
            same(&alone, &case["forward"][i], "forward");
        }
        again.update(&preds, &target);
    }
    let all = metric.compute();
    if case["error"].is_null() {
        same(&all, &case["compute"], "compute");
    }
    assert!(all.allclose_with(again.compute(), |o| o.equal_nan(true)), "update and forward add the same");
    again.reset();
    for batch in case["batches"].as_array().unwrap() {
        again.update(&golden_tensor(&batch[0]), &golden_tensor(&batch[1]));
    }
    assert!(all.allclose_with(again.compute(), |o| o.equal_nan(true)), "a reset forgets all");
}

fn said(cause: &Box<dyn std::any::Any + Send>) -> String {
    let text = cause.downcast_ref::<String>().cloned();
    text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[test]
fn values_are_torchmetrics() {
    let mut lines = String::new();
    GzDecoder::new(&include_bytes!("../../goldens/metrics.jsonl.gz")[..]).read_to_string(&mut lines).unwrap();
    let _turn = HOOK.lock().unwrap();
    std::panic::set_hook(Box::new(|_| {}));
    let mut failures = Vec::new();
    for (i, line) in lines.lines().enumerate() {
        let case: Json = serde_json::from_str(line).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&case))).map_err(|cause| said(&cause));
        let name = format!("case {i} {} {}", case["metric"], case["kwargs"]);
        match (outcome, case["error"].as_str()) {
            (Ok(()), None) => {}
            (Ok(()), Some(error)) => failures.push(format!("{name}: torchmetrics refuses it: {error}")),
            (Err(ours), None) => failures.push(format!("{name}: {ours}")),
            (Err(ours), Some(error)) => {
                let theirs = error.split_once(": ").unwrap().1;
                let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                // Where all is ignored, torchmetrics falls over its own indices.
                if words(theirs) != words(&ours) && !theirs.starts_with("index is out of bounds") {
                    failures.push(format!("{name}:\n  {ours}\n  {theirs}"));
                }
            }
        }
    }
    let _ = std::panic::take_hook();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures[..failures.len().min(15)].join("\n"));
}

#[test]
fn a_collection_has_its_metrics_by_name() {
    let metrics = MetricCollection::with(|o| o.prefix("val/").postfix("!"))
        .add("b", Accuracy::new("binary"))
        .add("a", MeanSquaredError::new());
    let (preds, target) = (tensor([1.0, 0.0, 1.0, 1.0]), tensor([1.0, 1.0, 0.0, 1.0]));
    let alone = metrics.forward(&preds, &target);
    metrics.update(&target, &target);
    let all = metrics.compute();
    let names: Vec<&String> = all.keys().collect();
    assert_eq!(names, ["val/a!", "val/b!"]);
    assert_eq!((alone["val/b!"].item(), all["val/b!"].item(), all["val/a!"].item()), (0.5, 0.75, 0.25));
    metrics.reset();
    assert_eq!(metrics.compute()["val/b!"].item(), 0.0);
}

#[test]
fn a_collections_panics_are_at_the_callers_line() {
    let metrics = MetricCollection::new().add("a", Accuracy::new("binary"));
    let place = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let _turn = HOOK.lock().unwrap();
    let places = place.clone();
    std::panic::set_hook(Box::new(move |info| {
        places.lock().unwrap().push(info.location().map(|at| (at.file().to_owned(), at.line())));
    }));
    let (x, y) = (tensor([1.0]), tensor([1, 0]));
    let line = line!();
    let _ = catch_unwind(AssertUnwindSafe(|| metrics.update(&x, &y)));
    let _ = catch_unwind(AssertUnwindSafe(|| metrics.forward(&x, &y)));
    let _ = catch_unwind(AssertUnwindSafe(|| metrics.call(&x, &y)));
    let _ = std::panic::take_hook();
    let wanted = (1..4).map(|i| Some((file!().to_owned(), line + i))).collect::<Vec<_>>();
    assert_eq!(*place.lock().unwrap(), wanted);
}

#[test]
fn weights_and_extremes_of_a_stream() {
    let mean = MeanMetric::new();
    assert!(mean.compute().item().is_nan());
    mean.update_weighted(tensor([1.0, 2.0]), tensor([3.0, 1.0]));
    mean.update_weighted(5, 4);
    assert_eq!((mean.call_weighted(tensor([1.0, 2.0]), 3).item(), MaxMetric::new().call(3).item()), (1.5, 3.0));
    let mean = MeanMetric::new();
    mean.update_weighted(tensor([1.0, 2.0]), tensor([3.0, 1.0]));
    mean.update_weighted(5, 4);
    assert_eq!(mean.compute().item(), 25.0 / 8.0);
    assert_eq!((MaxMetric::new().compute().item(), SumMetric::new().compute().item()), (f64::NEG_INFINITY, 0.0));
}
