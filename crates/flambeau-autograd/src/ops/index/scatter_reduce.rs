//! `torch.scatter_reduce`: sums, products, means and extrema of what lands on each place.

use crate::error::{Error, Result};
use crate::graph::{Context, Grads, Save, record};
use crate::ops::index::lines::index_i64;
use crate::ops::index::scatter::{check_scatter, scatter_into};
use crate::ops::{
    Place, clone, div, eq, floor_divide, gather, masked_fill, mul, ones, scatter, to_dtype, where_, zeros,
};
use crate::{Tensor, no_grad, views};
use flambeau_macros::op;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::{DType, Scalar};
use smallvec::smallvec;

/// How values that land on one place combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reduce {
    Sum,
    Prod,
    Mean,
    Amax,
    Amin,
}

impl Reduce {
    fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "sum" => Reduce::Sum,
            "prod" => Reduce::Prod,
            "mean" => Reduce::Mean,
            "amax" => Reduce::Amax,
            "amin" => Reduce::Amin,
            other => {
                return Err(Error::runtime(format!(
                    "reduce argument must be either sum, prod, mean, amax or amin, got {other}"
                )));
            }
        })
    }

    fn op(self) -> ScatterOp {
        match self {
            Reduce::Sum | Reduce::Mean => ScatterOp::Add,
            Reduce::Prod => ScatterOp::Mul,
            Reduce::Amax => ScatterOp::Max,
            Reduce::Amin => ScatterOp::Min,
        }
    }

    /// The value that changes nothing.
    fn neutral(self, dtype: DType) -> Scalar {
        let bits = 8 * dtype.size() as u32;
        // The largest integer of the type; unsigned types have one bit more.
        let largest = if dtype == DType::U8 { 255 } else { i64::MAX >> (64 - bits) };
        match self {
            Reduce::Sum | Reduce::Mean => Scalar::Int(0),
            Reduce::Prod => Scalar::Int(1),
            Reduce::Amax | Reduce::Amin if dtype == DType::Bool => Scalar::Bool(self == Reduce::Amin),
            Reduce::Amax if dtype.is_floating_point() => Scalar::Float(f64::NEG_INFINITY),
            Reduce::Amin if dtype.is_floating_point() => Scalar::Float(f64::INFINITY),
            Reduce::Amax if dtype == DType::U8 => Scalar::Int(0),
            Reduce::Amax => Scalar::Int(-largest - 1),
            Reduce::Amin => Scalar::Int(largest),
        }
    }
}

/// The arguments of one call, without its tensors.
#[derive(Clone, Copy)]
struct ScatterReduction {
    dim: i64,
    reduce: Reduce,
    include_self: bool,
}

impl ScatterReduction {
    fn compute(self, x: &Tensor, index: &Tensor, src: &Tensor) -> Result<Tensor> {
        let base = match self.include_self {
            true => clone(x)?,
            false => scatter(x, self.dim, index, self.reduce.neutral(x.dtype()))?,
        };
        let d = wrap_dim(self.dim, x.dim())?;
        if index.numel() > 0 {
            scatter_into(self.reduce.op(), d, &index.array(), &src.array(), &base.array())?;
        }
        if self.reduce != Reduce::Mean {
            return Ok(base);
        }
        let counts = self.counts(x, index)?;
        if x.dtype().is_floating_point() { div(&base, &counts) } else { floor_divide(&base, &counts) }
    }

    /// By how many values each place's sum is divided.
    fn counts(self, like: &Tensor, index: &Tensor) -> Result<Tensor> {
        let start = crate::ops::full(&like.size(), i64::from(self.include_self), like.dtype(), like.device())?;
        let counts =
            crate::ops::scatter_add(&start, self.dim, index, &ones(&index.size(), like.dtype(), like.device())?)?;
        masked_fill(&counts, &eq(&counts, 0)?, 1)
    }

    /// PyTorch's `scatter_reduce_backward`. Saved: the index, x, src and the result.
    fn backward(self, c: &Context<'_>) -> Result<Grads> {
        c.unchanged(1)?;
        let (grad, index) = (c.grad(0)?, c.saved(0)?);
        let at_index = |t: &Tensor| gather(t, self.dim, &index);
        let (own, src) = match self.reduce {
            Reduce::Sum => (grad.shallow_clone(), at_index(&grad)?),
            Reduce::Mean => {
                let shared = div(&grad, &self.counts(&grad, &index)?)?;
                let src = at_index(&shared)?;
                (shared, src)
            }
            Reduce::Prod => self.product_backward(c, &grad, &index)?,
            Reduce::Amax | Reduce::Amin => {
                let (x, src, result) = (c.saved(1)?, c.saved(2)?, c.saved(3)?);
                // Equal extrema share the gradient.
                let own = to_dtype(&eq(&x, &result)?, grad.dtype())?;
                let theirs = to_dtype(&eq(&src, &at_index(&result)?)?, grad.dtype())?;
                let shared = div(&grad, &crate::ops::scatter_add(&own, self.dim, &index, &theirs)?)?;
                (mul(&own, &shared)?, mul(&theirs, &at_index(&shared)?)?)
            }
        };
        let own = if self.include_self { own } else { scatter(&own, self.dim, &index, 0)? };
        Ok(smallvec![Some(own), Some(src)])
    }

