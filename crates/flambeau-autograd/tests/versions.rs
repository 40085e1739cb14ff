//! Versions: which writes a backward finds out. `.data` has a version of its own, `detach` shares the tensor's; each case
//! is beside PyTorch 2.15.

use flambeau_autograd::{Tensor, backward, from_vec, no_grad, ones, tensor, zeros};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn leaf(values: &[f64]) -> Tensor {
    from_vec(values.to_vec(), [values.len()]).requires_grad_(true)
}

fn given(values: &[f64]) -> Tensor {
    from_vec(values.to_vec(), [values.len()])
}

fn gradient(x: &Tensor, loss: &Tensor) -> Vec<f64> {
    loss.backward();
    x.grad().unwrap().to_vec::<f64>()
}

fn square(x: &Tensor) -> Tensor {
    (x * x).sum()
}

#[test]
fn writes_through_data_are_hidden_and_used() {
    let w = leaf(&[1.0, 2.0]);
    let loss = square(&w);
    w.data().mul_(2);
    assert_eq!(gradient(&w, &loss), [4.0, 8.0]);
    assert_eq!((w.version(), w.data().version()), (0, 0));
    // Of a computed tensor, saved as an input and as a result.
    let x = leaf(&[1.0, 1.0]);
    let y = &x * 2;
    let loss = square(&y);
    y.data().zero_();
    assert_eq!(gradient(&x, &loss), [0.0, 0.0]);
    let x = leaf(&[1.0, 1.0]);
    let y = x.exp();
    y.data().zero_();
    assert_eq!(gradient(&x, &y.sum()), [0.0, 0.0]);
    // Through a view of the data.
    let x = leaf(&[1.0, 1.0, 1.0]);
    let loss = square(&x);
    let data = x.data();
    let part = data.select(0, 0);
    part.mul_(3);
    assert_eq!((x.version(), data.version(), part.version()), (0, 1, 1));
    assert_eq!(gradient(&x, &loss), [6.0, 2.0, 2.0]);
    assert!(!data.is_view() && part.is_view());
}

#[test]
fn writes_through_detach_are_found() {
    let w = leaf(&[1.0, 2.0]);
    let loss = square(&w);
    w.detach().mul_(2);
    let error = backward(&[&loss], &[None], false, false).unwrap_err().to_string();
    assert!(error.contains("[torch.DoubleTensor [2]] is at version 1; expected version 0 instead."), "{error}");
}

#[test]
fn counters_are_the_tensors_own() {
    let x = ones(3);
    let data = x.data();
    data.add_(1);
    x.add_(1);
    assert_eq!(data.to_vec::<f32>(), [3.0; 3]);
    assert_eq!((data.version(), x.version()), (1, 1));
    // A leaf made of the data: writes to the tensor do not count for it.
    let x = ones(3);
    let own = x.data().requires_grad_(true);
    let loss = square(&own);
    x.add_(1);
    loss.backward();
    assert_eq!(own.grad().unwrap().to_vec::<f32>(), [4.0; 3]);
}

#[test]
fn set_data_keeps_the_version_and_is_seen_by_graphs() {
    let w = leaf(&[1.0, 2.0]);
    let loss = square(&w);
    w.set_data(&given(&[10.0, 20.0]));
    assert_eq!(w.version(), 0);
    assert_eq!(gradient(&w, &loss), [20.0, 40.0]);
    // A constant, and a computed tensor.
    let (w, x) = (leaf(&[1.0, 2.0]), given(&[3.0, 4.0]));
    let loss = (&w * &x).sum();
    x.set_data(&given(&[10.0, 20.0]));
    assert_eq!(gradient(&w, &loss), [10.0, 20.0]);
    let w = leaf(&[1.0, 2.0]);
    let y = &w * 3;
    let loss = square(&y);
    y.set_data(&given(&[10.0, 20.0]));
    assert_eq!(gradient(&w, &loss), [60.0, 120.0]);
    // A result is saved as it was.
    let w = leaf(&[0.0, 0.0]);
    let y = w.exp();
    let loss = y.sum();
    y.set_data(&given(&[10.0, 20.0]));
    assert_eq!(gradient(&w, &loss), [1.0, 1.0]);
    // The other tensor's writes are not this one's.
    let (w, y) = (leaf(&[1.0, 2.0]), given(&[5.0, 6.0]));
    w.set_data(&y);
    let loss = square(&w);
    y.add_(1);
    assert_eq!((w.version(), y.version()), (0, 1));
    assert_eq!(gradient(&w, &loss), [12.0, 14.0]);
    // Its own are.
    let w = leaf(&[1.0, 2.0]);
    w.set_data(&given(&[5.0, 6.0]));
    let loss = square(&w);
    {
        let _guard = no_grad();
        w.add_(1);
    }
    assert!(backward(&[&loss], &[None], false, false).is_err());
}

