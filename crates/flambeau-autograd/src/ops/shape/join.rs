//! Tensors put together: `torch.cat`, `torch.stack` and their relatives, and repeats.

use crate::error::{Error, Result};
use crate::graph::{Grads, record};
use crate::ops::{
    contiguous, expand, flatten, narrow, reshape, select, sum, sum_to_size, to_dtype, to_i64, unsqueeze, view,
};
use crate::views::record_view;
use crate::{Tensor, from_vec, options};
use flambeau_macros::op;
use flambeau_tensor::dims::{broadcast_shapes, wrap_dim};
use flambeau_tensor::promotion::ResultType;
use flambeau_tensor::{Array, DType, Dims};
use smallvec::{SmallVec, smallvec};
use std::borrow::Borrow;

/// The dtype that the tensors have together.
fn common_dtype(tensors: &[&Tensor]) -> DType {
    tensors.iter().fold(ResultType::default(), |r, t| r.tensor(t.dtype(), t.dim())).finish()
}

fn borrowed<T: Borrow<Tensor>>(tensors: &[T]) -> SmallVec<[&Tensor; 4]> {
    tensors.iter().map(Borrow::borrow).collect()
}

/// Copies arrays one behind the other along `dim` of a fresh array, converted to `dtype`.
fn join(arrays: &[Array], dim: usize, shape: &[usize], dtype: DType) -> Result<Array> {
    let first = &arrays[0];
    let out = Array::empty(first.backend(), first.device(), shape, dtype)?;
    let mut start = 0;
    for array in arrays {
        let n = array.shape()[dim] as i64;
        flambeau_tensor::ops::same_device(&[first, array])?;
        flambeau_tensor::ops::copy_into(array, &out.narrow(dim as i64, start, n)?)?;
        start += n;
    }
    Ok(out)
}

/// Tensors one behind the other along the dimension `dim`: `torch.cat`. Their lengths agree in all other dimensions, their dtypes
/// are promoted to a common one, and empty 1-d tensors are skipped, as PyTorch does for old programs.
///
/// # Errors
/// Without tensors, for 0-d tensors, and where another length than that of `dim` differs.
///
/// ```
/// let (a, b) = (torch::tensor([[1, 2]]), torch::tensor([[3, 4], [5, 6]]));
/// let c = torch::cat(&[&a, &b], 0);
/// assert_eq!(c.size(), [3, 2]);
/// assert_eq!(c.to_vec::<i64>(), [1, 2, 3, 4, 5, 6]);
/// ```
#[op(torch, cast_cpu = Widest, alias(concat, concatenate), positional, default(dim = 0))]
pub fn cat<T: Borrow<Tensor>>(tensors: &[T], dim: i64) -> Result<Tensor> {
    let tensors = borrowed(tensors);
    if tensors.is_empty() {
        return Err(Error::value("torch.cat(): expected a non-empty list of Tensors"));
    }
    if let Some(i) = tensors.iter().position(|t| t.dim() == 0) {
        return Err(Error::runtime(format!("zero-dimensional tensor (at position {i}) cannot be concatenated")));
    }
    let skipped = |t: &Tensor| t.dim() == 1 && t.numel() == 0;
    let dtype = common_dtype(&tensors);
    let Some(first) = tensors.iter().position(|t| !skipped(t)) else {
        wrap_dim(dim, 1)?;
        return cat_kept(&tensors, &vec![0..0; tensors.len()], 0, &[0], dtype);
    };
    let mut shape = tensors[first].size().to_vec();
    let dim = wrap_dim(dim, shape.len())?;
    shape[dim] = 0;
    let mut ranges = Vec::new();
    for (i, t) in tensors.iter().enumerate() {
        if skipped(t) {
            ranges.push(0..0);
            continue;
        }
        let size = t.size();
        if size.len() != shape.len() {
            return Err(Error::runtime(format!(
                "Tensors must have same number of dimensions: got {} and {}",
                shape.len(),
                size.len()
            )));
        }
        if let Some(d) = (0..shape.len()).find(|&d| d != dim && size[d] != shape[d]) {
            return Err(Error::runtime(format!(
                "Sizes of tensors must match except in dimension {dim}. Expected size {} but got size {} for tensor number \
                 {i} in the list.",
                shape[d], size[d]
            )));
        }
        ranges.push(shape[dim]..shape[dim] + size[dim]);
        shape[dim] += size[dim];
    }
    cat_kept(&tensors, &ranges, dim, &shape, dtype)
}

