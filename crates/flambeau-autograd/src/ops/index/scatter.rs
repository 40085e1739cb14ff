//! Writing at one index per element: the scatter family, each fresh and in place.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::Save;
use crate::ops::index::lines::{Shared, Write, at_least_1d, index_i64, is_index, tensor_or_number};
use crate::ops::{Operand, Place, gather, slice, zeros};
use flambeau_macros::op;
use flambeau_tensor::Array;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::wrap_dim;
use smallvec::smallvec;

/// The first part of `src` that has `index`'s shape.
fn corner(src: &Array, shape: &[usize]) -> Result<Array> {
    let mut part = src.clone();
    for (d, &n) in shape.iter().enumerate() {
        part = part.slice(d as i64, None, Some(n as i64), 1)?;
    }
    Ok(part)
}

/// Zeros of `shape` with `grad` as their first part: the transpose of [`corner`].
fn from_corner(grad: Tensor, shape: &[usize]) -> Result<Tensor> {
    if *grad.size() == *shape {
        return Ok(grad);
    }
    let out = zeros(shape, grad.dtype(), grad.device())?;
    let mut part = out.shallow_clone();
    for (d, &n) in grad.size().iter().enumerate() {
        part = slice(&part, d as i64, None, Some(n as i64), 1)?;
    }
    crate::ops::copy_(&part, &grad)?;
    Ok(out)
}

/// Checks dtypes and shapes of a scatter, with PyTorch's words.
pub(crate) fn check_scatter(x: &Tensor, dim: i64, index: &Tensor, src: Option<&Tensor>) -> Result<usize> {
    let d = wrap_dim(dim, x.dim())?;
    if !is_index(index) {
        return Err(Error::runtime("scatter(): Expected dtype int32/int64 for index"));
    }
    if src.is_some_and(|s| s.dtype() != x.dtype()) {
        return Err(Error::runtime("scatter(): Expected self.dtype to be equal to src.dtype"));
    }
    if index.numel() == 0 {
        return Ok(d);
    }
    let (own, at) = (x.size(), index.size());
    let same_dims = |other: usize, which: &str| match at.len().max(1) == other.max(1) {
        true => Ok(()),
        false => Err(Error::runtime(format!("Index tensor must have the same number of dimensions as {which} tensor"))),
    };
    same_dims(own.len(), "self")?;
    if let Some(src) = src {
        same_dims(src.dim(), "src")?;
    }
    let sizes = src.map(Tensor::size);
    let length = |s: &[usize], i: usize| s.get(i).copied().unwrap_or(1);
    let too_large = (0..at.len())
        .any(|i| i != d && at[i] > length(&own, i) || sizes.as_ref().is_some_and(|s| at[i] > length(s, i)));
    if too_large {
        let src = sizes.map_or_else(String::new, |s| format!(" and to be no larger size than src {:?}", &s[..]));
        return Err(Error::runtime(format!(
            "Expected index {:?} to be no larger than self {:?} apart from dimension {d}{src}",
            &at[..],
            &own[..]
        )));
    }
    Ok(d)
}

/// Combines `src`'s first part (or a number) into `out` at `index`'s places.
pub(crate) fn scatter_into(op: ScatterOp, d: usize, index: &Array, src: &Array, out: &Array) -> Result<()> {
    let (index, src) = (at_least_1d(index)?, at_least_1d(src)?);
    let src = if src.shape().len() == index.shape().len() {
        corner(&src, index.shape())?
    } else {
        src.broadcast_to(index.shape())?
    };
    Ok(flambeau_tensor::ops::scatter(op, d, &index, &src, &at_least_1d(out)?)?)
}

