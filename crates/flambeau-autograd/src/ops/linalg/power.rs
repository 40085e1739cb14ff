//! Products of a matrix with itself, of many matrices, and of vectors.

use super::factor::square;
use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::{expand, eye, linalg_inv, matmul, mul, sum, to_i64, unsqueeze, view};
use flambeau_macros::op;
use flambeau_tensor::DType;
use std::borrow::Borrow;

/// Aⁿ for whole n, A⁻¹ to the power −n for a negative one: `torch.linalg.matrix_power`.
///
/// # Errors
/// For matrices that are not square, and for negative n where one is singular.
///
/// ```
/// let x = torch::tensor([[1.0, 1.0], [0.0, 1.0]]);
/// assert_eq!(torch::linalg::matrix_power(&x, 3).to_vec::<f32>(), [1.0, 3.0, 0.0, 1.0]);
/// assert_eq!(torch::linalg::matrix_power(&x, -1).to_vec::<f32>(), [1.0, -1.0, 0.0, 1.0]);
/// ```
#[op(linalg, forms(matrix_power(n: i64) = (n)))]
pub fn linalg_matrix_power(x: &Tensor, n: i64) -> Result<Tensor> {
    let side = square("linalg.matrix_power", x)?;
    if n == 0 {
        let one = eye(side, None, x.dtype(), x.device())?;
        return crate::ops::copy_(&crate::ops::clone(x)?, &expand(&one, &to_i64(&x.size()))?);
    }
    if n < 0 {
        let inverse = linalg_inv(x)?;
        return if n == -1 { Ok(inverse) } else { powers(&inverse, n.unsigned_abs()) };
    }
    if n == 1 { crate::ops::clone(x) } else { powers(x, n.unsigned_abs()) }
}

/// By squares, for a power above 0.
fn powers(x: &Tensor, n: u64) -> Result<Tensor> {
    if n == 3 {
        return matmul(&matmul(x, x)?, x);
    }
    let (mut left, mut square, mut product) = (n, x.shallow_clone(), None::<Tensor>);
    loop {
        if left % 2 == 1 {
            product = Some(match product {
                None => square.shallow_clone(),
                Some(product) => matmul(&product, &square)?,
            });
        }
        left /= 2;
        match product {
            Some(product) if left == 0 => return Ok(product),
            _ => square = matmul(&square, &square)?,
        }
    }
}

/// [`linalg_matrix_power`], under `torch.matrix_power`'s name.
///
/// # Errors
/// Those of [`linalg_matrix_power`].
///
/// ```
/// assert!(torch::eye(2).mul(2).matrix_power(3).equal(&torch::eye(2).mul(8)));
/// ```
#[op(torch, method)]
pub fn matrix_power(x: &Tensor, n: i64) -> Result<Tensor> {
    linalg_matrix_power(x, n)
}

/// The product of two or more matrices, in the order that needs the fewest multiplications: `torch.linalg.multi_dot`. The first and the
/// last may be vectors.
///
/// # Errors
/// For fewer than two tensors, other dtypes, and shapes that do not fit.
///
/// ```
/// let (a, b) = (torch::ones([2, 3]), torch::ones([3, 4]));
/// assert_eq!(torch::linalg::multi_dot(&[&a, &b, &torch::ones(4)]).to_vec::<f32>(), [12.0, 12.0]);
/// ```
#[op(linalg, cast_gpu = Low, forms(multi_dot() = ()))]
pub fn linalg_multi_dot<T: Borrow<Tensor>>(tensors: &[T]) -> Result<Tensor> {
    let given: Vec<&Tensor> = tensors.iter().map(Borrow::borrow).collect();
    let count = given.len();
    if count < 2 {
        return Err(Error::runtime(format!("multi_dot(): expected at least 2 tensors but got {count}")));
    }
    let (first, last) = (given[0].dim() == 1, given[count - 1].dim() == 1);
    let raised = given.iter().enumerate().map(|(i, &x)| match x.dim() {
        2 => Ok(x.shallow_clone()),
        1 if i == 0 => unsqueeze(x, 0),
        1 if i == count - 1 => unsqueeze(x, -1),
        dim if i == 0 || i == count - 1 => {
            let which = if i == 0 { "the first" } else { "the last" };
            Err(Error::runtime(format!("multi_dot(): {which} tensor must be 1D or 2D but got {dim}D")))
        }
        dim => Err(Error::runtime(format!("multi_dot(): tensor {i} must be 2D but got {dim}D"))),
    });
    let raised: Vec<Tensor> = raised.collect::<Result<_>>()?;
    for i in 1..count {
        let (a, b) = (given[i - 1], given[i]);
        if given[0].dtype() != b.dtype() {
            let (one, other) = (type_name(given[0].dtype()), type_name(b.dtype()));
            return Err(Error::runtime(format!(
                "multi_dot(): all tensors must have be the same dtype but tensor 0 is {one} and tensor {i} {other}"
            )));
        }
        if raised[i - 1].size()[1] != raised[i].size()[0] {
            let text = |x: &Tensor| {
                let size: Vec<String> = x.size().iter().map(usize::to_string).collect();
                format!("[{}]", size.join(", "))
            };
            return Err(Error::runtime(format!(
                "multi_dot(): tensors {} and {i} with shapes {} and {} cannot be multiplied",
                i - 1,
                text(a),
                text(b)
            )));
        }
    }
    let sides: Vec<usize> = raised.iter().map(|x| x.size()[0]).chain([raised[count - 1].size()[1]]).collect();
    let product = chain(&raised, &cheapest(&sides), 0, count - 1)?;
    let mut shape = to_i64(&product.size()).to_vec();
    if first {
        shape.remove(0);
    }
    if last {
        shape.pop();
    }
    view(&product, &shape)
}

