//! Tensors as Rust's nested lists, and lists of tensors as arrays.

use crate::{OrPanic, Tensor, ops};
use flambeau_tensor::{DType, Element};

/// What [`Tensor::tolist`] can give: a number for a tensor of one element, a `Vec` of numbers for one dimension, a `Vec` of those
/// for two, and so on.
pub trait Nested: Sized {
    /// The numbers in it.
    type Number: Element;
    /// How many dimensions it has.
    const DIMS: usize;
    /// The part of this shape that `numbers` begins with; they are taken away.
    fn nest(numbers: &mut std::vec::IntoIter<Self::Number>, shape: &[usize]) -> Self;
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl Nested for $t {
            type Number = $t;
            const DIMS: usize = 0;
            fn nest(numbers: &mut std::vec::IntoIter<$t>, _: &[usize]) -> $t {
                numbers.next().unwrap_or_default()
            }
        }
    )*};
}
numbers!(bool, u8, i8, i16, i32, i64, f32, f64);

impl<T: Nested> Nested for Vec<T> {
    type Number = T::Number;
    const DIMS: usize = T::DIMS + 1;
    fn nest(numbers: &mut std::vec::IntoIter<T::Number>, shape: &[usize]) -> Self {
        (0..shape[0]).map(|_| T::nest(numbers, &shape[1..])).collect()
    }
}

impl Tensor {
    /// The elements as nested lists, a list for each dimension: `x.tolist()`. Floats are given as `f64`, Python's float, or in
    /// their own type; integers as `i64` or in their own.
    ///
    /// ```
    /// let x = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let rows: Vec<Vec<f64>> = x.tolist();
    /// assert_eq!(rows, [[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum().tolist::<f32>(), 10.0);
    /// ```
    ///
    /// # Panics
    /// When the tensor has another number of dimensions, or does not hold such numbers.
    #[track_caller]
    pub fn tolist<T: Nested>(&self) -> T {
        assert!(
            self.dim() == T::DIMS,
            "tolist: expected a tensor of {} dimensions, got one of {}",
            T::DIMS,
            self.dim()
        );
        let (own, wanted) = (self.dtype(), T::Number::DTYPE);
        let same_kind =
            own.is_floating_point() == wanted.is_floating_point() && (own == DType::Bool) == (wanted == DType::Bool);
        let widened = same_kind && own.size() < wanted.size();
        let x = if widened { ops::to_dtype(&self.detach(), wanted).or_panic() } else { self.shallow_clone() };
        T::nest(&mut x.to_vec().into_iter(), &self.size())
    }
}

/// A list as an array, Python's `q, k, v = x.chunk(3)`.
///
/// ```
/// let x = torch::arange(6).view((2, 3));
/// let [q, k, v] = torch::unpack(x.chunk(3, -1));
/// assert_eq!((q.size_dim(1), v.i(0).item()), (1, 2.0));
/// # let _ = k;
/// ```
///
/// # Panics
/// When the list has another length, in Python's words.
#[track_caller]
pub fn unpack<T, const N: usize>(list: Vec<T>) -> [T; N] {
    let len = list.len();
    match list.try_into() {
        Ok(array) => array,
        Err(_) if len < N => panic!("not enough values to unpack (expected {N}, got {len})"),
        Err(_) => panic!("too many values to unpack (expected {N}, got {len})"),
    }
}

#[cfg(test)]
mod tests {
    use super::unpack;
    use crate::tensor;
    use flambeau_tensor::DType;

    #[test]
    fn lists_nest_as_the_tensor_does() {
        let x = tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]);
        assert_eq!(x.transpose(0, 2).tolist::<Vec<Vec<Vec<i64>>>>(), [[[1, 5], [3, 7]], [[2, 6], [4, 8]]]);
        let none: Vec<Vec<f64>> = crate::zeros_with([2, 0], |o| o.dtype(DType::F16)).tolist();
        assert_eq!(none, [[], []] as [[f64; 0]; 2]);
        assert_eq!(tensor([true, false]).tolist::<Vec<bool>>(), [true, false]);
    }

    #[test]
    #[should_panic(expected = "tolist: expected a tensor of 1 dimensions, got one of 2")]
    fn another_number_of_dimensions() {
        tensor([[1.0]]).tolist::<Vec<f64>>();
    }

    #[test]
    #[should_panic(expected = "not enough values to unpack (expected 3, got 2)")]
    fn too_few() {
        let [_a, _b, _c] = unpack(tensor([1, 2]).unbind());
    }

    #[test]
    #[should_panic(expected = "too many values to unpack (expected 1, got 2)")]
    fn too_many() {
        let [_a] = unpack(tensor([1, 2]).unbind());
    }
}
