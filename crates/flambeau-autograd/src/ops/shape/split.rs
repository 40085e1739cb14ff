//! A tensor taken apart, as views: `torch.split` and its relatives.

use crate::Tensor;
use crate::arguments::Int;
use crate::error::{Error, Result};
use crate::graph::{Context, record_many};
use crate::ops::{cat, slice, stack};
use crate::views::{Creation, ViewMeta};
use flambeau_macros::op;
use flambeau_tensor::Array;
use flambeau_tensor::dims::wrap_dim;
use smallvec::{SmallVec, smallvec};

/// Records an operation that returns several views of its input; `join` puts their gradients together.
fn record_views(
    name: &'static str,
    x: &Tensor,
    views: Vec<Array>,
    join: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
) -> Vec<Tensor> {
    let n = views.len();
    let outs = record_many(name, &[x], &[], views, move |c: &Context<'_>| {
        let grads: Vec<Tensor> = (0..n).map(|i| c.grad(i)).collect::<Result<_>>()?;
        Ok(smallvec![Some(join(&grads)?)])
    });
    for out in &outs {
        out.meta().set_view(Some(ViewMeta::of(x, out, Creation::Several)));
    }
    outs
}

/// Views of parts that have the given lengths along `dim`: `torch.split` with a list.
///
/// # Errors
/// Where the lengths do not sum to that of the dimension.
///
/// ```
/// let parts = torch::arange(5).split_sizes([1, 4], 0);
/// assert_eq!(parts[0].to_vec::<i64>(), [0]);
/// assert_eq!(parts[1].to_vec::<i64>(), [1, 2, 3, 4]);
/// ```
#[op(torch, method, alias(split_with_sizes), positional, default(dim = 0))]
pub fn split_sizes(x: &Tensor, split_sizes: &[i64], dim: i64) -> Result<Vec<Tensor>> {
    split_named("SplitWithSizesBackward0", x, split_sizes, dim)
}

fn split_named(name: &'static str, x: &Tensor, sizes: &[i64], dim: i64) -> Result<Vec<Tensor>> {
    if x.dim() == 0 {
        return Err(Error::runtime("split expects at least a 1-dimensional tensor"));
    }
    let d = wrap_dim(dim, x.dim())?;
    let n = x.size()[d] as i64;
    if sizes.iter().any(|&s| s < 0) {
        return Err(Error::runtime(format!(
            "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={sizes:?}"
        )));
    }
    if sizes.iter().try_fold(0i64, |sum, &s| sum.checked_add(s)) != Some(n) {
        return Err(Error::runtime(format!(
            "split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {d}), but got \
             split_sizes={sizes:?}"
        )));
    }
    let mut start = 0;
    let mut views = Vec::with_capacity(sizes.len());
    for &size in sizes {
        views.push(x.array().narrow(d as i64, start, size)?);
        start += size;
    }
    Ok(record_views(name, x, views, move |grads| cat(grads, d as i64)))
}

/// How a tensor is split: into parts of one length, or of the lengths of a list.
pub trait IntoSplit {
    /// The lengths of a list, or the one of all parts.
    #[track_caller]
    fn into_split(self) -> std::result::Result<SmallVec<[i64; 6]>, i64>;
}

impl<N: Int> IntoSplit for N {
    fn into_split(self) -> std::result::Result<SmallVec<[i64; 6]>, i64> {
        Err(self.to_i64())
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> IntoSplit for $t {
            fn into_split(self) -> std::result::Result<SmallVec<[i64; 6]>, i64> {
                Ok(self.iter().map(|&length| length.to_i64()).collect())
            }
        }
    )*};
}
lists!([N: Int + Copy, const D: usize] [N; D], [N: Int + Copy] Vec<N>, [N: Int + Copy] &[N], [N: Int + Copy] &Vec<N>);