/// [`cat`] after its checks: `ranges` tells where each tensor goes.
fn cat_kept(
    tensors: &[&Tensor],
    ranges: &[std::ops::Range<usize>],
    dim: usize,
    shape: &[usize],
    dtype: DType,
) -> Result<Tensor> {
    let mut kept: Vec<Array> = tensors.iter().filter(|t| t.dim() == shape.len()).map(|t| t.array().clone()).collect();
    if shape.len() == 1 {
        kept.retain(|a| a.numel() > 0);
    }
    let out = match kept.is_empty() {
        true => Array::empty(tensors[0].array().backend(), tensors[0].device(), shape, dtype)?,
        false => join(&kept, dim, shape, dtype)?,
    };
    let parts: Vec<_> = tensors.iter().zip(ranges).map(|(t, r)| (r.clone(), t.size(), t.dtype())).collect();
    Ok(record("CatBackward0", tensors, &[], out, move |c| {
        let grad = c.grad(0)?;
        let part = |(i, (range, shape, dtype)): (usize, &(std::ops::Range<usize>, crate::Size, DType))| {
            if !c.needs(i) {
                return Ok(None);
            }
            let part = narrow(&grad, dim as i64, range.start as i64, range.len() as i64)?;
            to_dtype(&reshape(&part, &to_i64(shape))?, *dtype).map(Some)
        };
        parts.iter().enumerate().map(part).collect()
    }))
}

/// Tensors of one shape along a new dimension, which stands at `dim`: `torch.stack`. n tensors of shape `[2, 3]` give
/// `[n, 2, 3]` at 0 and `[2, 3, n]` at −1. Their dtypes are promoted to a common one.
///
/// # Errors
/// Without tensors, and where their shapes differ.
///
/// ```
/// let (a, b) = (torch::tensor([1, 2]), torch::tensor([3, 4]));
/// assert_eq!(torch::stack(&[&a, &b], 0).to_vec::<i64>(), [1, 2, 3, 4]);
/// assert_eq!(torch::stack(&[&a, &b], 1).to_vec::<i64>(), [1, 3, 2, 4]);
/// ```
#[op(torch, cast_cpu = Widest, positional, default(dim = 0))]
pub fn stack<T: Borrow<Tensor>>(tensors: &[T], dim: i64) -> Result<Tensor> {
    let tensors = borrowed(tensors);
    let Some(first) = tensors.first() else {
        return Err(Error::runtime("stack expects a non-empty TensorList"));
    };
    let size = first.size();
    let dim = wrap_dim(dim, size.len() + 1)?;
    if let Some(i) = tensors.iter().position(|t| t.size() != size) {
        return Err(Error::runtime(format!(
            "stack expects each tensor to be equal size, but got {:?} at entry 0 and {:?} at entry {i}",
            &size[..],
            &tensors[i].size()[..]
        )));
    }
    let mut shape = size.to_vec();
    shape.insert(dim, tensors.len());
    let arrays: Vec<Array> = tensors.iter().map(|t| t.array().unsqueeze(dim as i64)).collect::<Result<_, _>>()?;
    let out = join(&arrays, dim, &shape, common_dtype(&tensors))?;
    let dtypes: Vec<DType> = tensors.iter().map(|t| t.dtype()).collect();
    Ok(record("StackBackward0", &tensors, &[], out, move |c| {
        let grad = c.grad(0)?;
        let part = |(i, &dtype): (usize, &DType)| {
            c.needs(i).then(|| to_dtype(&select(&grad, dim as i64, i as i64)?, dtype)).transpose()
        };
        dtypes.iter().enumerate().map(part).collect::<Result<Grads>>()
    }))
}

/// `cat` of tensors that each got more dimensions first.
fn stack_in<T: Borrow<Tensor>>(
    name: &str,
    tensors: &[T],
    raise: fn(&Tensor) -> Result<Tensor>,
    dim: impl Fn(usize) -> i64,
) -> Result<Tensor> {
    if tensors.is_empty() {
        return Err(Error::runtime(format!("{name} expects a non-empty TensorList")));
    }
    let raised: Vec<Tensor> = tensors.iter().map(|t| raise(t.borrow())).collect::<Result<_>>()?;
    cat(&raised, dim(raised[0].dim()))
}

