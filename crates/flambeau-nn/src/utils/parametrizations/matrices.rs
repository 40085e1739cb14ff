//! Functions of matrices that the orthogonal maps need. Those with gradients are compositions; what only starts a map is computed on
//! the host in f64.

use flambeau_autograd::{Result, Tensor, ops};
use flambeau_tensor::DType;

/// The identity of the size and kind of square matrices `like`.
pub(super) fn eye_like(like: &Tensor) -> Result<Tensor> {
    let size = like.size();
    ops::eye(size[size.len() - 2], Some(size[size.len() - 1]), like.dtype(), like.device())
}

/// The exponential of square matrices, by a power series of the matrix halved often enough and squared as often.
pub(super) fn matrix_exp(a: &Tensor) -> Result<Tensor> {
    const TERMS: i32 = 14;
    let column_sums = ops::sum(&ops::abs(&a.detach())?, &[-2], false, None)?;
    let norm = if column_sums.numel() == 0 { 0.0 } else { column_sums.max().item() };
    let halvings = if norm > 0.5 { (norm / 0.5).log2().ceil().clamp(0.0, 60.0) as i32 } else { 0 };
    let small = ops::mul(a, 0.5f64.powi(halvings))?;
    let eye = eye_like(a)?;
    // I + A (I + A/2 (I + A/3 (…)))
    let mut sum = eye.shallow_clone();
    for term in (1..=TERMS).rev() {
        sum = ops::add(&eye, &ops::matmul(&small, &sum)?, 1.0 / f64::from(term))?;
    }
    for _ in 0..halvings {
        sum = ops::matmul(&sum, &sum)?;
    }
    Ok(sum)
}

/// The inverse of square matrices. The numbers come from the host; two steps of Newton's method, X (2I − A X), give them their
/// derivatives: the first step's first derivative and the second's second one are the inverse's.
pub(super) fn inverse(a: &Tensor) -> Result<Tensor> {
    let mut x = on_host(&a.detach(), invert)?;
    let twice = ops::mul(&eye_like(a)?, 2.0)?;
    for _ in 0..2 {
        x = ops::matmul(&x, &ops::sub(&twice, &ops::matmul(a, &x)?, 1)?)?;
    }
    Ok(x)
}

/// The first columns of H₁ H₂ … Hₖ, the reflections Hᵢ = I − τᵢ vᵢ vᵢᵀ, where vᵢ is 1 at i and the i-th column of `a` below, which is
/// 0 elsewhere: `torch.linalg.householder_product(a, tau)`.
pub(super) fn householder_product(a: &Tensor, tau: &Tensor) -> Result<Tensor> {
    let eye = eye_like(a)?;
    let vectors = ops::add(a, &eye, 1)?;
    let columns = a.size()[a.dim() - 1] as i64;
    let mut q = ops::expand_as(&eye, a)?;
    for i in (0..columns).rev() {
        let v = ops::narrow(&vectors, -1, i, 1)?;
        let along = ops::matmul(&ops::transpose(&v, -2, -1)?, &q)?;
        let scaled = ops::mul(&v, &ops::unsqueeze(&ops::narrow(tau, -1, i, 1)?, -2)?)?;
        q = ops::sub(&q, &ops::matmul(&scaled, &along)?, 1)?;
    }
    Ok(q)
}

/// LAPACK's `geqrf` of tall matrices, without a gradient: R with the reflections' vectors below its diagonal, and their factors τ.
pub(super) fn geqrf(a: &Tensor) -> Result<(Tensor, Tensor)> {
    let size = a.size();
    let columns = size[size.len() - 1];
    let both = on_host(a, |matrix, rows| {
        let mut tau = reflect(matrix, rows, columns);
        // The factors stand behind the matrix, and are cut off below.
        tau.resize(columns, 0.0);
        matrix.extend(tau);
    })?;
    let rows = size[size.len() - 2] as i64;
    let tau = ops::squeeze(&ops::narrow(&both, -2, rows, 1)?, Some(&[-2]))?;
    Ok((ops::contiguous(&ops::narrow(&both, -2, 0, rows)?)?, ops::contiguous(&tau)?))
}

/// Runs `f` over each matrix of a batch, row by row in f64; it may add rows.
fn on_host(x: &Tensor, f: impl Fn(&mut Vec<f64>, usize)) -> Result<Tensor> {
    let mut size = x.size().to_vec();
    let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
    let data: Vec<f64> = ops::to_dtype(&ops::contiguous(x)?, DType::F64)?.to_vec();
    let mut out = Vec::with_capacity(data.len());
    for matrix in data.chunks_exact((rows * columns).max(1)) {
        let mut matrix = matrix.to_vec();
        f(&mut matrix, rows);
        out.extend(matrix);
    }
    let matrices: usize = size[..size.len() - 2].iter().product();
    if let Some(rows) = out.len().checked_div(matrices * columns) {
        let place = size.len() - 2;
        size[place] = rows;
    }
    let out = flambeau_autograd::from_vec(out, size);
    ops::to_device(&ops::to_dtype(&out, x.dtype())?, x.device())
}

/// Gauss and Jordan with row exchanges.
fn invert(matrix: &mut Vec<f64>, n: usize) {
    let mut out: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
    for column in 0..n {
        let largest =
            (column..n).max_by(|&a, &b| matrix[a * n + column].abs().total_cmp(&matrix[b * n + column].abs()));
        let pivot = largest.unwrap_or(column);
        for i in 0..n {
            matrix.swap(column * n + i, pivot * n + i);
            out.swap(column * n + i, pivot * n + i);
        }
        let scale = 1.0 / matrix[column * n + column];
        for i in 0..n {
            matrix[column * n + i] *= scale;
            out[column * n + i] *= scale;
        }
        for row in (0..n).filter(|&row| row != column) {
            let factor = matrix[row * n + column];
            for i in 0..n {
                matrix[row * n + i] -= factor * matrix[column * n + i];
                out[row * n + i] -= factor * out[column * n + i];
            }
        }
    }
    *matrix = out;
}

/// Householder's reflections with LAPACK's signs: R over the vectors, in place; returns the factors.
fn reflect(matrix: &mut [f64], rows: usize, columns: usize) -> Vec<f64> {
    let mut tau = Vec::with_capacity(columns);
    for k in 0..columns.min(rows) {
        let below: f64 = (k + 1..rows).map(|i| matrix[i * columns + k].powi(2)).sum();
        let alpha = matrix[k * columns + k];
        if below == 0.0 {
            tau.push(0.0);
            continue;
        }
        let beta = -(alpha * alpha + below).sqrt().copysign(alpha);
        let factor = (beta - alpha) / beta;
        (k + 1..rows).for_each(|i| matrix[i * columns + k] /= alpha - beta);
        matrix[k * columns + k] = beta;
        for j in k + 1..columns {
            let along: f64 = matrix[k * columns + j]
                + (k + 1..rows).map(|i| matrix[i * columns + k] * matrix[i * columns + j]).sum::<f64>();
            matrix[k * columns + j] -= factor * along;
            (k + 1..rows).for_each(|i| matrix[i * columns + j] -= factor * along * matrix[i * columns + k]);
        }
        tau.push(factor);
    }
    tau
}
