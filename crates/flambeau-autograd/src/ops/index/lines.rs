//! What the operations that read or write at indices share.

use crate::error::{Error, Result};
use crate::graph::{Context, Grads, Save, record, record_many, recording};
use crate::ops::{Operand, Place, zeros};
use crate::{Tensor, no_grad, views};
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::ops::{
    check_index, check_no_internal_overlap, check_no_overlap, index_select, pointwise_into_repeats, scatter,
};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Finding, IndexRule, Scalar};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// Runs several operations as one: nothing inside is recorded, the whole is, under PyTorch's name.
pub(crate) fn as_one(
    name: &'static str,
    inputs: &[&Tensor],
    saves: &[Save<'_>],
    compute: impl FnOnce() -> Result<Tensor>,
    backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
) -> Result<Tensor> {
    let out = {
        let _guard = no_grad();
        compute()?
    };
    Ok(record(name, inputs, saves, out.array().clone(), backward))
}

/// What memory a write may find in use in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// None: each element of the target is its own, and shares no memory with the operands.
    Nothing,
    /// The target may show an element several times, as PyTorch lets fills and `index_put_`.
    Target,
    /// The operands may share memory with the target: they are read first.
    Operands,
}

/// An operation that writes into part of its first operand: into the operand itself, or into a copy.
pub(crate) struct Write<'a> {
    /// The backward's name in PyTorch.
    pub name: &'static str,
    pub place: Place,
    pub target: &'a Tensor,
    pub others: &'a [&'a Tensor],
    pub saves: &'a [Save<'a>],
    pub shared: Shared,
}

impl Write<'_> {
    /// Runs it: `write` writes to an array.
    #[track_caller]
    pub fn run(
        self,
        write: impl Fn(&Array) -> Result<()>,
        backward: impl Fn(&Context<'_>) -> Result<Grads> + Send + Sync + 'static,
    ) -> Result<Tensor> {
        let Write { name, place, target, others, saves, shared } = self;
        let inputs: SmallVec<[&Tensor; 4]> = std::iter::once(target).chain(others.iter().copied()).collect();
        if !place.is_first() {
            let out = target.array().copy()?;
            write(&out)?;
            return Ok(record(name, &inputs, saves, out, backward));
        }
        if recording(&inputs) {
            views::check_in_place(target)?;
        }
        if shared != Shared::Operands {
            let kept = saves.iter().filter_map(|save| if let Save::Tensor(_, t) = save { Some(*t) } else { None });
            kept.chain(others.iter().copied()).try_for_each(|t| check_no_overlap(&target.array(), &t.array()))?;
        }
        if shared != Shared::Target {
            check_no_internal_overlap(&target.array())?;
        }
        let array = target.array().clone();
        let write = || match array.is_contiguous() || array.is_non_overlapping() {
            true => write(&array),
            false => write_changes(&array, &write),
        };
        views::in_place(name, target, others, saves, write, backward)?;
        Ok(target.shallow_clone())
    }
}

/// s, z: what became of zeros that were written to, and of other marks. Where they agree a value was set, else z was added.
static CHANGED: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, z, marked) = (b.input(0), b.input(1), b.input(2));
        z.eq(marked).select(z, x + z)
    })
});

/// Writes to an array whose elements share memory, in order: first to zeros and to marks, which tell what is written where.
fn write_changes(target: &Array, write: impl Fn(&Array) -> Result<()>) -> Result<()> {
    let written = |mark: Scalar| -> Result<Array> {
        let array = target.copy()?;
        flambeau_tensor::ops::fill(&array, mark)?;
        write(&array)?;
        Ok(array)
    };
    let mark = if target.dtype().is_floating_point() { Scalar::Float(f64::NAN) } else { Scalar::Int(1) };
    let (zeros, marked) = (written(Scalar::Int(0))?, written(mark)?);
    Ok(pointwise_into_repeats(&CHANGED, &[target, &zeros, &marked], &[], &[target])?)
}

/// The tensor that an operand is, or else the number.
pub(crate) fn tensor_or_number<'x>(operand: &'x Operand<'_>) -> Result<&'x Tensor, Scalar> {
    match operand {
        Operand::Borrowed(t) => Ok(t),
        Operand::Owned(t) => Ok(t),
        Operand::Number(s) => Err(*s),
    }
}

