//! Activations made of straight pieces. At the joints the derivative is PyTorch's, which differs from one to the next.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::pointwise::clamp::bound;
use crate::ops::{Place, map, reshape};
use flambeau_macros::op;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::{DType, Scalar};
use std::sync::LazyLock;

/// x kept between two scalars; the gradient passes strictly between the bounds, and not for NaN.
static HARDTANH: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, low, high) = (b.input(0), b.scalar(0), b.scalar(1));
        x.maximum(low).minimum(high)
    })
    .with_gradient(|b, g, x, _| {
        let inside = x[0].gt(b.scalar(0)).and(x[0].lt(b.scalar(1)));
        vec![inside.select(g, 0.0)]
    })
});

/// Bounds in the kind of numbers that the tensor holds.
fn bounds(x: &Tensor, min: f64, max: f64) -> Result<[Scalar; 2]> {
    if min > max {
        return Err(Error::value("min_val cannot be greater than max_val"));
    }
    match x.dtype() {
        DType::Bool => {
            Err(flambeau_tensor::Error::NotImplemented("Bool inputs not supported for hardtanh".into()).into())
        }
        d if d.is_floating_point() => Ok([Scalar::Float(min).checked(d)?, Scalar::Float(max).checked(d)?]),
        d => {
            let [min, max] = [Scalar::Float(min).checked(DType::I64)?, Scalar::Float(max).checked(DType::I64)?];
            // An unsigned value is never below a negative bound.
            let least = if d == DType::U8 { 0 } else { i64::MIN };
            let [min, max] = [min, max].map(|n| Scalar::Int(n.to_i64().max(least)));
            Ok([bound(min, true, d)?, bound(max, false, d)?])
        }
    }
}

/// x kept between `min_val` and `max_val`: `F.hardtanh`. The gradient does not pass at the bounds, nor outside of them.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-4.0, -0.5, 2.0]);
/// assert_eq!(F::hardtanh(&x).to_vec::<f32>(), [-1.0, -0.5, 1.0]);
/// ```
///
/// # Errors
/// When `min_val` is above `max_val`, or of bools.
#[op(functional, forms(
    hardtanh() = (-1.0, 1.0),
    hardtanh_range(min_val: f64, max_val: f64) = (min_val, max_val),
))]
pub fn hardtanh(x: &Tensor, min_val: f64, max_val: f64, place: Place) -> Result<Tensor> {
    place.map("HardtanhBackward0", &HARDTANH, &[x], &bounds(x, min_val, max_val)?)
}

/// min(max(x, 0), 6), x kept between 0 and 6: `F.relu6`.
///
/// ```
/// use torch::nn::functional as F;
/// assert_eq!(F::relu6(&torch::tensor([-1.0, 3.0, 8.0])).to_vec::<f32>(), [0.0, 3.0, 6.0]);
/// ```
#[op(functional)]
pub fn relu6(x: &Tensor, place: Place) -> Result<Tensor> {
    hardtanh_at(x, 0.0, 6.0, place)
}

/// The slope of hardsigmoid, which PyTorch's kernels hold in float32 for every dtype.
const ONE_SIXTH: f64 = (1.0f32 / 6.0f32) as f64;

/// min(max(x + 3, 0), 6) / 6; the slope is 1/6 strictly between −3 and 3.
static HARDSIGMOID: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| (b.input(0) + 3.0).maximum(0.0).minimum(6.0) / 6.0).with_gradient(|_, g, x, _| {
        let inside = x[0].gt(-3.0).and(x[0].lt(3.0));
        vec![inside.select(g * ONE_SIXTH, 0.0)]
    })
});

/// min(max(x + 3, 0), 6) / 6, a sigmoid of straight pieces: `F.hardsigmoid`.
///
/// ```
/// use torch::nn::functional as F;
/// assert_eq!(F::hardsigmoid(&torch::tensor([-4.0, 0.0, 3.0])).to_vec::<f32>(), [0.0, 0.5, 1.0]);
/// ```
#[op(functional)]
pub fn hardsigmoid(x: &Tensor, place: Place) -> Result<Tensor> {
    floats_only(x, "hardsigmoid_cpu")?;
    place.map("HardsigmoidBackward0", &HARDSIGMOID, &[x], &[])
}

