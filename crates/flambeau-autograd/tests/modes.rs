//! What modes see at the boundary that every operation passes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use torch::Tensor;
use torch::autograd::{detect_anomaly, set_detect_anomaly};

fn message<T>(f: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).err().expect("an anomaly");
    panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap()
}

#[test]
fn the_operation_that_made_nan_is_told_with_the_callers_line() {
    let zero = torch::tensor([0.0, 1.0]);
    assert!(zero.div(&zero).to_vec::<f32>()[0].is_nan(), "without the mode nothing is looked at");
    let _guard = detect_anomaly();
    let (told, line) = (message(|| zero.div(&zero)), line!());
    let expected = format!("Function 'div' returned nan values in its 0th output, called at {}:{line}:", file!());
    assert!(told.starts_with(&expected), "{told}");
    assert!(message(|| torch::tensor([-1.0]).log()).contains("'log' returned nan"));
    assert!(message(|| torch::tensor([1e38]).mul(1e5)).contains("'mul' returned infinite"));
    assert!(
        message(|| torch::nn::functional::linear(torch::tensor([3e38, 3e38]), torch::tensor([3e38, 1.0]), None))
            .contains("'linear' returned infinite")
    );
}

#[test]
fn what_was_there_before_or_was_asked_for_is_no_anomaly() {
    let _guard = detect_anomaly();
    let scores = torch::zeros((2, 2)).masked_fill(torch::tensor([[false, true], [false, false]]), f64::NEG_INFINITY);
    let weights = scores.softmax(-1);
    assert_eq!(weights.to_vec::<f32>(), [1.0, 0.0, 0.5, 0.5]);
    torch::full(2, f64::INFINITY).add(1);
    torch::tensor([f64::NAN]).relu();
    torch::logsumexp(torch::tensor([-1e30, 1e30]), 0, false);
    let part = {
        let _off = set_detect_anomaly(false);
        torch::tensor([-1.0]).sqrt()
    };
    assert!(part.add(1).to_vec::<f32>()[0].is_nan());
}

#[test]
fn in_backward_the_forward_is_told_too() {
    let x = torch::tensor([0.0]).requires_grad_(true);
    let _guard = detect_anomaly();
    let (y, line) = (x.sqrt(), line!());
    let told = message(|| y.mul(0.0).sum().backward());
    assert!(told.starts_with("Function 'SqrtBackward0' returned nan values in its 0th output."), "{told}");
    assert!(told.contains(&format!("The forward was 'sqrt', called at {}:{line}:", file!())), "{told}");
    let told = message(|| x.sqrt().sum().backward());
    assert!(told.starts_with("Function 'SqrtBackward0' returned infinite values"), "{told}");
}

#[test]
fn graphs_of_several_threads_are_told_apart() {
    let _guard = detect_anomaly();
    // Each thread counts its nodes from zero.
    let other = std::thread::spawn(|| {
        let _guard = detect_anomaly();
        torch::tensor([1.0]).requires_grad_(true).exp()
    });
    let _other = other.join().unwrap();
    let told = std::thread::spawn(|| {
        let _guard = detect_anomaly();
        let y = torch::tensor([0.0]).requires_grad_(true).sqrt();
        message(|| y.mul(0.0).sum().backward())
    });
    let told = told.join().unwrap();
    assert!(told.contains("The forward was 'sqrt'"), "{told}");
}

#[test]
fn a_profile_counts_operations_and_their_backward() {
    // Other tests of this process run beside it: names that only this one uses.
    let mut prof = torch::profiler::profile();
    let x: Tensor = torch::ones((2, 2)).requires_grad_(true);
    {
        let _part = torch::profiler::record_function("a part \"of it\"");
        for _ in 0..3 {
            x.kron(&x).erfc().sum().backward();
        }
    }
    prof.stop();
    let averages = prof.key_averages();
    let count = |name: &str| averages.counts().iter().find(|(n, _)| *n == name).map_or(0, |(_, calls)| *calls);
    assert_eq!(
        (count("aten::kron"), count("aten::erfc"), count("ErfcBackward0"), count("a part \"of it\"")),
        (3, 3, 3, 1)
    );
    let table = averages.table();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], lines[2]);
    assert!(lines.iter().all(|l| l.len() == lines[0].len() || l.starts_with("Self CPU time total: ")), "{table}");
    assert!(
        lines[1].trim_start().starts_with("Name    Self CPU %      Self CPU   CPU total %     CPU total  CPU time avg")
    );
    assert_eq!(averages.table_with("count", 1).lines().count(), 6);

    let trace: serde_json::Value = serde_json::from_str(&prof.chrome_trace()).expect("the trace is JSON");
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(|e| e["name"] == "aten::kron").count(), 3);
    // The trace-event format: complete events with a name, a category, whole ids, times in microseconds.
    for event in events {
        assert!(event["ph"] == "X" && event["name"].is_string() && event["cat"].is_string(), "{event}");
        assert!(event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
        assert!(event["ts"].as_f64().unwrap() >= 0.0 && event["dur"].as_f64().unwrap() >= 0.0, "{event}");
    }
    let again = torch::profiler::profile();
    assert!(message(torch::profiler::profile).contains("another profile runs already"));
    drop(again);
}
