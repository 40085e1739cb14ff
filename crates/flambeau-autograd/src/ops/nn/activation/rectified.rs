//! Activations: one program each.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::Save;
use crate::ops::nn::activation::hard::{computed, floats_only};
use crate::ops::{Place, map};
use crate::views;
use flambeau_macros::op;
use flambeau_tensor::Scalar;
use flambeau_tensor::ops::pointwise_into;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use std::sync::LazyLock;

/// An activation whose in-place form keeps the result for its backward, as PyTorch's do. That tells the input's sign only while
/// the slope below zero is not negative; with another the backward is refused.
pub(crate) struct ByResult {
    /// Out of place: the backward's name, and the program.
    pub new: (&'static str, &'static Pointwise),
    /// In place.
    pub in_place: (&'static str, &'static Pointwise),
    /// The function, in the words of the refusal.
    pub kernel: &'static str,
    /// What PyTorch adds to them.
    pub plea: &'static str,
}

impl ByResult {
    /// Runs it. `slope` is what must not be negative in place.
    #[track_caller]
    pub fn run(&self, place: Place, x: &Tensor, slope: f64, scalars: &[Scalar]) -> Result<Tensor> {
        let (name, program) = self.in_place;
        match place {
            Place::New => map(self.new.0, self.new.1, &[x], scalars),
            Place::First if slope >= 0.0 => place.map(name, program, &[x], scalars),
            Place::First => {
                let words = format!(
                    "In-place {} backward calculation is triggered with a negative slope which is not supported. This is \
                     caused by calling in-place forward function with a negative slope, please call out-of-place version \
                     instead.{}",
                    self.kernel, self.plea
                );
                let write = || Ok(pointwise_into(program, &[&x.array()], scalars, &[&x.array()])?);
                views::in_place(name, x, &[], &[Save::Output("result", 0)], write, move |c| {
                    c.unchanged(0)?;
                    Err(Error::runtime(words.as_str()))
                })?;
                Ok(x.shallow_clone())
            }
        }
    }
}

/// x where x > 0, else s₀ · x, or the gradient for x, of x or of the result.
fn leaky<'b>(x: Expr<'b>, of: Expr<'b>, slope: Expr<'b>) -> Expr<'b> {
    x.gt(0.0).select(of, of * slope)
}

pub(crate) static LEAKY: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| leaky(b.input(0), b.input(0), b.scalar(0))));
static LEAKY_IN_PLACE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| leaky(b.input(0), b.input(0), b.scalar(0)))
        .with_gradient(|b, g, _, y| vec![leaky(y[0], g, b.scalar(0))])
});

/// A leaky rectifier; the backwards have these names.
pub(crate) fn leaky_relu_of(names: [&'static str; 2]) -> ByResult {
    ByResult {
        new: (names[0], &LEAKY),
        in_place: (names[1], &LEAKY_IN_PLACE),
        kernel: "leakyReLu",
        plea: " File an issue at https://github.com/pytorch/pytorch if you do require supporting in-place leakRelu backward \
               calculation with negative slope",
    }
}

/// x where x > 0, else `negative_slope` · x: `F.leaky_relu`. The slope of `leaky_relu` is 0.01, `leaky_relu_slope` takes one.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-4.0, 0.0, 2.0]);
/// assert_eq!(F::leaky_relu_slope(&x, 0.25).to_vec::<f32>(), [-1.0, 0.0, 2.0]);
/// ```
#[op(functional, forms(leaky_relu() = (0.01), leaky_relu_slope(negative_slope: f64) = (negative_slope)), default(negative_slope = 0.01))]
pub fn leaky_relu(x: &Tensor, negative_slope: f64, place: Place) -> Result<Tensor> {
    let scalars = [computed(x, "leaky_relu_cpu", negative_slope)?];
    leaky_relu_of(["LeakyReluBackward0", "LeakyReluBackward1"]).run(place, x, negative_slope, &scalars)
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
pub fn silu(x: &Tensor, place: Place) -> Result<Tensor> {
    floats_only(x, "silu_cpu")?;
    place.map("SiluBackward0", &SILU, &[x], &[])
}

/// s₀ · x where x is not negative, else s₁ · (e^(s₂·x) − 1).
fn exponential_below_zero() -> Pointwise {
    Pointwise::new(|b| {
        let (x, positive, negative, inner) = (b.input(0), b.scalar(0), b.scalar(1), b.scalar(2));
        x.lt(0.0).select((x * inner).expm1() * negative, x * positive)
    })
}

/// [`exponential_below_zero`]: what elu, selu and celu are made of. At zero the gradient is that of the exponential.
pub(crate) static ELU: LazyLock<Pointwise> = LazyLock::new(|| {
    exponential_below_zero().with_gradient(|b, g, x, _| {
        let (x, positive, negative, inner) = (x[0], b.scalar(0), b.scalar(1), b.scalar(2));
        vec![x.gt(0.0).select(g * positive, g * (inner * negative) * (x * inner).exp())]
    })
});

/// The same with the gradient of the result: s₁ · e^(s₂·x) is the result plus s₁.
static ELU_IN_PLACE: LazyLock<Pointwise> = LazyLock::new(|| {
    exponential_below_zero().with_gradient(|b, g, _, y| {
        let (y, positive, negative, inner) = (y[0], b.scalar(0), b.scalar(1), b.scalar(2));
        vec![y.gt(0.0).select(g * positive, g * inner * (y + negative))]
    })
});

/// elu, selu or celu; the backwards have these names.
pub(crate) fn elu_of(names: [&'static str; 2]) -> ByResult {
    ByResult { new: (names[0], &ELU), in_place: (names[1], &ELU_IN_PLACE), kernel: "elu", plea: "" }
}

/// x where x > 0, else α · (eˣ − 1): `F.elu`. PyTorch's default for α is 1.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 2.0]);
/// assert!(F::elu(&x).allclose(&torch::tensor([-0.63212055, 0.0, 2.0])));
/// ```
#[op(functional, forms(elu() = (1.0), elu_alpha(alpha: f64) = (alpha)))]
pub fn elu(x: &Tensor, alpha: f64, place: Place) -> Result<Tensor> {
    let scalars = [Scalar::Float(1.0), computed(x, "elu_cpu", alpha)?, Scalar::Float(1.0)];
    elu_of(["EluBackward0", "EluBackward1"]).run(place, x, alpha, &scalars)
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
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([-1.0, 0.0, 30.0]);
/// assert!(F::softplus(&x).allclose(&torch::tensor([0.3132617, 0.6931472, 30.0])));
/// ```
#[op(functional, cast_gpu = Float32, default(beta = 1.0, threshold = 20.0))]
pub fn softplus(x: &Tensor, beta: f64, threshold: f64) -> Result<Tensor> {
    let scalars = [computed(x, "softplus_cpu", beta)?, computed(x, "softplus_cpu", threshold)?];
    map("SoftplusBackward0", &SOFTPLUS, &[x], &scalars)
}
