//! Norms of vectors, and those of matrices that need no decomposition.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::reduce::extrema::kept_shape;
use crate::ops::{amax, amin, linalg_svdvals, map, movedim, sub, sum, sum_map, sum_to_size, to_dtype, unsqueeze, view};
use flambeau_macros::op;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::dims::wrap_dims;
use flambeau_tensor::ops::{ReduceArgs, pointwise_into, reduce};
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// How the magnitudes of a norm's elements combine and what its gradient is.
struct Order {
    reduce: ReduceOp,
    /// Of one element; scalar 0 is p.
    term: Pointwise,
    /// Of the combined terms.
    root: Option<Pointwise>,
    /// The gradient for x, of (x, norm, g); scalar 0 is p. The count of p = 0 has none.
    gradient: Pointwise,
}

fn signed<'b>(x: Expr<'b>, magnitude: Expr<'b>) -> Expr<'b> {
    x.sign() * magnitude
}

/// Σ \[x ≠ 0\]
static COUNT: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Sum,
    term: Pointwise::new(|b| b.input(0).ne(0.0)),
    root: None,
    gradient: Pointwise::new(|b| b.input(2) * 0.0),
});

/// Σ |x|
static ONE: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Sum,
    term: Pointwise::new(|b| b.input(0).abs()),
    root: None,
    gradient: Pointwise::new(|b| b.input(0).sign() * b.input(2)),
});

/// √Σx²; the gradient x/‖x‖ is 0 at 0.
static TWO: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Sum,
    term: Pointwise::new(|b| b.input(0) * b.input(0)),
    root: Some(Pointwise::new(|b| b.input(0).sqrt())),
    gradient: Pointwise::new(|b| {
        let (x, norm, g) = (b.input(0), b.input(1), b.input(2));
        norm.eq(0.0).select(0.0, x / norm) * g
    }),
});

fn power_root() -> Option<Pointwise> {
    Some(Pointwise::new(|b| b.input(0).pow(1.0 / b.scalar(0))))
}

fn power_term() -> Pointwise {
    Pointwise::new(|b| b.input(0).abs().pow(b.scalar(0)))
}

/// (Σ|x|ᵖ)^(1/p) for p < 1; an element of 0 has no gradient.
static SMALL_POWER: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Sum,
    term: power_term(),
    root: power_root(),
    gradient: Pointwise::new(|b| {
        let (x, norm, g, p) = (b.input(0), b.input(1), b.input(2), b.scalar(0));
        let scaled = x.eq(0.0).select(0.0, signed(x, x.abs().pow(p - 1.0)));
        scaled * g * norm.pow(1.0 - p)
    }),
});

/// (Σ|x|ᵖ)^(1/p) for 1 < p < 2.
static MIDDLE_POWER: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Sum,
    term: power_term(),
    root: power_root(),
    gradient: Pointwise::new(|b| {
        let (x, norm, g, p) = (b.input(0), b.input(1), b.input(2), b.scalar(0));
        signed(x, x.abs().pow(p - 1.0)) * norm.eq(0.0).select(0.0, g / norm.pow(p - 1.0))
    }),
});

/// (Σ|x|ᵖ)^(1/p) for p > 2.
static LARGE_POWER: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Sum,
    term: power_term(),
    root: power_root(),
    gradient: Pointwise::new(|b| {
        let (x, norm, g, p) = (b.input(0), b.input(1), b.input(2), b.scalar(0));
        x * x.abs().pow(p - 2.0) * norm.eq(0.0).select(0.0, g / norm.pow(p - 1.0))
    }),
});

/// The extremum of |x|; the gradient is shared by the elements that attain it: input 3 is their number.
fn extremum(reduce: ReduceOp) -> Order {
    Order {
        reduce,
        term: Pointwise::new(|b| b.input(0).abs()),
        root: None,
        gradient: Pointwise::new(|b| {
            let (x, norm, g, n) = (b.input(0), b.input(1), b.input(2), b.input(3));
            let attains = x.abs().eq(norm).or(x.is_nan().and(norm.is_nan()));
            // A product and not a choice: what is NaN in the gradient reaches all elements.
            x.sign() * attains * (g / n)
        }),
    }
}

static LARGEST: LazyLock<Order> = LazyLock::new(|| extremum(ReduceOp::Max));
static SMALLEST: LazyLock<Order> = LazyLock::new(|| extremum(ReduceOp::Min));

/// Whether |x| is the norm.
static ATTAINS: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, norm) = (b.input(0), b.input(1));
        x.abs().eq(norm).or(x.is_nan().and(norm.is_nan()))
    })
});

