//! The engine: order, accumulation, long chains, graphs that are freed, kept and differentiated again.

use flambeau_autograd::{Tensor, backward, from_vec, grad, gradients, no_grad, ones, tensor};
use std::sync::{Arc, Mutex};

fn leaf(values: &[f64]) -> Tensor {
    from_vec(values.to_vec(), [values.len()]).requires_grad_(true)
}

fn values(t: &Tensor) -> Vec<f64> {
    t.to_vec::<f64>()
}

fn gradient(t: &Tensor) -> Vec<f64> {
    values(&t.grad().expect("a gradient was collected"))
}

#[test]
fn gradients_accumulate_over_uses_and_calls() {
    let x = leaf(&[2.0, 3.0]);
    let y = (&x * &x + &x).sum();
    y.backward();
    assert_eq!(gradient(&x), [5.0, 7.0]);
    (&x * 2).sum().backward();
    assert_eq!(gradient(&x), [7.0, 9.0]);
    x.set_grad(None);
    assert!(x.grad().is_none());
}

#[test]
fn broadcast_operands_get_summed_gradients() {
    let a = ones([3, 1]).double().requires_grad_(true);
    let b = leaf(&[1.0, 2.0, 3.0, 4.0]);
    (&a * &b).sum().backward();
    assert_eq!(a.grad().unwrap().size(), [3, 1]);
    assert_eq!(gradient(&a), [10.0; 3]);
    assert_eq!(gradient(&b), [3.0; 4]);
    // A gradient that is itself smaller than the operands' common shape.
    let c = ones([3, 1]).double().requires_grad_(true);
    (&c + &b.detach()).sum_dim(1, false).sum().backward();
    assert_eq!(gradient(&c), [4.0; 3]);
}

#[test]
fn second_derivatives() {
    let x = leaf(&[3.0]);
    let y = x.pow(3);
    let first = grad(&[&y], &[&x], &[None], false, true, false).unwrap().remove(0).unwrap();
    assert_eq!(values(&first), [27.0]);
    let second = grad(&[&first], &[&x], &[None], false, true, false).unwrap().remove(0).unwrap();
    assert_eq!(values(&second), [18.0]);
    let third = grad(&[&second], &[&x], &[None], false, false, false).unwrap().remove(0).unwrap();
    assert_eq!(values(&third), [6.0]);
    assert!(x.grad().is_none(), "grad() touches no leaf");
}

