//! Initialisers that scale with the number of connections: Glorot's and He's.

use super::{normal_from_, uniform_from_};
use flambeau_autograd::arguments::Number;
use flambeau_autograd::{AsTensor, Setting, Tensor, options};
use flambeau_tensor::random::Generator;

/// Which number of connections keeps its scale: the inputs' in the forward pass, or the outputs' in the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanMode {
    /// `"fan_in"`.
    FanIn,
    /// `"fan_out"`.
    FanOut,
}

impl From<&str> for FanMode {
    #[track_caller]
    fn from(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "fan_in" => FanMode::FanIn,
            "fan_out" => FanMode::FanOut,
            other => panic!("Mode {other} not supported, please use one of ['fan_in', 'fan_out']"),
        }
    }
}

/// The function after a layer, which decides the gain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonlinearity {
    /// `"linear"`, and the names of convolutions.
    Linear,
    /// `"sigmoid"`.
    Sigmoid,
    /// `"tanh"`.
    Tanh,
    /// `"relu"`.
    ReLU,
    /// `"leaky_relu"`.
    LeakyReLU,
    /// `"selu"`.
    SELU,
}

impl From<&str> for Nonlinearity {
    #[track_caller]
    fn from(name: &str) -> Self {
        match name {
            "linear" | "conv1d" | "conv2d" | "conv3d" | "conv_transpose1d" | "conv_transpose2d"
            | "conv_transpose3d" => Nonlinearity::Linear,
            "sigmoid" => Nonlinearity::Sigmoid,
            "tanh" => Nonlinearity::Tanh,
            "relu" => Nonlinearity::ReLU,
            "leaky_relu" => Nonlinearity::LeakyReLU,
            "selu" => Nonlinearity::SELU,
            other => panic!("Unsupported nonlinearity {other}"),
        }
    }
}

options! {
    /// Options of [`calculate_gain_with`].
    GainOptions {
        /// The slope of leaky ReLU (0.01).
        param: Option<f64> = None,
    }
}

/// The factor that keeps the scale through a function: 1 for linear and sigmoid, 5/3 for tanh, √2 for ReLU,
/// √(2 / (1 + slope²)) for leaky ReLU with a slope of 0.01, 3/4 for SELU: `init.calculate_gain(nonlinearity)`.
///
/// # Panics
/// When the name is unknown.
#[track_caller]
pub fn calculate_gain(nonlinearity: impl Into<Nonlinearity>) -> f64 {
    calculate_gain_with(nonlinearity, |o| o)
}

/// [`calculate_gain`] with options: `param`, the slope of leaky ReLU (0.01).
///
/// ```
/// use flambeau_nn::init;
/// assert_eq!(init::calculate_gain("relu"), 2f64.sqrt());
/// assert_eq!(init::calculate_gain_with("leaky_relu", |o| o.param(1)), 1.0);
/// ```
///
/// # Panics
/// When the name is unknown.
#[track_caller]
pub fn calculate_gain_with(
    nonlinearity: impl Into<Nonlinearity>,
    options: impl FnOnce(GainOptions) -> GainOptions,
) -> f64 {
    let param = options(GainOptions::default()).param;
    match nonlinearity.into() {
        Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::ReLU => 2f64.sqrt(),
        Nonlinearity::LeakyReLU => {
            let slope = param.unwrap_or(0.01);
            (2.0 / (1.0 + slope * slope)).sqrt()
        }
        Nonlinearity::SELU => 3.0 / 4.0,
    }
}

/// Options of the scaled initialisers, set as in `kaiming_normal_with_(&w, |o| o.mode("fan_out").nonlinearity("relu"))`.
#[derive(Clone)]
pub struct ScaledOptions {
    gain: f64,
    a: f64,
    mode: FanMode,
    nonlinearity: Nonlinearity,
    generator: Option<Generator>,
}

impl Default for ScaledOptions {
    fn default() -> Self {
        ScaledOptions {
            gain: 1.0,
            a: 0.0,
            mode: FanMode::FanIn,
            nonlinearity: Nonlinearity::LeakyReLU,
            generator: None,
        }
    }
}

impl ScaledOptions {
    /// Xavier's factor (1).
    pub fn gain(mut self, gain: impl Number) -> Self {
        self.gain = gain.to_f64();
        self
    }

    /// Kaiming's slope of the leaky ReLU that follows (0).
    pub fn a(mut self, a: impl Number) -> Self {
        self.a = a.to_f64();
        self
    }

    /// Kaiming's choice of connections (`"fan_in"`).
    #[track_caller]
    pub fn mode(mut self, mode: impl Into<FanMode>) -> Self {
        self.mode = mode.into();
        self
    }

    /// Kaiming's function that follows (`"leaky_relu"`).
    #[track_caller]
    pub fn nonlinearity(mut self, nonlinearity: impl Into<Nonlinearity>) -> Self {
        self.nonlinearity = nonlinearity.into();
        self
    }

