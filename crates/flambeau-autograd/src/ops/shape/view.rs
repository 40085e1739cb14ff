//! Views: other shapes of the same memory.

use crate::Tensor;
use crate::arguments::Int;
use crate::error::{Error, Result};
use crate::graph::{record, recording};
use crate::ops::{Place, copy, reduce, to_i64};
use crate::views::record_view;
use flambeau_macros::op;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::{numel, wrap_dim};
use flambeau_tensor::{Array, DType, Dims};
use smallvec::{SmallVec, smallvec};

pub use reduce::sum_to_size;

/// A list of signed numbers given as an array, slice, vector or single number: dims, or a shape that may hold −1.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an integer nor several",
    label = "expected a size or dimensions: `2`, `(2, -1)`, `[2, 3]`, `x.size()`"
)]
pub trait IntoDims {
    /// The list.
    fn into_dims(self) -> SmallVec<[i64; 6]>;
}

/// A shape: `[2, 3]`, `x.size()`, `&[2, 3]`, `5`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an integer nor several",
    label = "expected a size or dimensions: `2`, `(2, -1)`, `[2, 3]`, `x.size()`"
)]
pub trait IntoShape: IntoDims {}
impl<T: IntoDims> IntoShape for T {}

impl<T: Int> IntoDims for T {
    #[inline]
    #[track_caller]
    fn into_dims(self) -> SmallVec<[i64; 6]> {
        smallvec![self.to_i64()]
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> IntoDims for $t {
            #[inline]
            #[track_caller]
            fn into_dims(self) -> SmallVec<[i64; 6]> {
                let mut dims = SmallVec::new();
                for n in self.iter() {
                    dims.push(n.to_i64());
                }
                dims
            }
        }
    )*};
}
lists!([T: Int, const N: usize] [T; N], [T: Int, const N: usize] &[T; N], [T: Int] &[T], [T: Int] Vec<T>, [T: Int] &Vec<T>);

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

/// A view of any shape over the tensor's memory: `torch.as_strided`. The element i, j, … lies `storage_offset` + i · `stride[0]`
/// + j · `stride[1]` + … elements behind the start of the memory; elements may repeat.
///
/// # Errors
/// Where an element would lie outside the memory.
///
/// ```
/// let x = torch::arange(6);
/// let windows = x.as_strided(&[4, 3], &[1, 1], 0);
/// assert_eq!(windows.to_vec::<i64>(), [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5]);
/// ```
#[op(torch, method)]
pub fn as_strided(x: &Tensor, size: &[usize], stride: &[usize], storage_offset: usize) -> Result<Tensor> {
    check_count(size)?;
    let last = size.iter().zip(stride).try_fold(storage_offset, |end, (&n, &s)| {
        n.saturating_sub(1).checked_mul(s)?.checked_add(end).filter(|&end| end < i64::MAX as usize)
    });
    if last.and_then(|last| (last + 1).checked_mul(x.dtype().size())).is_none() {
        return Err(Error::runtime(format!(
            "Storage size calculation overflowed with sizes={size:?} and strides={stride:?}"
        )));
    }
    let view = x.array().as_strided(size, stride, storage_offset)?;
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
    if x.array().shape() == shape && !recording(&[x]) { Ok(x.shallow_clone()) } else { expand(x, &to_i64(shape)) }
}

/// A view in which lengths of one grow to those of `sizes`, by showing the one element again and again: `x.expand(sizes)`. −1
/// keeps a length, and more sizes than dimensions add dimensions in front. No memory is copied; [`repeat`](crate::ops::repeat())
/// copies.
///
/// # Errors
/// Where a length that is not one would change.
///
/// ```
/// let column = torch::tensor([[1], [2]]);
/// assert_eq!(column.expand([-1, 3]).to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
/// assert_eq!(column.expand([4, 2, 3]).size(), [4, 2, 3]);
/// ```
#[op(method)]
pub fn expand(x: &Tensor, sizes: &[i64]) -> Result<Tensor> {
    let array = x.array();
    let shape: Dims = array.shape().into();
    let view = array.expand(sizes)?;
    check_count(view.shape())?;
    Ok(record_view("ExpandBackward0", x, view, move |c| Ok(smallvec![Some(sum_to_size(&c.grad(0)?, &shape)?)])))
}

