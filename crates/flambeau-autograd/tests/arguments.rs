//! What calls look like that a PyTorch user types first: each line here must compile, and mean what Python means.

use flambeau_tensor::DType;
use torch::nn::functional as F;
use torch::{Tensor, TensorOptions};

fn x() -> Tensor {
    torch::arange(6).float().view((2, 3))
}

#[test]
fn tensors_come_by_value_by_reference_and_by_reference_to_that() {
    let (a, b) = (x(), x());
    assert_eq!(a.matmul(b.t()).sum().item(), a.matmul(b.t()).sum().item());
    assert!(a.add(&b).equal(a.add(b.clone())));
    assert!(torch::relu(&a).equal(torch::relu(a.clone())));
    assert_eq!(torch::relu(&a).size(), [2, 3]);
    assert_eq!(F::relu(F::linear(x(), x(), None)).size(), [2, 2]);
    assert_eq!(a.masked_fill(a.gt(2), 0).sum().item(), 3.0);
    assert_eq!((&a + &b + a.clone() * 2.0 - 1).sum().item(), 54.0);
}

#[test]
fn an_optional_tensor_is_a_tensor_none_or_an_option_of_one() {
    let (a, w, bias) = (x(), torch::ones((4, 3)), torch::ones(4));
    let with = F::linear(&a, &w, &bias);
    let held: Option<Tensor> = Some(bias.shallow_clone());
    for other in [
        F::linear(&a, &w, bias.shallow_clone()),
        F::linear(&a, &w, Some(&bias)),
        F::linear(&a, &w, &held),
        F::linear(&a, &w, held.as_ref()),
        F::linear(&a, &w, None) + 1.0,
    ] {
        assert!(other.equal(&with));
    }
    let normed = F::layer_norm_with(&a, 3, |o| o.weight(torch::ones(3)).bias(&held.as_ref().map(|_| torch::zeros(3))));
    assert_eq!(normed.size(), [2, 3]);
}

#[test]
fn lists_of_tensors_are_arrays_slices_vectors_and_tuples_that_mix() {
    let (a, b) = (x(), x());
    let parts: Vec<Tensor> = vec![a.shallow_clone(), b.shallow_clone()];
    let expected = torch::cat([&a, &b], 0);
    for other in [
        torch::cat((&a, b.clone()), 0),
        torch::cat(&parts, 0),
        torch::cat(&parts[..], 0),
        torch::cat(parts.iter().collect::<Vec<_>>(), 0),
        torch::cat(parts, 0),
        torch::concat((a.clone(), &b), 0_usize),
        torch::vstack((&a, &b)),
    ] {
        assert!(other.equal(&expected));
    }
    assert_eq!(torch::stack((&a, &b, &a), -1).size(), [2, 3, 3]);
    assert_eq!(torch::einsum("ij,kj->ik", (&a, b)).size(), [2, 2]);
}

#[test]
fn integers_are_of_any_type_and_tuples_mix_them() {
    let a = x();
    let (b, last, n) = (a.size_dim(0), a.dim() - 1, 3_u32);
    assert_eq!(a.view((b, -1)).size(), [2, 3]);
    assert_eq!(a.view((-1,)).size(), [6]);
    assert_eq!(a.reshape((b as i32, n, 1_i64)).size(), [2, 3, 1]);
    assert_eq!(a.narrow(last, 1_u8, 2_usize).size(), [2, 2]);
    assert_eq!(a.split(1_usize, last).len(), 3);
    assert_eq!(a.select(0, b - 1).item_sum(), 12.0);
    assert_eq!(a.permute((last, 0)).size(), [3, 2]);
    assert_eq!(a.transpose(0, last).size(), [3, 2]);
    assert_eq!(a.sum_dim((0, last), false).item(), 15.0);
    assert_eq!(a.softmax(last).sum().item(), a.softmax(-1).sum().item());
    assert_eq!(a.topk(2_usize).0.size(), [2, 2]);
    assert_eq!(torch::zeros((b, n, 4)).size(), [2, 3, 4]);
    assert_eq!(torch::zeros(b).size(), [2]);
    assert_eq!(torch::randint(0, n, (b, 2)).size(), [2, 2]);
    assert_eq!(torch::eye(b).sum().item(), 2.0);
    assert_eq!(torch::linspace(0, 1, n).to_vec::<f32>(), [0.0, 0.5, 1.0]);
    assert_eq!(F::one_hot(torch::arange(b), n).size(), [2, 3]);
    assert_eq!(
        F::max_pool2d_with(torch::zeros((1, 1, 4, 4)), 2, |o| o.stride(2_i64).padding((1, 1))).size(),
        [1, 1, 3, 3]
    );
    assert_eq!(F::dropout(&a, 0, true).sum().item(), 15.0);
}