/// What C++ calls the elements' type.
fn type_name(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "float",
        DType::F64 => "double",
        DType::F16 => "c10::Half",
        DType::BF16 => "c10::BFloat16",
        DType::I64 => "long int",
        DType::I32 => "int",
        DType::I16 => "short int",
        DType::I8 => "signed char",
        DType::U8 => "unsigned char",
        DType::Bool => "bool",
    }
}

/// After which matrix the product of those from i to j is split best.
fn cheapest(sides: &[usize]) -> Vec<Vec<usize>> {
    let count = sides.len() - 1;
    let mut costs = vec![vec![0.0f64; count]; count];
    let mut splits = vec![vec![0; count]; count];
    for length in 1..count {
        for i in 0..count - length {
            let j = i + length;
            costs[i][j] = f64::INFINITY;
            for split in i..j {
                let here = (sides[i] * sides[split + 1]) as f64 * sides[j + 1] as f64;
                let cost = costs[i][split] + costs[split + 1][j] + here;
                if cost < costs[i][j] {
                    (costs[i][j], splits[i][j]) = (cost, split);
                }
            }
        }
    }
    splits
}

fn chain(matrices: &[Tensor], splits: &[Vec<usize>], i: usize, j: usize) -> Result<Tensor> {
    if i == j {
        return Ok(matrices[i].shallow_clone());
    }
    let split = splits[i][j];
    matmul(&chain(matrices, splits, i, split)?, &chain(matrices, splits, split + 1, j)?)
}

/// The dot product of vectors along a dimension, which goes: `torch.linalg.vecdot`. Without one it is the last; `vecdot_dim` takes it. The
/// other dimensions broadcast.
///
/// # Errors
/// For other dtypes, integers, and shapes that do not broadcast.
///
/// ```
/// let (a, b) = (torch::tensor([[1.0, 2.0], [3.0, 4.0]]), torch::tensor([1.0, 10.0]));
/// assert_eq!(torch::linalg::vecdot(&a, &b).to_vec::<f32>(), [21.0, 43.0]);
/// ```
#[op(linalg, cast = Low, forms(vecdot(other: &Tensor) = (other, -1), vecdot_dim(other: &Tensor, dim: i64) = (other, dim)))]
pub fn linalg_vecdot(x: &Tensor, other: &Tensor, dim: i64) -> Result<Tensor> {
    let name = "linalg.vecdot";
    if !x.is_floating_point() {
        return Err(flambeau_tensor::Error::NotImplemented(format!(
            "{name}: Expected a floating point or complex tensor as input. Got {}",
            x.dtype().scalar_type_name()
        ))
        .into());
    }
    if x.dtype() != other.dtype() {
        return Err(Error::runtime(format!(
            "{name}: Expected x and y to have the same dtype, but found x of type {} and y of type {} instead",
            x.dtype().scalar_type_name(),
            other.dtype().scalar_type_name()
        )));
    }
    if x.dim() == 1 && other.dim() == 1 {
        return crate::ops::vdot(x, other);
    }
    sum(&mul(x, other)?, &[dim], false, None)
}
