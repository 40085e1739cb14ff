//! Special functions, element by element.

use crate::Tensor;
use crate::error::Result;
use crate::ops::pointwise::binary::{OperandRef, beside, only_floats};
use crate::ops::pointwise::unary::program;
use crate::ops::{Operand, Place, map};
use flambeau_macros::op;
use flambeau_tensor::pointwise::{BinaryOp, DTypeRule, Expr, Pointwise, UnaryOp};
use flambeau_tensor::{Scalar, default_dtype};
use std::f64::consts::{LN_2, LOG2_E, PI};
use std::sync::LazyLock;

/// x · ln y, 0 where x is 0 unless y is NaN.
fn x_log_y<'b>(x: Expr<'b>, y: Expr<'b>) -> Expr<'b> {
    let y_nan = y.is_nan();
    y_nan.select(f64::NAN, x.eq(0.0).select(0.0, x * y.log()))
}

/// g · ln y, 0 where x is 0 and y has no logarithm.
fn slope<'b>(g: Expr<'b>, x: Expr<'b>, y: Expr<'b>) -> Expr<'b> {
    x.eq(0.0).and(y.le(0.0)).select(0.0, x_log_y(g, y))
}

static XLOGY: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| x_log_y(b.input(0), b.input(1)))
        .with_gradient(|_, g, x, _| vec![slope(g, x[0], x[1]), g * x[0] / x[1]])
});
static XLOGY_NUMBER: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| x_log_y(b.input(0), b.scalar(0))).with_gradient(|b, g, x, _| {
        // Unlike a tensor, a number that is NaN leaves the gradient at 0 zero.
        let y = b.scalar(0);
        vec![x[0].eq(0.0).and(y.gt(0.0).logical_not()).select(0.0, x_log_y(g, y))]
    })
});

/// x · ln(other), and 0 where x is 0 unless `other` is NaN: `torch.xlogy`.
///
/// ```
/// let x = torch::tensor([0.0, 2.0]);
/// assert!(x.xlogy(torch::tensor([0.0, 10.0])).allclose(&torch::tensor([0.0, 4.6051702])));
/// ```
#[op(torch, special, method)]
pub fn xlogy<'a>(x: &Tensor, other: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
    match other.into().kind() {
        OperandRef::Number(s) => place.map("XlogyBackward2", &XLOGY_NUMBER, &[x], &[beside(x, BinaryOp::Pow, s)]),
        OperandRef::Tensor(y) => place.map("XlogyBackward0", &XLOGY, &[x, y], &[]),
    }
}

static ATANH: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| 0.5 * (b.input(0).log1p() - (-b.input(0)).log1p()))
        .with_gradient(|_, g, x, _| vec![g / (1.0 - x[0] * x[0])])
});

/// The inverse of the hyperbolic tangent, ½ ln((1 + x) / (1 − x)); infinite at ±1, NaN outside: `torch.atanh`.
///
/// ```
/// let x = torch::tensor([0.0, 0.5, -1.0]);
/// assert!(x.atanh().allclose(&torch::tensor([0.0, 0.54930615, f64::NEG_INFINITY])));
/// ```
#[op(torch, method, alias(arctanh))]
pub fn atanh(x: &Tensor, place: Place) -> Result<Tensor> {
    place.map("AtanhBackward0", &ATANH, &[x], &[])
}

/// From where on x² is too large beside 1 for its root to differ from |x|.
const LARGE: f64 = 1e9;

static ASINH: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let size = b.input(0).abs();
        let squared = size * size;
        let near = (size + squared / ((squared + 1.0).sqrt() + 1.0)).log1p();
        let value = size.gt(LARGE).select(size.log() + LN_2, near);
        b.input(0).lt(0.0).select(-value, value)
    })
    .with_dtype_rule(DTypeRule::Float)
    .with_gradient(|_, g, x, _| vec![g * ((x[0] * x[0]).rounded() + 1.0).rounded().rsqrt().rounded()])
});