#[track_caller]
fn scatter_with(
    op: ScatterOp,
    x: &Tensor,
    dim: i64,
    index: &Tensor,
    src: &Operand<'_>,
    place: Place,
) -> Result<Tensor> {
    let src = tensor_or_number(src);
    let d = check_scatter(x, dim, index, src.ok())?;
    let (given, index) = (index, index_i64(index)?);
    let saves = [Save::Tensor("places", &index), Save::Tensor("index", given)];
    let write_to = |name, others| Write { name, place, target: x, others, saves: &saves, shared: Shared::Nothing };
    if let (Err(value), true) = (src, op != ScatterOp::Add) {
        let value = crate::ops::full(&[], value, x.dtype(), x.device())?;
        let write = |out: &Array| {
            let value = value.array().broadcast_to(at_least_1d(&index.array())?.shape())?;
            scatter_into(op, d, &index.array(), &value, out)
        };
        let name = if op == ScatterOp::Set { "ScatterBackward1" } else { "NotImplementedBackward0" };
        return write_to(name, &[]).run(write, move |c| {
            c.unchanged(1)?;
            if op != ScatterOp::Set {
                return Err(not_differentiable());
            }
            Ok(smallvec![Some(scatter(&c.grad(0)?, dim, &c.saved(0)?, 0)?)])
        });
    }
    let owned;
    let src = match src {
        Ok(src) => src,
        Err(value) => {
            owned = crate::ops::full(&index.size(), value, x.dtype(), x.device())?;
            &owned
        }
    };
    let name = match op {
        ScatterOp::Set => "ScatterBackward0",
        ScatterOp::Add => "ScatterAddBackward0",
        ScatterOp::Mul | ScatterOp::Max | ScatterOp::Min => "NotImplementedBackward0",
    };
    let size = src.size();
    let write = |out: &Array| match index.numel() {
        0 => Ok(()),
        _ => scatter_into(op, d, &index.array(), &src.array(), out),
    };
    write_to(name, &[src]).run(write, move |c| {
        c.unchanged(1)?;
        let (grad, index) = (c.grad(0)?, c.saved(0)?);
        let own = match (c.needs(0), op) {
            (false, _) => None,
            (_, ScatterOp::Set) => Some(scatter(&grad, dim, &index, 0)?),
            (_, ScatterOp::Add) => Some(grad.shallow_clone()),
            _ => return Err(not_differentiable()),
        };
        let src = c.needs(1).then(|| from_corner(gather(&grad, dim, &index)?, &size)).transpose()?;
        Ok(smallvec![own, src])
    })
}

fn not_differentiable() -> Error {
    Error::runtime("derivative for aten::scatter with reduce is not implemented")
}

/// x with out\[…, index\[…, i, …\], …\] = src\[…, i, …\] along `dim`: `torch.scatter`. `src` is a tensor of the dtype of x, of
/// which the first part of `index`'s shape is used, or a number. Where several values go to one place, the last one stays on the
/// CPU. [`gather()`] is the reverse.
///
/// # Errors
/// Where dtypes, or the shapes of `index` and the tensors, do not fit, and where the index points outside.
///
/// ```
/// let (x, index) = (torch::zeros([2, 3]), torch::tensor([[2], [0]]));
/// let src = torch::tensor([[5.0], [6.0]]);
/// assert_eq!(x.scatter(1, &index, &src).to_vec::<f32>(), [0.0, 0.0, 5.0, 6.0, 0.0, 0.0]);
/// x.scatter_(1, &index, 1);
/// assert_eq!(x.to_vec::<f32>(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// ```
#[op(torch, method)]
pub fn scatter<'a>(x: &Tensor, dim: i64, index: &Tensor, src: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
    scatter_with(ScatterOp::Set, x, dim, index, &src.into(), place)
}

/// [`scatter()`] that adds to what it finds, `"add"`, or multiplies it, `"multiply"`: `torch.scatter(…, reduce=reduce)`. Products
/// have no gradient, as in PyTorch; [`scatter_reduce`](crate::ops::scatter_reduce()) has.
///
/// ```
/// let (x, index) = (torch::tensor([1.0, 2.0]), torch::tensor([1, 1]));
/// let src = torch::tensor([3.0, 4.0]);
/// assert_eq!(x.scatter_with_reduce(0, &index, &src, "multiply").to_vec::<f32>(), [1.0, 24.0]);
/// ```
#[op(torch, method)]
pub fn scatter_with_reduce<'a>(
    x: &Tensor,
    dim: i64,
    index: &Tensor,
    src: impl Into<Operand<'a>>,
    reduce: &str,
    place: Place,
) -> Result<Tensor> {
    let op = match reduce {
        "add" => ScatterOp::Add,
        "multiply" => ScatterOp::Mul,
        _ => return Err(Error::runtime("reduce argument must be either add or multiply.")),
    };
    scatter_with(op, x, dim, index, &src.into(), place)
}

/// x with src\[…, i, …\] added at …, index\[…, i, …\], … along `dim`: `torch.scatter_add`. What goes to one place is summed.
///
/// # Errors
/// Those of [`scatter()`].
///
/// ```
/// let (x, index) = (torch::zeros([2]), torch::tensor([1, 0, 1]));
/// let src = torch::tensor([1.0, 2.0, 3.0]);
/// assert_eq!(x.scatter_add(0, &index, &src).to_vec::<f32>(), [2.0, 4.0]);
/// ```
#[op(torch, method, cast_gpu = Widest)]
pub fn scatter_add(x: &Tensor, dim: i64, index: &Tensor, src: &Tensor, place: Place) -> Result<Tensor> {
    scatter_with(ScatterOp::Add, x, dim, index, &src.into(), place)
}
