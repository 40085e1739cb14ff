//! Python's arithmetic, where it differs from Rust's: what it refuses, and when a number stays an integer.

use crate::error::{Error, Result};
use flambeau_tensor::Scalar;

fn refused<T>(message: &str) -> Result<T> {
    Err(Error::Value(message.to_owned()))
}

fn ints(a: Scalar, b: Scalar) -> Option<(i64, i64)> {
    a.as_int().zip(b.as_int())
}

/// `a / b`.
///
/// # Errors
/// Python's `ZeroDivisionError`.
pub fn div(a: f64, b: f64) -> Result<f64> {
    if b == 0.0 { refused("float division by zero") } else { Ok(a / b) }
}

/// `a % b`, which has b's sign.
///
/// # Errors
/// Python's `ZeroDivisionError`.
pub fn modulo(a: Scalar, b: Scalar) -> Result<Scalar> {
    match ints(a, b) {
        Some((_, 0)) => refused("integer modulo by zero"),
        Some((a, b)) => Ok(Scalar::Int((a % b + b) % b)),
        None if b.to_f64() == 0.0 => refused("float modulo"),
        None => {
            let (a, b) = (a.to_f64(), b.to_f64());
            let rest = a % b;
            Ok(Scalar::Float(if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }))
        }
    }
}

/// `a // b`, as a float.
///
/// # Errors
/// Python's `ZeroDivisionError`.
pub fn floor_div(a: Scalar, b: Scalar) -> Result<f64> {
    match ints(a, b) {
        Some((_, 0)) => refused("integer division or modulo by zero"),
        Some((a, b)) => Ok((a as f64 / b as f64).floor()),
        None if b.to_f64() == 0.0 => refused("float floor division by zero"),
        None => Ok((a.to_f64() / b.to_f64()).floor()),
    }
}

/// `a ** b`.
///
/// # Errors
/// Python's `ZeroDivisionError` and `OverflowError`.
pub fn pow(a: f64, b: f64) -> Result<f64> {
    if a == 0.0 && b < 0.0 {
        return refused("0.0 cannot be raised to a negative power");
    }
    let power = a.powf(b);
    if power.is_infinite() && a.is_finite() && b.is_finite() {
        return refused("(34, 'Numerical result out of range')");
    }
    Ok(power)
}

/// Where `x` would stand in a sorted list, after its equals: Python's `bisect_right`, in a list that may not be sorted too.
pub fn bisect_right(list: &[i64], x: f64) -> usize {
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = (low + high) / 2;
        if x < list[middle] as f64 { high = middle } else { low = middle + 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::{Scalar, bisect_right, floor_div, modulo, pow};

    #[test]
    fn a_rest_has_the_divisors_sign_and_stays_an_integer() {
        let cases: [(Scalar, Scalar, Scalar); 4] = [
            ((-3).into(), 5.into(), 2.into()),
            (3.into(), (-5).into(), (-2).into()),
            ((-0.5).into(), 2.into(), 1.5.into()),
            (7.5.into(), 2.into(), 1.5.into()),
        ];
        for (a, b, rest) in cases {
            assert_eq!(modulo(a, b).unwrap(), rest, "{a} % {b}");
        }
        assert_eq!(floor_div((-1).into(), 3.into()).unwrap(), -1.0);
        assert_eq!(modulo(1.into(), 0.into()).unwrap_err().to_string(), "integer modulo by zero");
        assert_eq!(pow(0.0, -1.0).unwrap_err().to_string(), "0.0 cannot be raised to a negative power");
        assert_eq!(pow(10.0, 400.0).unwrap_err().to_string(), "(34, 'Numerical result out of range')");
    }

    #[test]
    fn equals_stand_before() {
        assert_eq!([0.0, 2.0, 2.5, 9.0].map(|x| bisect_right(&[2, 2, 5], x)), [0, 2, 2, 3]);
        assert_eq!(bisect_right(&[5, 2, 7], 3.0), 2, "a list that is not sorted");
    }
}
