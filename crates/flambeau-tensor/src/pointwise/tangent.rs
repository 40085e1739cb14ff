//! Arithmetic of derivatives while a program's derivative is built.

use super::{Builder, Expr};

/// ∂node/∂input. Zero and one are kept apart, so that no 0 · inf is ever computed and no product with one is.
#[derive(Clone)]
pub(super) enum Tangent<'b> {
    Zero,
    One,
    Value(Expr<'b>),
    Where(Expr<'b>, Box<[Tangent<'b>; 2]>),
}

use Tangent::{One, Value, Where, Zero};

/// Branches that a derivative may have before they are folded into values. Each product multiplies those of its factors: kept
/// apart, the branches of n leaky ReLUs one after the other are 2ⁿ.
const MAX_BRANCHES: usize = 8;

impl Tangent<'_> {
    fn branches(&self) -> usize {
        match self {
            Where(_, ab) => ab[0].branches() + ab[1].branches(),
            _ => 1,
        }
    }
}

pub(super) fn select<'b>(condition: Expr<'b>, a: Tangent<'b>, b: Tangent<'b>) -> Tangent<'b> {
    match (&a, &b) {
        (Zero, Zero) => Zero,
        (One, One) => One,
        _ if a.branches() + b.branches() > MAX_BRANCHES => Where(condition, Box::new([fold(a), fold(b)])),
        _ => Where(condition, Box::new([a, b])),
    }
}

pub(super) fn times<'b>(a: Tangent<'b>, b: Tangent<'b>) -> Tangent<'b> {
    match (a, b) {
        (Zero, _) | (_, Zero) => Zero,
        (One, x) | (x, One) => x,
        (a @ Where(..), b @ Where(..)) if a.branches() * b.branches() > MAX_BRANCHES => times(fold(a), fold(b)),
        (Where(c, ab), x) | (x, Where(c, ab)) => {
            let [p, q] = *ab;
            select(c, times(p, x.clone()), times(q, x))
        }
        (Value(x), Value(y)) => Value(x * y),
    }
}

pub(super) fn plus<'b>(a: Tangent<'b>, b: Tangent<'b>, builder: &'b Builder) -> Tangent<'b> {
    match (a, b) {
        (Zero, x) | (x, Zero) => x,
        (a, b) => Value(value(a, builder) + value(b, builder)),
    }
}

pub(super) fn negate<'b>(a: Tangent<'b>, builder: &'b Builder) -> Tangent<'b> {
    match a {
        Zero => Zero,
        Where(c, ab) => {
            let [p, q] = *ab;
            select(c, negate(p, builder), negate(q, builder))
        }
        other => Value(-value(other, builder)),
    }
}

/// The derivative of a value that is rounded to the call's dtype, rounded to it.
pub(super) fn rounded(a: Tangent<'_>) -> Tangent<'_> {
    match a {
        Value(x) => Value(x.rounded()),
        Where(c, ab) => {
            let [p, q] = *ab;
            select(c, rounded(p), rounded(q))
        }
        exact => exact,
    }
}

pub(super) fn value<'b>(a: Tangent<'b>, builder: &'b Builder) -> Expr<'b> {
    match a {
        Zero => builder.constant(0.0),
        One => builder.constant(1.0),
        Value(x) => x,
        Where(c, ab) => {
            let [p, q] = *ab;
            c.select(value(p, builder), value(q, builder))
        }
    }
}

/// The same derivative with one branch, or two of which one is zero: what must not be multiplied stays apart.
fn fold(a: Tangent<'_>) -> Tangent<'_> {
    let Where(c, _) = a else { return a };
    match zero_and_value(a, c.builder()) {
        (None, None) => Zero,
        (None, Some(x)) => Value(x),
        (Some(zero), x) => Where(zero, Box::new([Zero, x.map_or(Zero, Value)])),
    }
}

/// Where a derivative is zero by its branches (`None`: nowhere), and what it is elsewhere (`None`: it is zero everywhere).
fn zero_and_value<'b>(a: Tangent<'b>, builder: &'b Builder) -> (Option<Expr<'b>>, Option<Expr<'b>>) {
    let Where(c, ab) = a else {
        return (None, if matches!(a, Zero) { None } else { Some(value(a, builder)) });
    };
    let [p, q] = *ab;
    match (zero_and_value(p, builder), zero_and_value(q, builder)) {
        ((_, None), (_, None)) => (None, None),
        ((_, None), (zero, x)) => (Some(zero.map_or(c, |z| c.or(z))), x),
        ((zero, x), (_, None)) => (Some(zero.map_or(c.logical_not(), |z| c.logical_not().or(z))), x),
        ((y, Some(u)), (z, Some(v))) => {
            let zero = match (y, z) {
                (None, None) => None,
                (Some(y), None) => Some(c.and(y)),
                (None, Some(z)) => Some(c.logical_not().and(z)),
                (Some(y), Some(z)) => Some(c.select(y, z)),
            };
            (zero, Some(c.select(u, v)))
        }
    }
}
