//! Views: other shapes of the same memory.

use crate::error::{Error, Result};
use crate::graph::{record, recording};
use crate::ops::{copy, reduce, to_i64};
use crate::views::record_view;
use crate::{OrPanic, Tensor};
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::{numel, wrap_dim};
use flambeau_tensor::{Array, DType, Dims};
use smallvec::{SmallVec, smallvec};

pub use reduce::sum_to_size;

/// A list of signed numbers given as an array, slice, vector or single number: dims, or a shape that may hold −1.
pub trait IntoDims {
    /// The list.
    fn into_dims(self) -> SmallVec<[i64; 6]>;
}

/// A shape: `[2, 3]`, `x.size()`, `&[2, 3]`, `5`.
pub trait IntoShape: IntoDims {}
impl<T: IntoDims> IntoShape for T {}

macro_rules! lists {
    ($($t:ty),*) => {$(
        impl IntoDims for $t {
            fn into_dims(self) -> SmallVec<[i64; 6]> { smallvec![self as i64] }
        }
        impl<const N: usize> IntoDims for [$t; N] {
            fn into_dims(self) -> SmallVec<[i64; 6]> { self.iter().map(|&n| n as i64).collect() }
        }
        impl<const N: usize> IntoDims for &[$t; N] {
            fn into_dims(self) -> SmallVec<[i64; 6]> { self.iter().map(|&n| n as i64).collect() }
        }
        impl IntoDims for &[$t] {
            fn into_dims(self) -> SmallVec<[i64; 6]> { self.iter().map(|&n| n as i64).collect() }
        }
        impl IntoDims for Vec<$t> {
            fn into_dims(self) -> SmallVec<[i64; 6]> { self.iter().map(|&n| n as i64).collect() }
        }
    )*};
}
lists!(i32, i64, usize);

impl IntoDims for () {
    fn into_dims(self) -> SmallVec<[i64; 6]> {
        SmallVec::new()
    }
}

impl IntoDims for crate::Size {
    fn into_dims(self) -> SmallVec<[i64; 6]> {
        to_i64(&self)
    }
}

impl IntoDims for &crate::Size {
    fn into_dims(self) -> SmallVec<[i64; 6]> {
        to_i64(self)
    }
}

/// Shape, strides and offset of a view.
#[derive(Clone, Debug)]
pub(crate) struct Strided {
    pub shape: Dims,
    pub strides: Dims,
    pub offset: usize,
}

impl Strided {
    pub(crate) fn of(a: &Array) -> Self {
        Strided { shape: a.shape().into(), strides: a.strides().into(), offset: a.offset() }
    }

    /// This view in a copy of its base that lies in memory as the base does, from offset zero.
    pub(crate) fn within(&self, copy: &Tensor, base: &Strided) -> Result<Tensor> {
        let offset = self.offset.checked_sub(base.offset).ok_or_else(|| {
            let offset = self.offset as i128 - base.offset as i128;
            Error::runtime(format!("Tensor: invalid storage offset {offset}"))
        })?;
        as_strided(copy, &self.shape, &self.strides, offset)
    }
}

/// Refuses a shape of more elements than PyTorch can count, even where another length is zero.
fn check_count(shape: &[usize]) -> Result<()> {
    let count = shape.iter().try_fold(1i64, |n, &d| n.checked_mul(i64::try_from(d).ok()?));
    count.map(drop).ok_or_else(|| Error::runtime("numel: integer multiplication overflow"))
}

/// Any shape, strides and offset over the tensor's memory: `torch.as_strided`.
///
/// # Errors
/// When an element would lie outside the memory.
pub fn as_strided(x: &Tensor, shape: &[usize], strides: &[usize], offset: usize) -> Result<Tensor> {
    check_count(shape)?;
    let last = shape.iter().zip(strides).try_fold(offset, |end, (&n, &s)| {
        n.saturating_sub(1).checked_mul(s)?.checked_add(end).filter(|&end| end < i64::MAX as usize)
    });
    if last.and_then(|last| (last + 1).checked_mul(x.dtype().size())).is_none() {
        return Err(Error::runtime(format!(
            "Storage size calculation overflowed with sizes={shape:?} and strides={strides:?}"
        )));
    }
    let view = x.array().as_strided(shape, strides, offset)?;
    let (base, own) = (Strided::of(&x.array()), Strided::of(&view));
    Ok(record_view("AsStridedBackward0", x, view, move |c| {
        Ok(smallvec![Some(strided_scatter(&c.grad(0)?, &own, &base)?)])
    }))
}

