//! Activations: one program each.

use crate::Tensor;
use crate::error::Result;
use crate::ops::nn::activation::hard::{computed, floats_only};
use crate::ops::{Place, map};
use flambeau_macros::op;
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Pointwise;
use std::sync::LazyLock;

pub(crate) static LEAKY_RELU: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x.gt(0.0).select(x, x * b.scalar(0))
    })
});

/// x where x > 0, else `negative_slope` · x: `F.leaky_relu`. The slope of `leaky_relu` is 0.01, `leaky_relu_slope` takes one.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-4.0, 0.0, 2.0]);
/// assert_eq!(F::leaky_relu_slope(&x, 0.25).to_vec::<f32>(), [-1.0, 0.0, 2.0]);
/// ```
#[op(functional, forms(leaky_relu() = (0.01), leaky_relu_slope(negative_slope: f64) = (negative_slope)), default(negative_slope = 0.01))]
pub fn leaky_relu(x: &Tensor, negative_slope: f64, place: Place) -> Result<Tensor> {
    let name = if place.is_first() { "LeakyReluBackward1" } else { "LeakyReluBackward0" };
    place.map(name, &LEAKY_RELU, &[x], &[computed(x, "leaky_relu_cpu", negative_slope)?])
}

/// x/2 · (1 + erf(x/√2))
pub(crate) static GELU: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x * 0.5 * ((x * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0)
    })
});

/// x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
static GELU_TANH: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        let inner = (x + x * x * x * 0.044715) * (std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
        x * 0.5 * (inner.tanh() + 1.0)
    })
});

/// The Gaussian error linear unit x · Φ(x) (arXiv 1606.08415), Φ the normal distribution's function: `F.gelu`. `gelu_tanh`
/// is PyTorch's `approximate="tanh"`: Φ(x) ≈ (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 2.0]);
/// assert!(F::gelu(&x).allclose(&torch::tensor([-0.15865526, 0.0, 1.9544997])));
/// assert!(F::gelu_tanh(&x).allclose(&torch::tensor([-0.15880799, 0.0, 1.9545977])));
/// ```
#[op(functional, forms(gelu() = (false), gelu_tanh() = (true)))]
pub fn gelu(x: &Tensor, tanh: bool) -> Result<Tensor> {
    floats_only(x, "GeluKernelImpl")?;
    map("GeluBackward0", if tanh { &GELU_TANH } else { &GELU }, &[x], &[])
}

pub(crate) static SILU: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x * x.sigmoid()
    })
    .with_gradient(|_, g, x, _| {
        let (x, s) = (x[0], x[0].sigmoid());
        vec![g * s * (x * (1.0 - s) + 1.0)]
    })
});

/// x · σ(x), σ the sigmoid: `F.silu`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 2.0]);
/// assert!(F::silu(&x).allclose(&torch::tensor([-0.26894143, 0.0, 1.7615942])));
/// ```
#[op(functional)]
pub fn silu(x: &Tensor) -> Result<Tensor> {
    floats_only(x, "silu_cpu")?;
    map("SiluBackward0", &SILU, &[x], &[])
}

/// s₀ · x where x is not negative, else s₁ · (e^(s₂·x) − 1): what elu, selu and celu are made of. At zero the gradient is that of
/// the exponential.
pub(crate) static ELU: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, positive, negative, inner) = (b.input(0), b.scalar(0), b.scalar(1), b.scalar(2));
        x.lt(0.0).select((x * inner).expm1() * negative, x * positive)
    })
    .with_gradient(|b, g, x, _| {
        let (x, positive, negative, inner) = (x[0], b.scalar(0), b.scalar(1), b.scalar(2));
        vec![x.gt(0.0).select(g * positive, g * (inner * negative) * (x * inner).exp())]
    })
});

/// x where x > 0, else α · (eˣ − 1): `F.elu`. PyTorch's default for α is 1.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 2.0]);
/// assert!(F::elu(&x, 1.0).allclose(&torch::tensor([-0.63212055, 0.0, 2.0])));
/// ```
#[op(functional, default(alpha = 1.0))]
pub fn elu(x: &Tensor, alpha: f64, place: Place) -> Result<Tensor> {
    let alpha = computed(x, "elu_cpu", alpha)?;
    let name = if place.is_first() { "EluBackward1" } else { "EluBackward0" };
    place.map(name, &ELU, &[x], &[Scalar::Float(1.0), alpha, Scalar::Float(1.0)])
}

/// 1/β · ln(1 + e^(βx)), and x itself where βx is above the threshold.
pub(crate) static SOFTPLUS: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, beta, threshold) = (b.input(0), b.scalar(0), b.scalar(1));
        (x * beta).gt(threshold).select(x, (x * beta).exp().log1p() / beta)
    })
    // The derivative in tangent form, e/(1 + e), is inf/inf for large x: a sigmoid is the same and is not.
    .with_gradient(|b, g, x, _| {
        let (x, beta, threshold) = (x[0], b.scalar(0), b.scalar(1));
        vec![(x * beta).gt(threshold).select(g, g * (x * beta).sigmoid())]
    })
});

/// 1/β · ln(1 + e^(βx)), and x itself where βx > `threshold`: `F.softplus`. Without arguments β is 1 and the threshold 20;
/// `softplus_beta` takes both.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 30.0]);
/// assert!(F::softplus(&x).allclose(&torch::tensor([0.3132617, 0.6931472, 30.0])));
/// ```
#[op(functional, cast = Float32, forms(
    softplus() = (1.0, 20.0),
    softplus_beta(beta: f64, threshold: f64) = (beta, threshold),
))]
pub fn softplus(x: &Tensor, beta: f64, threshold: f64) -> Result<Tensor> {
    let scalars = [computed(x, "softplus_cpu", beta)?, computed(x, "softplus_cpu", threshold)?];
    map("SoftplusBackward0", &SOFTPLUS, &[x], &scalars)
}
