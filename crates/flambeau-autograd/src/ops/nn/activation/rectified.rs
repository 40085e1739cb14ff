//! Activations: one program each.

use crate::Tensor;
use crate::error::Result;
use crate::ops::nn::activation::hard::{computed, floats_only};
use crate::ops::{map, map_};
use flambeau_tensor::Scalar;
use flambeau_tensor::pointwise::Pointwise;
use std::sync::LazyLock;

pub(crate) static LEAKY_RELU: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x.gt(0.0).select(x, x * b.scalar(0))
    })
});

/// x where x > 0, else slope · x: `F.leaky_relu`.
pub fn leaky_relu(x: &Tensor, negative_slope: f64) -> Result<Tensor> {
    map("LeakyReluBackward0", &LEAKY_RELU, &[x], &[computed(x, "leaky_relu_cpu", negative_slope)?])
}

/// [`leaky_relu`] in place.
#[track_caller]
pub fn leaky_relu_(x: &Tensor, negative_slope: f64) -> Result<Tensor> {
    map_("LeakyReluBackward1", &LEAKY_RELU, &[x], &[computed(x, "leaky_relu_cpu", negative_slope)?])
}

/// x/2 · (1 + erf(x/√2))
static GELU: LazyLock<Pointwise> = LazyLock::new(|| {
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

/// The Gaussian error linear unit x · Φ(x) (arXiv 1606.08415), with tanh for Φ where `tanh`: `F.gelu`.
pub fn gelu(x: &Tensor, tanh: bool) -> Result<Tensor> {
    floats_only(x, "GeluKernelImpl")?;
    map("GeluBackward0", if tanh { &GELU_TANH } else { &GELU }, &[x], &[])
}

static SILU: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        x * x.sigmoid()
    })
    .with_gradient(|_, g, x, _| {
        let (x, s) = (x[0], x[0].sigmoid());
        vec![g * s * (x * (1.0 - s) + 1.0)]
    })
});

/// x · σ(x): `F.silu`.
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

/// x where x > 0, else α · (eˣ − 1): `F.elu`.
pub fn elu(x: &Tensor, alpha: f64) -> Result<Tensor> {
    let alpha = computed(x, "elu_cpu", alpha)?;
    map("EluBackward0", &ELU, &[x], &[Scalar::Float(1.0), alpha, Scalar::Float(1.0)])
}

/// 1/β · ln(1 + e^(βx)), and x itself where βx is above the threshold.
static SOFTPLUS: LazyLock<Pointwise> = LazyLock::new(|| {
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

/// 1/β · ln(1 + e^(βx)), linear where βx > threshold: `F.softplus`.
pub fn softplus(x: &Tensor, beta: f64, threshold: f64) -> Result<Tensor> {
    let scalars = [computed(x, "softplus_cpu", beta)?, computed(x, "softplus_cpu", threshold)?];
    map("SoftplusBackward0", &SOFTPLUS, &[x], &scalars)
}
