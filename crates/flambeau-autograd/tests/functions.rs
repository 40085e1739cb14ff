//! The functions of `torch.*`: the methods' results, and panics at the caller's line.

use flambeau_autograd::ops::paths::torch::*;
use flambeau_autograd::tensor;

#[test]
fn functions_are_the_methods() {
    let (a, b) = (tensor([1.0, -2.0]), tensor([3.0, 4.0]));
    assert_eq!(add(&a, &b).to_vec::<f32>(), (&a + &b).to_vec::<f32>());
    assert_eq!(cat([&a, &b], 0).to_vec::<f32>(), [1.0, -2.0, 3.0, 4.0]);
    assert_eq!(where_(gt(&a, 0), &a, 7.0).to_vec::<f32>(), [1.0, 7.0]);
    assert_eq!(sum_dim(&a, 0, true).size(), [1]);
    assert_eq!(std(&b).item(), f64::from(0.5f32.sqrt()));
}

#[test]
fn a_panic_names_the_callers_line() {
    let line = std::sync::Arc::new(std::sync::Mutex::new(0));
    let seen = line.clone();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Other tests may panic at the same time.
        if let Some(at) = info.location().filter(|at| at.file() == file!()) {
            *seen.lock().unwrap() = at.line();
        }
    }));
    let here = line!() + 1;
    let outcome = std::panic::catch_unwind(|| add(tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0])));
    std::panic::set_hook(hook);
    assert!(outcome.is_err());
    assert_eq!(*line.lock().unwrap(), here);
}
