//! Orthogonal factors, by Householder's reflections. They are computed in f64 on the host, wherever the matrices lie, and rounded once.

use super::factor::{floats, linalg_solve_triangular};
use super::svd::{sides, turned};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record_many};
use crate::ops::pointwise::gamma::{doubles, from_doubles};
use crate::ops::{add, cat, diag_embed, diagonal, matmul, mul, narrow, neg, sub, tril, triu, zeros};
use flambeau_macros::op;
use flambeau_tensor::Dims;
use smallvec::smallvec;

/// Applies the reflection I − tau v vᵀ, v given from row `start` on, to the columns from `first` on of a matrix of `width` columns.
fn reflect(a: &mut [f64], width: usize, start: usize, first: usize, v: &[f64], tau: f64) {
    for j in first..width {
        let share: f64 = v.iter().enumerate().map(|(i, v)| v * a[(start + i) * width + j]).sum();
        v.iter().enumerate().for_each(|(i, v)| a[(start + i) * width + j] -= tau * share * v);
    }
}

/// Q (m × columns) and R (columns × n) of one matrix, row by row, with LAPACK's signs.
fn factors(a: &[f64], m: usize, n: usize, columns: usize) -> (Vec<f64>, Vec<f64>) {
    let mut r = a.to_vec();
    let mut reflections = Vec::new();
    for k in 0..m.min(n) {
        let column: Vec<f64> = (k..m).map(|i| r[i * n + k]).collect();
        let rest = column[1..].iter().fold(0.0f64, |size, x| size.hypot(*x));
        if rest == 0.0 {
            continue;
        }
        let beta = -column[0].hypot(rest).copysign(column[0]);
        let divisor = column[0] - beta;
        let v: Vec<f64> = std::iter::once(1.0).chain(column[1..].iter().map(|x| x / divisor)).collect();
        let tau = (beta - column[0]) / beta;
        reflect(&mut r, n, k, k, &v, tau);
        (k + 1..m).for_each(|i| r[i * n + k] = 0.0);
        reflections.push((k, v, tau));
    }
    let mut q: Vec<f64> = (0..m * columns).map(|i| f64::from(u8::from(i / columns == i % columns))).collect();
    for (k, v, tau) in reflections.iter().rev() {
        reflect(&mut q, columns, *k, 0, v, *tau);
    }
    r.truncate(columns * n);
    (q, r)
}

/// The factors of A = Q R, Q with orthonormal columns, R upper triangular: `torch.linalg.qr(A)`, Q `[…, m, k]` and R `[…, k, n]` for A
/// `[…, m, n]` and k the smaller side. `qr_mode` takes `"reduced"` (the default), `"complete"` (Q `[…, m, m]`) or `"r"` (Q is empty).
///
/// # Errors
/// For integers, and for a mode that is not there. In backward: for the mode `"r"`, and for `"complete"` where A is taller than wide.
///
/// ```
/// let x = torch::tensor([[0.0, 1.0], [2.0, 3.0], [0.0, 4.0]]);
/// let (q, r) = torch::linalg::qr(&x);
/// assert!(q.matmul(&r).allclose(&x));
/// assert!(q.t().matmul(&q).allclose_with(&torch::eye(2), |o| o.atol(1e-6)));
/// ```
#[op(linalg, cast_cpu = Float32, forms(qr() = ("reduced"), qr_mode(mode: &str) = (mode)))]
pub fn linalg_qr(x: &Tensor, mode: &str) -> Result<(Tensor, Tensor)> {
    let name = "linalg.qr";
    let (m, n) = sides(name, x)?;
    floats(name, x)?;
    let (columns, with_q) = match mode {
        "reduced" => (m.min(n), true),
        "complete" => (m, true),
        "r" => (m.min(n), false),
        other => {
            return Err(Error::runtime(format!(
                "qr received unrecognized mode '{other}' but expected one of 'reduced' (default), 'r', or 'complete'"
            )));
        }
    };
    let batch: Dims = x.size()[..x.dim() - 2].into();
    let (mut q, mut r) = (Vec::new(), Vec::new());
    let values = doubles(x)?;
    for i in 0..batch.iter().product() {
        let (of_q, of_r) = factors(&values[i * m * n..(i + 1) * m * n], m, n, columns);
        q.extend(of_q);
        r.extend(of_r);
    }
    let of = |values: &[f64], last: &[usize]| {
        let shape: Dims = batch.iter().chain(last).copied().collect();
        from_doubles(values, x.dtype(), x, &shape)
    };
    let q = if with_q { of(&q, &[m, columns])? } else { from_doubles(&[], x.dtype(), x, &[0])? };
    let outputs = vec![q, of(&r, &[columns, n])?];
    let saves = [Save::Output("Q", 0), Save::Output("R", 1)];
    let mode = mode.to_owned();
    let mut both = record_many("LinalgQrBackward0", &[x], &saves, outputs, move |c| {
        if mode == "r" {
            return Err(Error::runtime(
                "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use \
                 torch.linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr.",
            ));
        }
        if mode == "complete" && m > n {
            return Err(Error::runtime(
                "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.",
            ));
        }
        let (q, r) = (c.saved(0)?, c.saved(1)?);
        let gq = c.has_grad(0).then(|| c.grad(0)).transpose()?;
        let gr = c.has_grad(1).then(|| c.grad(1)).transpose()?;
        // R gRᵀ less gQᵀ Q, transposed.
        let of_r = gr.as_ref().map(|gr| matmul(gr, &turned(&r)?)).transpose()?;
        let of_q = gq.as_ref().map(|gq| matmul(&turned(&q)?, gq)).transpose()?;
        let inner = match (of_r, of_q) {
            (Some(a), Some(b)) => sub(&a, &b, 1)?,
            (Some(a), None) => a,
            (None, Some(b)) => neg(&b)?,
            (None, None) => return Ok(smallvec![None]),
        };
        let half = |x: &Tensor| -> Result<Tensor> {
            let own = diag_embed(&diagonal(x, 0, -2, -1)?, 0, -2, -1)?;
            sub(x, &mul(&own, 0.5)?, 1)
        };
        if m >= n {
            let upper = triu(&inner, 0)?;
            let mut g = matmul(&q, &half(&add(&upper, &turned(&upper)?, 1)?)?)?;
            if let Some(gq) = &gq {
                g = add(&g, gq, 1)?;
            }
            return Ok(smallvec![Some(linalg_solve_triangular(&turned(&r)?, &g, false, false, false)?)]);
        }
        // Only the first m columns of R are a triangle.
        let inner = neg(&inner)?;
        let lower = half(&tril(&sub(&inner, &turned(&inner)?, 1)?, 0)?)?;
        let square = narrow(&r, -1, 0, m as i64)?;
        let g = linalg_solve_triangular(&turned(&square)?, &matmul(&q, &lower)?, false, false, false)?;
        let mut shape = r.size().to_vec();
        *shape.last_mut().expect("two dimensions") = n - m;
        let mut g = cat(&[g, zeros(&shape, r.dtype(), r.device())?], -1)?;
        if let Some(gr) = &gr {
            g = add(&g, &matmul(&q, gr)?, 1)?;
        }
        Ok(smallvec![Some(g)])
    });
    let r = both.pop().expect("two outputs");
    Ok((both.pop().expect("two outputs"), r))
}
