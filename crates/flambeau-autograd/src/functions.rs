//! The functions of `torch.*`: each panics at the caller's line, with PyTorch's words, where its function in [`crate::ops`]
//! fails. Forms that Rust cannot overload have the names of the methods: `sum(&x)` and `sum_dim(&x, 1, false)`.

pub use crate::ops::paths::torch::*;
use crate::ops::{self, IntoDims, IntoShape, Operand, RoundingMode};
use crate::{OrPanic, Tensor};
use flambeau_tensor::Scalar;
use std::borrow::Borrow;

macro_rules! of_one_tensor {
    ($($name:ident)*) => {$(
        #[doc = concat!("`torch.", stringify!($name), "`: see [`ops::", stringify!($name), "`].")]
        #[track_caller]
        pub fn $name(input: &Tensor) -> Tensor {
            ops::$name(input).or_panic()
        }
    )*};
}

of_one_tensor! {
    exp2 frac max min t clone argwhere nonzero trace median
}

macro_rules! of_tensor_and_operand {
    ($($name:ident)*) => {$(
        #[doc = concat!("`torch.", stringify!($name), "`: see [`ops::", stringify!($name), "`].")]
        #[track_caller]
        pub fn $name<'a>(input: &Tensor, other: impl Into<Operand<'a>>) -> Tensor {
            ops::$name(input, other).or_panic()
        }
    )*};
}

of_tensor_and_operand! {
    mul div pow remainder fmod floor_divide atan2 eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and
    bitwise_or bitwise_xor xlogy clamp_min clamp_max
}

macro_rules! of_two_tensors {
    ($($name:ident)*) => {$(
        #[doc = concat!("`torch.", stringify!($name), "`: see [`ops::", stringify!($name), "`].")]
        #[track_caller]
        pub fn $name(input: &Tensor, other: &Tensor) -> Tensor {
            ops::$name(input, other).or_panic()
        }
    )*};
}

of_two_tensors! { maximum minimum logaddexp hypot matmul mm bmm mv dot outer inner masked_select take }

macro_rules! over_dims {
    ($($name:ident $dims:ident)*) => {$(
        #[doc = concat!("`torch.", stringify!($name), "(input)`, over all elements: see [`ops::", stringify!($name), "`].")]
        #[track_caller]
        pub fn $name(input: &Tensor) -> Tensor {
            input.$name()
        }

        #[doc = concat!("`torch.", stringify!($name), "(input, dim, keepdim)`: see [`ops::", stringify!($name), "`].")]
        #[track_caller]
        pub fn $dims(input: &Tensor, dims: impl IntoDims, keepdim: bool) -> Tensor {
            input.$dims(dims, keepdim)
        }
    )*};
}

over_dims! { mean mean_dim amax amax_dim amin amin_dim all all_dim any any_dim }

macro_rules! joining {
    ($($name:ident)*) => {$(
        #[doc = concat!("`torch.", stringify!($name), "`: see [`ops::", stringify!($name), "`].")]
        #[track_caller]
        pub fn $name<T: Borrow<Tensor>>(tensors: &[T]) -> Tensor {
            ops::$name(tensors).or_panic()
        }
    )*};
}

joining! { hstack vstack dstack }

/// `torch.stack`: see [`ops::stack`].
#[track_caller]
pub fn stack<T: Borrow<Tensor>>(tensors: &[T], dim: i64) -> Tensor {
    ops::stack(tensors, dim).or_panic()
}

/// `torch.meshgrid(*tensors, indexing=indexing)`: see [`ops::meshgrid`].
#[track_caller]
pub fn meshgrid<T: Borrow<Tensor>>(tensors: &[T], indexing: &str) -> Vec<Tensor> {
    ops::meshgrid(tensors, indexing).or_panic()
}

/// `torch.broadcast_tensors`: see [`ops::broadcast_tensors`].
#[track_caller]
pub fn broadcast_tensors<T: Borrow<Tensor>>(tensors: &[T]) -> Vec<Tensor> {
    ops::broadcast_tensors(tensors).or_panic()
}

