//! Truth values in memory that nobody has written as such: a slice of them holds valid `bool`s only.

use flambeau_autograd::Tensor;
use flambeau_device::backend;
use flambeau_tensor::{Array, Backend, DType, Device, Dims, Scalar};

fn cpu() -> &'static dyn Backend {
    backend(Device::Cpu).unwrap()
}

/// Bytes that are no `bool`, seen as truth values.
fn unclean(n: usize) -> Tensor {
    let bytes = Array::full(cpu(), Device::Cpu, &[n], DType::U8, Scalar::Int(0xfe)).unwrap();
    let (shape, strides) = (Dims::from_slice(&[n]), Dims::from_slice(&[1]));
    Array::from_parts(bytes.storage().clone(), DType::Bool, shape, strides, 0).unwrap().into()
}

fn assert_true(values: &[bool]) {
    assert!(values.iter().all(|&b| u8::from(b) == 1), "a bool is one of two values");
}

#[test]
fn slices_of_foreign_bytes_are_truth_values() {
    for n in [0, 1, 63, 64, 65, 5000] {
        assert_true(&unclean(n).as_slice::<bool>());
        assert_true(&unclean(n).as_slice_mut::<bool>());
        assert_true(&unclean(n).to_vec::<bool>());
        // Two readers at once see the same.
        let a = unclean(n);
        let (first, second) = (a.as_slice::<bool>(), a.as_slice::<bool>());
        assert_eq!(*first, *second);
        assert_true(&first);
    }
}

#[test]
fn fresh_truth_values_are_valid() {
    for n in [1, 64, 65, 5000] {
        // The block that is freed here is the one that the next array gets.
        drop(Array::full(cpu(), Device::Cpu, &[n], DType::U8, Scalar::Int(0xfe)).unwrap());
        let fresh: Tensor = Array::empty(cpu(), Device::Cpu, &[n], DType::Bool).unwrap().into();
        assert!(fresh.as_slice::<bool>().iter().all(|&b| u8::from(b) <= 1));
    }
}

/// PyTorch's `torch.all(x, dim=())` reduces nothing; `torch.all(x)` everything.
#[test]
fn no_dimension_is_not_all_dimensions() {
    let none: [i64; 0] = [];
    let x = flambeau_autograd::tensor([0.0, 2.0]);
    assert_eq!(x.all_dim(none, false).to_vec::<bool>(), [false, true]);
    assert_eq!(x.any_dim(none, true).to_vec::<bool>(), [false, true]);
    assert_eq!((x.all().item(), x.any().item()), (0.0, 1.0));
}

/// What PyTorch leaves alone may show an element several times.
#[test]
fn nan_to_num_leaves_integers_alone() {
    let x = flambeau_autograd::tensor([1]).expand([3]);
    assert_eq!(x.nan_to_num_().to_vec::<i64>(), [1, 1, 1]);
}

/// In place a comparison of floats has a backward, whose gradient is zero.
#[test]
fn a_comparison_in_place_has_pytorchs_backward() {
    let leaf = flambeau_autograd::tensor([0.5, 1.0]).requires_grad_(true);
    let y = &leaf * 1.0;
    y.eq_(1);
    assert_eq!(y.grad_fn().expect("it is recorded").name(), "EqBackward0");
    y.sum().backward();
    assert_eq!(leaf.grad().expect("it has one").to_vec::<f32>(), [0.0, 0.0]);
}
