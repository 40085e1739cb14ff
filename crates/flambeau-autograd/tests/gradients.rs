//! A gradient that users can see shares memory with nothing. Expected values, strides and `grad_fn` names are PyTorch 2.15's.

use flambeau_autograd::{Tensor, from_vec, grad, ones, tensor};
use std::sync::{Arc, Mutex};

fn leaf(values: &[f64]) -> Tensor {
    from_vec(values.to_vec(), [values.len()]).requires_grad_(true)
}

fn values(t: &Tensor) -> Vec<f64> {
    t.to_vec::<f64>()
}

/// Writes to one of some gradients after the other, and looks whether another changes.
fn assert_apart(what: &str, all: &[Tensor]) {
    for (i, written) in all.iter().enumerate() {
        let before: Vec<Vec<f64>> = all.iter().map(values).collect();
        written.add_(100);
        for (j, other) in all.iter().enumerate() {
            let changed = values(other) != before[j];
            assert_eq!(changed, i == j, "{what}: {j} after a write to {i}");
        }
    }
}

#[test]
fn gradients_of_one_backward_are_apart() {
    let (y, q) = (&leaf(&[1.0, 2.0]) * 1, &leaf(&[3.0, 4.0]) * 1);
    y.retain_grad();
    q.retain_grad();
    let sum = &y + &q;
    sum.retain_grad();
    sum.sum().backward();
    assert_eq!(y.grad().unwrap().stride(), [1]);
    assert_apart("retained", &[y.grad().unwrap(), q.grad().unwrap(), sum.grad().unwrap()]);

    let (a, b) = (leaf(&[1.0, 2.0]), leaf(&[3.0, 4.0]));
    let seed = from_vec(vec![1.0, 1.0], [2]);
    (&a + &b).backward_with(|o| o.gradient(&seed));
    assert_apart("leaves and the seed", &[a.grad().unwrap(), b.grad().unwrap(), seed]);

    let seed = from_vec(vec![1.0, 1.0], [2]);
    let (a, b) = (leaf(&[1.0, 2.0]), leaf(&[3.0, 4.0]));
    (&a + &b).backward_with(|o| o.gradient(&seed).create_graph(true));
    assert_apart("with create_graph", &[a.grad().unwrap(), b.grad().unwrap(), seed]);
    assert!(a.grad().unwrap().grad_fn().is_none());

    let seed = from_vec(vec![1.0, 1.0], [2]);
    let mut all: Vec<Tensor> = grad(&[&(&a + &b)], &[&a, &b, &a], &[Some(&seed)], false, false, false)
        .unwrap()
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(all.len(), 3);
    all.push(seed);
    assert_apart("grad()", &all);
    let of_sum = grad(&[&(&a + &b).sum()], &[&a, &b], &[], false, false, false).unwrap();
    assert_apart("grad() of a sum", &of_sum.into_iter().flatten().collect::<Vec<_>>());
    // A gradient that is the very tensor that was saved.
    let product = (&a * &b).sum();
    let of_product = grad(&[&product], &[&a, &b], &[], false, false, false).unwrap();
    let mut all: Vec<Tensor> = of_product.into_iter().flatten().collect();
    all.extend([a.detach(), b.detach()]);
    assert_apart("grad() of a product", &all);
}

#[test]
fn gradients_lie_in_memory_as_their_leaves_do() {
    let leaves = [
        (ones([2, 3]).t().contiguous(), vec![2, 1]),
        (ones([2, 3]).t(), vec![1, 3]),
        (ones([4, 3]).slice(0, None, None, 2), vec![3, 1]),
        (ones([3, 1]).expand([3, 2]), vec![2, 1]),
    ];
    for (x, strides) in leaves {
        let x = x.detach().requires_grad_(true);
        for backward in [|x: &Tensor| (x * 2).sum().backward(), |x: &Tensor| x.sum().backward()] {
            x.set_grad(None);
            backward(&x);
            assert_eq!(x.grad().unwrap().stride(), strides, "{:?}", x.stride());
        }
        x.set_grad(None);
        (&x * 1).backward_with(|o| o.gradient(ones(x.size())).create_graph(true));
        assert_eq!(x.grad().unwrap().stride(), strides, "{:?} with create_graph", x.stride());
    }
}

#[test]
fn create_graph_copies_with_a_history() {
    let x = leaf(&[1.0, 2.0]);
    (&x * &x).sum().backward_with(|o| o.create_graph(true));
    assert_eq!(x.grad().unwrap().grad_fn().unwrap().name(), "CopyBackwards");
    let first = x.grad().unwrap();
    (&x * &x).sum().backward_with(|o| o.create_graph(true));
    assert!(!first.is_same(&x.grad().unwrap()));
    assert_eq!(values(&first), [2.0, 4.0]);
    assert_eq!(x.grad().unwrap().grad_fn().unwrap().name(), "AddBackward0");
    let y = &x * 3;
    y.retain_grad();
    (&y * &y).sum().backward_with(|o| o.create_graph(true));
    assert_eq!(y.grad().unwrap().grad_fn().unwrap().name(), "CloneBackward0");
}