/// x · min(max(x + 3, 0), 6) / 6; the derivative is 0 up to −3, 1 from 3 on, else x/3 + 1/2, NaN for NaN.
static HARDSWISH: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x * (x + 3.0).maximum(0.0).minimum(6.0) / 6.0
    })
    .with_gradient(|_, g, x, _| {
        let middle = x[0].ge(3.0).select(g, g * (x[0] / 3.0 + 0.5));
        vec![x[0].le(-3.0).select(0.0, middle)]
    })
});

/// x · min(max(x + 3, 0), 6) / 6 (arXiv 1905.02244): `F.hardswish`.
///
/// ```
/// use torch::nn::functional as F;
/// assert_eq!(F::hardswish(&torch::tensor([-1.5, 0.0, 4.0])).to_vec::<f32>(), [-0.375, 0.0, 4.0]);
/// ```
#[op(functional)]
pub fn hardswish(x: &Tensor, place: Place) -> Result<Tensor> {
    floats_only(x, "hardswish_cpu")?;
    place.map("HardswishBackward0", &HARDSWISH, &[x], &[])
}

/// A number that an activation computes with, which the dtype that x is computed in must hold; after [`floats_only`].
pub(crate) fn computed(x: &Tensor, op: &'static str, number: f64) -> Result<Scalar> {
    floats_only(x, op)?;
    Ok(Scalar::Float(number).checked(x.dtype().compute())?)
}

pub(crate) fn floats_only(x: &Tensor, op: &'static str) -> Result<()> {
    match x.is_floating_point() {
        true => Ok(()),
        false => Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: x.dtype() }.into()),
    }
}

static THRESHOLD: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x.le(b.scalar(0)).select(b.scalar(1), x)
    })
});

/// x where x > `threshold`, else `value`: `F.threshold`. NaN stays.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-4.0, 0.5, 2.0]);
/// assert_eq!(F::threshold(&x, 0.5, 9.0).to_vec::<f32>(), [9.0, 9.0, 2.0]);
/// ```
///
/// # Errors
/// When the tensor's dtype does not hold the numbers, or of bools.
#[op(torch, functional)]
pub fn threshold(x: &Tensor, threshold: impl Into<Scalar>, value: impl Into<Scalar>, place: Place) -> Result<Tensor> {
    let name = if place.is_first() { "ThresholdBackward1" } else { "ThresholdBackward0" };
    place.map(name, &THRESHOLD, &[x], &of_kind(x, [threshold.into(), value.into()])?)
}

/// Numbers as the tensor's elements, which must hold them.
fn of_kind(x: &Tensor, [threshold, value]: [Scalar; 2]) -> Result<[Scalar; 2]> {
    if x.dtype() == DType::Bool {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "threshold_cpu", dtype: x.dtype() }.into());
    }
    // Half types compare in f32.
    Ok([threshold.checked(x.dtype().compute())?, value.checked(x.dtype())?])
}

static PRELU: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, weight) = (b.input(0), b.input(1));
        x.gt(0.0).select(x, weight * x)
    })
    .with_arguments(&["self", "weight"])
});

