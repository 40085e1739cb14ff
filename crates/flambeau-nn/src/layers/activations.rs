//! Activations: one function each.

use super::{Activation, ActivationFunction, py_number};
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_tensor::Scalar;

/// `, inplace=True`, or nothing.
fn in_place_suffix(inplace: bool) -> &'static str {
    if inplace { ", inplace=True" } else { "" }
}

options! {
    /// Options of [`ReLU`].
    ReLUOptions {
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }
}

/// max(0, x): `nn.ReLU(inplace)`.
pub type ReLU = Activation<ReLUOptions>;

impl ActivationFunction for ReLUOptions {
    const NAME: &'static str = "ReLU";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        if self.inplace { ops::relu_(x) } else { ops::relu(x) }.or_panic()
    }
    fn extra_repr(&self) -> String {
        if self.inplace { "inplace=True".to_owned() } else { String::new() }
    }
}

options! {
    /// The function of [`ReLU6`].
    ReLU6Options {}
}

/// x kept between 0 and 6: `nn.ReLU6()`.
pub type ReLU6 = Activation<ReLU6Options>;

impl ActivationFunction for ReLU6Options {
    const NAME: &'static str = "ReLU6";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::relu6(x).or_panic()
    }
}

options! {
    /// Options of [`Hardtanh`].
    HardtanhOptions {
        /// The lower bound (−1.0).
        min_val: Scalar = Scalar::Float(-1.0),
        /// The upper bound (1.0).
        max_val: Scalar = Scalar::Float(1.0),
    }
}

/// x kept between two numbers; the gradient is 0 at the bounds: `nn.Hardtanh(min_val, max_val)`.
pub type Hardtanh = Activation<HardtanhOptions>;

impl ActivationFunction for HardtanhOptions {
    const NAME: &'static str = "Hardtanh";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::hardtanh(x, self.min_val.to_f64(), self.max_val.to_f64()).or_panic()
    }
    fn extra_repr(&self) -> String {
        format!("min_val={}, max_val={}", py_number(self.min_val), py_number(self.max_val))
    }
}

options! {
    /// The function of [`Sigmoid`].
    SigmoidOptions {}
}

/// 1 / (1 + e⁻ˣ): `nn.Sigmoid()`.
pub type Sigmoid = Activation<SigmoidOptions>;

impl ActivationFunction for SigmoidOptions {
    const NAME: &'static str = "Sigmoid";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::sigmoid(x).or_panic()
    }
}

options! {
    /// The function of [`Tanh`].
    TanhOptions {}
}

/// tanh x: `nn.Tanh()`.
pub type Tanh = Activation<TanhOptions>;

impl ActivationFunction for TanhOptions {
    const NAME: &'static str = "Tanh";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::tanh(x).or_panic()
    }
}

options! {
    /// Options of [`LeakyReLU`].
    LeakyReLUOptions {
        /// The slope (0.01).
        negative_slope: Scalar = Scalar::Float(0.01),
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }
}

/// x where it is positive, else slope · x: `nn.LeakyReLU(negative_slope, inplace)`.
pub type LeakyReLU = Activation<LeakyReLUOptions>;

impl ActivationFunction for LeakyReLUOptions {
    const NAME: &'static str = "LeakyReLU";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        if self.inplace {
            ops::leaky_relu_(x, self.negative_slope.to_f64())
        } else {
            ops::leaky_relu(x, self.negative_slope.to_f64())
        }
        .or_panic()
    }
    fn extra_repr(&self) -> String {
        format!("negative_slope={}{}", py_number(self.negative_slope), in_place_suffix(self.inplace))
    }
}

options! {
    /// Options of [`ELU`].
    ELUOptions {
        /// α (1.0).
        alpha: Scalar = Scalar::Float(1.0),
    }
}

/// x where it is positive, else α · (eˣ − 1): `nn.ELU(alpha)`.
pub type ELU = Activation<ELUOptions>;

impl ActivationFunction for ELUOptions {
    const NAME: &'static str = "ELU";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::elu(x, self.alpha.to_f64()).or_panic()
    }
    fn extra_repr(&self) -> String {
        format!("alpha={}", py_number(self.alpha))
    }
}

options! {
    /// The function of [`SELU`].
    SELUOptions {}
}

/// scaled ELU with the constants of self-normalising networks: `nn.SELU()`.
pub type SELU = Activation<SELUOptions>;

impl ActivationFunction for SELUOptions {
    const NAME: &'static str = "SELU";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::selu(x).or_panic()
    }
}

options! {
    /// Options of [`CELU`].
    CELUOptions {
        /// α (1.0).
        alpha: Scalar = Scalar::Float(1.0),
    }
}

/// max(0, x) + min(0, α · (exp(x/α) − 1)): `nn.CELU(alpha)`.
pub type CELU = Activation<CELUOptions>;

impl ActivationFunction for CELUOptions {
    const NAME: &'static str = "CELU";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::celu(x, self.alpha.to_f64()).or_panic()
    }
    fn extra_repr(&self) -> String {
        format!("alpha={}", py_number(self.alpha))
    }
}

options! {
    /// The function of [`SiLU`].
    SiLUOptions {}
}

/// x · sigmoid(x): `nn.SiLU()`.
pub type SiLU = Activation<SiLUOptions>;

impl ActivationFunction for SiLUOptions {
    const NAME: &'static str = "SiLU";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::silu(x).or_panic()
    }
}

