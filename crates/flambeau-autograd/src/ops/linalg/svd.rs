//! Singular values, and what is made of them: pseudo-inverses, ranks, condition numbers. They are computed in f64 on the host,
//! wherever the matrices lie, and rounded once.

use super::factor::floats;
use super::jacobi::{Svd, svd_of};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record, record_many};
use crate::ops::pointwise::gamma::{doubles, from_doubles};
use crate::ops::{
    NormOrder, add, amax, clamp_min, count_nonzero, diag_embed, div, eye, gt, linalg_inv, linalg_norm, matmul, mul,
    narrow, square as squares, squeeze, sub, to_dtype, transpose, unsqueeze,
};
use flambeau_macros::op;
use flambeau_tensor::{DType, Dims};
use smallvec::smallvec;

/// Rows and columns of matrices.
pub(super) fn sides(name: &str, x: &Tensor) -> Result<(usize, usize)> {
    match x.size()[..] {
        [.., m, n] => Ok((m, n)),
        _ => Err(Error::runtime(format!("{name}: The input tensor A must have at least 2 dimensions."))),
    }
}

pub(super) fn turned(x: &Tensor) -> Result<Tensor> {
    transpose(x, -2, -1)
}

/// 1 on the diagonal, x_j − x_i beside it: what differences of singular and of eigen values divide by.
pub(super) fn gaps(x: &Tensor, k: usize) -> Result<Tensor> {
    let differences = sub(&unsqueeze(x, -2)?, &unsqueeze(x, -1)?, 1)?;
    add(&differences, &eye(k, None, x.dtype(), x.device())?, 1)
}

/// x − xᵀ, by the gaps.
fn skew(x: &Tensor, gaps: &Tensor) -> Result<Tensor> {
    div(&sub(x, &turned(x)?, 1)?, gaps)
}