/// The gradient of a strided view for its base: each element of `grad` is added where the view shows it. Elements of the
/// base that share memory share the sum in equal parts, as in PyTorch.
pub(crate) fn strided_scatter(grad: &Tensor, view: &Strided, base: &Strided) -> Result<Tensor> {
    let extent = |s: &Strided| {
        s.offset + s.shape.iter().zip(&s.strides).map(|(n, st)| n.saturating_sub(1) * st).sum::<usize>() + 1
    };
    let start = view.offset.min(base.offset);
    let length = extent(view).max(extent(base)) - start;
    let array = grad.array();
    let flat = crate::ops::zeros(&[length], grad.dtype(), grad.device())?;
    if array.numel() > 0 {
        let at = positions(&flat, view, start)?;
        let dense = array.reshape(&[-1])?;
        flambeau_tensor::ops::scatter(ScatterOp::Add, 0, &at, &dense, &flat.array())?;
    }
    let mut out = flat.array().as_strided(&base.shape, &base.strides, base.offset - start)?;
    if !out.is_non_overlapping() {
        let ones = crate::ops::ones(&[numel(&base.shape)], grad.dtype(), grad.device())?;
        let counts = crate::ops::zeros(&[length], grad.dtype(), grad.device())?;
        let index = positions(&counts, base, start)?;
        flambeau_tensor::ops::scatter(ScatterOp::Add, 0, &index, &ones.array(), &counts.array())?;
        let counts = counts.array().as_strided(&base.shape, &base.strides, base.offset - start)?;
        out = crate::ops::div(&Tensor::from(out), Tensor::from(counts))?.array().clone();
    }
    // In the graph of a second derivative this is a linear map whose transpose is the view itself.
    let (view, base) = (view.clone(), base.clone());
    Ok(record("AsStridedScatterBackward0", &[grad], &[], out, move |c| {
        let all = to_strided(&c.grad(0)?, &base)?;
        Ok(smallvec![Some(view.within(&all, &base)?)])
    }))
}

/// Where each element of a view lies, counted from `start`: i64 `[n]`.
fn positions(like: &Tensor, view: &Strided, start: usize) -> Result<Array> {
    let mut at = vec![(view.offset - start) as i64];
    for (&n, &s) in view.shape.iter().zip(&view.strides) {
        at = at.iter().flat_map(|&p| (0..n).map(move |i| p + (i * s) as i64)).collect();
    }
    let backend = flambeau_device::backend(like.device())?;
    Ok(Array::from_slice(backend, like.device(), &at, &[at.len()])?)
}

/// A copy of `x` that lies in memory as a base does, from offset zero.
pub(crate) fn to_strided(x: &Tensor, base: &Strided) -> Result<Tensor> {
    to_strided_named("CloneBackward0", x, base)
}

pub(crate) fn to_strided_named(name: &'static str, x: &Tensor, base: &Strided) -> Result<Tensor> {
    let backend = flambeau_device::backend(x.device())?;
    let out = Array::empty_strided(backend, x.device(), &base.shape, &base.strides, x.dtype())?;
    flambeau_tensor::ops::copy_into(&x.array(), &out)?;
    Ok(record(name, &[x], &[], out, |c| Ok(smallvec![Some(c.grad(0)?)])))
}

/// The tensor in a shape that it mostly has already, as gradients do: no view is made where nothing grows.
pub(crate) fn expand_if_needed(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if x.array().shape() == shape && !recording(&[x]) { Ok(x.clone()) } else { expand(x, &to_i64(shape)) }
}

/// Lengths of one grow without a copy; −1 keeps a length: `x.expand(sizes)`.
pub fn expand(x: &Tensor, sizes: &[i64]) -> Result<Tensor> {
    let array = x.array();
    let shape: Dims = array.shape().into();
    let view = array.expand(sizes)?;
    check_count(view.shape())?;
    Ok(record_view("ExpandBackward0", x, view, move |c| Ok(smallvec![Some(sum_to_size(&c.grad(0)?, &shape)?)])))
}

/// Another shape of the same elements: `x.view(shape)`. One length may be −1; fails where it needs a copy.
pub fn view(x: &Tensor, shape: &[i64]) -> Result<Tensor> {
    let from = to_i64(x.array().shape());
    let view = x.array().view(shape)?;
    check_count(view.shape())?;
    Ok(record_view("ViewBackward0", x, view, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &from)?)])))
}