/// Tensors side by side: along the first dimension where they are 1-d, else along the second: `torch.hstack`.
///
/// ```
/// let (a, b) = (torch::tensor([[1], [2]]), torch::tensor([[3], [4]]));
/// let c = torch::hstack(&[&a, &b]);
/// assert_eq!(c.size(), [2, 2]);
/// assert_eq!(c.to_vec::<i64>(), [1, 3, 2, 4]);
/// ```
#[op(torch)]
pub fn hstack<T: Borrow<Tensor>>(tensors: &[T]) -> Result<Tensor> {
    stack_in("hstack", tensors, crate::ops::atleast_1d, |ndim| i64::from(ndim > 1))
}

/// Tensors one below the other; a 1-d tensor is one row: `torch.vstack`.
///
/// ```
/// let (a, b) = (torch::tensor([1, 2]), torch::tensor([3, 4]));
/// let rows = torch::vstack(&[&a, &b]);
/// assert_eq!((rows.size().to_vec(), rows.to_vec::<i64>()), (vec![2, 2], vec![1, 2, 3, 4]));
/// ```
#[op(torch, alias(row_stack))]
pub fn vstack<T: Borrow<Tensor>>(tensors: &[T]) -> Result<Tensor> {
    stack_in("vstack", tensors, crate::ops::atleast_2d, |_| 0)
}

/// Tensors one behind the other in depth, the third dimension, which those that lack it get: `torch.dstack`.
///
/// ```
/// let (a, b) = (torch::tensor([1, 2]), torch::tensor([3, 4]));
/// let c = torch::dstack(&[&a, &b]);
/// assert_eq!(c.size(), [1, 2, 2]);
/// assert_eq!(c.to_vec::<i64>(), [1, 3, 2, 4]);
/// ```
#[op(torch)]
pub fn dstack<T: Borrow<Tensor>>(tensors: &[T]) -> Result<Tensor> {
    stack_in("dstack", tensors, crate::ops::atleast_3d, |_| 2)
}

/// Tensors side by side; one of fewer than two dimensions is a column: `torch.column_stack`.
///
/// ```
/// let (a, b) = (torch::tensor([1, 2]), torch::tensor([3, 4]));
/// let c = torch::column_stack(&[&a, &b]);
/// assert_eq!((c.size().to_vec(), c.to_vec::<i64>()), (vec![2, 2], vec![1, 3, 2, 4]));
/// ```
#[op(torch)]
pub fn column_stack<T: Borrow<Tensor>>(tensors: &[T]) -> Result<Tensor> {
    let column = |x: &Tensor| match x.dim() {
        0 | 1 => reshape(x, &[x.numel() as i64, 1]),
        _ => Ok(x.shallow_clone()),
    };
    stack_in("column_stack", tensors, column, |_| 1)
}

/// Views of all tensors in the one shape that they broadcast to: `torch.broadcast_tensors`.
///
/// ```
/// let (column, row) = (torch::tensor([[1], [2]]), torch::tensor([10, 20, 30]));
/// let both = torch::broadcast_tensors(&[&column, &row]);
/// assert_eq!(both[0].to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
/// assert_eq!(both[1].to_vec::<i64>(), [10, 20, 30, 10, 20, 30]);
/// ```
#[op(torch)]
pub fn broadcast_tensors<T: Borrow<Tensor>>(tensors: &[T]) -> Result<Vec<Tensor>> {
    let tensors = borrowed(tensors);
    let shape = tensors.iter().try_fold(Dims::new(), |s, t| broadcast_shapes(&s, &t.size()))?;
    tensors.iter().map(|t| expand(t, &to_i64(&shape))).collect()
}

