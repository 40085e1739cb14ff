//! Determinants, inverses and linear systems, by LU factors. They are computed in f64 on the host, wherever the matrices lie, and
//! rounded once.

use super::factor::{floats, square};
use crate::error::{Error, Result};
use crate::graph::{Save, record, record_many};
use crate::ops::pointwise::gamma::{doubles, from_doubles};
use crate::ops::{
    cat, eq, expand, matmul, mul, narrow, neg, stack, sum_to_size, to_i64, transpose, unsqueeze, view, where_,
    zeros_like,
};
use crate::{Tensor, is_grad_enabled};
use flambeau_macros::op;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::{DType, Dims};
use smallvec::smallvec;

/// A matrix A with P A = L U: L below the diagonal of `lu`, ones on its own; row i of P A is row `rows[i]` of A.
struct Lu {
    lu: Vec<f64>,
    rows: Vec<usize>,
    n: usize,
    /// Whether the rows are an odd permutation.
    odd: bool,
}

impl Lu {
    /// By Gaussian elimination with partial pivoting, row by row as LAPACK's `getrf`.
    fn new(a: &[f64], n: usize) -> Self {
        let (mut lu, mut rows, mut odd) = (a.to_vec(), (0..n).collect::<Vec<_>>(), false);
        for k in 0..n {
            let size = |i: usize| lu[i * n + k].abs();
            // NaN wins, as in LAPACK: it must not be passed over.
            let pivot = (k..n).reduce(|best, i| if size(i) > size(best) || size(i).is_nan() { i } else { best });
            let pivot = pivot.expect("a row");
            if pivot != k {
                (0..n).for_each(|j| lu.swap(k * n + j, pivot * n + j));
                rows.swap(k, pivot);
                odd = !odd;
            }
            let divisor = lu[k * n + k];
            if divisor == 0.0 {
                continue;
            }
            for i in k + 1..n {
                let factor = lu[i * n + k] / divisor;
                lu[i * n + k] = factor;
                (k + 1..n).for_each(|j| lu[i * n + j] -= factor * lu[k * n + j]);
            }
        }
        Lu { lu, rows, n, odd }
    }

    fn diagonal(&self) -> impl Iterator<Item = f64> {
        (0..self.n).map(|i| self.lu[i * self.n + i])
    }

    /// The first zero on U's diagonal, counted from 1.
    fn singular(&self) -> Option<usize> {
        self.diagonal().position(|x| x == 0.0).map(|i| i + 1)
    }

    /// The sign of the permutation.
    fn parity(&self) -> f64 {
        if self.odd { -1.0 } else { 1.0 }
    }

    fn determinant(&self) -> f64 {
        self.diagonal().fold(self.parity(), |product, x| product * x)
    }

    /// The determinant's sign and the logarithm of its absolute value.
    fn sign_and_log(&self) -> (f64, f64) {
        let sign = |x: f64| if x == 0.0 || x.is_nan() { 0.0 } else { x.signum() };
        self.diagonal().fold((self.parity(), 0.0), |(s, l), x| (s * sign(x), l + x.abs().ln()))
    }

    /// Puts a number for the zeros of U's diagonal.
    fn perturbed(mut self, by: f64) -> Self {
        for i in 0..self.n {
            let x = &mut self.lu[i * self.n + i];
            *x = if *x == 0.0 { by } else { *x };
        }
        self
    }

    /// X of A X = B, B n × m.
    fn solve(&self, b: &[f64], m: usize) -> Vec<f64> {
        let n = self.n;
        let mut x: Vec<f64> = self.rows.iter().flat_map(|&row| &b[row * m..(row + 1) * m]).copied().collect();
        for i in 0..n {
            for j in 0..i {
                let factor = self.lu[i * n + j];
                (0..m).for_each(|k| x[i * m + k] -= factor * x[j * m + k]);
            }
        }
        for i in (0..n).rev() {
            for j in i + 1..n {
                let factor = self.lu[i * n + j];
                (0..m).for_each(|k| x[i * m + k] -= factor * x[j * m + k]);
            }
            (0..m).for_each(|k| x[i * m + k] /= self.lu[i * n + i]);
        }
        x
    }

    fn inverse(&self) -> Vec<f64> {
        let n = self.n;
        let identity: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
        self.solve(&identity, n)
    }
}

/// The LU factors of each matrix of a batch.
fn factors(name: &str, x: &Tensor) -> Result<(Vec<Lu>, usize)> {
    floats(name, x)?;
    let n = square(name, x)?;
    let batch: usize = x.size()[..x.dim() - 2].iter().product();
    let values = doubles(x)?;
    Ok(((0..batch).map(|i| Lu::new(&values[i * n * n..(i + 1) * n * n], n)).collect(), n))
}

