//! Tensors of Rust's numbers, and numbers of tensors.

pub use crate::ops::paths::torch::{
    arange, arange_range, empty, eye, full, linspace, ones, rand, randint, randn, randperm, randperm_with, zeros,
};

use crate::ops::IntoShape;
use crate::{OrPanic, Result, Size, Tensor};
use flambeau_device::{backend, default_device};
use flambeau_tensor::promotion::promote_types;
use flambeau_tensor::{Array, DType, Element, Scalar, default_dtype};

/// Checks that a shape has no negative length.
#[track_caller]
pub(crate) fn shape_of(shape: impl IntoShape) -> Vec<usize> {
    let dims = shape.into_dims();
    if let Some(d) = dims.iter().find(|&&d| d < 0) {
        panic!("Trying to create tensor with negative dimension {d}: {dims:?}");
    }
    dims.iter().map(|&d| d as usize).collect()
}

/// A tensor of a vector's numbers, in their own dtype.
///
/// # Panics
/// When the shape does not hold as many.
///
/// ```
/// let x = torch::from_vec(vec![1u8, 2, 3, 4], [2, 2]);
/// assert_eq!(x.dtype(), torch::uint8);
/// ```
#[track_caller]
pub fn from_vec<T: Element>(data: Vec<T>, shape: impl IntoShape) -> Tensor {
    from_slice(&data, shape)
}

/// A tensor that copies a slice's numbers, in their own dtype.
///
/// # Panics
/// When the shape does not hold as many.
///
/// ```
/// let x = torch::from_slice(&[0.5f64, 1.5], [2]);
/// assert_eq!(x.dtype(), torch::float64);
/// ```
#[track_caller]
pub fn from_slice<T: Element>(data: &[T], shape: impl IntoShape) -> Tensor {
    let shape = flambeau_tensor::dims::infer_shape(&shape.into_dims(), data.len()).or_panic();
    let device = default_device();
    let array = backend(device).and_then(|b| Array::from_slice(b, device, data, &shape));
    array.or_panic().into()
}

/// Nested Rust arrays, slices and vectors of numbers that [`tensor`] accepts.
pub trait Literal {
    /// Appends the lengths below this level; the first call decides them, later calls must agree.
    #[track_caller]
    fn shape(&self, depth: usize, shape: &mut Vec<usize>);
    /// Appends the numbers.
    fn values(&self, out: &mut Vec<Scalar>);
}

macro_rules! number_literals {
    ($($t:ty),*) => {$(
        impl Literal for $t {
            fn shape(&self, _: usize, _: &mut Vec<usize>) {}
            fn values(&self, out: &mut Vec<Scalar>) {
                out.push((*self).into());
            }
        }
    )*};
}
number_literals!(bool, u8, i8, i16, i32, u32, i64, usize, f32, f64, Scalar);

#[track_caller]
fn list_shape<T: Literal>(list: &[T], depth: usize, shape: &mut Vec<usize>) {
    match shape.get(depth) {
        None => shape.push(list.len()),
        Some(&n) => assert!(n == list.len(), "expected sequence of length {n} at dim {depth} (got {})", list.len()),
    }
    for item in list {
        item.shape(depth + 1, shape);
    }
}

macro_rules! list_literals {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> Literal for $t {
            #[track_caller]
            fn shape(&self, depth: usize, shape: &mut Vec<usize>) {
                list_shape(&self[..], depth, shape);
            }
            fn values(&self, out: &mut Vec<Scalar>) {
                self.iter().for_each(|item| item.values(out));
            }
        }
    )*};
}
list_literals!([T: Literal, const N: usize] [T; N], [T: Literal] Vec<T>, [T: Literal] &[T]);

/// A tensor of a Python-like literal: `torch.tensor([[1., 2.]])`. Floats take the default dtype, integers int64, bools bool;
/// of numbers of several kinds the widest decides: `[1, 2.5]` are floats.
///
/// # Panics
/// When the rows differ in length.
///
/// ```
/// let x = torch::tensor([[1., 2.], [3., 4.]]);
/// assert_eq!(x.size(), [2, 2]);
/// ```
#[track_caller]
pub fn tensor(data: impl Literal) -> Tensor {
    let (mut shape, mut values) = (Vec::new(), Vec::new());
    data.shape(0, &mut shape);
    data.values(&mut values);
    let dtypes = values.iter().map(|v| v.dtype(default_dtype()));
    let dtype = dtypes.reduce(promote_types).unwrap_or_else(default_dtype);
    from_scalars(&values, &shape, dtype).or_panic()
}