fn order(p: f64) -> &'static Order {
    match p {
        0.0 => &COUNT,
        1.0 => &ONE,
        2.0 => &TWO,
        f64::INFINITY => &LARGEST,
        f64::NEG_INFINITY => &SMALLEST,
        p if p < 1.0 => &SMALL_POWER,
        p if p < 2.0 => &MIDDLE_POWER,
        _ => &LARGE_POWER,
    }
}

fn norm_array(x: &Array, p: f64, dims: &[i64], keepdim: bool) -> Result<Array> {
    let order = order(p);
    if order.reduce != ReduceOp::Sum || p < 0.0 {
        let shape = x.shape();
        let empty = wrap_dims(dims, shape.len())?.iter().any(|&d| shape[d] == 0);
        if empty && dims.is_empty() {
            return Err(Error::runtime(format!(
                "linalg.vector_norm cannot compute the {p} norm on an empty tensor because the operation does not have an identity"
            )));
        }
        if empty {
            return Err(Error::runtime(format!(
                "linalg.vector_norm cannot compute the {p} norm on the dimension {} because this dimension is empty and the \
                 operation does not have an identity",
                dims[0]
            )));
        }
    }
    let dtype = x.dtype();
    // Halves are squared and summed in f32 and rounded once.
    let wide = if matches!(dtype, DType::F16 | DType::BF16) { DType::F32 } else { dtype };
    let args = ReduceArgs { op: order.reduce, map: Some(&order.term), dims, keepdim, dtype: Some(wide) };
    let scalars = [Scalar::Float(p)];
    let out = reduce(args, &[x], &scalars[..order.term.num_scalars()])?;
    if let Some(root) = &order.root {
        pointwise_into(root, &[&out], &scalars[..root.num_scalars()], &[&out])?;
    }
    Ok(out.to_dtype(dtype)?)
}

/// The gradient of ‖x‖ₚ over `dims`, for a norm and an incoming gradient with length 1 there.
fn norm_gradient(x: &Tensor, norm: &Tensor, g: &Tensor, p: f64, dims: &[i64]) -> Result<Option<Tensor>> {
    if p == 0.0 {
        return Ok(None);
    }
    let order = order(p);
    let scalars = [Scalar::Float(p)];
    let scalars = &scalars[..order.gradient.num_scalars()];
    if order.reduce == ReduceOp::Sum {
        let out = map("MulBackward0", &order.gradient, &[x, norm, g][..], scalars)?;
        return crate::ops::expand(&out, &crate::ops::to_i64(&x.size())).map(Some);
    }
    let count =
        sum_map("SumBackward1", Some(&*ATTAINS), &[&x.detach(), &norm.detach()], &[], dims, true, Some(g.dtype()))?;
    map("MulBackward0", &order.gradient, &[x, norm, g, &count], scalars).map(Some)
}

/// The p-norm (Σ|x|ᵖ)^(1/p) over the dimensions `dim` (empty: all), p = `ord`: `torch.linalg.vector_norm`. The order 2 is the
/// length of a vector, 0 counts the elements that are not zero, ±∞ is the largest or smallest |x|.
///
/// # Errors
/// For integers and bools, and where an extremum has no element.
///
/// ```
/// let x = torch::tensor([3.0, -4.0, 0.0]);
/// assert_eq!(torch::linalg::vector_norm(&x).item(), 5.0);
/// assert_eq!(torch::linalg::vector_norm_dim(&x, 0.0, 0, false).item(), 2.0);
/// ```
#[op(linalg, cast_gpu = Float32Result, forms(
    vector_norm() = (2.0, &[], false, None),
    vector_norm_dim(ord: f64, dim: &[i64], keepdim: bool) = (ord, dim, keepdim, None),
))]
pub fn vector_norm(x: &Tensor, ord: f64, dim: &[i64], keepdim: bool, dtype: Option<DType>) -> Result<Tensor> {
    named_norm("LinalgVectorNormBackward0", x, ord, dim, keepdim, dtype)
}

/// The p-norm (Σ|x|ᵖ)^(1/p) over the dimensions `dim` (empty: all), of `x.norm()` √Σx²: `torch.norm`. It is [`vector_norm`]
/// under its older name.
///
/// # Errors
/// For integers and bools, and where an extremum has no element.
///
/// ```
/// let x = torch::tensor([[3.0, -4.0], [1.0, 1.0]]);
/// assert_eq!(x.norm_dim(1.0, 1, false).to_vec::<f32>(), [7.0, 2.0]);
/// assert_eq!(torch::tensor([3.0, -4.0]).norm().item(), 5.0);
/// ```
#[op(torch, method, cast_gpu = Float32Result, forms(
    norm() = (2.0, &[], false),
    norm_dim(p: f64, dim: &[i64], keepdim: bool) = (p, dim, keepdim),
))]
pub fn norm(x: &Tensor, p: f64, dim: &[i64], keepdim: bool) -> Result<Tensor> {
    vector_norm(x, p, dim, keepdim, None)
}

