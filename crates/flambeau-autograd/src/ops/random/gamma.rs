//! Numbers of distributions whose parameters are tensors and whose samplers loop until a number is accepted. They are drawn on the
//! host, from the device's generator, wherever the parameters lie.
#![allow(non_snake_case, reason = "PyTorch's names that begin with an underscore")]

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::pointwise::gamma::{doubles, from_doubles};
use crate::ops::random::dropout::generator_for;
use crate::ops::{expand, mul, sub, sum, to_i64, zeros};
use flambeau_macros::op;
use flambeau_tensor::DType;
use flambeau_tensor::random::{self, Generator};
use half::{bf16, f16};
use smallvec::smallvec;

/// Rounds as a dtype does, and its smallest normal number.
fn rounding(dtype: DType) -> (fn(f64) -> f64, f64) {
    match dtype {
        DType::F64 => (|x| x, f64::MIN_POSITIVE),
        DType::F16 => (|x| f64::from(f16::from_f64(x)), f64::from(f16::MIN_POSITIVE)),
        DType::BF16 => (|x| f64::from(bf16::from_f64(x)), f64::from(bf16::MIN_POSITIVE)),
        _ => (|x| f64::from(x as f32), f64::from(f32::MIN_POSITIVE)),
    }
}

fn refuse(op: &'static str, dtype: DType, halves: bool) -> Result<()> {
    match dtype {
        DType::F32 | DType::F64 => Ok(()),
        DType::F16 | DType::BF16 if halves => Ok(()),
        dtype => Err(flambeau_tensor::Error::NotImplementedFor { op, dtype }.into()),
    }
}

/// A number of the Poisson distribution for each rate: `torch.poisson`. The gradient is zero.
///
/// # Errors
/// For a negative rate, and for integers.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::poisson(&torch::full([1000], 4.0));
/// assert!((x.mean().item() - 4.0).abs() < 0.3);
/// ```
#[op(torch, forms(poisson() = (None)))]
pub fn poisson(input: &Tensor, generator: Option<&Generator>) -> Result<Tensor> {
    refuse("poisson_cpu", input.dtype(), true)?;
    let rates = doubles(input)?;
    if rates.iter().any(|&r| r < 0.0 || r.is_nan()) {
        return Err(Error::runtime("invalid Poisson rate, expected rate to be non-negative"));
    }
    let mut state = generator_for(input, generator)?.lock();
    let drawn: Vec<f64> = rates.into_iter().map(|rate| random::poisson(&mut state, rate)).collect();
    let out = from_doubles(&drawn, input.dtype(), input, &input.size())?;
    Ok(record("PoissonBackward0", &[input], &[], out, |c| {
        let grad = c.grad(0)?;
        Ok(smallvec![Some(zeros(&grad.size(), grad.dtype(), grad.device())?)])
    }))
}

/// A number of the binomial distribution for each pair of a number of trials and a chance: `torch.binomial`. The gradient is
/// zero.
///
/// # Errors
/// For tensors of different shapes or dtypes, and for integers.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::binomial(&torch::full([1000], 10.0), &torch::full([1000], 0.5));
/// assert!((x.mean().item() - 5.0).abs() < 0.3);
/// ```
#[op(torch, forms(binomial(prob: &Tensor) = (prob, None)))]
pub fn binomial(count: &Tensor, prob: &Tensor, generator: Option<&Generator>) -> Result<Tensor> {
    refuse("binomial_cpu", count.dtype(), true)?;
    if count.dtype() != prob.dtype() {
        return Err(Error::runtime(format!(
            "Found dtype {} but expected {}",
            count.dtype().scalar_type_name(),
            prob.dtype().scalar_type_name()
        )));
    }
    let prob = expand(&prob.detach(), &to_i64(&count.size()))?;
    let (counts, chances) = (doubles(count)?, doubles(&prob)?);
    let (round, _) = rounding(count.dtype());
    let mut state = generator_for(count, generator)?.lock();
    let drawn: Vec<f64> =
        counts.into_iter().zip(chances).map(|(n, p)| random::binomial(&mut state, n, p, round)).collect();
    let out = from_doubles(&drawn, count.dtype(), count, &count.size())?;
    Ok(record("BinomialBackward0", &[count, &prob], &[], out, |c| {
        let grad = c.grad(0)?;
        let zero = || zeros(&grad.size(), grad.dtype(), grad.device());
        Ok(smallvec![Some(zero()?), Some(zero()?)])
    }))
}