/// [`expand()`] to another tensor's shape: `x.expand_as(other)`.
///
/// ```
/// let (x, other) = (torch::tensor([1, 2]), torch::zeros([3, 2]));
/// assert_eq!(x.expand_as(&other).to_vec::<i64>(), [1, 2, 1, 2, 1, 2]);
/// ```
#[op(method)]
pub fn expand_as(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    expand(x, &to_i64(&other.size()))
}

/// [`expand()`] under NumPy's name, also a function: `torch.broadcast_to`.
///
/// ```
/// let x = torch::tensor([1, 2]);
/// assert_eq!(torch::broadcast_to(&x, [2, 2]).to_vec::<i64>(), [1, 2, 1, 2]);
/// ```
#[op(torch, method)]
pub fn broadcast_to(x: &Tensor, shape: &[i64]) -> Result<Tensor> {
    expand(x, shape)
}

/// The same elements, in the same memory, in another shape: `x.view(shape)`. One length may be −1: what the others leave. Writing
/// to the view writes to the tensor.
///
/// # Errors
/// Where the number of elements differs, and where the elements lie in memory so that only a copy has the shape: [`reshape()`]
/// makes it.
///
/// ```
/// let x = torch::arange(6);
/// assert_eq!(x.view([2, -1]).size(), [2, 3]);
/// x.view([2, 3]).select(0, 1).fill_(0);
/// assert_eq!(x.to_vec::<i64>(), [0, 1, 2, 0, 0, 0]);
/// ```
#[op(method)]
pub fn view(x: &Tensor, shape: &[i64]) -> Result<Tensor> {
    let from = to_i64(x.array().shape());
    let view = x.array().view(shape)?;
    check_count(view.shape())?;
    Ok(record_view("ViewBackward0", x, view, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &from)?)])))
}

/// [`view()`] in another tensor's shape: `x.view_as(other)`.
///
/// ```
/// let x = torch::arange(6).view_as(&torch::zeros([3, 2]));
/// assert_eq!(x.select(0, 1).to_vec::<i64>(), [2, 3]);
/// ```
#[op(method)]
pub fn view_as(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    view(x, &to_i64(&other.size()))
}

/// [`reshape`] in another tensor's shape: `x.reshape_as(other)`.
///
/// ```
/// let x = torch::arange(6).reshape_as(&torch::zeros([3, 2]));
/// assert_eq!(x.size(), [3, 2]);
/// ```
#[op(method)]
pub fn reshape_as(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    reshape(x, &to_i64(&other.size()))
}

/// The same elements, in row-major order, in another shape: `torch.reshape`. One length may be −1: what the others leave. A view
/// where that is possible, else a copy.
///
/// # Errors
/// Where the number of elements differs.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// assert_eq!(x.reshape([3, -1]).size(), [3, 2]);
/// assert_eq!(x.t().reshape(-1).to_vec::<i64>(), [1, 4, 2, 5, 3, 6]);
/// ```
#[op(torch, method)]
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