/// Another shape of the same elements, as a view where possible: `torch.reshape`.
pub fn reshape(x: &Tensor, shape: &[i64]) -> Result<Tensor> {
    let from = to_i64(x.array().shape());
    let out = x.array().reshape(shape)?;
    check_count(out.shape())?;
    if out.storage().ptr_eq(x.array().storage()) {
        let name = if x.is_contiguous() { "ViewBackward0" } else { "ReshapeAliasBackward0" };
        return Ok(record_view(name, x, out, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &from)?)])));
    }
    Ok(record("UnsafeViewBackward0", &[x], &[], out, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &from)?)])))
}

/// Dimensions `start..=end` as one: `torch.flatten`.
pub fn flatten(x: &Tensor, start: i64, end: i64) -> Result<Tensor> {
    let shape = x.size();
    let (start, end) = (wrap_dim(start, shape.len())?, wrap_dim(end, shape.len())?);
    if start > end {
        return Err(Error::runtime("flatten() has invalid args: start_dim cannot come after end_dim"));
    }
    if shape.is_empty() {
        return reshape(x, &[1]);
    }
    if start == end {
        return Ok(x.clone());
    }
    let merged = numel(&shape[start..=end]);
    let new: Vec<i64> = shape[..start]
        .iter()
        .copied()
        .chain([merged])
        .chain(shape[end + 1..].iter().copied())
        .map(|n| n as i64)
        .collect();
    reshape(x, &new)
}

/// Reorders dimensions: `x.permute(dims)`.
pub fn permute(x: &Tensor, dims: &[i64]) -> Result<Tensor> {
    let view = x.array().permute(dims)?;
    let n = dims.len();
    let mut inverse = vec![0; n];
    for (i, &d) in dims.iter().enumerate() {
        inverse[wrap_dim(d, n)?] = i as i64;
    }
    Ok(record_view("PermuteBackward0", x, view, move |c| Ok(smallvec![Some(permute(&c.grad(0)?, &inverse)?)])))
}

/// Swaps two dimensions: `torch.transpose`.
pub fn transpose(x: &Tensor, a: i64, b: i64) -> Result<Tensor> {
    let view = x.array().transpose(a, b)?;
    Ok(record_view("TransposeBackward0", x, view, move |c| Ok(smallvec![Some(transpose(&c.grad(0)?, a, b)?)])))
}

/// The transpose of a matrix; fewer dimensions stay: `x.t()`.
pub fn t(x: &Tensor) -> Result<Tensor> {
    let n = x.dim();
    if n > 2 {
        return Err(Error::runtime(format!("t() expects a tensor with <= 2 dimensions, but self is {n}D")));
    }
    let view = x.array().transpose(0, if n < 2 { 0 } else { 1 })?;
    Ok(record_view("TBackward0", x, view, move |c| Ok(smallvec![Some(t(&c.grad(0)?)?)])))
}

/// Python's `[start:end:step]` of a dimension.
pub fn slice(x: &Tensor, dim: i64, start: Option<i64>, end: Option<i64>, step: i64) -> Result<Tensor> {
    let view = x.array().slice(dim, start, end, step)?;
    let shape = x.size();
    Ok(record_view("SliceBackward0", x, view, move |c| {
        Ok(smallvec![Some(embed(
            "SliceBackward0",
            &c.grad(0)?,
            &shape,
            move |a| Ok(a.slice(dim, start, end, step)?),
            move |g| slice(g, dim, start, end, step)
        )?)])
    }))
}

/// The part `start..start + length` of a dimension: `torch.narrow`.
pub fn narrow(x: &Tensor, dim: i64, start: i64, length: i64) -> Result<Tensor> {
    let start = x.array().narrow_start(dim, start, length)?;
    slice(x, dim, Some(start), Some(start + length), 1)
}

/// One line of a dimension, which goes away: `x.select(dim, index)`.
pub fn select(x: &Tensor, dim: i64, index: i64) -> Result<Tensor> {
    let view = x.array().select(dim, index)?;
    let shape = x.size();
    Ok(record_view("SelectBackward0", x, view, move |c| {
        Ok(smallvec![Some(embed(
            "SelectBackward0",
            &c.grad(0)?,
            &shape,
            move |a| Ok(a.select(dim, index)?),
            move |g| select(g, dim, index)
        )?)])
    }))
}

