//! Triangles and diagonals of matrices.

use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::index::lines::as_one;
use crate::ops::{diagonal, iota, map, masked_fill, view, zeros};
use crate::{OrPanic, Tensor, from_vec};
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

/// column − row > k
static ABOVE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0) - b.input(1)).gt(b.scalar(0))));
/// column − row < k
static BELOW: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0) - b.input(1)).lt(b.scalar(0))));

/// Zeros where `outside` holds of a matrix element's place.
fn triangle(name: &'static str, x: &Tensor, outside: &'static Pointwise, k: i64) -> Result<Tensor> {
    let size = x.size();
    let [.., rows, columns] = size[..] else { unreachable!("the callers check the dimensions") };
    let row = view(&iota(rows, x)?, &[-1, 1])?;
    let mask = map(name, outside, &[&iota(columns, x)?, &row], &[Scalar::Int(k)])?;
    let zero = Scalar::Int(0);
    as_one(
        name,
        &[x],
        &[],
        || masked_fill(x, &mask, zero),
        move |c| Ok(smallvec![Some(triangle(name, &c.grad(0)?, outside, k)?)]),
    )
}

/// The lower triangle of matrices, zeros above the k-th diagonal: `torch.tril`.
pub fn tril(x: &Tensor, k: i64) -> Result<Tensor> {
    if x.dim() < 2 {
        return Err(Error::runtime("tril: input tensor must have at least 2 dimensions"));
    }
    triangle("TrilBackward0", x, &ABOVE, k)
}

/// The upper triangle of matrices, zeros below the k-th diagonal: `torch.triu`.
pub fn triu(x: &Tensor, k: i64) -> Result<Tensor> {
    if x.dim() < 2 {
        return Err(Error::runtime("triu: input tensor must have at least 2 dimensions"));
    }
    triangle("TriuBackward0", x, &BELOW, k)
}

/// Row and column numbers of the elements that `inside` picks, i64 `[2, n]`, row by row.
fn indices(rows: i64, columns: i64, inside: impl Fn(i64, i64) -> bool) -> Result<Tensor> {
    for (n, what) in [(rows, "row"), (columns, "col")] {
        if n < 0 {
            return Err(Error::runtime(format!("{what} must be non-negative, got{n}")));
        }
    }
    let places = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).filter(|&(r, c)| inside(r, c));
    let (mut all, second): (Vec<i64>, Vec<i64>) = places.unzip();
    let n = all.len();
    all.extend(second);
    Ok(from_vec(all, [2, n]))
}

/// The places of a matrix's lower triangle, i64 `[2, n]`: `torch.tril_indices`.
pub fn tril_indices(rows: i64, columns: i64, offset: i64) -> Result<Tensor> {
    indices(rows, columns, |r, c| c - r <= offset)
}

/// The places of a matrix's upper triangle, i64 `[2, n]`: `torch.triu_indices`.
pub fn triu_indices(rows: i64, columns: i64, offset: i64) -> Result<Tensor> {
    indices(rows, columns, |r, c| c - r >= offset)
}

/// Matrices, in dimensions `dim1` and `dim2` of the result, with x's last dimension on a diagonal: `torch.diag_embed`.
pub fn diag_embed(x: &Tensor, offset: i64, dim1: i64, dim2: i64) -> Result<Tensor> {
    let ndim = x.dim() + 1;
    let (a, b) = (wrap_dim(dim1, ndim)?, wrap_dim(dim2, ndim)?);
    if a == b {
        return Err(Error::runtime(format!("diagonal dimensions cannot be identical {dim1}, {dim2}")));
    }
    let mut shape = x.size().to_vec();
    let Some(n) = shape.pop() else {
        return Err(Error::index("Dimension specified as -1 but tensor has no dimensions"));
    };
    let n = n + offset.unsigned_abs() as usize;
    for d in [a.min(b), a.max(b)] {
        shape.insert(d, n);
    }
    let out = zeros(&shape, x.dtype(), x.device())?.array().clone();
    let (a, b) = (a as i64, b as i64);
    flambeau_tensor::ops::copy_into(&x.array(), &out.diagonal(offset, a, b)?)?;
    Ok(record("DiagEmbedBackward0", &[x], &[], out, move |c| Ok(smallvec![Some(diagonal(&c.grad(0)?, offset, a, b)?)])))
}

/// A vector as the diagonal of a square matrix, or a matrix's diagonal as a copy: `torch.diag`.
pub fn diag(x: &Tensor, offset: i64) -> Result<Tensor> {
    match x.dim() {
        1 => diag_embed(x, offset, 0, 1),
        2 => {
            let size = x.size();
            let out = x.array().diagonal(offset, 0, 1)?.copy()?;
            Ok(record("DiagonalBackward0_copy", &[x], &[], out, move |c| {
                let grad = c.grad(0)?;
                let all = zeros(&size, grad.dtype(), grad.device())?;
                crate::ops::copy_(&diagonal(&all, offset, 0, 1)?, &grad)?;
                Ok(smallvec![Some(all)])
            }))
        }
        n => Err(Error::runtime(format!("diag(): Supports 1D or 2D tensors. Got {n}D"))),
    }
}

/// The sum of a matrix's diagonal: `torch.trace`.
pub fn trace(x: &Tensor) -> Result<Tensor> {
    if x.dim() != 2 {
        return Err(Error::runtime(format!("trace: expected a matrix, but got tensor with dim {}", x.dim())));
    }
    let size = x.size();
    let compute = || crate::ops::sum(&diagonal(x, 0, 0, 1)?, &[], false, None);
    as_one("TraceBackward0", &[x], &[], compute, move |c| {
        let grad = c.grad(0)?;
        let ones = diag(&crate::ops::ones(&[size[0].min(size[1])], DType::Bool, grad.device())?, 0)?;
        let all = zeros(&size, DType::Bool, grad.device())?;
        let n = ones.size()[0] as i64;
        crate::ops::copy_(&crate::ops::narrow(&crate::ops::narrow(&all, 0, 0, n)?, 1, 0, n)?, &ones)?;
        Ok(smallvec![Some(crate::ops::where_(&all, &grad, 0)?)])
    })
}

/// Triangles and diagonals; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`tril`].
    #[track_caller]
    pub fn tril(&self, diagonal: i64) -> Tensor {
        tril(self, diagonal).or_panic()
    }

    /// See [`triu`].
    #[track_caller]
    pub fn triu(&self, diagonal: i64) -> Tensor {
        triu(self, diagonal).or_panic()
    }

    /// See [`diag`].
    #[track_caller]
    pub fn diag(&self, diagonal: i64) -> Tensor {
        diag(self, diagonal).or_panic()
    }

    /// See [`diag_embed`].
    #[track_caller]
    pub fn diag_embed(&self, offset: i64, dim1: i64, dim2: i64) -> Tensor {
        diag_embed(self, offset, dim1, dim2).or_panic()
    }

    /// See [`trace`].
    #[track_caller]
    pub fn trace(&self) -> Tensor {
        trace(self).or_panic()
    }
}