/// `torch.split(input, size, dim)`: see [`ops::split`].
#[track_caller]
pub fn split(input: &Tensor, size: i64, dim: i64) -> Vec<Tensor> {
    ops::split(input, size, dim).or_panic()
}

/// `torch.chunk`: see [`ops::chunk`].
#[track_caller]
pub fn chunk(input: &Tensor, chunks: i64, dim: i64) -> Vec<Tensor> {
    ops::chunk(input, chunks, dim).or_panic()
}

/// `torch.unbind`: see [`ops::unbind`].
#[track_caller]
pub fn unbind(input: &Tensor, dim: i64) -> Vec<Tensor> {
    ops::unbind(input, dim).or_panic()
}

/// `torch.where(condition, input, other)`: see [`ops::where_`].
#[track_caller]
pub fn where_<'a, 'b>(condition: &Tensor, input: impl Into<Operand<'a>>, other: impl Into<Operand<'b>>) -> Tensor {
    ops::where_(condition, input, other).or_panic()
}

/// `torch.clamp(input, min, max)`: see [`ops::clamp`].
#[track_caller]
pub fn clamp(input: &Tensor, min: impl Into<Scalar>, max: impl Into<Scalar>) -> Tensor {
    input.clamp(min, max)
}

/// `torch.div(input, other, rounding_mode=mode)`: see [`ops::div_rounded`].
#[track_caller]
pub fn div_rounded<'a>(input: &Tensor, other: impl Into<Operand<'a>>, mode: RoundingMode) -> Tensor {
    ops::div_rounded(input, other, mode).or_panic()
}

/// `torch.lerp`: see [`ops::lerp`].
#[track_caller]
pub fn lerp<'a>(input: &Tensor, end: &Tensor, weight: impl Into<Operand<'a>>) -> Tensor {
    ops::lerp(input, end, weight).or_panic()
}

/// `torch.addmm(input, mat1, mat2)`: see [`ops::addmm`].
#[track_caller]
pub fn addmm(input: &Tensor, mat1: &Tensor, mat2: &Tensor) -> Tensor {
    ops::addmm(input, mat1, mat2, 1, 1).or_panic()
}

/// `torch.einsum`: see [`ops::einsum`].
#[track_caller]
pub fn einsum<T: Borrow<Tensor>>(equation: &str, operands: &[T]) -> Tensor {
    ops::einsum(equation, operands).or_panic()
}

/// `torch.tensordot(a, b, dims=(a_dims, b_dims))`: see [`ops::tensordot`].
#[track_caller]
pub fn tensordot(a: &Tensor, b: &Tensor, a_dims: impl IntoDims, b_dims: impl IntoDims) -> Tensor {
    ops::tensordot(a, b, &a_dims.into_dims(), &b_dims.into_dims()).or_panic()
}

/// The largest value of a dimension and its index, `torch.max(input, dim, keepdim)`: see [`ops::max_dim`].
#[track_caller]
pub fn max_dim(input: &Tensor, dim: i64, keepdim: bool) -> (Tensor, Tensor) {
    ops::max_dim(input, dim, keepdim).or_panic()
}

/// The smallest value of a dimension and its index, `torch.min(input, dim, keepdim)`: see [`ops::min_dim`].
#[track_caller]
pub fn min_dim(input: &Tensor, dim: i64, keepdim: bool) -> (Tensor, Tensor) {
    ops::min_dim(input, dim, keepdim).or_panic()
}

/// `torch.argmax(input)`: see [`ops::argmax`].
#[track_caller]
pub fn argmax(input: &Tensor) -> Tensor {
    ops::argmax(input, None, false).or_panic()
}

/// `torch.argmax(input, dim, keepdim)`: see [`ops::argmax`].
#[track_caller]
pub fn argmax_dim(input: &Tensor, dim: i64, keepdim: bool) -> Tensor {
    ops::argmax(input, Some(dim), keepdim).or_panic()
}

/// `torch.argmin(input)`: see [`ops::argmin`].
#[track_caller]
pub fn argmin(input: &Tensor) -> Tensor {
    ops::argmin(input, None, false).or_panic()
}

