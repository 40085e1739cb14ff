//! PyTorch's messages, at the caller's line.

use flambeau_autograd::{Error, Tensor, backward, from_vec, ones, ops, tensor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

fn leaf(values: &[f64]) -> Tensor {
    from_vec(values.to_vec(), [values.len()]).requires_grad_(true)
}

#[test]
fn messages_are_pytorchs() {
    let (a, b) = (ones([2, 3]), ones([4]));
    assert_eq!(
        ops::add(&a, &b, 1).unwrap_err().to_string(),
        "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1"
    );
    assert_eq!(ops::view(&a, &[4, -1]).unwrap_err().to_string(), "shape '[4, -1]' is invalid for input of size 6");
    assert_eq!(
        ops::sum(&a, &[2], false, None).unwrap_err().to_string(),
        "Dimension out of range (expected to be in range of [-2, 1], but got 2)"
    );
    assert_eq!(
        ops::select(&a, 0, 2).unwrap_err().to_string(),
        "select(): index 2 out of range for tensor of size [2, 3] at dimension 0"
    );
    let x = leaf(&[1.0, 2.0]);
    assert_eq!(backward(&[&x], &[None], false, false), Err(Error::NonScalarBackward));
    assert_eq!(
        backward(&[&ones([1])], &[None], false, false).unwrap_err().to_string(),
        "element 0 of tensors does not require grad and does not have a grad_fn"
    );
    assert_eq!(
        ops::add_(&tensor([1]), tensor([0.5]), 1).unwrap_err().to_string(),
        "result type Float can't be cast to the desired output type Long"
    );
}

#[test]
fn a_saved_tensor_that_was_written_to_fails_backward() {
    let x = leaf(&[1.0, 2.0]);
    let y = x.exp();
    let z = &y * 2;
    let line = line!() + 1;
    y.add_(1);
    let error = backward(&[&z.sum()], &[None], false, false).unwrap_err().to_string();
    let expected = "one of the variables needed for gradient computation has been modified by an inplace operation: \
                    [torch.DoubleTensor [2]], which is output 0 of Exp, is at version 1; expected version 0 instead. \
                    Hint: enable anomaly detection to find the operation that failed to compute its gradient, with \
                    torch.autograd.set_detect_anomaly(True, check_nan=False).";
    assert!(error.starts_with(expected), "{error}");
    assert!(error.ends_with(&format!("tests/errors.rs:{line}:7.")), "{error}");

    // A leaf that is saved and then written to under no_grad.
    let w = leaf(&[1.0, 2.0]);
    let y = (&w * &leaf(&[3.0, 4.0])).sum();
    {
        let _guard = flambeau_autograd::no_grad();
        w.mul_(2);
    }
    let error = backward(&[&y], &[None], false, false).unwrap_err().to_string();
    assert!(error.contains("[torch.DoubleTensor [2]] is at version 1; expected version 0 instead."), "{error}");
}

#[test]
fn panics_point_at_the_callers_line() {
    static SEEN: Mutex<Option<(String, u32)>> = Mutex::new(None);
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let location = info.location().unwrap();
        *SEEN.lock().unwrap() = Some((location.file().to_owned(), location.line()));
    }));
    let (a, b) = (ones([2, 3]), ones([4]));
    let calls: [(u32, &dyn Fn()); 5] = [
        (line!(), &|| drop(&a + &b)),
        (line!(), &|| drop(a.add(&b))),
        (line!(), &|| drop(a.view([7]))),
        (line!(), &|| drop(1.0 - &a.to(flambeau_tensor::DType::Bool).neg())),
        (line!(), &|| a.requires_grad_(true).backward()),
    ];
    let mut wrong = Vec::new();
    for (line, call) in calls {
        catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        let seen = SEEN.lock().unwrap().take();
        if seen != Some((file!().to_owned(), line)) {
            wrong.push((line, seen));
        }
    }
    std::panic::set_hook(former);
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn guards_name_their_line() {
    let x = tensor([1.0, 2.0]);
    let line = line!() + 1;
    let slice = x.as_slice::<f32>();
    assert_eq!(slice[1], 2.0);
    let error = ops::add_(&x, 1, 1).unwrap_err().to_string();
    assert!(error.contains(&format!("tests/errors.rs:{line}")), "{error}");
    assert_eq!((&x + 1).to_vec::<f32>(), [2.0, 3.0], "reading beside a reader is fine");
    drop(slice);
    x.add_(1);
    {
        let mut slice = x.as_slice_mut::<f32>();
        slice[0] = 10.0;
        assert!(ops::add(&x, 1, 1).unwrap_err().to_string().starts_with("read of a tensor's memory"));
    }
    assert_eq!(x.to_vec::<f32>(), [10.0, 3.0]);
    assert_eq!(x.version(), 2);
}