#[test]
fn set_data_checks_the_dtype_and_leaves_views() {
    let w = leaf(&[1.0, 2.0]);
    let panic = catch_unwind(AssertUnwindSafe(|| w.set_data(&tensor([1, 2])))).unwrap_err();
    assert_eq!(
        panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str)),
        Some("data set to a tensor that requires gradients must be floating point or complex dtype")
    );
    w.set_data(&tensor([1.0f32, 2.0]));
    assert!(w.requires_grad() && w.dtype() == flambeau_tensor::DType::F32);
    let base = ones(3);
    let view = base.view([3]);
    view.set_data(&zeros(3));
    view.add_(5);
    assert_eq!((base.to_vec::<f32>(), view.to_vec::<f32>()), (vec![1.0; 3], vec![5.0; 3]));
    // A graph of another shape keeps what it saved.
    let w = leaf(&[1.0, 2.0]);
    let loss = square(&w);
    w.set_data(&given(&[1.0, 2.0, 3.0]));
    let of_w = flambeau_autograd::grad(&[&loss], &[&w], &[], false, false, true).unwrap();
    assert!(of_w[0].is_none(), "the graph knows the former accumulator");
}

#[test]
fn a_saved_tensor_that_left_the_graph_is_found() {
    let x = leaf(&[1.0, 2.0]);
    let y = &x * 3;
    let loss = square(&y);
    y.detach_();
    assert_eq!(
        backward(&[&loss], &[None], false, false).unwrap_err().to_string(),
        "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_().This is not supported, please use \
         out-of-place `.detach()` instead"
    );
}

#[test]
fn messages_name_what_the_tensor_is_now() {
    let found = |write: fn(&Tensor)| {
        let x = ones(2).requires_grad_(true);
        let y = &x * 2;
        let loss = square(&y);
        write(&y);
        backward(&[&loss], &[None], false, false).unwrap_err().to_string()
    };
    let what = |error: &str| error.split_once("operation: ").unwrap().1.split_once(" is at").unwrap().0.to_owned();
    assert_eq!(what(&found(|y| drop(y.add_(1)))), "[torch.FloatTensor [2]], which is output 0 of Add,");
    assert_eq!(what(&found(|y| drop(y.detach().add_(1)))), "[torch.FloatTensor [2]], which is output 0 of Mul,");
    assert_eq!(
        what(&found(|y| drop(y.select(0, 0).add_(1)))),
        "[torch.FloatTensor [2]], which is output 0 of torch::autograd::CopySlices,"
    );
    let x = ones(2).requires_grad_(true);
    for (dtype, name) in [
        (flambeau_tensor::DType::Bool, "CPUBoolType"),
        (flambeau_tensor::DType::BF16, "CPUBFloat16Type"),
        (flambeau_tensor::DType::U8, "torch.ByteTensor"),
        (flambeau_tensor::DType::F16, "torch.HalfTensor"),
    ] {
        let constant = ones(2).to(dtype);
        let loss = (&x * &constant).sum();
        constant.zero_();
        let error = backward(&[&loss], &[None], false, false).unwrap_err().to_string();
        assert_eq!(what(&error), format!("[{name} [2]]"));
    }
}

#[test]
fn views_that_must_not_change_fail_where_they_are_used() {
    let words = "This view is the output of a function that returns multiple views. Such functions do not allow the output \
                 views to be modified inplace. You should replace the inplace operation by an out-of-place one.";
    let x = ones(2).requires_grad_(true);
    let c = &x * 1;
    let part = c.split(1, 0).remove(1);
    let loss = square(&part);
    c.add_(1);
    let expected = format!(
        "Output 1 of Split is a view and its base or another view of its base has been modified inplace. {words}"
    );
    // In a backward that saved it, in an operation on it, and as what is printed.
    assert_eq!(backward(&[&loss], &[None], false, false).unwrap_err().to_string(), expected);
    assert_eq!(flambeau_autograd::ops::mul(&part, 2).unwrap_err().to_string(), expected);
    assert!(part.to_string().contains("grad_fn=<Invalid>"), "{part}");
    let _guard = no_grad();
    assert_eq!((&part * 2).to_vec::<f32>(), [4.0]);
    part.add_(1);
    assert_eq!(c.to_vec::<f32>(), [2.0, 3.0]);
}
