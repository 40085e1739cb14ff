//! Eigenvalues of symmetric matrices. They are computed in f64 on the host, wherever the matrices lie, and rounded once.

use super::factor::{floats, square};
use super::jacobi::eigen_of;
use super::svd::{gaps, turned};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record_many};
use crate::ops::pointwise::gamma::{doubles, from_doubles};
use crate::ops::{add, diag_embed, diagonal, div, matmul, sub};
use flambeau_macros::op;
use flambeau_tensor::Dims;
use smallvec::smallvec;

/// Whether the upper triangle is meant.
fn upper(uplo: &str) -> Result<bool> {
    match uplo {
        "L" | "l" => Ok(false),
        "U" | "u" => Ok(true),
        other => Err(Error::runtime(format!("Expected UPLO argument to be 'L' or 'U', but got {other}"))),
    }
}

/// The eigenvalues of symmetric matrices, from small to large, and the eigenvectors in the columns of a matrix: A = V diag(L) Vᵀ,
/// `torch.linalg.eigh(A)`. `eigh_uplo` tells which triangle is looked at, `"L"` (the default) or `"U"`. The signs of eigenvectors are
/// open, as in PyTorch; gradients hold where a result does not depend on them and no two eigenvalues are equal.
///
/// # Errors
/// For matrices that are not square, and integers.
///
/// ```
/// let x = torch::tensor([[2.0, 1.0], [1.0, 2.0]]);
/// let (l, v) = torch::linalg::eigh(&x);
/// assert!(l.allclose(&torch::tensor([1.0, 3.0])));
/// assert!(v.matmul(l.diag()).matmul(v.t()).allclose(&x));
/// ```
#[op(linalg, cast_cpu = Float32, forms(eigh() = ("L"), eigh_uplo(uplo: &str) = (uplo)))]
pub fn linalg_eigh(x: &Tensor, uplo: &str) -> Result<(Tensor, Tensor)> {
    let name = "linalg.eigh";
    let upper = upper(uplo)?;
    let n = square(name, x)?;
    floats(name, x)?;
    let batch: Dims = x.size()[..x.dim() - 2].into();
    let (mut values, mut vectors) = (Vec::new(), Vec::new());
    let all = doubles(x)?;
    for i in 0..batch.iter().product() {
        let (of_values, of_vectors) = eigen_of(&all[i * n * n..(i + 1) * n * n], n, upper);
        values.extend(of_values);
        vectors.extend(of_vectors);
    }
    let shape: Dims = batch.iter().copied().chain([n]).collect();
    let outputs = vec![from_doubles(&values, x.dtype(), x, &shape)?, from_doubles(&vectors, x.dtype(), x, &x.size())?];
    let saves = [Save::Output("eigenvalues", 0), Save::Output("eigenvectors", 1)];
    let mut both = record_many("LinalgEighBackward0", &[x], &saves, outputs, move |c| {
        let (l, v) = (c.saved(0)?, c.saved(1)?);
        let vt = turned(&v)?;
        let of_values = c.has_grad(0).then(|| diag_embed(&c.grad(0)?, 0, -2, -1)).transpose()?;
        let of_vectors = match c.has_grad(1) {
            false => None,
            true => {
                let inner = div(&matmul(&vt, &c.grad(1)?)?, &gaps(&l, n)?)?;
                let own = diag_embed(&diagonal(&inner, 0, -2, -1)?, 0, -2, -1)?;
                Some(sub(&inner, &own, 1)?)
            }
        };
        let inner = match (of_values, of_vectors) {
            (Some(a), Some(b)) => add(&a, &b, 1)?,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Ok(smallvec![None]),
        };
        Ok(smallvec![Some(matmul(&matmul(&v, &inner)?, &vt)?)])
    });
    let vectors = both.pop().expect("two outputs");
    Ok((both.pop().expect("two outputs"), vectors))
}

/// The eigenvalues of symmetric matrices, from small to large: `torch.linalg.eigvalsh`. `eigvalsh_uplo` tells which triangle is looked
/// at.
///
/// # Errors
/// Those of [`linalg_eigh`].
///
/// ```
/// let x = torch::tensor([[2.0, 1.0], [1.0, 2.0]]);
/// assert!(torch::linalg::eigvalsh(&x).allclose(&torch::tensor([1.0, 3.0])));
/// ```
#[op(linalg, cast_cpu = Float32, forms(eigvalsh() = ("L"), eigvalsh_uplo(uplo: &str) = (uplo)))]
pub fn linalg_eigvalsh(x: &Tensor, uplo: &str) -> Result<Tensor> {
    Ok(linalg_eigh(x, uplo)?.0)
}