/// The singular value decomposition A = U diag(S) Vᴴ: `torch.linalg.svd(A)`, U `[…, m, m]`, S `[…, k]` from large to small, Vᴴ
/// `[…, n, n]` for A `[…, m, n]` and k the smaller side. `svd_full` takes `full_matrices`: without it U is `[…, m, k]` and Vᴴ
/// `[…, k, n]`. The signs of singular vectors are open, as in PyTorch; gradients hold where a result does not depend on them and no two
/// singular values are equal.
///
/// # Errors
/// For integers, and for NaN or infinite numbers.
///
/// ```
/// let x = torch::tensor([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]]);
/// let (u, s, vh) = torch::linalg::svd_full(&x, false);
/// assert_eq!(s.to_vec::<f32>(), [2.0, 1.0]);
/// assert!(u.matmul(s.diag()).matmul(vh).allclose(&x));
/// assert_eq!(torch::linalg::svd(&x).0.size(), [3, 3]);
/// ```
#[op(linalg, cast_cpu = Float32, forms(svd() = (true), svd_full(full_matrices: bool) = (full_matrices)))]
pub fn linalg_svd(x: &Tensor, full_matrices: bool) -> Result<(Tensor, Tensor, Tensor)> {
    let name = "linalg.svd";
    let (m, n) = sides(name, x)?;
    floats(name, x)?;
    let (batch, k): (Dims, _) = (x.size()[..x.dim() - 2].into(), m.min(n));
    let (columns, rows) = if full_matrices { (m, n) } else { (k, k) };
    let (mut u, mut s, mut vh) = (Vec::new(), Vec::new(), Vec::new());
    let values = doubles(x)?;
    for i in 0..batch.iter().product() {
        let a = &values[i * m * n..(i + 1) * m * n];
        if a.iter().any(|x| !x.is_finite()) {
            let which = if batch.is_empty() { String::new() } else { format!("(Batch element {i}): ") };
            return Err(Error::runtime(format!(
                "{name}: {which}The algorithm failed to converge because the input matrix contained non-finite values."
            )));
        }
        let Svd { left, singular, right } = svd_of(a, m, n, columns, rows);
        u.extend(left);
        s.extend(singular);
        vh.extend(right);
    }
    let of = |values: &[f64], last: &[usize]| {
        let shape: Dims = batch.iter().chain(last).copied().collect();
        from_doubles(values, x.dtype(), x, &shape)
    };
    let outputs = vec![of(&u, &[m, columns])?, of(&s, &[k])?, of(&vh, &[rows, n])?];
    let saves = [Save::Output("U", 0), Save::Output("S", 1), Save::Output("Vh", 2)];
    let mut all = record_many("LinalgSvdBackward0", &[x], &saves, outputs, move |c| {
        let first = |x: &Tensor, dim: i64| narrow(x, dim, 0, k as i64);
        let (u, s, vh) = (first(&c.saved(0)?, -1)?, c.saved(1)?, first(&c.saved(2)?, -2)?);
        let mut inner = None;
        let mut put = |part: Tensor| -> Result<()> {
            inner = Some(match &inner {
                None => part,
                Some(inner) => add(inner, &part, 1)?,
            });
            Ok(())
        };
        if c.has_grad(1) {
            put(diag_embed(&c.grad(1)?, 0, -2, -1)?)?;
        }
        let gu = c.has_grad(0).then(|| first(&c.grad(0)?, -1)).transpose()?;
        let gvh = c.has_grad(2).then(|| first(&c.grad(2)?, -2)).transpose()?;
        let (row, column) = (unsqueeze(&s, -2)?, unsqueeze(&s, -1)?);
        if gu.is_some() || gvh.is_some() {
            let gaps = gaps(&squares(&s)?, k)?;
            if let Some(gu) = &gu {
                put(mul(&skew(&matmul(&turned(&u)?, gu)?, &gaps)?, &row)?)?;
            }
            if let Some(gvh) = &gvh {
                put(mul(&skew(&matmul(&vh, &turned(gvh)?)?, &gaps)?, &column)?)?;
            }
        }
        let Some(inner) = inner else { return Ok(smallvec![None]) };
        let mut g = matmul(&matmul(&u, &inner)?, &vh)?;
        // What lies outside the space of the k vectors.
        if let Some(gu) = gu.filter(|_| m > k) {
            let scaled = div(&gu, &row)?;
            let outside = sub(&scaled, &matmul(&u, &matmul(&turned(&u)?, &scaled)?)?, 1)?;
            g = add(&g, &matmul(&outside, &vh)?, 1)?;
        }
        if let Some(gvh) = gvh.filter(|_| n > k) {
            let scaled = div(&gvh, &column)?;
            let outside = sub(&scaled, &matmul(&matmul(&scaled, &turned(&vh)?)?, &vh)?, 1)?;
            g = add(&g, &matmul(&u, &outside)?, 1)?;
        }
        Ok(smallvec![Some(g)])
    });
    let (vh, s) = (all.pop().expect("three outputs"), all.pop().expect("three outputs"));
    Ok((all.pop().expect("three outputs"), s, vh))
}

/// The singular values of each matrix, from large to small: `torch.linalg.svdvals`.
///
/// # Errors
/// Those of [`linalg_svd`].
///
/// ```
/// let x = torch::tensor([[3.0, 0.0], [0.0, -4.0]]);
/// assert_eq!(torch::linalg::svdvals(&x).to_vec::<f32>(), [4.0, 3.0]);
/// ```
#[op(linalg, cast_cpu = Float32, forms(svdvals() = ()))]
pub fn linalg_svdvals(x: &Tensor) -> Result<Tensor> {
    Ok(linalg_svd(x, false)?.1)
}

/// [`linalg_svd`], under `torch.svd`'s name and with V itself, not its transpose: A = U diag(S) Vᵀ. U is `[…, m, k]`, V `[…, n, k]`.
///
/// # Errors
/// Those of [`linalg_svd`].
///
/// ```
/// let x = torch::tensor([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]]);
/// let (u, s, v) = x.svd();
/// assert!(u.matmul(s.diag()).matmul(v.t()).allclose(&x));
/// ```
#[op(torch, method, cast_cpu = Float32)]
pub fn svd(x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
    let (u, s, vh) = linalg_svd(x, false)?;
    Ok((u, s, turned(&vh)?))
}

/// Where a singular value counts as 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct RankOptions {
    atol: Option<f64>,
    rtol: Option<f64>,
    hermitian: bool,
}

impl RankOptions {
    /// What singular values are at least (0).
    #[must_use]
    pub fn atol(mut self, atol: f64) -> Self {
        self.atol = Some(atol);
        self
    }

    /// What singular values are at least, as a share of the largest (the larger side times the dtype's epsilon, unless `atol` is
    /// above 0).
    #[must_use]
    pub fn rtol(mut self, rtol: f64) -> Self {
        self.rtol = Some(rtol);
        self
    }