fn batch_of(x: &Tensor) -> Dims {
    x.size()[..x.dim() - 2].into()
}

/// Fails for a batch with a singular matrix.
fn refuse_singular(factors: &[Lu], x: &Tensor, start: &str, what: impl Fn(usize) -> String) -> Result<()> {
    let found = factors.iter().enumerate().find_map(|(i, lu)| Some((i, lu.singular()?)));
    let Some((i, order)) = found else { return Ok(()) };
    let which = if x.dim() > 2 { format!("(Batch element {i}): ") } else { String::new() };
    Err(Error::runtime(format!("{start}: {which}{}", what(order))))
}

/// A⁻ᵀ, where an exactly singular A counts as the near one whose pivots are the dtype's rounding error instead of 0.
fn inverse_transposed(name: &str, x: &Tensor) -> Result<Tensor> {
    let (factors, _) = factors(name, x)?;
    let by = if x.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let values: Vec<f64> = factors.into_iter().flat_map(|lu| lu.perturbed(by).inverse()).collect();
    transpose(&Tensor::from(from_doubles(&values, x.dtype(), x, &x.size())?), -2, -1)
}

/// The matrix of cofactors, (−1)^(i+j) times the determinant without row i and column j: the determinant's gradient, which a
/// singular matrix has too.
fn cofactors(x: &Tensor, n: usize) -> Result<Tensor> {
    let without = |i: usize, dim: i64, x: &Tensor| {
        cat(&[narrow(x, dim, 0, i as i64)?, narrow(x, dim, i as i64 + 1, (n - i) as i64 - 1)?], dim)
    };
    let mut rows = Vec::with_capacity(n);
    for i in 0..n {
        let rest = without(i, -2, x)?;
        let row = (0..n).map(|j| {
            let minor = linalg_det(&without(j, -1, &rest)?)?;
            if (i + j) % 2 == 0 { Ok(minor) } else { neg(&minor) }
        });
        rows.push(stack(&row.collect::<Result<Vec<_>>>()?, -1)?);
    }
    stack(&rows, -2)
}

fn with_two_dims(x: &Tensor) -> Result<Tensor> {
    unsqueeze(&unsqueeze(x, -1)?, -1)
}

/// The determinant of each matrix: `torch.linalg.det`. The gradient is det(A) A⁻ᵀ, the zero matrix where det(A) is exactly 0;
/// recorded (`create_graph`), a singular matrix's is made of its cofactors.
///
/// # Errors
/// For matrices that are not square, and integers.
///
/// ```
/// let x = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(torch::linalg::det(&x).item(), -2.0);
/// ```
#[op(linalg, forms(det() = ()))]
pub fn linalg_det(x: &Tensor) -> Result<Tensor> {
    let (factors, n) = factors("linalg.det", x)?;
    let values: Vec<f64> = factors.iter().map(Lu::determinant).collect();
    let singular = values.contains(&0.0);
    let out = from_doubles(&values, x.dtype(), x, &batch_of(x))?;
    let saves = [Save::Tensor("A", x), Save::Output("result", 0)];
    Ok(record("LinalgDetBackward0", &[x], &saves, out, move |c| {
        let (g, x, det) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
        let slope = match (is_grad_enabled(), singular) {
            (true, true) => cofactors(&x, n)?,
            (true, false) => mul(&transpose(&linalg_inv(&x)?, -2, -1)?, &with_two_dims(&det)?)?,
            (false, _) => mul(&inverse_transposed("linalg.det", &x)?, &with_two_dims(&det)?)?,
        };
        Ok(smallvec![Some(mul(&slope, &with_two_dims(&g)?)?)])
    }))
}

/// [`linalg_det`], under `torch.det`'s name.
///
/// # Errors
/// Those of [`linalg_det`].
///
/// ```
/// assert_eq!(torch::eye(3).mul(2).det().item(), 8.0);
/// ```
#[op(torch, method)]
pub fn det(x: &Tensor) -> Result<Tensor> {
    linalg_det(x)
}

