//! Products.

use crate::Tensor;
use crate::error::Result;
use crate::graph::{Save, record};
use crate::ops::{cat, mul, narrow, ones, reshape, to_i64, unsqueeze};
use flambeau_macros::op;
use flambeau_tensor::DType;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::ops::{ReduceArgs, reduce};
use smallvec::smallvec;

/// At each place, the product of all others along `dim`. Halves are multiplied pairwise up a tree and back down, so that
/// zeros need no division and the formula has derivatives of every order.
fn product_of_others(x: &Tensor, dim: i64) -> Result<Tensor> {
    let n = x.size_dim(dim) as i64;
    if n <= 1 {
        return ones(&x.size(), x.dtype(), x.device());
    }
    let half = n / 2;
    let (a, b) = (narrow(x, dim, 0, half)?, narrow(x, dim, half, half)?);
    let pairs = mul(&a, &b)?;
    if n % 2 == 0 {
        let others = product_of_others(&pairs, dim)?;
        return cat(&[&mul(&others, &b)?, &mul(&others, &a)?], dim);
    }
    let others = product_of_others(&cat(&[&pairs, &narrow(x, dim, n - 1, 1)?], dim)?, dim)?;
    let of_pairs = narrow(&others, dim, 0, half)?;
    cat(&[&mul(&of_pairs, &b)?, &mul(&of_pairs, &a)?, &narrow(&others, dim, half, 1)?], dim)
}

/// The product of all elements, or of each line along one dimension: `torch.prod`. Integers and bools multiply in int64.
///
/// ```
/// let x = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.prod().item(), 24.0);
/// assert_eq!(x.prod_dim(0, false).to_vec::<f32>(), [3.0, 8.0]);
/// ```
#[op(torch, method, cast_cpu = Float32, cast_gpu = Float32Result, forms(
    prod() = (None, false, None),
    prod_dim(dim: i64, keepdim: bool) = (Some(dim), keepdim, None),
))]
pub fn prod(x: &Tensor, dim: Option<i64>, keepdim: bool, dtype: Option<DType>) -> Result<Tensor> {
    let x = match dtype {
        Some(dtype) => &crate::ops::to_dtype(x, dtype)?,
        None => x,
    };
    let dims: &[i64] = dim.as_slice();
    let out = reduce(ReduceArgs { dtype, ..ReduceArgs::new(ReduceOp::Prod, dims, keepdim) }, &[&x.array()], &[])?;
    let shape = x.size();
    let Some(dim) = dim else {
        return Ok(record(
            "ProdBackward0",
            &[x],
            &[Save::Tensor("self", x), Save::Output("result", 0)],
            out,
            move |c| {
                c.unchanged(1)?;
                let others = product_of_others(&reshape(&c.saved(0)?, &[-1])?, 0)?;
                Ok(smallvec![Some(mul(&reshape(&others, &to_i64(&shape))?, &c.grad(0)?)?)])
            },
        ));
    };
    let d = wrap_dim(dim, shape.len())? as i64;
    Ok(record("ProdBackward1", &[x], &[Save::Tensor("self", x), Save::Output("result", 0)], out, move |c| {
        c.unchanged(1)?;
        let (x, mut g) = (c.saved(0)?, c.grad(0)?);
        if x.dim() == 0 {
            return Ok(smallvec![Some(g)]);
        }
        if !keepdim {
            g = unsqueeze(&g, d)?;
        }
        Ok(smallvec![Some(mul(&g, &product_of_others(&x, d)?)?)])
    }))
}