/// The dimensions from `start_dim` to `end_dim`, both included, as one: `torch.flatten`. A view where that is possible.
///
/// # Errors
/// Where `start_dim` comes after `end_dim`.
///
/// ```
/// let x = torch::zeros([2, 3, 4]);
/// assert_eq!(x.flatten(0).size(), [24]);
/// assert_eq!(x.flatten_dims(1, 2).size(), [2, 12]);
/// ```
#[op(torch, method, forms(
    flatten(start_dim: i64) = (start_dim, -1),
    flatten_dims(start_dim: i64, end_dim: i64) = (start_dim, end_dim),
),
    default(start_dim = 0)
)]
pub fn flatten(x: &Tensor, start_dim: i64, end_dim: i64) -> Result<Tensor> {
    let shape = x.size();
    let (start, end) = (wrap_dim(start_dim, shape.len())?, wrap_dim(end_dim, shape.len())?);
    if start > end {
        return Err(Error::runtime("flatten() has invalid args: start_dim cannot come after end_dim"));
    }
    if shape.is_empty() {
        return reshape(x, &[1]);
    }
    if start == end {
        return Ok(x.shallow_clone());
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

/// The dimensions in another order, as a view: dimension i of the result is `dims[i]` of the tensor: `torch.permute`.
///
/// # Errors
/// Where `dims` does not name each dimension once.
///
/// ```
/// let x = torch::zeros([2, 3, 4]);
/// assert_eq!(x.permute([2, 0, 1]).size(), [4, 2, 3]);
/// ```
#[op(torch, method)]
pub fn permute(x: &Tensor, dims: &[i64]) -> Result<Tensor> {
    let view = x.array().permute(dims)?;
    let n = dims.len();
    let mut inverse = vec![0; n];
    for (i, &d) in dims.iter().enumerate() {
        inverse[wrap_dim(d, n)?] = i as i64;
    }
    Ok(record_view("PermuteBackward0", x, view, move |c| Ok(smallvec![Some(permute(&c.grad(0)?, &inverse)?)])))
}

/// Two dimensions swapped, as a view: `torch.transpose`.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// assert_eq!(x.transpose(0, 1).to_vec::<i64>(), [1, 4, 2, 5, 3, 6]);
/// ```
#[op(torch, method, alias(swapaxes, swapdims))]
pub fn transpose(x: &Tensor, dim0: i64, dim1: i64, place: Place) -> Result<Tensor> {
    place.check(x)?;
    let view = x.array().transpose(dim0, dim1)?;
    let names = ["TransposeBackward0", "TransposeBackward1"];
    place.view(names, x, view, move |c| Ok(smallvec![Some(transpose(&c.grad(0)?, dim0, dim1)?)]))
}

/// The transpose of a matrix, as a view; a tensor of fewer dimensions as it is: `torch.t`.
///
/// # Errors
/// For more than two dimensions.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// assert_eq!(x.t().to_vec::<i64>(), [1, 4, 2, 5, 3, 6]);
/// ```
#[op(torch, method)]
pub fn t(x: &Tensor, place: Place) -> Result<Tensor> {
    place.check(x)?;
    let n = x.dim();
    if n > 2 {
        let name = if place.is_first() { "t_" } else { "t" };
        return Err(Error::runtime(format!("{name}() expects a tensor with <= 2 dimensions, but self is {n}D")));
    }
    let view = x.array().transpose(0, if n < 2 { 0 } else { 1 })?;
    place.view(["TBackward0", "TBackward1"], x, view, move |c| Ok(smallvec![Some(t(&c.grad(0)?)?)]))
}

/// A view of every `step`-th line along `dim` from `start` up to, not including, `end`: Python's `x[start:end:step]` in the
/// dimension `dim`. Negative ends count from the end of the dimension, ends outside are moved to it; `None` is the whole.
///
/// # Errors
/// Where `step` is not positive.
///
/// ```
/// let x = torch::arange(6);
/// assert_eq!(x.slice(0, 1, None, 2).to_vec::<i64>(), [1, 3, 5]);
/// assert_eq!(x.slice(0, None, -2, 1).to_vec::<i64>(), [0, 1, 2, 3]);
/// ```
#[op(method)]
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

/// A view of `length` lines along `dim`, the first of which is `start`: `torch.narrow`.
///
/// # Errors
/// Where a line lies outside the dimension.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// assert_eq!(x.narrow(1, 1, 2).to_vec::<i64>(), [2, 3, 5, 6]);
/// ```
#[op(torch, method)]
pub fn narrow(x: &Tensor, dim: i64, start: i64, length: i64) -> Result<Tensor> {
    let start = x.array().narrow_start(dim, start, length)?;
    slice(x, dim, Some(start), Some(start + length), 1)
}

/// A view of one line along `dim`, which goes away: `torch.select`. A negative index counts from the end.
///
/// # Errors
/// Where the index lies outside the dimension.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// assert_eq!(x.select(0, 1).to_vec::<i64>(), [4, 5, 6]);
/// assert_eq!(x.select(1, -1).to_vec::<i64>(), [3, 6]);
/// ```
#[op(torch, method)]
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

/// A view with a new dimension of length one at `dim`: `torch.unsqueeze`.
///
/// ```
/// let x = torch::tensor([1, 2, 3]);
/// assert_eq!(x.unsqueeze(0).size(), [1, 3]);
/// assert_eq!(x.unsqueeze(-1).size(), [3, 1]);
/// ```
#[op(torch, method)]
pub fn unsqueeze(x: &Tensor, dim: i64, place: Place) -> Result<Tensor> {
    place.check(x)?;
    let view = x.array().unsqueeze(dim)?;
    let shape = to_i64(x.array().shape());
    let names = ["UnsqueezeBackward0", "UnsqueezeBackward1"];
    place.view(names, x, view, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &shape)?)]))
}

