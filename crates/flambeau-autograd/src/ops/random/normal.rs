//! Random numbers of given means and deviations.

use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::index::lines::tensor_or_number;
use crate::ops::{Operand, add, empty, full, mul, random_in_place, zeros};
use crate::{Tensor, no_grad};
use flambeau_device::default_device;
use flambeau_macros::op;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{DType, Device, default_dtype};
use smallvec::smallvec;

/// Random numbers, normal with a mean and a standard deviation for each: `torch.normal(mean, std)`. One of the two may be a
/// number. The gradients of both are zero, as PyTorch's.
///
/// # Errors
/// For a negative deviation, and integers.
///
/// ```
/// torch::manual_seed(0);
/// let x = torch::normal(&torch::tensor([0.0, 100.0]), 0.1);
/// assert!(x.select(0, 0).item().abs() < 1.0 && (x.select(0, 1).item() - 100.0).abs() < 1.0);
/// ```
#[op(torch, forms(normal(std: impl Into<Operand<'b>>) = (std, None)))]
#[track_caller]
pub fn normal<'a, 'b>(
    mean: impl Into<Operand<'a>>,
    std: impl Into<Operand<'b>>,
    generator: Option<&Generator>,
) -> Result<Tensor> {
    let (mean, std) = (mean.into(), std.into());
    let (m, s) = (tensor_or_number(&mean), tensor_or_number(&std));
    let like = match (m, s) {
        (Ok(x), _) | (_, Ok(x)) => x,
        (Err(_), Err(_)) => {
            return Err(Error::runtime("normal of two numbers needs a shape: torch::normal_size(mean, std, size)"));
        }
    };
    match s {
        Err(s) if s.to_f64() < 0.0 => {
            let s = flambeau_tensor::print::cpp_double(s.to_f64());
            return Err(Error::runtime(format!("normal expects std >= 0.0, but found std {s}")));
        }
        Ok(s) if s.numel() > 0 && crate::ops::amin(&s.detach(), &[], false)?.array().item()?.to_f64() < 0.0 => {
            return Err(Error::runtime("normal expects all elements of std >= 0.0"));
        }
        _ => {}
    }
    let shape = match (m, s) {
        (Ok(m), Ok(s)) => broadcast_shapes(&m.size(), &s.size())?,
        _ => (&like.size()[..]).into(),
    };
    let out = {
        let _guard = no_grad();
        let fresh = empty(&shape, like.dtype(), like.device())?;
        let by = s.err().map_or(1.0, |s| s.to_f64());
        random_in_place(&fresh, Distribution::Normal { mean: 0.0, std: by }, generator)?;
        let scaled = if let Ok(s) = s { mul(&fresh, s)? } else { fresh };
        match m {
            Ok(m) => add(&scaled, m, 1)?,
            Err(m) => add(&scaled, m, 1)?,
        }
    };
    let (name, inputs): (_, &[&Tensor]) = match (m, s) {
        (Ok(m), Err(_)) => ("NormalBackward1", &[m]),
        (Err(_), Ok(s)) => ("NormalBackward2", &[s]),
        (Ok(m), Ok(s)) => ("NormalBackward3", &[m, s]),
        (Err(_), Err(_)) => unreachable!("told above"),
    };
    let sizes: Vec<_> = inputs.iter().map(|x| (x.size(), x.dtype(), x.device())).collect();
    Ok(record(name, inputs, &[], out.array().clone(), move |_| {
        let mut zero = sizes.iter().map(|(size, dtype, device)| zeros(size, *dtype, *device).map(Some));
        match (zero.next().transpose()?, zero.next().transpose()?) {
            (Some(a), Some(b)) => Ok(smallvec![a, b]),
            (a, _) => Ok(smallvec![a.flatten()]),
        }
    }))
}

/// A new tensor of the shape `size` of random numbers, normal with one mean and deviation: `torch.normal(mean, std, size)`.
///
/// # Errors
/// For a negative deviation.
///
/// ```
/// torch::manual_seed(0);
/// let noise = torch::normal_size(0, 1, (2, 3));
/// assert_eq!(noise.size(), [2, 3]);
/// ```
#[op(torch, creation, not_differentiable, forms(
    normal_size(std: f64, size: &[usize]) = (std, size, default_dtype(), default_device(), None),
))]
#[track_caller]
pub fn normal_size(
    mean: f64,
    std: f64,
    size: &[usize],
    dtype: DType,
    device: Device,
    generator: Option<&Generator>,
) -> Result<Tensor> {
    let out = full(size, 0, dtype, device)?;
    random_in_place(&out, Distribution::Normal { mean, std }, generator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor;
    use flambeau_tensor::Scalar;

    /// Beside `torch.manual_seed(0)` and `torch.normal` of the same arguments.
    #[test]
    fn the_numbers_are_pytorchs() {
        let draw = |f: &dyn Fn() -> Result<Tensor>| {
            flambeau_device::manual_seed(0);
            let rounded: Vec<f64> =
                f().unwrap().to_vec::<f32>().iter().map(|&x| (f64::from(x) * 1e4).round() / 1e4).collect();
            rounded
        };
        let (zeros, ones) = (tensor([0.0; 3]), tensor([1.0; 3]));
        let first = [1.541, -0.2934, -2.1788];
        assert_eq!(draw(&|| normal_size(0.0, 1.0, &[3], DType::F32, Device::Cpu, None)), first);
        assert_eq!(draw(&|| normal(&zeros, &ones, None)), first);
        assert_eq!(draw(&|| normal(&zeros, 2, None)), [3.082, -0.5869, -4.3576]);
        assert_eq!(draw(&|| normal(1, &ones, None)), [2.541, 0.7066, -1.1788]);
        let column = tensor([[0.0], [0.0]]);
        assert_eq!(draw(&|| normal(&column, &ones, None)), [1.541, -0.2934, -2.1788, 0.5684, -1.0845, -1.3986]);
    }

    #[test]
    fn gradients_are_zero_and_bad_deviations_refused() {
        let (mean, std) = (tensor([0.0; 2]).requires_grad_(true), tensor([1.0; 2]).requires_grad_(true));
        let y = normal(&mean, &std, None).unwrap();
        assert_eq!(y.grad_fn().unwrap().name(), "NormalBackward3");
        y.sum().backward();
        assert_eq!(mean.grad().unwrap().to_vec::<f32>(), [0.0; 2]);
        assert_eq!(std.grad().unwrap().to_vec::<f32>(), [0.0; 2]);
        let refused = |r: Result<Tensor>| r.unwrap_err().to_string();
        assert_eq!(refused(normal(1, tensor([1.0, -1.0]), None)), "normal expects all elements of std >= 0.0");
        assert_eq!(refused(normal(&mean, Scalar::Int(-1), None)), "normal expects std >= 0.0, but found std -1");
    }
}
