//! New tensors of random numbers.

use crate::error::Result;
use crate::ops::{copy, random_in_place};
use crate::{Tensor, from_vec};
use flambeau_device::{default_device, default_generator};
use flambeau_macros::op;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device, default_dtype};

const UNIFORM: Distribution = Distribution::Uniform { from: 0.0, to: 1.0 };
const NORMAL: Distribution = Distribution::Normal { mean: 0.0, std: 1.0 };

/// A new tensor of random numbers, uniform over [0, 1): `torch.rand`. `torch::rand` takes the default dtype, device and
/// generator; the numbers of a seed are PyTorch's.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::rand([2, 3]);
/// assert_eq!(x.size(), [2, 3]);
/// assert!(x.to_vec::<f32>().iter().all(|u| (0.0..1.0).contains(u)));
/// ```
#[op(torch, creation, not_differentiable, forms(rand() = (default_dtype(), default_device(), None)))]
#[track_caller]
pub fn rand(size: &[usize], dtype: DType, device: Device, generator: Option<&Generator>) -> Result<Tensor> {
    random_in_place(&copy::empty(size, dtype, device)?.into(), UNIFORM, generator)
}

/// A new tensor of random numbers, standard normal (mean 0, standard deviation 1): `torch.randn`. `torch::randn` takes the
/// default dtype, device and generator; the numbers of a seed are PyTorch's.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::randn([1000]);
/// assert!(x.mean().item().abs() < 0.1);
/// assert!((x.std().item() - 1.0).abs() < 0.1);
/// ```
#[op(torch, creation, not_differentiable, forms(randn() = (default_dtype(), default_device(), None)))]
#[track_caller]
pub fn randn(size: &[usize], dtype: DType, device: Device, generator: Option<&Generator>) -> Result<Tensor> {
    random_in_place(&copy::empty(size, dtype, device)?.into(), NORMAL, generator)
}

/// A new tensor of random integers, each of low … high − 1 equally likely: `torch.randint`. `torch::randint` takes int64, the
/// default device and its generator.
///
/// # Errors
/// When `low` is not below `high`.
///
/// ```
/// torch::manual_seed(0);
/// let dice = torch::randint(1, 7, [10]);
/// assert!(dice.to_vec::<i64>().iter().all(|n| (1..=6).contains(n)));
/// ```
#[op(torch, creation, not_differentiable, forms(
    randint(high: i64, size: &[usize]) = (high, size, DType::I64, default_device(), None),
))]
#[track_caller]
pub fn randint(
    low: i64,
    high: i64,
    size: &[usize],
    dtype: DType,
    device: Device,
    generator: Option<&Generator>,
) -> Result<Tensor> {
    let distribution = Distribution::Integers { from: low, to: high };
    random_in_place(&copy::empty(size, dtype, device)?.into(), distribution, generator)
}

/// The numbers 0 … n − 1 (int64) in a random order: `torch.randperm`.
///
/// ```
/// torch::manual_seed(0);
/// let (sorted, _) = torch::randperm(5).sort();
/// assert_eq!(sorted.to_vec::<i64>(), [0, 1, 2, 3, 4]);
/// let g = torch::Generator::new().manual_seed(3);
/// assert_eq!(torch::randperm_with(5, |o| o.generator(&g)).numel(), 5);
/// ```
#[op(torch, creation, not_differentiable, forms(
    randperm() = (DType::I64, default_device(), None),
))]
pub fn randperm(n: usize, dtype: DType, device: Device, generator: Option<&Generator>) -> Result<Tensor> {
    let generator = match generator {
        Some(generator) => generator,
        None => default_generator(device)?,
    };
    let mut order = vec![0i64; n];
    flambeau_tensor::random::randperm(generator, &mut order).map_err(flambeau_tensor::Error::from)?;
    crate::ops::to_device(&crate::ops::to_dtype(&from_vec(order, [n]), dtype)?, device)
}

/// Random numbers, uniform over [0, 1), in the shape, dtype, device and order of dimensions of `x`: `torch.rand_like`.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// let x = torch::zeros([2, 3]);
/// assert_eq!(torch::rand_like(&x).size(), [2, 3]);
/// ```
#[op(torch, method, creation, not_differentiable, forms(rand_like() = (None, None, None)))]
#[track_caller]
pub fn rand_like(
    x: &Tensor,
    dtype: Option<DType>,
    device: Option<Device>,
    generator: Option<&Generator>,
) -> Result<Tensor> {
    random_in_place(&crate::ops::empty_like(x, dtype, device)?, UNIFORM, generator)
}

/// Random numbers, standard normal, in the shape, dtype, device and order of dimensions of `x`: `torch.randn_like`.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// let x = torch::zeros([2, 3]).double();
/// let noise = torch::randn_like(&x);
/// assert_eq!(noise.dtype(), torch::float64);
/// ```
#[op(torch, method, creation, not_differentiable, forms(randn_like() = (None, None, None)))]
#[track_caller]
pub fn randn_like(
    x: &Tensor,
    dtype: Option<DType>,
    device: Option<Device>,
    generator: Option<&Generator>,
) -> Result<Tensor> {
    random_in_place(&crate::ops::empty_like(x, dtype, device)?, NORMAL, generator)
}
