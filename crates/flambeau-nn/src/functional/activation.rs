//! Activations and softmax.

use flambeau_autograd::ops;
use flambeau_autograd::{OrPanic, Tensor};
use flambeau_tensor::{DType, Scalar};

/// max(x, 0): `F.relu`.
#[track_caller]
pub fn relu(input: &Tensor) -> Tensor {
    ops::relu(input).or_panic()
}

/// x kept between 0 and 6: `F.relu6`.
#[track_caller]
pub fn relu6(input: &Tensor) -> Tensor {
    ops::relu6(input).or_panic()
}

/// 1 / (1 + e⁻ˣ): `F.sigmoid`.
#[track_caller]
pub fn sigmoid(input: &Tensor) -> Tensor {
    ops::sigmoid(input).or_panic()
}

/// tanh x: `F.tanh`.
#[track_caller]
pub fn tanh(input: &Tensor) -> Tensor {
    ops::tanh(input).or_panic()
}

/// x · σ(x): `F.silu`.
#[track_caller]
pub fn silu(input: &Tensor) -> Tensor {
    ops::silu(input).or_panic()
}

/// x · tanh(ln(1 + eˣ)): `F.mish`.
#[track_caller]
pub fn mish(input: &Tensor) -> Tensor {
    ops::mish(input).or_panic()
}

/// The self-normalising exponential linear unit: `F.selu`.
#[track_caller]
pub fn selu(input: &Tensor) -> Tensor {
    ops::selu(input).or_panic()
}

/// x / (1 + |x|): `F.softsign`.
#[track_caller]
pub fn softsign(input: &Tensor) -> Tensor {
    ops::softsign(input).or_panic()
}

/// x − tanh x: `F.tanhshrink`.
#[track_caller]
pub fn tanhshrink(input: &Tensor) -> Tensor {
    ops::tanhshrink(input).or_panic()
}

/// x/6 + ½ kept between 0 and 1: `F.hardsigmoid`.
#[track_caller]
pub fn hardsigmoid(input: &Tensor) -> Tensor {
    ops::hardsigmoid(input).or_panic()
}

/// x · hardsigmoid(x): `F.hardswish`.
#[track_caller]
pub fn hardswish(input: &Tensor) -> Tensor {
    ops::hardswish(input).or_panic()
}

/// ln σ(x), which does not overflow: `F.logsigmoid`.
#[track_caller]
pub fn logsigmoid(input: &Tensor) -> Tensor {
    ops::logsigmoid(input).or_panic()
}

/// max(x, 0), in place: `F.relu_`.
#[track_caller]
pub fn relu_(input: &Tensor) -> Tensor {
    ops::relu_(input).or_panic()
}

/// x where x > 0, else 0.01 · x: `F.leaky_relu`.
#[track_caller]
pub fn leaky_relu(input: &Tensor) -> Tensor {
    leaky_relu_slope(input, 0.01)
}

/// x where x > 0, else slope · x: `F.leaky_relu(x, negative_slope)`.
#[track_caller]
pub fn leaky_relu_slope(input: &Tensor, negative_slope: f64) -> Tensor {
    ops::leaky_relu(input, negative_slope).or_panic()
}

/// x where x > 0, else the weight (one, or one per channel) times x: `F.prelu`.
#[track_caller]
pub fn prelu(input: &Tensor, weight: &Tensor) -> Tensor {
    ops::prelu(input, weight).or_panic()
}

/// x · Φ(x), with the normal distribution's Φ: `F.gelu`.
#[track_caller]
pub fn gelu(input: &Tensor) -> Tensor {
    ops::gelu(input, false).or_panic()
}

/// [`gelu`] by its approximation with tanh: `F.gelu(x, approximate="tanh")`.
#[track_caller]
pub fn gelu_tanh(input: &Tensor) -> Tensor {
    ops::gelu(input, true).or_panic()
}

/// x where x > 0, else α · (eˣ − 1): `F.elu(x, alpha)`. PyTorch's default is 1.
#[track_caller]
pub fn elu(input: &Tensor, alpha: f64) -> Tensor {
    ops::elu(input, alpha).or_panic()
}

/// max(x, 0) + min(α · (e^(x/α) − 1), 0): `F.celu(x, alpha)`. PyTorch's default is 1.
#[track_caller]
pub fn celu(input: &Tensor, alpha: f64) -> Tensor {
    ops::celu(input, alpha).or_panic()
}

/// ln(1 + eˣ): `F.softplus`.
#[track_caller]
pub fn softplus(input: &Tensor) -> Tensor {
    softplus_beta(input, 1.0, 20.0)
}

/// 1/β · ln(1 + e^(βx)), linear where βx > threshold: `F.softplus(x, beta, threshold)`.
#[track_caller]
pub fn softplus_beta(input: &Tensor, beta: f64, threshold: f64) -> Tensor {
    ops::softplus(input, beta, threshold).or_panic()
}

/// x kept between two bounds: `F.hardtanh(x, min_val, max_val)`. PyTorch's defaults are −1 and 1.
#[track_caller]
pub fn hardtanh(input: &Tensor, min_val: f64, max_val: f64) -> Tensor {
    ops::hardtanh(input, min_val, max_val).or_panic()
}

/// x where |x| > λ, else 0: `F.hardshrink(x, lambd)`. PyTorch's default is ½.
#[track_caller]
pub fn hardshrink(input: &Tensor, lambd: f64) -> Tensor {
    ops::hardshrink(input, lambd).or_panic()
}

/// x moved by λ towards 0, which it does not cross: `F.softshrink(x, lambd)`. PyTorch's default is ½.
#[track_caller]
pub fn softshrink(input: &Tensor, lambd: f64) -> Tensor {
    ops::softshrink(input, lambd).or_panic()
}

/// x where x > threshold, else a value: `F.threshold(x, threshold, value)`.
#[track_caller]
pub fn threshold(input: &Tensor, threshold: impl Into<Scalar>, value: impl Into<Scalar>) -> Tensor {
    ops::threshold(input, threshold, value).or_panic()
}

/// The first half of a dimension times σ of the second: `F.glu(x, dim)`. PyTorch's default is −1.
#[track_caller]
pub fn glu(input: &Tensor, dim: i64) -> Tensor {
    ops::glu(input, dim).or_panic()
}

/// eˣ / Σ eˣ along a dimension: `F.softmax(x, dim)`.
#[track_caller]
pub fn softmax(input: &Tensor, dim: i64) -> Tensor {
    ops::softmax(input, dim, None).or_panic()
}

/// [`softmax`] in another dtype: `F.softmax(x, dim, dtype=dtype)`.
#[track_caller]
pub fn softmax_dtype(input: &Tensor, dim: i64, dtype: DType) -> Tensor {
    ops::softmax(input, dim, Some(dtype)).or_panic()
}

/// The logarithm of softmax, which does not overflow: `F.log_softmax(x, dim)`.
#[track_caller]
pub fn log_softmax(input: &Tensor, dim: i64) -> Tensor {
    ops::log_softmax(input, dim, None).or_panic()
}

/// [`log_softmax`] in another dtype: `F.log_softmax(x, dim, dtype=dtype)`.
#[track_caller]
pub fn log_softmax_dtype(input: &Tensor, dim: i64, dtype: DType) -> Tensor {
    ops::log_softmax(input, dim, Some(dtype)).or_panic()
}

/// softmax of −x: `F.softmin(x, dim)`.
#[track_caller]
pub fn softmin(input: &Tensor, dim: i64) -> Tensor {
    ops::softmin(input, dim, None).or_panic()
}