/// Zeros of `shape` with `grad` in the part that `part` picks: the gradient of a view that shows each element once.
/// `again` is that view on tensors: the derivative of this.
fn embed(
    name: &'static str,
    grad: &Tensor,
    shape: &[usize],
    part: impl Fn(&Array) -> Result<Array>,
    again: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let out = crate::ops::zeros(shape, grad.dtype(), grad.device())?;
    flambeau_tensor::ops::copy_into(&grad.array(), &part(&out.array())?)?;
    let out = out.array().clone();
    Ok(record(name, &[grad], &[], out, move |c| Ok(smallvec![Some(again(&c.grad(0)?)?)])))
}

/// Inserts a dimension of length one: `torch.unsqueeze`.
pub fn unsqueeze(x: &Tensor, dim: i64) -> Result<Tensor> {
    let view = x.array().unsqueeze(dim)?;
    let shape = to_i64(x.array().shape());
    Ok(record_view("UnsqueezeBackward0", x, view, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &shape)?)])))
}

/// Removes dimensions of length one, all or those among `dims`: `torch.squeeze`.
pub fn squeeze(x: &Tensor, dims: Option<&[i64]>) -> Result<Tensor> {
    let view = x.array().squeeze(dims)?;
    let shape = to_i64(x.array().shape());
    let name = match dims {
        None => "SqueezeBackward0",
        Some([_]) => "SqueezeBackward1",
        Some(_) => "SqueezeBackward2",
    };
    Ok(record_view(name, x, view, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &shape)?)])))
}

/// All windows of `size` along a dimension, `step` apart, as a new last dimension: `x.unfold(dim, size, step)`.
pub fn unfold(x: &Tensor, dim: i64, size: i64, step: i64) -> Result<Tensor> {
    let view = x.array().unfold(dim, size, step)?;
    strided_view("UnfoldBackward0", x, view, |a| Ok(a.unfold(dim, size, step)?))
}

/// The diagonal of two dimensions as a new last one: `torch.diagonal`.
pub fn diagonal(x: &Tensor, offset: i64, dim1: i64, dim2: i64) -> Result<Tensor> {
    let view = x.array().diagonal(offset, dim1, dim2)?;
    strided_view("DiagonalBackward0", x, view, |a| Ok(a.diagonal(offset, dim1, dim2)?))
}

/// Records a view by its geometry: its gradient is a scatter into a row-major copy of the input.
fn strided_view(
    name: &'static str,
    x: &Tensor,
    view: Array,
    again: impl Fn(&Array) -> Result<Array>,
) -> Result<Tensor> {
    let array = x.array();
    let (base, own) = if array.is_contiguous() {
        (Strided::of(&array), Strided::of(&view))
    } else {
        // The elements of an input whose memory overlaps still have gradients of their own.
        let dense = copy::empty(array.shape(), array.dtype(), array.device())?;
        (Strided::of(&dense), Strided::of(&again(&dense)?))
    };
    Ok(record_view(name, x, view, move |c| Ok(smallvec![Some(strided_scatter(&c.grad(0)?, &own, &base)?)])))
}

/// Another shape in place, growing the memory where it must: `x.resize_(shape)`. Elements keep their place in memory, new
/// ones are zero or stale.
///
/// # Errors
/// On a tensor that requires grad.
pub fn resize_(x: &Tensor, shape: &[i64]) -> Result<Tensor> {
    if x.requires_grad() {
        return Err(Error::runtime("cannot resize variables that require grad"));
    }
    if let Some(d) = shape.iter().find(|&&d| d < 0) {
        return Err(Error::runtime(format!("Trying to create tensor with negative dimension {d}: {shape:?}")));
    }
    let array = x.array().clone();
    let shape: Dims = shape.iter().map(|&d| d as usize).collect();
    check_count(&shape)?;
    let elements = flambeau_tensor::dims::checked_numel(&shape).and_then(|n| n.checked_add(array.offset()));
    let bytes = elements.and_then(|n| n.checked_mul(array.dtype().size()));
    let bytes = bytes.ok_or_else(|| Error::runtime("Storage size calculation overflowed"))?;
    if !shape.contains(&0) {
        array.storage().grow(bytes)?;
    }
    let strides = flambeau_tensor::dims::contiguous_strides(&shape);
    x.replace_array(Array::from_parts(array.storage().clone(), array.dtype(), shape, strides, array.offset())?);
    Ok(x.clone())
}

