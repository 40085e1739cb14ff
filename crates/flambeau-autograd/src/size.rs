//! Lengths, counts and kinds: what a tensor is like.

use crate::arguments::Int;
use crate::tensor::ArrayRef;
use crate::{OrPanic, Tensor, ops};
use flambeau_tensor::Dims;
use std::ops::Deref;

/// The lengths of a tensor: `torch.Size`. A slice with PyTorch's printing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Size(pub(crate) Dims);

impl Size {
    /// How many elements a tensor of this size has.
    pub fn numel(&self) -> usize {
        flambeau_tensor::dims::numel(&self.0)
    }
}

impl From<&[usize]> for Size {
    fn from(lengths: &[usize]) -> Self {
        Size(lengths.into())
    }
}

impl Deref for Size {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&flambeau_tensor::print::format_size(&self.0))
    }
}

impl std::fmt::Debug for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Size {
    fn eq(&self, other: &[usize; N]) -> bool {
        **self == other[..]
    }
}

impl PartialEq<[usize]> for Size {
    fn eq(&self, other: &[usize]) -> bool {
        **self == *other
    }
}

impl PartialEq<Vec<usize>> for Size {
    fn eq(&self, other: &Vec<usize>) -> bool {
        **self == other[..]
    }
}

/// What [`Tensor::sizes`] can give: an array or a tuple of lengths.
pub trait FromSizes: Sized {
    /// How many lengths there are to be.
    const COUNT: usize;
    /// The lengths, as many as [`FromSizes::COUNT`].
    fn from_sizes(sizes: &[usize]) -> Self;
}

impl<const N: usize> FromSizes for [usize; N] {
    const COUNT: usize = N;
    fn from_sizes(sizes: &[usize]) -> Self {
        std::array::from_fn(|i| sizes[i])
    }
}

macro_rules! tuples {
    ($($count:literal ($($length:ident $at:literal)*))*) => {$(
        impl FromSizes for ($($length,)*) {
            const COUNT: usize = $count;
            fn from_sizes(sizes: &[usize]) -> Self {
                ($(sizes[$at],)*)
            }
        }
    )*};
}
type Length = usize;
tuples! {
    1 (Length 0)
    2 (Length 0 Length 1)
    3 (Length 0 Length 1 Length 2)
    4 (Length 0 Length 1 Length 2 Length 3)
    5 (Length 0 Length 1 Length 2 Length 3 Length 4)
    6 (Length 0 Length 1 Length 2 Length 3 Length 4 Length 5)
}

/// Lengths and counts.
impl Tensor {
    /// The lengths, as `torch.Size`: `x.size()`. One of them is [`Tensor::size_dim`], all at once into names
    /// [`Tensor::sizes`].
    #[inline]
    pub fn size(&self) -> Size {
        Size(self.array().shape().into())
    }

    /// The lengths: `x.shape`.
    #[inline]
    #[track_caller]
    pub fn shape(&self) -> Size {
        let array = self.array();
        if let ArrayRef::Replaced(_) = array {
            assert!(!self.is_uninitialized(), "{}", Tensor::uninitialized_shape_message());
        }
        Size(array.shape().into())
    }

    /// The lengths into names, as Python's `b, t, c = x.size()`.
    ///
    /// # Panics
    /// When the tensor has more or fewer dimensions, in Python's words.
    ///
    /// ```
    /// let x = torch::zeros((2, 3, 4));
    /// let [b, t, c] = x.sizes();
    /// assert_eq!((b, t, c), (2, 3, 4));
    /// ```
    #[track_caller]
    pub fn sizes<S: FromSizes>(&self) -> S {
        let size = self.size();
        match size.len() {
            n if n > S::COUNT => panic!("too many values to unpack (expected {})", S::COUNT),
            n if n < S::COUNT => panic!("not enough values to unpack (expected {}, got {n})", S::COUNT),
            _ => S::from_sizes(&size),
        }
    }

    /// The length of one dimension; negative dimensions count from the end: `x.size(d)`.
    ///
    /// # Panics
    /// When there is no such dimension.
    #[track_caller]
    pub fn size_dim(&self, dim: impl Int) -> usize {
        let (array, dim) = (self.array(), dim.to_i64());
        let d = flambeau_tensor::dims::wrap_dim(dim, array.ndim()).or_panic();
        match array.shape().get(d) {
            Some(&n) => n,
            None => panic!("Dimension specified as {dim} but tensor has no dimensions"),
        }
    }

    /// How many dimensions: `x.dim()`.
    #[inline]
    #[track_caller]
    pub fn dim(&self) -> usize {
        match self.array() {
            ArrayRef::Original(array) => array.ndim(),
            ArrayRef::Replaced(array) => {
                self.refuse("dim");
                array.ndim()
            }
        }
    }

    /// How many dimensions: `x.ndim`.
    #[inline]
    pub fn ndim(&self) -> usize {
        self.array().ndim()
    }

    /// How many elements: `x.numel()`.
    #[inline]
    #[track_caller]
    pub fn numel(&self) -> usize {
        match self.array() {
            ArrayRef::Original(array) => array.numel(),
            ArrayRef::Replaced(array) => {
                self.refuse("numel");
                array.numel()
            }
        }
    }

    /// How many elements: `x.nelement()`.
    #[inline]
    #[track_caller]
    pub fn nelement(&self) -> usize {
        self.numel()
    }

