//! Random numbers as torchvision draws them: one-element tensors from the CPU's default generator.

use crate::error::Result;
use flambeau_autograd::{Tensor, ops};
use flambeau_tensor::{DType, Device, default_dtype};

/// `torch.rand(1)`.
fn rand() -> Result<f64> {
    Ok(ops::rand(&[1], default_dtype(), Device::Cpu, None)?.item())
}

/// `torch.rand(1) < p`, where the comparison is of float32 numbers.
pub(crate) fn chance(p: f64) -> Result<bool> {
    Ok(rand()? < f64::from(p as f32))
}

/// `torch.rand(1).item() < p`, where it is of Python's floats.
pub(crate) fn chance_of_item(p: f64) -> Result<bool> {
    Ok(rand()? < p)
}

/// `p < torch.rand(1)`.
pub(crate) fn no_chance(p: f64) -> Result<bool> {
    Ok(f64::from(p as f32) < rand()?)
}

/// `torch.rand(2)`.
pub(crate) fn rand_pair() -> Result<[f64; 2]> {
    let values = ops::rand(&[2], default_dtype(), Device::Cpu, None)?;
    Ok([values.i(0).item(), values.i(1).item()])
}

/// `torch.rand([1, 1, h, w])`.
pub(crate) fn rand_plane(h: usize, w: usize) -> Result<Tensor> {
    Ok(ops::rand(&[1, 1, h, w], default_dtype(), Device::Cpu, None)?)
}

/// `torch.empty(1).uniform_(low, high)`.
pub(crate) fn uniform([low, high]: [f64; 2]) -> Result<f64> {
    Ok(ops::uniform_(&ops::empty(&[1], default_dtype(), Device::Cpu)?, low, high, None)?.item())
}

/// `torch.exp(torch.empty(1).uniform_(log(low), log(high)))`, the logarithms in float32.
pub(crate) fn log_uniform(range: [f64; 2]) -> Result<f64> {
    let logs = flambeau_autograd::tensor([range[0] as f32, range[1] as f32]).log();
    let x = ops::empty(&[1], default_dtype(), Device::Cpu)?;
    Ok(ops::uniform_(&x, logs.i(0).item(), logs.i(1).item(), None)?.exp().item())
}

/// `torch.randint(low, high, (1,))`.
pub(crate) fn randint(low: i64, high: i64) -> Result<i64> {
    Ok(randints(low, high, 1)?[0])
}

/// `torch.randint(low, high, (count,))`.
pub(crate) fn randints(low: i64, high: i64, count: usize) -> Result<Vec<i64>> {
    Ok(ops::randint(low, high, &[count], DType::I64, Device::Cpu, None)?.to_vec::<i64>())
}

/// `torch.randperm(n)`.
pub(crate) fn randperm(n: usize) -> Result<Vec<i64>> {
    Ok(ops::randperm(n, DType::I64, Device::Cpu, None)?.to_vec::<i64>())
}