    fn product_backward(self, c: &Context<'_>, grad: &Tensor, index: &Tensor) -> Result<(Tensor, Tensor)> {
        let (x, src, result) = (c.saved(1)?, c.saved(2)?, c.saved(3)?);
        let at_index = |t: &Tensor| gather(t, self.dim, index);
        let again = |x: &Tensor, src: &Tensor| with_call(self, x, index, src);
        // A zero is left out of the product, not divided by.
        let safe = masked_fill(&x, &eq(&x, 0)?, 1)?;
        let own = div(&mul(grad, &again(&safe, &src)?)?, &safe)?;
        let is_zero = eq(&src, 0)?;
        let counted = to_dtype(&is_zero, x.dtype())?;
        let none = zeros(&x.size(), x.dtype(), x.device())?;
        let zeros_there = at_index(&crate::ops::scatter_add(&none, self.dim, index, &counted)?)?;
        let only_zero = crate::ops::logical_and(&is_zero, &eq(&zeros_there, 1)?)?;
        let without = again(&x, &masked_fill(&src, &only_zero, 1)?)?;
        let divided = div(&at_index(&mul(grad, &result)?)?, &masked_fill(&src, &is_zero, 1)?)?;
        Ok((own, where_(&only_zero, &at_index(&mul(grad, &without)?)?, &divided)?))
    }
}

fn with_call(call: ScatterReduction, x: &Tensor, index: &Tensor, src: &Tensor) -> Result<Tensor> {
    let out = {
        let _guard = no_grad();
        call.compute(x, index, src)?
    };
    let out = out.array().clone();
    Ok(record("ScatterReduceBackward0", &[x, src], &saves(x, index, src), out, move |c| call.backward(c)))
}

fn saves<'a>(x: &'a Tensor, index: &'a Tensor, src: &'a Tensor) -> [Save<'a>; 4] {
    [Save::Tensor("index", index), Save::Tensor("self", x), Save::Tensor("src", src), Save::Output("result", 0)]
}

/// x with the values of `src` that `index` sends to one place along `dim`, combined: `torch.scatter_reduce`. `reduce` is
/// `"sum"`, `"prod"`, `"mean"`, `"amax"` or `"amin"`; `include_self` counts what was there. The gradient of an extremum is shared
/// among equals.
///
/// # Errors
/// Those of [`scatter()`](crate::ops::scatter()), and for another `reduce`.
///
/// ```
/// let (x, index) = (torch::tensor([10.0, 20.0]), torch::tensor([0, 0, 1]));
/// let src = torch::tensor([1.0, 3.0, 5.0]);
/// assert_eq!(x.scatter_reduce_with(0, &index, &src, "mean", |o| o.include_self(false)).to_vec::<f32>(), [2.0, 5.0]);
/// assert_eq!(x.scatter_reduce(0, &index, &src, "amax").to_vec::<f32>(), [10.0, 20.0]);
/// ```
#[op(torch, method, default(include_self = true))]
pub fn scatter_reduce(
    x: &Tensor,
    dim: i64,
    index: &Tensor,
    src: &Tensor,
    reduce: &str,
    include_self: bool,
    place: Place,
) -> Result<Tensor> {
    let reduce = Reduce::named(reduce)?;
    check_scatter(x, dim, index, Some(src))?;
    let call = ScatterReduction { dim, reduce, include_self };
    let index = index_i64(index)?;
    if !place.is_first() {
        return with_call(call, x, &index, src);
    }
    // The backward of products and extrema needs the old value, which the write destroys.
    let old = clone(x)?;
    let write = || {
        let _guard = no_grad();
        let result = call.compute(x, &index, src)?;
        Ok(flambeau_tensor::ops::copy_into(&result.array(), &x.array())?)
    };
    views::in_place("ScatterReduceBackward0", x, &[src], &saves(&old, &index, src), write, move |c| call.backward(c))?;
    Ok(x.shallow_clone())
}