    /// The length of the first dimension: Python's `len(x)`.
    ///
    /// # Panics
    /// For a 0-dim tensor.
    ///
    /// ```
    /// let x = torch::zeros((2, 3));
    /// assert_eq!(x.len(), 2);
    /// let rows: Vec<_> = (&x).into_iter().map(|row| row.numel()).collect();
    /// assert_eq!(rows, [3, 3]);
    /// ```
    #[track_caller]
    pub fn len(&self) -> usize {
        match self.array().shape().first() {
            Some(&n) => n,
            None => panic!("len() of a 0-d tensor"),
        }
    }

    /// Whether [`Tensor::len`] is 0.
    ///
    /// # Panics
    /// For a 0-dim tensor.
    #[track_caller]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes an element has: `x.element_size()`.
    pub fn element_size(&self) -> usize {
        self.dtype().size()
    }

    /// How many bytes an element has: `x.itemsize`.
    pub fn itemsize(&self) -> usize {
        self.element_size()
    }

    /// How many bytes the elements have: `x.nbytes`.
    ///
    /// ```
    /// assert_eq!(torch::zeros((2, 3)).nbytes(), 24);
    /// ```
    pub fn nbytes(&self) -> usize {
        self.numel() * self.element_size()
    }
}

/// Kinds.
impl Tensor {
    /// Whether the dtype is a floating-point type: `x.is_floating_point()`.
    pub fn is_floating_point(&self) -> bool {
        self.dtype().is_floating_point()
    }

    /// Whether the dtype is complex, which no dtype is yet: `x.is_complex()`.
    pub fn is_complex(&self) -> bool {
        false
    }

    /// Whether the dtype has negative numbers: `x.is_signed()`.
    pub fn is_signed(&self) -> bool {
        !matches!(self.dtype(), flambeau_tensor::DType::Bool | flambeau_tensor::DType::U8)
    }

    /// Whether the elements lie on a GPU: `x.is_cuda`, for whatever GPU it is.
    pub fn is_cuda(&self) -> bool {
        !self.device().is_host()
    }

    /// Whether both have the same lengths: `x.is_same_size(other)`.
    pub fn is_same_size(&self, other: impl crate::AsTensor) -> bool {
        self.array().shape() == other.as_tensor().array().shape()
    }

    /// The tensor in host memory: `x.cpu()`; itself where it is there.
    #[track_caller]
    pub fn cpu(&self) -> Tensor {
        self.to(flambeau_tensor::Device::Cpu)
    }

    /// The tensor on the first GPU, whatever its make: `x.cuda()`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn cuda(&self) -> Tensor {
        self.to(flambeau_tensor::Device::Wgpu(0))
    }

    /// The tensor in the dtype and on the device of another: `x.type_as(other)`.
    ///
    /// ```
    /// let x = torch::tensor([1, 2]).type_as(&torch::zeros(1));
    /// assert_eq!(x.dtype(), torch::float32);
    /// ```
    #[track_caller]
    pub fn type_as(&self, other: impl crate::AsTensor) -> Tensor {
        self.to(other.as_tensor())
    }

    /// The transpose of a matrix, or all dimensions in reverse order: `x.T`.
    ///
    /// ```
    /// assert_eq!(torch::zeros((2, 3)).T().size(), [3, 2]);
    /// ```
    #[allow(non_snake_case, reason = "PyTorch's name")]
    #[track_caller]
    pub fn T(&self) -> Tensor {
        if self.dim() != 2 {
            crate::warn(
                "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will throw an \
                 error in a future release. Consider `x.mT` to transpose batches of matrices or \
                 `x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor.",
            );
        }
        let dims: Vec<i64> = (0..self.dim() as i64).rev().collect();
        ops::permute(self, &dims).or_panic()
    }

    /// The last two dimensions swapped: `x.mT`.
    ///
    /// # Panics
    /// For a tensor of fewer than two dimensions.
    ///
    /// ```
    /// assert_eq!(torch::zeros((5, 2, 3)).mT().size(), [5, 3, 2]);
    /// ```
    #[allow(non_snake_case, reason = "PyTorch's name")]
    #[track_caller]
    pub fn mT(&self) -> Tensor {
        let n = self.dim();
        assert!(n >= 2, "tensor.mT is only supported on matrices or batches of matrices. Got {n}-D tensor.");
        ops::transpose(self, -2, -1).or_panic()
    }
}

impl Tensor {
    /// The parts along the first dimension: Python's `for row in x`, which `for row in &x` is too.
    ///
    /// # Panics
    /// For a 0-dim tensor.
    #[track_caller]
    pub fn iter(&self) -> std::vec::IntoIter<Tensor> {
        self.into_iter()
    }
}

/// The parts along the first dimension, as Python's `for row in x`.
impl IntoIterator for &Tensor {
    type Item = Tensor;
    type IntoIter = std::vec::IntoIter<Tensor>;

    #[track_caller]
    fn into_iter(self) -> Self::IntoIter {
        assert!(self.dim() > 0, "iteration over a 0-d tensor");
        ops::unbind(self, 0).or_panic().into_iter()
    }
}

impl IntoIterator for Tensor {
    type Item = Tensor;
    type IntoIter = std::vec::IntoIter<Tensor>;

    #[track_caller]
    fn into_iter(self) -> Self::IntoIter {
        (&self).into_iter()
    }
}