/// `torch.argmin(input, dim, keepdim)`: see [`ops::argmin`].
#[track_caller]
pub fn argmin_dim(input: &Tensor, dim: i64, keepdim: bool) -> Tensor {
    ops::argmin(input, Some(dim), keepdim).or_panic()
}

/// `torch.prod(input)`: see [`ops::prod`].
#[track_caller]
pub fn prod(input: &Tensor) -> Tensor {
    ops::prod(input, None, false, None).or_panic()
}

/// `torch.var(input)`: see [`ops::var`].
#[track_caller]
pub fn var(input: &Tensor) -> Tensor {
    ops::var(input, &[], 1.0, false).or_panic()
}

/// `torch.std(input)`: see [`ops::std`].
#[track_caller]
pub fn std(input: &Tensor) -> Tensor {
    ops::std(input, &[], 1.0, false).or_panic()
}

/// `torch.norm(input)`: see [`ops::vector_norm`].
#[track_caller]
pub fn norm(input: &Tensor) -> Tensor {
    input.norm()
}

/// `torch.logsumexp`: see [`ops::logsumexp`].
#[track_caller]
pub fn logsumexp(input: &Tensor, dims: impl IntoDims, keepdim: bool) -> Tensor {
    input.logsumexp(dims, keepdim)
}

/// `torch.softmax`: see [`ops::softmax`].
#[track_caller]
pub fn softmax(input: &Tensor, dim: i64) -> Tensor {
    ops::softmax(input, dim, None).or_panic()
}

/// `torch.log_softmax`: see [`ops::log_softmax`].
#[track_caller]
pub fn log_softmax(input: &Tensor, dim: i64) -> Tensor {
    ops::log_softmax(input, dim, None).or_panic()
}

/// `torch.cumsum`: see [`ops::cumsum`].
#[track_caller]
pub fn cumsum(input: &Tensor, dim: i64) -> Tensor {
    ops::cumsum(input, dim, None).or_panic()
}

/// `torch.cumprod`: see [`ops::cumprod`].
#[track_caller]
pub fn cumprod(input: &Tensor, dim: i64) -> Tensor {
    ops::cumprod(input, dim, None).or_panic()
}

/// `torch.sort(input, dim, descending)`: see [`ops::sort`].
#[track_caller]
pub fn sort(input: &Tensor, dim: i64, descending: bool) -> (Tensor, Tensor) {
    ops::sort(input, dim, descending, None).or_panic()
}

/// `torch.argsort(input, dim, descending)`: see [`ops::argsort`].
#[track_caller]
pub fn argsort(input: &Tensor, dim: i64, descending: bool) -> Tensor {
    ops::argsort(input, dim, descending).or_panic()
}

/// `torch.topk(input, k)` along the last dimension: see [`ops::topk`].
#[track_caller]
pub fn topk(input: &Tensor, k: i64) -> (Tensor, Tensor) {
    ops::topk(input, k, -1, true).or_panic()
}

/// `torch.gather`: see [`ops::gather`].
#[track_caller]
pub fn gather(input: &Tensor, dim: i64, index: &Tensor) -> Tensor {
    ops::gather(input, dim, index).or_panic()
}

/// `torch.index_select`: see [`ops::index_select`].
#[track_caller]
pub fn index_select(input: &Tensor, dim: i64, index: &Tensor) -> Tensor {
    ops::index_select(input, dim, index).or_panic()
}

/// `torch.transpose`: see [`ops::transpose`].
#[track_caller]
pub fn transpose(input: &Tensor, dim0: i64, dim1: i64) -> Tensor {
    ops::transpose(input, dim0, dim1).or_panic()
}

/// `torch.permute`: see [`ops::permute`].
#[track_caller]
pub fn permute(input: &Tensor, dims: impl IntoDims) -> Tensor {
    input.permute(dims)
}

/// `torch.reshape`: see [`ops::reshape`].
#[track_caller]
pub fn reshape(input: &Tensor, shape: impl IntoShape) -> Tensor {
    input.reshape(shape)
}

/// `torch.flatten(input, start_dim, end_dim)`: see [`ops::flatten`].
#[track_caller]
pub fn flatten(input: &Tensor, start_dim: i64, end_dim: i64) -> Tensor {
    ops::flatten(input, start_dim, end_dim).or_panic()
}

