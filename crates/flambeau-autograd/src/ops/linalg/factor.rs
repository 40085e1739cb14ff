//! Triangular factors and systems. They are computed in f64 on the host, wherever the matrices lie, and rounded once.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::pointwise::gamma::{doubles, from_doubles};
use crate::ops::{add, expand, matmul, mul, neg, sum_to_size, to_i64, transpose, tril, triu};
use flambeau_macros::op;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::{DType, Dims};
use smallvec::smallvec;

pub(super) fn floats(name: &str, x: &Tensor) -> Result<()> {
    match x.dtype() {
        DType::F32 | DType::F64 => Ok(()),
        DType::F16 => Err(Error::runtime(format!("{name}: Low precision dtypes not supported. Got Half"))),
        DType::BF16 => Err(Error::runtime(format!("{name}: Low precision dtypes not supported. Got BFloat16"))),
        dtype => Err(Error::runtime(format!(
            "{name}: Expected a floating point or complex tensor as input. Got {}",
            dtype.scalar_type_name()
        ))),
    }
}

/// The side of square matrices.
pub(super) fn square(name: &str, x: &Tensor) -> Result<usize> {
    match x.size()[..] {
        [.., a, b] if a == b => Ok(a),
        [.., a, b] => Err(Error::runtime(format!(
            "{name}: A must be batches of square matrices, but they are {a} by {b} matrices"
        ))),
        _ => Err(Error::runtime(format!("{name}: The input tensor A must have at least 2 dimensions."))),
    }
}

/// Cholesky's factor of one matrix in place, lower; where it breaks off, the order of the minor that is not positive.
fn factor(a: &mut [f64], n: usize) -> Result<(), usize> {
    for j in 0..n {
        for i in 0..n {
            if i < j {
                a[i * n + j] = 0.0;
                continue;
            }
            let sum: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let rest = a[i * n + j] - sum;
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return Err(j + 1);
                }
                a[i * n + j] = rest.sqrt();
            } else {
                a[i * n + j] = rest / a[j * n + j];
            }
        }
    }
    Ok(())
}

/// The order of the first leading minor of each matrix that is not positive, and 0 for a positive-definite one:
/// `torch.linalg.cholesky_ex(x).info`, int32.
///
/// # Errors
/// For matrices that are not square, and for integers.
///
/// ```
/// let x = torch::tensor([[1.0, 2.0], [2.0, 1.0]]);
/// assert_eq!(torch::linalg::cholesky_info(&x).item(), 2.0);
/// ```
#[op(linalg, not_differentiable, cast_cpu = Float32, forms(cholesky_info() = ()))]
pub fn linalg_cholesky_info(x: &Tensor) -> Result<Tensor> {
    floats("linalg.cholesky_ex", x)?;
    let n = square("linalg.cholesky_ex", x)?;
    let mut values = doubles(x)?;
    let info: Vec<i32> = values.chunks_mut((n * n).max(1)).map(|a| factor(a, n).err().unwrap_or(0) as i32).collect();
    let shape: Dims = x.size()[..x.dim() - 2].into();
    Ok(crate::from_vec(info, &shape[..]))
}

/// Cholesky's factor L of symmetric positive-definite matrices A = L Lᵀ, lower triangular: `torch.linalg.cholesky`.
///
/// # Errors
/// For a matrix that is not positive-definite, matrices that are not square, and integers.
///
/// ```
/// let l = torch::linalg::cholesky(&torch::tensor([[4.0, 2.0], [2.0, 5.0]]));
/// assert_eq!(l.to_vec::<f32>(), [2.0, 0.0, 1.0, 2.0]);
/// ```
#[op(linalg, cast_cpu = Float32, forms(cholesky() = ()))]
pub fn linalg_cholesky(x: &Tensor) -> Result<Tensor> {
    floats("linalg.cholesky", x)?;
    let n = square("linalg.cholesky", x)?;
    let mut values = doubles(x)?;
    for (i, a) in values.chunks_mut((n * n).max(1)).enumerate() {
        if let Err(order) = factor(a, n) {
            let which = if x.dim() > 2 { format!("(Batch element {i}): ") } else { String::new() };
            return Err(Error::runtime(format!(
                "linalg.cholesky: {which}The factorization could not be completed because the input is not positive-definite \
                 (the leading minor of order {order} is not positive-definite)."
            )));
        }
    }
    let out = from_doubles(&values, x.dtype(), x, &x.size())?;
    Ok(record("LinalgCholeskyExBackward0", &[x], &[Save::Output("L", 0)], out, |c| {
        let (g, l) = (c.grad(0)?, c.saved(0)?);
        // ½ L⁻ᵀ (Φ + Φᵀ) L⁻¹, where Φ is the lower triangle of Lᵀ g with half its diagonal.
        let lower = tril(&matmul(&transpose(&l, -2, -1)?, &g)?, 0)?;
        let strict = tril(&lower, -1)?;
        let symmetric = add(&lower, &transpose(&strict, -2, -1)?, 1)?;
        let lt = transpose(&l, -2, -1)?;
        let left = linalg_solve_triangular(&lt, &symmetric, true, true, false)?;
        let whole = linalg_solve_triangular(&l, &left, false, false, false)?;
        Ok(smallvec![Some(mul(&whole, 0.5)?)])
    }))
}