/// A tensor of numbers of any kind, converted to `dtype`: `torch.tensor(values, dtype=dtype)`.
///
/// # Errors
/// When an integer dtype does not hold a number.
pub fn from_scalars(values: &[Scalar], shape: &[usize], dtype: DType) -> Result<Tensor> {
    fn make<T: Element>(values: &[Scalar], shape: &[usize]) -> Result<Tensor> {
        // Float types round to infinity here.
        if !T::DTYPE.is_floating_point() && !values.iter().all(|s| s.fits(T::DTYPE)) {
            let name = T::DTYPE.name();
            return Err(crate::Error::runtime(format!("value cannot be converted to type {name} without overflow")));
        }
        let data: Vec<T> = values.iter().map(|&s| T::from_scalar(s)).collect();
        let device = default_device();
        Ok(Array::from_slice(backend(device)?, device, &data, shape)?.into())
    }
    match dtype {
        DType::Bool => make::<bool>(values, shape),
        DType::U8 => make::<u8>(values, shape),
        DType::I8 => make::<i8>(values, shape),
        DType::I16 => make::<i16>(values, shape),
        DType::I32 => make::<i32>(values, shape),
        DType::I64 => make::<i64>(values, shape),
        DType::F16 => make::<half::f16>(values, shape),
        DType::BF16 => make::<half::bf16>(values, shape),
        DType::F32 => make::<f32>(values, shape),
        DType::F64 => make::<f64>(values, shape),
    }
}

/// The elements as Rust's numbers.
impl Tensor {
    /// The only element as f64: `x.item()`.
    ///
    /// # Panics
    /// When there are several elements.
    ///
    /// ```
    /// assert_eq!(torch::tensor([1.0, 2.0]).sum().item(), 3.0);
    /// ```
    #[track_caller]
    pub fn item(&self) -> f64 {
        self.array().item().or_panic().to_f64()
    }

    /// The only element in a type of the caller's choice.
    ///
    /// # Panics
    /// When there are several elements.
    ///
    /// ```
    /// assert_eq!(torch::tensor([3, 4]).max().item_as::<i64>(), 4);
    /// ```
    #[track_caller]
    pub fn item_as<T: Element>(&self) -> T {
        T::from_scalar(self.array().item().or_panic())
    }

    /// The elements in row-major order, in the tensor's own type.
    ///
    /// # Panics
    /// When `T` is not the tensor's dtype.
    ///
    /// ```
    /// assert_eq!(torch::tensor([[1, 2], [3, 4]]).t().to_vec::<i64>(), [1, 3, 2, 4]);
    /// ```
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        self.array().to_vec().or_panic()
    }
}

impl From<Size> for Vec<usize> {
    fn from(size: Size) -> Self {
        size.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beside `torch.tensor` of the same Python lists.
    #[test]
    fn the_widest_kind_of_a_literal_decides() {
        let dtype = |numbers: &[Scalar]| tensor(numbers).dtype();
        let (yes, one, half) = (Scalar::Bool(true), Scalar::Int(1), Scalar::Float(2.5));
        assert_eq!(dtype(&[one, half]), DType::F32); // [1, 2.5]
        assert_eq!(tensor([one, half]).to_vec::<f32>(), [1.0, 2.5]);
        assert_eq!(dtype(&[yes, one]), DType::I64); // [True, 1]
        assert_eq!(dtype(&[yes, half]), DType::F32); // [True, 2.5]
        assert_eq!(dtype(&[half, one, yes]), DType::F32);
        assert_eq!(dtype(&[yes, yes]), DType::Bool);
        assert_eq!(dtype(&[]), DType::F32); // []
        assert_eq!(tensor([[one, one], [one, half]]).to_vec::<f32>(), [1.0, 1.0, 1.0, 2.5]);
    }

    #[test]
    fn an_integer_type_takes_what_it_holds() {
        let error = from_scalars(&[Scalar::Int(1), Scalar::Int(300)], &[2], DType::U8).unwrap_err();
        assert_eq!(error.to_string(), "value cannot be converted to type uint8 without overflow");
        assert_eq!(from_scalars(&[Scalar::Int(-1)], &[1], DType::U8).unwrap().to_vec::<u8>(), [255]);
    }
}
