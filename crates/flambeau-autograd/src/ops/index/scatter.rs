//! Writing at one index per element: the scatter family, each fresh and in place.

use crate::error::{Error, Result};
use crate::graph::Save;
use crate::ops::index::lines::{at_least_1d, index_i64, is_index, write_to};
use crate::ops::{Operand, gather, slice, zeros};
use crate::{OrPanic, Tensor};
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
    let mut part = out.clone();
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
    in_place: bool,
    op: ScatterOp,
    x: &Tensor,
    dim: i64,
    index: &Tensor,
    src: &Operand<'_>,
) -> Result<Tensor> {
    let tensor = match src {
        Operand::Number(_) => None,
        Operand::Borrowed(t) => Some(*t),
        Operand::Owned(t) => Some(t),
    };
    let d = check_scatter(x, dim, index, tensor)?;
    let (given, index) = (index, index_i64(index)?);
    if let (Operand::Number(value), true) = (src, op != ScatterOp::Add) {
        let value = crate::ops::full(&[], *value, x.dtype(), x.device())?;
        let write = |out: &Array| {
            let value = value.array().broadcast_to(at_least_1d(&index.array())?.shape())?;
            scatter_into(op, d, &index.array(), &value, out)
        };
        let name = if op == ScatterOp::Set { "ScatterBackward1" } else { "NotImplementedBackward0" };
        return write_to(name, in_place, x, &[], &[&index, given].map(Save::Tensor), write, move |c| {
            c.unchanged(1)?;
            if op != ScatterOp::Set {
                return Err(not_differentiable());
            }
            Ok(smallvec![Some(scatter(&c.grad(0)?, dim, &c.saved(0)?, 0)?)])
        });
    }
    let owned;
    let src = match tensor {
        Some(src) => src,
        None => {
            let Operand::Number(value) = src else { unreachable!("the other operands are tensors") };
            owned = crate::ops::full(&index.size(), *value, x.dtype(), x.device())?;
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
    write_to(name, in_place, x, &[src], &[&index, given].map(Save::Tensor), write, move |c| {
        c.unchanged(1)?;
        let (grad, index) = (c.grad(0)?, c.saved(0)?);
        let own = match (c.needs(0), op) {
            (false, _) => None,
            (_, ScatterOp::Set) => Some(scatter(&grad, dim, &index, 0)?),
            (_, ScatterOp::Add) => Some(grad.clone()),
            _ => return Err(not_differentiable()),
        };
        let src = c.needs(1).then(|| from_corner(gather(&grad, dim, &index)?, &size)).transpose()?;
        Ok(smallvec![own, src])
    })
}

fn not_differentiable() -> Error {
    Error::runtime("derivative for aten::scatter with reduce is not implemented")
}

/// x with out\[…index\[…i…\]…\] = src\[…i…\] along `dim`; `src` is a tensor or a number: `torch.scatter`.
pub fn scatter<'a>(x: &Tensor, dim: i64, index: &Tensor, src: impl Into<Operand<'a>>) -> Result<Tensor> {
    scatter_with(false, ScatterOp::Set, x, dim, index, &src.into())
}

/// [`scatter`] in place.
#[track_caller]
pub fn scatter_<'a>(x: &Tensor, dim: i64, index: &Tensor, src: impl Into<Operand<'a>>) -> Result<Tensor> {
    scatter_with(true, ScatterOp::Set, x, dim, index, &src.into())
}

fn reduce_op(reduce: &str) -> Result<ScatterOp> {
    match reduce {
        "add" => Ok(ScatterOp::Add),
        "multiply" => Ok(ScatterOp::Mul),
        _ => Err(Error::runtime("reduce argument must be either add or multiply.")),
    }
}

/// [`scatter`] that adds to or multiplies what it finds: `torch.scatter(…, reduce="add" | "multiply")`. Products have no
/// gradient, as in PyTorch.
pub fn scatter_with_reduce<'a>(
    x: &Tensor,
    dim: i64,
    index: &Tensor,
    src: impl Into<Operand<'a>>,
    reduce: &str,
) -> Result<Tensor> {
    scatter_with(false, reduce_op(reduce)?, x, dim, index, &src.into())
}

/// [`scatter_with_reduce`] in place.
#[track_caller]
pub fn scatter_with_reduce_<'a>(
    x: &Tensor,
    dim: i64,
    index: &Tensor,
    src: impl Into<Operand<'a>>,
    reduce: &str,
) -> Result<Tensor> {
    scatter_with(true, reduce_op(reduce)?, x, dim, index, &src.into())
}

/// x with src\[…i…\] added at …index\[…i…\]… along `dim`: `torch.scatter_add`.
pub fn scatter_add(x: &Tensor, dim: i64, index: &Tensor, src: &Tensor) -> Result<Tensor> {
    scatter_with(false, ScatterOp::Add, x, dim, index, &src.into())
}

/// [`scatter_add`] in place.
#[track_caller]
pub fn scatter_add_(x: &Tensor, dim: i64, index: &Tensor, src: &Tensor) -> Result<Tensor> {
    scatter_with(true, ScatterOp::Add, x, dim, index, &src.into())
}

/// Scatters; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`scatter`].
    #[track_caller]
    pub fn scatter<'a>(&self, dim: i64, index: &Tensor, src: impl Into<Operand<'a>>) -> Tensor {
        scatter(self, dim, index, src).or_panic()
    }

    /// See [`scatter_`].
    #[track_caller]
    pub fn scatter_<'a>(&self, dim: i64, index: &Tensor, src: impl Into<Operand<'a>>) -> Tensor {
        scatter_(self, dim, index, src).or_panic()
    }

    /// See [`scatter_add`].
    #[track_caller]
    pub fn scatter_add(&self, dim: i64, index: &Tensor, src: &Tensor) -> Tensor {
        scatter_add(self, dim, index, src).or_panic()
    }

    /// See [`scatter_add_`].
    #[track_caller]
    pub fn scatter_add_(&self, dim: i64, index: &Tensor, src: &Tensor) -> Tensor {
        scatter_add_(self, dim, index, src).or_panic()
    }
}