    /// Where the numbers come from (the default generator).
    pub fn generator(mut self, generator: impl Setting<Option<Generator>>) -> Self {
        self.generator = generator.setting();
        self
    }

    /// √(2 / (fan_in + fan_out)) times the gain.
    #[track_caller]
    fn xavier_std(&self, x: &Tensor) -> f64 {
        let (fan_in, fan_out) = fans(x);
        self.gain * (2.0 / (fan_in + fan_out) as f64).sqrt()
    }

    /// The function's gain over √fan.
    #[track_caller]
    fn kaiming_std(&self, x: &Tensor) -> f64 {
        let (fan_in, fan_out) = fans(x);
        let fan = if self.mode == FanMode::FanIn { fan_in } else { fan_out };
        calculate_gain_with(self.nonlinearity, |o| o.param(self.a)) / (fan as f64).sqrt()
    }
}

/// A weight's connections to one output and to one input.
#[track_caller]
pub(crate) fn fans(x: &Tensor) -> (usize, usize) {
    let size = x.size();
    assert!(x.dim() >= 2, "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
    let field: usize = size[2..].iter().product();
    (size[1] * field, size[0] * field)
}

/// Uniform over ±√3 · std, in PyTorch's order of operations.
#[track_caller]
fn uniform(x: &Tensor, std: f64, options: &ScaledOptions) -> Tensor {
    let bound = 3f64.sqrt() * std;
    uniform_from_(x, -bound, bound, options.generator.as_ref())
}

/// Glorot's uniform: ±√(6 / (fan_in + fan_out)): `init.xavier_uniform_`.
///
/// # Panics
/// When the tensor has fewer than two dimensions.
#[track_caller]
pub fn xavier_uniform_(x: impl AsTensor) -> Tensor {
    let x = x.as_tensor();
    xavier_uniform_with_(x, |o| o)
}

/// [`xavier_uniform_`] with options: `gain`, `generator`.
#[track_caller]
pub fn xavier_uniform_with_(x: impl AsTensor, options: impl FnOnce(ScaledOptions) -> ScaledOptions) -> Tensor {
    let x = x.as_tensor();
    let options = options(ScaledOptions::default());
    uniform(x, options.xavier_std(x), &options)
}

/// Glorot's normal, of standard deviation √(2 / (fan_in + fan_out)): `init.xavier_normal_`.
///
/// # Panics
/// When the tensor has fewer than two dimensions.
#[track_caller]
pub fn xavier_normal_(x: impl AsTensor) -> Tensor {
    let x = x.as_tensor();
    xavier_normal_with_(x, |o| o)
}

/// [`xavier_normal_`] with options: `gain`, `generator`.
#[track_caller]
pub fn xavier_normal_with_(x: impl AsTensor, options: impl FnOnce(ScaledOptions) -> ScaledOptions) -> Tensor {
    let x = x.as_tensor();
    let options = options(ScaledOptions::default());
    normal_from_(x, 0.0, options.xavier_std(x), options.generator.as_ref())
}

/// He's uniform: ±gain · √(3 / fan): `init.kaiming_uniform_`.
///
/// # Panics
/// When the tensor has fewer than two dimensions.
#[track_caller]
pub fn kaiming_uniform_(x: impl AsTensor) -> Tensor {
    let x = x.as_tensor();
    kaiming_uniform_with_(x, |o| o)
}

/// [`kaiming_uniform_`] with options: `a`, `mode`, `nonlinearity`, `generator`.
#[track_caller]
pub fn kaiming_uniform_with_(x: impl AsTensor, options: impl FnOnce(ScaledOptions) -> ScaledOptions) -> Tensor {
    let x = x.as_tensor();
    if x.numel() == 0 {
        return x.shallow_clone();
    }
    let options = options(ScaledOptions::default());
    uniform(x, options.kaiming_std(x), &options)
}

/// He's normal, of standard deviation gain / √fan: `init.kaiming_normal_`.
///
/// # Panics
/// When the tensor has fewer than two dimensions.
#[track_caller]
pub fn kaiming_normal_(x: impl AsTensor) -> Tensor {
    let x = x.as_tensor();
    kaiming_normal_with_(x, |o| o)
}

/// [`kaiming_normal_`] with options: `a`, `mode`, `nonlinearity`, `generator`.
#[track_caller]
pub fn kaiming_normal_with_(x: impl AsTensor, options: impl FnOnce(ScaledOptions) -> ScaledOptions) -> Tensor {
    let x = x.as_tensor();
    if x.numel() == 0 {
        return x.shallow_clone();
    }
    let options = options(ScaledOptions::default());
    normal_from_(x, 0.0, options.kaiming_std(x), options.generator.as_ref())
}