/// Views of parts along `dim`: of the length `split_size`, the last one shorter where it does not divide, or of the lengths of a
/// list: `torch.split`.
///
/// ```
/// let parts = torch::arange(5).split(2, 0);
/// assert_eq!(parts.len(), 3);
/// assert_eq!(parts[1].to_vec::<i64>(), [2, 3]);
/// assert_eq!(parts[2].to_vec::<i64>(), [4]);
/// let [a, b] = torch::unpack(torch::arange(5).split([1, 4], 0));
/// assert_eq!((a.len(), b.len()), (1, 4));
/// ```
#[op(torch, method, positional, default(dim = 0))]
pub fn split(x: &Tensor, split_size: impl IntoSplit, dim: i64) -> Result<Vec<Tensor>> {
    let split_size = match split_size.into_split() {
        Ok(sizes) => return split_sizes(x, &sizes, dim),
        Err(split_size) => split_size,
    };
    if x.dim() == 0 {
        return Err(Error::runtime("split expects at least a 1-dimensional tensor"));
    }
    if split_size < 0 {
        return Err(Error::runtime(format!(
            "split expects split_size be non-negative, but got split_size={split_size}"
        )));
    }
    let n = x.size()[wrap_dim(dim, x.dim())?] as i64;
    if split_size == 0 && n > 0 {
        return Err(Error::runtime(format!(
            "split_size can only be 0 if dimension size is 0, but got dimension size of {n}"
        )));
    }
    let whole = n.checked_div(split_size).unwrap_or(0);
    let mut sizes = vec![split_size; whole as usize];
    if n == 0 || n > whole * split_size {
        sizes.push(n - whole * split_size);
    }
    split_named("SplitBackward0", x, &sizes, dim)
}

/// Views of at most `chunks` parts of equal length along `dim`, the last one shorter where they do not divide: `torch.chunk`.
///
/// ```
/// let parts = torch::arange(5).chunk(2, 0);
/// assert_eq!(parts[0].to_vec::<i64>(), [0, 1, 2]);
/// assert_eq!(parts[1].to_vec::<i64>(), [3, 4]);
/// ```
#[op(torch, method, positional, default(dim = 0))]
pub fn chunk(x: &Tensor, chunks: i64, dim: i64) -> Result<Vec<Tensor>> {
    if x.dim() == 0 {
        return Err(Error::runtime("chunk expects at least a 1-dimensional tensor"));
    }
    if chunks <= 0 {
        return Err(Error::runtime(format!("chunk expects `chunks` to be greater than 0, got: {chunks}")));
    }
    let n = x.size()[wrap_dim(dim, x.dim())?];
    match n {
        0 => split_sizes(x, &vec![0; chunks as usize], dim),
        n => split(x, n.div_ceil(chunks as usize) as i64, dim),
    }
}

/// Views of the lines along `dim`, which goes away: `torch.unbind`.
///
/// ```
/// let rows = torch::tensor([[1, 2], [3, 4]]).unbind();
/// assert_eq!(rows.len(), 2);
/// assert_eq!(rows[1].to_vec::<i64>(), [3, 4]);
/// ```
#[op(torch, method, forms(unbind() = (0), unbind_dim(dim: i64) = (dim)))]
pub fn unbind(x: &Tensor, dim: i64) -> Result<Vec<Tensor>> {
    if x.dim() == 0 {
        return Err(Error::index(format!("Dimension specified as {dim} but tensor has no dimensions")));
    }
    let d = wrap_dim(dim, x.dim())? as i64;
    let array = x.array();
    let views = (0..x.size_dim(d) as i64).map(|i| array.select(d, i)).collect::<Result<Vec<_>, _>>()?;
    Ok(record_views("UnbindBackward0", x, views, move |grads| stack(grads, d)))
}

/// Views of `sections` parts along `dim` whose lengths differ by one at most, the longer ones first: `torch.tensor_split`.
///
/// ```
/// let parts = torch::arange(5).tensor_split(3, 0);
/// let lengths: Vec<usize> = parts.iter().map(|part| part.numel()).collect();
/// assert_eq!(lengths, [2, 2, 1]);
/// ```
#[op(torch, method, positional, default(dim = 0))]
pub fn tensor_split(x: &Tensor, sections: i64, dim: i64) -> Result<Vec<Tensor>> {
    check_tensor_split(x)?;
    let n = x.size()[wrap_dim(dim, x.dim())?] as i64;
    if sections <= 0 {
        return Err(Error::runtime(format!("number of sections must be larger than 0, got {sections}")));
    }
    let (short, longer) = (n / sections, n % sections);
    let start = |i: i64| i * short + i.min(longer);
    (0..sections).map(|i| slice(x, dim, Some(start(i)), Some(start(i + 1)), 1)).collect()
}