/// The inverse of the hyperbolic sine, ln(x + √(x² + 1)): `torch.asinh`. Integers become floats.
///
/// ```
/// let x = torch::tensor([0.0, 1.0, -1.0]);
/// assert!(x.asinh().allclose(&torch::tensor([0.0, 0.8813736, -0.8813736])));
/// ```
#[op(torch, method, alias(arcsinh))]
pub fn asinh(x: &Tensor, place: Place) -> Result<Tensor> {
    place.map("AsinhBackward0", &ASINH, &[x], &[])
}

static ACOSH: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let above = b.input(0) - 1.0;
        let near = (above + (above * 2.0 + above * above).sqrt()).log1p();
        b.input(0).gt(LARGE).select(b.input(0).log() + LN_2, near)
    })
    .with_dtype_rule(DTypeRule::Float)
    .with_gradient(|_, g, x, _| vec![g * ((x[0] * x[0]).rounded() - 1.0).rounded().rsqrt().rounded()])
});

/// The inverse of the hyperbolic cosine, ln(x + √(x² − 1)), NaN below 1: `torch.acosh`. Integers become floats.
///
/// ```
/// let x = torch::tensor([1.0, 2.0]);
/// assert!(x.acosh().allclose(&torch::tensor([0.0, 1.316958])));
/// ```
#[op(torch, method, alias(arccosh))]
pub fn acosh(x: &Tensor, place: Place) -> Result<Tensor> {
    place.map("AcoshBackward0", &ACOSH, &[x], &[])
}

fn times(factor: f64) -> Pointwise {
    Pointwise::new(move |b| b.input(0) * factor)
        .with_dtype_rule(DTypeRule::Float)
        .with_gradient(move |_, g, _, _| vec![g * factor])
}

static DEG2RAD: LazyLock<Pointwise> = LazyLock::new(|| times(PI / 180.0));
static RAD2DEG: LazyLock<Pointwise> = LazyLock::new(|| times(180.0 / PI));

/// Degrees in radians, x · π / 180: `torch.deg2rad`. Integers become floats.
///
/// ```
/// assert!(torch::tensor([180.0]).deg2rad().allclose(&torch::tensor([3.1415927])));
/// ```
#[op(torch, method)]
pub fn deg2rad(x: &Tensor, place: Place) -> Result<Tensor> {
    place.map("Deg2RadBackward0", &DEG2RAD, &[x], &[])
}

/// Radians in degrees, x · 180 / π: `torch.rad2deg`. Integers become floats.
///
/// ```
/// assert!(torch::tensor([3.1415927]).rad2deg().allclose(&torch::tensor([180.0])));
/// ```
#[op(torch, method)]
pub fn rad2deg(x: &Tensor, place: Place) -> Result<Tensor> {
    place.map("Rad2DegBackward0", &RAD2DEG, &[x], &[])
}

static SINC: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let turned = b.input(0) * PI;
        b.input(0).eq(0.0).select(1.0, turned.sin() / turned)
    })
    .with_dtype_rule(DTypeRule::Float)
    .with_gradient(|_, g, x, _| {
        let turned = x[0] * PI;
        let slope = (turned * turned.cos() - turned.sin()) / (turned * x[0]);
        vec![x[0].eq(0.0).select(0.0, g * slope)]
    })
});

/// sin(π x) / (π x), and 1 at 0: `torch.sinc`, `torch.special.sinc`. Integers become floats.
///
/// ```
/// let x = torch::tensor([0.0, 0.5, 1.0]);
/// assert!(x.sinc().allclose_with(&torch::tensor([1.0, 0.63661975, 0.0]), |o| o.atol(1e-6)));
/// ```
#[op(torch, special, method)]
pub fn sinc(x: &Tensor, place: Place) -> Result<Tensor> {
    place.map("SincBackward0", &SINC, &[x], &[])
}

