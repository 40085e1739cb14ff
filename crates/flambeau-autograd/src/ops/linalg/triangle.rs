//! Triangles and diagonals of matrices.

use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::index::lines::{Shared, Write, as_one};
use crate::ops::index::masked::FILL;
use crate::ops::{Place, diagonal, iota, map, view, zeros};
use crate::{Tensor, from_vec};
use flambeau_macros::op;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::ops::pointwise_into_repeats;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

/// column − row > k
static ABOVE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0) - b.input(1)).gt(b.scalar(0))));
/// column − row < k
static BELOW: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0) - b.input(1)).lt(b.scalar(0))));

/// Zeros where `outside` holds of a matrix element's place.
#[track_caller]
fn triangle(place: Place, name: &'static str, x: &Tensor, outside: &'static Pointwise, k: i64) -> Result<Tensor> {
    let size = x.size();
    let [.., rows, columns] = size[..] else { unreachable!("the callers check the dimensions") };
    let row = view(&iota(rows, x)?, &[-1, 1])?;
    let mask = map(name, outside, &[&iota(columns, x)?, &row], &[Scalar::Int(k)])?;
    let mask = mask.array().clone();
    let clear = |a: &Array| Ok(pointwise_into_repeats(&FILL, &[a, &mask], &[Scalar::Bool(false)], &[a])?);
    // Nothing is saved: the gradient is the triangle of a gradient.
    Write { name, place, target: x, others: &[], saves: &[], shared: Shared::Nothing }
        .run(clear, move |c| Ok(smallvec![Some(triangle(Place::New, name, &c.grad(0)?, outside, k)?)]))
}

/// The lower triangle of matrices (of the last two dimensions), zeros above the diagonal number `diagonal`: `torch.tril`.
/// 0 is the main diagonal, 1 the one above it, −1 the one below.
///
/// # Errors
/// For less than two dimensions.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]);
/// assert_eq!(x.tril().to_vec::<i64>(), [1, 0, 3, 4]);
/// ```
#[op(torch, method, forms(tril() = (0), tril_diagonal(diagonal: i64) = (diagonal)))]
pub fn tril(x: &Tensor, diagonal: i64, place: Place) -> Result<Tensor> {
    if x.dim() < 2 {
        return Err(Error::runtime("tril: input tensor must have at least 2 dimensions"));
    }
    triangle(place, "TrilBackward0", x, &ABOVE, diagonal)
}

/// The upper triangle of matrices (of the last two dimensions), zeros below the diagonal number `diagonal`: `torch.triu`.
/// 0 is the main diagonal, 1 the one above it, −1 the one below.
///
/// # Errors
/// For less than two dimensions.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]);
/// assert_eq!(x.triu().to_vec::<i64>(), [1, 2, 0, 4]);
/// ```
#[op(torch, method, forms(triu() = (0), triu_diagonal(diagonal: i64) = (diagonal)))]
pub fn triu(x: &Tensor, diagonal: i64, place: Place) -> Result<Tensor> {
    if x.dim() < 2 {
        return Err(Error::runtime("triu: input tensor must have at least 2 dimensions"));
    }
    triangle(place, "TriuBackward0", x, &BELOW, diagonal)
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

/// The places of a matrix's lower triangle, row numbers above column numbers, int64 `[2, n]`: `torch.tril_indices`. The
/// triangle ends at the diagonal number `offset`.
///
/// # Errors
/// For a negative number of rows or columns.
///
/// ```
/// assert_eq!(torch::tril_indices(2, 2).to_vec::<i64>(), [0, 1, 1, 0, 0, 1]);
/// ```
#[op(torch, not_differentiable, default(offset = 0))]
pub fn tril_indices(row: i64, col: i64, offset: i64) -> Result<Tensor> {
    indices(row, col, |r, c| c - r <= offset)
}

/// The places of a matrix's upper triangle, row numbers above column numbers, int64 `[2, n]`: `torch.triu_indices`. The
/// triangle begins at the diagonal number `offset`.
///
/// # Errors
/// For a negative number of rows or columns.
///
/// ```
/// assert_eq!(torch::triu_indices(2, 2).to_vec::<i64>(), [0, 0, 1, 0, 1, 1]);
/// ```
#[op(torch, not_differentiable, default(offset = 0))]
pub fn triu_indices(row: i64, col: i64, offset: i64) -> Result<Tensor> {
    indices(row, col, |r, c| c - r >= offset)
}

/// Matrices, in dimensions `dim1` and `dim2` of the result, that have the tensor's last dimension on the diagonal number `offset`
/// and zeros elsewhere: `torch.diag_embed`.
///
/// # Errors
/// When the two dimensions are one, and for a tensor without dimensions.
///
/// ```
/// let x = torch::tensor([1, 2]);
/// assert_eq!(x.diag_embed().to_vec::<i64>(), [1, 0, 0, 2]);
/// assert_eq!(x.diag_embed_with(|o| o.offset(1)).size(), [3, 3]);
/// ```
#[op(torch, method, default(offset = 0, dim1 = -2, dim2 = -1))]
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

/// A vector as the diagonal of a square matrix, or a matrix's diagonal as a vector of its own: `torch.diag`. `diagonal` is the
/// diagonal's number: 0 the main one, 1 the one above it, −1 the one below.
///
/// # Errors
/// For other than one or two dimensions.
///
/// ```
/// assert_eq!(torch::tensor([1, 2]).diag().to_vec::<i64>(), [1, 0, 0, 2]);
/// assert_eq!(torch::tensor([[1, 2], [3, 4]]).diag().to_vec::<i64>(), [1, 4]);
/// ```
#[op(torch, method, forms(diag() = (0), diag_diagonal(diagonal: i64) = (diagonal)))]
pub fn diag(x: &Tensor, diagonal: i64) -> Result<Tensor> {
    match x.dim() {
        1 => diag_embed(x, diagonal, 0, 1),
        2 => {
            let size = x.size();
            let out = x.array().diagonal(diagonal, 0, 1)?.copy()?;
            Ok(record("DiagonalBackward0_copy", &[x], &[], out, move |c| {
                let grad = c.grad(0)?;
                let all = zeros(&size, grad.dtype(), grad.device())?;
                crate::ops::copy_(&crate::ops::diagonal(&all, diagonal, 0, 1)?, &grad)?;
                Ok(smallvec![Some(all)])
            }))
        }
        n => Err(Error::runtime(format!("diag(): Supports 1D or 2D tensors. Got {n}D"))),
    }
}

/// A matrix with all elements of x on a diagonal: `torch.diagflat`.
///
/// ```
/// let x = torch::tensor([[1], [2]]);
/// assert_eq!(x.diagflat().to_vec::<i64>(), [1, 0, 0, 2]);
/// assert_eq!(x.diagflat_with(|o| o.offset(1)).size(), [3, 3]);
/// ```
#[op(torch, method, default(offset = 0))]
pub fn diagflat(x: &Tensor, offset: i64) -> Result<Tensor> {
    diag_embed(&crate::ops::reshape(x, &[-1])?, offset, -2, -1)
}

/// The sum Σᵢ xᵢᵢ of a matrix's diagonal: `torch.trace`.
///
/// # Errors
/// For other than two dimensions.
///
/// ```
/// assert_eq!(torch::tensor([[1.0, 2.0], [3.0, 4.0]]).trace().item(), 5.0);
/// ```
#[op(torch, method, cast_cpu = Float32)]
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
