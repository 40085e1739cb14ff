//! Views alias, and in-place operations rewrite history as PyTorch does.

use flambeau_autograd::{Tensor, arange, from_vec, no_grad, tensor};

fn leaf(values: &[f64]) -> Tensor {
    from_vec(values.to_vec(), [values.len()]).requires_grad_(true)
}

fn name(t: &Tensor) -> &'static str {
    t.grad_fn().map_or("None", |f| f.name())
}

#[test]
fn writes_go_through_views_both_ways() {
    let x = arange(6).double().view([2, 3]);
    let row = x.select(0, 1);
    let column = x.slice(1, Some(0), None, 2);
    row.fill_(9);
    assert_eq!(x.to_vec::<f64>(), [0.0, 1.0, 2.0, 9.0, 9.0, 9.0]);
    x.mul_(2);
    assert_eq!(column.to_vec::<f64>(), [0.0, 4.0, 18.0, 18.0]);
    assert_eq!((x.version(), row.version()), (2, 2));
    assert!(row.is_view() && row.base().unwrap().is_same(&x.base().unwrap()));
}

#[test]
fn in_place_on_a_view_changes_the_history_of_its_base() {
    let w = leaf(&[2.0, 3.0]);
    let base = tensor([[1., 1.], [1., 1.]]).double();
    let row = base.select(0, 0);
    row.mul_(&w);
    assert!(base.requires_grad());
    assert_eq!(name(&base), "CopySlices");
    assert_eq!(name(&row), "AsStridedBackward0");
    (&base * &base).sum().backward();
    // base[0] = w, so d/dw Σ base² = 2w.
    assert_eq!(w.grad().unwrap().to_vec::<f64>(), [4.0, 6.0]);
}

#[test]
fn other_views_notice_a_write() {
    let x = leaf(&[1.0, 2.0, 3.0]);
    let y = &x * 1;
    let head = y.slice(0, None, Some(2), 1);
    let tail = y.slice(0, Some(1), None, 1);
    assert_eq!(name(&head), "SliceBackward0");
    tail.mul_(10);
    assert_eq!(name(&head), "AsStridedBackward0");
    head.sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [1.0, 10.0, 0.0]);
}

#[test]
fn a_chain_of_in_place_operations_has_the_gradient_of_its_formula() {
    let x = leaf(&[0.5, 1.5]);
    let y = &x * 2;
    y.mul_(&x).add_(1).sqrt_();
    y.sum().backward();
    // d/dx √(2x² + 1) = 2x / √(2x² + 1)
    for (g, x) in x.grad().unwrap().to_vec::<f64>().iter().zip([0.5f64, 1.5]) {
        let expected = 2.0 * x / (2.0 * x * x + 1.0).sqrt();
        assert!((g - expected).abs() < 1e-12, "{g} {expected}");
    }
}

#[test]
fn leaves_are_protected() {
    let x = leaf(&[1.0, 2.0]);
    let message = |f: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap()
    };
    assert_eq!(
        message(&|| drop(x.add_(1))),
        "a leaf Variable that requires grad is being used in an in-place operation."
    );
    assert_eq!(
        message(&|| drop(x.select(0, 0).fill_(1))),
        "a view of a leaf Variable that requires grad is being used in an in-place operation."
    );
    let _guard = no_grad();
    x.select(0, 0).fill_(5);
    assert_eq!(x.to_vec::<f64>(), [5.0, 2.0]);
}

#[test]
fn overlapping_memory_is_not_written_to() {
    let x = tensor([1.0]).expand([3]);
    let error = flambeau_autograd::ops::add_(&x, 1, 1).unwrap_err().to_string();
    assert!(error.starts_with("unsupported operation: more than one element of the written-to tensor"), "{error}");
    // So is memory that a source shares in part; `inplace.rs` has all cases.
    let y = arange(5);
    let error =
        flambeau_autograd::ops::copy_(&y.slice(0, Some(1), None, 1), &y.slice(0, None, Some(4), 1)).unwrap_err();
    assert!(error.to_string().starts_with("unsupported operation: some elements of the input tensor"), "{error}");
    assert_eq!(y.to_vec::<i64>(), [0, 1, 2, 3, 4]);
    // A source with gaps is read before it is written.
    let z = arange(6);
    z.slice(0, Some(2), None, 2).add_(z.slice(0, None, Some(4), 2));
    assert_eq!(z.to_vec::<i64>(), [0, 1, 2, 3, 6, 5]);
}

#[test]
fn as_strided_gradients_add_up() {
    let x = leaf(&[1.0, 2.0, 3.0]);
    let windows = x.as_strided([2, 2], [1, 1], 0);
    (&windows * &windows).sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [2.0, 8.0, 6.0]);
    let x = leaf(&[1.0, 2.0, 3.0, 4.0]);
    x.unfold(0, 3, 1).sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [1.0, 2.0, 2.0, 1.0]);
}

#[test]
fn resize_keeps_the_memory() {
    let x = arange(6).view([3, 2]);
    x.resize_([2, 3]);
    assert_eq!(x.size(), [2, 3]);
    assert_eq!(x.to_vec::<i64>(), [0, 1, 2, 3, 4, 5]);
    let y = arange(2);
    let other = y.view([2, 1]);
    y.resize_([100]);
    assert_eq!(y.slice(0, None, Some(2), 1).to_vec::<i64>(), [0, 1]);
    y.select(0, 0).fill_(7);
    assert_eq!(other.to_vec::<i64>(), [7, 1], "views of the grown memory see its writes");
}
