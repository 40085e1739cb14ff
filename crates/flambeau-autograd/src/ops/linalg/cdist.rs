//! Distances of all pairs of rows.

use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::index::lines::as_one;
use crate::ops::{
    cat, clamp_min, expand, masked_fill, matmul, mul, ones_like, sqrt, sub, sum, sum_map, sum_to_size, to_i64,
    transpose, unsqueeze, view, zeros,
};
use crate::{Tensor, ops, options};
use flambeau_macros::op;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::ops::{ReduceArgs, pointwise_into, reduce};
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

const MM_IF_NECESSARY: &str = "use_mm_for_euclid_dist_if_necessary";

options! {
    /// Options of [`cdist`].
    CdistOptions {
        /// The norm's order (2.0).
        p: f64 = 2.0,
        /// Whether Euclidean distances come from a matrix product, which is faster and less exact for near rows:
        /// `"use_mm_for_euclid_dist_if_necessary"` (the default: where one tensor has more than 25 rows),
        /// `"use_mm_for_euclid_dist"` or `"donot_use_mm_for_euclid_dist"`.
        compute_mode: String = MM_IF_NECESSARY.to_owned(),
    }
}

/// How the differences of two rows make their distance, and what its gradient is.
struct Order {
    reduce: ReduceOp,
    /// Of one element of each row; scalar 0 is p.
    term: Pointwise,
    /// Of the combined terms.
    root: Option<Pointwise>,
    /// The gradient for the first element, of (element, other element, distance, g); scalar 0 is p.
    gradient: Pointwise,
}

fn term(of: impl for<'b> FnOnce(Expr<'b>, Expr<'b>) -> Expr<'b>) -> Pointwise {
    Pointwise::new(|b| of((b.input(0) - b.input(1)).abs(), b.scalar(0)))
}

/// Of (difference, distance, g, p); 0 where the distance is.
fn gradient(of: impl for<'b> FnOnce(Expr<'b>, Expr<'b>, Expr<'b>, Expr<'b>) -> Expr<'b>) -> Pointwise {
    Pointwise::new(|b| {
        let distance = b.input(2);
        let slope = of(b.input(0) - b.input(1), distance, b.input(3), b.scalar(0));
        distance.eq(0.0).select(0.0, slope)
    })
}

static COUNT: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Sum,
    term: Pointwise::new(|b| b.input(0).ne(b.input(1))),
    root: None,
    gradient: Pointwise::new(|b| b.input(3) * 0.0),
});
static ONE: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Sum,
    term: Pointwise::new(|b| (b.input(0) - b.input(1)).abs()),
    root: None,
    gradient: Pointwise::new(|b| (b.input(0) - b.input(1)).sign() * b.input(3)),
});
static TWO: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Sum,
    term: Pointwise::new(|b| (b.input(0) - b.input(1)) * (b.input(0) - b.input(1))),
    root: Some(Pointwise::new(|b| b.input(0).sqrt())),
    gradient: Pointwise::new(|b| {
        let distance = b.input(2);
        distance.eq(0.0).select(0.0, b.input(3) * (b.input(0) - b.input(1)) / distance)
    }),
});
static LARGEST: LazyLock<Order> = LazyLock::new(|| Order {
    reduce: ReduceOp::Max,
    term: Pointwise::new(|b| (b.input(0) - b.input(1)).abs()),
    root: None,
    gradient: Pointwise::new(|b| {
        let d = b.input(0) - b.input(1);
        b.input(3) * d.sign() * d.abs().eq(b.input(2))
    }),
});

fn power_order(gradient: Pointwise) -> Order {
    let root = Some(Pointwise::new(|b| b.input(0).pow(1.0 / b.scalar(0))));
    Order { reduce: ReduceOp::Sum, term: term(|d, p| d.pow(p)), root, gradient }
}