#[test]
fn gradients_accumulate_in_place_and_retained_ones_add_up() {
    let x = leaf(&[1.0, 2.0]);
    x.sum().backward();
    let held = x.grad().unwrap();
    x.sum().backward();
    assert!(held.is_same(&x.grad().unwrap()));
    assert_eq!(values(&held), [2.0, 2.0]);

    let y = &x + 3;
    y.retain_grad();
    let z = y.sum();
    z.backward();
    z.backward();
    assert_eq!(values(&y.grad().unwrap()), [2.0, 2.0]);
}

#[test]
fn a_retained_gradient_moves_with_in_place_operations() {
    let x = leaf(&[1.0, 2.0]);
    let y = &x * 3;
    y.retain_grad();
    y.mul_(2);
    (&y * 5).sum().backward();
    assert_eq!(values(&y.grad().unwrap()), [5.0, 5.0]);
    // Through a view of it.
    let y = &x * 3;
    y.retain_grad();
    y.select(0, 0).mul_(2);
    (&y * 5).sum().backward();
    assert_eq!(values(&y.grad().unwrap()), [5.0, 5.0]);
    // The view itself is used by nobody after the write.
    let y = &x * 3;
    let view = y.select(0, 0);
    view.retain_grad();
    view.mul_(2);
    (&y * 5).sum().backward();
    assert!(view.grad().is_none());
    assert!(view.retains_grad() && !x.retains_grad());
}

#[test]
fn hooks_see_gradients_of_their_own_and_run_before_what_retains() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = |gradient: &Tensor| seen.lock().unwrap().push(gradient.shallow_clone());
    let (a, b) = (leaf(&[1.0, 2.0]), leaf(&[3.0, 4.0]));
    for x in [&a, &b] {
        let seen = seen.clone();
        x.register_hook(move |g| {
            seen.lock().unwrap().push(g.shallow_clone());
            None
        });
    }
    (&a + &b).sum().backward();
    let mut all: Vec<Tensor> = seen.lock().unwrap().iter().map(Tensor::shallow_clone).collect();
    all.extend([a.grad().unwrap(), b.grad().unwrap()]);
    assert_eq!(all.len(), 4);
    assert_apart("hooks", &all);
    keep(&a);

    // A write in a hook changes this gradient only.
    let (a, b) = (leaf(&[1.0, 2.0]), leaf(&[3.0, 4.0]));
    a.register_hook(|g| Some(g.mul_(0)));
    (&a + &b).sum().backward();
    assert_eq!((values(&a.grad().unwrap()), values(&b.grad().unwrap())), (vec![0.0; 2], vec![1.0; 2]));

    let result = from_vec(vec![7.0, 7.0], [2]);
    let returned = result.shallow_clone();
    let x = leaf(&[1.0, 2.0]);
    x.register_hook(move |_| Some(returned.shallow_clone()));
    (&x * 2).sum().backward();
    assert_eq!(values(&x.grad().unwrap()), [7.0, 7.0]);
    assert_apart("a hook's result", &[x.grad().unwrap(), result]);

    // Whatever the order in which they were registered.
    let y = &leaf(&[1.0, 2.0]) * 3;
    y.retain_grad();
    y.register_hook(|g| Some(g * 10));
    y.sum().backward();
    assert_eq!(values(&y.grad().unwrap()), [10.0, 10.0]);
    // A leaf's hooks take part in `grad()`.
    let x = leaf(&[1.0, 2.0]);
    x.register_hook(|g| Some(g * 10));
    let of_x = grad(&[&(&x * 2).sum()], &[&x], &[], false, false, false).unwrap().remove(0).unwrap();
    assert_eq!(values(&of_x), [20.0, 20.0]);
    assert!(x.grad().is_none());
}

#[test]
fn a_hook_may_not_change_the_size_or_type_of_a_gradient() {
    let message = |hook: fn(&Tensor) -> Option<Tensor>| {
        let x = tensor([1.0, 2.0]).requires_grad_(true);
        x.register_hook(hook);
        flambeau_autograd::backward(&[&(&x * 2).sum()], &[None], false, false).unwrap_err().to_string()
    };
    assert_eq!(message(|_| Some(ones(3))), "hook '<lambda>' has changed the size of value");
    assert_eq!(
        message(|g| Some(g.double())),
        "hook '<lambda>' has changed the type of value (was torch.FloatTensor got torch.DoubleTensor)"
    );
}