/// An i64 tensor of numbers `0..n`, for operations that need positions.
pub(crate) fn iota(n: usize, like: &Tensor) -> Result<Tensor> {
    let values: Vec<i64> = (0..n as i64).collect();
    let array = Array::from_slice(flambeau_device::backend(like.device())?, like.device(), &values, &[n])?;
    debug_assert_eq!(array.dtype(), DType::I64);
    Ok(array.into())
}

/// Views; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`expand`].
    #[track_caller]
    pub fn expand(&self, sizes: impl IntoShape) -> Tensor {
        expand(self, &sizes.into_dims()).or_panic()
    }

    /// Expands to another tensor's shape: `x.expand_as(other)`.
    #[track_caller]
    pub fn expand_as(&self, other: &Tensor) -> Tensor {
        expand(self, &to_i64(&other.size())).or_panic()
    }

    /// Broadcasts to a shape: `torch.broadcast_to`.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl IntoShape) -> Tensor {
        expand(self, &shape.into_dims()).or_panic()
    }

    /// See [`view`].
    #[track_caller]
    pub fn view(&self, shape: impl IntoShape) -> Tensor {
        view(self, &shape.into_dims()).or_panic()
    }

    /// In another tensor's shape: `x.view_as(other)`.
    #[track_caller]
    pub fn view_as(&self, other: &Tensor) -> Tensor {
        view(self, &to_i64(&other.size())).or_panic()
    }

    /// See [`reshape`].
    #[track_caller]
    pub fn reshape(&self, shape: impl IntoShape) -> Tensor {
        reshape(self, &shape.into_dims()).or_panic()
    }

    /// See [`flatten`].
    #[track_caller]
    pub fn flatten(&self, start: i64, end: i64) -> Tensor {
        flatten(self, start, end).or_panic()
    }

    /// See [`permute`].
    #[track_caller]
    pub fn permute(&self, dims: impl IntoDims) -> Tensor {
        permute(self, &dims.into_dims()).or_panic()
    }

    /// See [`transpose`].
    #[track_caller]
    pub fn transpose(&self, a: i64, b: i64) -> Tensor {
        transpose(self, a, b).or_panic()
    }

    /// See [`t`].
    #[track_caller]
    pub fn t(&self) -> Tensor {
        t(self).or_panic()
    }

    /// See [`slice()`].
    #[track_caller]
    pub fn slice(&self, dim: i64, start: Option<i64>, end: Option<i64>, step: i64) -> Tensor {
        slice(self, dim, start, end, step).or_panic()
    }

    /// See [`narrow`].
    #[track_caller]
    pub fn narrow(&self, dim: i64, start: i64, length: i64) -> Tensor {
        narrow(self, dim, start, length).or_panic()
    }

    /// See [`select`].
    #[track_caller]
    pub fn select(&self, dim: i64, index: i64) -> Tensor {
        select(self, dim, index).or_panic()
    }

    /// See [`unsqueeze`].
    #[track_caller]
    pub fn unsqueeze(&self, dim: i64) -> Tensor {
        unsqueeze(self, dim).or_panic()
    }

    /// All dimensions of length one removed. See [`squeeze`].
    #[track_caller]
    pub fn squeeze(&self) -> Tensor {
        squeeze(self, None).or_panic()
    }

    /// Some dimensions of length one removed: `x.squeeze(dim)`. See [`squeeze`].
    #[track_caller]
    pub fn squeeze_dim(&self, dims: impl IntoDims) -> Tensor {
        squeeze(self, Some(&dims.into_dims())).or_panic()
    }

    /// See [`unfold`].
    #[track_caller]
    pub fn unfold(&self, dim: i64, size: i64, step: i64) -> Tensor {
        unfold(self, dim, size, step).or_panic()
    }

    /// See [`diagonal`].
    #[track_caller]
    pub fn diagonal(&self, offset: i64, dim1: i64, dim2: i64) -> Tensor {
        diagonal(self, offset, dim1, dim2).or_panic()
    }

    /// See [`as_strided`].
    #[track_caller]
    pub fn as_strided(&self, shape: &[usize], strides: &[usize], offset: usize) -> Tensor {
        as_strided(self, shape, strides, offset).or_panic()
    }

    /// See [`resize_`].
    #[track_caller]
    pub fn resize_(&self, shape: impl IntoShape) -> Tensor {
        resize_(self, &shape.into_dims()).or_panic()
    }
}