fn signed_log(name: &str, x: &Tensor) -> Result<(Tensor, Tensor)> {
    let (factors, _) = factors(name, x)?;
    let (signs, logs): (Vec<f64>, Vec<f64>) = factors.iter().map(Lu::sign_and_log).unzip();
    let shape = batch_of(x);
    let outputs = vec![from_doubles(&signs, x.dtype(), x, &shape)?, from_doubles(&logs, x.dtype(), x, &shape)?];
    let mut both = record_many("LinalgSlogdetBackward0", &[x], &[Save::Tensor("A", x)], outputs, |c| {
        let x = c.saved(0)?;
        if !c.has_grad(1) {
            return Ok(smallvec![Some(zeros_like(&x, None, None)?)]);
        }
        let slope = match is_grad_enabled() {
            true => transpose(&linalg_inv(&x)?, -2, -1)?,
            false => inverse_transposed("linalg.slogdet", &x)?,
        };
        Ok(smallvec![Some(mul(&slope, &with_two_dims(&c.grad(1)?)?)?)])
    });
    let log = both.pop().expect("two outputs");
    Ok((both.pop().expect("two outputs"), log))
}

/// The sign of each matrix' determinant (0 for a singular one) and the logarithm of its absolute value, which neither overflows
/// nor underflows: `torch.linalg.slogdet`.
///
/// # Errors
/// For matrices that are not square, and integers.
///
/// ```
/// let (sign, logabsdet) = torch::linalg::slogdet(&torch::tensor([[0.0, 2.0], [2.0, 0.0]]));
/// assert_eq!(sign.item(), -1.0);
/// assert!((logabsdet.item() - 4f64.ln()).abs() < 1e-6);
/// ```
#[op(linalg, forms(slogdet() = ()))]
pub fn linalg_slogdet(x: &Tensor) -> Result<(Tensor, Tensor)> {
    signed_log("linalg.slogdet", x)
}

/// [`linalg_slogdet`], under `torch.slogdet`'s name.
///
/// # Errors
/// Those of [`linalg_slogdet`].
///
/// ```
/// let (sign, logabsdet) = torch::eye(2).slogdet();
/// assert_eq!((sign.item(), logabsdet.item()), (1.0, 0.0));
/// ```
#[op(torch, method)]
pub fn slogdet(x: &Tensor) -> Result<(Tensor, Tensor)> {
    linalg_slogdet(x)
}

/// The logarithm of each matrix' determinant, NaN where that is negative and −∞ where it is 0: `torch.logdet`.
///
/// # Errors
/// For matrices that are not square, and integers.
///
/// ```
/// assert_eq!(torch::eye(3).logdet().item(), 0.0);
/// ```
#[op(torch, method)]
pub fn logdet(x: &Tensor) -> Result<Tensor> {
    let (sign, log) = signed_log("logdet", x)?;
    where_(&eq(&sign, -1.0)?, f64::NAN, &log)
}

/// The inverse of each matrix: `torch.linalg.inv`.
///
/// # Errors
/// For a singular matrix, matrices that are not square, and integers.
///
/// ```
/// let x = torch::tensor([[2.0, 0.0], [0.0, 4.0]]);
/// assert_eq!(torch::linalg::inv(&x).to_vec::<f32>(), [0.5, 0.0, 0.0, 0.25]);
/// ```
#[op(linalg, cast_cpu = Float32, forms(inv() = ()))]
pub fn linalg_inv(x: &Tensor) -> Result<Tensor> {
    let name = "linalg.inv";
    let (factors, _) = factors(name, x)?;
    refuse_singular(&factors, x, name, |order| {
        format!(
            "The diagonal element {order} is zero, the inversion could not be completed because the input matrix is singular."
        )
    })?;
    let values: Vec<f64> = factors.iter().flat_map(Lu::inverse).collect();
    let out = from_doubles(&values, x.dtype(), x, &x.size())?;
    Ok(record("LinalgInvExBackward0", &[x], &[Save::Output("inverse", 0)], out, |c| {
        let (g, inverse) = (c.grad(0)?, c.saved(0)?);
        let turned = transpose(&inverse, -2, -1)?;
        Ok(smallvec![Some(neg(&matmul(&turned, &matmul(&g, &turned)?)?)?)])
    }))
}

/// [`linalg_inv`], under `torch.inverse`'s name.
///
/// # Errors
/// Those of [`linalg_inv`].
///
/// ```
/// assert!(torch::eye(2).inverse().equal(&torch::eye(2)));
/// ```
#[op(torch, method, cast_cpu = Float32)]
pub fn inverse(x: &Tensor) -> Result<Tensor> {
    linalg_inv(x)
}

