//! Values kept between bounds.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::pointwise::binary::OperandRef;
use crate::ops::{Operand, Place};
use flambeau_macros::op;
use flambeau_tensor::pointwise::{Expr, Pointwise};
use flambeau_tensor::promotion::{ResultType, can_cast};
use flambeau_tensor::{DType, Scalar};
use smallvec::SmallVec;
use std::sync::LazyLock;

pub(crate) static CLAMP: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0).maximum(b.scalar(0)).minimum(b.scalar(1))).with_gradient(|b, g, x, _| {
        let inside = x[0].gt(b.scalar(0)).and(x[0].lt(b.scalar(1)));
        vec![inside.select(g, 0.0)]
    })
});

static CLAMP_MIN: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0).maximum(b.scalar(0)))
        .with_gradient(|b, g, x, _| vec![x[0].gt(b.scalar(0)).select(g, 0.0)])
});

static CLAMP_MAX: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0).minimum(b.scalar(0)))
        .with_gradient(|b, g, x, _| vec![x[0].lt(b.scalar(0)).select(g, 0.0)])
});

/// A share of g: 0 of nothing, whatever the sign of g.
fn part<'b>(g: Expr<'b>, share: Expr<'b>) -> Expr<'b> {
    share.eq(0.0).select(0.0, g * share)
}

// A value on a bound shares the gradient with it; where the bounds cross, the upper one counts.
static CLAMP_TENSORS: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0).maximum(b.input(1)).minimum(b.input(2)))
        .with_arguments(&["self", "min", "max"])
        .with_gradient(|_, g, x, _| {
            let (x, low, high) = (x[0], x[1], x[2]);
            let (ordered, apart) = (low.le(high), low.lt(high));
            let of_low = ordered.and(x.lt(low)) + apart.and(x.eq(low)) * 0.5;
            let of_high = low.gt(high).or(x.gt(high)) + apart.and(x.eq(high)) * 0.5;
            vec![x.is_nan().select(g, part(g, 1.0 - of_low - of_high)), part(g, of_low), part(g, of_high)]
        })
});

static CLAMP_MIN_TENSOR: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).maximum(b.input(1))).with_arguments(&["self", "min"]));
static CLAMP_MAX_TENSOR: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).minimum(b.input(1))).with_arguments(&["self", "max"]));

fn no_bound() -> Error {
    Error::runtime("torch.clamp: At least one of 'min' or 'max' must not be None")
}

/// A bound and whether it is the lower one, as a number of the dtype that x is kept in. An integer type needs no bound
/// outside its range; PyTorch refuses one that no value of the type is within.
pub(crate) fn bound(number: Scalar, lower: bool, dtype: DType) -> Result<Scalar> {
    let Scalar::Int(i) = number else { return Ok(number.checked(dtype)?) };
    if !dtype.is_integer() {
        return Ok(number.checked(dtype)?);
    }
    // Every i64 lies within int64, whose ends are no floats.
    let (low, high) = dtype.range();
    let (below, above) = (dtype != DType::I64 && (i as f64) < low, dtype != DType::I64 && (i as f64) > high);
    let outside = if lower { above } else { below };
    if outside {
        return Err(Error::runtime(format!(
            "Clamp {} value {} is outside the representable range of {}",
            if lower { "min" } else { "max" },
            flambeau_tensor::print::cpp_double(i as f64),
            dtype.scalar_type_name()
        )));
    }
    Ok(Scalar::Int(if below {
        low as i64
    } else if above {
        high as i64
    } else {
        i
    }))
}

/// The program of the bounds that are given, and its scalars.
fn clamp_program(
    x: &Tensor,
    min: Option<Scalar>,
    max: Option<Scalar>,
    place: Place,
) -> Result<(&'static Pointwise, SmallVec<[Scalar; 2]>)> {
    let program: &'static Pointwise = match (min, max) {
        (Some(_), Some(_)) => &CLAMP,
        (Some(_), None) => &CLAMP_MIN,
        (None, Some(_)) => &CLAMP_MAX,
        (None, None) => return Err(no_bound()),
    };
    let numbers = min.into_iter().chain(max);
    let result = numbers.fold(ResultType::default().tensor(x.dtype(), x.dim()), |r, s| r.number(s)).finish();
    if place.is_first() && !can_cast(result, x.dtype()) {
        return Err(Error::runtime(format!(
            "result type {} can't be cast to the desired output type {}",
            result.scalar_type_name(),
            x.dtype().cpp_name()
        )));
    }
    if result == DType::Bool {
        let op = match (min, max) {
            (Some(_), Some(_)) => "clamp_scalar_cpu",
            (Some(_), None) => "clamp_min_scalar_cpu",
            _ => "clamp_max_scalar_cpu",
        };
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: result }.into());
    }
    let mut bounds = SmallVec::new();
    for (number, lower) in [(min, true), (max, false)] {
        if let Some(number) = number {
            bounds.push(bound(number, lower, result)?);
        }
    }
    Ok((program, bounds))
}

