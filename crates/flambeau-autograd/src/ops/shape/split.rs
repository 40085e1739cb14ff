//! A tensor taken apart, as views: `torch.split` and its relatives.

use crate::error::{Error, Result};
use crate::graph::{Context, record_many};
use crate::ops::{IntoDims, cat, slice, stack};
use crate::views::{Creation, View};
use crate::{OrPanic, Tensor};
use flambeau_tensor::Array;
use flambeau_tensor::dims::wrap_dim;
use smallvec::smallvec;

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
        out.meta().set_view(Some(View::of(x, out, Creation::Several)));
    }
    outs
}

/// Parts of the given lengths along a dimension, which they fill: `torch.split(x, sizes, dim)`.
pub fn split_sizes(x: &Tensor, sizes: &[i64], dim: i64) -> Result<Vec<Tensor>> {
    split_named("SplitWithSizesBackward0", x, sizes, dim)
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

/// Parts of `size` along a dimension, the last one shorter where it does not divide: `torch.split(x, size, dim)`.
pub fn split(x: &Tensor, size: i64, dim: i64) -> Result<Vec<Tensor>> {
    if x.dim() == 0 {
        return Err(Error::runtime("split expects at least a 1-dimensional tensor"));
    }
    if size < 0 {
        return Err(Error::runtime(format!("split expects split_size be non-negative, but got split_size={size}")));
    }
    let n = x.size()[wrap_dim(dim, x.dim())?] as i64;
    if size == 0 && n > 0 {
        return Err(Error::runtime(format!(
            "split_size can only be 0 if dimension size is 0, but got dimension size of {n}"
        )));
    }
    let whole = n.checked_div(size).unwrap_or(0);
    let mut sizes = vec![size; whole as usize];
    if n == 0 || n > whole * size {
        sizes.push(n - whole * size);
    }
    split_named("SplitBackward0", x, &sizes, dim)
}

/// At most `chunks` parts of equal length, the last one shorter: `torch.chunk`.
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

/// The lines along a dimension, which goes away: `torch.unbind`.
pub fn unbind(x: &Tensor, dim: i64) -> Result<Vec<Tensor>> {
    if x.dim() == 0 {
        return Err(Error::index(format!("Dimension specified as {dim} but tensor has no dimensions")));
    }
    let d = wrap_dim(dim, x.dim())? as i64;
    let array = x.array();
    let views = (0..x.size_dim(d) as i64).map(|i| array.select(d, i)).collect::<Result<Vec<_>, _>>()?;
    Ok(record_views("UnbindBackward0", x, views, move |grads| stack(grads, d)))
}

/// `sections` parts whose lengths differ by one at most, the longer ones first: `torch.tensor_split(x, sections, dim)`.
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

/// Parts that end before each index, as Python's slices `[: i₀]`, `[i₀ : i₁]`, …: `torch.tensor_split(x, indices, dim)`.
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

/// A tensor taken apart; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`split`].
    #[track_caller]
    pub fn split(&self, size: i64, dim: i64) -> Vec<Tensor> {
        split(self, size, dim).or_panic()
    }

    /// See [`split_sizes`].
    #[track_caller]
    pub fn split_sizes(&self, sizes: impl IntoDims, dim: i64) -> Vec<Tensor> {
        split_sizes(self, &sizes.into_dims(), dim).or_panic()
    }

    /// See [`chunk`].
    #[track_caller]
    pub fn chunk(&self, chunks: i64, dim: i64) -> Vec<Tensor> {
        chunk(self, chunks, dim).or_panic()
    }

    /// See [`unbind`].
    #[track_caller]
    pub fn unbind(&self, dim: i64) -> Vec<Tensor> {
        unbind(self, dim).or_panic()
    }

    /// See [`tensor_split`].
    #[track_caller]
    pub fn tensor_split(&self, sections: i64, dim: i64) -> Vec<Tensor> {
        tensor_split(self, sections, dim).or_panic()
    }

    /// See [`tensor_split_at`].
    #[track_caller]
    pub fn tensor_split_at(&self, indices: impl IntoDims, dim: i64) -> Vec<Tensor> {
        tensor_split_at(self, &indices.into_dims(), dim).or_panic()
    }
}
