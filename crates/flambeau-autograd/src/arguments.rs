//! What the public forms of operations take where an operation takes an integer, a number, an optional tensor or a list of
//! tensors: whatever a user has at hand.

use crate::{AsTensor, Tensor};
use flambeau_tensor::Scalar;
use smallvec::SmallVec;

/// An integer of any of Rust's types: a dimension, a length, an index, a count.
#[diagnostic::on_unimplemented(message = "`{Self}` is no integer", label = "an integer of any type is expected here")]
pub trait Int: Copy {
    /// The number.
    ///
    /// # Panics
    /// When it does not fit; on `usize::MAX` with a hint, since that is what the compiler proposes for −1.
    #[track_caller]
    fn to_i64(self) -> i64;

    /// The number as a length.
    ///
    /// # Panics
    /// When it is negative.
    #[inline]
    #[track_caller]
    fn to_usize(self) -> usize {
        let n = self.to_i64();
        // In a closure a panic would lose the caller's line.
        match usize::try_from(n) {
            Ok(n) => n,
            Err(_) => panic!("expected a number that is not negative, but got {n}"),
        }
    }

    /// The number in 32 bits.
    ///
    /// # Panics
    /// When it does not fit.
    #[inline]
    #[track_caller]
    fn to_i32(self) -> i32 {
        let n = self.to_i64();
        match i32::try_from(n) {
            Ok(n) => n,
            Err(_) => panic!("value cannot be converted to type int32 without overflow: {n}"),
        }
    }
}

/// A number of any of Rust's types: a slope, a probability, an eps.
#[diagnostic::on_unimplemented(message = "`{Self}` is no number", label = "a number of any type is expected here")]
pub trait Number: Copy {
    /// The number as Python's float.
    fn to_f64(self) -> f64;
}

#[cold]
#[track_caller]
fn too_large(n: u128) -> ! {
    match n == usize::MAX as u128 {
        true => panic!(
            "usize::MAX is no size; was −1 meant? Write it as -1 in a list of i64, or beside a usize in a tuple: (n, -1)"
        ),
        false => panic!("Overflow when unpacking long long: {n}"),
    }
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Int for $t {
            #[inline]
            #[track_caller]
            fn to_i64(self) -> i64 {
                match i64::try_from(self) {
                    Ok(n) => n,
                    // In a closure it would lose the caller's line.
                    Err(_) => too_large(self as u128),
                }
            }
        }
    )*};
}
integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl Number for $t {
            #[inline]
            fn to_f64(self) -> f64 { self as f64 }
        }
        impl OptNumber for $t {
            #[inline]
            fn to_option(self) -> Option<f64> { Some(self as f64) }
        }
    )*};
}
numbers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64);

/// An integer, or `None`.
pub trait OptInt {
    /// The number, if there is one.
    #[track_caller]
    fn to_option(self) -> Option<i64>;
}

impl<T: Int> OptInt for T {
    #[inline]
    #[track_caller]
    fn to_option(self) -> Option<i64> {
        Some(self.to_i64())
    }
}

// Exactly one Option, here and below: with two, a bare `None` would not tell which is meant.
impl OptInt for Option<i64> {
    #[inline]
    fn to_option(self) -> Option<i64> {
        self
    }
}

/// A number, or `None`.
pub trait OptNumber {
    /// The number, if there is one.
    fn to_option(self) -> Option<f64>;
}

impl OptNumber for Option<f64> {
    #[inline]
    fn to_option(self) -> Option<f64> {
        self
    }
}

/// A number that keeps its kind (bool, integer, float), or `None`.
pub trait OptScalar {
    /// The number, if there is one.
    fn to_option(self) -> Option<Scalar>;
}

macro_rules! scalars {
    ($($t:ty),*) => {$(
        impl OptScalar for $t {
            #[inline]
            fn to_option(self) -> Option<Scalar> { Some(self.into()) }
        }
    )*};
}
scalars!(bool, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64, Scalar);

impl OptScalar for Option<Scalar> {
    #[inline]
    fn to_option(self) -> Option<Scalar> {
        self
    }
}

/// A tensor or none: what is a tensor, `None`, `Some(&x)`, and a reference to an option, such as `&self.bias`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, w, b) = (torch::ones((1, 2)), torch::ones((3, 2)), torch::ones(3));
/// assert_eq!(F::linear(&x, &w, None).to_vec::<f32>(), [2.0; 3]);
/// assert_eq!(F::linear(&x, &w, &b).to_vec::<f32>(), [3.0; 3]);
/// assert_eq!(F::linear(x, w, &Some(b)).to_vec::<f32>(), [3.0; 3]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a tensor nor an optional one",
    label = "expected a tensor, `None`, `Some(&tensor)` or `&option`"
)]
pub trait OptTensor {
    /// The tensor, if there is one.
    fn to_option(&self) -> Option<&Tensor>;
}