/// The array with at least one dimension: kernels along a dimension need one.
pub(crate) fn at_least_1d(a: &Array) -> Result<Array> {
    Ok(if a.ndim() == 0 { a.unsqueeze(0)? } else { a.clone() })
}

/// A 1-d index in the shape of the lines that it names: the same along every other dimension.
pub(crate) fn spread(index: &Array, dim: usize, shape: &[usize]) -> Result<Array> {
    let mut new = vec![1i64; shape.len()];
    new[dim] = index.numel() as i64;
    Ok(index.view(&new)?.broadcast_to(shape)?)
}

/// The lines of `x` along `dim` that a 1-d i64 index names.
pub(crate) fn take_lines(x: &Tensor, dim: usize, index: &Tensor) -> Result<Tensor> {
    let out = index_select(&x.array(), dim, &index.array())?;
    let n = x.size()[dim];
    Ok(record("IndexSelectBackward0", &[x], &[Save::Tensor("index", index)], out, move |c| {
        Ok(smallvec![Some(add_lines(&c.grad(0)?, dim, &c.saved(0)?, n)?)])
    }))
}

/// Zeros with `n` lines along `dim`, to which the lines of `src` are added where the index says: the transpose of
/// [`take_lines`].
pub(crate) fn add_lines(src: &Tensor, dim: usize, index: &Tensor, n: usize) -> Result<Tensor> {
    let mut shape = src.size().to_vec();
    shape[dim] = n;
    let out = zeros(&shape, src.dtype(), src.device())?.array().clone();
    let at = spread(&index.array(), dim, &src.size())?;
    scatter(ScatterOp::Add, dim, &at, &src.array(), &out)?;
    Ok(record("IndexAddBackward0", &[src], &[Save::Tensor("index", index)], out, move |c| {
        Ok(smallvec![Some(take_lines(&c.grad(0)?, dim, &c.saved(0)?)?)])
    }))
}

/// The places (i64) that an integer index names, by the rule: of an index outside, the rule's error, on a device at its next
/// readback.
pub(crate) fn places(index: &Tensor, rule: &IndexRule) -> Result<Tensor> {
    Ok(check_index(&index.array(), rule)?.into())
}

/// An integer index as i64 without a gradient; itself where it is.
pub(crate) fn index_i64(index: &Tensor) -> Result<Tensor> {
    crate::ops::to_dtype(index, DType::I64)
}

/// Whether the dtype is one that PyTorch accepts for indices of gather and its kin.
pub(crate) fn is_index(index: &Tensor) -> bool {
    matches!(index.dtype(), DType::I64 | DType::I32)
}

/// The places that the index of [`take_lines`] names along `dim` of `x`, for `index_select` and `embedding`, which refuse
/// negative indices. PyTorch's kernel for the second dimension, and for nothing, has words of its own.
pub(crate) fn line_places(x: &[usize], dim: usize, index: &Tensor) -> Result<Tensor> {
    let n = x.get(dim).copied().unwrap_or(1);
    let lines = index.numel();
    if x.len() > 1 && n == 0 && lines > 0 {
        return Err(Error::runtime("index_select(): self indexing axis dim should be positive"));
    }
    let many = x.len() > 1 && (dim == 1 || x.iter().product::<usize>() == 0);
    if many {
        return places(index, &IndexRule::strict(n, Finding::LineOfMany, 0));
    }
    // The kernel of `index_select` says `Finding::Line`'s words itself.
    index_i64(index)
}

/// Records values that were picked along `dim`, and their places; the gradient goes where the values came from. `dropped`
/// says that the results lack the dimension.
pub(crate) fn picked(
    name: &'static str,
    x: &Tensor,
    dim: i64,
    dropped: bool,
    values: Array,
    indices: Array,
) -> (Tensor, Tensor) {
    let size = x.size();
    let saves = [Save::Array("indices", indices.clone())];
    let outs = record_many(name, &[x], &saves, vec![values, indices], move |c| {
        let raise = |t: Tensor| if dropped { crate::ops::unsqueeze(&t, dim) } else { Ok(t) };
        let grad = raise(c.grad(0)?)?;
        let none = zeros(&size, grad.dtype(), grad.device())?;
        Ok(smallvec![Some(crate::ops::scatter_add(&none, dim, &raise(c.saved(0)?)?, &grad)?)])
    });
    let [values, indices] = <[Tensor; 2]>::try_from(outs).unwrap_or_else(|_| unreachable!("two arrays were recorded"));
    (values, indices)
}