/// The sum of a tensor's elements.
trait ItemSum {
    fn item_sum(&self) -> f64;
}

impl ItemSum for Tensor {
    fn item_sum(&self) -> f64 {
        self.sum().item()
    }
}

#[test]
fn lengths_come_apart_as_in_python() {
    let a = torch::zeros((2, 3, 4));
    let [b, t, c] = a.sizes();
    let (rows, _, _): (usize, usize, usize) = a.sizes();
    assert_eq!((b, t, c, rows), (2, 3, 4, 2));
    assert_eq!((a.len(), a.ndim(), a.nbytes()), (2, 3, 96));
    let mut count = 0;
    for row in &a {
        assert_eq!(row.size(), [3, 4]);
        count += 1;
    }
    assert_eq!(count, 2);
    let panic = std::panic::catch_unwind(|| torch::zeros((2, 3)).sizes::<[usize; 3]>()).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "not enough values to unpack (expected 3, got 2)");
}

#[test]
fn new_tensors_take_dtype_device_gradient_and_generator() {
    let f64s = |o: TensorOptions| o.dtype(torch::float64);
    let all = [
        torch::zeros_with((2, 2), f64s),
        torch::ones_with(4, f64s),
        torch::full_with((2, 2), 1, f64s),
        torch::empty_with((2, 2), f64s),
        torch::eye_with(2, f64s),
        torch::arange_with(4, f64s),
        torch::arange_with((0, 4), f64s),
        torch::arange_with(0..4, f64s),
        torch::linspace_with(0, 1, 4, f64s),
        torch::rand_with((2, 2), f64s),
        torch::randn_with((2, 2), f64s),
        torch::randint_with(0, 5, (2, 2), f64s),
        torch::randperm_with(4, f64s),
        torch::tensor_with([1, 2, 3, 4], f64s),
        torch::zeros_like_with(x().i(0), f64s).repeat(2).narrow(0, 0, 4),
        torch::zeros(1).new_full_with((2, 2), 3, f64s),
        torch::zeros(1).new_zeros_with(4, f64s),
        torch::zeros(1).new_ones_with(4, f64s),
        torch::normal_size_with(0, 1, 4, f64s),
    ];
    for t in &all {
        assert_eq!((t.dtype(), t.numel()), (DType::F64, 4));
    }
    let w = torch::randn_with((2, 2), |o| o.requires_grad(true).device("cpu").dtype(None));
    assert!(w.requires_grad() && w.is_leaf());
    let g = torch::Generator::new();
    let draw = || torch::rand_with(3, |o| o.generator(&g.manual_seed(5)));
    assert!(draw().equal(draw()));
    assert_eq!(torch::tensor([&torch::tensor(2.0), &torch::tensor(3.0)]).to_vec::<f32>(), [2.0, 3.0]);
}

#[test]
fn a_size_of_usize_max_is_told_to_be_minus_one() {
    let panic = std::panic::catch_unwind(|| x().view([2_usize, usize::MAX])).unwrap_err();
    let words =
        panic.downcast_ref::<&str>().map(|s| s.to_string()).or(panic.downcast_ref::<String>().cloned()).unwrap();
    assert!(words.contains("was −1 meant?"), "{words}");
}

#[test]
fn a_copy_has_memory_of_its_own_and_a_handle_has_not() {
    let a = x();
    let (copy, handle) = (a.clone(), a.shallow_clone());
    a.fill_(7);
    assert_eq!((copy.sum().item(), handle.sum().item()), (15.0, 42.0));
    let w = torch::ones(2).requires_grad_(true);
    (w.clone() * 3).sum().backward();
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [3.0, 3.0]);
    assert_eq!(w.clone().grad_fn().unwrap().name(), "CloneBackward0");
}