static LOGADDEXP2: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (p, q) = (b.input(0), b.input(1));
        let both_infinite = p.unary(UnaryOp::IsInf).and(p.eq(q));
        let beside = ((-(p - q).abs()) * LN_2).exp().log1p() * LOG2_E;
        both_infinite.select(p, p.maximum(q) + beside)
    })
    .with_gradient(|_, g, x, _| {
        vec![g / (((x[1] - x[0]) * LN_2).exp() + 1.0), g / (((x[0] - x[1]) * LN_2).exp() + 1.0)]
    })
});

/// log₂(2ˣ + 2^other), without overflow: `torch.logaddexp2`.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// let x = torch::tensor([0.0, 1000.0]);
/// assert!(x.logaddexp2(&x).allclose(&torch::tensor([1.0, 1001.0])));
/// ```
#[op(torch, method)]
pub fn logaddexp2(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    only_floats("logaddexp2_cpu", &[x, other])?;
    map("Logaddexp2Backward0", &LOGADDEXP2, &[x, other], &[])
}

static LOGADDEXP: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (p, q) = (b.input(0), b.input(1));
        let both_infinite = p.unary(UnaryOp::IsInf).and(p.eq(q));
        both_infinite.select(p, p.maximum(q) + (-(p - q).abs()).exp().log1p())
    })
    .with_gradient(|_, g, x, _| vec![g / ((x[1] - x[0]).exp() + 1.0), g / ((x[0] - x[1]).exp() + 1.0)])
});

/// ln(eˣ + e^other), without overflow: `torch.logaddexp`.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// let x = torch::tensor([0.0, 1000.0]);
/// assert!(x.logaddexp(&x).allclose(&torch::tensor([0.6931472, 1000.6931])));
/// ```
#[op(torch, method)]
pub fn logaddexp(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    only_floats("logaddexp_cpu", &[x, other])?;
    map("LogaddexpBackward0", &LOGADDEXP, &[x, other], &[])
}

static LOGIT: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| (b.input(0) / (1.0 - b.input(0))).log()).with_gradient(|b, g, x, _| {
        let inside = x[0].ge(0.0).and(x[0].le(1.0));
        vec![inside.select(g / (x[0] * (1.0 - x[0])), b.constant(f64::NAN))]
    })
});

static LOGIT_CLAMPED: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, low, high) = (b.input(0), b.scalar(0), b.scalar(1));
        let x = x.lt(low).select(low, x.gt(high).select(high, x));
        (x / (1.0 - x)).log()
    })
    .with_gradient(|b, g, x, _| {
        let outside = x[0].lt(b.scalar(0)).or(x[0].gt(b.scalar(1)));
        vec![outside.select(0.0, g / (x[0] * (1.0 - x[0])))]
    })
});

/// ln(x / (1 − x)), the inverse of [`sigmoid`](crate::ops::sigmoid): `torch.logit`. An `eps` first keeps x between eps and
/// 1 − eps; without one, x outside [0, 1] gives NaN.
///
/// ```
/// let x = torch::tensor([0.5, 0.9]);
/// assert!(x.logit(None).allclose(&torch::tensor([0.0, 2.1972246])));
/// assert_eq!(torch::tensor([0.0]).logit(Some(0.5)).item(), 0.0);
/// ```
#[op(torch, special, method)]
pub fn logit(x: &Tensor, eps: Option<f64>, place: Place) -> Result<Tensor> {
    let name = "LogitBackward0";
    let Some(eps) = eps else { return place.map(name, &LOGIT, &[x], &[]) };
    // Both bounds are numbers of the dtype: 1 − eps is 1 in a half type.
    let dtype = if x.is_floating_point() { x.dtype() } else { default_dtype() };
    let low = Scalar::Float(eps).cast(dtype);
    let high = Scalar::Float(1.0 - low.to_f64()).cast(dtype);
    place.map(name, &LOGIT_CLAMPED, &[x], &[low, high])
}