/// x where x > 0, else weight · x; the weight is one number or one per channel (dimension 1): `F.prelu`.
///
/// ```
/// let x = torch::tensor([[-4.0, -4.0], [1.0, -2.0]]);
/// let weight = torch::tensor([0.25, 0.5]);
/// assert_eq!(x.prelu(&weight).to_vec::<f32>(), [-1.0, -2.0, 1.0, -1.0]);
/// ```
///
/// # Errors
/// When the dtypes differ, or the weight has neither one element nor one per channel.
#[op(torch, functional, method, cast = Low)]
pub fn prelu(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if x.dtype() != weight.dtype() {
        return Err(Error::runtime(format!(
            "prelu: Type promoting not supported. Got {} and {}",
            x.dtype().scalar_type_name(),
            weight.dtype().scalar_type_name()
        )));
    }
    if weight.dim() > 1 {
        return Err(Error::runtime(format!(
            "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {}",
            weight.dim()
        )));
    }
    floats_only(x, "prelu_cpu")?;
    let n = weight.numel();
    if n != 1 {
        if x.dim() == 0 {
            return Err(Error::runtime("Not allow zero-dim input tensor."));
        }
        let channels = x.size().get(1).copied().unwrap_or(1);
        if channels != n {
            return Err(Error::runtime(format!(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = {n} and channel size = \
                 {channels}."
            )));
        }
    }
    let mut shape = vec![1; x.dim()];
    if x.dim() > 1 {
        shape[1] = n as i64;
    }
    let weight = if weight.dim() == x.dim() && x.dim() < 2 { weight.shallow_clone() } else { reshape(weight, &shape)? };
    map("PreluKernelBackward0", &PRELU, &[x, &weight], &[])
}

/// g outside of [−λ, λ], else 0; none passes for NaN.
fn outside<'b>(x: Expr<'b>, lambda: Expr<'b>, g: Expr<'b>) -> Expr<'b> {
    x.lt(-lambda).or(x.gt(lambda)).select(g, 0.0)
}

/// x, but 0 within [−λ, λ]; NaN stays.
static HARDSHRINK: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, lambda) = (b.input(0), b.scalar(0));
        x.ge(-lambda).and(x.le(lambda)).select(0.0, x)
    })
    .with_gradient(|b, g, x, _| vec![outside(x[0], b.scalar(0), g)])
});

/// x, but 0 within [−λ, λ]: `F.hardshrink`. PyTorch's default for λ, `lambd`, is 0.5.
///
/// ```
/// let x = torch::tensor([-1.0, 0.5, 2.0]);
/// assert_eq!(x.hardshrink().to_vec::<f32>(), [-1.0, 0.0, 2.0]);
/// ```
#[op(torch, functional, method, forms(hardshrink() = (0.5), hardshrink_lambd(lambd: f64) = (lambd)))]
pub fn hardshrink(x: &Tensor, lambd: f64) -> Result<Tensor> {
    floats_only(x, "hardshrink_cpu")?;
    map("HardshrinkBackward0", &HARDSHRINK, &[x], &[Scalar::Float(lambd).checked(x.dtype())?])
}

/// x moved by λ towards 0, and 0 within [−λ, λ]; NaN stays.
static SOFTSHRINK: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, lambda) = (b.input(0), b.scalar(0));
        let below = x.lt(-lambda).select(x + lambda, x.is_nan().select(x, 0.0));
        x.gt(lambda).select(x - lambda, below)
    })
    .with_gradient(|b, g, x, _| vec![outside(x[0], b.scalar(0), g)])
});

/// x moved by λ towards 0, and 0 within [−λ, λ]: `F.softshrink`. PyTorch's default for λ, `lambd`, is 0.5.
///
/// ```
/// use torch::nn::functional as F;
/// assert_eq!(F::softshrink(torch::tensor([-1.0, 0.5, 2.0])).to_vec::<f32>(), [-0.5, 0.0, 1.5]);
/// ```
///
/// # Errors
/// When λ is negative or above what the dtype holds.
#[op(functional, forms(softshrink() = (0.5), softshrink_lambd(lambd: f64) = (lambd)))]
pub fn softshrink(x: &Tensor, lambd: f64) -> Result<Tensor> {
    floats_only(x, "softshrink_check")?;
    let (_, largest) = x.dtype().range();
    if !(0.0..=largest).contains(&lambd) {
        let [largest, found] = [largest, lambd].map(flambeau_tensor::print::cpp_double);
        return Err(Error::runtime(format!(
            "lambda must be in range [0, {largest}] for input dtype {}, but found {found}",
            x.dtype().scalar_type_name()
        )));
    }
    map("SoftshrinkBackward0", &SOFTSHRINK, &[x], &[Scalar::Float(lambd)])
}
