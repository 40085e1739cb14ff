//! Arguments of convolutions and pooling windows: one number for all spatial dimensions or one per dimension.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::IntoDims;
use flambeau_tensor::DType;
use flambeau_tensor::view::tensor_type;
use smallvec::SmallVec;

/// Sizes per spatial dimension as the caller gave them: one number stands for all.
pub type Sizes = SmallVec<[i64; 6]>;

/// The `padding` of a convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Zeros on both sides, per spatial dimension.
    Sizes(Sizes),
    /// `"same"` (the output has the input's size) or `"valid"` (none).
    Named(String),
}

/// What a convolution accepts as `padding`: numbers, or `"same"` and `"valid"`.
pub trait IntoPadding {
    /// The padding.
    fn into_padding(self) -> Padding;
}

impl<T: IntoDims> IntoPadding for T {
    fn into_padding(self) -> Padding {
        Padding::Sizes(self.into_dims())
    }
}

impl IntoPadding for &str {
    fn into_padding(self) -> Padding {
        Padding::Named(self.to_owned())
    }
}

impl IntoPadding for Padding {
    fn into_padding(self) -> Padding {
        self
    }
}

/// What adaptive pooling accepts as `output_size`: numbers, or `Option`s of which `None` keeps the input's length.
pub trait IntoOutputSize {
    /// The lengths.
    fn into_output_size(self) -> SmallVec<[Option<i64>; 3]>;
}

impl<T: IntoDims> IntoOutputSize for T {
    fn into_output_size(self) -> SmallVec<[Option<i64>; 3]> {
        self.into_dims().into_iter().map(Some).collect()
    }
}

impl<const N: usize> IntoOutputSize for [Option<i64>; N] {
    fn into_output_size(self) -> SmallVec<[Option<i64>; 3]> {
        self.into_iter().collect()
    }
}

impl IntoOutputSize for &[Option<i64>] {
    fn into_output_size(self) -> SmallVec<[Option<i64>; 3]> {
        self.iter().copied().collect()
    }
}

/// What pooling accepts as `stride`: numbers; none stand for the window's size.
pub trait IntoStride {
    /// The steps, or `None`.
    fn into_stride(self) -> Option<Sizes>;
}

impl<T: IntoDims> IntoStride for T {
    fn into_stride(self) -> Option<Sizes> {
        Some(self.into_dims()).filter(|s| !s.is_empty())
    }
}

/// One number for each of `ndim` spatial dimensions; `message` words the error for any other count.
pub(crate) fn per_dim(sizes: &[i64], ndim: usize, message: impl FnOnce() -> String) -> Result<Sizes> {
    match sizes {
        [one] => Ok(Sizes::from_elem(*one, ndim)),
        all if all.len() == ndim => Ok(all.into()),
        _ => Err(Error::runtime(message())),
    }
}

/// The sizes of planes of height one for the sizes of lines: `fill` in front.
pub(crate) fn widened(sizes: &[i64], fill: i64) -> Sizes {
    std::iter::once(fill).chain(sizes.iter().copied()).collect()
}

/// Three numbers with the missing leading dimensions filled in, as the backends take them.
pub(crate) fn three(sizes: &[i64], fill: usize) -> [usize; 3] {
    let mut all = [fill; 3];
    for (to, &from) in all[3 - sizes.len()..].iter_mut().zip(sizes) {
        *to = from as usize;
    }
    all
}

/// The type of a tensor in messages of C++: `torch.FloatTensor`, or where the old names lack one `CPUBoolType`.
pub(crate) fn type_text(x: &Tensor) -> String {
    let device = if x.device().is_cpu() { "CPU" } else { "CUDA" };
    match x.dtype() {
        DType::Bool | DType::BF16 => format!("{device}{}Type", x.dtype().scalar_type_name()),
        _ => format!("torch.{}", tensor_type(&x.array())),
    }
}

/// C++'s name of a dtype in the messages of products and convolutions: `long int` where [`DType::c_name`] has `long`.
pub(crate) fn cpp_name(dtype: DType) -> &'static str {
    dtype.cpp_name()
}
