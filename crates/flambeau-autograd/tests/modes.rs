//! What modes see at the boundary that every operation passes.

use std::panic::{AssertUnwindSafe, catch_unwind};
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
fn the_registry_says_which_results_are_not_looked_at() {
    let fills: Vec<&str> = torch::registry::all().filter(|op| op.fills).map(|op| op.name).collect();
    for name in ["empty", "empty_like", "new_empty", "full", "full_like", "new_full", "fill", "fill_", "masked_fill"] {
        assert!(fills.contains(&name), "{name}: {fills:?}");
    }
    let _guard = detect_anomaly();
    let x = torch::zeros(3);
    x.masked_fill_(x.eq(0.0), f64::INFINITY);
    torch::full_like(&x, f64::NAN);
    x.new_full(2, f64::INFINITY);
    torch::fill(torch::zeros(2), f64::NAN);
    torch::zeros(2).fill_(f64::INFINITY);
    assert!(message(|| torch::zeros(2).log()).contains("'log' returned infinite"));
}