    /// Whether the matrices are symmetric; only their lower triangles are looked at then (false).
    #[must_use]
    pub fn hermitian(mut self, hermitian: bool) -> Self {
        self.hermitian = hermitian;
        self
    }

    /// The bound of each matrix's singular values.
    fn bound(&self, s: &Tensor, sides: (usize, usize)) -> Result<Tensor> {
        let epsilon = if s.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
        let atol = self.atol.unwrap_or(0.0);
        let rtol = self.rtol.unwrap_or(if atol > 0.0 { 0.0 } else { epsilon * sides.0.max(sides.1) as f64 });
        clamp_min(&mul(&amax(s, &[-1], true)?, rtol)?, atol)
    }
}

/// Symmetric matrices of the lower triangles of others.
fn symmetric(x: &Tensor) -> Result<Tensor> {
    add(&crate::ops::tril(x, 0)?, &turned(&crate::ops::tril(x, -1)?)?, 1)
}

/// The number of singular values that are not 0: `torch.linalg.matrix_rank`, int64. Options: `atol`, `rtol`, `hermitian`.
///
/// # Errors
/// Those of [`linalg_svd`].
///
/// ```
/// let x = torch::tensor([[1.0, 2.0], [2.0, 4.0]]);
/// assert_eq!(torch::linalg::matrix_rank(&x).item(), 1.0);
/// assert_eq!(torch::linalg::matrix_rank_with(&x, |o| o.atol(9.0)).item(), 0.0);
/// ```
#[op(linalg, not_differentiable, cast_cpu = Float32, forms(matrix_rank(options: &RankOptions) = (options)))]
pub fn linalg_matrix_rank(x: &Tensor, options: &RankOptions) -> Result<Tensor> {
    let name = "torch.linalg.matrix_rank";
    let sides = match x.size()[..] {
        [.., m, n] => (m, n),
        _ => return Err(Error::runtime(format!("{name}: The input tensor input must have at least 2 dimensions."))),
    };
    if !matches!(x.dtype(), DType::F32 | DType::F64) {
        return Err(Error::runtime("This function doesn't handle types other than float and double"));
    }
    let x = x.detach();
    let s = linalg_svdvals(&if options.hermitian { symmetric(&x)? } else { x })?;
    if sides.0.min(sides.1) == 0 {
        return to_dtype(&crate::ops::sum(&s, &[-1], false, None)?, DType::I64);
    }
    count_nonzero(&gt(&s, &options.bound(&s, sides)?)?, &[-1])
}

/// The Moore-Penrose pseudo-inverse of each matrix, `[…, n, m]`: `torch.linalg.pinv`. Options: `atol`, `rtol`, `hermitian`. Singular
/// values that count as 0 are left out.
///
/// # Errors
/// Those of [`linalg_svd`].
///
/// ```
/// let x = torch::tensor([[2.0, 0.0], [0.0, 4.0], [0.0, 0.0]]);
/// assert!(torch::linalg::pinv(&x).allclose(&torch::tensor([[0.5, 0.0, 0.0], [0.0, 0.25, 0.0]])));
/// ```
#[op(linalg, forms(pinv(options: &RankOptions) = (options)))]
pub fn linalg_pinv(x: &Tensor, options: &RankOptions) -> Result<Tensor> {
    let (m, n) = match (x.dtype(), &x.size()[..]) {
        (DType::F32 | DType::F64, &[.., m, n]) => (m, n),
        (dtype, size) => {
            let size: Vec<String> = size.iter().map(usize::to_string).collect();
            return Err(Error::runtime(format!(
                "linalg.pinv({}{{[{}]}}): expected a tensor with 2 or more dimensions of float, double, cfloat or cdouble types",
                dtype.scalar_type_name(),
                size.join(", ")
            )));
        }
    };
    let plain = x.detach();
    let (u, s, vh) = linalg_svd(&if options.hermitian { symmetric(&plain)? } else { plain }, false)?;
    let inverse = if m.min(n) == 0 {
        s
    } else {
        let counts = gt(&s, &options.bound(&s, (m, n))?)?;
        crate::ops::where_(&counts, &crate::ops::reciprocal(&s)?, 0.0)?
    };
    let out = matmul(&mul(&turned(&vh)?, &unsqueeze(&inverse, -2)?)?, &turned(&u)?)?;
    let saves = [Save::Tensor("self", x), Save::Output("result", 0)];
    Ok(record("LinalgPinvBackward0", &[x], &saves, out.array().clone(), move |c| {
        let (g, a, p) = (turned(&c.grad(0)?)?, c.saved(0)?, c.saved(1)?);
        // −Pᵀ G Pᵀ moves with A; the rest is what lies outside A's rows and columns.
        let (pt, pg) = (turned(&p)?, matmul(&p, &g)?);
        let gp = matmul(&g, &p)?;
        let inner = turned(&matmul(&matmul(&p, &g)?, &p)?)?;
        let columns = sub(&gp, &matmul(&a, &matmul(&p, &gp)?)?, 1)?;
        let rows = sub(&pg, &matmul(&matmul(&pg, &p)?, &a)?, 1)?;
        let outside = add(&matmul(&columns, &pt)?, &matmul(&pt, &rows)?, 1)?;
        Ok(smallvec![Some(sub(&outside, &inner, 1)?)])
    }))
}

