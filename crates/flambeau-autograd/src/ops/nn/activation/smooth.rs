//! Activations with exponentials and gates.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::nn::activation::hard::{computed, floats_only};
use crate::ops::nn::activation::rectified::{elu_of, leaky_relu_of};
use crate::ops::pointwise::binary::check_sub;
use crate::ops::{Place, cat, map, narrow};
use flambeau_device::default_generator;
use flambeau_macros::op;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::print::cpp_double;
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

/// α of arXiv 1706.02515.
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
/// λ of arXiv 1706.02515.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// selu as an elu.
const SELU: [Scalar; 3] = [Scalar::Float(SELU_SCALE), Scalar::Float(SELU_ALPHA * SELU_SCALE), Scalar::Float(1.0)];

/// λ · (x where x > 0, else α · (eˣ − 1)) with α = 1.6732632 and λ = 1.0507010, whose fixed point is zero mean and unit variance
/// (arXiv 1706.02515): `F.selu`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 2.0]);
/// assert!(F::selu(&x).allclose(&torch::tensor([-1.1113307, 0.0, 2.101402])));
/// ```
#[op(torch, functional)]
pub fn selu(x: &Tensor, place: Place) -> Result<Tensor> {
    floats_only(x, "elu_cpu")?;
    elu_of(["EluBackward0", "EluBackward1"]).run(place, x, SELU_ALPHA, &SELU)
}

/// celu as an elu.
fn celu_scalars(x: &Tensor, alpha: f64) -> Result<[Scalar; 3]> {
    if alpha == 0.0 {
        return Err(Error::runtime("ZeroDivisionError: alpha cannot be 0 for CELU"));
    }
    Ok([Scalar::Float(1.0), computed(x, "elu_cpu", alpha)?, computed(x, "elu_cpu", 1.0 / alpha)?])
}

/// x where x > 0, else α · (e^(x/α) − 1) (arXiv 1704.07483): `F.celu`. PyTorch's default for α is 1.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 2.0]);
/// assert!(F::celu_alpha(&x, 2.0).allclose(&torch::tensor([-0.78693867, 0.0, 2.0])));
/// ```
///
/// # Errors
/// When α is zero.
#[op(torch, functional, forms(celu() = (1.0), celu_alpha(alpha: f64) = (alpha)))]
pub fn celu(x: &Tensor, alpha: f64, place: Place) -> Result<Tensor> {
    elu_of(["CeluBackward0", "CeluBackward1"]).run(place, x, alpha, &celu_scalars(x, alpha)?)
}

/// x · tanh(ln(1 + eˣ))
pub(crate) static MISH: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x * x.exp().log1p().tanh()
    })
    // t + x·σ(x)·(1 − t²): derived step by step it would be ∞/∞ for large x.
    .with_gradient(|_, g, x, _| {
        let x = x[0];
        let t = x.exp().log1p().tanh();
        vec![g * (t + x * x.sigmoid() * (1.0 - t * t))]
    })
});

/// x · tanh(ln(1 + eˣ)) (arXiv 1908.08681): `F.mish`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 2.0]);
/// assert!(F::mish(&x).allclose(&torch::tensor([-0.30340144, 0.0, 1.943959])));
/// ```
#[op(functional)]
pub fn mish(x: &Tensor, place: Place) -> Result<Tensor> {
    floats_only(x, "mish_cpu")?;
    place.map("MishBackward0", &MISH, &[x], &[])
}

/// x / (1 + |x|), with the steps of PyTorch's division in the derivative, for its values at ±∞.
static SOFTSIGN: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x / (x.abs() + 1.0)
    })
    .with_gradient(|_, g, x, _| {
        let (x, d) = (x[0], x[0].abs() + 1.0);
        vec![g / d - g * ((x / d) / d) * x.sign()]
    })
});

/// x / (1 + |x|): `F.softsign`.
///
/// ```
/// use torch::nn::functional as F;
/// assert_eq!(F::softsign(&torch::tensor([-1.0, 0.0, 3.0])).to_vec::<f32>(), [-0.5, 0.0, 0.75]);
/// ```
#[op(functional)]
pub fn softsign(x: &Tensor) -> Result<Tensor> {
    if x.dtype() == DType::Bool {
        crate::ops::abs(x)?;
    }
    map("DivBackward0", &SOFTSIGN, &[x], &[])
}

/// x − tanh x, whose gradient is a difference, as of the two steps: zero and not −0 at zero.
static TANHSHRINK: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0) - b.input(0).tanh()).with_gradient(|_, g, x, _| {
        let t = x[0].tanh();
        vec![g - g * (1.0 - t * t)]
    })
});

/// x − tanh x: `F.tanhshrink`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 2.0]);
/// assert!(F::tanhshrink(&x).allclose(&torch::tensor([-0.23840584, 0.0, 1.0359724])));
/// ```
#[op(functional)]
pub fn tanhshrink(x: &Tensor) -> Result<Tensor> {
    check_sub(x, &0.5.into())?;
    map("SubBackward0", &TANHSHRINK, &[x], &[])
}