/// [`vector_norm`] under the name that PyTorch has for its backward in another function.
pub(crate) fn named_norm(
    name: &'static str,
    x: &Tensor,
    p: f64,
    dims: &[i64],
    keepdim: bool,
    dtype: Option<DType>,
) -> Result<Tensor> {
    if !x.is_floating_point() {
        return Err(Error::runtime(format!(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got {}",
            x.dtype().scalar_type_name()
        )));
    }
    let x = match dtype {
        Some(dtype) => &to_dtype(x, dtype)?,
        None => x,
    };
    let out = norm_array(&x.array(), p, dims, keepdim)?;
    let kept = kept_shape(&x.size(), dims)?;
    let dims: SmallVec<[i64; 6]> = dims.into();
    Ok(record(name, &[x], &[Save::Tensor("self", x), Save::Output("result", 0)], out, move |c| {
        let (norm, g) = (view(&c.saved(1)?, &kept)?, view(&c.grad(0)?, &kept)?);
        Ok(smallvec![norm_gradient(&c.saved(0)?, &norm, &g, p, &dims)?])
    }))
}

/// The distance ‖x − other‖ₚ, the p-norm of the difference of all elements: `torch.dist`.
///
/// ```
/// let (a, b) = (torch::tensor([1.0, 2.0]), torch::tensor([4.0, 6.0]));
/// assert_eq!(a.dist(&b).item(), 5.0);
/// assert_eq!(a.dist_with(&b, |o| o.p(1)).item(), 7.0);
/// ```
#[op(torch, method, cast_gpu = Float32, default(p = 2.0))]
pub fn dist(x: &Tensor, other: &Tensor, p: f64) -> Result<Tensor> {
    let difference = sub(&x.detach(), other.detach(), 1)?;
    let out = norm_array(&difference.array(), p, &[], false)?;
    let saves = [Save::Tensor("self", x), Save::Tensor("other", other), Save::Output("result", 0)];
    Ok(record("DistBackward0", &[x, other], &saves, out, move |c| {
        let (a, b) = (c.saved(0)?, c.saved(1)?);
        let difference = sub(&a, &b, 1)?;
        let Some(g) = norm_gradient(&difference, &c.saved(2)?, &c.grad(0)?, p, &[])? else {
            return Ok(smallvec![None, None]);
        };
        let of_a = c.needs(0).then(|| sum_to_size(&g, &a.size())).transpose()?;
        let of_b = c.needs(1).then(|| crate::ops::neg(&sum_to_size(&g, &b.size())?)).transpose()?;
        Ok(smallvec![of_a, of_b])
    }))
}

/// The order of a norm that [`linalg_norm`] takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormOrder {
    /// p: of a vector the p-norm, of a matrix the operator norm.
    P(f64),
    /// The root of the sum of squares of a matrix: `"fro"`.
    Fro,
    /// The sum of a matrix's singular values: `"nuc"`.
    Nuc,
}

impl From<&str> for NormOrder {
    /// By PyTorch's name; an unknown one panics at the caller's line.
    #[track_caller]
    fn from(name: &str) -> Self {
        match name {
            "fro" => NormOrder::Fro,
            "nuc" => NormOrder::Nuc,
            other => panic!("linalg.matrix_norm: Order {other} not supported."),
        }
    }
}

impl std::fmt::Display for NormOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NormOrder::P(p) => write!(f, "{p}"),
            NormOrder::Fro => f.write_str("fro"),
            NormOrder::Nuc => f.write_str("nuc"),
        }
    }
}

impl From<f64> for NormOrder {
    fn from(p: f64) -> Self {
        NormOrder::P(p)
    }
}