/// Grids of coordinates from 1-d (or 0-d) tensors of lengths n₀, n₁, …, one for each tensor: `torch.meshgrid`. `indexing` is
/// `"ij"` (all have the shape `[n₀, n₁, …]`, and the i-th varies along dimension i) or `"xy"` (the first two dimensions are
/// swapped). The grids are views.
///
/// # Errors
/// Without tensors, where dtypes or devices differ, and for another `indexing`.
///
/// ```
/// let grids = torch::meshgrid(&[torch::tensor([1, 2]), torch::tensor([3, 4, 5])], "ij");
/// assert_eq!(grids[0].to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
/// assert_eq!(grids[1].to_vec::<i64>(), [3, 4, 5, 3, 4, 5]);
/// ```
#[op(torch)]
pub fn meshgrid<T: Borrow<Tensor>>(tensors: &[T], indexing: &str) -> Result<Vec<Tensor>> {
    let mut tensors = borrowed(tensors);
    let Some(first) = tensors.first() else {
        return Err(Error::runtime("meshgrid expects a non-empty TensorList"));
    };
    if tensors.iter().any(|t| t.dtype() != first.dtype()) {
        return Err(Error::runtime("meshgrid expects all tensors to have the same dtype"));
    }
    if tensors.iter().any(|t| t.device() != first.device()) {
        return Err(Error::runtime("meshgrid expects all tensors to have the same device"));
    }
    if let Some(t) = tensors.iter().find(|t| t.dim() > 1) {
        return Err(Error::runtime(format!(
            "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {t}"
        )));
    }
    let swap = match indexing {
        "ij" => false,
        "xy" => tensors.len() >= 2,
        other => {
            return Err(Error::runtime(format!(
                "torch.meshgrid: indexing must be one of \"xy\" or \"ij\", but received: {other}"
            )));
        }
    };
    if swap {
        tensors.swap(0, 1);
    }
    let shape: Vec<i64> = tensors.iter().map(|t| t.numel() as i64).collect();
    let grid = |(i, t): (usize, &&Tensor)| {
        let mut own = vec![1; shape.len()];
        own[i] = shape[i];
        let column = view(t, &own)?;
        // `expand` itself would leave a grid that is its column already as it is.
        let (grid, own) = (column.array().expand(&shape)?, column.size());
        Ok(record_view("ExpandBackward0", &column, grid, move |c| Ok(smallvec![Some(sum_to_size(&c.grad(0)?, &own)?)])))
    };
    let mut grids: Vec<Tensor> = tensors.iter().enumerate().map(grid).collect::<Result<_>>()?;
    if swap {
        grids.swap(0, 1);
    }
    Ok(grids)
}

/// All tuples of one element of each vector, one a row, the last varying fastest: `torch.cartesian_prod`. Of a single vector it is the
/// vector itself.
///
/// # Errors
/// Without tensors, and for more or less than one dimension.
///
/// ```
/// let (a, b) = (torch::tensor([1, 2]), torch::tensor([3, 4]));
/// let pairs = torch::cartesian_prod(&[&a, &b]);
/// assert_eq!(pairs.size(), [4, 2]);
/// assert_eq!(pairs.to_vec::<i64>(), [1, 3, 1, 4, 2, 3, 2, 4]);
/// ```
#[op(torch)]
pub fn cartesian_prod<T: Borrow<Tensor>>(tensors: &[T]) -> Result<Tensor> {
    let tensors = borrowed(tensors);
    if let Some(t) = tensors.iter().find(|t| t.dim() != 1) {
        return Err(Error::runtime(format!("Expect a 1D vector, but got shape {:?}", &t.size()[..])));
    }
    if let [one] = &tensors[..] {
        return Ok(one.shallow_clone());
    }
    let grids = meshgrid(&tensors, "ij")?;
    let flat: Vec<Tensor> = grids.iter().map(|grid| flatten(grid, 0, -1)).collect::<Result<_>>()?;
    stack(&flat, 1)
}

