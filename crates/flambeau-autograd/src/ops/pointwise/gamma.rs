//! The gamma function's family. These functions have no kernel of their own: they are computed in f64 on the host, wherever the
//! tensor lies, and rounded once.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::{add, arange, exp, expand_if_needed, log, mul, sub, sum, sum_to_size, to_dtype, unsqueeze};
use flambeau_macros::op;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::{Array, DType, Scalar, default_dtype, special};
use half::{bf16, f16};
use smallvec::smallvec;

/// The elements as f64, in the order of the shape.
pub(crate) fn doubles(x: &Tensor) -> Result<Vec<f64>> {
    let array = x.array();
    Ok(match x.dtype() {
        DType::F64 => array.to_vec::<f64>()?,
        DType::F32 => array.to_vec::<f32>()?.into_iter().map(f64::from).collect(),
        DType::F16 => array.to_vec::<f16>()?.into_iter().map(f64::from).collect(),
        DType::BF16 => array.to_vec::<bf16>()?.into_iter().map(f64::from).collect(),
        _ => return doubles(&to_dtype(&x.detach(), DType::F64)?),
    })
}

/// Numbers rounded to a floating-point dtype, on the device of `like`.
pub(crate) fn from_doubles(values: &[f64], dtype: DType, like: &Tensor, shape: &[usize]) -> Result<Array> {
    let (backend, device) = (like.array().backend(), like.device());
    Ok(match dtype {
        DType::F64 => Array::from_slice(backend, device, values, shape)?,
        DType::F16 => {
            let values: Vec<f16> = values.iter().map(|&x| f16::from_f64(x)).collect();
            Array::from_slice(backend, device, &values, shape)?
        }
        DType::BF16 => {
            let values: Vec<bf16> = values.iter().map(|&x| bf16::from_f64(x)).collect();
            Array::from_slice(backend, device, &values, shape)?
        }
        _ => {
            let values: Vec<f32> = values.iter().map(|&x| x as f32).collect();
            Array::from_slice(backend, device, &values, shape)?
        }
    })
}

fn float_of(x: &Tensor) -> DType {
    if x.is_floating_point() { x.dtype() } else { default_dtype() }
}

fn each(x: &Tensor, f: impl Fn(f64) -> f64) -> Result<Array> {
    let values: Vec<f64> = doubles(x)?.into_iter().map(f).collect();
    from_doubles(&values, float_of(x), x, &x.size())
}

/// log |Γ(x)|, the logarithm of the gamma function: `torch.lgamma`. Infinite at 0 and the negative integers.
///
/// ```
/// let x = torch::tensor([1.0, 0.5, 5.0]);
/// assert!(x.lgamma().allclose(&torch::tensor([0.0, 0.5723649, 3.1780539])));
/// ```
#[op(torch, method)]
pub fn lgamma(x: &Tensor) -> Result<Tensor> {
    let saves = [Save::Tensor("self", x)];
    Ok(record("LgammaBackward0", &[x], &saves, each(x, special::lgamma)?, |c| {
        Ok(smallvec![Some(mul(&c.grad(0)?, &digamma(&c.saved(0)?)?)?)])
    }))
}

/// The derivative of [`lgamma`], the digamma function ψ(x): `torch.digamma`, `torch.special.digamma`.
///
/// ```
/// let x = torch::tensor([1.0, 0.5]);
/// assert!(x.digamma().allclose(&torch::tensor([-0.5772157, -1.9635100])));
/// ```
#[op(torch, special, method)]
pub fn digamma(x: &Tensor) -> Result<Tensor> {
    let saves = [Save::Tensor("self", x)];
    Ok(record("DigammaBackward0", &[x], &saves, each(x, special::digamma)?, |c| {
        Ok(smallvec![Some(mul(&c.grad(0)?, &polygamma(1, &c.saved(0)?)?)?)])
    }))
}