/// A vector's norm, or a matrix's where an order is given and two dimensions are reduced; without an order √Σx²:
/// `torch.linalg.norm`. Of a matrix the orders ±1 are the largest or smallest sum of a column's |x|, ±∞ of a row's, and
/// `"fro"` is √Σx², ±2 are the largest or smallest singular value, `"nuc"` their sum.
///
/// # Errors
/// For a shape that fits no order.
///
/// ```
/// let x = torch::tensor([[1.0, -2.0], [3.0, 4.0]]);
/// assert_eq!(torch::linalg::norm_ord(&x, 1.0).item(), 6.0);
/// assert_eq!(torch::linalg::norm_ord(&x, f64::INFINITY).item(), 7.0);
/// assert_eq!(torch::linalg::norm(&x).item(), f64::from(30f32.sqrt()));
/// ```
#[op(linalg, cast_gpu = Float32Result, forms(
    norm() = (None, None, false),
    norm_ord(ord: impl Into<NormOrder>) = (Some(ord.into()), None, false),
    norm_dim(ord: impl Into<NormOrder>, dim: &[i64], keepdim: bool) = (Some(ord.into()), Some(&dim[..]), keepdim),
))]
pub fn linalg_norm(x: &Tensor, ord: Option<NormOrder>, dim: Option<&[i64]>, keepdim: bool) -> Result<Tensor> {
    let Some(order) = ord else {
        return vector_norm(x, 2.0, dim.unwrap_or_default(), keepdim, None);
    };
    let all: SmallVec<[i64; 6]> = match dim {
        Some(dim) => dim.into(),
        None if x.dim() == 1 || x.dim() == 2 => (0..x.dim() as i64).collect(),
        None => {
            return Err(Error::runtime(format!(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {}D.",
                x.dim()
            )));
        }
    };
    let matrix = all.len() == 2;
    match order {
        NormOrder::Fro => vector_norm(x, 2.0, &all, keepdim, None),
        NormOrder::P(p) if !matrix => vector_norm(x, p, &all, keepdim, None),
        NormOrder::P(p) if p.abs() == 1.0 || p.is_infinite() => {
            let wrapped = wrap_dims(&all, x.dim())?;
            // The sums of columns for ±1, of rows for ±∞.
            let (summed, left) = if p.is_infinite() { (wrapped[1], wrapped[0]) } else { (wrapped[0], wrapped[1]) };
            let sums = vector_norm(x, 1.0, &[summed as i64], keepdim, None)?;
            let left = if !keepdim && left > summed { left - 1 } else { left } as i64;
            if p > 0.0 { amax(&sums, &[left], keepdim) } else { amin(&sums, &[left], keepdim) }
        }
        NormOrder::P(p) if p.abs() == 2.0 => {
            singular(x, &all, keepdim, |s| if p > 0.0 { amax(s, &[-1], keepdim) } else { amin(s, &[-1], keepdim) })
        }
        NormOrder::Nuc => singular(x, &all, keepdim, |s| sum(s, &[-1], keepdim, None)),
        NormOrder::P(p) => Err(Error::runtime(format!("linalg.matrix_norm: Order {p} not supported."))),
    }
}

/// What `reduced` makes of the singular values of the matrices in two dimensions.
fn singular(x: &Tensor, dims: &[i64], keepdim: bool, reduced: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    if dims.len() != 2 {
        return Err(Error::runtime(format!(
            "linalg.matrix_norm: dim must be a 2-tuple. Got {}",
            dims.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
        )));
    }
    let out = reduced(&linalg_svdvals(&movedim(x, dims, &[-2, -1])?)?)?;
    if keepdim { movedim(&unsqueeze(&out, -1)?, &[-2, -1], dims) } else { Ok(out) }
}

/// The norm of matrices, by default √Σx²: `torch.linalg.matrix_norm`. `matrix_norm_ord` takes the order: `"fro"`, `"nuc"`, ±1, ±2 or ±∞
/// (see [`linalg_norm`]); `matrix_norm_dim` also the two dimensions of the matrices.
///
/// # Errors
/// For fewer than two dimensions, and for integers.
///
/// ```
/// let x = torch::tensor([[3.0, 0.0], [0.0, -4.0]]);
/// assert_eq!(torch::linalg::matrix_norm(&x).item(), 5.0);
/// assert_eq!(torch::linalg::matrix_norm_ord(&x, "nuc").item(), 7.0);
/// ```
#[op(linalg, cast_gpu = Float32Result, forms(
    matrix_norm() = (NormOrder::Fro, &[-2, -1], false),
    matrix_norm_ord(ord: impl Into<NormOrder>) = (ord.into(), &[-2, -1], false),
    matrix_norm_dim(ord: impl Into<NormOrder>, dim: &[i64], keepdim: bool) = (ord.into(), &dim[..], keepdim),
))]
pub fn linalg_matrix_norm(x: &Tensor, ord: NormOrder, dim: &[i64], keepdim: bool) -> Result<Tensor> {
    if x.dim() < 2 {
        return Err(Error::runtime("linalg.matrix_norm: The input tensor A must have at least 2 dimensions."));
    }
    if !x.is_floating_point() {
        return Err(flambeau_tensor::Error::NotImplemented(format!(
            "linalg.matrix_norm: Expected a floating point or complex tensor as input. Got {}",
            x.dtype().scalar_type_name()
        ))
        .into());
    }
    if dim.len() != 2 {
        let given: Vec<String> = dim.iter().map(i64::to_string).collect();
        return Err(Error::runtime(format!("linalg.matrix_norm: dim must be a 2-tuple. Got {}", given.join(", "))));
    }
    linalg_norm(x, Some(ord), Some(dim), keepdim)
}
