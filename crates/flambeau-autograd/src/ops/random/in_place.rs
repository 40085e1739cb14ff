//! Random numbers in place, from PyTorch's stream.

use crate::error::{Error, Result};
use crate::graph::Grads;
use crate::{Tensor, views};
use flambeau_device::default_generator;
use flambeau_macros::op;
use flambeau_tensor::DType;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::calls::{PrimitiveCall, Random};
use flambeau_tensor::random::{Generator, GeneratorState};
use smallvec::smallvec;

/// Fills a tensor with random numbers of the given generator, or the device's default one; the gradient is zero.
#[track_caller]
pub(crate) fn random_in_place(x: &Tensor, distribution: Distribution, generator: Option<&Generator>) -> Result<Tensor> {
    check(x.dtype(), distribution)?;
    let generator = match generator {
        Some(g) => g,
        None => default_generator(x.device())?,
    };
    let write = || {
        let array = x.array();
        if array.numel() == 0 {
            return Ok(());
        }
        // PyTorch fills in the order of the memory, so a permuted tensor without gaps needs no copy.
        let dense = if array.is_contiguous() { None } else { Some(crate::ops::create::copy::empty_like(&array)?) };
        let target = dense.as_ref().unwrap_or(&array);
        // Only what is contiguous takes PyTorch's stream of whole blocks.
        let distribution = match distribution {
            Distribution::Normal { mean, std } if !array.is_contiguous() => Distribution::SerialNormal { mean, std },
            other => other,
        };
        let flat = target.as_strided(&[target.numel()], &[1], target.offset())?;
        Random { distribution, generator, out: &flat }.run()?;
        if let Some(dense) = &dense {
            flambeau_tensor::ops::copy_into(dense, &array)?;
        }
        Ok(())
    };
    views::in_place(name(distribution), x, &[], &[], write, |c| {
        let grad = c.grad(0)?;
        let grads: Grads = smallvec![Some(crate::ops::zeros(&grad.size(), grad.dtype(), grad.device())?)];
        Ok(grads)
    })?;
    Ok(x.shallow_clone())
}

fn name(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::Uniform { .. } => "UniformBackward0",
        Distribution::Normal { .. } | Distribution::SerialNormal { .. } => "NormalBackward0",
        Distribution::Bernoulli { .. } => "BernoulliBackward2",
        Distribution::Integers { .. } => "RandomBackward0",
        Distribution::FullRange => "RandomBackward2",
        Distribution::Exponential { .. } => "ExponentialBackward0",
    }
}

fn check(dtype: DType, distribution: Distribution) -> Result<()> {
    let floats_only = match distribution {
        Distribution::Uniform { from, to } => {
            if from > to {
                return Err(Error::runtime(format!(
                    "uniform_ expects to return a [from, to) range, but found from={} > to={}",
                    flambeau_tensor::print::cpp_double(from),
                    flambeau_tensor::print::cpp_double(to)
                )));
            }
            "check_uniform_bounds"
        }
        Distribution::Normal { std, .. } | Distribution::SerialNormal { std, .. } => {
            if std < 0.0 {
                return Err(Error::runtime(format!(
                    "normal expects std >= 0.0, but found std {}",
                    flambeau_tensor::print::cpp_double(std)
                )));
            }
            "normal_kernel_cpu"
        }
        Distribution::Bernoulli { p } => {
            if !(0.0..=1.0).contains(&p) {
                return Err(Error::runtime(format!(
                    "bernoulli_ expects p to be in [0, 1], but got p={}",
                    flambeau_tensor::print::cpp_double(p)
                )));
            }
            return Ok(());
        }
        Distribution::Exponential { rate } => {
            if rate <= 0.0 {
                return Err(Error::runtime(format!(
                    "exponential_ expects lambda > 0.0, but found lambda={}",
                    flambeau_tensor::print::cpp_double(rate)
                )));
            }
            "exponential_kernel_cpu"
        }
        Distribution::Integers { from, to } => {
            if from >= to {
                return Err(Error::runtime(format!(
                    "random_ expects 'from' to be less than 'to', but got from={from} >= to={to}"
                )));
            }
            return Ok(());
        }
        Distribution::FullRange => return Ok(()),
    };
    match dtype.is_floating_point() {
        true => Ok(()),
        false => Err(flambeau_tensor::Error::NotImplementedFor { op: floats_only, dtype }.into()),
    }
}