/// p < 1: elements that are equal have no gradient.
static SMALL_POWER: LazyLock<Order> = LazyLock::new(|| {
    power_order(gradient(|d, distance, g, p| {
        d.eq(0.0).select(0.0, d.sign() * d.abs().pow(p - 1.0) * g / distance.pow(p - 1.0))
    }))
});
/// 1 < p < 2.
static MIDDLE_POWER: LazyLock<Order> = LazyLock::new(|| {
    power_order(gradient(|d, distance, g, p| d.sign() * d.abs().pow(p - 1.0) * g / distance.pow(p - 1.0)))
});
/// p > 2.
static LARGE_POWER: LazyLock<Order> =
    LazyLock::new(|| power_order(gradient(|d, distance, g, p| d * d.abs().pow(p - 2.0) * g / distance.pow(p - 1.0))));

impl Order {
    /// The gradient for rows of `sizes`, of (rows, other rows, distances, g), each `[…, n, m, k]` or of length 1 there, summed along
    /// the other rows' dimension.
    fn rows(
        &'static self,
        name: &'static str,
        scalars: &[Scalar],
        [own, other, distance, g]: [&Tensor; 4],
        dim: i64,
        sizes: &[usize],
    ) -> Result<Tensor> {
        if sizes.contains(&0) || g.numel() == 0 {
            return zeros(sizes, g.dtype(), g.device());
        }
        let scalars = &scalars[..self.gradient.num_scalars()];
        // Some formulas do not look at every input.
        let full = broadcast_shapes(&own.size(), &other.size())?;
        let whole = expand(g, &to_i64(&broadcast_shapes(&full, &g.size())?))?;
        let sum = sum_map(name, Some(&self.gradient), &[own, other, distance, &whole], scalars, &[dim], false, None)?;
        sum_to_size(&sum, sizes)
    }
}

fn order(p: f64) -> &'static Order {
    match p {
        0.0 => &COUNT,
        1.0 => &ONE,
        2.0 => &TWO,
        f64::INFINITY => &LARGEST,
        p if p < 1.0 => &SMALL_POWER,
        p if p < 2.0 => &MIDDLE_POWER,
        _ => &LARGE_POWER,
    }
}