options! {
    /// The function of [`Mish`].
    MishOptions {}
}

/// x · tanh(softplus(x)): `nn.Mish()`.
pub type Mish = Activation<MishOptions>;

impl ActivationFunction for MishOptions {
    const NAME: &'static str = "Mish";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::mish(x).or_panic()
    }
}

options! {
    /// Options of [`Softplus`].
    SoftplusOptions {
        /// β (1.0).
        beta: Scalar = Scalar::Float(1.0),
        /// Where βx is above this, the result is x (20.0).
        threshold: Scalar = Scalar::Float(20.0),
    }
}

/// 1/β · ln(1 + e^(βx)): `nn.Softplus(beta, threshold)`.
pub type Softplus = Activation<SoftplusOptions>;

impl ActivationFunction for SoftplusOptions {
    const NAME: &'static str = "Softplus";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::softplus(x, self.beta.to_f64(), self.threshold.to_f64()).or_panic()
    }
    fn extra_repr(&self) -> String {
        format!("beta={}, threshold={}", py_number(self.beta), py_number(self.threshold))
    }
}

options! {
    /// The function of [`Softsign`].
    SoftsignOptions {}
}

/// x / (1 + |x|): `nn.Softsign()`.
pub type Softsign = Activation<SoftsignOptions>;

impl ActivationFunction for SoftsignOptions {
    const NAME: &'static str = "Softsign";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::softsign(x).or_panic()
    }
}

options! {
    /// The function of [`Tanhshrink`].
    TanhshrinkOptions {}
}

/// x − tanh x: `nn.Tanhshrink()`.
pub type Tanhshrink = Activation<TanhshrinkOptions>;

impl ActivationFunction for TanhshrinkOptions {
    const NAME: &'static str = "Tanhshrink";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::tanhshrink(x).or_panic()
    }
}

options! {
    /// Options of [`Softshrink`].
    SoftshrinkOptions {
        /// λ (0.5).
        lambd: Scalar = Scalar::Float(0.5),
    }
}

/// x moved by λ towards 0, 0 within ±λ: `nn.Softshrink(lambd)`.
pub type Softshrink = Activation<SoftshrinkOptions>;

impl ActivationFunction for SoftshrinkOptions {
    const NAME: &'static str = "Softshrink";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::softshrink(x, self.lambd.to_f64()).or_panic()
    }
    fn extra_repr(&self) -> String {
        py_number(self.lambd)
    }
}

options! {
    /// Options of [`Hardshrink`].
    HardshrinkOptions {
        /// λ (0.5).
        lambd: Scalar = Scalar::Float(0.5),
    }
}

/// x, 0 within ±λ: `nn.Hardshrink(lambd)`.
pub type Hardshrink = Activation<HardshrinkOptions>;

impl ActivationFunction for HardshrinkOptions {
    const NAME: &'static str = "Hardshrink";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::hardshrink(x, self.lambd.to_f64()).or_panic()
    }
    fn extra_repr(&self) -> String {
        py_number(self.lambd)
    }
}

options! {
    /// The function of [`Hardsigmoid`].
    HardsigmoidOptions {}
}

/// relu6(x + 3) / 6: `nn.Hardsigmoid()`.
pub type Hardsigmoid = Activation<HardsigmoidOptions>;

impl ActivationFunction for HardsigmoidOptions {
    const NAME: &'static str = "Hardsigmoid";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::hardsigmoid(x).or_panic()
    }
}

options! {
    /// The function of [`Hardswish`].
    HardswishOptions {}
}

/// x · relu6(x + 3) / 6: `nn.Hardswish()`.
pub type Hardswish = Activation<HardswishOptions>;

impl ActivationFunction for HardswishOptions {
    const NAME: &'static str = "Hardswish";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::hardswish(x).or_panic()
    }
}

options! {
    /// The function of [`LogSigmoid`].
    LogSigmoidOptions {}
}

/// ln sigmoid(x): `nn.LogSigmoid()`.
pub type LogSigmoid = Activation<LogSigmoidOptions>;

impl ActivationFunction for LogSigmoidOptions {
    const NAME: &'static str = "LogSigmoid";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::logsigmoid(x).or_panic()
    }
}

options! {
    /// Options of [`Threshold`].
    ThresholdOptions {
        /// The threshold; PyTorch has no default (0).
        threshold: Scalar = Scalar::Float(0.0),
        /// The value below; PyTorch has no default (0).
        value: Scalar = Scalar::Float(0.0),
    }
}

/// x where it is above a threshold, else a value: `nn.Threshold(threshold, value)`.
pub type Threshold = Activation<ThresholdOptions>;

impl ActivationFunction for ThresholdOptions {
    const NAME: &'static str = "Threshold";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::threshold(x, self.threshold.to_f64(), self.value.to_f64()).or_panic()
    }
    fn extra_repr(&self) -> String {
        format!("threshold={}, value={}", py_number(self.threshold), py_number(self.value))
    }
}

options! {
    /// Options of [`GLU`].
    GLUOptions {
        /// The dimension that is halved (−1).
        dim: i64 = -1,
    }
}

/// The first half of a dimension times the sigmoid of the second: `nn.GLU(dim)`.
pub type GLU = Activation<GLUOptions>;

impl ActivationFunction for GLUOptions {
    const NAME: &'static str = "GLU";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::glu(x, self.dim).or_panic()
    }
    fn extra_repr(&self) -> String {
        format!("dim={}", self.dim)
    }
}