/// Overwrites the tensor with random numbers, uniform over [from, to), and returns it: `x.uniform_(from, to)`, or
/// `x.uniform_with_(|o| o.generator(&g))`. Its gradient is zero.
///
/// # Errors
/// When `from` is above `to`, and for integers and bools.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::empty([100]).uniform_(-1.0, 1.0);
/// assert!(x.abs().max().item() <= 1.0);
/// ```
#[op(method, forms(uniform_(from: f64, to: f64) = (from, to, None)), default(from = 0.0, to = 1.0))]
#[track_caller]
pub fn uniform_(x: &Tensor, from: f64, to: f64, generator: Option<&Generator>) -> Result<Tensor> {
    random_in_place(x, Distribution::Uniform { from, to }, generator)
}

/// Overwrites the tensor with normally distributed random numbers and returns it: `x.normal_(mean, std)`, or
/// `x.normal_with_(|o| o.generator(&g))`. Its gradient is zero.
///
/// # Errors
/// When the standard deviation is negative, and for integers and bools.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::empty([1000]).normal_(5.0, 2.0);
/// assert!((x.mean().item() - 5.0).abs() < 0.3);
/// ```
#[op(method, forms(normal_(mean: f64, std: f64) = (mean, std, None)), default(mean = 0.0, std = 1.0))]
#[track_caller]
pub fn normal_(x: &Tensor, mean: f64, std: f64, generator: Option<&Generator>) -> Result<Tensor> {
    random_in_place(x, Distribution::Normal { mean, std }, generator)
}

/// Overwrites each element with one, with probability p, else with zero, and returns the tensor: `x.bernoulli_(p)`. Its gradient
/// is zero.
///
/// # Errors
/// When p is not within [0, 1].
///
/// ```
/// let x = torch::empty([4]);
/// assert_eq!(x.bernoulli_(1.0).to_vec::<f32>(), [1.0; 4]);
/// ```
#[op(method, forms(bernoulli_(p: f64) = (p, None)), default(p = 0.5))]
#[track_caller]
pub fn bernoulli_(x: &Tensor, p: f64, generator: Option<&Generator>) -> Result<Tensor> {
    random_in_place(x, Distribution::Bernoulli { p }, generator)
}

/// Overwrites the tensor with random numbers of the density λ · e^(−λt), t > 0, and returns it: `x.exponential_(lambd)`. Its
/// gradient is zero.
///
/// # Errors
/// When λ is not positive, and for integers and bools.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::empty([1000]).exponential_(2.0);
/// assert!(x.min().item() >= 0.0 && (x.mean().item() - 0.5).abs() < 0.1);
/// ```
#[op(method, forms(exponential_(lambd: f64) = (lambd, None)), default(lambd = 1.0))]
#[track_caller]
pub fn exponential_(x: &Tensor, lambd: f64, generator: Option<&Generator>) -> Result<Tensor> {
    random_in_place(x, Distribution::Exponential { rate: lambd }, generator)
}

/// Fills a tensor with numbers that `draw` makes of the generator's state, on the host; the gradient is zero.
#[track_caller]
fn drawn_in_place(
    x: &Tensor,
    name: &'static str,
    op: &'static str,
    generator: Option<&Generator>,
    draw: impl Fn(&mut GeneratorState) -> f64,
) -> Result<Tensor> {
    if !x.is_floating_point() {
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: x.dtype() }.into());
    }
    let generator = match generator {
        Some(g) => g,
        None => default_generator(x.device())?,
    };
    let write = || {
        let array = x.array();
        let values: Vec<f64> = {
            let mut state = generator.lock();
            (0..array.numel()).map(|_| draw(&mut state)).collect()
        };
        let fresh = crate::ops::pointwise::gamma::from_doubles(&values, x.dtype(), x, &x.size())?;
        flambeau_tensor::ops::copy_into(&fresh, &array)?;
        Ok(())
    };
    views::in_place(name, x, &[], &[], write, |c| {
        let grad = c.grad(0)?;
        let grads: Grads = smallvec![Some(crate::ops::zeros(&grad.size(), grad.dtype(), grad.device())?)];
        Ok(grads)
    })?;
    Ok(x.shallow_clone())
}