/// The solution X of A X = B: `torch.linalg.solve`, for matrices B `[…, n, m]` or vectors `[…, n]`: a B of one dimension is a
/// vector, and so is one of A's shape without its last dimension. `solve_right` is `left=False`: the solution of X A = B.
/// Batches broadcast.
///
/// # Errors
/// For a singular matrix, shapes that do not fit, and integers.
///
/// ```
/// let a = torch::tensor([[2.0, 1.0], [1.0, 1.0]]);
/// let x = torch::linalg::solve(&a, &torch::tensor([3.0, 2.0]));
/// assert_eq!(x.to_vec::<f32>(), [1.0, 1.0]);
/// ```
#[op(linalg, cast_cpu = Float32, forms(solve(b: &Tensor) = (b, true), solve_right(b: &Tensor) = (b, false)))]
pub fn linalg_solve(a: &Tensor, b: &Tensor, left: bool) -> Result<Tensor> {
    let name = "linalg.solve";
    floats(name, a)?;
    let n = square(name, a)?;
    if a.dtype() != b.dtype() {
        return Err(Error::runtime(format!(
            "{name}: Expected A and B to have the same dtype, but found A of type {} and B of type {} instead",
            a.dtype().scalar_type_name(),
            b.dtype().scalar_type_name()
        )));
    }
    let vector = b.dim() == 1 || a.dim() == b.dim() + 1 && a.size()[..a.dim() - 1] == b.size()[..];
    let columns = if vector { unsqueeze(b, -1)? } else { b.shallow_clone() };
    let [.., rows, width] = columns.size()[..] else {
        return Err(Error::runtime(format!("{name}: The input tensor B must have at least 2 dimensions.")));
    };
    if n != if left { rows } else { width } {
        let form = if left { "AX = B" } else { "XA = B" };
        return Err(Error::runtime(format!(
            "{name}: Incompatible shapes of A and B for the equation {form} ({n}x{n} and {rows}x{width})"
        )));
    }
    let x = solution(&a.detach(), &columns.detach(), left)?;
    let flat = |x: &Tensor| view(x, &to_i64(&x.size()[..x.dim() - 1]));
    let out = if vector { flat(&x)? } else { x };
    let saves = [Save::Tensor("A", a), Save::Output("result", 0)];
    let (a_size, b_size) = (a.size(), b.size());
    Ok(record("LinalgSolveExBackward0", &[a, b], &saves, out.array().clone(), move |c| {
        let column = |x: Tensor| if vector { unsqueeze(&x, -1) } else { Ok(x) };
        let (g, a, x) = (column(c.grad(0)?)?, c.saved(0)?, column(c.saved(1)?)?);
        let of_b = linalg_solve(&transpose(&a, -2, -1)?, &g, left)?;
        let of_a = match c.needs(0) {
            true => {
                let product = match left {
                    true => matmul(&of_b, &transpose(&x, -2, -1)?)?,
                    false => matmul(&transpose(&x, -2, -1)?, &of_b)?,
                };
                Some(sum_to_size(&neg(&product)?, &a_size)?)
            }
            false => None,
        };
        let of_b = if vector { flat(&of_b)? } else { of_b };
        Ok(smallvec![of_a, Some(sum_to_size(&of_b, &b_size)?)])
    }))
}

/// The solution for matrices B, without a record.
fn solution(a: &Tensor, b: &Tensor, left: bool) -> Result<Tensor> {
    if !left {
        // X A = B is Aᵀ Xᵀ = Bᵀ.
        return transpose(&solution(&transpose(a, -2, -1)?, &transpose(b, -2, -1)?, true)?, -2, -1);
    }
    let (factors, n) = factors("linalg.solve", a)?;
    refuse_singular(&factors, a, "torch.linalg.solve", |_| {
        "The solver failed because the input matrix is singular.".into()
    })?;
    let m = b.size()[b.dim() - 1];
    let batch = broadcast_shapes(&batch_of(a), &batch_of(b))?;
    let shape: Vec<usize> = batch.iter().copied().chain([n, m]).collect();
    // Which of A's factors each matrix of the broadcast batch has.
    let numbers = crate::from_vec((0..factors.len() as i64).collect::<Vec<_>>(), &batch_of(a)[..]);
    let numbers = expand(&numbers, &to_i64(&batch))?.to_vec::<i64>();
    let values = doubles(&expand(b, &to_i64(&shape))?)?;
    let solve = |(i, &which): (usize, &i64)| factors[which as usize].solve(&values[i * n * m..(i + 1) * n * m], m);
    let solved: Vec<f64> = numbers.iter().enumerate().flat_map(solve).collect();
    Ok(Tensor::from(from_doubles(&solved, b.dtype(), b, &shape)?))
}
