//! Integrals by the trapezoidal rule.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::{add, cumsum, map, mul, select, slice, sub, sum, to_i64, view, zeros};
use flambeau_macros::op;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Scalar};
use std::sync::LazyLock;

static HALF: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.scalar(0)));
static TIMES: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.scalar(0)));

/// The product with a number, which as PyTorch's in C++ is no tensor that is saved.
fn times(x: &Tensor, number: f64) -> Result<Tensor> {
    map("MulBackward1", &TIMES, &[x], &[Scalar::Float(number)])
}

fn not_of_bools(name: &str, y: &Tensor, x: Option<&Tensor>) -> Result<()> {
    if y.dtype() != DType::Bool && x.is_none_or(|x| x.dtype() != DType::Bool) {
        return Ok(());
    }
    let inputs = if x.is_some() { "`x` or `y`" } else { "`y`" };
    let text = format!("{name}: received a bool input for {inputs}, but bool is not supported");
    Err(flambeau_tensor::Error::NotImplemented(text).into())
}

/// The sums of neighbours along a dimension, and the distances of the points where they are given.
fn neighbours(name: &str, y: &Tensor, x: Option<&Tensor>, dim: i64) -> Result<(Tensor, Option<Tensor>)> {
    let ends = |t: &Tensor| Ok::<_, Error>((slice(t, dim, None, Some(-1), 1)?, slice(t, dim, Some(1), None, 1)?));
    let Some(x) = x else {
        let (left, right) = ends(y)?;
        return Ok((add(&left, &right, 1)?, None));
    };
    let (d, n) = (wrap_dim(dim, y.dim())?, y.dim());
    let shape: Vec<i64> = match x.dim() {
        1 if x.size().first() != y.size().get(d) => {
            return Err(Error::runtime(format!("{name}: There must be one `x` value for each sample point")));
        }
        1 => (0..n).map(|i| if i == d { x.numel() as i64 } else { 1 }).collect(),
        less if less < n => std::iter::repeat_n(1, n - less).chain(to_i64(&x.size())).collect(),
        _ => to_i64(&x.size()).to_vec(),
    };
    let (left, right) = ends(&view(x, &shape)?)?;
    let apart = sub(&right, &left, 1)?;
    let (left, right) = ends(y)?;
    Ok((add(&left, &right, 1)?, Some(apart)))
}

/// The integral of a function along `dim` from its values `y` at points, by the trapezoidal rule: `torch.trapezoid`, `torch.trapz`.
/// The points are 1 apart, `dx` apart (a keyword), or given (`trapezoid_x`): one for each value along the dimension, or a
/// tensor that broadcasts to `y`.
///
/// # Errors
/// For bools, and where there are not as many points as values.
///
/// ```
/// let y = torch::tensor([1.0, 5.0, 10.0]);
/// assert_eq!(torch::trapezoid(&y).item(), 10.5);
/// assert_eq!(torch::trapezoid_with(&y, |o| o.dx(2)).item(), 21.0);
/// assert_eq!(torch::trapezoid_x(&y, torch::tensor([1.0, 3.0, 6.0]), -1).item(), 28.5);
/// ```
#[op(torch, alias(trapz), forms(
    trapezoid() = (None, 1.0, -1),
    trapezoid_x(x: &Tensor, dim: i64) = (Some(x), 1.0, dim),
))]
pub fn trapezoid(y: &Tensor, x: Option<&Tensor>, dx: f64, dim: i64) -> Result<Tensor> {
    if y.dim() == 0 {
        // Beside points the dimension is looked at first.
        let dim = if x.is_some() { wrap_dim(dim, 0)? as i64 } else { dim };
        return Err(Error::index(format!("Dimension specified as {dim} but tensor has no dimensions")));
    }
    let d = wrap_dim(dim, y.dim())?;
    let mut shape = y.size().to_vec();
    if shape[d] == 0 {
        shape.remove(d);
        return zeros(&shape, y.dtype(), y.device());
    }
    not_of_bools("trapezoid", y, x)?;
    match neighbours("trapezoid", y, x, d as i64)? {
        (sums, Some(apart)) => {
            let doubled = sum(&mul(&sums, &apart)?, &[d as i64], false, None)?;
            map("DivBackward1", &HALF, &[&doubled], &[Scalar::Float(2.0)])
        }
        (_, None) => {
            let ends = add(&select(y, d as i64, 0)?, &select(y, d as i64, -1)?, 1)?;
            let inner = sub(&sum(y, &[d as i64], false, None)?, &times(&ends, 0.5)?, 1)?;
            times(&inner, dx)
        }
    }
}

/// The integrals of [`trapezoid`] from the first point to each further one along `dim`: `torch.cumulative_trapezoid`.
///
/// # Errors
/// Those of [`trapezoid`].
///
/// ```
/// let y = torch::tensor([1.0, 5.0, 10.0]);
/// assert_eq!(torch::cumulative_trapezoid(&y).to_vec::<f32>(), [3.0, 10.5]);
/// assert_eq!(torch::cumulative_trapezoid_with(&y, |o| o.dx(2)).to_vec::<f32>(), [6.0, 21.0]);
/// ```
#[op(torch, forms(
    cumulative_trapezoid() = (None, 1.0, -1),
    cumulative_trapezoid_x(x: &Tensor, dim: i64) = (Some(x), 1.0, dim),
))]
pub fn cumulative_trapezoid(y: &Tensor, x: Option<&Tensor>, dx: f64, dim: i64) -> Result<Tensor> {
    if y.dim() == 0 {
        if x.is_some() {
            wrap_dim(dim, 0)?;
        }
        return Err(Error::index("slice() cannot be applied to a 0-dim tensor."));
    }
    not_of_bools("cumulative_trapezoid", y, x)?;
    match neighbours("cumulative_trapezoid", y, x, dim)? {
        (sums, Some(apart)) => {
            let doubled = cumsum(&mul(&apart, &sums)?, dim, None)?;
            map("DivBackward1", &HALF, &[&doubled], &[Scalar::Float(2.0)])
        }
        (sums, None) => cumsum(&times(&sums, dx / 2.0)?, dim, None),
    }
}