/// A view without the dimensions of length one, all or those among `dim`: `torch.squeeze`. Dimensions of another length stay.
///
/// ```
/// let x = torch::zeros([1, 3, 1]);
/// assert_eq!(x.squeeze().size(), [3]);
/// assert_eq!(x.squeeze_dim(0).size(), [3, 1]);
/// assert_eq!(x.squeeze_dim([0, 1]).size(), [3, 1]);
/// x.squeeze_(); // the tensor itself
/// assert_eq!(x.size(), [3]);
/// ```
#[op(torch, method, forms(squeeze() = (None), squeeze_dim(dim: &[i64]) = (Some(dim))))]
pub fn squeeze(x: &Tensor, dim: Option<&[i64]>, place: Place) -> Result<Tensor> {
    place.check(x)?;
    let view = x.array().squeeze(dim)?;
    let shape = to_i64(x.array().shape());
    let names = match dim {
        None => ["SqueezeBackward0", "SqueezeBackward3"],
        Some([_]) => ["SqueezeBackward1", "SqueezeBackward4"],
        Some(_) => ["SqueezeBackward2", "SqueezeBackward5"],
    };
    place.view(names, x, view, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &shape)?)]))
}

/// A view in a shape that differs in dimensions of length one, under the name of a backward.
pub(crate) fn named_squeeze(name: &'static str, x: &Tensor, shape: &[i64]) -> Result<Tensor> {
    let from = to_i64(x.array().shape());
    // Dimensions of length one may go and come wherever strides are.
    let view = x.array().view(shape).or_else(|_| x.array().copy()?.view(shape))?;
    Ok(record_view(name, x, view, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &from)?)])))
}

/// A view of all windows of `size` lines along a dimension, `step` apart: `x.unfold(dimension, size, step)`. The windows stand
/// along the dimension, of length (n − size) / step + 1, and what they hold along a new last one.
///
/// # Errors
/// Where `size` is larger than the dimension, or `step` not positive.
///
/// ```
/// let windows = torch::arange(5).unfold(0, 3, 2);
/// assert_eq!(windows.size(), [2, 3]);
/// assert_eq!(windows.to_vec::<i64>(), [0, 1, 2, 2, 3, 4]);
/// ```
#[op(method)]
pub fn unfold(x: &Tensor, dimension: i64, size: i64, step: i64) -> Result<Tensor> {
    let view = x.array().unfold(dimension, size, step)?;
    strided_view("UnfoldBackward0", x, view, |a| Ok(a.unfold(dimension, size, step)?))
}

/// A view of the diagonal of two dimensions, which go away, as a new last one: `torch.diagonal`. A positive `offset` starts to
/// the right of the main diagonal, a negative one below it.
///
/// # Errors
/// Where both dimensions are the same.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// assert_eq!(x.diagonal().to_vec::<i64>(), [1, 5]);
/// assert_eq!(x.diagonal_dims(1, 0, 1).to_vec::<i64>(), [2, 6]);
/// ```
#[op(torch, method, forms(
    diagonal() = (0, 0, 1),
    diagonal_dims(offset: i64, dim1: i64, dim2: i64) = (offset, dim1, dim2),
))]
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

/// Another shape in place, for which the memory grows where it must: `x.resize_(shape)`. The elements keep their places in
/// memory, in row-major order of the new shape; new ones are zero, or what the memory held.
///
/// # Errors
/// For a tensor that requires grad, and for a negative length.
///
/// ```
/// let x = torch::tensor([[1, 2, 3], [4, 5, 6]]);
/// x.resize_([2, 2]);
/// assert_eq!(x.to_vec::<i64>(), [1, 2, 3, 4]);
/// ```
#[op(method, not_differentiable)]
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
    Ok(x.shallow_clone())
}

/// An i64 tensor of numbers `0..n`, for operations that need positions.
pub(crate) fn iota(n: usize, like: &Tensor) -> Result<Tensor> {
    let values: Vec<i64> = (0..n as i64).collect();
    let array = Array::from_slice(flambeau_device::backend(like.device())?, like.device(), &values, &[n])?;
    debug_assert_eq!(array.dtype(), DType::I64);
    Ok(array.into())
}
