//! Powers.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::pointwise::binary::{OperandRef, beside, common_dtype, not_of_bools, only_floats};
use crate::ops::{Operand, Place, map, to_dtype};
use flambeau_macros::op;
use flambeau_tensor::pointwise::{BinaryOp, Pointwise};
use flambeau_tensor::{DType, Scalar};
use std::sync::LazyLock;

pub(crate) static TENSORS: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).pow(b.input(1))).with_arguments(&["self", "exponent"]));
pub(crate) static NUMBER: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).pow(b.scalar(0))));
static BASE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.scalar(0).pow(b.input(0))).with_arguments(&["exponent"]));

/// The exponents that have a cheaper form, and that form. Its gradient is exponent · x^(exponent − 1), cheap too.
pub(crate) static FORMS: LazyLock<[(f64, Pointwise); 6]> = LazyLock::new(|| {
    let x2 = Pointwise::new(|b| b.input(0) * b.input(0)).with_gradient(|_, g, x, _| vec![g * (x[0] * 2.0)]);
    let x3 = Pointwise::new(|b| b.input(0) * b.input(0) * b.input(0))
        .with_gradient(|_, g, x, _| vec![g * (x[0] * x[0] * 3.0)]);
    let root = Pointwise::new(|b| b.input(0).sqrt()).with_gradient(|_, g, x, _| vec![g * (x[0].rsqrt() * 0.5)]);
    let inverse_root =
        Pointwise::new(|b| b.input(0).rsqrt()).with_gradient(|_, g, x, _| vec![g * (x[0].pow(-1.5) * -0.5)]);
    let inverse =
        Pointwise::new(|b| b.input(0).reciprocal()).with_gradient(|_, g, x, _| vec![g * -((x[0] * x[0]).reciprocal())]);
    let inverse_square = Pointwise::new(|b| (b.input(0) * b.input(0)).reciprocal())
        .with_gradient(|_, g, x, _| vec![g * (x[0].pow(-3.0) * -2.0)]);
    [(2.0, x2), (3.0, x3), (0.5, root), (-0.5, inverse_root), (-1.0, inverse), (-2.0, inverse_square)]
});

/// The program of xᵉ and its scalars.
fn of_number(x: &Tensor, exponent: Scalar) -> Result<(&'static Pointwise, Option<Scalar>)> {
    let integer = !x.is_floating_point();
    if integer && exponent.as_int().is_some_and(|e| e < 0) {
        return Err(Error::runtime("Integers to negative integer powers are not allowed."));
    }
    // An integer's power with a float is a float, and a bool's with an integer an integer: only the general form says so.
    let keeps_dtype = !integer || exponent.is_int() && x.dtype() != DType::Bool;
    if let Some((_, program)) = FORMS.iter().find(|(e, _)| keeps_dtype && *e == exponent.to_f64()) {
        return Ok((program, None));
    }
    let common = common_dtype(x, &Operand::Number(exponent));
    let wide = matches!(common, DType::F32 | DType::F64);
    Ok((&NUMBER, Some(if wide { exponent } else { keeping_kind(exponent, common)? })))
}

/// The number, if the dtype holds it; a bool stays one, so that it promotes as before.
fn keeping_kind(number: Scalar, dtype: DType) -> Result<Scalar> {
    let checked = number.checked(dtype)?;
    Ok(if number.is_bool() { number } else { checked })
}

/// x to the power of a number or a tensor: `torch.pow`. The gradient for x is 0 where the exponent is 0, and that for the
/// exponent is 0 where x is 0 and the exponent is not negative.
///
/// # Errors
/// For integers to a negative integer power.
///
/// ```
/// let x = torch::tensor([1.0, 2.0, 3.0]);
/// assert_eq!(x.pow(2).to_vec::<f32>(), [1.0, 4.0, 9.0]);
/// assert_eq!(x.pow(torch::tensor([3, 3, 0])).to_vec::<f32>(), [1.0, 8.0, 1.0]);
/// ```
#[op(torch, method, cast_gpu = Float32)]
pub fn pow<'a>(x: &Tensor, exponent: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
    let exponent = exponent.into();
    match exponent.kind() {
        OperandRef::Number(number) => {
            let (program, scalar) = of_number(x, number)?;
            place.map("PowBackward0", program, &[x], scalar.as_slice())
        }
        OperandRef::Tensor(power) => {
            not_of_bools(BinaryOp::Pow, x, &exponent, place)?;
            place.map("PowBackward1", &TENSORS, &[x, power], &[])
        }
    }
}