/// The distances of each row of `x1` `[…, n, k]` from each row of `x2` `[…, m, k]`, as `[…, n, m]`: `torch.cdist`. The p-norm of the
/// differences, p = 2 unless `p` says otherwise; the dimensions before the last two broadcast. The gradient is 0 where two
/// rows are equal.
///
/// # Errors
/// For other dtypes than float32 and float64, less than two dimensions, rows of different lengths, a negative p.
///
/// ```
/// let (a, b) = (torch::tensor([[0.0, 0.0], [3.0, 4.0]]), torch::tensor([[0.0, 0.0]]));
/// assert_eq!(torch::cdist(&a, &b).to_vec::<f32>(), [0.0, 5.0]);
/// assert_eq!(torch::cdist_with(&a, &b, |o| o.p(1)).to_vec::<f32>(), [0.0, 7.0]);
/// ```
#[op(torch, cast = Float32, forms(
    cdist(x2: &Tensor) = (x2, 2.0, MM_IF_NECESSARY),
    cdist_with(x2: &Tensor, options: CdistOptions) = (x2, options.p, &options.compute_mode),
))]
pub fn cdist(x1: &Tensor, x2: &Tensor, p: f64, compute_mode: &str) -> Result<Tensor> {
    for (x, name) in [(x1, "X1"), (x2, "X2")] {
        if !x.is_floating_point() {
            let dtype = x.dtype().scalar_type_name();
            return Err(Error::runtime(format!("cdist only supports floating-point dtypes, {name} got: {dtype}")));
        }
        if x.dim() < 2 {
            let n = x.dim();
            return Err(Error::runtime(format!("cdist only supports at least 2D tensors, {name} got: {n}D")));
        }
    }
    let (s1, s2) = (x1.size(), x2.size());
    let ([.., n, k], [.., m, columns]) = (&s1[..], &s2[..]) else { unreachable!("two dimensions were found") };
    if k != columns {
        return Err(Error::runtime(format!("X1 and X2 must have the same number of columns. X1: {k} X2: {columns}")));
    }
    // NaN is none.
    if p.is_nan() || p < 0.0 {
        return Err(Error::runtime("cdist only supports non-negative p values"));
    }
    let by_product = match compute_mode {
        MM_IF_NECESSARY => *n > 25 || *m > 25,
        "use_mm_for_euclid_dist" => true,
        "donot_use_mm_for_euclid_dist" => false,
        other => return Err(Error::value(format!("{other} is not a valid value for compute_mode"))),
    };
    let batch = broadcast_shapes(&s1[..s1.len() - 2], &s2[..s2.len() - 2])?;
    let shape: Vec<usize> = batch.iter().chain([n, m]).copied().collect();
    if p == 2.0 && by_product {
        if shape.contains(&0) || *k == 0 {
            return zeros(&shape, x1.dtype(), x1.device());
        }
        let whole = |x: &Tensor, rows: usize| {
            let shape: Vec<i64> = batch.iter().chain([&rows, k]).map(|&n| n as i64).collect();
            expand(x, &shape)
        };
        return view(&euclidean(&whole(x1, *n)?, &whole(x2, *m)?)?, &to_i64(&shape));
    }
    for x in [x1, x2] {
        if !matches!(x.dtype(), DType::F32 | DType::F64) {
            return Err(flambeau_tensor::Error::NotImplementedFor { op: "cdist", dtype: x.dtype() }.into());
        }
    }
    if x1.dtype() != x2.dtype() {
        let (a, b) = (x1.dtype().scalar_type_name(), x2.dtype().scalar_type_name());
        return Err(Error::runtime(format!("expected scalar type {a} but found {b}")));
    }
    let order = order(p);
    let scalars = [Scalar::Float(p)];
    let out = if shape.contains(&0) || *k == 0 {
        zeros(&shape, x1.dtype(), x1.device())?.array().clone()
    } else {
        let (a, b) = (x1.array().unsqueeze(-2)?, x2.array().unsqueeze(-3)?);
        let args = ReduceArgs {
            op: order.reduce,
            map: Some(&order.term),
            dims: &[-1],
            keepdim: false,
            dtype: Some(x1.dtype()),
        };
        let out = reduce(args, &[&a, &b], &scalars[..order.term.num_scalars()])?;
        if let Some(root) = &order.root {
            pointwise_into(root, &[&out], &scalars[..root.num_scalars()], &[&out])?;
        }
        out
    };
    let saves = [Save::Tensor("x1", x1), Save::Tensor("x2", x2), Save::Output("result", 0)];
    Ok(record("CdistBackward0", &[x1, x2], &saves, out, move |c| {
        let (a, b, distance, g) = (c.saved(0)?, c.saved(1)?, c.saved(2)?, c.grad(0)?);
        let (sizes_a, sizes_b) = (a.size(), b.size());
        let (a, b) = (unsqueeze(&a, -2)?, unsqueeze(&b, -3)?);
        let (distance, g) = (unsqueeze(&distance, -1)?, unsqueeze(&g, -1)?);
        // The differences that `x2` sees are the negatives of those that `x1` sees.
        let of = |own: &Tensor, other: &Tensor, dim: i64, sizes: &[usize]| {
            order.rows("CdistBackwardBackward0", &scalars, [own, other, &distance, &g], dim, sizes).map(Some)
        };
        let of_a = if c.needs(0) { of(&a, &b, -2, &sizes_a)? } else { None };
        let of_b = if c.needs(1) { of(&b, &a, -3, &sizes_b)? } else { None };
        Ok(smallvec![of_a, of_b])
    }))
}

