//! The scalar functions on integers, which wrap in their own type.

use super::lane::{Lane, Src, ZeroDivision, map, truth, zip};
use crate::cast::Number;
use crate::simd::Simd;
use flambeau_tensor::pointwise::{BinaryOp, UnaryOp};
use flambeau_tensor::{Element, Scalar};
use std::ops::{BitAnd, BitOr, BitXor, Not};

/// An integer type with wrapping arithmetic.
pub trait Int:
    Number + Ord + Not<Output = Self> + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self>
{
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
    #[doc(hidden)]
    fn wrapping_add(self, b: Self) -> Self;
    #[doc(hidden)]
    fn wrapping_sub(self, b: Self) -> Self;
    #[doc(hidden)]
    fn wrapping_mul(self, b: Self) -> Self;
    /// Truncated; b is not zero.
    fn wrapping_div(self, b: Self) -> Self;
    /// With the dividend's sign; b is not zero.
    fn wrapping_rem(self, b: Self) -> Self;
}

macro_rules! int {
    ($($t:ident)*) => {$(
        impl Int for $t {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            #[inline(always)]
            fn wrapping_add(self, b: Self) -> Self { $t::wrapping_add(self, b) }
            #[inline(always)]
            fn wrapping_sub(self, b: Self) -> Self { $t::wrapping_sub(self, b) }
            #[inline(always)]
            fn wrapping_mul(self, b: Self) -> Self { $t::wrapping_mul(self, b) }
            #[inline(always)]
            fn wrapping_div(self, b: Self) -> Self { $t::wrapping_div(self, b) }
            #[inline(always)]
            fn wrapping_rem(self, b: Self) -> Self { $t::wrapping_rem(self, b) }
        }

        impl Lane for $t {
            #[inline]
            fn from_scalar(s: Scalar) -> Self { Element::from_scalar(s) }
            #[inline(always)]
            fn unary<S: Simd>(op: UnaryOp, a: &[Self], out: &mut [Self]) { unary(op, a, out); }
            #[inline(always)]
            fn binary<S: Simd>(op: BinaryOp, a: Src<'_, Self>, b: Src<'_, Self>, out: &mut [Self]) -> Result<(), ZeroDivision> {
                binary(op, a, b, out)
            }
        }
    )*};
}
int!(i64 i32 i16 i8 u8);

#[inline(always)]
fn unary<T: Int>(op: UnaryOp, a: &[T], out: &mut [T]) {
    use UnaryOp::*;
    match op {
        Neg => map(a, out, |x| T::ZERO.wrapping_sub(x)),
        Abs => map(a, out, |x| if x < T::ZERO { T::ZERO.wrapping_sub(x) } else { x }),
        Sign => map(a, out, |x| truth::<T>(x > T::ZERO).wrapping_sub(truth(x < T::ZERO))),
        Floor | Ceil | Round | Trunc => out.copy_from_slice(a),
        Relu => map(a, out, |x| x.max(T::ZERO)),
        IsNan | IsInf => out.fill(T::ZERO),
        IsFinite => out.fill(T::ONE),
        LogicalNot => map(a, out, |x| truth(x == T::ZERO)),
        BitwiseNot => map(a, out, |x| !x),
        // Functions with float results are computed in a float type; where a program still asks for one of an integer,
        // the result is that of f64, truncated.
        _ => through_f64(op, a, out),
    }
}

#[inline(never)]
fn through_f64<T: Int>(op: UnaryOp, a: &[T], out: &mut [T]) {
    for (y, x) in out.iter_mut().zip(a) {
        let mut value = [0.0];
        super::lane::unary(op, Src::Slice(&[x.to_f64()]), &mut value);
        *y = T::from_f64(value[0]);
    }
}

#[inline(always)]
fn binary<T: Int>(op: BinaryOp, a: Src<'_, T>, b: Src<'_, T>, out: &mut [T]) -> Result<(), ZeroDivision> {
    use BinaryOp::*;
    match op {
        Add => zip(a, b, out, T::wrapping_add),
        Sub => zip(a, b, out, T::wrapping_sub),
        Mul => zip(a, b, out, T::wrapping_mul),
        Div => return divide(a, b, out, T::wrapping_div),
        FloorDiv => return divide(a, b, out, floor_div),
        Remainder => return divide(a, b, out, remainder),
        Fmod => return divide(a, b, out, T::wrapping_rem),
        Pow => zip(a, b, out, pow),
        Maximum => zip(a, b, out, T::max),
        Minimum => zip(a, b, out, T::min),
        // A float function, truncated; see `unary`.
        Atan2 => zip(a, b, out, |y, x| T::from_f64(y.to_f64().atan2(x.to_f64()))),
        Eq => zip(a, b, out, |x, y| truth(x == y)),
        Ne => zip(a, b, out, |x, y| truth(x != y)),
        Lt => zip(a, b, out, |x, y| truth(x < y)),
        Le => zip(a, b, out, |x, y| truth(x <= y)),
        Gt => zip(a, b, out, |x, y| truth(x > y)),
        Ge => zip(a, b, out, |x, y| truth(x >= y)),
        LogicalAnd => zip(a, b, out, |x, y| truth((x != T::ZERO) & (y != T::ZERO))),
        LogicalOr => zip(a, b, out, |x, y| truth((x != T::ZERO) | (y != T::ZERO))),
        LogicalXor => zip(a, b, out, |x, y| truth((x != T::ZERO) != (y != T::ZERO))),
        BitwiseAnd => zip(a, b, out, |x, y| x & y),
        BitwiseOr => zip(a, b, out, |x, y| x | y),
        BitwiseXor => zip(a, b, out, |x, y| x ^ y),
    }
    Ok(())
}

/// Looks for zero divisors before it divides.
#[inline(always)]
fn divide<T: Int>(a: Src<'_, T>, b: Src<'_, T>, out: &mut [T], f: impl Fn(T, T) -> T) -> Result<(), ZeroDivision> {
    let zero = match b {
        Src::Slice(b) => b.contains(&T::ZERO),
        Src::Splat(y) => y == T::ZERO,
    };
    if zero {
        return Err(ZeroDivision);
    }
    zip(a, b, out, |x, y| if y == T::ZERO { T::ZERO } else { f(x, y) });
    Ok(())
}

#[inline(always)]
fn floor_div<T: Int>(a: T, b: T) -> T {
    let quotient = a.wrapping_div(b);
    let inexact = a.wrapping_rem(b) != T::ZERO;
    if inexact && (a < T::ZERO) != (b < T::ZERO) { quotient.wrapping_sub(T::ONE) } else { quotient }
}

#[inline(always)]
fn remainder<T: Int>(a: T, b: T) -> T {
    let rest = a.wrapping_rem(b);
    if rest != T::ZERO && (b < T::ZERO) != (rest < T::ZERO) { rest.wrapping_add(b) } else { rest }
}

/// `c10::powi`: negative powers of anything but 1 and -1 are 0.
#[inline(always)]
fn pow<T: Int>(base: T, exponent: T) -> T {
    if exponent < T::ZERO {
        return match base.to_i64() {
            1 => T::ONE,
            -1 if exponent.to_i64() % 2 != 0 => base,
            -1 => T::ONE,
            _ => T::ZERO,
        };
    }
    let (mut square, mut bits, mut power) = (base, exponent.to_i64(), T::ONE);
    while bits > 0 {
        if bits & 1 == 1 {
            power = power.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        bits >>= 1;
    }
    power
}