/// A number to the power of a tensor, element by element: `torch.pow(base, exponent)`.
///
/// ```
/// let exponent = torch::tensor([1.0, 2.0, 3.0]);
/// assert_eq!(torch::pow_scalar(2, &exponent).to_vec::<f32>(), [2.0, 4.0, 8.0]);
/// ```
#[op(torch, cast_gpu = Float32)]
pub fn pow_scalar(base: impl Into<Scalar>, exponent: &Tensor) -> Result<Tensor> {
    let base = base.into();
    not_of_bools(BinaryOp::Pow, exponent, &Operand::Number(base), Place::New)?;
    map("PowBackward2", &BASE, &[exponent], &[beside(exponent, BinaryOp::Pow, base)])
}

/// 2ˣ
static EXP2: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.constant(2.0).pow(b.input(0)))
        .with_dtype_rule(flambeau_tensor::pointwise::DTypeRule::Float)
        .with_gradient(|_, g, _, y| vec![g * (y[0] * std::f64::consts::LN_2)])
});

/// 2ˣ: `torch.exp2`.
///
/// ```
/// assert_eq!(torch::tensor([0.0, 3.0]).exp2().to_vec::<f32>(), [1.0, 8.0]);
/// ```
#[op(torch, special, method)]
pub fn exp2(x: &Tensor, place: Place) -> Result<Tensor> {
    place.map("Exp2Backward0", &EXP2, &[x], &[])
}

/// √(a² + b²), scaled so that the squares do not overflow; infinite beside an infinity whatever the other is, as in C99.
static HYPOT: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (p, q) = (b.input(0).abs(), b.input(1).abs());
        let (large, small) = (p.maximum(q), p.minimum(q));
        let ratio = small / large;
        let finite = large.eq(0.0).select(large, large * (ratio * ratio + 1.0).sqrt());
        p.eq(f64::INFINITY).or(q.eq(f64::INFINITY)).select(f64::INFINITY, finite)
    })
    .with_gradient(|_, g, x, y| vec![g * (x[0] / y[0]), g * (x[1] / y[0])])
});

/// √(x² + other²), without overflow of the squares: `torch.hypot`.
///
/// # Errors
/// For integers and bools.
///
/// ```
/// assert_eq!(torch::tensor([3.0]).hypot(&torch::tensor([4.0])).to_vec::<f32>(), [5.0]);
/// ```
#[op(torch, method)]
pub fn hypot(x: &Tensor, other: &Tensor, place: Place) -> Result<Tensor> {
    only_floats("hypot_cpu", &[x, other])?;
    place.map("HypotBackward0", &HYPOT, &[x, other], &[])
}

/// [`pow`] in float64, whatever the dtypes are: `torch.float_power`.
///
/// # Errors
/// In place for a tensor that is not float64.
///
/// ```
/// let y = torch::tensor([1, 2, 3]).float_power(2);
/// assert_eq!((y.dtype(), y.to_vec::<f64>()), (torch::float64, vec![1.0, 4.0, 9.0]));
/// ```
#[op(torch, method)]
pub fn float_power<'a>(x: &Tensor, exponent: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
    let exponent = exponent.into();
    let exponent = match exponent.kind() {
        OperandRef::Tensor(t) => Operand::from(to_dtype(t, DType::F64)?),
        OperandRef::Number(n) => Operand::Number(Scalar::Float(n.to_f64())),
    };
    if !place.is_first() {
        return pow(&to_dtype(x, DType::F64)?, exponent);
    }
    if x.dtype() != DType::F64 {
        return Err(Error::runtime(format!(
            "the base given to float_power_ has dtype {} but the operation's result requires dtype Double",
            x.dtype().scalar_type_name()
        )));
    }
    pow_(x, exponent)
}