/// Views of the parts along `dim` that end before each index, as Python's slices `[: i₀]`, `[i₀ : i₁]`, …, `[iₙ :]`:
/// `torch.tensor_split` with a list.
///
/// ```
/// let parts = torch::arange(5).tensor_split_at([1, 3], 0);
/// assert_eq!(parts[0].to_vec::<i64>(), [0]);
/// assert_eq!(parts[1].to_vec::<i64>(), [1, 2]);
/// assert_eq!(parts[2].to_vec::<i64>(), [3, 4]);
/// ```
#[op(torch, method, positional, default(dim = 0))]
pub fn tensor_split_at(x: &Tensor, indices: &[i64], dim: i64) -> Result<Vec<Tensor>> {
    check_tensor_split(x)?;
    let starts = std::iter::once(Some(0)).chain(indices.iter().map(|&i| Some(i)));
    let ends = indices.iter().map(|&i| Some(i)).chain([None]);
    starts.zip(ends).map(|(start, end)| slice(x, dim, start, end, 1)).collect()
}

fn check_tensor_split(x: &Tensor) -> Result<()> {
    match x.dim() {
        0 => Err(Error::runtime("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")),
        _ => Ok(()),
    }
}

/// [`tensor_split`] of one dimension, by a list of places or into parts of one length.
fn split_evenly(name: &str, x: &Tensor, split: impl IntoSplit, least: usize, dim: usize) -> Result<Vec<Tensor>> {
    if x.dim() < least {
        return Err(Error::runtime(format!(
            "torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {} dimensions!",
            x.dim()
        )));
    }
    let sections = match split.into_split() {
        Ok(places) => return tensor_split_at(x, &places, dim as i64),
        Err(sections) => sections,
    };
    let n = x.size()[dim] as i64;
    if n.checked_rem(sections) != Some(0) {
        return Err(Error::runtime(format!(
            "torch.{name} attempted to split along dimension {dim}, but the size of the dimension {n} is not divisible by the \
             split_size {sections}!"
        )));
    }
    tensor_split(x, sections, dim as i64)
}

/// Views of as many parts of one width, or of those between the places of a list: `torch.hsplit`. It splits the columns, of a tensor of
/// one dimension the elements.
///
/// # Errors
/// For a tensor without dimensions, and where the parts would not be of one width.
///
/// ```
/// let parts = torch::arange(6).view((2, 3)).hsplit(3);
/// assert_eq!(parts[2].to_vec::<i64>(), [2, 5]);
/// assert_eq!(torch::arange(6).hsplit([1, 4])[1].to_vec::<i64>(), [1, 2, 3]);
/// ```
#[op(torch, method)]
pub fn hsplit(x: &Tensor, split: impl IntoSplit) -> Result<Vec<Tensor>> {
    split_evenly("hsplit", x, split, 1, usize::from(x.dim() > 1))
}

/// Views of as many parts of one height, or of those between the places of a list: `torch.vsplit`. It splits the rows.
///
/// # Errors
/// For fewer than two dimensions, and where the parts would not be of one height.
///
/// ```
/// let parts = torch::arange(6).view((2, 3)).vsplit(2);
/// assert_eq!(parts[1].to_vec::<i64>(), [3, 4, 5]);
/// ```
#[op(torch, method)]
pub fn vsplit(x: &Tensor, split: impl IntoSplit) -> Result<Vec<Tensor>> {
    split_evenly("vsplit", x, split, 2, 0)
}

/// Views of as many parts of one depth, or of those between the places of a list: `torch.dsplit`. It splits the third dimension.
///
/// # Errors
/// For fewer than three dimensions, and where the parts would not be of one depth.
///
/// ```
/// let parts = torch::arange(4).view((1, 2, 2)).dsplit(2);
/// assert_eq!(parts[1].to_vec::<i64>(), [1, 3]);
/// ```
#[op(torch, method)]
pub fn dsplit(x: &Tensor, split: impl IntoSplit) -> Result<Vec<Tensor>> {
    split_evenly("dsplit", x, split, 3, 2)
}