/// All choices of `r` of a vector's elements, one a row, in the order in which they stand; `combinations` takes 2:
/// `torch.combinations`. With replacement an element may be chosen again.
///
/// # Errors
/// For more or less than one dimension, and for a negative `r`.
///
/// ```
/// let x = torch::tensor([1, 2, 3]);
/// assert_eq!(torch::combinations(&x).to_vec::<i64>(), [1, 2, 1, 3, 2, 3]);
/// assert_eq!(torch::combinations_with(&x, |o| o.r(1)).size(), [3, 1]);
/// assert_eq!(torch::combinations_with(&x, |o| o.with_replacement(true)).size(), [6, 2]);
/// ```
#[op(torch, default(r = 2, with_replacement = false))]
pub fn combinations(x: &Tensor, r: i64, with_replacement: bool) -> Result<Tensor> {
    let &[n] = &x.size()[..] else {
        return Err(Error::runtime(format!("Expect a 1D vector, but got shape {:?}", &x.size()[..])));
    };
    let r = usize::try_from(r).map_err(|_| Error::runtime(format!("Expect a non-negative number, but got {r}")))?;
    if r == 0 {
        return crate::ops::empty(&[0], x.dtype(), x.device());
    }
    let rows = from_vec(choices(n, r, with_replacement), (-1, r));
    crate::ops::index(x, &crate::ops::to_device(&rows, x.device())?)
}

/// Every row of `r` numbers below `n`, in order: each above the one before it, or with replacement no lower.
fn choices(n: usize, r: usize, with_replacement: bool) -> Vec<i64> {
    let mut rows = Vec::new();
    if n == 0 || !with_replacement && r > n {
        return rows;
    }
    let (n, apart) = (n as i64, i64::from(!with_replacement));
    let highest = |place: usize| n - 1 - apart * (r - 1 - place) as i64;
    let mut row: Vec<i64> = (0..r as i64).map(|place| place * apart).collect();
    loop {
        rows.extend_from_slice(&row);
        // The last place that can still grow does, and those after it start anew.
        let Some(place) = (0..r).rev().find(|&place| row[place] < highest(place)) else { return rows };
        row[place] += 1;
        for next in place + 1..r {
            row[next] = row[next - 1] + apart;
        }
    }
}

/// A matrix with the given matrices along its diagonal and zeros elsewhere: `torch.block_diag`. A vector is one row, a tensor without
/// dimensions a single element; the dtypes are promoted to a common one.
///
/// # Errors
/// For a tensor of more than two dimensions.
///
/// ```
/// let (a, b) = (torch::tensor([[1, 2]]), torch::tensor([[3], [4]]));
/// let all = torch::block_diag(&[&a, &b]);
/// assert_eq!(all.size(), [3, 3]);
/// assert_eq!(all.to_vec::<i64>(), [1, 2, 0, 0, 0, 3, 0, 0, 4]);
/// ```
#[op(torch)]
pub fn block_diag<T: Borrow<Tensor>>(tensors: &[T]) -> Result<Tensor> {
    let tensors = borrowed(tensors);
    let Some(first) = tensors.first() else {
        return crate::ops::empty(&[1, 0], flambeau_tensor::default_dtype(), flambeau_device::default_device());
    };
    let mut blocks = Vec::new();
    let (mut row, mut column) = (0, 0);
    for (i, tensor) in tensors.iter().enumerate() {
        let size = tensor.size();
        let (height, width) = match size[..] {
            [] => (1, 1),
            [width] => (1, width),
            [height, width] => (height, width),
            _ => {
                return Err(Error::runtime(format!(
                    "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {} dimensions",
                    size.len()
                )));
            }
        };
        blocks.push([row as i64, height as i64, column as i64, width as i64]);
        (row, column) = (row + height, column + width);
    }
    let out = crate::ops::zeros(&[row, column], common_dtype(&tensors), first.device())?;
    for (tensor, &[row, height, column, width]) in tensors.iter().zip(&blocks) {
        flambeau_tensor::ops::same_device(&[&first.array(), &tensor.array()])?;
        let block = out.array().narrow(0, row, height)?.narrow(1, column, width)?;
        flambeau_tensor::ops::copy_into(&tensor.array().reshape(&[height, width])?, &block)?;
    }
    let parts: Vec<_> = blocks.into_iter().zip(tensors.iter().map(|t| (t.size(), t.dtype()))).collect();
    Ok(record("BlockDiagBackward0", &tensors, &[], out.array().clone(), move |c| {
        let grad = c.grad(0)?;
        let part = |(i, ([row, height, column, width], (size, dtype))): (usize, &([i64; 4], (crate::Size, DType)))| {
            if !c.needs(i) {
                return Ok(None);
            }
            let block = narrow(&narrow(&grad, 0, *row, *height)?, 1, *column, *width)?;
            to_dtype(&reshape(&block, &to_i64(size))?, *dtype).map(Some)
        };
        parts.iter().enumerate().map(part).collect()
    }))
}