/// The n-th derivative of [`digamma`]: `torch.polygamma(n, x)`.
///
/// # Errors
/// For a negative n.
///
/// ```
/// let x = torch::tensor([1.0, 0.5]);
/// assert!(torch::polygamma(1, &x).allclose(&torch::tensor([1.6449341, 4.9348022])));
/// ```
#[op(torch, special)]
pub fn polygamma(n: i64, input: &Tensor) -> Result<Tensor> {
    if n < 0 {
        return Err(Error::runtime("polygamma(n, x) does not support negative n."));
    }
    let saves = [Save::Tensor("self", input)];
    let out = each(input, |x| special::polygamma(n, x))?;
    Ok(record("PolygammaBackward0", &[input], &saves, out, move |c| {
        Ok(smallvec![Some(mul(&c.grad(0)?, &polygamma(n + 1, &c.saved(0)?)?)?)])
    }))
}

/// The logarithm of the multivariate gamma function of dimension p, Σᵢ log Γ(x − i/2) + p (p − 1)/4 · log π for i = 0 … p − 1:
/// `torch.mvlgamma`.
///
/// # Errors
/// For p below 1.
///
/// ```
/// let x = torch::tensor([2.0]);
/// assert!((x.mvlgamma(2).item() - 0.4515827).abs() < 1e-6);
/// ```
#[op(torch, method)]
pub fn mvlgamma(x: &Tensor, p: i64) -> Result<Tensor> {
    if p < 1 {
        return Err(Error::runtime("p has to be greater than or equal to 1"));
    }
    let x = to_dtype(x, float_of(x))?;
    let from = Scalar::Float(-p as f64 / 2.0 + 0.5);
    let steps = arange(from, Scalar::Float(0.5), Scalar::Float(0.5), Some(x.dtype()), x.device())?;
    let terms = lgamma(&add(&unsqueeze(&x, -1)?, &steps, 1)?)?;
    let constant = (p * (p - 1)) as f64 * std::f64::consts::PI.ln() / 4.0;
    add(&sum(&terms, &[-1], false, None)?, constant, 1)
}

/// The share of the gamma distribution of shape `input` that lies below `other`, the regularised lower incomplete gamma function:
/// `torch.special.gammainc`.
///
/// # Errors
/// Where the gradient of `input` is asked for, which has no formula, in PyTorch either.
///
/// ```
/// let (a, x) = (torch::tensor([1.0, 2.0]), torch::tensor([1.0, 1.0]));
/// assert!(torch::special::gammainc(&a, &x).allclose(&torch::tensor([0.6321206, 0.2642411])));
/// ```
#[op(special)]
pub fn gammainc(input: &Tensor, other: &Tensor) -> Result<Tensor> {
    let (a, x) = (input, other);
    let shape = broadcast_shapes(&a.size(), &x.size())?;
    let dtype = flambeau_tensor::promotion::promote_types(float_of(a), float_of(x));
    let (av, xv) =
        (doubles(&expand_if_needed(&a.detach(), &shape)?)?, doubles(&expand_if_needed(&x.detach(), &shape)?)?);
    let values: Vec<f64> = av.iter().zip(&xv).map(|(&a, &x)| special::gammainc(a, x)).collect();
    let out = from_doubles(&values, dtype, x, &shape)?;
    let saves = [Save::Tensor("self", a), Save::Tensor("other", x)];
    Ok(record("IgammaBackward0", &[a, x], &saves, out, |c| {
        if c.needs(0) {
            return Err(Error::runtime("the derivative for 'igamma: input' is not implemented."));
        }
        let (g, a, x) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
        let exponent = sub(&sub(&mul(&sub(&a, 1, 1)?, &log(&x)?)?, &x, 1)?, &lgamma(&a)?, 1)?;
        Ok(smallvec![None, Some(sum_to_size(&mul(&g, &exp(&exponent)?)?, &x.size())?)])
    }))
}