/// I₀(x) = Σₖ (x²/4)ᵏ / k!², the modified Bessel function of the first kind and order 0: `torch.i0`, `torch.special.i0`. Integers
/// become floats. As PyTorch's, it is infinite from where eˣ is, and NaN at ±∞.
///
/// ```
/// let x = torch::tensor([0.0, 1.0, -2.0]);
/// assert!(x.i0().allclose(&torch::tensor([1.0, 1.2660659, 2.2795853])));
/// ```
#[op(torch, special, method)]
pub fn i0(x: &Tensor, place: Place) -> Result<Tensor> {
    place.map("I0Backward0", program(UnaryOp::I0), &[x], &[])
}

/// I₁(x) = x/2 Σₖ (x²/4)ᵏ / (k! (k + 1)!), the modified Bessel function of the first kind and order 1, and the derivative of
/// [`i0()`]: `torch.special.i1`. Integers become floats. As PyTorch's, it is infinite from where eˣ is, and NaN at ±∞.
///
/// ```
/// let y = torch::special::i1(&torch::tensor([0.0, 1.0, -2.0]));
/// assert!(y.allclose(&torch::tensor([0.0, 0.5651591, -1.5906369])));
/// ```
#[op(special)]
pub fn i1(x: &Tensor) -> Result<Tensor> {
    map("SpecialI1Backward0", program(UnaryOp::I1), &[x], &[])
}

/// e^(−|x|) I₀(x), the modified Bessel function of the first kind and order 0, scaled so that it does not overflow:
/// `torch.special.i0e`. Integers become floats.
///
/// ```
/// let y = torch::special::i0e(&torch::tensor([0.0, 1.0, 100.0]));
/// assert!(y.allclose(&torch::tensor([1.0, 0.4657596, 0.0399444])));
/// ```
#[op(special)]
pub fn i0e(x: &Tensor) -> Result<Tensor> {
    map("SpecialI0EBackward0", program(UnaryOp::I0e), &[x], &[])
}

/// e^(−|x|) I₁(x), the modified Bessel function of the first kind and order 1, scaled so that it does not overflow:
/// `torch.special.i1e`. Integers become floats.
///
/// ```
/// let y = torch::special::i1e(&torch::tensor([0.0, 1.0, -1.0]));
/// assert!(y.allclose(&torch::tensor([0.0, 0.2079104, -0.2079104])));
/// ```
#[op(special)]
pub fn i1e(x: &Tensor) -> Result<Tensor> {
    map("SpecialI1EBackward0", program(UnaryOp::I1e), &[x], &[])
}

static NAN_TO_NUM: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let x = b.input(0);
        let finite_or_low = x.eq(f64::NEG_INFINITY).select(b.scalar(2), x);
        x.is_nan().select(b.scalar(0), x.eq(f64::INFINITY).select(b.scalar(1), finite_or_low))
    })
    .with_gradient(|_, g, x, _| vec![g * x[0].unary(UnaryOp::IsFinite)])
});

/// NaN and the infinities replaced, by default by 0 and by the dtype's largest and smallest value: `torch.nan_to_num`. Integers
/// have neither, and stay.
///
/// ```
/// let x = torch::tensor([1.0, f64::NAN, f64::INFINITY]);
/// assert_eq!(x.nan_to_num().to_vec::<f32>(), [1.0, 0.0, f32::MAX]);
/// assert_eq!(x.nan_to_num_with(|o| o.nan(7.0).posinf(9.0)).to_vec::<f32>(), [1.0, 7.0, 9.0]);
/// ```
#[op(torch, method, default(nan = None, posinf = None, neginf = None))]
pub fn nan_to_num(
    x: &Tensor,
    nan: Option<f64>,
    posinf: Option<f64>,
    neginf: Option<f64>,
    place: Place,
) -> Result<Tensor> {
    let name = "NanToNumBackward0";
    if !x.is_floating_point() {
        return if place.is_first() { Ok(x.shallow_clone()) } else { crate::ops::clone(x) };
    }
    let (_, largest) = x.dtype().range();
    let scalars = [nan.unwrap_or(0.0), posinf.unwrap_or(largest), neginf.unwrap_or(-largest)].map(Scalar::Float);
    place.map(name, &NAN_TO_NUM, &[x], &scalars)
}