/// The tensor `repeats[i]` times along each dimension i, as a copy: `x.repeat(repeats)`. More repeats than dimensions add
/// dimensions in front. [`expand`] shows the same elements without a copy.
///
/// # Errors
/// Where there are fewer repeats than dimensions, or a negative one.
///
/// ```
/// let x = torch::tensor([1, 2]);
/// assert_eq!(x.repeat(2).to_vec::<i64>(), [1, 2, 1, 2]);
/// assert_eq!(x.repeat([3, 1]).size(), [3, 2]);
/// ```
#[op(method)]
pub fn repeat(x: &Tensor, repeats: &[i64]) -> Result<Tensor> {
    let size = x.size();
    let Some(new) = repeats.len().checked_sub(size.len()) else {
        return Err(Error::runtime(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
        ));
    };
    if repeats.iter().any(|&r| r < 0) {
        let shape: Vec<i64> = repeats.iter().enumerate().map(|(i, r)| r * old_length(&size, new, i)).collect();
        let d = shape.iter().find(|&&d| d < 0).copied().unwrap_or_default();
        return Err(Error::runtime(format!("Trying to create tensor with negative dimension {d}: {shape:?}")));
    }
    // Every dimension becomes a pair: the repeats and the length.
    let lengths = (0..repeats.len()).map(|i| old_length(&size, new, i));
    let single: Vec<i64> = lengths.clone().flat_map(|n| [1, n]).collect();
    let pairs: Vec<i64> = repeats.iter().zip(lengths.clone()).flat_map(|(&r, n)| [r, n]).collect();
    let out: Vec<i64> = repeats.iter().zip(lengths).map(|(r, n)| r * n).collect();
    let dims: Vec<i64> = (0..repeats.len() as i64).map(|i| 2 * i).collect();
    let own = to_i64(&size);
    let expanded = x.array().reshape(&single)?.expand(&pairs)?;
    let array = expanded.copy()?.view(&out)?;
    Ok(record("RepeatBackward0", &[x], &[], array, move |c| {
        if dims.is_empty() {
            return Ok(smallvec![Some(c.grad(0)?)]);
        }
        let grad = reshape(&c.grad(0)?, &pairs)?;
        Ok(smallvec![Some(reshape(&sum(&grad, &dims, false, Some(grad.dtype()))?, &own)?)])
    }))
}

/// The length of dimension `i` after `new` dimensions of length one came in front.
fn old_length(size: &[usize], new: usize, i: usize) -> i64 {
    i.checked_sub(new).map_or(1, |d| size[d] as i64)
}

/// [`repeat`] that takes missing repeats, in front, as one: `torch.tile`.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]);
/// assert_eq!(x.tile(2).to_vec::<i64>(), [1, 2, 1, 2, 3, 4, 3, 4]);
/// ```
#[op(torch, method)]
pub fn tile(x: &Tensor, dims: &[i64]) -> Result<Tensor> {
    let missing = x.dim().saturating_sub(dims.len());
    let repeats: Vec<i64> = std::iter::repeat_n(1, missing).chain(dims.iter().copied()).collect();
    repeat(x, &repeats)
}

options! {
    /// Options of [`repeat_interleave`] and [`repeat_interleave_each`].
    RepeatInterleaveOptions {
        /// The dimension whose lines are repeated (none: the elements of the flattened tensor).
        dim: Option<i64> = None,
        /// The result's length along the dimension, which is checked.
        output_size: Option<i64> = None,
    }
}