/// Solves A X = B in place, A triangular n × n, B n × m.
fn solve_left(a: &[f64], b: &mut [f64], n: usize, m: usize, upper: bool, unit: bool) {
    let mut row = |i: usize, others: std::ops::Range<usize>| {
        for k in 0..m {
            let sum: f64 = others.clone().map(|j| a[i * n + j] * b[j * m + k]).sum();
            let rest = b[i * m + k] - sum;
            b[i * m + k] = if unit { rest } else { rest / a[i * n + i] };
        }
    };
    if upper {
        (0..n).rev().for_each(|i| row(i, i + 1..n));
    } else {
        (0..n).for_each(|i| row(i, 0..i));
    }
}

/// The solution X of A X = B for triangular A, of which the other triangle is not read: `torch.linalg.solve_triangular(A, B,
/// upper=…)`. `solve_triangular_of` also takes `left` (false for X A = B) and `unitriangular`, ones on the diagonal whatever it
/// holds. Batches broadcast.
///
/// # Errors
/// For shapes that do not fit, and integers.
///
/// ```
/// let a = torch::tensor([[2.0, 0.0], [1.0, 4.0]]);
/// let x = torch::linalg::solve_triangular(&a, &torch::tensor([[2.0], [9.0]]), false);
/// assert_eq!(x.to_vec::<f32>(), [1.0, 2.0]);
/// ```
#[op(linalg, forms(
    solve_triangular(b: &Tensor, upper: bool) = (b, upper, true, false),
    solve_triangular_of(b: &Tensor, upper: bool, left: bool, unitriangular: bool) = (b, upper, left, unitriangular),
))]
pub fn linalg_solve_triangular(a: &Tensor, b: &Tensor, upper: bool, left: bool, unitriangular: bool) -> Result<Tensor> {
    let name = "linalg.solve_triangular";
    floats(name, a)?;
    let n = square(name, a)?;
    let [.., rows, columns] = b.size()[..] else {
        return Err(Error::runtime(format!("{name}: The input tensor B must have at least 2 dimensions.")));
    };
    if n != if left { rows } else { columns } {
        let form = if left { "AX = B" } else { "XA = B" };
        return Err(Error::runtime(format!(
            "{name}: Incompatible shapes of A and B for the equation {form} ({n}x{n} and {rows}x{columns})"
        )));
    }
    let batch = broadcast_shapes(&a.size()[..a.dim() - 2], &b.size()[..b.dim() - 2])?;
    let with = |last: [usize; 2]| -> Vec<usize> { batch.iter().copied().chain(last).collect() };
    let (a, b) = (expand(a, &to_i64(&with([n, n])))?, expand(b, &to_i64(&with([rows, columns])))?);
    if !left {
        // X A = B is Aᵀ Xᵀ = Bᵀ.
        let turned =
            linalg_solve_triangular(&transpose(&a, -2, -1)?, &transpose(&b, -2, -1)?, !upper, true, unitriangular)?;
        return transpose(&turned, -2, -1);
    }
    let (av, mut bv) = (doubles(&a)?, doubles(&b)?);
    for (a, b) in av.chunks((n * n).max(1)).zip(bv.chunks_mut((rows * columns).max(1))) {
        solve_left(a, b, n, columns, upper, unitriangular);
    }
    let out = from_doubles(&bv, b.dtype(), &b, &b.size())?;
    let saves = [Save::Tensor("self", &a), Save::Output("result", 0)];
    Ok(record("LinalgSolveTriangularBackward0", &[&a, &b], &saves, out, move |c| {
        let (g, a, x) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
        let of_b = linalg_solve_triangular(&transpose(&a, -2, -1)?, &g, !upper, true, unitriangular)?;
        let of_a = match c.needs(0) {
            true => {
                let full = neg(&matmul(&of_b, &transpose(&x, -2, -1)?)?)?;
                let beside = i64::from(unitriangular);
                Some(if upper { triu(&full, beside)? } else { tril(&full, -beside)? })
            }
            false => None,
        };
        Ok(smallvec![of_a, Some(of_b)])
    }))
}

/// The solution X of L Lᵀ X = B for a lower triangular L: `torch.cholesky_solve(B, L)`.
///
/// # Errors
/// For shapes that do not fit, and integers.
///
/// ```
/// let l = torch::tensor([[2.0, 0.0], [1.0, 2.0]]);
/// let x = torch::cholesky_solve(&torch::tensor([[6.0], [7.0]]), &l);
/// assert_eq!(x.to_vec::<f32>(), [1.0, 1.0]);
/// ```
#[op(torch, method, cast_cpu = Float32)]
pub fn cholesky_solve(b: &Tensor, l: &Tensor) -> Result<Tensor> {
    let solve = |b: &Tensor, l: &Tensor| {
        let half = linalg_solve_triangular(l, b, false, true, false)?;
        linalg_solve_triangular(&transpose(l, -2, -1)?, &half, true, true, false)
    };
    let out = solve(&b.detach(), &l.detach())?;
    let saves = [Save::Tensor("input2", l), Save::Output("result", 0)];
    let (b_size, l_size) = (b.size(), l.size());
    Ok(record("CholeskySolveBackward0", &[b, l], &saves, out.array().clone(), move |c| {
        let (g, l, x) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
        let of_b = cholesky_solve(&g, &l)?;
        let of_l = match c.needs(1) {
            true => {
                // As PyTorch's, it is not zero above the diagonal, which is not read.
                let term = matmul(&of_b, &transpose(&x, -2, -1)?)?;
                let both = add(&term, &transpose(&term, -2, -1)?, 1)?;
                Some(sum_to_size(&neg(&matmul(&both, &l)?)?, &l_size)?)
            }
            false => None,
        };
        Ok(smallvec![Some(sum_to_size(&of_b, &b_size)?), of_l])
    }))
}