/// A number of the gamma distribution of rate 1 for each shape α, with its derivative by α: `torch._standard_gamma`.
///
/// # Errors
/// For integers and half types.
///
/// ```
/// torch::manual_seed(0);
/// let alpha = torch::full([1000], 3.0).requires_grad_(true);
/// let x = torch::_standard_gamma(&alpha);
/// assert!((x.mean().item() - 3.0).abs() < 0.3);
/// x.mean().backward();
/// assert!((alpha.grad().unwrap().sum().item() - 1.0).abs() < 0.2);
/// ```
#[op(torch, forms(_standard_gamma() = (None)))]
pub fn _standard_gamma(input: &Tensor, generator: Option<&Generator>) -> Result<Tensor> {
    refuse("gamma_cpu", input.dtype(), false)?;
    let (round, least) = rounding(input.dtype());
    let shapes = doubles(input)?;
    let mut state = generator_for(input, generator)?.lock();
    let drawn: Vec<f64> = shapes.into_iter().map(|a| round(random::gamma(&mut state, a, round)).max(least)).collect();
    drop(state);
    let out = from_doubles(&drawn, input.dtype(), input, &input.size())?;
    let saves = [Save::Tensor("self", input), Save::Output("result", 0)];
    Ok(record("StandardGammaBackward0", &[input], &saves, out, |c| {
        let slope = gamma_slopes(&c.saved(0)?, &c.saved(1)?)?;
        Ok(smallvec![Some(mul(&c.grad(0)?, &slope)?)])
    }))
}

fn gamma_slopes(alpha: &Tensor, x: &Tensor) -> Result<Tensor> {
    let slopes: Vec<f64> =
        doubles(alpha)?.into_iter().zip(doubles(x)?).map(|(a, x)| random::gamma_slope(a, x)).collect();
    Ok(from_doubles(&slopes, x.dtype(), x, &x.size())?.into())
}

/// A vector of the Dirichlet distribution for each vector of concentrations along the last dimension, with its derivative by them:
/// `torch._sample_dirichlet`, differentiated as `torch.distributions.Dirichlet` does.
///
/// # Errors
/// For integers and half types, and for a tensor without dimensions.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::_sample_dirichlet(&torch::ones([5, 3]));
/// assert!(x.sum_dim(-1, false).allclose(&torch::ones(5)));
/// ```
#[op(torch, forms(_sample_dirichlet() = (None)))]
pub fn _sample_dirichlet(input: &Tensor, generator: Option<&Generator>) -> Result<Tensor> {
    refuse("dirichlet", input.dtype(), false)?;
    let Some(&n) = input.size().last() else {
        return Err(Error::runtime("_sample_dirichlet: a vector of concentrations has at least one dimension"));
    };
    let (round, least) = rounding(input.dtype());
    let most = if input.dtype() == DType::F64 { 1.0f64.next_down() } else { f64::from(1.0f32.next_down()) };
    let mut drawn = doubles(input)?;
    {
        let mut state = generator_for(input, generator)?.lock();
        for x in &mut drawn {
            *x = random::gamma(&mut state, *x, |x| x).max(f64::MIN_POSITIVE);
        }
    }
    for row in drawn.chunks_mut(n.max(1)) {
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|x| *x = round(*x / total).max(least).min(most));
    }
    let out = from_doubles(&drawn, input.dtype(), input, &input.size())?;
    let saves = [Save::Tensor("self", input), Save::Output("result", 0)];
    Ok(record("_DirichletBackward", &[input], &saves, out, |c| {
        let (g, alpha, x) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
        let total = expand(&sum(&alpha, &[-1], true, None)?, &to_i64(&alpha.size()))?;
        let slopes = _dirichlet_grad(&x, &alpha, &total)?;
        let centred = sub(&g, &sum(&mul(&x, &g)?, &[-1], true, None)?, 1)?;
        Ok(smallvec![Some(mul(&slopes, &centred)?)])
    }))
}

/// The derivative of Dirichlet numbers by their own concentrations, over 1 − x: `torch._dirichlet_grad`.
///
/// # Errors
/// For integers and half types.
///
/// ```
/// let x = torch::_dirichlet_grad(&torch::tensor([0.5]), &torch::tensor([1.0]), &torch::tensor([2.0]));
/// assert!((x.item() - 0.6931472).abs() < 1e-3);
/// ```
#[op(torch, not_differentiable)]
pub fn _dirichlet_grad(x: &Tensor, alpha: &Tensor, total: &Tensor) -> Result<Tensor> {
    refuse("_dirichlet_grad_cpu", x.dtype(), false)?;
    let (xs, alphas, totals) = (doubles(x)?, doubles(alpha)?, doubles(total)?);
    let slopes: Vec<f64> =
        xs.iter().zip(&alphas).zip(&totals).map(|((&x, &a), &t)| random::dirichlet_slope(x, a, t)).collect();
    Ok(from_doubles(&slopes, x.dtype(), x, &x.size())?.into())
}