/// `torch.squeeze(input)`: see [`ops::squeeze`].
#[track_caller]
pub fn squeeze(input: &Tensor) -> Tensor {
    ops::squeeze(input, None).or_panic()
}

/// `torch.unsqueeze`: see [`ops::unsqueeze`].
#[track_caller]
pub fn unsqueeze(input: &Tensor, dim: i64) -> Tensor {
    ops::unsqueeze(input, dim).or_panic()
}

/// `torch.flip`: see [`ops::flip`].
#[track_caller]
pub fn flip(input: &Tensor, dims: impl IntoDims) -> Tensor {
    ops::flip(input, &dims.into_dims()).or_panic()
}

/// `torch.roll`: see [`ops::roll`].
#[track_caller]
pub fn roll(input: &Tensor, shifts: impl IntoDims, dims: impl IntoDims) -> Tensor {
    ops::roll(input, &shifts.into_dims(), &dims.into_dims()).or_panic()
}

/// `torch.tril(input, diagonal)`: see [`ops::tril`].
#[track_caller]
pub fn tril(input: &Tensor, diagonal: i64) -> Tensor {
    ops::tril(input, diagonal).or_panic()
}

/// `torch.triu(input, diagonal)`: see [`ops::triu`].
#[track_caller]
pub fn triu(input: &Tensor, diagonal: i64) -> Tensor {
    ops::triu(input, diagonal).or_panic()
}

/// `torch.diag(input, diagonal)`: see [`ops::diag`].
#[track_caller]
pub fn diag(input: &Tensor, diagonal: i64) -> Tensor {
    ops::diag(input, diagonal).or_panic()
}

/// `torch.allclose` with PyTorch's tolerances: see [`ops::allclose`].
#[track_caller]
pub fn allclose(input: &Tensor, other: &Tensor) -> bool {
    input.allclose(other)
}

/// `torch.isclose` with PyTorch's tolerances: see [`ops::isclose`].
#[track_caller]
pub fn isclose(input: &Tensor, other: &Tensor) -> Tensor {
    input.isclose(other)
}

/// `torch.equal`: see [`ops::equal`].
#[track_caller]
pub fn equal(input: &Tensor, other: &Tensor) -> bool {
    ops::equal(input, other).or_panic()
}

/// `torch.zeros_like`.
#[track_caller]
pub fn zeros_like(input: &Tensor) -> Tensor {
    input.zeros_like()
}

/// `torch.ones_like`.
#[track_caller]
pub fn ones_like(input: &Tensor) -> Tensor {
    input.ones_like()
}

/// `torch.full_like`.
#[track_caller]
pub fn full_like(input: &Tensor, fill_value: impl Into<Scalar>) -> Tensor {
    input.full_like(fill_value)
}

/// `torch.empty_like`.
#[track_caller]
pub fn empty_like(input: &Tensor) -> Tensor {
    input.empty_like()
}

/// `torch.rand_like`.
#[track_caller]
pub fn rand_like(input: &Tensor) -> Tensor {
    input.rand_like()
}

/// `torch.randn_like`.
#[track_caller]
pub fn randn_like(input: &Tensor) -> Tensor {
    input.randn_like()
}

/// The number of elements: `torch.numel`.
pub fn numel(input: &Tensor) -> usize {
    input.numel()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor;

    #[test]
    fn functions_are_the_methods() {
        let (a, b) = (tensor([1.0, -2.0]), tensor([3.0, 4.0]));
        assert_eq!(add(&a, &b).to_vec::<f32>(), (&a + &b).to_vec::<f32>());
        assert_eq!(cat(&[&a, &b], 0).to_vec::<f32>(), [1.0, -2.0, 3.0, 4.0]);
        assert_eq!(where_(&gt(&a, 0), &a, 7.0).to_vec::<f32>(), [1.0, 7.0]);
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
        let outcome = std::panic::catch_unwind(|| add(&tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0])));
        std::panic::set_hook(hook);
        assert!(outcome.is_err());
        assert_eq!(*line.lock().unwrap(), here);
    }
}