/// min(max(x, low), high) of two numbers, of which one may be `None`: `torch.clamp`. NaN stays NaN. The gradient passes strictly
/// between the bounds.
///
/// # Errors
/// When no value of the dtype is within a bound, or a float dtype does not hold it.
///
/// ```
/// let x = torch::tensor([-2.0, 0.5, 3.0]);
/// assert_eq!(x.clamp(-1.0, 1.0).to_vec::<f32>(), [-1.0, 0.5, 1.0]);
/// assert_eq!(x.clamp(0, None).to_vec::<f32>(), [0.0, 0.5, 3.0]);
/// ```
#[op(torch, method, alias(clip), positional, default(min = None, max = None))]
pub fn clamp(x: &Tensor, min: Option<Scalar>, max: Option<Scalar>, place: Place) -> Result<Tensor> {
    let (program, scalars) = clamp_program(x, min, max, place)?;
    place.map("ClampBackward1", program, &[x], &scalars)
}

/// min(max(x, low), high) of two tensors, element by element: `torch.clamp(x, min, max)`. NaN in any of them gives NaN. The
/// gradient goes to the bound where that counts, half of it where x is on the bound.
///
/// # Errors
/// When there is neither a `min` nor a `max`.
///
/// ```
/// let (x, low) = (torch::tensor([-2.0, 0.5]), torch::tensor([0.0, 1.0]));
/// assert_eq!(x.clamp_tensor(Some(&low), None).to_vec::<f32>(), [0.0, 1.0]);
/// ```
#[op(torch, method)]
pub fn clamp_tensor(x: &Tensor, min: Option<&Tensor>, max: Option<&Tensor>, place: Place) -> Result<Tensor> {
    let name = "ClampBackward0";
    match (min, max) {
        (Some(a), Some(b)) => place.map(name, &CLAMP_TENSORS, &[x, a, b], &[]),
        (Some(a), None) => place.map(name, &CLAMP_MIN_TENSOR, &[x, a], &[]),
        (None, Some(b)) => place.map(name, &CLAMP_MAX_TENSOR, &[x, b], &[]),
        (None, None) => Err(no_bound()),
    }
}

/// max(x, min), NaN stays NaN: `torch.clamp_min`. The bound is a number or a tensor.
///
/// # Errors
/// As [`clamp`].
///
/// ```
/// assert_eq!(torch::tensor([-2.0, 3.0]).clamp_min(0).to_vec::<f32>(), [0.0, 3.0]);
/// ```
#[op(torch, method)]
pub fn clamp_min<'a>(x: &Tensor, min: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
    match min.into().kind() {
        OperandRef::Number(s) => {
            let (program, scalars) = clamp_program(x, Some(s), None, place)?;
            place.map("ClampMinBackward0", program, &[x], &scalars)
        }
        OperandRef::Tensor(t) => place.map("ClampMinBackward1", &CLAMP_MIN_TENSOR, &[x, t], &[]),
    }
}

/// min(x, max), NaN stays NaN: `torch.clamp_max`. The bound is a number or a tensor.
///
/// # Errors
/// As [`clamp`].
///
/// ```
/// assert_eq!(torch::tensor([-2.0, 3.0]).clamp_max(1).to_vec::<f32>(), [-2.0, 1.0]);
/// ```
#[op(torch, method)]
pub fn clamp_max<'a>(x: &Tensor, max: impl Into<Operand<'a>>, place: Place) -> Result<Tensor> {
    match max.into().kind() {
        OperandRef::Number(s) => {
            let (program, scalars) = clamp_program(x, None, Some(s), place)?;
            place.map("ClampMaxBackward0", program, &[x], &scalars)
        }
        OperandRef::Tensor(t) => place.map("ClampMaxBackward1", &CLAMP_MAX_TENSOR, &[x, t], &[]),
    }
}