impl<T: AsTensor> OptTensor for T {
    #[inline]
    fn to_option(&self) -> Option<&Tensor> {
        Some(self.as_tensor())
    }
}

impl OptTensor for Option<&Tensor> {
    #[inline]
    fn to_option(&self) -> Option<&Tensor> {
        *self
    }
}

impl<T: AsTensor> OptTensor for &Option<T> {
    #[inline]
    fn to_option(&self) -> Option<&Tensor> {
        self.as_ref().map(AsTensor::as_tensor)
    }
}

/// The tensors of a list.
pub type TensorRefs<'a> = SmallVec<[&'a Tensor; 4]>;

/// Several tensors: an array, a slice, a vector, or a tuple, which may mix `x` and `&y`.
///
/// ```
/// let (a, b) = (torch::ones(1), torch::zeros(1));
/// assert_eq!(torch::cat([&a, &b], 0).to_vec::<f32>(), [1.0, 0.0]);
/// assert_eq!(torch::cat((&a, a.neg()), 0).to_vec::<f32>(), [1.0, -1.0]);
/// assert_eq!(torch::cat(vec![a, b], 0).to_vec::<f32>(), [1.0, 0.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of tensors",
    label = "expected an array, a slice, a vector or a tuple of tensors"
)]
pub trait TensorList {
    /// The tensors.
    fn to_list(&self) -> TensorRefs<'_>;
}

macro_rules! lists {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> TensorList for $t {
            #[inline]
            fn to_list(&self) -> TensorRefs<'_> { self.iter().map(AsTensor::as_tensor).collect() }
        }
    )*};
}
lists!([T: AsTensor, const N: usize] [T; N], [T: AsTensor] [T], [T: AsTensor] Vec<T>);

impl<L: TensorList + ?Sized> TensorList for &L {
    #[inline]
    fn to_list(&self) -> TensorRefs<'_> {
        (**self).to_list()
    }
}

/// One tensor or several: what a [`TensorList`] is, and a tensor by itself.
#[diagnostic::on_unimplemented(message = "`{Self}` is neither a tensor nor a list of tensors")]
pub trait OneOrMore {
    /// The tensors.
    fn to_list(&self) -> TensorRefs<'_>;
}

impl<L: TensorList> OneOrMore for L {
    fn to_list(&self) -> TensorRefs<'_> {
        TensorList::to_list(self)
    }
}

impl OneOrMore for Tensor {
    fn to_list(&self) -> TensorRefs<'_> {
        smallvec::smallvec![self]
    }
}

impl OneOrMore for &Tensor {
    fn to_list(&self) -> TensorRefs<'_> {
        smallvec::smallvec![*self]
    }
}

macro_rules! tuples {
    ($(($($name:ident $at:tt)*))*) => {$(
        impl<$($name: AsTensor),*> TensorList for ($($name,)*) {
            #[inline]
            fn to_list(&self) -> TensorRefs<'_> {
                smallvec::smallvec![$(self.$at.as_tensor()),*]
            }
        }
        impl<$($name: Int),*> crate::ops::IntoDims for ($($name,)*) {
            #[inline]
            #[track_caller]
            fn into_dims(self) -> SmallVec<[i64; 6]> {
                smallvec::smallvec![$(self.$at.to_i64()),*]
            }
        }
    )*};
}
tuples! {
    (A 0)
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
    (A 0 B 1 C 2 D 3 E 4)
    (A 0 B 1 C 2 D 3 E 4 F 5)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7)
}

/// A tensor that may come with a name: what an optimizer takes a list of, `model.parameters()` or `model.named_parameters()`.
///
/// ```
/// use flambeau_autograd::arguments::MaybeNamed;
///
/// let x = torch::ones(1);
/// assert_eq!((&x).into_named().0, None);
/// assert_eq!(("weight", &x).into_named().0.as_deref(), Some("weight"));
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` is neither a tensor nor a pair of a name and a tensor")]
pub trait MaybeNamed {
    /// The name, if there is one, and the tensor.
    fn into_named(self) -> (Option<String>, Tensor);
}

impl<T: Into<Tensor>> MaybeNamed for T {
    fn into_named(self) -> (Option<String>, Tensor) {
        (None, self.into())
    }
}

impl<N: Into<String>, T: Into<Tensor>> MaybeNamed for (N, T) {
    fn into_named(self) -> (Option<String>, Tensor) {
        (Some(self.0.into()), self.1.into())
    }
}

impl MaybeNamed for &(String, Tensor) {
    fn into_named(self) -> (Option<String>, Tensor) {
        (Some(self.0.clone()), self.1.shallow_clone())
    }
}