#[test]
fn a_million_operations_go_back_and_drop_on_a_small_stack() {
    let work = || {
        let x = leaf(&[1.0]);
        let mut y = x.shallow_clone();
        for _ in 0..1_000_000 {
            y = &y + 1;
        }
        y.backward_with(|o| o.retain_graph(true));
        assert_eq!(gradient(&x), [1.0]);
        assert_eq!(y.item(), 1_000_001.0);
        // Saved tensors chain as well, and in-place operations on a view build the deepest graphs.
        let mut z = x.shallow_clone();
        for _ in 0..100_000 {
            z = z.sin();
        }
        drop(z);
        let base = &leaf(&[1.0, 1.0]) * 1;
        let part = base.slice(0, Some(0), Some(1), 1);
        for _ in 0..10_000 {
            part.mul_(1);
        }
        base.sum().backward();
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_freed_graph_says_so_and_a_kept_one_runs_again() {
    let x = leaf(&[1.0, 2.0]);
    let y = (&x * &x).sum();
    y.backward_with(|o| o.retain_graph(true));
    y.backward();
    assert_eq!(gradient(&x), [4.0, 8.0]);
    let error = backward(&[&y], &[None], false, false).unwrap_err().to_string();
    assert!(error.starts_with("Trying to backward through the graph a second time"), "{error}");
    // Operations that save nothing can run again, as in PyTorch.
    let z = (&x + 1).sum();
    z.backward();
    z.backward();
}

#[test]
fn relu_conventions() {
    let x = leaf(&[0.0, -0.0, f64::NAN, -1.0, f64::INFINITY]);
    let y = x.relu();
    let shown = values(&y);
    assert!(shown[2].is_nan() && shown[0] == 0.0 && shown[3] == 0.0 && shown[4] == f64::INFINITY);
    let g = from_vec(vec![1.0, 1.0, 1.0, f64::INFINITY, 1.0], [5]);
    y.backward_with(|o| o.gradient(&g));
    assert_eq!(gradient(&x), [0.0, 0.0, 1.0, 0.0, 1.0], "an infinite gradient does not leak through a closed gate");
}

#[test]
fn no_grad_records_nothing() {
    let x = leaf(&[1.0]);
    {
        let _guard = no_grad();
        let y = &x * 2;
        assert!(!y.requires_grad());
        x.add_(1);
    }
    assert_eq!(values(&x), [2.0]);
    assert!((&x * 2).requires_grad());
    assert!(!x.detach().requires_grad());
}

#[test]
fn hooks_see_and_replace_gradients() {
    let x = leaf(&[1.0, 2.0]);
    let y = &x * 3;
    y.retain_grad();
    y.register_hook(|g| Some(g * 10));
    x.register_hook(|g| Some(g + 1));
    y.sum().backward();
    assert_eq!(gradient(&x), [31.0, 31.0]);
    assert_eq!(gradient(&y), [10.0, 10.0], "what is retained is what the hooks made of it");
}

#[test]
fn gradients_of_unused_inputs() {
    let (x, unused) = (leaf(&[1.0]), leaf(&[1.0]));
    let y = (&x * 2).sum();
    let error = grad(&[&y], &[&x, &unused], &[], true, false, false).unwrap_err().to_string();
    assert!(error.contains("appears to not have been used in the graph"), "{error}");
    let grads = grad(&[&y], &[&x, &unused], &[], false, false, true).unwrap();
    assert!(grads[0].is_some() && grads[1].is_none());
}

#[test]
fn the_gradient_of_a_leaf_is_its_own_memory() {
    let x = leaf(&[1.0, 2.0]);
    let seed = tensor([1.0, 1.0]).double();
    (&x + 0).backward_with(|o| o.gradient(&seed));
    seed.fill_(7);
    assert_eq!(gradient(&x), [1.0, 1.0], "a gradient that the user holds is copied");
    x.sum().backward();
    assert_eq!(gradient(&x), [2.0, 2.0]);
}

#[test]
fn mixed_dtypes_give_each_input_its_own() {
    let a = tensor([1.0, 2.0]).requires_grad_(true);
    let b = leaf(&[3.0, 4.0]);
    let y = (&a * &b).sum();
    assert_eq!(y.dtype(), flambeau_tensor::DType::F64);
    y.backward();
    assert_eq!(a.grad().unwrap().dtype(), flambeau_tensor::DType::F32);
    assert_eq!(a.grad().unwrap().to_vec::<f32>(), [3.0, 4.0]);
}

#[test]
fn backward_for_inputs_adds_to_no_other_gradient() {
    // The numbers are PyTorch's, printed by the same lines.
    let (x, w) = (leaf(&[1.0, 2.0]), leaf(&[3.0]));
    let y = &x * &w;
    let z = y.exp().sum();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (of_w, of_x) = (seen.clone(), seen.clone());
    w.register_post_accumulate_grad_hook(move |_| of_w.lock().unwrap().push("w"));
    x.register_post_accumulate_grad_hook(move |_| of_x.lock().unwrap().push("x"));
    z.backward_with(|o| o.inputs((&y, &w)).retain_graph(true));
    assert!(y.retains_grad() && x.grad().is_none());
    assert_eq!(gradient(&y), [3f64.exp(), 6f64.exp()]);
    assert_eq!(gradient(&w), [3f64.exp() + 2.0 * 6f64.exp()]);
    assert_eq!(*seen.lock().unwrap(), ["w"]);

    let unused = leaf(&[1.0]);
    gradients::backward_with(&z, |o| o.inputs([&unused, &w]).retain_graph(true));
    assert!(unused.grad().is_none());
    assert_eq!(gradient(&w), [2.0 * (3f64.exp() + 2.0 * 6f64.exp())]);

    let message = |f: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let none: [&Tensor; 0] = [];
    let words = message(&|| z.backward_with(|o| o.inputs(none)));
    assert!(words.contains("`inputs` argument to `backward()` cannot be empty."), "{words}");
    let words = message(&|| z.backward_with(|o| o.inputs(ones(2))));
    assert!(words.contains("can't retain_grad on Tensor that has requires_grad=False"), "{words}");
}
