//! Tensors of Rust's numbers, and numbers of tensors.

pub use crate::ops::paths::torch::{
    arange, arange_with, empty, empty_with, eye, eye_with, full, full_with, linspace, linspace_with, ones, ones_with,
    rand, rand_with, randint, randint_with, randn, randn_with, randperm, randperm_with, zeros, zeros_with,
};

use crate::ops::{IntoShape, TensorOptions};
use crate::{OrPanic, Result, Size, Tensor};
use flambeau_device::{backend, default_device};
use flambeau_tensor::promotion::promote_types;
use flambeau_tensor::{Array, DType, Device, Element, Scalar, default_dtype};

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
    #[track_caller]
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
number_literals!(bool, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64, Scalar);

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

/// A 0-dim tensor among numbers, as in `torch.tensor([loss, 1.0])`: its number.
impl Literal for &Tensor {
    fn shape(&self, _: usize, _: &mut Vec<usize>) {}
    #[track_caller]
    fn values(&self, out: &mut Vec<Scalar>) {
        assert!(self.numel() == 1, "only one element tensors can be converted to Python scalars");
        out.push(self.array().item().or_panic());
    }
}

impl Literal for Tensor {
    fn shape(&self, _: usize, _: &mut Vec<usize>) {}
    #[track_caller]
    fn values(&self, out: &mut Vec<Scalar>) {
        (&self).values(out);
    }
}

macro_rules! list_literals {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> Literal for $t {
            #[track_caller]
            fn shape(&self, depth: usize, shape: &mut Vec<usize>) {
                list_shape(&self[..], depth, shape);
            }
            #[track_caller]
            fn values(&self, out: &mut Vec<Scalar>) {
                self.iter().for_each(|item| item.values(out));
            }
        }
    )*};
}
list_literals!([T: Literal, const N: usize] [T; N], [T: Literal, const N: usize] &[T; N], [T: Literal] Vec<T>, [T: Literal] &Vec<T>, [T: Literal] &[T]);

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
    tensor_with(data, |o| o)
}

/// [`tensor`] with a dtype, a device or a gradient: `torch.tensor(data, dtype=…, device=…, requires_grad=…)`.
///
/// # Panics
/// When the rows differ in length, or an integer dtype does not hold a number.
///
/// ```
/// let x = torch::tensor_with([1, 2], |o| o.dtype(torch::float64).requires_grad(true));
/// assert_eq!(x.to_vec::<f64>(), [1.0, 2.0]);
/// ```
#[track_caller]
pub fn tensor_with(data: impl Literal, options: impl FnOnce(TensorOptions) -> TensorOptions) -> Tensor {
    let (mut shape, mut values) = (Vec::new(), Vec::new());
    data.shape(0, &mut shape);
    data.values(&mut values);
    literal(&values, &shape, &options(TensorOptions::default()))
}

#[track_caller]
fn literal(values: &[Scalar], shape: &[usize], options: &TensorOptions) -> Tensor {
    let dtypes = values.iter().map(|v| v.dtype(default_dtype()));
    let dtype = options.dtype.unwrap_or_else(|| dtypes.reduce(promote_types).unwrap_or_else(default_dtype));
    let device = options.device.unwrap_or_else(default_device);
    scalars_on(values, shape, dtype, device).or_panic().requires_grad_(options.requires_grad)
}

/// A tensor of numbers of any kind, converted to `dtype`: `torch.tensor(values, dtype=dtype)`.
///
/// # Errors
/// When an integer dtype does not hold a number.
pub fn from_scalars(values: &[Scalar], shape: &[usize], dtype: DType) -> Result<Tensor> {
    scalars_on(values, shape, dtype, default_device())
}

/// [`from_scalars`] on a device.
pub(crate) fn scalars_on(values: &[Scalar], shape: &[usize], dtype: DType, device: Device) -> Result<Tensor> {
    fn make<T: Element>(values: &[Scalar], shape: &[usize], device: Device) -> Result<Tensor> {
        // Float types round to infinity here.
        if !T::DTYPE.is_floating_point() && !values.iter().all(|s| s.fits(T::DTYPE)) {
            let name = T::DTYPE.name();
            return Err(crate::Error::runtime(format!("value cannot be converted to type {name} without overflow")));
        }
        let data: Vec<T> = values.iter().map(|&s| T::from_scalar(s)).collect();
        Ok(Array::from_slice(backend(device)?, device, &data, shape)?.into())
    }
    match dtype {
        DType::Bool => make::<bool>(values, shape, device),
        DType::U8 => make::<u8>(values, shape, device),
        DType::I8 => make::<i8>(values, shape, device),
        DType::I16 => make::<i16>(values, shape, device),
        DType::I32 => make::<i32>(values, shape, device),
        DType::I64 => make::<i64>(values, shape, device),
        DType::F16 => make::<half::f16>(values, shape, device),
        DType::BF16 => make::<half::bf16>(values, shape, device),
        DType::F32 => make::<f32>(values, shape, device),
        DType::F64 => make::<f64>(values, shape, device),
    }
}

/// Tensors like another one.
impl Tensor {
    /// A tensor of a literal with this tensor's dtype and device: `x.new_tensor(data)`.
    ///
    /// # Panics
    /// When the rows differ in length, or an integer dtype does not hold a number.
    ///
    /// ```
    /// let x = torch::tensor([1, 2]).new_tensor([1.7, -1.7]);
    /// assert_eq!(x.to_vec::<i64>(), [1, -1]);
    /// ```
    #[track_caller]
    pub fn new_tensor(&self, data: impl Literal) -> Tensor {
        self.new_tensor_with(data, |o| o)
    }

    /// [`Tensor::new_tensor`] with a dtype, a device or a gradient of its own.
    ///
    /// # Panics
    /// As [`Tensor::new_tensor`].
    ///
    /// ```
    /// let x = torch::tensor([1, 2]).new_tensor_with([0.5], |o| o.dtype(torch::float64).requires_grad(true));
    /// assert_eq!((x.item(), x.dtype(), x.requires_grad()), (0.5, torch::float64, true));
    /// ```
    #[track_caller]
    pub fn new_tensor_with(&self, data: impl Literal, options: impl FnOnce(TensorOptions) -> TensorOptions) -> Tensor {
        let (mut shape, mut values) = (Vec::new(), Vec::new());
        data.shape(0, &mut shape);
        data.values(&mut values);
        let given = options(TensorOptions::default());
        let (dtype, device) = (given.dtype.unwrap_or(self.dtype()), given.device.unwrap_or(self.device()));
        let made = scalars_on(&values, &shape, dtype, device).or_panic();
        made.requires_grad_(given.requires_grad)
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