/// Each line along `dim` `repeats` times in a row; without `dim`, each element of the flattened tensor:
/// `torch.repeat_interleave`.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]);
/// assert_eq!(x.repeat_interleave(2, None).to_vec::<i64>(), [1, 1, 2, 2, 3, 3, 4, 4]);
/// assert_eq!(x.repeat_interleave(2, 0).to_vec::<i64>(), [1, 2, 1, 2, 3, 4, 3, 4]);
/// ```
#[op(torch, method, forms(
    repeat_interleave(repeats: i64, dim: Option<i64>) = (repeats, dim, None),
    repeat_interleave_with(repeats: i64, options: RepeatInterleaveOptions) = (repeats, options.dim, options.output_size),
))]
pub fn repeat_interleave(x: &Tensor, repeats: i64, dim: Option<i64>, output_size: Option<i64>) -> Result<Tensor> {
    if repeats < 0 {
        return Err(Error::runtime("Repeats must be non-negative"));
    }
    let flat = if dim.is_none() { Some(flatten(x, 0, -1)?) } else { None };
    let x = flat.as_ref().unwrap_or(x);
    let x = &if x.dim() == 0 { reshape(x, &[1])? } else { x.shallow_clone() };
    let d = wrap_dim(dim.unwrap_or(0), x.dim())?;
    let length = x.size()[d] as i64 * repeats;
    if let Some(size) = output_size.filter(|&size| size != length) {
        let text = format!("repeat_interleave: Invalid output_size, expected {length} but got {size}");
        return Err(Error::runtime(text));
    }
    let raised = unsqueeze(x, d as i64 + 1)?;
    let mut shape = to_i64(&raised.size());
    shape[d + 1] = repeats;
    let expanded = expand(&raised, &shape)?;
    // Where nothing is repeated, the expanded tensor may still be the input's own memory.
    let copy = if expanded.is_contiguous() { crate::ops::clone(&expanded)? } else { contiguous(&expanded)? };
    shape[d] *= repeats;
    shape.remove(d + 1);
    view(&copy, &shape)
}

/// The i-th line along `dim` `repeats[i]` times in a row; without `dim`, the i-th element of the flattened tensor:
/// `torch.repeat_interleave` with a tensor. One number in `repeats` serves all.
///
/// # Errors
/// Where `repeats` is no 1-d (or 0-d) tensor of integers, has another length than the dimension, or a negative element.
///
/// ```
/// let (x, repeats) = (torch::tensor([7, 8, 9]), torch::tensor([1, 0, 2]));
/// assert_eq!(x.repeat_interleave_each(&repeats, 0).to_vec::<i64>(), [7, 9, 9]);
/// assert_eq!(x.repeat_interleave_each_with(&repeats, |o| o.output_size(3)).to_vec::<i64>(), [7, 9, 9]);
/// ```
#[op(torch, method, forms(
    repeat_interleave_each(repeats: &Tensor, dim: Option<i64>) = (repeats, dim, None),
    repeat_interleave_each_with(repeats: &Tensor, options: RepeatInterleaveOptions) = (repeats, options.dim, options.output_size),
))]
pub fn repeat_interleave_each(
    x: &Tensor,
    repeats: &Tensor,
    dim: Option<i64>,
    output_size: Option<i64>,
) -> Result<Tensor> {
    let flat = if dim.is_none() { Some(flatten(x, 0, -1)?) } else { None };
    let x = flat.as_ref().unwrap_or(x);
    let d = wrap_dim(dim.unwrap_or(0), x.dim())?;
    let n = x.size().get(d).copied().unwrap_or(1);
    if repeats.dim() > 1 {
        return Err(Error::runtime("repeats must be 0-dim or 1-dim tensor"));
    }
    if !crate::ops::index::lines::is_index(repeats) {
        return Err(
            flambeau_tensor::Error::NotImplementedFor { op: "repeat_interleave_cpu", dtype: repeats.dtype() }.into()
        );
    }
    let mut counts = repeats.array().to_dtype(DType::I64)?.to_vec::<i64>()?;
    if counts.len() == 1 {
        counts = vec![counts[0]; n];
    }
    if counts.len() != n {
        return Err(Error::runtime(format!(
            "repeats must have the same size as input along dim, but got repeats.size(0) = {} and input.size({d}) = {n}",
            counts.len()
        )));
    }
    if counts.iter().any(|&r| r < 0) {
        return Err(Error::runtime("repeats can not be negative"));
    }
    let index: Vec<i64> =
        counts.iter().enumerate().flat_map(|(i, &r)| std::iter::repeat_n(i as i64, r as usize)).collect();
    let length = index.len();
    if output_size.is_some_and(|size| size != length as i64) {
        return Err(Error::runtime("allocated size does not match required size"));
    }
    crate::ops::index_select(x, d as i64, &crate::ops::to_device(&from_vec(index, [length]), x.device())?)
}