/// Overwrites the tensor with numbers of the Cauchy distribution around `median` and returns it: `x.cauchy_(median, sigma)`. The
/// numbers are drawn on the host. Its gradient is zero.
///
/// # Errors
/// When sigma is not positive, and for integers and bools.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::empty([1001]).cauchy_(3.0, 1.0);
/// assert!((x.median().item() - 3.0).abs() < 0.3);
/// ```
#[op(method, forms(cauchy_(median: f64, sigma: f64) = (median, sigma, None)), default(median = 0.0, sigma = 1.0))]
#[track_caller]
pub fn cauchy_(x: &Tensor, median: f64, sigma: f64, generator: Option<&Generator>) -> Result<Tensor> {
    if sigma <= 0.0 {
        let sigma = flambeau_tensor::print::cpp_double(sigma);
        return Err(Error::runtime(format!("cauchy_ expects sigma > 0.0, but found sigma={sigma}")));
    }
    drawn_in_place(x, "CauchyBackward0", "cauchy_cpu", generator, |state| {
        median + sigma * (std::f64::consts::PI * (state.uniform_f64() - 0.5)).tan()
    })
}

/// Overwrites the tensor with how many tries of chance p a first success takes and returns it: `x.geometric_(p)`. The numbers are
/// drawn on the host. Its gradient is zero.
///
/// # Errors
/// When p is not within (0, 1), and for integers and bools.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::empty([1000]).geometric_(0.5);
/// assert!((x.mean().item() - 2.0).abs() < 0.2 && x.min().item() >= 1.0);
/// ```
#[op(method, forms(geometric_(p: f64) = (p, None)))]
#[track_caller]
pub fn geometric_(x: &Tensor, p: f64, generator: Option<&Generator>) -> Result<Tensor> {
    if !(p > 0.0 && p < 1.0) {
        let p = flambeau_tensor::print::cpp_double(p);
        return Err(Error::runtime(format!("geometric_ expects p to be in (0, 1), but got p={p}")));
    }
    drawn_in_place(x, "GeometricBackward0", "geometric_cpu", generator, |state| {
        (state.uniform_f64().ln() / (-p).ln_1p()).ceil()
    })
}

/// Overwrites the tensor with e to the power of normal numbers of this mean and deviation and returns it:
/// `x.log_normal_(mean, std)`. The numbers are drawn on the host. Its gradient is zero.
///
/// # Errors
/// When the deviation is not positive, and for integers and bools.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::empty([1000]).log_normal_(0.0, 0.1);
/// assert!((x.mean().item() - 1.0).abs() < 0.1 && x.min().item() > 0.0);
/// ```
#[op(method, forms(log_normal_(mean: f64, std: f64) = (mean, std, None)), default(mean = 1.0, std = 2.0))]
#[track_caller]
pub fn log_normal_(x: &Tensor, mean: f64, std: f64, generator: Option<&Generator>) -> Result<Tensor> {
    if std <= 0.0 {
        let std = flambeau_tensor::print::cpp_double(std);
        return Err(Error::runtime(format!("log_normal_ expects std > 0.0, but found std={std}")));
    }
    drawn_in_place(x, "LogNormalBackward0", "log_normal_cpu", generator, |state| (state.normal() * std + mean).exp())
}

/// Overwrites the tensor with random integers and returns it: of all that the dtype holds exactly, `x.random_()`, or of
/// from … to − 1, `x.random_range_(from, to)`, PyTorch's `x.random_(from, to)`. Its gradient is zero.
///
/// # Errors
/// When `from` is not below `to`.
///
/// ```
/// let x = torch::empty([10]).random_range_(3, 5);
/// assert!(x.to_vec::<f32>().iter().all(|&n| n == 3.0 || n == 4.0));
/// ```
#[op(method, forms(
    random_() = (None, None),
    random_range_(from: i64, to: i64) = (Some((from, to)), None),
))]
#[track_caller]
pub fn random_(x: &Tensor, range: Option<(i64, i64)>, generator: Option<&Generator>) -> Result<Tensor> {
    let integers = |(from, to)| Distribution::Integers { from, to };
    random_in_place(x, range.map_or(Distribution::FullRange, integers), generator)
}
