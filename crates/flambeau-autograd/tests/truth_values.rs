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