/// [`linalg_pinv`], under `torch.pinverse`'s name: singular values up to 1e−15 times the largest are left out.
///
/// # Errors
/// Those of [`linalg_pinv`].
///
/// ```
/// assert!(torch::eye(2).mul(2).pinverse().allclose(&torch::eye(2).mul(0.5)));
/// ```
#[op(torch, method, cast_cpu = Float32)]
pub fn pinverse(x: &Tensor) -> Result<Tensor> {
    linalg_pinv(x, &RankOptions::default().rtol(1e-15))
}

/// The condition number of each matrix, ‖A‖ ‖A⁻¹‖, by default the largest singular value over the smallest: `torch.linalg.cond`.
/// `cond_p` takes the norm: ±2, ±1, ±∞ or `"fro"`, `"nuc"`; it is infinite for a singular matrix.
///
/// # Errors
/// Those of [`linalg_svd`]; for matrices that are not square where the norm is another than ±2.
///
/// ```
/// let x = torch::tensor([[4.0, 0.0], [0.0, 2.0]]);
/// assert_eq!(torch::linalg::cond(&x).item(), 2.0);
/// assert_eq!(torch::linalg::cond_p(&x, 1.0).item(), 2.0);
/// ```
#[op(linalg, cast_cpu = Float32, forms(cond() = (None), cond_p(p: impl Into<NormOrder>) = (Some(p.into()))))]
pub fn linalg_cond(x: &Tensor, p: Option<NormOrder>) -> Result<Tensor> {
    let order = p.unwrap_or(NormOrder::P(2.0));
    if x.dim() < 2 {
        return Err(Error::runtime("linalg.cond: The input tensor must have at least 2 dimensions."));
    }
    if let NormOrder::P(p) = order
        && p.abs() == 2.0
    {
        let s = linalg_svdvals(x)?;
        let k = s.size()[s.dim() - 1];
        if k == 0 {
            return crate::ops::sum(&s, &[-1], false, None);
        }
        let (first, last) = (narrow(&s, -1, 0, 1)?, narrow(&s, -1, k as i64 - 1, 1)?);
        let ratio = if p > 0.0 { div(&first, &last)? } else { div(&last, &first)? };
        return squeeze(&ratio, Some(&[-1]));
    }
    if let NormOrder::P(p) = order
        && p.abs() != 1.0
        && !p.is_infinite()
    {
        return Err(Error::runtime(format!("linalg.cond got an invalid norm type: {p}")));
    }
    let (m, n) = sides("linalg.cond", x)?;
    if m != n {
        return Err(Error::runtime(format!(
            "linalg.cond(ord={order}): A must be batches of square matrices, but they are {m} by {n} matrices"
        )));
    }
    let norm = |x: &Tensor| linalg_norm(x, Some(order), Some(&[-2, -1]), false);
    let of = norm(x)?;
    match linalg_inv(x) {
        Ok(inverse) => mul(&of, &norm(&inverse)?),
        // One singular matrix in a batch leaves the others their numbers.
        Err(_) if x.dim() == 2 => crate::ops::full_like(&of, f64::INFINITY, None, None),
        Err(_) => {
            let parts: Result<Vec<Tensor>> =
                crate::ops::unbind(x, 0)?.iter().map(|x| linalg_cond(x, Some(order))).collect();
            crate::ops::stack(&parts?, 0)
        }
    }
}