/// a · σ(b)
static GATE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1).sigmoid()));
/// The gradient for a: g · σ(b), of b and g.
static GATED: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).sigmoid() * b.input(1)));
/// The gradient for b: g · a · σ(b) · (1 − σ(b)), of a, b and g.
static GATING: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let s = b.input(1).sigmoid();
        (1.0 - s) * s * b.input(2) * b.input(0)
    })
});

/// a · σ(b), where a and b are the halves of `x` along `dim` (arXiv 1612.08083): `F.glu`. PyTorch's default for `dim` is −1.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([1.0, 2.0, 0.0, 0.0]);
/// assert_eq!(F::glu(&x).to_vec::<f32>(), [0.5, 1.0]);
/// ```
///
/// # Errors
/// When the dimension's length is odd, or of a tensor without dimensions.
#[op(functional, forms(glu() = (-1), glu_dim(dim: i64) = (dim)))]
pub fn glu(x: &Tensor, dim: i64) -> Result<Tensor> {
    if x.dim() == 0 {
        return Err(Error::runtime("glu does not support scalars because halving size must be even"));
    }
    let d = wrap_dim(dim, x.dim())?;
    let n = x.size()[d] as i64;
    if n % 2 != 0 {
        return Err(Error::runtime(format!("Halving dimension must be even, but dimension {d} is size {n}")));
    }
    floats_only(x, "glu_cpu")?;
    let d = d as i64;
    let halves =
        move |x: &Tensor| -> Result<[Tensor; 2]> { Ok([narrow(x, d, 0, n / 2)?, narrow(x, d, n / 2, n / 2)?]) };
    let [a, b] = halves(&x.detach())?;
    let out = map("GluBackward0", &GATE, &[&a, &b], &[])?;
    Ok(record("GluBackward0", &[x], &[Save::Tensor("self", x)], out.array().clone(), move |c| {
        let ([a, b], g) = (halves(&c.saved(0)?)?, c.grad(0)?);
        let of_a = map("MulBackward0", &GATED, &[&b, &g], &[])?;
        let of_b = map("MulBackward0", &GATING, &[&a, &b, &g], &[])?;
        Ok(smallvec![Some(cat(&[of_a, of_b], d)?)])
    }))
}

/// x where x > 0 or NaN, else slope · x
static SLOPED: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x.le(0.0).select(x * b.input(1), x)
    })
});

/// x where x > 0, else slope · x, the slope drawn from [lower, upper) for each such element while training, else their mean:
/// `F.rrelu`. Training draws from the device's generator: on the CPU one number per element that is not positive, elsewhere one
/// per element, as PyTorch does. PyTorch's default bounds are 1/8 and 1/3.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-4.0, 0.0, 2.0]);
/// assert_eq!(F::rrelu_with(&x, |o| o.lower(0.25).upper(0.75)).to_vec::<f32>(), [-2.0, 0.0, 2.0]);
/// ```
///
/// # Errors
/// When a bound is not finite, or `lower` is above `upper`.
#[op(torch, functional, default(lower = 1.0 / 8.0, upper = 1.0 / 3.0, training = false))]
pub fn rrelu(x: &Tensor, lower: f64, upper: f64, training: bool, place: Place) -> Result<Tensor> {
    for (name, bound) in [("lower", lower), ("upper", upper)] {
        if !bound.is_finite() {
            return Err(Error::runtime(format!("rrelu: {name} bound must be finite, got {}", cpp_double(bound))));
        }
    }
    if lower > upper {
        return Err(Error::runtime("Lower bound should be less than or equal to the upper bound"));
    }
    floats_only(x, if training { "rrelu_with_noise_out_cpu" } else { "leaky_relu_cpu" })?;
    let names = ["RreluWithNoiseBackward0", "RreluWithNoiseBackward1"];
    if !training {
        // A leaky_relu, whose slope a NaN has, too.
        let slope = (lower + upper) / 2.0;
        return leaky_relu_of(names).run(place, x, slope, &[Scalar::Float(slope)]);
    }
    if x.dtype() == DType::F16 && x.device().is_cpu() {
        let (op, dtype) = ("rrelu_with_noise_out_cpu", x.dtype());
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype }.into());
    }
    place.map(names[usize::from(place.is_first())], &SLOPED, &[x, &random_slopes(x, lower, upper)?], &[])
}

/// One number of [lower, upper) per element that is not positive, in row-major order; on a GPU one per element.
fn random_slopes(x: &Tensor, lower: f64, upper: f64) -> Result<Tensor> {
    if !x.device().is_cpu() {
        let drawn = crate::ops::create::copy::empty(&x.size(), x.dtype(), x.device())?.into();
        return crate::ops::random_in_place(&drawn, Distribution::Uniform { from: lower, to: upper }, None);
    }
    let data = x.array().to_dtype(DType::F64)?.to_vec::<f64>()?;
    let generator = default_generator(x.device())?;
    let slopes: Vec<f64> = {
        let state = &mut *generator.lock();
        data.iter().map(|&v| if v <= 0.0 { state.uniform_f64() * (upper - lower) + lower } else { 1.0 }).collect()
    };
    let slopes = Array::from_slice(x.array().backend(), x.device(), &slopes, &x.size())?;
    Ok(slopes.to_dtype(x.dtype())?.into())
}