/// The distances of each pair of rows of `x` `[n, k]`, as `[n (n − 1) / 2]`: of the first from all others, of the second from those
/// behind it, and so on: `F.pdist`. The p-norm of the differences, p = 2 unless `p` says otherwise. The gradient is 0 where two
/// rows are equal.
///
/// # Errors
/// For other dtypes than float32 and float64, other than two dimensions, a negative p.
///
/// ```
/// let x = torch::tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]);
/// assert_eq!(torch::pdist(&x).to_vec::<f32>()[..2], [5.0, 1.0]);
/// assert_eq!(torch::pdist_with(&x, |o| o.p(1)).to_vec::<f32>(), [7.0, 1.0, 6.0]);
/// ```
#[op(torch, functional, cast_gpu = Float32, default(p = 2.0))]
pub fn pdist(x: &Tensor, p: f64) -> Result<Tensor> {
    if x.dim() != 2 {
        return Err(Error::runtime(format!("pdist only supports 2D tensors, got: {}D", x.dim())));
    }
    if !x.is_floating_point() {
        return Err(Error::runtime("pdist only supports floating-point dtypes"));
    }
    if p.is_nan() || p < 0.0 {
        return Err(Error::runtime("pdist only supports non-negative p values"));
    }
    let n = x.size()[0];
    // Of what there is nothing to compute every dtype has.
    if n > 1 && x.size()[1] > 0 && !matches!(x.dtype(), DType::F32 | DType::F64) {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "pdist", dtype: x.dtype() }.into());
    }
    let (order, scalars) = (order(p), [Scalar::Float(p)]);
    let pairs = pairs(n, x)?;
    let compute = || {
        if pairs.numel() == 0 || x.size()[1] == 0 {
            return zeros(&[pairs.numel()], x.dtype(), x.device());
        }
        let all = cdist(x, x, p, "donot_use_mm_for_euclid_dist")?;
        ops::index_select(&view(&all, &[-1])?, 0, &pairs)
    };
    let saves = [Save::Tensor("self", x), Save::Output("result", 0), Save::Array("pairs", pairs.array().clone())];
    as_one("PdistBackward0", &[x], &saves, compute, move |c| {
        let (x, distance, pairs, g) = (c.saved(0)?, c.saved(1)?, c.saved(2)?, c.grad(0)?);
        // Distance and gradient of each row from each other one; of itself it has none.
        let matrix = |values: &Tensor| {
            let flat = ops::scatter(&zeros(&[n * n], x.dtype(), x.device())?, 0, &pairs, values)?;
            let upper = view(&flat, &[n as i64, n as i64])?;
            unsqueeze(&ops::add(&upper, &transpose(&upper, 0, 1)?, 1)?, -1)
        };
        let inputs = [&unsqueeze(&x, 1)?, &unsqueeze(&x, 0)?, &matrix(&distance)?, &matrix(&g)?];
        order.rows("PdistBackwardBackward0", &scalars, inputs, 1, &x.size()).map(|grad| smallvec![Some(grad)])
    })
}

/// The places of the pairs of `n` rows in a matrix `[n, n]`, above its diagonal.
fn pairs(n: usize, like: &Tensor) -> Result<Tensor> {
    let flat: Vec<i64> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i * n + j) as i64)).collect();
    let array = Array::from_slice(flambeau_device::backend(like.device())?, like.device(), &flat, &[flat.len()])?;
    Ok(array.into())
}

/// √(|a|² − 2ab + |b|²) of all pairs of rows of equal batches, by one product.
fn euclidean(x1: &Tensor, x2: &Tensor) -> Result<Tensor> {
    let compute = || {
        let norm = |x: &Tensor| sum(&mul(x, x)?, &[-1], true, None);
        let (of_a, of_b) = (norm(x1)?, norm(x2)?);
        let left = cat(&[&mul(x1, -2)?, &of_a, &ones_like(&of_a, None, None)?], -1)?;
        let right = cat(&[x2, &ones_like(&of_b, None, None)?, &of_b], -1)?;
        sqrt(&clamp_min(&matmul(&left, &transpose(&right, -2, -1)?)?, 0)?)
    };
    let saves = [Save::Tensor("x1", x1), Save::Tensor("x2", x2), Save::Output("result", 0)];
    as_one("EuclideanDistBackward0", &[x1, x2], &saves, compute, |c| {
        let (a, b, distance) = (c.saved(0)?, c.saved(1)?, c.saved(2)?);
        let ratio = masked_fill(&ops::div(&c.grad(0)?, &distance)?, &ops::eq(&distance, 0)?, 0)?;
        let of = |own: &Tensor, other: &Tensor, ratio: &Tensor| {
            let kept = mul(own, &sum(ratio, &[-1], true, None)?)?;
            sub(&kept, &matmul(ratio, other)?, 1).map(Some)
        };
        let of_a = if c.needs(0) { of(&a, &b, &ratio)? } else { None };
        let of_b = if c.needs(1) { of(&b, &a, &transpose(&ratio, -2, -1)?)? } else { None };
        Ok(smallvec![of_a, of_b])
    })
}
