//! Which transform leads from all numbers into a constraint: `biject_to`, `transform_to`.

use super::{
    AffineTransform, CatTransform, ComposeTransform, CorrCholeskyTransform, ExpTransform, IndependentTransform,
    LowerCholeskyTransform, PositiveDefiniteTransform, SigmoidTransform, SoftmaxTransform, StackTransform,
    StickBreakingTransform, Transform, identity_transform,
};
use crate::constraints::{Constraint, Kind};
use crate::fail;
use crate::value::Value;
use flambeau_tensor::Scalar;

/// A bijective transform from all numbers into the set: `torch.distributions.biject_to(constraint)`.
///
/// # Panics
/// For constraints that have none.
///
/// ```
/// use torch::distributions::{biject_to, constraints};
/// let t = biject_to(&constraints::positive());
/// assert_eq!(t.call(torch::tensor(0.0)).item(), 1.0);
/// ```
#[track_caller]
pub fn biject_to(constraint: &Constraint) -> Transform {
    match found(constraint, true) {
        Ok(transform) => transform,
        Err(class) => fail::other(format!("Cannot transform {class} constraints")),
    }
}

/// A transform from all numbers into the set, which need not be bijective: `torch.distributions.transform_to(constraint)`.
///
/// # Panics
/// For constraints that have none.
///
/// ```
/// use torch::distributions::{constraints, transform_to};
/// let t = transform_to(&constraints::simplex());
/// assert_eq!(t.to_string(), "SoftmaxTransform()");
/// ```
#[track_caller]
pub fn transform_to(constraint: &Constraint) -> Transform {
    match found(constraint, false) {
        Ok(transform) => transform,
        Err(class) => fail::other(format!("Cannot transform {class} constraints")),
    }
}

fn is_number(value: &Value, number: f64) -> bool {
    matches!(value, Value::Number(n) if n.to_f64() == number)
}

fn difference(high: &Value, low: &Value) -> Value {
    match (high, low) {
        (Value::Number(a), Value::Number(b)) => Value::Number(Scalar::Float(a.to_f64() - b.to_f64())),
        (Value::Tensor(a), Value::Number(b)) => Value::Tensor(a - *b),
        (a, Value::Tensor(b)) => Value::Tensor(match a {
            Value::Number(a) => b.neg().add(*a),
            Value::Tensor(a) => a - b,
        }),
    }
}

/// The transform, or the class of the constraint that has none.
fn found(constraint: &Constraint, bijective: bool) -> Result<Transform, &'static str> {
    let each = |parts: &[Constraint]| parts.iter().map(|c| found(c, bijective)).collect::<Result<Vec<_>, _>>();
    Ok(match &*constraint.0 {
        Kind::Real => identity_transform(),
        Kind::Independent(base, n) => IndependentTransform::new(found(base, bijective)?, *n),
        // PyTorch's `positive` and `nonnegative` are cases of these, which it registers last.
        Kind::GreaterThan(low) | Kind::GreaterThanEq(low) => {
            ComposeTransform::new([ExpTransform::new(), AffineTransform::new(low.clone(), 1)])
        }
        Kind::LessThan(high) => ComposeTransform::new([ExpTransform::new(), AffineTransform::new(high.clone(), -1)]),
        Kind::Interval(low, high) | Kind::HalfOpenInterval(low, high) => {
            if is_number(low, 0.0) && is_number(high, 1.0) {
                return Ok(SigmoidTransform::new());
            }
            let scale = difference(high, low);
            ComposeTransform::new([SigmoidTransform::new(), AffineTransform::new(low.clone(), scale)])
        }
        Kind::Simplex if bijective => StickBreakingTransform::new(),
        Kind::Simplex => SoftmaxTransform::new(),
        Kind::LowerCholesky if !bijective => LowerCholeskyTransform::new(),
        Kind::PositiveDefinite | Kind::PositiveSemidefinite if !bijective => PositiveDefiniteTransform::new(),
        Kind::CorrCholesky => CorrCholeskyTransform::new(),
        Kind::Cat { parts, dim, lengths } => CatTransform::with_lengths(each(parts)?, *dim, &lengths[..]),
        Kind::Stack { parts, dim } => StackTransform::new(each(parts)?, *dim),
        _ => return Err(constraint.class()),
    })
}
