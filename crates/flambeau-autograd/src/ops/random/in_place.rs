//! Random numbers in place, from PyTorch's stream.

use crate::error::{Error, Result};
use crate::graph::Grads;
use crate::{OrPanic, Tensor, views};
use flambeau_device::default_generator;
use flambeau_tensor::DType;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::calls::{Call, Random};
use flambeau_tensor::random::Generator;
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
    Ok(x.clone())
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

/// Random numbers in place; each returns the tensor and panics at the caller's line on bad bounds or dtypes.
impl Tensor {
    /// Uniform over [from, to): `x.uniform_(from, to)`.
    #[track_caller]
    pub fn uniform_(&self, from: f64, to: f64) -> Tensor {
        random_in_place(self, Distribution::Uniform { from, to }, None).or_panic()
    }

    /// [`Tensor::uniform_`] from a generator of the caller's.
    #[track_caller]
    pub fn uniform_with_(&self, from: f64, to: f64, generator: &Generator) -> Tensor {
        random_in_place(self, Distribution::Uniform { from, to }, Some(generator)).or_panic()
    }

    /// Normal: `x.normal_(mean, std)`.
    #[track_caller]
    pub fn normal_(&self, mean: f64, std: f64) -> Tensor {
        random_in_place(self, Distribution::Normal { mean, std }, None).or_panic()
    }

    /// [`Tensor::normal_`] from a generator of the caller's.
    #[track_caller]
    pub fn normal_with_(&self, mean: f64, std: f64, generator: &Generator) -> Tensor {
        random_in_place(self, Distribution::Normal { mean, std }, Some(generator)).or_panic()
    }

    /// One with probability p, else zero: `x.bernoulli_(p)`.
    #[track_caller]
    pub fn bernoulli_(&self, p: f64) -> Tensor {
        random_in_place(self, Distribution::Bernoulli { p }, None).or_panic()
    }

    /// Exponential with rate λ: `x.exponential_(lambd)`.
    #[track_caller]
    pub fn exponential_(&self, rate: f64) -> Tensor {
        random_in_place(self, Distribution::Exponential { rate }, None).or_panic()
    }

    /// Integers over all that the dtype holds: `x.random_()`.
    #[track_caller]
    pub fn random_(&self) -> Tensor {
        random_in_place(self, Distribution::FullRange, None).or_panic()
    }

    /// Integers over [from, to): `x.random_(from, to)`.
    #[track_caller]
    pub fn random_range_(&self, from: i64, to: i64) -> Tensor {
        random_in_place(self, Distribution::Integers { from, to }, None).or_panic()
    }
}
